//! Histories at random: whatever people do and however the turns are cut, everybody hears what the
//! model says.

use chatroom_proto::{
    BanTarget, Code, Moderation, Operation, Proof, Request, Retention, Seq, Topic, UserName,
};

use super::stage::{Stage, password};
use super::{create, group, join, leave, say, tell};
use crate::chat::Limits;
use crate::dice::Dice;

/// Few enough for a debug build.
const HISTORIES: u64 = 200;
const STEPS: u32 = 300;
/// Few names and groups, so that people meet.
const NAMES: [&str; 7] = ["ann", "bob", "eve", "jim", "kim", "lea", "tom"];
const GROUPS: [&str; 3] = ["General", "tea", "go"];
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
/// So many of them come with several devices.
const NAMES_OF_SEVERAL: usize = 3;
/// Mostly the first, and then the other one is wrong.
const PASSWORDS: [&str; 4] = ["tea and milk", "tea and milk", "tea and milk", "milk and tea"];
/// So long is a long message, in bytes: it is shared where a short one is copied, and some of them
/// are a turn's worth.
const LONG: usize = 7_000;

#[test]
fn everybody_hears_everything_as_it_happens_in_any_history() {
    for seed in 1..=HISTORIES {
        let mut dice = Dice(seed);
        let mut stage = Stage::new(&format!("history {seed}"), LIMITS);
        stage.offers(&CODE);
        for number in 0..STEPS {
            step(&mut stage, &mut dice, number);
        }
        stage.turn();
    }
}

/// Somebody does something, or some of what was done is ordered.
fn step(stage: &mut Stage, dice: &mut Dice, number: u32) {
    let open = stage.connections();
    match dice.roll(20) {
        0..=2 => come(stage, dice),
        3 => {
            dice.one_of(&open).into_iter().for_each(|connection| stage.goes(connection));
        }
        4 => stage.finds(dice.roll(stage.checks().max(1))),
        5..=13 => {
            if let Some(connection) = dice.one_of(&open) {
                stage.asks(connection, request(dice, number));
            }
        }
        14 => stage.ticks(),
        15..=18 => stage.order(dice.roll(20)),
        _ => stage.ends_turn(),
    }
}

/// Somebody comes, over a connection of their own, or in the place of another one, or after it has
/// gone; with a device that was here before, or a new one.
fn come(stage: &mut Stage, dice: &mut Dice) {
    let name = NAMES[dice.roll(NAMES.len())];
    match dice.roll(6) {
        0 | 1 => {
            stage.logs_in(NAMES[dice.roll(NAMES_OF_SEVERAL)], PASSWORDS[dice.roll(PASSWORDS.len())])
        }
        2 => match dice.roll(stage.tokens_of(name).len() + 1) {
            0 => stage.comes_with(name, Proof::Open),
            nth => stage.comes_with(name, Proof::Resume(stage.tokens_of(name)[nth - 1].clone())),
        },
        _ => stage.comes(name),
    };
}

fn request(dice: &mut Dice, number: u32) -> Request {
    let to = GROUPS[dice.roll(GROUPS.len())];
    let text = match dice.roll(6) {
        0 => format!("{number} {}", "x".repeat(LONG)),
        _ => number.to_string(),
    };
    let mut any_password = || password(PASSWORDS[dice.roll(PASSWORDS.len())]);
    let (old, new) = (any_password(), any_password());
    match dice.roll(33) {
        29 | 30 => Request::Register { password: new },
        31 => Request::ChangePassword { old, new },
        32 if dice.once_in(4) => Request::Unregister { password: old },
        26 => Request::Claim { code: CODE },
        27 | 28 => Request::Operate { act: operation(dice) },
        20..=25 => Request::Moderate { group: group(to), act: act(dice) },
        0 => Request::Exit,
        1 => create(to),
        2..=4 => join(to),
        5..=7 => leave(to),
        8..=14 => say(to, &text),
        15 | 16 => tell(NAMES[dice.roll(NAMES.len())], &text),
        17 => Request::Ping,
        _ => Request::Users { after: Seq::ZERO },
    }
}

/// Something that keeps order: mostly what takes somebody out, tells one who is not in, or keeps
/// one silent.
fn act(dice: &mut Dice) -> Moderation {
    let user = UserName::parse(NAMES[dice.roll(NAMES.len())]).expect("a name");
    match dice.roll(16) {
        0..=5 => Moderation::Kick { user, reason: None },
        6 => Moderation::Ban { user, seconds: None, reason: None },
        7 => Moderation::Unban { user },
        8 | 9 => Moderation::Mute { user, seconds: None, reason: None },
        10 => Moderation::Unmute { user },
        11 => Moderation::Topic { topic: Topic::parse("what it is about").ok() },
        12 => Moderation::Lock,
        13 => Moderation::Unlock,
        14 => Moderation::Invite { user },
        _ => Moderation::Op { user },
    }
}

/// Something that an operator of the server does.
fn operation(dice: &mut Dice) -> Operation {
    let user = UserName::parse(NAMES[dice.roll(NAMES.len())]).expect("a name");
    match dice.roll(8) {
        0..=3 => Operation::Disconnect { user, reason: None },
        4 => Operation::Ban { whom: BanTarget::User(user), seconds: None, reason: None },
        5 | 6 => Operation::Unban { whom: BanTarget::User(user) },
        _ => Operation::Appoint { user },
    }
}
