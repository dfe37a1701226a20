//! One connection's life: the handshake, requests in, the outbox out, and the deadlines of all that.
//!
//! Reading and writing go on side by side in one task, so neither waits for the other: a peer that doesn't read its
//! answers can't keep us from hearing it, and the other way round.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameError, FrameReader, HELLO_FRAME_BYTES_MAX};
use chatroom_proto::{
    ASKS_UNANSWERED_MAX, ClientFrame, CloseReason, Hello, Misbehaviour, Proof, Request, Tag, Token,
};
use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::chat::effect::{Address, ConnectionId, Credential, Input, TokenDigest};
use crate::config::{Config, LINGER_BYTES_MAX};
use crate::dispatch::{Door, Message, Stopped};
use crate::outbox::{Bounds, Outbox, Pieces, Taken};

/// What all connections share.
pub(crate) struct Common {
    pub(crate) door: Door,
    pub(crate) config: Config,
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) shutdown: CancellationToken,
}

/// What one connection is and knows.
pub(crate) struct Connection {
    id: ConnectionId,
    peer: Box<SocketAddr>,
    outbox: Outbox,
    common: Arc<Common>,
}

/// Why reading has ended.
#[derive(Debug)]
enum End {
    /// The peer closed its side, or the connection failed.
    Gone,
    /// We close it, and say why.
    Close(CloseReason),
    /// The outbox was closed already.
    Closed,
}

impl From<Stopped> for End {
    fn from(_: Stopped) -> End {
        End::Close(CloseReason::Shutdown)
    }
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> End {
        let misbehaviour = match error {
            FrameError::TooLong { limit } => {
                Misbehaviour::FrameTooLong { limit: u32::try_from(limit).unwrap_or(u32::MAX) }
            }
            FrameError::Malformed(_) => Misbehaviour::Malformed,
            FrameError::Io(_) => return End::Gone,
        };
        End::Close(CloseReason::Misbehaved(misbehaviour))
    }
}

/// What a connection waits for in rare moments.
type Later<'a> = Pin<Box<dyn Future<Output = Result<(), End>> + Send + 'a>>;

/// What is left to be written, after as much as could be was.
type Rest = io::Result<Option<Box<Pieces>>>;

type Reader<S> = FrameReader<ReadHalf<S>, ClientFrame>;

// What is kept across an await is kept for every connection, however silent. So whatever is needed in rare moments only, such
// as a clock, is boxed, and its box is gone with the moment.
impl Connection {
    /// A connection to this peer.
    pub(crate) fn new(id: ConnectionId, peer: SocketAddr, common: Arc<Common>) -> Connection {
        let outbox = Outbox::new(Arc::clone(&common.bounds));
        Connection { id, peer: Box::new(peer), outbox, common }
    }

    /// Lives from the connection's beginning to its end, which the dispatch task hears of whatever happens. What permits it is
    /// given back then.
    pub(crate) fn live<S: AsyncRead + AsyncWrite>(
        self,
        stream: S,
        permit: Option<OwnedSemaphorePermit>,
    ) -> impl Future<Output = ()> {
        let (read, mut write) = io::split(stream);
        let mut reader = FrameReader::new(read, HELLO_FRAME_BYTES_MAX);
        async move {
            // A bug that one peer hits must not take the others down.
            if AssertUnwindSafe(self.run(&mut reader, &mut write)).catch_unwind().await.is_err() {
                error!(connection = %self, "this connection's task panicked");
            }
            let gone = Message::Input(Input::Gone { connection: self.id });
            // When the dispatch task has stopped, there is nobody left to tell.
            let _ = Box::pin(self.common.door.send(gone)).await;
            drop(permit);
        }
    }

