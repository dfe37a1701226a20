//! Streams that come in pieces.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// Runs a scene that never waits for a time.
pub(crate) fn run<T>(scene: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers needs nothing").block_on(scene)
}

/// A stream that brings its bytes in pieces, is not ready before each of them, and ends after the
/// last.
pub(crate) struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    ready: bool,
}

impl Pieces {
    /// Cuts `bytes` into pieces of the lengths `cuts`, over and over.
    pub(crate) fn cut(bytes: &[u8], cuts: &[usize]) -> Pieces {
        let mut rest = bytes;
        let mut pieces = VecDeque::new();
        for &length in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(length.clamp(1, rest.len()));
            pieces.push_back(piece.to_vec());
            rest = after;
        }
        Pieces { pieces, ready: false }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.ready = !self.ready;
        if self.ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(mut piece) = self.pieces.pop_front() {
            let rest = piece.split_off(piece.len().min(into.remaining()));
            into.put_slice(&piece);
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}
