//! Simulated runs: the promises hold for every seed, and a bug that is put in is found by some,
//! every time in the same way.

use integration_tests::sim::{Broken, Fault, Outcome, run};

/// How many seeds are played here; `--bin sim` plays as many as one likes.
const SEEDS: u64 = 40;

/// Within how many seeds a planted bug must be found.
const SEEDS_TO_FIND_MAX: u64 = 60;

/// The bugs that are put in, each with the first seed that finds it. What changes what a seed plays
/// changes these numbers, and nothing is wrong with that.
const FOUND_BY: [(Fault, u64); Fault::ALL.len()] = [
    (Fault::ReplyBeforeCommit, 2),
    (Fault::KeptTwice, 0),
    (Fault::ReplayGap, 0),
    (Fault::ReplayDropped, 0),
    (Fault::ReplayWithoutOwn, 0),
    (Fault::ReplayOutside, 0),
];

#[test]
fn no_seed_breaks_a_promise() {
    let mut crashes = 0;
    for seed in 0..SEEDS {
        let Outcome { broken, tally, .. } = run(seed, None);
        assert_eq!(broken, [], "seed {seed}");
        crashes += tally.crashes;
        assert!(tally.posts > 30 && tally.acknowledged > tally.posts / 2, "seed {seed}: {tally:?}");
    }
    assert!(crashes > SEEDS / 2, "it was a test: {crashes}");
}

/// Whether clients have lived through something that must not be.
fn breaks_a_promise(outcome: &Outcome) -> bool {
    outcome.broken.iter().any(|broken| matches!(broken, Broken::Promise(_)))
}

/// The first seed that finds a bug.
fn found(fault: Fault) -> u64 {
    (0..SEEDS_TO_FIND_MAX)
        .find(|seed| breaks_a_promise(&run(*seed, Some(fault))))
        .unwrap_or_else(|| panic!("{fault:?} was not found"))
}

#[test]
fn every_planted_bug_is_found_by_its_seed_every_time() {
    let now_found_by = Fault::ALL.map(|fault| (fault, found(fault)));
    assert_eq!(now_found_by, FOUND_BY, "these seeds find them now");
    for (fault, seed) in FOUND_BY {
        let (first, again) = (run(seed, Some(fault)), run(seed, Some(fault)));
        assert!(first == again, "{fault:?}: seed {seed} is not the same again");
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
