//! A room: a group in which one speaks and all others listen.

use std::time::Duration;

use tokio::time::Instant;

use crate::crowd::{Crowd, frames};
use crate::process::cpu;
use crate::script::Script;
use crate::target::{Heard, MAIN_ROOM, Target};

/// How many join before the next ones wait until everybody has heard of them. More at once are
/// cheaper for the server; that many notifications are less than what may always wait for one
/// connection.
const JOINS_AT_ONCE: usize = 1_000;

/// A run has at least so many windows that count.
const WINDOWS_MIN: u64 = 3;

/// A run ends after so long, even if the server did not use as much CPU as it should: after half a
/// minute servers ask silent readers whether they are there, which would be no part of what is
/// said.
const RUN_MAX: Duration = Duration::from_secs(10);

/// How often a run looks at the server's CPU.
const LOOK: Duration = Duration::from_millis(20);

/// What a run costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// The server's CPU for one delivery, in microseconds.
    pub(crate) cpu: f64,
    /// Deliveries a second.
    pub(crate) rate: f64,
}

/// A room with readers and a speaker.
pub(crate) struct Room<'a> {
    target: &'a dyn Target,
    crowd: Crowd,
    script: Script,
    /// The speaker comes behind the readers.
    readers: usize,
    said: u64,
    /// The bytes of the next window.
    next: Vec<u8>,
    /// The beginning of an answer.
    part: Vec<u8>,
}

impl<'a> Room<'a> {
    /// With so many readers.
    pub(crate) fn fill(target: &'a dyn Target, readers: usize) -> Room<'a> {
        let mut crowd = Crowd::new();
        crowd.arrive(target, readers + 1);
        Room::fill_with(target, crowd)
    }

    /// With these: one to speak, the others to listen.
    pub(crate) fn fill_with(target: &'a dyn Target, mut crowd: Crowd) -> Room<'a> {
        let readers = crowd.len() - 1;
        crowd.ask_all(target, 0..1, |_, _| target.create(MAIN_ROOM));
        join(target, &mut crowd, readers + 1);
        let script = Script::new(readers, 0);
        let mut room =
            Room { target, crowd, script, readers, said: 0, next: Vec::new(), part: Vec::new() };
        room.begin();
        room
    }

    /// The speaker says message 0: behind it nobody hears any more who came before.
    fn begin(&mut self) {
        self.prepare(0, 1);
        let (target, speaker) = (self.target, self.readers);
        self.crowd.say(speaker, &self.next);
        let (mut is_ready, mut missing) = (vec![false; self.readers + 1], self.readers + 1);
        while missing > 0 {
            let came = self.crowd.listen_to_frames(target, |_, member, frame| {
                let heard = target.hear(frame);
                if heard == (if member == speaker { Heard::Answer } else { Heard::Post(0) }) {
                    assert!(!is_ready[member], "member {member} heard something twice");
                    is_ready[member] = true;
                    missing -= 1;
                }
            });
            assert!(came || missing == 0, "the first message is lost to {missing} members");
        }
    }

    /// Says so many messages at a time until the server has used this much CPU.
    pub(crate) fn measure(&mut self, under_way: u64, budget: Duration) -> Cost {
        self.prepare(self.said + 1, under_way);
        self.window(under_way);
        self.crowd.ping_all(self.target);
        let (before, began) = (cpu(self.target.process()), Instant::now());
        let (mut windows, mut used, mut looked) = (0, Duration::ZERO, began);
        loop {
            self.window(under_way);
            windows += 1;
            let now = Instant::now();
            if windows >= WINDOWS_MIN && now - looked >= LOOK {
                looked = now;
                used = cpu(self.target.process()) - before;
            }
            if used >= budget || now - began >= RUN_MAX {
                break;
            }
        }
        let (seconds, used) = (began.elapsed().as_secs_f64(), cpu(self.target.process()) - before);
        let deliveries = (windows * under_way) as f64 * self.readers as f64;
        Cost { cpu: used.as_secs_f64() * 1e6 / deliveries, rate: deliveries / seconds }
    }

    fn prepare(&mut self, first: u64, count: u64) {
        self.next.clear();
        (first..first + count)
            .for_each(|number| self.target.post(MAIN_ROOM, number, &mut self.next));
    }

    /// Says the messages that were prepared, waits until all have heard them, and prepares the next
    /// meanwhile.
    fn window(&mut self, count: u64) {
        let (target, speaker, mut answers) = (self.target, self.readers, 0);
        self.crowd.say(speaker, &self.next);
        self.said += count;
        self.prepare(self.said + 1, count);
        while answers < count || !self.script.is_at(self.said) {
            let came = self.crowd.listen(|_, member, bytes| {
                if member != speaker {
                    return self.script.take(target, member, bytes);
                }
                frames(target, &mut self.part, bytes, |frame| {
                    assert_eq!(target.hear(frame), Heard::Answer, "the speaker is only answered");
                    answers += 1;
                });
            });
            assert!(
                came,
                "message {} or an earlier one is lost to {}",
                self.said,
                self.script.who_lacks()
            );
            assert!(answers <= count, "the speaker got more answers than it said messages");
        }
    }

    /// Says one more message, behind which something would show that was one too many.
    pub(crate) fn end(mut self) {
        self.prepare(self.said + 1, 1);
        self.window(1);
    }
}

/// Takes everybody into the room, the speaker last. Whoever is there already hears of everybody who
/// comes after.
fn join(target: &dyn Target, crowd: &mut Crowd, count: usize) {
    for first in (0..count).step_by(JOINS_AT_ONCE) {
        let who = first..(first + JOINS_AT_ONCE).min(count);
        let news =
            if target.tells_of_joins() { who.clone().map(|before| before as u64).sum() } else { 0 };
        let heard = crowd.ask_all_and_hear(target, who, news, |_, member| {
            if member + 1 == count {
                target.join_to_speak(MAIN_ROOM)
            } else {
                target.join(MAIN_ROOM)
            }
        });
        assert_eq!(heard, news, "everybody heard of everybody who came later");
    }
}
