//! The commands, as a table: one row gives a command's name, usage, help, parser and what Tab
//! completes.

use chatroom_proto::{
    Body, BodyError, Code, CodeError, Conversation, GroupName, LineError, Moderation, NameError,
    Operation, PostId, Request, SearchQuery, SearchQueryError, Seq, UserName,
};

mod arguments;
mod table;

pub use table::{ASSIGNED, TABLE};

/// How many messages of a history, or that were found, are shown when nobody says how many: a
/// screen.
pub const HISTORY_COUNT: u16 = 20;

/// The most of them that can be asked for: hours of a busy group.
pub const HISTORY_COUNT_MAX: u16 = 1_000;

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypedCommand {
    /// Make a group.
    Create(GroupName),
    /// Become a member of a group.
    Join(GroupName),
    /// End one's membership of a group.
    Leave(GroupName),
    /// List the groups.
    Groups,
    /// List who is online.
    Users,
    /// Say something in a group.
    Public(GroupName, Body),
    /// Say something to one person.
    Private(UserName, Body),
    /// So many messages of a conversation.
    History(Conversation, u16),
    /// In one group, or everywhere.
    Search(SearchQuery, Option<GroupName>),
    /// Make one's name one's own. This and the next two need passwords, which are never on the
    /// line.
    Register,
    /// Change the password.
    ChangePassword,
    /// Give the name up.
    Unregister,
    /// Keep order in a group.
    Moderate(GroupName, Moderation),
    /// What was done there to keep order: to one person, or at all.
    Why(GroupName, Option<UserName>),
    /// Show whose a group is, its operators and its topic.
    About(GroupName),
    /// Become an operator of the server.
    Claim(Code),
    /// Do something as one.
    Operate(Operation),
    /// List everybody's name, address and groups.
    Clients,
    /// List the bans from the server.
    ServerBans,
    /// Hear nothing of somebody; or show whom one hears nothing of.
    Ignore(Option<UserName>),
    /// Hear somebody again.
    Unignore(UserName),
    /// Leave the chat.
    Exit,
    /// Explain one command, or list all.
    Help(Option<&'static Row>),
}

impl TypedCommand {
    /// Whether passwords have to be asked for.
    pub fn needs_password(&self) -> bool {
        matches!(
            self,
            TypedCommand::Register | TypedCommand::ChangePassword | TypedCommand::Unregister
        )
    }

    /// What to ask the server; nothing when it is none of its business. `id` becomes a post's
    /// identity.
    pub fn into_request(self, id: PostId) -> Option<Request> {
        Some(match self {
            TypedCommand::Create(group) => Request::Create { group },
            TypedCommand::Join(group) => Request::Join { group },
            TypedCommand::Leave(group) => Request::Leave { group },
            TypedCommand::Groups => Request::Groups { after: Seq::ZERO },
            TypedCommand::Users => Request::Users { after: Seq::ZERO },
            TypedCommand::Public(group, body) => Request::Public { group, id, body },
            TypedCommand::Private(to, body) => Request::Private { to, id, body },
            TypedCommand::History(of, count) => Request::History { of, before: Seq::ZERO, count },
            TypedCommand::Search(words, within) => {
                Request::Search { words, within, before: Seq::ZERO, count: HISTORY_COUNT }
            }
            TypedCommand::Moderate(group, act) => Request::Moderate { group, act },
            TypedCommand::Why(group, user) => Request::Why { group, user },
            TypedCommand::About(group) => Request::About { group },
            TypedCommand::Exit => Request::Exit,
            TypedCommand::Claim(code) => Request::Claim { code },
            TypedCommand::Operate(act) => Request::Operate { act },
            TypedCommand::Clients => Request::Clients { after: Seq::ZERO },
            TypedCommand::ServerBans => Request::ServerBans { after: Seq::ZERO },
            TypedCommand::Register
            | TypedCommand::ChangePassword
            | TypedCommand::Unregister
            | TypedCommand::Help(_)
            | TypedCommand::Ignore(_)
            | TypedCommand::Unignore(_) => return None,
        })
    }
}

/// One command.
#[derive(Debug)]
pub struct Row {
    /// What a person types, in small letters.
    pub name: &'static str,
    /// Where it stands in the list of all.
    pub section: Section,
    /// As the assignment writes them; empty when there are none.
    pub arguments: &'static str,
    /// One line, for the list of all commands.
    pub brief: &'static str,
    /// What `help` says about this one.
    pub help: &'static str,
    /// What Tab completes after the command's name, word by word.
    pub completes: &'static [Completes],
    parse: fn(&'static Row, &str) -> Result<TypedCommand, Mistake>,
}

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Groups, messages, and looking around.
    Chatting,
    /// One's account.
    YourName,
    /// Moderating a group.
    KeepingOrder,
    /// What operators of the server do.
    Operating,
}

impl Section {
    /// All of them, in the order of the table.
    pub const ALL: [Section; 4] =
        [Section::Chatting, Section::YourName, Section::KeepingOrder, Section::Operating];
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
    /// A message can't be one.
    BadMessage {
        /// Why not.
        error: BodyError,
    },
    /// A count is no number, or not in its range.
    BadCount {
        /// The command.
        row: &'static Row,
        /// What was typed in its place.
        count: String,
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

/// Reads a line; nothing when it is blank.
pub fn parse(line: &str) -> Result<Option<TypedCommand>, Mistake> {
    let (word, rest) = first_word(line);
    if word.is_empty() {
        return Ok(None);
    }
    let row = find(word)?;
    (row.parse)(row, rest).map(Some)
}

/// The row of a command's name, in any case.
pub fn row(word: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(word))
}

/// Whether a line has a secret in it, which is to be kept nowhere: a code, or the password that
/// somebody types behind a command that asks for it.
pub fn is_secret(line: &str) -> bool {
    let (word, rest) = first_word(line);
    let is = |name: &&str| word.eq_ignore_ascii_case(name);
    is(&"operator") || (!rest.is_empty() && ["register", "passwd", "unregister"].iter().any(is))
}

/// The first word, and what follows it and one run of white space.
pub fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn find(word: &str) -> Result<&'static Row, Mistake> {
    row(word).ok_or_else(|| {
        let meant = crate::app::directory::closest(word, TABLE.iter().map(|row| row.name));
        Mistake::UnknownCommand { word: word.to_owned(), meant }
    })
}

#[cfg(test)]
mod tests;
