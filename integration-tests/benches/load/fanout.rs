//! Fan-out: one member of a group speaks, all others hear it.

use crate::Plan;
use crate::room::{Cost, Room};
use crate::table::{at_most, head, median, number, ratio, row};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// How many messages go out in one write, before the next ones wait until everybody has heard them.
const UNDER_WAY: [u64; 3] = [1, 32, 256];

pub(crate) fn run(plan: &Plan) {
    head(
        "Fan-out",
        "A member of a group says messages of 100 bytes, everybody else in it hears each of them. \
         So many of them go \
         out in one write, and the next as many when everybody has heard all and the speaker has \
         all answers. CPU is \
         the server's user and system time for one delivery; beside it how many deliveries a \
         second that were.",
        &[
            "readers, under way",
            "chatroom",
            "reference",
            "ratio",
            "Redis",
            "to the reference",
            "chatroom",
            "reference",
            "Redis",
        ],
    );
    for readers in SIZES.into_iter().filter(|&readers| readers <= plan.readers_max) {
        // Of each width and each target the costs, one a repetition.
        let mut costs = UNDER_WAY.map(|_| [const { Vec::new() }; 3]);
        for repetition in 1..=plan.repetitions {
            for (which, kind) in plan.kinds().iter().enumerate() {
                eprintln!("fan-out to {readers}: {kind:?}, {repetition} of {}", plan.repetitions);
                let target = kind.start();
                let mut room = Room::fill(&*target, readers);
                for (costs, under_way) in costs.iter_mut().zip(UNDER_WAY) {
                    costs[which].push(room.measure(under_way, plan.cpu));
                }
                room.end();
            }
        }
        for (costs, under_way) in costs.iter().zip(UNDER_WAY) {
            show(readers, under_way, costs);
        }
    }
}

fn show(readers: usize, under_way: u64, costs: &[Vec<Cost>; 3]) {
    let most = match (under_way, readers) {
        (1, ..=1_000) => Some(1.15),
        (32, 100 | 1_000) => Some(1.4),
        (256, 100) => Some(2.5),
        _ => None,
    };
    let cpu = costs.each_ref().map(|costs| costs.iter().map(|cost| cost.cpu).collect::<Vec<f64>>());
    let [ours, beside, redis] = &cpu;
    let [our_micros, micros, redis_micros] =
        cpu.each_ref().map(|cpu| number(median(cpu), 3, " µs"));
    let rates =
        costs.each_ref().map(|costs| costs.iter().map(|cost| cost.rate).collect::<Vec<f64>>());
    let [our_rate, rate, redis_rate] = rates.map(|rates| number(median(&rates), 0, "/s"));
    row(&[
        format!("{readers}, {under_way}"),
        our_micros,
        micros,
        at_most(ratio(ours, beside), most, "x"),
        redis_micros,
        number(ratio(redis, beside), 2, "x"),
        our_rate,
        rate,
        redis_rate,
    ]);
}
