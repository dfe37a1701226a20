//! The task of one connection, from its first byte to its last.
//!
//! Reading and writing go on side by side, so neither waits for the other: a peer that doesn't read
//! its answers can't keep us from hearing it, and the other way round.
//!
//! The future is made by hand. Of one that the compiler makes, every function keeps what it was
//! called with for as long as the connection lives (408 bytes; this has 136). What is needed in
//! rare moments only is boxed, and the box is gone with the moment: a clock, a request that has to
//! wait, the rest of a write.

use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use chatroom_proto::ClientFrame;
use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameError, FrameReader, HELLO_FRAME_BYTES_MAX};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tracing::{debug, error};

use super::{Connection, End, RareFuture};
use crate::config::LINGER_BYTES_MAX;
use crate::dispatch::outbox::{Pieces, Taken};
use crate::net::permits::Permit;
use crate::net::stream::Wire;

/// How many pieces one write takes at the most. More come in the next one.
const SLICES_MAX: usize = 16;

/// Lives from the connection's beginning to its end, which the dispatch task hears of whatever
/// happens.
pub(crate) struct ConnectionTask<S> {
    connection: Connection,
    reader: FrameReader<S, ClientFrame>,
    /// What is out of the ordinary; nothing, while requests are handed in as they come, and frames
    /// are written as they come.
    busy: Option<Box<Busy>>,
    /// Given back when it ends.
    _permit: Option<Permit>,
}

#[derive(Default)]
struct Busy {
    reading: Reading,
    writing: Writing,
}

#[derive(Default)]
enum Reading {
    /// Requests are handed in as they come.
    #[default]
    Free,
    /// The first frame has not come, and is waited for until this ends.
    Hello(RareFuture<End>),
    /// Nothing is read until this has ended.
    Waits(RareFuture<Result<(), End>>),
    /// Nothing is read any more.
    Ended,
}

#[derive(Default)]
enum Writing {
    /// What comes is taken at once.
    #[default]
    Free,
    /// The peer takes its time.
    Slow(Slow),
    /// The peer is to see the end of the stream, until this ends.
    ShutsDown(Pin<Box<Sleep>>),
    /// Everything is said. What the peer is still sending is read and thrown away, until this ends:
    /// the kernel answers unread bytes on a closed socket with a reset, which can overtake our last
    /// frame.
    Lingers { until: Pin<Box<Sleep>>, bytes_left: usize },
    /// The dispatch task is being told that the connection is no more.
    Leaves(RareFuture<()>),
}

/// The rest of a write.
struct Slow {
    frames: Pieces,
    taken: Taken,
    /// How long a peer may take nothing, and until when now.
    patience: Duration,
    until: Pin<Box<Sleep>>,
    /// Ends a while after the outbox was closed: one who takes a byte now and then can't hold us
    /// for ever.
    too_long: RareFuture<()>,
}

impl<S: Wire> ConnectionTask<S> {
    /// The task of this connection, over this stream; what permits it is given back when it ends.
    pub(crate) fn new(
        connection: Connection,
        stream: S,
        permit: Option<Permit>,
    ) -> ConnectionTask<S> {
        let reading = Reading::Hello(connection.no_hello());
        ConnectionTask {
            connection,
            reader: FrameReader::new(stream, HELLO_FRAME_BYTES_MAX),
            busy: Some(Box::new(Busy { reading, writing: Writing::Free })),
            _permit: permit,
        }
    }

