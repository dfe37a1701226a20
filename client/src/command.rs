//! The commands, as a table: one row gives a command's name, usage, help, parser and what Tab completes.

use chatroom_proto::{
    Body, BodyError, Conversation, GroupName, NameError, PostId, Request, Seq, UserName, Words, WordsError,
};

/// How many messages of a history, or that were found, are shown when nobody says how many: a screen.
pub(crate) const HISTORY_COUNT: u16 = 20;

/// The most of them that can be asked for: hours of a busy group.
pub(crate) const HISTORY_COUNT_MAX: u16 = 1_000;

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Create(GroupName),
    Join(GroupName),
    Leave(GroupName),
    Groups,
    Users,
    Public(GroupName, Body),
    Private(UserName, Body),
    /// So many messages of a conversation.
    History(Conversation, u16),
    /// In one group, or everywhere.
    Search(Words, Option<GroupName>),
    /// Make one's name one's own. This and the next two need passwords, which are never on the line.
    Register,
    ChangePassword,
    Unregister,
    Exit,
    /// Of one command, or of all.
    Help(Option<&'static Row>),
}

impl Command {
    /// Whether passwords have to be asked for.
    pub(crate) fn needs_password(&self) -> bool {
        matches!(self, Command::Register | Command::ChangePassword | Command::Unregister)
    }

    /// What to ask the server; nothing when it is none of its business. `id` becomes a post's identity.
    pub(crate) fn into_request(self, id: PostId) -> Option<Request> {
        Some(match self {
            Command::Create(group) => Request::Create { group },
            Command::Join(group) => Request::Join { group },
            Command::Leave(group) => Request::Leave { group },
            Command::Groups => Request::Groups { after: Seq::ZERO },
            Command::Users => Request::Users { after: Seq::ZERO },
            Command::Public(group, body) => Request::Public { group, id, body },
            Command::Private(to, body) => Request::Private { to, id, body },
            Command::History(of, count) => Request::History { of, before: Seq::ZERO, count },
            Command::Search(words, within) => {
                Request::Search { words, within, before: Seq::ZERO, count: HISTORY_COUNT }
            }
            Command::Exit => Request::Exit,
            Command::Register | Command::ChangePassword | Command::Unregister | Command::Help(_) => {
                return None;
            }
        })
    }
}

/// One command.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// As the assignment writes them; empty when there are none.
    pub(crate) arguments: &'static str,
    /// One line, for the list of all commands.
    pub(crate) brief: &'static str,
    /// What `help` says about this one.
    pub(crate) help: &'static str,
    /// What Tab completes after the command's name.
    pub(crate) completes: Completes,
    parse: fn(&'static Row, &str) -> Result<Command, Mistake>,
}

/// What a command's first argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completes {
    Nothing,
    /// Groups that one is not in.
    OtherGroups,
    /// Groups that one is in.
    OwnGroups,
    /// Everybody but oneself.
    OtherUsers,
    /// Groups that one is in, and everybody but oneself behind an `@`.
    Conversations,
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
pub(crate) enum Mistake {
    UnknownCommand {
        word: String,
        meant: Option<&'static str>,
    },
    /// Something is missing.
    Missing {
        row: &'static Row,
        what: &'static str,
    },
    /// There is more on the line than the command takes.
    TooMuch {
        row: &'static Row,
    },
    BadName {
        row: &'static Row,
        name: String,
        error: NameError,
    },
    BadMessage {
        error: BodyError,
    },
    BadCount {
        row: &'static Row,
        count: String,
    },
    BadWords {
        error: WordsError,
    },
}

/// The first so many are the assignment's.
pub(crate) const ASSIGNED: usize = 8;

