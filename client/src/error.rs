//! Everything that can go wrong, and whose fault it is: why there is no connection
//! ([`ConnectError`]), why a request has no answer ([`AskError`]), why a connection was [`Lost`],
//! why a link [`Ended`], and why a file is not used ([`KeepError`]). Why a server is not trusted is
//! in [`trust`](crate::trust).

use std::io;

use chatroom_proto::{CloseReason, Misbehaviour, Refusal, UserName};

use crate::trust::Untrusted;

/// Why there is no connection to begin with.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host's name leads to no address.
    #[error("there is no such host: {0}")]
    NoSuchHost(#[source] io::Error),
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Unreachable(#[source] io::Error),
    /// There is a connection, and no answer came over it in time.
    #[error("no answer came in time")]
    Silent,
    /// The connection was cut before the client was let in.
    #[error("the connection was cut during the handshake")]
    Cut,
    /// The server said no.
    #[error("the server refused: {0:?}")]
    Refused(Refusal),
    /// The name needs its password, which is not said over this line: others can read along.
    #[error("the name {name:?} needs its password, which is not said where others can read along")]
    PasswordUnsaid {
        /// The registered name.
        name: UserName,
    },
    /// The server hung up and said why.
    #[error("the server hung up: {0:?}")]
    Closed(CloseReason),
    /// What answers there does not speak Chatroom's protocol.
    #[error("what answers there does not speak this protocol: {0}")]
    Garbled(String),
    /// This client can't trust that it is the server, or can't speak to it so that nobody reads
    /// along.
    #[error("{0}")]
    Untrusted(Untrusted),
}

/// Why a request has no answer that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The server said no.
    #[error("the server refused: {0:?}")]
    Refused(Refusal),
    /// The link has ended. Whether the request took effect is unknown.
    #[error("the link has ended: {0}")]
    Closed(Ended),
    /// The server answered something that does not fit the question.
    #[error("the server answered something else")]
    Unexpected,
}

/// Why a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The server hung up and said why.
    #[error("the server hung up: {0:?}")]
    Closed(CloseReason),
    /// The server hung up without a word.
    #[error("the server hung up")]
    HungUp,
    /// Nothing was heard from the server for too long.
    #[error("nothing was heard from the server")]
    Silent,
    /// More came than the program took: this side gave the connection up. What was let go is told
    /// again by a server that keeps it; otherwise [`Event::Missed`](crate::Event::Missed) and
    /// [`Event::Back`](crate::Event::Back) tell where it is missing.
    #[error("more came than was read")]
    Overrun,
    /// A message was missing before one that came: this side gave the connection up, to be told
    /// again what it missed.
    #[error("a message was missing")]
    Gap,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Failed(io::ErrorKind),
}

/// Why a link ended for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The client left ([`Request::Exit`](chatroom_proto::Request::Exit)), or dropped its end.
    #[error("the client left")]
    Left,
    /// The connection was lost, and [`Reconnect`](crate::Reconnect) says not to try any longer.
    #[error("{0}")]
    GaveUp(Lost),
    /// The server refused the client on its way back: the name has gone to somebody else, or the
    /// server speaks another version now.
    #[error("the server refused to let the client in again: {0:?}")]
    Refused(Refusal),
    /// The same session goes on over another connection.
    #[error("the session goes on elsewhere")]
    Replaced,
    /// The account's password was changed, or the account given up, on another device: this one is
    /// not known any more.
    #[error("the password was changed")]
    PasswordChanged,
    /// An operator of the server has ended the stay. Trying again at once would only annoy them.
    #[error("an operator of the server has ended the stay")]
    Disconnected,
    /// The server says that this client broke the protocol. That is a bug, and trying again would
    /// repeat it.
    #[error("the server says that this client broke the protocol: {0:?}")]
    Misbehaved(Misbehaviour),
    /// The server said something that is not the protocol.
    #[error("the server does not speak this protocol: {0}")]
    Garbled(String),
    /// On the way back, this client could not trust that it is the same server.
    #[error("{0}")]
    Untrusted(Untrusted),
}

/// Why the file of [`Options::keep`](crate::Options::keep) is not used, or not with all that was in
/// it.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Another client uses it now.
    #[error("another client uses it")]
    InUse,
    /// It belongs to a client of another name.
    #[error("it belongs to '{0}'")]
    OtherName(UserName),
    /// It is something else than such a file, or one of another version of this library.
    #[error("it is no file of this kind")]
    Foreign,
    /// It can't be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is used, but a part of it could not be read.
    #[error("a part of it is damaged, and what was there is lost")]
    Damaged,
}
