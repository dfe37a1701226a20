//! How much all outboxes may hold, and how much they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// How much the outboxes of a server may hold.
#[derive(Debug)]
pub struct Bounds {
    /// Each of them, in bytes.
    pub(super) each_max: usize,
    /// All together, in bytes of memory: what is shared counts once.
    all_max: usize,
    /// What they hold now.
    held: AtomicUsize,
}

/// What outboxes share. It counts until the last of them has written it.
struct Shares {
    bytes: Vec<u8>,
    bounds: Arc<Bounds>,
}

impl AsRef<[u8]> for Shares {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Shares {
    fn drop(&mut self) {
        self.bounds.give_back(self.bytes.len());
    }
}

impl Bounds {
    /// So many bytes for each outbox, and so many for all together.
    pub fn new(each_max: usize, all_max: usize) -> Arc<Bounds> {
        let each_max = each_max.min(u32::MAX as usize);
        Arc::new(Bounds { each_max, all_max, held: AtomicUsize::new(0) })
    }

    /// Frames for many outboxes, which count once in what all of them hold.
    pub fn shared(self: &Arc<Bounds>, bytes: Vec<u8>) -> Bytes {
        self.take(bytes.len());
        Bytes::from_owner(Shares { bytes, bounds: Arc::clone(self) })
    }

    pub(super) fn take(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What all outboxes hold, in bytes of memory. Zero when every peer has read everything.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether there is room for those only who hold no more than their fair share.
    pub(super) fn is_spent(&self) -> bool {
        self.held() > self.all_max
    }
}
