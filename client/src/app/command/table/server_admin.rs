//! The rows of those who run the server.

use chatroom_proto::{Operation, Request, Seq};

use crate::app::command::arguments::{alone, code, nothing, server_ban, user, user_and_why, whom};
use crate::app::command::row::TypedCommand::Ask;
use crate::app::command::row::{Completes, Row};

/// What operators of the server do.
pub(super) const SERVER_ADMIN: &[Row] = &[
    Row {
        name: "operator",
        arguments: "[code]",
        brief: "become one, with the code that the server shows",
        help: "Makes you an operator of the server, if you know the code that it shows to those\n\
               who run it as long as nobody is one. This line is not kept in your history.",
        completes: &[],
        parse: code,
    },
    Row {
        name: "appoint",
        arguments: "[username]",
        brief: "make somebody an operator of the server",
        help: "Makes somebody an operator of the server: they may keep order in every group\n\
               chat, and do all that is listed here.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| {
            Ok(Ask(Request::Operate { act: Operation::Appoint { user: user(row, rest)? } }))
        },
    },
    Row {
        name: "dismiss",
        arguments: "[username]",
        brief: "make somebody an operator of the server no longer",
        help: "Makes somebody an operator of the server no longer; also yourself.",
        completes: &[Completes::AllUsers],
        parse: |row, rest| {
            Ok(Ask(Request::Operate { act: Operation::Dismiss { user: user(row, rest)? } }))
        },
    },
    Row {
        name: "clients",
        arguments: "",
        brief: "list everybody's address, name and groups",
        help: "Lists who is there, in the order in which they came: name, address and groups.",
        completes: &[],
        parse: |row, rest| alone(row, rest, Request::Clients { after: Seq::ZERO }),
    },
    Row {
        name: "disconnect",
        arguments: "[username] [reason]",
        brief: "end somebody's stay, who may come again",
        help: "Ends somebody's stay. Their program does not come back by itself; they may.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| {
            let (user, reason) = user_and_why(row, rest)?;
            Ok(Ask(Request::Operate { act: Operation::Disconnect { user, reason } }))
        },
    },
    Row {
        name: "server-ban",
        arguments: "[username|address] [10m|2h|7d] [reason]",
        brief: "let nobody in who has a name or an address",
        help: "Lets nobody in any more who has that name, or comes from that address: for so\n\
               many minutes, hours or days, or until you lift it with 'server-unban'. Who is\n\
               there ends their stay. The name is one that somebody has or had lately.\n\
               Addresses are written so: 192.0.2.1, 192.0.2.0/24, 192.0.2.*, 2001:db8::1,\n\
               2001:db8::/32. Write @ before a name that looks like an address.",
        completes: &[Completes::OtherUsers],
        parse: server_ban,
    },
    Row {
        name: "server-unban",
        arguments: "[username|address]",
        brief: "let them in again",
        help: "Lifts a ban from the server: of a name, or of addresses as 'server-bans' lists\n\
               them.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| {
            let (whom, more) = whom(row, rest)?;
            nothing(row, more)?;
            Ok(Ask(Request::Operate { act: Operation::Unban { whom } }))
        },
    },
    Row {
        name: "server-bans",
        arguments: "",
        brief: "list who may not come to the server",
        help: "Lists who may not come to the server, who says so, and why.",
        completes: &[],
        parse: |row, rest| alone(row, rest, Request::ServerBans { after: Seq::ZERO }),
    },
];
