//! Histories at random: whatever people do and however the turns are cut, everybody hears what the
//! model says.

use chatroom_proto::chance::Chance;
use chatroom_proto::{Code, Proof, Request, Retention, UserName};

use super::stage::Stage;
use crate::chat::Limits;

/// Few enough for a debug build.
const HISTORIES: u64 = 150;
const STEPS: u32 = 300;
/// So few that somebody's grace is often cut short, and somebody forgotten; and all whose
/// connection is lost go at the next tick.
const LIMITS: Limits = Limits {
    groups_max: 9,
    memberships_max: 9,
    grace_ms: 0,
    held_max: 2,
    remembered_max: 3,
    retention: Retention::Nothing,
};
/// What makes somebody an operator of the server.
const CODE: Code = Code([7; 16]);

#[test]
fn everybody_hears_everything_as_it_happens_in_any_history() {
    for seed in 1..=HISTORIES {
        let mut chance = Chance::new(seed);
        let mut stage = Stage::new(&format!("history {seed}"), LIMITS);
        stage.offers(&CODE);
        for _ in 0..STEPS {
            step(&mut stage, &mut chance);
        }
        stage.turn();
    }
}

/// Somebody does something, or some of what was done is ordered.
fn step(stage: &mut Stage, chance: &mut Chance) {
    let open = stage.connections();
    match chance.below(20) {
        0..=2 => come(stage, chance),
        3 => {
            chance.pick(&open).into_iter().for_each(|connection| stage.goes(*connection));
        }
        4 => stage.finds(chance.below(stage.checks().max(1))),
        5..=13 => {
            if let Some(connection) = chance.pick(&open) {
                stage.asks(*connection, request(chance));
            }
        }
        14 => stage.ticks(),
        15..=18 => stage.order(chance.below(20)),
        _ => stage.ends_turn(),
    }
}

/// Somebody comes, over a connection of their own, or in the place of another one, or after it has
/// gone; with a device that was here before, or a new one.
fn come(stage: &mut Stage, chance: &mut Chance) {
    let name: UserName = chance.any();
    let name = name.as_str();
    match chance.below(6) {
        0 | 1 => stage.comes_with(name, Proof::Password(chance.any())),
        2 => match chance.pick(stage.tokens_of(name)).cloned() {
            None => stage.comes_with(name, Proof::Open),
            Some(token) => stage.comes_with(name, Proof::Resume(token)),
        },
        _ => stage.comes(name),
    };
}

fn request(chance: &mut Chance) -> Request {
    match chance.request() {
        Request::Claim { .. } => Request::Claim { code: CODE },
        request => request,
    }
}
