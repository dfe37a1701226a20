//! What a client is told at the start.

use std::path::PathBuf;
use std::time::Duration;

use chatroom_proto::{Password, UserName};

use crate::trust::{KnownHosts, TlsMode};

/// Where to connect to, under which name, and what to do when the connection is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A host name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name to go by.
    pub name: UserName,
    /// What to do when the connection is lost.
    pub reconnect: Reconnect,
    /// A file for what this client must not forget when it is killed: one for each server and name.
    /// With it, a client that runs again is the one that it was: it hears what it missed while it
    /// did not run, each thing once, and sends again the posts that had no answer, before anything
    /// new ([`Event::Answer`](crate::Event::Answer) tells what came of them). Without it, every run
    /// is a stranger.
    ///
    /// A file that can't be used ([`Client::kept`](crate::Client::kept)), because another client
    /// uses it for example, stops nobody from connecting. It survives a killed client, and not a
    /// machine that loses its power.
    pub keep: Option<PathBuf>,
    /// The name's password, should it need one: when the server does not know this client, or not
    /// any more.
    pub password: Option<Password>,
    /// Whether to speak TLS.
    pub tls: TlsMode,
    /// The servers that are known: by these this one is recognized, when it speaks TLS.
    pub known_hosts: KnownHosts,
}

impl Options {
    /// Options of a client that comes back for ever, and keeps no file: it takes the server that it
    /// meets first for the right one, unless it is on this machine, and no other after that.
    pub fn new(host: impl Into<String>, port: u16, name: UserName) -> Options {
        Options {
            host: host.into(),
            port,
            name,
            reconnect: Reconnect::Forever,
            keep: None,
            password: None,
            tls: TlsMode::Auto,
            known_hosts: KnownHosts::in_memory(),
        }
    }
}

/// Whether to come back when the connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// Not at all.
    Never,
    /// Try for so long, counted from the loss.
    For(Duration),
    /// Try until it works.
    Forever,
}