/// All commands: those of the assignment in its order, then ours.
pub(crate) const TABLE: &[Row] = &[
    Row {
        name: "create",
        arguments: "[group-name]",
        brief: "make a new group chat",
        help: "Makes a new group chat. It is yours, but you are not in it yet: join it next.",
        completes: Completes::Nothing,
        parse: |row, rest| group(row, rest).map(Command::Create),
    },
    Row {
        name: "join",
        arguments: "[group-name]",
        brief: "become a member of a group chat",
        help: "Makes you a member of a group chat: you read what is said there, and can speak.",
        completes: Completes::OtherGroups,
        parse: |row, rest| group(row, rest).map(Command::Join),
    },
    Row {
        name: "leave",
        arguments: "[group-name]",
        brief: "stop being a member of a group chat",
        help: "Ends your membership of a group chat. The group stays; you can join it again.",
        completes: Completes::OwnGroups,
        parse: |row, rest| group(row, rest).map(Command::Leave),
    },
    Row {
        name: "groups",
        arguments: "",
        brief: "list the group chats",
        help: "Lists all group chats, the oldest first.",
        completes: Completes::Nothing,
        parse: |row, rest| nothing(row, rest).map(|()| Command::Groups),
    },
    Row {
        name: "users",
        arguments: "",
        brief: "list who is online",
        help: "Lists everybody who is online, in the order in which they came.",
        completes: Completes::Nothing,
        parse: |row, rest| nothing(row, rest).map(|()| Command::Users),
    },
    Row {
        name: "public",
        arguments: "[group-name] [message]",
        brief: "say something in a group chat",
        help: "Says something in a group chat that you are in. The message is the rest of the\n\
               line; a text of several lines that you paste is one message.",
        completes: Completes::OwnGroups,
        parse: |row, rest| {
            let (group, body) = name_and_message(row, rest, "the name of a group")?;
            Ok(Command::Public(parse_group(row, group)?, body))
        },
    },
    Row {
        name: "private",
        arguments: "[username] [message]",
        brief: "say something to one person",
        help: "Says something to one person; nobody else reads it. The message is the rest of\n\
               the line; a text of several lines that you paste is one message.",
        completes: Completes::OtherUsers,
        parse: |row, rest| {
            let (user, body) = name_and_message(row, rest, "the name of a user")?;
            Ok(Command::Private(parse_user(row, user)?, body))
        },
    },
    Row {
        name: "exit",
        arguments: "",
        brief: "leave the chat",
        help: "Leaves the chat. Ctrl-D on an empty line does the same.",
        completes: Completes::Nothing,
        parse: |row, rest| nothing(row, rest).map(|()| Command::Exit),
    },
    Row {
        name: "history",
        arguments: "[group-name|@username] [count]",
        brief: "read what was said, the newest last",
        help: "Shows what was said in a group chat that you are in, or between you and one\n\
               person (history @Jim): the last 20 messages, or as many as you say, up to 1000.",
        completes: Completes::Conversations,
        parse: history,
    },
    Row {
        name: "search",
        arguments: "[words] [in group-name]",
        brief: "find what was said, the newest first",
        help: "Finds messages that have all of these words in them, in your group chats and in\n\
               what was said to you or by you alone: the newest 20. With 'in' and the name of a\n\
               group chat at the end, only there. To find the word 'in' itself, put it first.",
        completes: Completes::Nothing,
        parse: search,
    },
    Row {
        name: "register",
        arguments: "",
        brief: "make your name your own, with a password",
        help: "Makes your name your own: nobody else can come under it, and you can, from\n\
               several places at once. You are asked for a password, which is not shown.",
        completes: Completes::Nothing,
        parse: |row, rest| nothing(row, rest).map(|()| Command::Register),
    },
    Row {
        name: "passwd",
        arguments: "",
        brief: "change your password",
        help: "Changes the password of your name. Your other devices are hung up on, and need\n\
               the new one.",
        completes: Completes::Nothing,
        parse: |row, rest| nothing(row, rest).map(|()| Command::ChangePassword),
    },
    Row {
        name: "unregister",
        arguments: "",
        brief: "give your registered name up, and leave",
        help: "Gives your name up, with everything that is yours: you leave, your devices and\n\
               memberships are forgotten, and the name is free. What you said stays.",
        completes: Completes::Nothing,
        parse: |row, rest| nothing(row, rest).map(|()| Command::Unregister),
    },
    Row {
        name: "help",
        arguments: "[command]",
        brief: "explain the commands, or one of them",
        help: "Explains one command, or lists them all.",
        completes: Completes::Commands,
        parse: help,
    },
];

