//! What everybody in a simulation shares: chance, time, the disk, and what is noted down.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatroom_proto::{Code, Seq, UnixMillis};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::archive::Archived;
use super::line::Line;
use super::log::Disk;
use super::people::DEVICES;
use super::server::Running;
use super::{Broken, Fault, Tally};
use crate::chance::Chance;

/// When it begins, as a wall clock tells it.
const BEGIN: UnixMillis = UnixMillis(1_000_000);

/// What the simulation does it does at multiples of so many virtual milliseconds: what comes close
/// together comes together, and costs less than one by one.
const GRAIN_MS: u64 = 6;

/// Everything that is shared.
pub(super) struct World {
    pub(super) fault: Option<Fault>,
    began: Instant,
    chance: Mutex<Chance>,
    disk: Mutex<Disk>,
    archived: Mutex<Archived>,
    /// The archive may have something to read.
    pub(super) archive_wakes: Notify,
    /// Nobody lives any longer.
    pub(super) over: CancellationToken,
    noted: Mutex<Noted>,
    now: Mutex<Now>,
}

/// What comes of it.
struct Noted {
    trace: DefaultHasher,
    tally: Tally,
    broken: Vec<Broken>,
}

/// How things are.
pub(super) struct Now {
    /// Whether nothing goes wrong any more.
    is_calm: bool,
    /// The server, while it runs.
    pub(super) server: Option<Running>,
    /// What makes somebody an operator.
    pub(super) code: Option<Code>,
    /// The lines, by their number.
    pub(super) lines: BTreeMap<u64, Arc<Line>>,
    pub(super) lines_made: u64,
    pub(super) posts_made: u64,
    pub(super) devices: [DeviceNow; DEVICES.len()],
    /// By how much the machine's clock is ahead of the time, in milliseconds.
    pub(super) clock_is_ahead_ms: i64,
    /// By how much it has been ahead at the most.
    pub(super) clock_was_ahead_ms: i64,
    /// How they were when a copy of the log was taken.
    devices_then: [DeviceNow; DEVICES.len()],
}

/// How one device is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DeviceNow {
    /// Whether its owner has registered.
    pub(super) is_registered: bool,
    /// Whether it waits for nothing.
    pub(super) is_quiet: bool,
    /// Whether it has shown everything.
    pub(super) has_rested: bool,
    /// To where the log was put back since it was let in, if it was, and after which run of the
    /// server.
    pub(super) put_back: Option<(Seq, u64)>,
    /// How many tokens it has asked for with another password.
    pub(super) tokens_asked: u32,
    /// How many of these it has an answer to.
    pub(super) tokens_answered: u32,
    /// Whether the copy that was put back knows it by another token.
    pub(super) has_later_token: bool,
}

impl World {
    pub(super) fn new(seed: u64, fault: Option<Fault>) -> Arc<World> {
        Arc::new(World {
            fault,
            began: Instant::now(),
            chance: Mutex::new(Chance::new(seed)),
            disk: Mutex::default(),
            archived: Mutex::new(Archived::new()),
            archive_wakes: Notify::new(),
            over: CancellationToken::new(),
            noted: Mutex::new(Noted {
                trace: DefaultHasher::new(),
                tally: Tally::default(),
                broken: Vec::new(),
            }),
            now: Mutex::new(Now {
                is_calm: false,
                server: None,
                code: None,
                lines: BTreeMap::new(),
                lines_made: 0,
                posts_made: 0,
                devices: Default::default(),
                clock_is_ahead_ms: 0,
                clock_was_ahead_ms: 0,
                devices_then: Default::default(),
            }),
        })
    }

    /// Virtual milliseconds since the beginning.
    pub(super) fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Lets so many virtual milliseconds pass, and a few more.
    pub(super) async fn sleep(&self, millis: u64) {
        let now = self.millis();
        let until = (now + millis).next_multiple_of(GRAIN_MS);
        sleep(Duration::from_millis(until - now)).await;
    }

    pub(super) fn unix_now(&self) -> UnixMillis {
        UnixMillis((BEGIN.0 + self.millis()).saturating_add_signed(self.now().clock_is_ahead_ms))
    }

    /// Any number.
    pub(super) fn number(&self) -> u64 {
        lock(&self.chance).number()
    }

    /// A number below this one, which is not zero.
    pub(super) fn below(&self, bound: u64) -> u64 {
        lock(&self.chance).below(bound)
    }

