//! One command of the table, what a line becomes with it, and why a line is no command.

use chatroom_proto::{
    Body, BodyError, CodeError, Conversation, LineError, NameError, PostId, Request,
    SearchQueryError, UserName,
};

use crate::app::bell::Bell;

/// How many messages of a history, or that were found, are shown when nobody says how many: a
/// screen.
pub const HISTORY_COUNT: u16 = 20;

/// The most of them that can be asked for: hours of a busy group.
pub const HISTORY_COUNT_MAX: u16 = 1_000;

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypedCommand {
    /// To ask the server this.
    Ask(Request),
    /// To say something in a group, or to one person. The post gets its identity when it is sent.
    Say(Conversation, Body),
    /// To ask the server something with passwords.
    AskWithPasswords(PasswordCommand),
    /// To hear nothing of somebody; or to show whom one hears nothing of.
    Ignore(Option<UserName>),
    /// To hear somebody again.
    Unignore(UserName),
    /// To say every line in a conversation from now on; or to show which is open.
    Open(Option<Conversation>),
    /// To type commands again.
    Close,
    /// To show what was not seen.
    Unread,
    /// To show the time before what arrives, or not; or to say whether it is shown.
    Times(Option<bool>),
    /// To ring for this; or to say what it rings for.
    RingFor(Option<Bell>),
    /// To take back what this person has said last.
    DeleteLast,
    /// To leave the chat.
    Exit,
    /// To explain commands.
    Help(HelpTopic),
}

/// What is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelpTopic {
    /// So many that they fit a screen.
    Page(HelpPage),
    /// One.
    Command(&'static Row),
}

/// A page of help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelpPage {
    /// What a chat takes, and which pages there are.
    Chat,
    /// Groups, people and one's name.
    Groups,
    /// Moderating a group.
    Order,
    /// Operating the server.
    Server,
    /// What keys do.
    Keys,
}

impl HelpPage {
    /// Those that have to be asked for by name.
    pub const NAMED: [(&'static str, HelpPage); 4] = [
        ("groups", HelpPage::Groups),
        ("order", HelpPage::Order),
        ("server", HelpPage::Server),
        ("keys", HelpPage::Keys),
    ];
}

/// What is asked with passwords, which are never on the line: they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordCommand {
    /// Make one's name one's own.
    Register,
    /// Change the password.
    ChangePassword,
    /// Give the name up.
    Unregister,
}

impl TypedCommand {
    /// What to ask the server; nothing when this program does something else first.
    /// `id` becomes a post's identity.
    pub fn into_request(self, id: PostId) -> Option<Request> {
        Some(match self {
            TypedCommand::Ask(request) => request,
            TypedCommand::Say(Conversation::Group(group), body) => {
                Request::Public { group, id, body }
            }
            TypedCommand::Say(Conversation::User(to), body) => Request::Private { to, id, body },
            TypedCommand::AskWithPasswords(_)
            | TypedCommand::Ignore(_)
            | TypedCommand::Unignore(_)
            | TypedCommand::Open(_)
            | TypedCommand::Close
            | TypedCommand::Unread
            | TypedCommand::Times(_)
            | TypedCommand::RingFor(_)
            | TypedCommand::DeleteLast
            | TypedCommand::Exit
            | TypedCommand::Help(_) => return None,
        })
    }
}

/// One command.
#[derive(Debug)]
pub struct Row {
    /// What a person types, in small letters.
    pub name: &'static str,
    /// As the assignment writes them; empty when there are none. What is written `[code]` is a
    /// secret: a line with it is kept nowhere.
    pub arguments: &'static str,
    /// One line, for the list of all commands.
    pub brief: &'static str,
    /// What `help` says about this one.
    pub help: &'static str,
    /// What Tab completes after the command's name, word by word.
    pub completes: &'static [Completes],
    pub(super) parse: fn(&'static Row, &str) -> Result<TypedCommand, Mistake>,
}

impl Row {
    /// Whether passwords are asked for when the line is this command alone.
    pub fn asks_for_passwords(&'static self) -> bool {
        matches!((self.parse)(self, ""), Ok(TypedCommand::AskWithPasswords(_)))
    }

    /// Whether an argument is a secret.
    pub(super) fn has_secret(&self) -> bool {
        self.arguments.contains("[code]")
    }
}

/// What commands are for: a part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What a chat takes.
    Chatting,
    /// Following several conversations, and people in them.
    Following,
    /// One's account.
    YourName,
    /// Moderating a group.
    Moderation,
    /// What operators of the server do.
    ServerAdmin,
}

/// What a word of a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completes {
    /// Groups that one is not in.
    OtherGroups,
    /// Groups that one is in.
    OwnGroups,
    /// All groups.
    AllGroups,
    /// Everybody but oneself.
    OtherUsers,
    /// Everybody.
    AllUsers,
    /// Groups that one is in, and everybody but oneself behind an `@`.
    Conversations,
    /// The commands' names.
    Commands,
    /// The same, and the pages of help.
    Topics,
    /// One of these words.
    Words(&'static [&'static str]),
    /// The word for what one has said last.
    NewestPost,
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.name == other.name
    }
}

impl Eq for Row {}

/// Why a line is no command. Such a line is never sent anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// The first word is no command.
    UnknownCommand {
        /// The word.
        word: String,
        /// The command that is most like it, if any is.
        meant: Option<&'static str>,
    },
    /// Something is missing.
    Missing {
        /// The command.
        row: &'static Row,
        /// What it is, with its article.
        what: &'static str,
    },
    /// There is more on the line than the command takes.
    TooMuch {
        /// The command.
        row: &'static Row,
    },
    /// A name can't be one.
    BadName {
        /// The command.
        row: &'static Row,
        /// What was typed in its place.
        name: String,
        /// Why not.
        error: NameError,
    },
    /// What somebody is banned by can be no name and no address.
    BadTarget {
        /// The command.
        row: &'static Row,
        /// What was typed in its place.
        target: String,
    },
    /// A message can't be one.
    BadMessage {
        /// Why not.
        error: BodyError,
    },
    /// A word is none of those that a command takes.
    BadChoice {
        /// The command.
        row: &'static Row,
        /// What was typed in its place.
        word: String,
    },
    /// A count is no number, or not in its range.
    BadCount {
        /// The command.
        row: &'static Row,
        /// What was typed in its place.
        count: String,
    },
    /// The number of a message is none.
    BadPost {
        /// The command.
        row: &'static Row,
        /// What was typed in its place.
        post: String,
    },
    /// Words to search for can't be some.
    BadWords {
        /// Why not.
        error: SearchQueryError,
    },
    /// A code of an operator can't be one.
    BadCode {
        /// Why not.
        error: CodeError,
    },
    /// A topic or a reason can't be one.
    BadLine {
        /// Why not.
        error: LineError,
    },
    /// A duration is none, or too long.
    BadDuration {
        /// The command.
        row: &'static Row,
        /// What was typed in its place.
        duration: String,
    },
}