/// Reads a line; nothing when it is blank.
pub(crate) fn parse(line: &str) -> Result<Option<Command>, Mistake> {
    let (word, rest) = first_word(line);
    if word.is_empty() {
        return Ok(None);
    }
    let row = find(word)?;
    (row.parse)(row, rest).map(Some)
}

/// The row of a command's name, in any case.
pub(crate) fn row(word: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(word))
}

/// The first word, and what follows it and one run of white space.
pub(crate) fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn find(word: &str) -> Result<&'static Row, Mistake> {
    row(word).ok_or_else(|| {
        let meant = crate::directory::closest(word, TABLE.iter().map(|row| row.name));
        Mistake::UnknownCommand { word: word.to_owned(), meant }
    })
}

fn nothing(row: &'static Row, rest: &str) -> Result<(), Mistake> {
    if rest.is_empty() { Ok(()) } else { Err(Mistake::TooMuch { row }) }
}

fn group(row: &'static Row, rest: &str) -> Result<GroupName, Mistake> {
    let (name, more) = first_word(rest);
    if name.is_empty() {
        return Err(Mistake::Missing { row, what: "the name of a group" });
    }
    nothing(row, more)?;
    parse_group(row, name)
}

fn parse_group(row: &'static Row, name: &str) -> Result<GroupName, Mistake> {
    GroupName::parse(name).map_err(|error| Mistake::BadName { row, name: name.to_owned(), error })
}

fn parse_user(row: &'static Row, name: &str) -> Result<UserName, Mistake> {
    UserName::parse(name).map_err(|error| Mistake::BadName { row, name: name.to_owned(), error })
}

fn name_and_message<'a>(
    row: &'static Row,
    rest: &'a str,
    whose: &'static str,
) -> Result<(&'a str, Body), Mistake> {
    let (name, message) = first_word(rest);
    if name.is_empty() {
        return Err(Mistake::Missing { row, what: whose });
    }
    match Body::parse(&normalize(message)) {
        Ok(body) => Ok((name, body)),
        Err(BodyError::Empty) => Err(Mistake::Missing { row, what: "a message" }),
        Err(error) => Err(Mistake::BadMessage { error }),
    }
}

fn history(row: &'static Row, rest: &str) -> Result<Command, Mistake> {
    let (place, rest) = first_word(rest);
    let (count, more) = first_word(rest);
    let of = match place.strip_prefix('@') {
        _ if place.is_empty() => {
            return Err(Mistake::Missing { row, what: "the name of a group, or @ and the name of a user" });
        }
        Some(user) => Conversation::User(parse_user(row, user)?),
        None => Conversation::Group(parse_group(row, place)?),
    };
    nothing(row, more)?;
    if count.is_empty() {
        return Ok(Command::History(of, HISTORY_COUNT));
    }
    match count.parse() {
        Ok(number @ 1..=HISTORY_COUNT_MAX) => Ok(Command::History(of, number)),
        _ => Err(Mistake::BadCount { row, count: count.to_owned() }),
    }
}

fn search(row: &'static Row, rest: &str) -> Result<Command, Mistake> {
    let rest = normalize(rest).replace('\n', " ");
    let (words, within) = match split_within(&rest) {
        Some((words, group)) => (words, Some(group)),
        None => (rest.as_str(), None),
    };
    match Words::parse(words) {
        Ok(words) => Ok(Command::Search(words, within)),
        Err(WordsError::Empty) => Err(Mistake::Missing { row, what: "words to look for" }),
        Err(error) => Err(Mistake::BadWords { error }),
    }
}

