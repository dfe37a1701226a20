//! Private messages: how long it takes until an answer is there.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use crate::Plan;
use crate::crowd::{Crowd, frames};
use crate::table::{at_most, head, median, number, ratio, row};
use crate::target::{Heard, Target};

/// How many pairs, how many round trips of each, and what the middle one may be beside the
/// reference.
const ROWS: [(usize, u64, Option<f64>); 2] = [(1, 20_000, Some(1.15)), (50, 1_000, None)];

/// A repetition is so many blocks of round trips, each in turn with those of the others: what the
/// machine does to one it does to all. The first is not counted.
const BLOCKS: u64 = 20;

const SHARES: [f64; 3] = [0.5, 0.99, 0.999];

pub(crate) fn run(plan: &Plan) {
    head(
        "Private messages",
        "One of a pair says a message of 100 bytes to the other alone, who answers with another \
         when it hears it. The time is \
         from one's writing to one's hearing the answer, with so many pairs at the same time.",
        &[
            "pairs",
            "chatroom p50",
            "p99",
            "p99.9",
            "reference p50",
            "p99",
            "p99.9",
            "ratio of p50",
            "Redis p50",
            "p99",
            "p99.9",
            "to the reference",
        ],
    );
    for (pairs, rounds, most) in ROWS {
        let rounds = rounds / plan.one_in / BLOCKS;
        // Of each target, for each share, one a block.
        let mut times = [const { [const { Vec::new() }; SHARES.len()] }; 3];
        for repetition in 1..=plan.repetitions {
            eprintln!("{pairs} pairs, {repetition} of {}", plan.repetitions);
            let targets: Vec<_> = plan.kinds().iter().map(|kind| kind.start()).collect();
            let mut tables: Vec<Table> =
                targets.iter().map(|target| Table::set(&**target, pairs)).collect();
            for block in 0..BLOCKS {
                for (table, times) in tables.iter_mut().zip(&mut times) {
                    let measured = table.talk(block * rounds + 1..=(block + 1) * rounds);
                    if block == 0 {
                        continue;
                    }
                    for (times, share) in times.iter_mut().zip(SHARES) {
                        times
                            .push(micros(measured[((measured.len() - 1) as f64 * share) as usize]));
                    }
                }
            }
        }
        let [ours, beside, redis] = &times;
        let shown =
            |times: &[Vec<f64>; 3]| times.each_ref().map(|times| number(median(times), 1, " µs"));
        row(&[
            vec![pairs.to_string()],
            shown(ours).to_vec(),
            shown(beside).to_vec(),
            vec![at_most(ratio(&ours[0], &beside[0]), most, "x")],
            shown(redis).to_vec(),
            vec![number(ratio(&redis[0], &beside[0]), 2, "x")],
        ]
        .concat());
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Pairs that talk with each other.
struct Table<'a> {
    target: &'a dyn Target,
    crowd: Crowd,
    members: usize,
}

impl<'a> Table<'a> {
    fn set(target: &'a dyn Target, pairs: usize) -> Table<'a> {
        let (mut crowd, members) = (Crowd::new(), pairs * 2);
        crowd.arrive(target, members);
        crowd.ask_all(target, 0..members, |_, member| target.pair(member));
        Table { target, crowd, members }
    }

    /// The times of round trips, the shortest first. Every message has a number.
    fn talk(&mut self, numbers: RangeInclusive<u64>) -> Vec<Duration> {
        let Table { target, crowd, members } = self;
        let (target, members, rounds) = (*target, *members, numbers.end() + 1 - numbers.start());
        let said: Vec<Vec<Vec<u8>>> =
            (0..members).map(|member| all_messages(target, member, numbers.clone())).collect();
        let mut times = Vec::new();
        // Of each member: what it has said and heard, and when it said the last.
        let (mut spoken, mut heard) = (vec![0; members], vec![Vec::new(); members]);
        let (mut when, mut missing) =
            (vec![Instant::now(); members], members * 2 * rounds as usize);
        for starter in (0..members).step_by(2) {
            (when[starter], spoken[starter]) = (Instant::now(), 1);
            crowd.say(starter, &said[starter][0]);
        }
        while missing > 0 {
            let came = crowd.listen_to_frames(target, |crowd, member, frame| {
                assert!(missing > 0, "member {member} heard something that nobody said");
                missing -= 1;
                if !target.is_answer(frame) {
                    if member % 2 == 0 {
                        times.push(when[member].elapsed());
                    }
                    if let Some(next) = said[member].get(spoken[member]) {
                        (when[member], spoken[member]) = (Instant::now(), spoken[member] + 1);
                        crowd.say(member, next);
                    }
                }
                heard[member].extend_from_slice(frame);
            });
            assert!(came || missing == 0, "{missing} messages or answers are lost");
        }
        crowd.ping_all(target);
        heard.iter().for_each(|bytes| check(target, bytes, numbers.clone()));
        times.sort_unstable();
        times
    }
}

fn all_messages(target: &dyn Target, member: usize, numbers: RangeInclusive<u64>) -> Vec<Vec<u8>> {
    let message = |number| {
        let mut bytes = Vec::new();
        target.whisper(member, number, &mut bytes);
        bytes
    };
    numbers.map(message).collect()
}

/// A member has heard every message of the other one once and in order, and one answer to each of
/// its own.
fn check(target: &dyn Target, bytes: &[u8], numbers: RangeInclusive<u64>) {
    let (before, rounds) = (numbers.start() - 1, numbers.end() + 1 - numbers.start());
    let (mut messages, mut answers) = (0, 0);
    frames(target, &mut Vec::new(), bytes, |frame| match target.hear(frame) {
        Heard::Answer => answers += 1,
        other => {
            messages += 1;
            assert_eq!(other, Heard::Post(before + messages), "messages come once and in order");
        }
    });
    assert_eq!((messages, answers), (rounds, rounds), "everything was heard, and answered");
}
