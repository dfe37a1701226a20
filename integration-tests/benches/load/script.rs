//! The one stream that everybody must hear, byte by byte.
//!
//! Whoever is ahead adds to it, and what is added is decoded and checked: the next message,
//! unchanged. All others are compared with it. So every delivery is checked, for the price of
//! comparing bytes.

use crate::target::{Heard, Target};

/// What everybody hears.
pub(crate) struct Script {
    /// Since the last window.
    bytes: Vec<u8>,
    /// How much of it was cut into frames.
    cut: usize,
    /// How far each reader has come.
    at: Vec<usize>,
    /// How many bytes all of them have heard together.
    heard: usize,
    /// The last message that anybody has heard.
    last: u64,
}

impl Script {
    /// So many readers, who have all heard this message last.
    pub(crate) fn new(readers: usize, last: u64) -> Script {
        Script { bytes: Vec::new(), cut: 0, at: vec![0; readers], heard: 0, last }
    }

    /// A reader hears more.
    ///
    /// # Panics
    /// When something else was to be heard.
    pub(crate) fn take(&mut self, target: &dyn Target, reader: usize, bytes: &[u8]) {
        let at = self.at[reader];
        let known = (self.bytes.len() - at).min(bytes.len());
        if self.bytes[at..at + known] != bytes[..known] {
            panic!(
                "reader {reader} heard something else than others, before message {} ended",
                self.last + 1
            );
        }
        self.at[reader] += bytes.len();
        self.heard += bytes.len();
        if known < bytes.len() {
            self.bytes.extend_from_slice(&bytes[known..]);
            self.check(target, reader);
        }
    }

    fn check(&mut self, target: &dyn Target, reader: usize) {
        while let Some(length) = target.cut(&self.bytes[self.cut..]) {
            let heard = target.hear(&self.bytes[self.cut..self.cut + length]);
            let next = self.last + 1;
            assert_eq!(heard, Heard::Post(next), "reader {reader} must hear message {next} now");
            self.last = next;
            self.cut += length;
        }
    }

    /// Whether everybody has heard everything up to this message. Then the next window begins.
    ///
    /// # Panics
    /// When somebody has heard more.
    pub(crate) fn is_at(&mut self, last: u64) -> bool {
        assert!(self.last <= last, "message {} was heard, and nobody said it yet", self.last);
        let is_whole = self.last == last && self.heard == self.bytes.len() * self.at.len();
        if is_whole {
            assert_eq!(
                self.cut,
                self.bytes.len(),
                "a part of something was heard that nobody said yet"
            );
            self.bytes.clear();
            self.at.fill(0);
            (self.cut, self.heard) = (0, 0);
        }
        is_whole
    }

    /// Who lacks something, for a complaint.
    pub(crate) fn who_lacks(&self) -> String {
        match self.at.iter().position(|&at| at == 0 || at < self.bytes.len()) {
            Some(reader) => format!("reader {reader}"),
            None => "nobody, but the speaker lacks an answer".to_owned(),
        }
    }
}
