//! The server of a simulation: the real one, on streams in memory, and the machine that it runs on,
//! which goes down and comes up again.

use std::sync::Arc;

use chatroom_proto::Retention;
use chatroom_server::chat::Limits;
use chatroom_server::clock::Clock;
use chatroom_server::config::HashCost;
use chatroom_server::entropy::Entropy;
use chatroom_server::{Config, Monitor, ServeError, Server};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Broken;
use super::archive::{self, Archived};
use super::line::Cut;
use super::log::SimLog;
use super::world::World;

/// A short time, and more room than anybody needs: nobody is forgotten.
pub(super) const LIMITS: Limits = Limits {
    groups_max: 100,
    memberships_max: 10,
    grace_ms: 4_000,
    held_max: 100,
    remembered_max: 100,
    retention: Retention::Everything,
};

/// What may wait for one connection, in bytes: little, so that it is too much now and then.
const OUTBOX_BYTES_MAX: usize = 3 * 1024;

/// What one person may ask for in a second, where that is little; they are told to go slower.
const RATE: u32 = 5;

/// Where the machine's clock is set to, in milliseconds of what it is ahead: an hour and a day, ten
/// years, and right.
const CLOCK_IS_AHEAD_MS: [i64; 6] =
    [3_600_000, -3_600_000, 86_400_000, -86_400_000, 10 * 365 * 86_400_000, 0];

/// How often to look whether nothing is under way any more, a tenth of a second apart.
const AFTERMATH_LOOKS: u32 = 300;

/// A server that runs.
pub(super) struct Running {
    /// The how manieth it is.
    pub(super) run: u64,
    pub(super) log: SimLog,
    pub(super) streams: mpsc::Sender<DuplexStream>,
    pub(super) monitor: Monitor,
}

/// One run of a server.
struct Run {
    number: u64,
    log: SimLog,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

/// Runs one server after the other.
pub(super) async fn run(world: Arc<World>) {
    for number in 1.. {
        let mut run = start(&world, number).await;
        live(&world, &mut run).await;
        crash(&world, &run);
        restore(&world, number);
        world.sleep(world.between(10, if world.once_in(5) { 6_000 } else { 800 })).await;
    }
}

async fn start(world: &Arc<World>, number: u64) -> Run {
    let log = SimLog::begin(world);
    let (clock, entropy) = (Arc::clone(world), Arc::clone(world));
    let config = Config {
        limits: LIMITS,
        rate: if world.once_in(4) { RATE } else { 0 },
        outbox_bytes_max: OUTBOX_BYTES_MAX,
        hash_cost: HashCost::Least,
        clock: Clock::new(move || clock.unix_now()),
        entropy: Entropy::new(move |bytes| entropy.fill(bytes)),
        ..Config::default()
    };
    let (kept, shutdown) = (archive::restore(world), CancellationToken::new());
    let server = Server::open(Arc::new(log.clone()), Some(kept), config, shutdown.clone()).await;
    let server = server.expect("the log can be read");
    let (streams, dialled) = mpsc::channel(1);
    let mut now = world.now();
    now.code = server.operator_code().cloned();
    let monitor = server.monitor();
    now.server = Some(Running { run: number, log: log.clone(), streams, monitor });
    Run { number, log, shutdown, serving: tokio::spawn(server.run_on(dialled)) }
}

/// Ends when the server is to go down, at once or in order; when nothing goes wrong any more,
/// never.
async fn live(world: &World, run: &mut Run) {
    let end = async {
        set_clock(world);
        world.sleep(world.between(300, 3_500)).await;
        if world.is_calm() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        ended = &mut run.serving => {
            return report(world, run, ended.map_err(|error| error.to_string()));
        }
        () = end => {}
    }
    if world.once_in(4) {
        run.shutdown.cancel();
        world.sleep(world.between(1, 800)).await;
    }
}

/// Sets the machine's clock now and then. Only people go by it.
fn set_clock(world: &World) {
    if world.is_calm() || !world.once_in(3) {
        return;
    }
    let to = usize::try_from(world.below(CLOCK_IS_AHEAD_MS.len() as u64)).unwrap_or(0);
    let mut now = world.now();
    now.clock_is_ahead_ms = CLOCK_IS_AHEAD_MS[to];
    now.clock_was_ahead_ms = now.clock_was_ahead_ms.max(now.clock_is_ahead_ms);
    drop(now);
    world.tally(|tally| tally.clock_jumps += 1);
    world.trace(&[12, to as u64], &[]);
}

/// A server ends by itself when its disk has failed, and then only.
fn report(world: &World, run: &Run, ended: Result<Result<(), ServeError>, String>) {
    match ended {
        Ok(Err(ServeError::Log(_))) if run.log.has_failed() => {}
        Ok(Ok(())) => world.broken(Broken::ServerEnded("without a reason".to_owned())),
        Ok(Err(error)) => world.broken(Broken::ServerEnded(error.to_string())),
        Err(error) => world.broken(Broken::ServerEnded(error)),
    }
}

/// The machine goes down. What is left of the server's tasks is cut off from the log and from every
/// line, so whatever they still do, nobody hears of it.
fn crash(world: &World, run: &Run) {
    world.tally(|tally| tally.crashes += 1);
    world.trace(&[3, run.number], &[]);
    run.log.crash();
    run.shutdown.cancel();
    let mut now = world.now();
    now.server = None;
    for line in now.lines.values().filter(|line| line.run == run.number) {
        // Clients find out at once, as the kernel tells them, or when they have waited for too
        // long.
        let most = if world.once_in(4) { 3_000 } else { 30 };
        line.cut(Cut { client_ms: world.below(most), server_ms: 0 });
    }
}

/// Whoever runs the server takes a copy of its log now and then, and puts one back. The archive is
/// made again: it is of another life.
fn restore(world: &World, run: u64) {
    if world.is_calm() || !world.once_in(6) {
        return;
    }
    if let Some(to) = world.with_disk(super::log::Disk::restore) {
        world.tally(|tally| tally.restores += 1);
        world.trace(&[11], &[]);
        world.with_archived(|archived| *archived = Archived::new());
        world.archive_now();
        world.now().put_back(to, run);
    } else {
        world.with_disk(super::log::Disk::back_up);
        world.now().back_up();
    }
}

/// At rest nothing is under way, and the state is what the log comes to.
pub(super) async fn check(world: &World) {
    let Some((monitor, log)) =
        world.now().server.as_ref().map(|server| (server.monitor.clone(), server.log.clone()))
    else {
        return world.broken(Broken::ServerEnded("at rest".to_owned()));
    };
    let mut left = 0;
    for _ in 0..AFTERMATH_LOOKS {
        world.archive_now();
        let Some((state, load)) = monitor.state().await else { continue };
        if load == 0 && log.is_quiet() {
            if world.with_archived(|archived| *archived.model.state() != state) {
                world.broken(Broken::StatesDiffer);
            }
            return;
        }
        left = load;
        world.sleep(100).await;
    }
    world.broken(Broken::LoadLeft(left));
}
