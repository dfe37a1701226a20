//! Many who only are there: what one costs in memory, and how fast they come.

use tokio::time::Instant;

use crate::Plan;
use crate::crowd::Crowd;
use crate::process::{listen_drops, rss};
use crate::table::{at_most, head, median, row};
use crate::target::{Kind, Target};

/// How often, at most: every one takes seconds, and memory does not change with the weather.
const REPETITIONS_MAX: usize = 3;

/// How they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coming {
    /// Some hundreds at a time.
    InTurn,
    /// They all log in at once, and are let in some hundreds at a time.
    AtOnce,
    /// Some hundreds at a time, and everybody hears of those who come later.
    ToStay,
}

/// One row: how many, how they come, and what should be so.
struct Row {
    count: usize,
    coming: Coming,
    kib: Option<f64>,
    seconds: Option<f64>,
}

const ROWS: [Row; 5] = [
    Row { count: 5_000, coming: Coming::InTurn, kib: Some(1.5), seconds: None },
    Row { count: 10_000, coming: Coming::InTurn, kib: Some(1.5), seconds: None },
    Row { count: 19_000, coming: Coming::InTurn, kib: Some(1.5), seconds: None },
    Row { count: 15_000, coming: Coming::AtOnce, kib: None, seconds: Some(5.0) },
    Row { count: 5_000, coming: Coming::ToStay, kib: None, seconds: None },
];

/// What so many cost.
#[derive(Debug, Default)]
struct Cost {
    /// Memory of each.
    kib: Vec<f64>,
    /// Until everybody was let in.
    seconds: Vec<f64>,
    /// Connections that the system turned away meanwhile.
    drops: u64,
}

pub(crate) fn run(plan: &Plan) {
    head(
        "Idle connections",
        "So many come and are let in, then each asks once whether the server is there. Memory is \
         how much more is \
         resident in the server then than before the first came, for each of them. They leave \
         General as they come; in \
         the last row they stay, and everybody is told of all who come later.",
        &[
            "connections",
            "chatroom memory",
            "reference memory",
            "chatroom time",
            "reference time",
            "chatroom SYNs dropped",
            "reference SYNs dropped",
        ],
    );
    for wanted in &ROWS {
        if wanted.count > plan.connections_max {
            eprintln!(
                "{} connections are more than the limit on file descriptors allows",
                wanted.count
            );
            continue;
        }
        let mut costs = [Cost::default(), Cost::default()];
        for repetition in 1..=plan.repetitions.min(REPETITIONS_MAX) {
            for (kind, cost) in [Kind::Chatroom, Kind::Reference].into_iter().zip(&mut costs) {
                eprintln!("{} idle, {:?}: {kind:?}, {repetition}", wanted.count, wanted.coming);
                measure(&*kind.start(), wanted, cost);
            }
        }
        show(wanted, &costs);
    }
}

fn show(wanted: &Row, [ours, beside]: &[Cost; 2]) {
    let how = match wanted.coming {
        Coming::InTurn => "",
        Coming::AtOnce => ", all at once",
        Coming::ToStay => ", who stay in General",
    };
    let dropped = match (wanted.coming, ours.drops) {
        (Coming::AtOnce, 0) => "0 (0)".to_owned(),
        (Coming::AtOnce, drops) => format!("**{drops}** (missed: 0)"),
        (_, drops) => drops.to_string(),
    };
    row(&[
        format!("{}{how}", wanted.count),
        at_most(median(&ours.kib), wanted.kib, " KiB"),
        at_most(median(&beside.kib), None, " KiB"),
        at_most(median(&ours.seconds), wanted.seconds, " s"),
        at_most(median(&beside.seconds), None, " s"),
        dropped,
        beside.drops.to_string(),
    ]);
}

fn measure(target: &dyn Target, wanted: &Row, cost: &mut Cost) {
    let (before, drops_before, began) = (rss(target.process()), listen_drops(), Instant::now());
    let mut crowd = come(target, wanted);
    cost.seconds.push(began.elapsed().as_secs_f64());
    cost.drops += listen_drops() - drops_before;
    crowd.ping_all(target);
    cost.kib.push((rss(target.process()) - before) / wanted.count as f64);
}

fn come(target: &dyn Target, wanted: &Row) -> Crowd {
    let mut crowd = Crowd::new();
    match wanted.coming {
        Coming::InTurn => {}
        Coming::AtOnce => (0..wanted.count).for_each(|_| crowd.connect(target)),
        Coming::ToStay => {
            let news = (0..wanted.count as u64).sum();
            let heard = crowd.ask_all_and_hear(target, 0..wanted.count, news, |crowd, member| {
                crowd.connect(target);
                target.arrive_to_stay(member)
            });
            assert_eq!(heard, news, "everybody heard of everybody who came later");
            return crowd;
        }
    }
    crowd.arrive(target, wanted.count);
    crowd
}
