//! What a chat is made of, and how it ends.

use std::sync::Arc;

use crate::client::Client;
use crate::error::Ended;
use crate::event::Events;
use arc_swap::ArcSwap;
use chatroom_proto::{Password, Retention, Seq, UnixMillis, UserName};
use tokio::sync::{Notify, mpsc};

use crate::app::completer::ListRequest;
use crate::app::directory::Directory;
use crate::app::ignore::IgnoreList;
use crate::app::lines::Typed;
use crate::app::open_conversation::OpenConversation;
use crate::app::settings::Settings;
use crate::app::times::Times;
use crate::app::view::View;

/// How many commands may be on their way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Each waits for the answer to the one before.
    OneByOne,
    /// As they are typed.
    AsTyped,
}

impl Pace {
    /// Below what the link takes without waiting: this loop also shows what comes, and must not
    /// wait for the link, which takes nothing in while the connection is lost.
    pub(super) fn in_flight_max(self) -> usize {
        match self {
            Pace::OneByOne => 1,
            Pace::AsTyped => 128,
        }
    }
}

/// How a chat ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChatOutcome {
    /// The link says why.
    Ended(Ended),
    /// The client left while so many commands had no answer.
    Unanswered(usize),
    /// The client left while the connection was lost.
    Away(Undone),
    /// Nobody reads what is shown.
    OutputGone,
}

/// What was typed and not done, or perhaps not, because the connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Undone {
    /// So many commands were sent before that, and have no answer.
    pub(crate) unanswered: usize,
    /// So many were typed since.
    pub(crate) unsent: usize,
}

/// What a chat is made of.
pub(crate) struct Parts {
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) typed: mpsc::Receiver<Typed>,
    /// Whom this person does not want to hear.
    pub(crate) ignore: IgnoreList,
    /// What they have chosen, in this run or an earlier one.
    pub(crate) settings: Settings,
    /// Whether they see the time, in this run.
    pub(crate) times: Times,
    /// Told when the one who types leaves: that need not wait for the lines before it.
    pub(crate) left: Arc<Notify>,
    pub(crate) list_requests: mpsc::Receiver<ListRequest>,
    pub(crate) directory: Directory,
    pub(crate) published: Arc<ArcSwap<Directory>>,
    /// Where every line is said that is typed, if anywhere.
    pub(crate) open: OpenConversation,
    pub(crate) view: View,
    pub(crate) pace: Pace,
    /// How long the server keeps what is said.
    pub(crate) retention: Retention,
    /// The newest event that was behind this person when they came.
    pub(crate) arrived: Seq,
    /// When they were here last, as far as that is known.
    pub(crate) last_here: Option<UnixMillis>,
    /// Messages of an earlier run that are sent again.
    pub(crate) sent_again: usize,
    pub(crate) name: UserName,
    /// What a pipe registers its name with.
    pub(crate) password: Option<Password>,
}
