//! Simulated runs: the promises hold for every seed, and a bug that is put in is found by some,
//! every time in the same way.

use integration_tests::sim::{Fault, Outcome, run};

/// How many seeds are played here; `--bin sim` plays as many as one likes.
const SEEDS: u64 = 150;

/// Within how many seeds a planted bug must be found.
const SEEDS_TO_FIND_MAX: u64 = 40;

#[test]
fn no_seed_breaks_a_promise() {
    let mut crashes = 0;
    for seed in 0..SEEDS {
        let Outcome { broken, tally, .. } = run(seed, None);
        assert_eq!(broken, [], "seed {seed}");
        crashes += tally.crashes;
        assert!(
            tally.posts > 100 && tally.acknowledged > tally.posts / 2,
            "seed {seed}: {tally:?}"
        );
    }
    assert!(crashes > SEEDS, "it was a test: {crashes}");
}

/// The first seed that finds a bug.
fn found(fault: Fault) -> (u64, Outcome) {
    (0..SEEDS_TO_FIND_MAX)
        .map(|seed| (seed, run(seed, Some(fault))))
        .find(|(_, outcome)| !outcome.broken.is_empty())
        .unwrap_or_else(|| panic!("{fault:?} was not found"))
}

#[test]
fn every_planted_bug_is_found_and_its_seed_finds_it_again() {
    for fault in Fault::ALL {
        let (seed, first) = found(fault);
        assert!(run(seed, Some(fault)) == first, "{fault:?}: seed {seed} is not the same again");
    }
}

#[test]
fn another_seed_is_another_run() {
    assert_ne!(run(1, None).trace, run(2, None).trace);
    assert_eq!(run(1, None), run(1, None));
}
