//! One connection: the handshake, requests in, the outbox out, and the deadlines of all that.
//!
//! What it does is here, step by step. In which order it does them, and how it waits, is in
//! [`task`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use chatroom_proto::codec::FrameError;
use chatroom_proto::{
    ASKS_UNANSWERED_MAX, ClientFrame, CloseReason, Hello, LINE_BYTES_MAX, Lives, Misbehaviour,
    Proof, Reason, Refusal, Request, Tag, Token,
};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::chat::digest;
use crate::chat::effect::{Channel, Credential, Input, LoginRequest};
use crate::chat::entry::{Address, ConnectionId};
use crate::chat::request_class::RequestClass;
use crate::config::Config;
use crate::dispatch::handle::{DispatchHandle, Message, Stopped};
use crate::dispatch::outbox::{Bounds, Outbox};
use crate::net::stream::PlainRefused;

/// How much is said of why a request is invalid, in characters: it fits into a [`Reason`].
const REASON_CHARS_MAX: usize = LINE_BYTES_MAX / 4;

pub(crate) mod task;

/// What a connection waits for in rare moments.
type RareFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How many requests may be unanswered when one more is handed in.
const ASKS_MAX: u16 = {
    assert!(ASKS_UNANSWERED_MAX <= u16::MAX as u32);
    (ASKS_UNANSWERED_MAX - 1) as u16
};

/// What all connections share.
pub(crate) struct Common {
    pub(crate) handle: DispatchHandle,
    pub(crate) config: Config,
    pub(crate) bounds: Arc<Bounds>,
    pub(crate) shutdown: CancellationToken,
}

/// What one connection is and knows.
#[derive(Clone)]
pub(crate) struct Connection {
    id: ConnectionId,
    address: Address,
    /// Whether the request before was for a list. It stands here, and in the connection's task it
    /// would take 8 bytes.
    after_list: bool,
    outbox: Outbox,
    common: Arc<Common>,
}

/// Why reading has ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The peer closed its side, or the connection failed. It may still want the answers to what it
    /// sent.
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
            FrameError::Malformed(_) | FrameError::Invalid { .. } => Misbehaviour::Malformed,
            FrameError::Io(error)
                if error.get_ref().is_some_and(|inner| inner.is::<PlainRefused>()) =>
            {
                return End::Close(CloseReason::TlsRequired);
            }
            FrameError::Io(error) => {
                debug!(%error, "can't be read from");
                return End::Gone;
            }
        };
        End::Close(CloseReason::Misbehaved(misbehaviour))
    }
}

impl Connection {
    /// A connection to this peer.
    pub(crate) fn new(id: ConnectionId, address: Address, common: Arc<Common>) -> Connection {
        let outbox = Outbox::new(Arc::clone(&common.bounds));
        Connection { id, address, after_list: false, outbox, common }
    }

    /// Ends when no first frame is waited for any longer, and says why.
    fn no_hello(&self) -> RareFuture<End> {
        let common = Arc::clone(&self.common);
        Box::pin(async move {
            tokio::select! {
                biased;
                () = time::sleep(common.config.handshake_deadline) => {
                    End::Close(CloseReason::HandshakeTimeout)
                }
                () = common.shutdown.cancelled() => End::Close(CloseReason::Shutdown),
            }
        })
    }

    /// Asks for the client of the first frame to be let in, and ends when it was.
    fn log_in(&self, frame: ClientFrame, is_tls: bool) -> Result<RareFuture<Result<(), End>>, End> {
        let ClientFrame { tag, request } = frame;
        let (hello, lives) = match request {
            Request::Hello(hello) => (hello, Lives::default()),
            Request::ComeBack { hello, lives } => (hello, lives),
            _ => return Err(End::Close(CloseReason::Misbehaved(Misbehaviour::HelloExpected))),
        };
        let channel = self.channel(is_tls);
        debug!(connection = %self, name = %hello.name, ?channel, "logging in");
        let login = Box::new(self.introduce(tag, (hello, lives), channel));
        let log_in = Message::LogIn(login, self.outbox.clone());
        self.outbox.try_ask(0).ok_or(End::Closed)?;
        let room = self.hand_in_now(log_in)?;
        let Connection { address, outbox, common, .. } = self.clone();
        Ok(Box::pin(async move {
            if let Some(room) = room {
                room.await?;
            }
            outbox.admitted().await.ok_or(End::Closed)?;
            common.config.console.connected(address.ip(), address.port());
            Ok(())
        }))
    }

