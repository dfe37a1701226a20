//! What the handles and the link's task share: tags, places for answers, and why the link ended.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use chatroom_proto::{Tag, Token};
use tokio::sync::Semaphore;

use crate::error::Ended;
use crate::limits::SUBMITTED_MAX;
use crate::random::Random;

/// What the handles and the link's task share.
#[derive(Debug)]
pub(crate) struct Shared {
    tags: AtomicU32,
    random: Random,
    /// One for each answer that may still come among the events.
    pub(crate) submits: Semaphore,
    pub(crate) ended: OnceLock<Ended>,
}

impl Shared {
    /// A client that runs again may be in the same session: its tags begin anywhere, so that they
    /// name other requests than those of the run before.
    pub(crate) fn new(random: Random) -> Shared {
        // The lower half of it.
        let first = random.number() as u32;
        let (tags, submits) = (AtomicU32::new(first), Semaphore::new(SUBMITTED_MAX));
        Shared { tags, random, submits, ended: OnceLock::new() }
    }

    /// Any number: so that not everybody waits equally long.
    pub(crate) fn random(&self) -> u64 {
        self.random.number()
    }

    /// A token that nobody can guess.
    pub(crate) fn new_token(&self) -> Token {
        self.random.token()
    }

    /// A tag that this link has not used yet.
    pub(crate) fn next_tag(&self) -> Tag {
        Tag(self.tags.fetch_add(1, Ordering::Relaxed))
    }
}