    /// A number from the first to the second, both included.
    pub(super) fn between(&self, least: u64, most: u64) -> u64 {
        lock(&self.chance).between(least, most)
    }

    /// Whether something happens that happens once in so many times.
    pub(super) fn once_in(&self, times: u64) -> bool {
        lock(&self.chance).once_in(times)
    }

    /// One of these; nothing when there are none.
    pub(super) fn pick<'a, T>(&self, among: &'a [T]) -> Option<&'a T> {
        lock(&self.chance).pick(among)
    }

    /// Bytes that somebody else takes for secrets.
    pub(super) fn fill(&self, bytes: &mut [u8]) {
        let mut chance = lock(&self.chance);
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&chance.number().to_le_bytes()[..part.len()]);
        }
    }

    pub(super) fn with_disk<T>(&self, act: impl FnOnce(&mut Disk) -> T) -> T {
        act(&mut lock(&self.disk))
    }

    pub(super) fn with_archived<T>(&self, act: impl FnOnce(&mut Archived) -> T) -> T {
        act(&mut lock(&self.archived))
    }

    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        lock(&self.now)
    }

    pub(super) fn is_calm(&self) -> bool {
        self.now().is_calm
    }

    pub(super) fn calm_down(&self) {
        let mut now = self.now();
        now.is_calm = true;
        // What ends at a time of day is over.
        now.clock_is_ahead_ms = now.clock_was_ahead_ms;
    }

    /// Notes down that something happened, and when.
    pub(super) fn trace(&self, words: &[u64], bytes: &[u8]) {
        let now = self.millis();
        let trace = &mut lock(&self.noted).trace;
        trace.write_u64(now);
        words.iter().for_each(|word| trace.write_u64(*word));
        trace.write(bytes);
    }

    pub(super) fn tally(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut lock(&self.noted).tally);
    }

    pub(super) fn broken(&self, broken: Broken) {
        lock(&self.noted).broken.push(broken);
    }

    pub(super) fn is_broken(&self) -> bool {
        !lock(&self.noted).broken.is_empty()
    }

    /// A fingerprint of everything so far, what it was like, and what is broken.
    pub(super) fn outcome(&self) -> (u64, Tally, Vec<Broken>) {
        let mut noted = lock(&self.noted);
        noted.tally.millis = self.millis();
        (noted.trace.finish(), noted.tally, noted.broken.clone())
    }

    /// Whether nobody waits for anything; then also up to where everything is to have been shown.
    pub(super) fn rest(&self) -> Option<Seq> {
        let now = self.now();
        let all_wait_for_nothing = (0..DEVICES.len()).all(|number| {
            let device = &now.devices[number];
            device.is_quiet || now.is_locked_out(number)
        });
        let log_is_quiet = now.server.as_ref().is_some_and(|server| server.log.is_quiet());
        drop(now);
        (all_wait_for_nothing && log_is_quiet)
            .then(|| self.with_disk(|disk| disk.synced().last().map_or(Seq::ZERO, |last| last.seq)))
    }

    /// Which devices have not shown everything.
    pub(super) fn restless(&self) -> Vec<usize> {
        let now = self.now();
        let is_restless =
            |number: &usize| !now.devices[*number].has_rested && !now.is_locked_out(*number);
        (0..DEVICES.len()).filter(is_restless).collect()
    }
}

impl Now {
    /// A copy of the log is taken.
    pub(super) fn back_up(&mut self) {
        self.devices_then = self.devices;
    }

    /// The copy is put back, up to this event, after this run of the server.
    pub(super) fn put_back(&mut self, to: Seq, run: u64) {
        for device in &mut self.devices {
            let least = device.put_back.map_or(to, |(before, _)| before.min(to));
            device.put_back = Some((least, run));
        }
        for (device, then) in self.devices.iter_mut().zip(self.devices_then) {
            device.is_registered = then.is_registered;
            device.has_later_token |= device.tokens_asked > then.tokens_answered;
        }
    }

    /// Whether its owner is not registered, and another of their devices has the name: by right as
    /// the first one, or since a copy of the log was put back.
    pub(super) fn is_locked_out(&self, number: usize) -> bool {
        let is_second = DEVICES[..number].contains(&DEVICES[number]);
        let is_twin = |other: &usize| *other != number && DEVICES[*other] == DEVICES[number];
        let is_taken = !self.devices[number].is_quiet
            && (0..DEVICES.len()).filter(is_twin).any(|twin| self.devices[twin].is_quiet);
        !self.devices[DEVICES[number]].is_registered && (is_second || is_taken)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