    /// Goes on as far as it can.
    fn poll_steps(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let has_written = match self.busy.as_mut().map(|busy| &mut busy.writing) {
                None | Some(Writing::Free) => self.poll_outbox(cx),
                Some(Writing::Slow(slow)) => match slow.poll(cx, self.reader.stream_mut()) {
                    Poll::Ready(written) => {
                        let written = written.map(|()| slow.taken);
                        self.has_written(written);
                        Poll::Ready(())
                    }
                    Poll::Pending => Poll::Pending,
                },
                Some(Writing::ShutsDown(until)) => {
                    let shut = Pin::new(self.reader.stream_mut()).poll_shutdown(cx);
                    if shut.is_pending() && until.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.linger();
                    Poll::Ready(())
                }
                Some(Writing::Lingers { until, bytes_left }) => {
                    let read = poll_unread(cx, self.reader.stream_mut(), bytes_left);
                    if read.is_pending() && until.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.leave();
                    Poll::Ready(())
                }
                Some(Writing::Leaves(told)) => return told.as_mut().poll(cx),
            };
            if has_written.is_pending() {
                let end = ready!(self.poll_reading(cx));
                // What the outbox has to say about that is written now.
                self.connection.close(end);
                self.busy().reading = Reading::Ended;
            }
        }
    }

    /// Writes what the outbox holds as long as it is taken at once, as it is nearly always. Ready
    /// when something else is to be done.
    fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut frames = Pieces::default();
        loop {
            let taken = ready!(self.connection.outbox.poll_take(cx, &mut frames));
            match poll_write(cx, self.reader.stream_mut(), &mut frames) {
                Poll::Ready(Ok(())) if taken == Taken::More => {}
                Poll::Ready(written) => {
                    self.has_written(written.map(|()| taken));
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    self.busy().writing = Writing::Slow(Slow::new(&self.connection, frames, taken));
                    return Poll::Ready(());
                }
            }
        }
    }

    /// A write is done, or failed.
    fn has_written(&mut self, written: io::Result<Taken>) {
        match written {
            Ok(Taken::More) => {
                self.busy().writing = Writing::Free;
                self.calm_down();
            }
            Ok(Taken::Last) => {
                let until = Box::pin(sleep(self.connection.common.config.linger_deadline));
                *self.busy() = Busy { reading: Reading::Ended, writing: Writing::ShutsDown(until) };
            }
            Err(error) => {
                debug!(connection = %self.connection, %error, "can't be written to");
                self.connection.outbox.close(None);
                self.linger();
            }
        }
    }

    /// Hands in what the peer asks, and what it says in the beginning. Ready when nothing more is
    /// to be read, and why.
    fn poll_reading(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let read = match self.busy.as_mut().map(|busy| &mut busy.reading) {
                None | Some(Reading::Free) => {
                    let frame = ready!(self.reader.poll_next(cx));
                    self.take_in(frame)
                }
                Some(Reading::Hello(no_hello)) => match self.reader.poll_next(cx) {
                    Poll::Ready(frame) => self.take_hello(frame),
                    Poll::Pending => Err(ready!(no_hello.as_mut().poll(cx))),
                },
                Some(Reading::Waits(until)) => {
                    let over = ready!(until.as_mut().poll(cx));
                    self.busy().reading = Reading::Free;
                    self.calm_down();
                    over
                }
                Some(Reading::Ended) => return Poll::Pending,
            };
            match read {
                Ok(()) => {}
                Err(End::Gone) => {
                    self.busy().reading = Reading::Waits(self.connection.all_answered());
                }
                Err(end) => return Poll::Ready(end),
            }
        }
    }

    fn take_in(&mut self, frame: Option<Result<ClientFrame, FrameError>>) -> Result<(), End> {
        let frame = frame.ok_or(End::Gone)?;
        if let Some(later) = self.connection.hand_in(frame)? {
            self.busy().reading = Reading::Waits(later);
        }
        Ok(())
    }

    fn take_hello(&mut self, frame: Option<Result<ClientFrame, FrameError>>) -> Result<(), End> {
        let frame = frame.ok_or(End::Gone)??;
        let is_tls = self.reader.stream_mut().is_tls();
        let welcomed = self.connection.log_in(frame, is_tls)?;
        self.busy().reading = Reading::Waits(welcomed);
        self.reader.set_limit(FRAME_BYTES_MAX);
        Ok(())
    }

    fn linger(&mut self) {
        let until = Box::pin(sleep(self.connection.common.config.linger_deadline));
        let writing = Writing::Lingers { until, bytes_left: LINGER_BYTES_MAX };
        *self.busy() = Busy { reading: Reading::Ended, writing };
    }

    fn leave(&mut self) {
        let told = self.connection.leave();
        *self.busy() = Busy { reading: Reading::Ended, writing: Writing::Leaves(told) };
    }

    fn busy(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }

    /// Gives up what is kept for what is out of the ordinary, when nothing is any more.
    fn calm_down(&mut self) {
        self.busy.take_if(|busy| {
            matches!((&busy.reading, &busy.writing), (Reading::Free, Writing::Free))
        });
    }
}

impl<S: Wire> Future for ConnectionTask<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        // A bug that one peer hits must not take the others down.
        catch_unwind(AssertUnwindSafe(|| task.poll_steps(cx))).unwrap_or_else(|_| {
            error!(connection = %task.connection, "this connection's task panicked");
            if matches!(task.busy().writing, Writing::Leaves(_)) {
                return Poll::Ready(());
            }
            // Nothing is written any more: who waits for that is not to wait for ever.
            task.connection.outbox.close(None);
            task.leave();
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

impl Slow {
    fn new(connection: &Connection, frames: Pieces, taken: Taken) -> Slow {
        let (outbox, common) = (connection.outbox.clone(), Arc::clone(&connection.common));
        let until = Box::pin(sleep(common.config.write_deadline));
        let too_long = Box::pin(async move {
            outbox.closed().await;
            sleep(common.config.flush_deadline).await;
        });
        Slow { frames, taken, patience: connection.common.config.write_deadline, until, too_long }
    }

    fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<()>> {
        let before = self.frames.len();
        let written = poll_write(cx, stream, &mut self.frames);
        if written.is_ready() {
            return written;
        }
        if self.frames.len() < before {
            self.until.as_mut().reset(Instant::now() + self.patience);
        }
        let (until, too_long) = (self.until.as_mut().poll(cx), self.too_long.as_mut().poll(cx));
        if until.is_ready() || too_long.is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

/// Writes as the stream takes it.
fn poll_write<S: AsyncWrite + Unpin>(
    cx: &mut Context<'_>,
    stream: &mut S,
    frames: &mut Pieces,
) -> Poll<io::Result<()>> {
    while !frames.is_empty() {
        let written = match frames.as_one() {
            Some(one) => ready!(Pin::new(&mut *stream).poll_write(cx, one))?,
            None => {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = frames.chunks_vectored(&mut slices);
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..count]))?
            }
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        frames.advance(written);
    }
    Pin::new(stream).poll_flush(cx)
}

/// Reads what the peer is still sending and throws it away; ready at its end, or when it is too
/// much.
fn poll_unread<S: AsyncRead + Unpin>(
    cx: &mut Context<'_>,
    stream: &mut S,
    bytes_left: &mut usize,
) -> Poll<()> {
    let mut scratch = [0; 1024];
    while *bytes_left > 0 {
        let mut unread = ReadBuf::new(&mut scratch);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut unread)) {
            Ok(()) if !unread.filled().is_empty() => {
                *bytes_left = bytes_left.saturating_sub(unread.filled().len());
            }
            _ => break,
        }
    }
    Poll::Ready(())
}

#[cfg(test)]
mod tests;
