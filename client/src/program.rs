//! From the command line to an exit code.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use chatroom_client::{Client, ConnectError, Ended, Events, Options, Reconnect};
use chatroom_proto::{CloseReason, Refusal, UserName, Welcome};
use tokio::sync::mpsc;
use tokio::time::Duration;
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::chat::{Chat, Outcome, Pace, Parts};
use crate::completer::{Assistant, Wish};
use crate::directory::Directory;
use crate::gate::Gate;
use crate::history;
use crate::lines::{self, Typed};
use crate::prompt::{Prompt, Typist};
use crate::screen::{AboveTheLine, Output, Screen};
use crate::signals::Signals;
use crate::terminal;
use crate::view::{Layout, Paint, View};

/// A command from a pipe was refused, or was none.
const REFUSED: i32 = 1;
/// What was given does not make sense.
const USAGE: i32 = 2;
/// There is no connection, or none any more.
pub(crate) const NO_CONNECTION: i32 = 3;
/// The name was refused.
const NAME_REFUSED: i32 = 4;
/// The other side speaks something else.
const OTHER_PROTOCOL: i32 = 5;
/// Added to a signal's number.
const SIGNALLED: i32 = 128;

/// How long a program in a pipe waits for a lost connection: a restart of the server. A person waits for ever.
const PIPE_PATIENCE: Duration = Duration::from_secs(30);

/// The most wishes of the line being typed that wait: one of each kind.
const WISHES_MAX: usize = 2;

/// Where lines come from.
enum Input {
    /// A line editor at a terminal.
    Editor(Typist),
    /// Plain lines.
    Plain(mpsc::Receiver<Typed>),
}

/// The program's stage: what it reads from and shows on.
struct Stage {
    input: Input,
    screen: Screen,
    gate: Arc<Gate>,
    wishes: mpsc::Receiver<Wish>,
    published: Arc<ArcSwap<Directory>>,
    view: View,
    /// Whether a person is typing.
    is_typed: bool,
}

/// Runs the program, and leaves the terminal as it was.
pub(crate) async fn run(args: Args) -> i32 {
    let view = view(&args);
    let logs = start_log(&args);
    let (stage, warnings) = match Stage::set(&args, view) {
        Ok(stage) => stage,
        Err(error) => {
            let _ = writeln!(io::stderr(), "chatroom: {error}");
            return NO_CONNECTION;
        }
    };
    let Stage { mut input, screen, gate, wishes, published, view, is_typed } = stage;
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(_) => return NO_CONNECTION,
    };
    todo!()
}
