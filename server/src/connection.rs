//! One connection's life: the handshake, requests in, the outbox out, and the deadlines of all that.
//!
//! Reading and writing go on side by side in one task, so neither waits for the other: a peer that doesn't read its
//! answers can't keep us from hearing it, and the other way round.

use std::fmt;
use std::net::SocketAddr;

use chatroom_proto::codec::{self, FRAME_BYTES_MAX, FrameError, FrameReader, HELLO_FRAME_BYTES_MAX};
use chatroom_proto::{
    ASKS_UNANSWERED_MAX, ClientFrame, CloseReason, Hello, Misbehaviour, Notification, Proof, Request,
    ServerFrame, Tag, Token,
};
use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::chat::effect::{Address, ConnectionId, Credential, Input, TokenDigest};
use crate::config::{Config, LINGER_BYTES_MAX};
use crate::dispatch::{Door, Message, Stopped};
use crate::outbox::{Outbox, Taken};

/// What one connection is and knows.
pub(crate) struct Connection<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) peer: SocketAddr,
    pub(crate) outbox: Outbox,
    pub(crate) door: &'a Door,
    pub(crate) config: &'a Config,
    pub(crate) shutdown: &'a CancellationToken,
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

type Reader<S> = FrameReader<ReadHalf<S>, ClientFrame>;

impl Connection<'_> {
    /// Lives until the connection is closed, by either side.
    pub(crate) async fn run<S: AsyncRead + AsyncWrite>(&self, stream: S) {
        let (read, write) = io::split(stream);
        let mut reader: Reader<S> = FrameReader::new(read, HELLO_FRAME_BYTES_MAX);
        {
            let writing = self.write(write);
            tokio::pin!(writing);
            tokio::select! {
                () = &mut writing => {}
                end = self.read(&mut reader) => {
                    debug!(connection = %self, ?end, "closing");
                    match end {
                        End::Close(reason) => self.outbox.close(Some(reason)),
                        End::Gone | End::Closed => self.outbox.close(None),
                    }
                    writing.await;
                }
            }
        }
        self.linger(&mut reader).await;
    }

    async fn read<S: AsyncRead + AsyncWrite>(&self, reader: &mut Reader<S>) -> End {
        let end = self.read_requests(reader).await.err().unwrap_or(End::Gone);
        if matches!(end, End::Gone) {
            // A peer may close its sending side and still want the answers to what it sent.
            self.outbox.all_answered().await;
        }
        end
    }

    /// Reads until the peer has nothing more to say (`Ok`) or there is a reason to close.
    async fn read_requests<S: AsyncRead + AsyncWrite>(&self, reader: &mut Reader<S>) -> Result<(), End> {
        self.shake_hands(reader).await?;
        reader.set_limit(FRAME_BYTES_MAX);
        let mut after_list = false;
        while let Some(ClientFrame { tag, request }) = self.next_frame(reader).await? {
            // A list is the one long answer: one at a time, or asking for many would overflow the outbox. What has to be looked
            // up takes a while, too: nothing may wait behind it where waiting requests count for all.
            let asks = if after_list { 0 } else { ASKS_UNANSWERED_MAX - 1 };
            after_list = is_list(&request);
            self.outbox.ask(asks).await.ok_or(End::Closed)?;
            let ask = Input::Ask { connection: self.id, tag, request };
            self.door.send(Message::Input(ask)).await?;
        }
        Ok(())
    }

    /// Ends when the client was let in.
    async fn shake_hands<S: AsyncRead + AsyncWrite>(&self, reader: &mut Reader<S>) -> Result<(), End> {
        let first = tokio::select! {
            first = time::timeout(self.config.handshake_deadline, reader.next()) => first,
            () = self.shutdown.cancelled() => return Err(End::Close(CloseReason::Shutdown)),
        };
        let first = first.map_err(|_| End::Close(CloseReason::HandshakeTimeout))?;
        let ClientFrame { tag, request } = first.ok_or(End::Gone)??;
        let Request::Hello(hello) = request else {
            return Err(End::Close(CloseReason::Misbehaved(Misbehaviour::HelloExpected)));
        };
        debug!(connection = %self, name = %hello.name, "knocking");
        self.outbox.ask(0).await.ok_or(End::Closed)?;
        self.door.send(Message::Knock(self.knock(tag, hello), self.outbox.clone())).await?;
        self.outbox.admitted().await.ok_or(End::Closed)?;
        self.config.console.connected(self.peer);
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

    /// The next frame, with a ping to a peer that is silent, up to the idle deadline. Nothing at the end of the stream.
    async fn next_frame<S: AsyncRead + AsyncWrite>(
        &self,
        reader: &mut Reader<S>,
    ) -> Result<Option<ClientFrame>, End> {
        // What is here already needs no clock: with many requests under way, that is nearly all.
        if let Some(frame) = reader.next().now_or_never() {
            return Ok(frame.transpose()?);
        }
        let mut silence = self.config.idle_ping;
        loop {
            match time::timeout(self.config.idle_ping, reader.next()).await {
                Ok(frame) => return Ok(frame.transpose()?),
                Err(_) if silence >= self.config.idle_deadline => return Err(End::Close(CloseReason::Idle)),
                Err(_) => {
                    let ping = codec::encode(&ServerFrame::Notification(Notification::Ping))?;
                    let _ = self.outbox.push(&ping);
                    self.outbox.wake();
                    silence += self.config.idle_ping;
                }
            }
        }
    }

    /// Writes what the outbox holds until it is closed and empty, or the peer takes nothing any more.
    async fn write<S: AsyncWrite>(&self, mut stream: WriteHalf<S>) {
        let mut bytes = Vec::new();
        loop {
            let taken = self.outbox.take(&mut bytes).await;
            let written = tokio::select! {
                written = self.write_batch(&mut stream, &bytes) => written,
                () = self.flush_deadline() => Err(io::ErrorKind::TimedOut.into()),
            };
            if let Err(error) = written {
                debug!(connection = %self, %error, "can't be written to");
                self.outbox.close(None);
                return;
            }
            if taken == Taken::Last {
                // The peer sees the end of the stream after our last frame. If it can't, it is gone already.
                let _ = time::timeout(self.config.linger_deadline, stream.shutdown()).await;
                return;
            }
            // Not kept for the next time: most connections are silent most of the time.
            bytes = Vec::new();
        }
    }

    async fn write_batch<S: AsyncWrite>(
        &self,
        stream: &mut WriteHalf<S>,
        mut bytes: &[u8],
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match time::timeout(self.config.write_deadline, stream.write(bytes)).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(Ok(written)) => bytes = &bytes[written..],
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        stream.flush().await
    }

    /// Ends a while after the outbox was closed: one who reads a byte now and then can't hold us for ever.
    async fn flush_deadline(&self) {
        self.outbox.closed().await;
        time::sleep(self.config.flush_deadline).await;
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
        let _ = time::timeout(self.config.linger_deadline, unread).await;
    }
}

impl fmt::Display for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.id.0, self.peer)
    }
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
