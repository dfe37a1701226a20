//! The rows. To add a command is to add a row: help, usage, Tab and hints follow from it.

mod following;
mod moderation;
mod server_admin;

use chatroom_proto::{Conversation, Request, Seq};

use super::arguments::{
    alone, delete, first_word, group, history, name_and_message, nothing, parse_group, parse_user,
    search,
};
use super::meant::meant;
use super::row::TypedCommand::{self, Ask, Say};
use super::row::{Completes, HelpPage, HelpTopic, Mistake, Row, Section};
use following::{FOLLOWING, YOUR_NAME};
use moderation::MODERATION;
use server_admin::SERVER_ADMIN;

/// The first so many are the assignment's.
pub const ASSIGNED: usize = 8;

/// All commands, in the order in which `help` lists them.
pub const SECTIONS: [(Section, &[Row]); 6] = [
    (Section::Chatting, CHATTING),
    (Section::Following, FOLLOWING),
    (Section::Following, HELP),
    (Section::YourName, YOUR_NAME),
    (Section::Moderation, MODERATION),
    (Section::ServerAdmin, SERVER_ADMIN),
];

/// All commands, in that order.
pub fn rows() -> impl Iterator<Item = &'static Row> + Clone {
    SECTIONS.into_iter().flat_map(|(_, rows)| rows)
}

/// The row of a command's name, in any case.
pub fn row(word: &str) -> Option<&'static Row> {
    rows().find(|row| row.name.eq_ignore_ascii_case(word))
}

/// The same; otherwise says which command may have been meant.
pub(super) fn find(word: &str) -> Result<&'static Row, Mistake> {
    row(word).ok_or_else(|| {
        let meant = meant(word, rows().map(|row| row.name));
        Mistake::UnknownCommand { word: word.to_owned(), meant }
    })
}

fn help(row: &'static Row, rest: &str) -> Result<TypedCommand, Mistake> {
    let (word, more) = first_word(rest);
    nothing(row, more)?;
    if word.is_empty() {
        return Ok(TypedCommand::Help(HelpTopic::Page(HelpPage::Chat)));
    }
    let named = HelpPage::NAMED.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    Ok(TypedCommand::Help(match named {
        Some((_, page)) => HelpTopic::Page(page),
        None => HelpTopic::Command(find(word)?),
    }))
}

/// What a chat takes: those of the assignment first, in its order.
const CHATTING: &[Row] = &[
    Row {
        name: "create",
        arguments: "[group-name]",
        brief: "make a new group chat",
        help: "Makes a new group chat. It is yours, but you are not in it yet: join it next.",
        completes: &[],
        parse: |row, rest| Ok(Ask(Request::Create { group: group(row, rest)? })),
    },
    Row {
        name: "join",
        arguments: "[group-name]",
        brief: "become a member of a group chat",
        help: "Makes you a member of a group chat: you read what is said there, and can speak.",
        completes: &[Completes::OtherGroups],
        parse: |row, rest| Ok(Ask(Request::Join { group: group(row, rest)? })),
    },
    Row {
        name: "leave",
        arguments: "[group-name]",
        brief: "stop being a member of a group chat",
        help: "Ends your membership of a group chat. The group stays; you can join it again.",
        completes: &[Completes::OwnGroups],
        parse: |row, rest| Ok(Ask(Request::Leave { group: group(row, rest)? })),
    },
    Row {
        name: "groups",
        arguments: "",
        brief: "list the group chats",
        help: "Lists all group chats, the oldest first.",
        completes: &[],
        parse: |row, rest| alone(row, rest, Request::Groups { after: Seq::ZERO }),
    },
    Row {
        name: "users",
        arguments: "",
        brief: "list who is online",
        help: "Lists everybody who is online, in the order in which they came.",
        completes: &[],
        parse: |row, rest| alone(row, rest, Request::Users { after: Seq::ZERO }),
    },
    Row {
        name: "public",
        arguments: "[group-name] [message]",
        brief: "say something in a group chat",
        help: "Says something in a group chat that you are in. The message is the rest of the\n\
               line; a text of several lines that you paste is one message.",
        completes: &[Completes::OwnGroups],
        parse: |row, rest| {
            let (group, body) = name_and_message(row, rest, "the name of a group")?;
            Ok(Say(Conversation::Group(parse_group(row, group)?), body))
        },
    },
    Row {
        name: "private",
        arguments: "[username] [message]",
        brief: "say something to one person",
        help: "Says something to one person; nobody else reads it. The message is the rest of\n\
               the line; a text of several lines that you paste is one message.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| {
            let (user, body) = name_and_message(row, rest, "the name of a user")?;
            Ok(Say(Conversation::User(parse_user(row, user)?), body))
        },
    },
    Row {
        name: "exit",
        arguments: "",
        brief: "leave the chat",
        help: "Leaves the chat. Ctrl-D on an empty line does the same.",
        completes: &[],
        parse: |row, rest| nothing(row, rest).map(|()| TypedCommand::Exit),
    },
    Row {
        name: "history",
        arguments: "[group-name|@username] [count]",
        brief: "read what was said, the newest last",
        help: "Shows what was said in a group chat that you are in, or between you and one\n\
               person (history @Jim): the last 20 messages, or as many as you say, up to 1000.",
        completes: &[Completes::Conversations],
        parse: history,
    },
    Row {
        name: "search",
        arguments: "[words] [in group-name]",
        brief: "find what was said, the newest first",
        help: "Finds messages that have all of these words in them, in your group chats and in\n\
               what was said to you or by you alone: the newest 20. With 'in' and the name of a\n\
               group chat at the end, only there. To find the word 'in' itself, put it first.",
        completes: &[],
        parse: search,
    },
    Row {
        name: "delete",
        arguments: "[last|number]",
        brief: "take back what you said",
        help: "Removes what you said last, or the message with this number, which 'history'\n\
               shows: delete 123. The text is gone for everybody; that something was said, and\n\
               who removed it, stays. Who keeps order in a group chat can remove there what\n\
               others said.",
        completes: &[Completes::NewestPost],
        parse: delete,
    },
];

/// Itself.
const HELP: &[Row] = &[Row {
    name: "help",
    arguments: "[command]",
    brief: "explain the commands, or one of them",
    help: "Explains one command, or shows a page of them: help alone, help groups,\n\
           help order, help server, help keys.",
    completes: &[Completes::Topics],
    parse: help,
}];
