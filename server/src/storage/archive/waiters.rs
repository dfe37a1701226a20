//! Whether somebody waits for the view to come further.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts those who wait.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: AtomicUsize,
    came: Notify,
}

/// Somebody waits, as long as this lives.
#[derive(Debug)]
pub(super) struct Waiter<'a>(&'a Waiters);

impl Waiters {
    /// Somebody waits from now on.
    pub(super) fn waiter(&self) -> Waiter<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.came.notify_one();
        Waiter(self)
    }

    /// Whether anybody waits.
    pub(super) fn are_there(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Waits until somebody does.
    pub(super) async fn come(&self) {
        while !self.are_there() {
            self.came.notified().await;
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
