//! What goes wrong with lines.

use std::sync::Arc;

use super::line::{Cut, Line};
use super::world::World;

/// Makes trouble until nothing goes wrong any more.
pub(super) async fn make(world: Arc<World>) {
    loop {
        world.sleep(world.between(10, 600)).await;
        if world.is_calm() {
            return;
        }
        let open: Vec<Arc<Line>> = world.now().lines.values().cloned().collect();
        let Some(line) = world.pick(&open) else { continue };
        match world.below(8) {
            0..=3 => cut(&world, line),
            4..=6 => stall(&world, line),
            _ => {}
        }
    }
}

fn cut(world: &World, line: &Line) {
    world.tally(|tally| tally.cuts += 1);
    world.trace(&[4, line.number], &[]);
    let (client, server) = if world.once_in(2) { (50, 50) } else { (3_000, 8_000) };
    line.cut(Cut { client_ms: world.below(client), server_ms: world.below(server) });
}

fn stall(world: &World, line: &Line) {
    world.tally(|tally| tally.stalls += 1);
    let until = world.millis() + world.between(10, 7_000);
    world.trace(&[5, line.number, until], &[]);
    let (up, down) = (world.once_in(2), world.once_in(2));
    line.stall(if up { until } else { 0 }, if down || !up { until } else { 0 });
}
