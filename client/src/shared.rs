//! What the handles and the link's task share: tags, places for answers, and why the link ended.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use chatroom_proto::Tag;
use tokio::sync::Semaphore;

use crate::error::Ended;
use crate::limits::SUBMITTED_MAX;

/// What the handles and the link's task share.
#[derive(Debug)]
pub(crate) struct Shared {
    tags: AtomicU32,
    /// One for each answer that may still come among the events.
    pub(crate) submits: Semaphore,
    pub(crate) ended: OnceLock<Ended>,
}

impl Shared {
    /// A client that runs again may be in the same session: its tags begin anywhere, so that they
    /// name other requests than those of the run before.
    pub(crate) fn new() -> Shared {
        let tags = AtomicU32::new(getrandom::u32().unwrap_or_default());
        Shared { tags, submits: Semaphore::new(SUBMITTED_MAX), ended: OnceLock::new() }
    }

    /// A tag that this link has not used yet.
    pub(crate) fn next_tag(&self) -> Tag {
        Tag(self.tags.fetch_add(1, Ordering::Relaxed))
    }
}