    /// Who can read along.
    fn channel(&self, is_tls: bool) -> Channel {
        match is_tls {
            true => Channel::Tls,
            false if self.address.ip().is_loopback() => Channel::Loopback,
            false => Channel::Plain,
        }
    }

    fn introduce(
        &self,
        tag: Tag,
        (hello, lives): (Hello, Lives),
        channel: Channel,
    ) -> LoginRequest {
        let chosen = match &hello.proof {
            Proof::Resume(token) => Some(token.clone()),
            Proof::Open | Proof::Password(_) => None,
        };
        let is_chosen = chosen.is_some();
        let token = chosen.unwrap_or_else(|| Token(self.common.config.entropy.bytes()));
        let digest = digest::of_token(&token, &hello.name);
        let presented = is_chosen.then(|| [digest, digest::of(&token.0)]);
        let session = Credential { token, digest };
        let (connection, address) = (self.id, self.address);
        LoginRequest { connection, tag, hello, lives, presented, session, address, channel }
    }

    /// The same request in the words of the newest version, if it is one of an older version that
    /// it has replaced.
    fn in_newest_version(&self, request: Request) -> Request {
        match request {
            Request::ChangePassword { old, new } => {
                let token = Token(self.common.config.entropy.bytes());
                Request::ChangePasswordAndToken { old, new, token }
            }
            request => request,
        }
    }

    /// Hands in what the peer asks, or says for what to wait: until it may ask more, or until there
    /// is room.
    fn hand_in(
        &mut self,
        frame: Result<ClientFrame, FrameError>,
    ) -> Result<Option<RareFuture<Result<(), End>>>, End> {
        let connection = self.id;
        let (input, after_list) = match frame {
            Ok(ClientFrame { tag, request }) => {
                let after_list = RequestClass::of(&request).kind.blocks_connection();
                let request = self.in_newest_version(request);
                (Input::Ask { connection, tag, request }, after_list)
            }
            Err(FrameError::Invalid { beginning, why }) => {
                let (tag, why) = (ClientFrame::tag_in(beginning), reason(&why));
                (Input::Refuse { connection, tag, refusal: Refusal::Invalid { why } }, false)
            }
            Err(error) => return Err(error.into()),
        };
        // A list is the one long answer: one at a time, or asking for many would overflow the
        // outbox. What has to be looked up takes a while, too: nothing may wait behind it where
        // waiting requests count for all.
        let asks = if self.after_list { 0 } else { ASKS_MAX };
        self.after_list = after_list;
        let ask = Message::Input(input);
        if self.outbox.try_ask(asks).ok_or(End::Closed)? {
            return self.hand_in_now(ask);
        }
        let (outbox, common) = (self.outbox.clone(), Arc::clone(&self.common));
        Ok(Some(Box::pin(async move {
            outbox.ask(asks).await.ok_or(End::Closed)?;
            Ok(common.handle.send(ask).await?)
        })))
    }

    /// Hands something in, or says for what to wait: until there is room.
    fn hand_in_now(&self, message: Message) -> Result<Option<RareFuture<Result<(), End>>>, End> {
        let no_room = self.common.handle.try_send(message)?;
        let common = Arc::clone(&self.common);
        Ok(no_room.map(|message| -> RareFuture<_> {
            Box::pin(async move { Ok(common.handle.send(message).await?) })
        }))
    }

    /// Ends when the peer has all answers.
    fn all_answered(&self) -> RareFuture<Result<(), End>> {
        let outbox = self.outbox.clone();
        Box::pin(async move {
            outbox.all_answered().await;
            Err(End::Closed)
        })
    }

    /// Takes nothing in any more, and has the peer told why, unless it knows.
    fn close(&self, end: End) {
        debug!(connection = %self, ?end, "closing");
        match end {
            End::Close(reason) => self.outbox.close(Some(reason)),
            // It may still read.
            End::Gone | End::Closed => self.outbox.finish(),
        }
    }

    /// Lets the dispatch task know that it is no more.
    fn leave(&self) -> RareFuture<()> {
        let (common, gone) =
            (Arc::clone(&self.common), Message::Input(Input::Gone { connection: self.id }));
        Box::pin(async move {
            // When the dispatch task has stopped, there is nobody left to tell.
            let _ = common.handle.send(gone).await;
        })
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.id.0, self.address)
    }
}

/// Why a request is invalid, in the words of the type whose rule it breaks.
fn reason(why: &str) -> Reason {
    let why: String = why.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    Reason::parse(&why).unwrap_or_else(|_| {
        Reason::parse("a value breaks a rule").expect("a short line is a reason")
    })
}
