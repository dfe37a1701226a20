//! Simulated runs: the promises hold for every seed, and a bug that is put in is found by some,
//! every time in the same way.

use std::ops::Range;

use integration_tests::sim::{Broken, Fault, Outcome, Tally, run};

/// How many seeds are played here; `--bin sim` plays as many as one likes.
const SEEDS: u64 = 60;

/// By which seeds a planted bug must be found. The rarest, a reply before its commit, is found by
/// one seed in a hundred.
const SEEDS_TO_FIND: Range<u64> = 0..400;

#[test]
fn no_seed_breaks_a_promise() {
    let mut all = Tally::default();
    for seed in 0..SEEDS {
        let Outcome { broken, tally, .. } = run(seed, None);
        assert_eq!(broken, [], "seed {seed}");
        assert!(tally.posts > 30 && tally.acknowledged > tally.posts / 2, "seed {seed}: {tally:?}");
        all.add(&tally);
    }
    assert!(all.crashes > SEEDS / 2, "it was a test: {all:?}");
    let has_happened = [
        all.restores,
        all.clock_jumps,
        all.cuts,
        all.stalls,
        all.kills,
        all.logins,
        all.expelled,
        all.disconnected,
        all.too_slow,
        all.replayed,
        all.deleted,
        all.told_deleted,
    ];
    assert!(has_happened.iter().all(|count| *count > 0), "everything happened: {all:?}");
}

/// The first thing that clients have lived through and that must not be.
fn broken_promise(outcome: &Outcome) -> Option<&Broken> {
    let is_promise = |it: &&Broken| {
        matches!(
            it,
            Broken::Promise(_) | Broken::AnswerOutOfTurn { .. } | Broken::ToldOutOfOrder { .. }
        )
    };
    outcome.broken.iter().find(is_promise)
}

#[test]
fn every_planted_bug_is_found_and_found_again_by_the_same_seed() {
    for fault in Fault::ALL {
        let found = SEEDS_TO_FIND
            .map(|seed| (seed, run(seed, Some(fault))))
            .find(|(_, outcome)| broken_promise(outcome).is_some());
        let (seed, first) = found.unwrap_or_else(|| panic!("{fault:?} was not found"));
        let broken = broken_promise(&first).map(ToString::to_string).unwrap_or_default();
        println!("{fault:?} is found by seed {seed}: {broken}");
        assert!(first == run(seed, Some(fault)), "{fault:?}: seed {seed} is not the same again");
    }
}

#[test]
fn a_seed_is_the_same_run_byte_for_byte_and_another_seed_is_another_run() {
    // On another thread, where nothing is left of the first run.
    let again = std::thread::spawn(|| run(1, None)).join().expect("no panic");
    let first = run(1, None);
    assert_eq!(first.trace, again.trace, "all that went over a line, and when");
    assert_eq!(first, again);
    assert_ne!(first.trace, run(2, None).trace);
}
