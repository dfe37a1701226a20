//! A storm: a thousand people join one group at once, and everybody is told of everybody who comes
//! later.

use tokio::time::Instant;

use crate::Plan;
use crate::crowd::{Crowd, frames};
use crate::process::cpu;
use crate::table::{at_most, head, median, ratio, row};
use crate::target::{Heard, Kind, MAIN_ROOM, Target};

const MEMBERS: usize = 1_000;
const SECONDS_MAX: f64 = 0.10;

#[derive(Debug, Default)]
struct Cost {
    /// Until the last byte was heard.
    seconds: Vec<f64>,
    /// The server's.
    cpu: Vec<f64>,
}

pub(crate) fn run(plan: &Plan) {
    head(
        "A storm of joins",
        &format!(
            "{MEMBERS} connections ask to join one group at the same time. It ends when everybody \
             is answered and has heard \
             of everybody who joined later: {} notifications in all.",
            MEMBERS * (MEMBERS - 1) / 2
        ),
        &["", "time", "server CPU"],
    );
    let mut costs = [Cost::default(), Cost::default()];
    for repetition in 1..=plan.repetitions {
        for (kind, cost) in [Kind::Chatroom, Kind::Reference].into_iter().zip(&mut costs) {
            eprintln!("storm: {kind:?}, {repetition} of {}", plan.repetitions);
            measure(&*kind.start(), cost);
        }
    }
    let [ours, beside] = costs;
    let ratios = [ratio(&ours.seconds, &beside.seconds), ratio(&ours.cpu, &beside.cpu)];
    let seconds = at_most(median(&ours.seconds), Some(SECONDS_MAX), " s");
    row(&["chatroom", &seconds, &format!("{:.2} s", median(&ours.cpu))]);
    row(&[
        "reference",
        &format!("{:.3} s", median(&beside.seconds)),
        &format!("{:.2} s", median(&beside.cpu)),
    ]);
    row(&["ratio", &format!("{:.2}x", ratios[0]), &format!("{:.2}x", ratios[1])]);
}

fn measure(target: &dyn Target, cost: &mut Cost) {
    let mut crowd = Crowd::new();
    crowd.arrive(target, MEMBERS);
    crowd.ask_all(target, 0..1, |_, _| target.create(MAIN_ROOM));
    let asks: Vec<_> =
        (0..MEMBERS).map(|member| target.join_aloud(MAIN_ROOM, member).bytes).collect();

    let (mut heard, mut missing) =
        (vec![Vec::new(); MEMBERS], MEMBERS + MEMBERS * (MEMBERS - 1) / 2);
    let (before, began) = (cpu(target.process()), Instant::now());
    asks.iter().enumerate().for_each(|(member, ask)| crowd.say(member, ask));
    while missing > 0 {
        let came = crowd.listen_to_frames(target, |_, member, frame| {
            assert!(missing > 0, "member {member} heard something that nobody did");
            missing -= 1;
            heard[member].extend_from_slice(frame);
        });
        assert!(came || missing == 0, "{missing} answers or notifications are lost");
    }
    cost.seconds.push(began.elapsed().as_secs_f64());
    cost.cpu.push((cpu(target.process()) - before).as_secs_f64());
    crowd.ping_all(target);
    check(&heard.iter().map(|bytes| joins(target, bytes)).collect::<Vec<_>>());
}

/// Whom a member heard join, after the answer to its own request.
fn joins(target: &dyn Target, bytes: &[u8]) -> Vec<usize> {
    let mut all = Vec::new();
    frames(target, &mut Vec::new(), bytes, |frame| all.push(target.hear(frame)));
    assert_eq!(all.first(), Some(&Heard::Answer), "a member is answered before it hears of others");
    let joined = |heard: &Heard| match heard {
        Heard::Joined(who) => *who,
        other => panic!("{other:?} is no joining"),
    };
    all[1..].iter().map(joined).collect()
}

/// There is one order, and everybody has heard exactly the rest of it that comes after themselves.
fn check(heard: &[Vec<usize>]) {
    let first =
        (0..heard.len()).max_by_key(|&member| heard[member].len()).expect("somebody was first");
    let order: Vec<usize> = std::iter::once(first).chain(heard[first].iter().copied()).collect();
    assert_eq!(order.len(), heard.len(), "who was first has heard of all others");
    for (place, &member) in order.iter().enumerate() {
        // Not `assert_eq`, which would print a thousand numbers.
        assert!(
            heard[member] == order[place + 1..],
            "member {member} heard of others than who joined after it"
        );
    }
}
