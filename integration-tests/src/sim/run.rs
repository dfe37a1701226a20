//! One seed from beginning to end.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Builder;

use super::device::Device;
use super::device::hearing::as_sent;
use super::people::DEVICES;
use super::world::World;
use super::{Broken, Fault, Outcome, archive, server, trouble};
use crate::history::{Event, History, check};

/// How long things go wrong, in virtual milliseconds.
const TROUBLE_MS: u64 = 10_000;

/// How long everybody has to come to rest after that, in virtual milliseconds.
const REST_MS_MAX: u64 = 300_000;

/// Plays one seed.
///
/// # Panics
/// When there is no room for the clients' journals.
pub fn run(seed: u64, fault: Option<Fault>) -> Outcome {
    let directory = journals();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without threads");
    runtime.block_on(play(seed, fault, directory.path()))
}

/// In memory, where that is known how: nothing is to survive this machine.
fn journals() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    directory.expect("a directory for journals")
}

async fn play(seed: u64, fault: Option<Fault>, directory: &Path) -> Outcome {
    let world = World::new(seed, fault);
    let background = [
        tokio::spawn(archive::follow(Arc::clone(&world))),
        tokio::spawn(server::run(Arc::clone(&world))),
        tokio::spawn(trouble::make(Arc::clone(&world))),
    ];
    let devices: Vec<_> = (0..DEVICES.len())
        .map(|number| tokio::spawn(Device::new(&world, number, directory).live()))
        .collect();
    world.sleep(TROUBLE_MS).await;
    world.calm_down();
    let end = world.millis() + REST_MS_MAX;
    while !world.restless().is_empty() && world.millis() < end && !world.is_broken() {
        world.sleep(100).await;
    }
    if !world.is_broken() {
        match world.restless() {
            restless if restless.is_empty() => server::check(&world).await,
            restless => world.broken(Broken::NoRest(restless)),
        }
    }
    world.over.cancel();
    let mut histories = Vec::new();
    for (number, device) in devices.into_iter().enumerate() {
        let mut history = device.await.expect("no panic");
        // One that was never let in since does not know.
        let put_back = world.now().devices[number].put_back;
        history.events.extend(put_back.map(|(to, _)| Event::PutBack(to)));
        histories.push(history);
    }
    background.iter().for_each(tokio::task::JoinHandle::abort);
    finish(&world, histories)
}

fn finish(world: &World, histories: Vec<History>) -> Outcome {
    // It knows the world, which knows it.
    world.now().server = None;
    world.archive_now();
    let mut records = world.with_archived(|archived| archived.model.records().to_vec());
    for record in &mut records {
        record.post.id = as_sent(record.post.id);
    }
    let violations = check(&histories, Some(&records));
    violations.into_iter().for_each(|violation| world.broken(Broken::Promise(violation)));
    for event in histories.iter().flat_map(|history| &history.events) {
        match event {
            Event::Acknowledged(_, seq) => world.trace(&[7, seq.0], &[]),
            Event::Rested(seq) => world.trace(&[8, seq.0], &[]),
            Event::Showed(shown) => world.trace(&[9, shown.seq.0, shown.prev.0], &shown.id.0),
            _ => world.trace(&[10], &[]),
        }
    }
    let (trace, tally, broken) = world.outcome();
    Outcome { trace, tally, broken, histories }
}
