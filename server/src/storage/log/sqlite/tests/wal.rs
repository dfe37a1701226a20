//! What becomes of write-ahead logs that are damaged anywhere.

use std::fs;
use std::ops::Range;

use chatroom_proto::chance::Chance;

use super::*;

const HEADER: usize = 32;
const FRAME: usize = 24 + 4096;

/// Cases of each kind of damage on each log; the random numbers are the same every time.
const CASES: usize = 150;

/// The files of a server that was killed, and what they hold.
struct Killed {
    main: Vec<u8>,
    wal: Vec<u8>,
    /// The frames of this write-ahead log; what is behind them is left of an older one.
    frames: usize,
    entries: usize,
}

impl Killed {
    /// A log with so many rows of all sizes; with a checkpoint after some of them, and the file
    /// begun anew.
    fn with(rows: u64, checkpoint_after: Option<u64>) -> Killed {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.sqlite");
        let mut file = LogFile::open(&path, Durability::Full).unwrap();
        for number in 1..=rows {
            let sizes = [10, 300, 7_000, 1, 3_900, 60];
            let proposal =
                proposal_of(1, number, sizes[usize::try_from(number).unwrap() % sizes.len()]);
            file.append(&[Entry { seq: Seq(number), proposal }]).unwrap();
            if checkpoint_after == Some(number) {
                tamper(&directory, "PRAGMA wal_checkpoint(RESTART)");
            }
        }
        let main = fs::read(&path).unwrap();
        let wal = fs::read(directory.path().join("log.sqlite-wal")).unwrap();
        let salts = &wal[16..24];
        let is_ours = |frame: &&[u8]| frame[8..16] == *salts;
        let frames = wal[HEADER..].chunks_exact(FRAME).take_while(is_ours).count();
        Killed { main, wal, frames, entries: usize::try_from(rows).unwrap() }
    }

    /// How many entries there are when the write-ahead log is this; they must be the first ones.
    fn open_with(&self, wal: &[u8]) -> Result<usize, LogError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.sqlite");
        fs::write(&path, &self.main).unwrap();
        fs::write(directory.path().join("log.sqlite-wal"), wal).unwrap();
        let head = LogFile::open(&path, Durability::Full)?.head()?;
        let (mut reader, mut last) = (LogReader::open_file(&path)?, Seq::ZERO);
        while last < head {
            last = reader.after(last)?.last().unwrap().seq;
        }
        Ok(usize::try_from(last.0).unwrap())
    }

    fn commits(&self) -> Vec<usize> {
        let is_commit = |frame: &usize| {
            let at = HEADER + frame * FRAME;
            self.wal[at + 4..at + 8] != [0; 4]
        };
        (0..self.frames).filter(is_commit).collect()
    }

    /// Whether something of a later transaction can be told behind damage to these bytes.
    fn must_refuse(&self, damaged: &Range<usize>, is_run: bool) -> bool {
        if damaged.start < HEADER {
            return true;
        }
        let first = (damaged.start - HEADER) / FRAME;
        let header = |frame: &usize| {
            let at = HEADER + frame * FRAME;
            at..at + 24
        };
        // A run that takes the end of a transaction away makes it one with the next: as if it had
        // been interrupted.
        let is_whole = |frame: &usize| {
            !is_run || header(frame).end <= damaged.start || damaged.end <= header(frame).start
        };
        let last = self.frames - 1;
        let behind = damaged.end.saturating_sub(HEADER).div_ceil(FRAME);
        self.commits().iter().any(|commit| {
            let later = behind.max(commit + 1) + usize::from(behind > commit + 1);
            *commit >= first && *commit < last && is_whole(commit) && later <= last
        })
    }

    /// What must be there whatever becomes of these bytes and everything behind them.
    fn before(&self, damaged: usize) -> usize {
        let first = damaged.saturating_sub(HEADER) / FRAME;
        let lost = self.commits().iter().filter(|commit| **commit >= first).count();
        self.entries - lost.min(self.entries)
    }

    fn check(&self, what: &str, damaged: Range<usize>, wal: &[u8], must_refuse: bool) {
        match self.open_with(wal) {
            Ok(count) => {
                assert!(
                    !must_refuse,
                    "{what} at {damaged:?}: opened with {count} of {}",
                    self.entries
                );
                assert!(
                    count >= self.before(damaged.start),
                    "{what} at {damaged:?}: only {count} are left"
                );
            }
            Err(LogError::Corrupt(why)) => {
                assert!(why.contains("is damaged at byte") && why.contains("truncate -s"), "{why}");
                assert!(what != "cut", "{what} at {damaged:?}: {why}");
            }
            Err(other) => panic!("{what} at {damaged:?}: {other:?}"),
        }
    }
}

