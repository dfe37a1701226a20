//! The commands with which one follows a chat, and those for one's account.

use chatroom_proto::{Request, Seq};

use crate::app::bell::Bell;
use crate::app::command::arguments::{choice, nothing, open, user, user_or_none, with_passwords};
use crate::app::command::row::TypedCommand::{self, Ask};
use crate::app::command::row::{Completes, PasswordCommand, Row};

/// Following several conversations, and people in them.
pub(super) const FOLLOWING: &[Row] = &[
    Row {
        name: "open",
        arguments: "[group-name|@username]",
        brief: "say every line that you type there",
        help: "From then on every line that you type is said in that group chat, or to that\n\
               person (open @Jim). A line that begins with / is a command (/users, /close), and\n\
               one that begins with // is a message. Alone, says what is open.",
        completes: &[Completes::Conversations],
        parse: open,
    },
    Row {
        name: "close",
        arguments: "",
        brief: "type commands again",
        help: "Ends what 'open' began: every line that you type is a command again.",
        completes: &[],
        parse: |row, rest| nothing(row, rest).map(|()| TypedCommand::Close),
    },
    Row {
        name: "unread",
        arguments: "",
        brief: "list what you have not seen",
        help: "Lists the conversations with messages that came while you were away, or while\n\
               another conversation was open, and who said how many, until you look there:\n\
               open it, speak there, or read its history.",
        completes: &[],
        parse: |row, rest| nothing(row, rest).map(|()| TypedCommand::Unread),
    },
    Row {
        name: "who",
        arguments: "[username]",
        brief: "say whether somebody is here",
        help: "Says whether somebody is here, or away since when, and which group chats you\n\
               share. Without a name, lists who is online.",
        completes: &[Completes::AllUsers],
        parse: |row, rest| {
            Ok(Ask(match user_or_none(row, rest)? {
                Some(user) => Request::Who { user },
                None => Request::Users { after: Seq::ZERO },
            }))
        },
    },
    Row {
        name: "times",
        arguments: "[on|off]",
        brief: "show the time before what arrives",
        help: "Shows the time before what arrives, and a line between days, in this run and the\n\
               next. Alone, says whether it is shown.",
        completes: &[Completes::Words(&["on", "off"])],
        parse: |row, rest| {
            choice(row, rest, [("on", true), ("off", false)]).map(TypedCommand::Times)
        },
    },
    Row {
        name: "bell",
        arguments: "[off|mentions|all]",
        brief: "ring when something is said",
        help: "Rings the terminal's bell, in this run and the next: for private messages and\n\
               those with your name in them (mentions), or for every message (all).",
        completes: &[Completes::Words(&["off", "mentions", "all"])],
        parse: |row, rest| choice(row, rest, Bell::WORDS).map(TypedCommand::RingFor),
    },
    Row {
        name: "ignore",
        arguments: "[username]",
        brief: "hear nothing of what somebody says",
        help: "Shows you nothing more of what somebody says, to all or to you alone, until you\n\
               'unignore' them. Nobody is told. Without a name, lists whom you ignore.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| Ok(TypedCommand::Ignore(user_or_none(row, rest)?)),
    },
    Row {
        name: "unignore",
        arguments: "[username]",
        brief: "hear what somebody says again",
        help: "Shows you again what somebody says whom you ignored.",
        completes: &[Completes::AllUsers],
        parse: |row, rest| user(row, rest).map(TypedCommand::Unignore),
    },
];

/// One's account.
pub(super) const YOUR_NAME: &[Row] = &[
    Row {
        name: "register",
        arguments: "",
        brief: "make your name your own, with a password",
        help: "Makes your name your own: nobody else can come under it, and you can, from\n\
               several places at once. You are asked for a password, which is not shown.",
        completes: &[],
        parse: |row, rest| with_passwords(row, rest, PasswordCommand::Register),
    },
    Row {
        name: "passwd",
        arguments: "",
        brief: "change your password",
        help: "Changes the password of your name. Your other devices are hung up on, and need\n\
               the new one.",
        completes: &[],
        parse: |row, rest| with_passwords(row, rest, PasswordCommand::ChangePassword),
    },
    Row {
        name: "unregister",
        arguments: "",
        brief: "give your registered name up, and leave",
        help: "Gives your name up, with everything that is yours: you leave, your devices and\n\
               memberships are forgotten, and the name is free. What you said stays.",
        completes: &[],
        parse: |row, rest| with_passwords(row, rest, PasswordCommand::Unregister),
    },
];