    async fn run<S: AsyncRead + AsyncWrite>(&self, reader: &mut Reader<S>, write: &mut WriteHalf<S>) {
        {
            let (mut writing, mut reading) = (pin!(self.write(write)), pin!(self.read(reader)));
            let end = poll_fn(|cx| match writing.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => reading.as_mut().poll(cx).map(Some),
            });
            if let Some(end) = end.await {
                debug!(connection = %self, ?end, "closing");
                match end {
                    End::Close(reason) => self.outbox.close(Some(reason)),
                    End::Gone | End::Closed => self.outbox.close(None),
                }
                writing.await;
            }
        }
        Box::pin(self.linger(reader)).await;
    }

    async fn read<S: AsyncRead + AsyncWrite>(&self, reader: &mut Reader<S>) -> End {
        let welcomed = Box::pin(self.shake_hands(reader)).await;
        let end = match welcomed {
            Ok(()) => self.read_requests(reader).await.err().unwrap_or(End::Gone),
            Err(end) => end,
        };
        if matches!(end, End::Gone) {
            // A peer may close its sending side and still want the answers to what it sent.
            Box::pin(self.outbox.all_answered()).await;
        }
        end
    }

    /// Reads until the peer has nothing more to say (`Ok`) or there is a reason to close.
    async fn read_requests<S: AsyncRead + AsyncWrite>(&self, reader: &mut Reader<S>) -> Result<(), End> {
        reader.set_limit(FRAME_BYTES_MAX);
        let mut after_list = false;
        loop {
            let Some(frame) = poll_fn(|cx| reader.poll_next(cx)).await else { return Ok(()) };
            let later = self.hand_in(frame?, &mut after_list)?;
            if let Some(later) = later {
                later.await?;
            }
        }
    }

    /// Hands in what the peer asks, or says for what to wait: until it may ask more, or until there is room.
    fn hand_in(&self, frame: ClientFrame, after_list: &mut bool) -> Result<Option<Later<'_>>, End> {
        let ClientFrame { tag, request } = frame;
        // A list is the one long answer: one at a time, or asking for many would overflow the outbox. What has to be looked
        // up takes a while, too: nothing may wait behind it where waiting requests count for all.
        let asks = if *after_list { 0 } else { ASKS_UNANSWERED_MAX - 1 };
        *after_list = is_list(&request);
        let ask = Message::Input(Input::Ask { connection: self.id, tag, request });
        let Common { door, .. } = &*self.common;
        if !self.outbox.try_ask(asks).ok_or(End::Closed)? {
            return Ok(Some(Box::pin(async move {
                self.outbox.ask(asks).await.ok_or(End::Closed)?;
                Ok(door.send(ask).await?)
            })));
        }
        let no_room = door.try_send(ask)?;
        Ok(no_room.map(|ask| -> Later<'_> { Box::pin(async move { Ok(door.send(ask).await?) }) }))
    }

    /// Ends when the client was let in.
    async fn shake_hands<S: AsyncRead + AsyncWrite>(&self, reader: &mut Reader<S>) -> Result<(), End> {
        let first = tokio::select! {
            first = time::timeout(self.common.config.handshake_deadline, reader.next()) => first,
            () = self.common.shutdown.cancelled() => return Err(End::Close(CloseReason::Shutdown)),
        };
        let first = first.map_err(|_| End::Close(CloseReason::HandshakeTimeout))?;
        let ClientFrame { tag, request } = first.ok_or(End::Gone)??;
        let Request::Hello(hello) = request else {
            return Err(End::Close(CloseReason::Misbehaved(Misbehaviour::HelloExpected)));
        };
        debug!(connection = %self, name = %hello.name, "knocking");
        self.outbox.ask(0).await.ok_or(End::Closed)?;
        self.common.door.send(Message::Knock(self.knock(tag, hello), self.outbox.clone())).await?;
        self.outbox.admitted().await.ok_or(End::Closed)?;
        self.common.config.console.connected(*self.peer);
        Ok(())
    }

    fn knock(&self, tag: Tag, hello: Hello) -> Input {
        let presented = match &hello.proof {
            Proof::Resume(token) => Some(digest(token)),
            Proof::Open | Proof::Password(_) => None,
        };
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system has random bytes");
        let token = Token(secret);
        let fresh = Credential { digest: digest(&token), token };
        let address = Address(self.peer.to_string().into());
        Input::Knock { connection: self.id, tag, hello, presented, fresh, address }
    }

    /// Writes what the outbox holds until it is closed and empty, or the peer takes nothing any more.
    async fn write<S: AsyncWrite>(&self, stream: &mut WriteHalf<S>) {
        loop {
            let (rest, taken) = poll_fn(|cx| self.poll_write(cx, stream)).await;
            let written = match rest {
                Ok(None) => Ok(()),
                Ok(Some(mut rest)) => Box::pin(self.write_in_time(stream, &mut rest)).await,
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                debug!(connection = %self, %error, "can't be written to");
                return self.outbox.close(None);
            }
            if taken == Taken::Last {
                // The peer sees the end of the stream after our last frame. If it can't, it is gone already.
                let _ = Box::pin(time::timeout(self.common.config.linger_deadline, stream.shutdown())).await;
                return;
            }
        }
    }

    /// Writes what comes as long as it is taken at once, as it is nearly always. Ready with what was not, or when no more
    /// comes.
    fn poll_write<S: AsyncWrite>(
        &self,
        cx: &mut Context<'_>,
        stream: &mut WriteHalf<S>,
    ) -> Poll<(Rest, Taken)> {
        let mut frames = Pieces::default();
        loop {
            let taken = ready!(self.outbox.poll_take(cx, &mut frames));
            let rest = match write_now(stream, &mut frames) {
                Ok(true) if taken == Taken::More => continue,
                Ok(is_done) => Ok((!is_done).then(|| Box::new(frames))),
                Err(error) => Err(error),
            };
            return Poll::Ready((rest, taken));
        }
    }

    /// Writes on as the peer takes it. One who takes nothing for a while is given up; and one who takes a byte now and then
    /// can't hold us for ever once the outbox was closed.
    async fn write_in_time<S: AsyncWrite>(
        &self,
        stream: &mut WriteHalf<S>,
        frames: &mut Pieces,
    ) -> io::Result<()> {
        let closed_for_long = async {
            self.outbox.closed().await;
            time::sleep(self.common.config.flush_deadline).await;
        };
        tokio::select! {
            written = self.write_all(stream, frames) => written,
            () = closed_for_long => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn write_all<S: AsyncWrite>(
        &self,
        stream: &mut WriteHalf<S>,
        frames: &mut Pieces,
    ) -> io::Result<()> {
        let deadline = self.common.config.write_deadline;
        while !frames.is_empty() {
            if time::timeout(deadline, stream.write_buf(frames)).await?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        time::timeout(deadline, stream.flush()).await?
    }

    /// Reads on for a moment and throws it away. The kernel answers unread bytes on a closed socket with a reset, which
    /// can overtake our last frame.
    async fn linger<S: AsyncRead + AsyncWrite>(&self, reader: &mut Reader<S>) {
        let unread = async {
            let mut left = LINGER_BYTES_MAX;
            let mut scratch = [0; 1024];
            while let Ok(read @ 1..) = reader.stream_mut().read(&mut scratch).await {
                left = left.saturating_sub(read);
                if left == 0 {
                    return;
                }
            }
        };
        let _ = time::timeout(self.common.config.linger_deadline, unread).await;
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.id.0, self.peer)
    }
}

/// Writes what is taken without a wait. Whether that was everything; if not, what is left may be nothing but a flush.
fn write_now<S: AsyncWrite>(stream: &mut WriteHalf<S>, frames: &mut Pieces) -> io::Result<bool> {
    if !frames.is_empty() {
        let written = match frames.as_one() {
            Some(one) => {
                let written = stream.write(one).now_or_never().transpose()?;
                frames.advance(written.unwrap_or(0));
                written
            }
            None => stream.write_buf(frames).now_or_never().transpose()?,
        };
        if written == Some(0) {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(frames.is_empty() && stream.flush().now_or_never().transpose()?.is_some())
}

/// Whether the answer is a page.
fn is_list(request: &Request) -> bool {
    matches!(
        request,
        Request::Groups { .. } | Request::Users { .. } | Request::History { .. } | Request::Search { .. }
    )
}

fn digest(token: &Token) -> TokenDigest {
    TokenDigest(Sha256::digest(token.0).into())
}
