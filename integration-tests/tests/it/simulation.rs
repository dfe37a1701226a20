//! Simulated runs: the promises hold for every seed, and a bug that is put in is found by some,
//! every time in the same way.

use integration_tests::sim::{Broken, Fault, Outcome, run};

/// How many seeds are played here; `--bin sim` plays as many as one likes.
const SEEDS: u64 = 40;

/// The bugs that are put in, each with a seed that finds it.
const FOUND_BY: [(Fault, u64); Fault::ALL.len()] = [
    (Fault::ReplyBeforeCommit, 0),
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
        assert!(tally.posts > 50 && tally.acknowledged > tally.posts / 2, "seed {seed}: {tally:?}");
    }
    assert!(crashes > SEEDS, "it was a test: {crashes}");
}

#[test]
fn every_planted_bug_is_found_and_its_seed_finds_it_again() {
    for (fault, seed) in FOUND_BY {
        let first = run(seed, Some(fault));
        let promises = first.broken.iter().filter(|broken| matches!(broken, Broken::Promise(_)));
        assert!(promises.count() > 0, "seed {seed} does not find {fault:?}: {:?}", first.broken);
        assert!(run(seed, Some(fault)) == first, "{fault:?}: seed {seed} is not the same again");
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