fn every_kind_of_damage(killed: &Killed, seed: u64) {
    assert_eq!(
        killed.open_with(&killed.wal).unwrap(),
        killed.entries,
        "nothing is lost without damage"
    );
    let mut chance = Chance::new(seed);
    let end = HEADER + killed.frames * FRAME;
    for case in 0..CASES {
        let frame = HEADER + chance.below(killed.frames) * FRAME;
        let places =
            [frame + 24 + chance.below(4096), frame + chance.below(24), chance.below(HEADER)];
        for (what, at) in ["content", "frame header", "header"].into_iter().zip(places) {
            let mut wal = killed.wal.clone();
            wal[at] ^= chance.between(1, u8::MAX);
            killed.check(what, at..at + 1, &wal, killed.must_refuse(&(at..at + 1), false));
        }
        let at = chance.below(end);
        let run = at..(at + 1 + chance.below(if case % 2 == 0 { 64 } else { 3 * FRAME })).min(end);
        let mut wal = killed.wal.clone();
        wal[run.clone()].fill(0);
        if wal != killed.wal {
            let changed = |at: &usize| wal[*at] != killed.wal[*at];
            let (Some(first), Some(last)) = (run.clone().find(changed), run.rev().find(changed))
            else {
                continue;
            };
            killed.check(
                "zeros",
                first..last + 1,
                &wal,
                killed.must_refuse(&(first..last + 1), true),
            );
        }
        let cut = chance.below(end);
        killed.check("cut", cut..end, &killed.wal[..cut], false);
    }
}

#[test]
fn damage_in_a_write_ahead_log_is_refused_unless_it_may_be_a_torn_end() {
    every_kind_of_damage(&Killed::with(40, None), 1);
}

#[test]
fn the_same_in_a_file_that_was_begun_anew() {
    let killed = Killed::with(60, Some(40));
    assert!(killed.wal.len() > HEADER + killed.frames * FRAME, "something is left of the old one");
    every_kind_of_damage(&killed, 2);
}

#[test]
fn an_interrupted_write_is_recovered_whichever_of_its_pages_reached_the_disk() {
    for killed in [Killed::with(20, None), Killed::with(62, Some(40))] {
        let commits = killed.commits();
        let first = commits[commits.len() - 2] + 1;
        let pages = killed.frames - first;
        assert!(pages >= 2, "the last transaction has several pages");
        for written in 0..(1 << pages) - 1 {
            let mut wal = killed.wal.clone();
            for page in (0..pages).filter(|page| written & (1 << page) == 0) {
                let at = HEADER + (first + page) * FRAME;
                wal[at..at + FRAME].fill(0);
            }
            assert_eq!(killed.open_with(&wal).unwrap(), killed.entries - 1, "written: {written:b}");
        }
    }
}

#[test]
fn what_is_said_to_do_about_damage_does_it() {
    let killed = Killed::with(20, None);
    let mut wal = killed.wal.clone();
    let middle = HEADER + killed.frames / 2 * FRAME;
    wal[middle + 100] ^= 1;
    let Err(LogError::Corrupt(why)) = killed.open_with(&wal) else {
        panic!("it was taken for a torn end")
    };
    let (_, advice) = why.split_once("truncate -s ").unwrap();
    let cut: usize = advice.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(cut, middle);
    assert_eq!(killed.open_with(&wal[..cut]).unwrap(), killed.before(middle));
}
