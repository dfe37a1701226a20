//! Many groups: what a delivery in one of them costs, however many others there are.

use crate::Plan;
use crate::crowd::Crowd;
use crate::room::Room;
use crate::table::{head, median, number, ratio, row};
use crate::target::{Ask, Chatroom, Target};

const GROUPS: [u32; 4] = [1, 1_000, 10_000, 100_000];
const READERS: usize = 100;
const UNDER_WAY: [u64; 2] = [1, 32];

/// In how many other groups every reader is, at most.
const OTHERS_MAX: u32 = 50;

/// How many groups one asks for in one go: fewer than a server lets go unanswered.
const ASKED_AT_ONCE: u32 = 200;

pub(crate) fn run(plan: &Plan) {
    head(
        "Many groups",
        &format!(
            "Fan-out as above to {READERS} readers in one group, while there are so many groups \
             in all, {OTHERS_MAX} of which \
             every reader is in as well. CPU is the server's for one delivery, with 1 and with 32 \
             messages under way; beside \
             it what it is to that with one group."
        ),
        &["groups", "1 under way", "to one group", "32 under way", "to one group"],
    );
    let mut costs = GROUPS.map(|_| UNDER_WAY.map(|_| Vec::new()));
    for repetition in 1..=plan.repetitions {
        for (costs, groups) in costs.iter_mut().zip(GROUPS) {
            eprintln!("{groups} groups, {repetition} of {}", plan.repetitions);
            let target = Chatroom::start_with(&["--groups-max", &(groups + 1).to_string()]);
            let mut room = Room::fill_with(&target, crowd(&target, groups));
            for (costs, under_way) in costs.iter_mut().zip(UNDER_WAY) {
                costs.push(room.measure(under_way, plan.cpu).cpu);
            }
            room.end();
        }
    }
    for (of_these, groups) in costs.iter().zip(GROUPS) {
        let cells = of_these.iter().zip(&costs[0]).flat_map(|(these, one)| {
            [number(median(these), 3, " µs"), number(ratio(these, one), 2, "x")]
        });
        row(&[vec![groups.to_string()], cells.collect()].concat());
    }
}

/// Who will be in the room, and is in other groups already. The room is group 0.
fn crowd(target: &dyn Target, groups: u32) -> Crowd {
    let members = READERS + 1;
    let mut crowd = Crowd::new();
    crowd.arrive(target, members);
    let mut others = 1..groups;
    while !others.is_empty() {
        crowd.ask_all(target, 0..members, |_, _| {
            all(others.by_ref().take(ASKED_AT_ONCE as usize).map(|group| target.create(group)))
        });
    }
    let others = OTHERS_MAX.min(groups - 1);
    crowd.ask_all(target, 0..READERS, |_, member| {
        let first = u32::try_from(member).expect("a small number") * OTHERS_MAX;
        all((0..others).map(|other| target.join(1 + (first + other) % (groups - 1))))
    });
    crowd
}

fn all(asks: impl Iterator<Item = Ask>) -> Ask {
    asks.fold(Ask::nothing(), |mut all, ask| {
        all.bytes.extend(ask.bytes);
        all.answers += ask.answers;
        all
    })
}