/// Takes `in GROUP` off the end of a text, if something stands before it.
fn split_within(text: &str) -> Option<(&str, GroupName)> {
    let (before, group) = text.trim_end().rsplit_once(char::is_whitespace)?;
    let (words, word) = before.trim_end().rsplit_once(char::is_whitespace)?;
    let is_in = word.eq_ignore_ascii_case("in") && !words.trim().is_empty();
    is_in.then(|| GroupName::parse(group).ok()).flatten().map(|group| (words, group))
}

/// A message has one kind of line end, and no tabs: what a tab looks like is the reader's terminal's affair.
fn normalize(message: &str) -> String {
    message.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ")
}

fn help(row: &'static Row, rest: &str) -> Result<Command, Mistake> {
    let (word, more) = first_word(rest);
    nothing(row, more)?;
    if word.is_empty() {
        return Ok(Command::Help(None));
    }
    find(word).map(|about| Command::Help(Some(about)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group_name(name: &str) -> GroupName {
        GroupName::parse(name).unwrap()
    }

    fn message(line: &str) -> String {
        match parse(line).unwrap().unwrap() {
            Command::Public(_, body) | Command::Private(_, body) => body.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_eight_commands_and_help_are_read_in_any_case() {
        assert_eq!(parse("create G1"), Ok(Some(Command::Create(group_name("G1")))));
        assert_eq!(parse("  JOIN\tG1 "), Ok(Some(Command::Join(group_name("G1")))));
        assert_eq!(parse("Leave G1"), Ok(Some(Command::Leave(group_name("G1")))));
        assert_eq!(parse("groups"), Ok(Some(Command::Groups)));
        assert_eq!(parse("users "), Ok(Some(Command::Users)));
        assert_eq!(parse("exit"), Ok(Some(Command::Exit)));
        assert_eq!(parse("help"), Ok(Some(Command::Help(None))));
        assert_eq!(parse("help Join"), Ok(Some(Command::Help(row("join")))));
        assert_eq!(message("public G1 Hey Michael, What's up?"), "Hey Michael, What's up?");
        assert_eq!(message("private George sure"), "sure");
    }

    #[test]
    fn a_blank_line_asks_for_nothing() {
        for line in ["", " ", "\t \n"] {
            assert_eq!(parse(line), Ok(None));
        }
    }

    #[test]
    fn a_message_is_the_rest_of_the_line_to_the_character() {
        assert_eq!(message("public G1   two  spaces  "), "two  spaces  ");
        assert_eq!(message("public G1 a\tb"), "a    b");
        assert_eq!(message("public G1 one\r\ntwo\rthree\nfour"), "one\ntwo\nthree\nfour");
        assert_eq!(message("public G1\nfirst\n  second"), "first\n  second");
        assert_eq!(message("private علی سلام، می‌خواهم"), "سلام، می‌خواهم");
    }

    #[test]
    fn what_is_missing_or_too_much_is_said_with_the_row() {
        let missing = |name, what| Err(Mistake::Missing { row: row(name).unwrap(), what });
        assert_eq!(parse("join"), missing("join", "the name of a group"));
        assert_eq!(parse("public"), missing("public", "the name of a group"));
        assert_eq!(parse("public G1  "), missing("public", "a message"));
        assert_eq!(parse("private"), missing("private", "the name of a user"));
        let too_much = |name| Err(Mistake::TooMuch { row: row(name).unwrap() });
        assert_eq!(parse("join a b"), too_much("join"));
        assert_eq!(parse("exit now"), too_much("exit"));
        assert_eq!(parse("users\nexit"), too_much("users"));
        assert_eq!(parse("help a b"), too_much("help"));
    }

    #[test]
    fn a_history_is_of_a_group_or_of_a_person_and_of_any_moderate_length() {
        let tea = || Conversation::Group(group_name("tea"));
        let jim = Conversation::User(UserName::parse("Jim").unwrap());
        assert_eq!(parse("history tea"), Ok(Some(Command::History(tea(), 20))));
        assert_eq!(parse("history tea 1000"), Ok(Some(Command::History(tea(), 1_000))));
        assert_eq!(parse("History @Jim 3"), Ok(Some(Command::History(jim, 3))));
        for count in ["0", "1001", "-1", "all", "70000"] {
            let row = row("history").unwrap();
            let bad = Mistake::BadCount { row, count: count.to_owned() };
            assert_eq!(parse(&format!("history tea {count}")), Err(bad));
        }
        assert!(matches!(parse("history"), Err(Mistake::Missing { .. })));
        assert!(matches!(parse("history @"), Err(Mistake::BadName { .. })));
        assert!(matches!(parse("history tea 3 4"), Err(Mistake::TooMuch { .. })));
    }

    #[test]
    fn a_search_ends_with_a_group_only_where_one_can_be_meant() {
        let found = |line: &str| match parse(line) {
            Ok(Some(Command::Search(words, within))) => {
                (words.as_str().to_owned(), within.map(|group| group.to_string()))
            }
            other => panic!("{line}: {other:?}"),
        };
        let expect = |words: &str, within: Option<&str>| (words.to_owned(), within.map(str::to_owned));
        assert_eq!(found("search green  tea"), expect("green  tea", None));
        assert_eq!(found("search green tea in Kitchen"), expect("green tea", Some("Kitchen")));
        assert_eq!(found("search tea IN Kitchen "), expect("tea", Some("Kitchen")));
        assert_eq!(found("search in Kitchen"), expect("in Kitchen", None));
        assert_eq!(found("search tea in"), expect("tea in", None));
        let no_name = "x".repeat(33);
        assert_eq!(found(&format!("search tea in {no_name}")), expect(&format!("tea in {no_name}"), None));
        assert!(matches!(parse("search "), Err(Mistake::Missing { .. })));
        let long = format!("search {}", "x".repeat(300));
        assert_eq!(parse(&long), Err(Mistake::BadWords { error: WordsError::TooLong { bytes: 300 } }));
    }

    #[test]
    fn bad_names_and_messages_are_stopped_here() {
        assert!(matches!(
            parse(&format!("join {}", "x".repeat(33))),
            Err(Mistake::BadName { error: NameError::TooLong { chars: 33 }, .. })
        ));
        assert!(matches!(
            parse("public G1 bell\u{7}"),
            Err(Mistake::BadMessage { error: BodyError::Control('\u{7}'), .. })
        ));
        assert!(matches!(
            parse(&format!("public G1 {}", "x".repeat(8_001))),
            Err(Mistake::BadMessage { error: BodyError::TooLong { bytes: 8_001 }, .. })
        ));
    }

    #[test]
    fn an_unknown_command_comes_with_the_one_that_was_meant() {
        let unknown = |word: &str, meant| Err(Mistake::UnknownCommand { word: word.to_owned(), meant });
        assert_eq!(parse("jion G1"), unknown("jion", Some("join")));
        assert_eq!(parse("PUBLC x y"), unknown("PUBLC", Some("public")));
        assert_eq!(parse("hello everybody"), unknown("hello", None));
        assert_eq!(parse("help user"), unknown("user", Some("users")));
    }

    #[test]
    fn each_command_but_help_asks_the_server() {
        let id = PostId([7; 16]);
        assert_eq!(Command::Exit.into_request(id), Some(Request::Exit));
        assert_eq!(Command::Help(None).into_request(id), None);
        let Some(Request::Private { id: sent, .. }) =
            parse("private Ann hi").unwrap().unwrap().into_request(id)
        else {
            panic!("private is a request");
        };
        assert_eq!(sent, id);
    }
}
