//! The rows.

use chatroom_proto::{Moderation, Operation};

use super::arguments::{
    act, act_for_a_time, alone, code, group, help, history, name_and_message, nothing, parse_group,
    parse_user, search, server_ban, someone_and_why, topic, user, user_and_why, user_or_none, whom,
    why,
};
use super::{Completes, Row, Section, TypedCommand};

/// The first so many are the assignment's.
pub const ASSIGNED: usize = 8;

/// What those commands are told that do something to somebody in a group.
const SOMEBODY_IN_A_GROUP: &[Completes] = &[Completes::OwnGroups, Completes::OtherUsers];

/// All commands: those of the assignment in its order, then ours.
pub const TABLE: &[Row] = &[
    Row {
        name: "create",
        section: Section::Chatting,
        arguments: "[group-name]",
        brief: "make a new group chat",
        help: "Makes a new group chat. It is yours, but you are not in it yet: join it next.",
        completes: &[],
        parse: |row, rest| group(row, rest).map(TypedCommand::Create),
    },
    Row {
        name: "join",
        section: Section::Chatting,
        arguments: "[group-name]",
        brief: "become a member of a group chat",
        help: "Makes you a member of a group chat: you read what is said there, and can speak.",
        completes: &[Completes::OtherGroups],
        parse: |row, rest| group(row, rest).map(TypedCommand::Join),
    },
    Row {
        name: "leave",
        section: Section::Chatting,
        arguments: "[group-name]",
        brief: "stop being a member of a group chat",
        help: "Ends your membership of a group chat. The group stays; you can join it again.",
        completes: &[Completes::OwnGroups],
        parse: |row, rest| group(row, rest).map(TypedCommand::Leave),
    },
    Row {
        name: "groups",
        section: Section::Chatting,
        arguments: "",
        brief: "list the group chats",
        help: "Lists all group chats, the oldest first.",
        completes: &[],
        parse: |row, rest| alone(row, rest, TypedCommand::Groups),
    },
    Row {
        name: "users",
        section: Section::Chatting,
        arguments: "",
        brief: "list who is online",
        help: "Lists everybody who is online, in the order in which they came.",
        completes: &[],
        parse: |row, rest| alone(row, rest, TypedCommand::Users),
    },
    Row {
        name: "public",
        section: Section::Chatting,
        arguments: "[group-name] [message]",
        brief: "say something in a group chat",
        help: "Says something in a group chat that you are in. The message is the rest of the\n\
               line; a text of several lines that you paste is one message.",
        completes: &[Completes::OwnGroups],
        parse: |row, rest| {
            let (group, body) = name_and_message(row, rest, "the name of a group")?;
            Ok(TypedCommand::Public(parse_group(row, group)?, body))
        },
    },
    Row {
        name: "private",
        section: Section::Chatting,
        arguments: "[username] [message]",
        brief: "say something to one person",
        help: "Says something to one person; nobody else reads it. The message is the rest of\n\
               the line; a text of several lines that you paste is one message.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| {
            let (user, body) = name_and_message(row, rest, "the name of a user")?;
            Ok(TypedCommand::Private(parse_user(row, user)?, body))
        },
    },
    Row {
        name: "exit",
        section: Section::Chatting,
        arguments: "",
        brief: "leave the chat",
        help: "Leaves the chat. Ctrl-D on an empty line does the same.",
        completes: &[],
        parse: |row, rest| alone(row, rest, TypedCommand::Exit),
    },
    Row {
        name: "history",
        section: Section::Chatting,
        arguments: "[group-name|@username] [count]",
        brief: "read what was said, the newest last",
        help: "Shows what was said in a group chat that you are in, or between you and one\n\
               person (history @Jim): the last 20 messages, or as many as you say, up to 1000.",
        completes: &[Completes::Conversations],
        parse: history,
    },
    Row {
        name: "search",
        section: Section::Chatting,
        arguments: "[words] [in group-name]",
        brief: "find what was said, the newest first",
        help: "Finds messages that have all of these words in them, in your group chats and in\n\
               what was said to you or by you alone: the newest 20. With 'in' and the name of a\n\
               group chat at the end, only there. To find the word 'in' itself, put it first.",
        completes: &[],
        parse: search,
    },
    Row {
        name: "ignore",
        section: Section::Chatting,
        arguments: "[username]",
        brief: "hear nothing of what somebody says",
        help: "Shows you nothing more of what somebody says, to all or to you alone, until you\n\
               'unignore' them. Nobody is told. Without a name, lists whom you ignore.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| Ok(TypedCommand::Ignore(user_or_none(row, rest)?)),
    },
    Row {
        name: "unignore",
        section: Section::Chatting,
        arguments: "[username]",
        brief: "hear what somebody says again",
        help: "Shows you again what somebody says whom you ignored.",
        completes: &[Completes::AllUsers],
        parse: |row, rest| user(row, rest).map(TypedCommand::Unignore),
    },
    Row {
        name: "help",
        section: Section::Chatting,
        arguments: "[command]",
        brief: "explain the commands, or one of them",
        help: "Explains one command, or lists them all.",
        completes: &[Completes::Commands],
        parse: help,
    },
    Row {
        name: "register",
        section: Section::YourName,
        arguments: "",
        brief: "make your name your own, with a password",
        help: "Makes your name your own: nobody else can come under it, and you can, from\n\
               several places at once. You are asked for a password, which is not shown.",
        completes: &[],
        parse: |row, rest| alone(row, rest, TypedCommand::Register),
    },
    Row {
        name: "passwd",
        section: Section::YourName,
        arguments: "",
        brief: "change your password",
        help: "Changes the password of your name. Your other devices are hung up on, and need\n\
               the new one.",
        completes: &[],
        parse: |row, rest| alone(row, rest, TypedCommand::ChangePassword),
    },
    Row {
        name: "unregister",
        section: Section::YourName,
        arguments: "",
        brief: "give your registered name up, and leave",
        help: "Gives your name up, with everything that is yours: you leave, your devices and\n\
               memberships are forgotten, and the name is free. What you said stays.",
        completes: &[],
        parse: |row, rest| alone(row, rest, TypedCommand::Unregister),
    },
    Row {
        name: "about",
        section: Section::KeepingOrder,
        arguments: "[group-name]",
        brief: "whose a group chat is, and what it is about",
        help: "Says whose a group chat is, who its operators are, what it is about, whether\n\
               everybody may join it, and whether you may speak in it.",
        completes: &[Completes::AllGroups],
        parse: |row, rest| group(row, rest).map(TypedCommand::About),
    },
    Row {
        name: "why",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username]",
        brief: "who did what there to keep order, and when",
        help: "Tells what was done to keep order in a group chat, the newest last: who did\n\
               what, when and why; with a name, only what was done to that person.",
        completes: &[Completes::AllGroups, Completes::AllUsers],
        parse: why,
    },
    Row {
        name: "topic",
        section: Section::KeepingOrder,
        arguments: "[group-name] [text]",
        brief: "say what a group chat is about",
        help: "Says what a group chat is about; everybody who joins it is told. To have no\n\
               topic any more: topic [group-name] -",
        completes: &[Completes::OwnGroups],
        parse: topic,
    },
    Row {
        name: "kick",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username] [reason]",
        brief: "put somebody out, who may come again",
        help: "Ends somebody's membership of a group chat. They may join again.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| {
            let (group, user, reason) = someone_and_why(row, rest)?;
            Ok(TypedCommand::Moderate(group, Moderation::Kick { user, reason }))
        },
    },
    Row {
        name: "ban",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username] [10m|2h|7d] [reason]",
        brief: "put somebody out, for a while or for good",
        help: "Ends somebody's membership of a group chat, and keeps them out: for so many\n\
               minutes, hours or days, or until you lift it with 'unban'. It holds for the\n\
               name, whoever has it.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| {
            act_for_a_time(row, rest, |user, seconds, reason| Moderation::Ban {
                user,
                seconds,
                reason,
            })
        },
    },
    Row {
        name: "unban",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username]",
        brief: "let somebody in again",
        help: "Lifts somebody's ban from a group chat.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| act(row, rest, |user| Moderation::Unban { user }),
    },
    Row {
        name: "mute",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username] [10m|2h|7d] [reason]",
        brief: "let somebody read and not speak",
        help: "Lets somebody read what is said in a group chat and say nothing there: for so\n\
               many minutes, hours or days, or until you lift it with 'unmute'. It holds for\n\
               the name, whoever has it.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| {
            act_for_a_time(row, rest, |user, seconds, reason| Moderation::Mute {
                user,
                seconds,
                reason,
            })
        },
    },
    Row {
        name: "unmute",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username]",
        brief: "let somebody speak again",
        help: "Lets somebody speak again in a group chat.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| act(row, rest, |user| Moderation::Unmute { user }),
    },
    Row {
        name: "lock",
        section: Section::KeepingOrder,
        arguments: "[group-name]",
        brief: "let only those join who are invited",
        help: "Lets only those join a group chat whom you invite. Who is in it stays in it.",
        completes: &[Completes::OwnGroups],
        parse: |row, rest| Ok(TypedCommand::Moderate(group(row, rest)?, Moderation::Lock)),
    },
    Row {
        name: "unlock",
        section: Section::KeepingOrder,
        arguments: "[group-name]",
        brief: "let everybody join",
        help: "Lets everybody join a group chat that was locked.",
        completes: &[Completes::OwnGroups],
        parse: |row, rest| Ok(TypedCommand::Moderate(group(row, rest)?, Moderation::Unlock)),
    },
    Row {
        name: "invite",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username]",
        brief: "let somebody join though it is locked",
        help: "Lets somebody join a group chat that is locked, once. They are told.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| act(row, rest, |user| Moderation::Invite { user }),
    },
    Row {
        name: "op",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username]",
        brief: "make somebody an operator, who may do all above",
        help: "Makes somebody an operator of a group chat that is yours: they may keep order in\n\
               it as you do, but not against you or one another, and make no operators.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| act(row, rest, |user| Moderation::Op { user }),
    },
    Row {
        name: "deop",
        section: Section::KeepingOrder,
        arguments: "[group-name] [username]",
        brief: "make somebody an operator no longer",
        help: "Makes somebody no longer an operator of a group chat that is yours. Operators\n\
               may do it to themselves.",
        completes: &[Completes::OwnGroups, Completes::AllUsers],
        parse: |row, rest| act(row, rest, |user| Moderation::Deop { user }),
    },
    Row {
        name: "operator",
        section: Section::Operating,
        arguments: "[code]",
        brief: "become one, with the code that the server shows",
        help: "Makes you an operator of the server, if you know the code that it shows to those\n\
               who run it as long as nobody is one. This line is not kept in your history.",
        completes: &[],
        parse: code,
    },
    Row {
        name: "appoint",
        section: Section::Operating,
        arguments: "[username]",
        brief: "make somebody an operator of the server",
        help: "Makes somebody an operator of the server: they may keep order in every group\n\
               chat, and do all that is listed here.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| Ok(TypedCommand::Operate(Operation::Appoint { user: user(row, rest)? })),
    },
    Row {
        name: "dismiss",
        section: Section::Operating,
        arguments: "[username]",
        brief: "make somebody an operator of the server no longer",
        help: "Makes somebody an operator of the server no longer; also yourself.",
        completes: &[Completes::AllUsers],
        parse: |row, rest| Ok(TypedCommand::Operate(Operation::Dismiss { user: user(row, rest)? })),
    },
    Row {
        name: "clients",
        section: Section::Operating,
        arguments: "",
        brief: "list everybody's address, name and groups",
        help: "Lists who is there, in the order in which they came: name, address and groups.",
        completes: &[],
        parse: |row, rest| alone(row, rest, TypedCommand::Clients),
    },
    Row {
        name: "disconnect",
        section: Section::Operating,
        arguments: "[username] [reason]",
        brief: "end somebody's stay, who may come again",
        help: "Ends somebody's stay. Their program does not come back by itself; they may.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| {
            let (user, reason) = user_and_why(row, rest)?;
            Ok(TypedCommand::Operate(Operation::Disconnect { user, reason }))
        },
    },
    Row {
        name: "server-ban",
        section: Section::Operating,
        arguments: "[username|address] [10m|2h|7d] [reason]",
        brief: "let nobody in who has a name or an address",
        help: "Lets nobody in any more who has that name, or comes from that address: for so\n\
               many minutes, hours or days, or until you lift it with 'server-unban'. Who is\n\
               there ends their stay. Write @ before a name that looks like an address.",
        completes: &[Completes::OtherUsers],
        parse: server_ban,
    },
    Row {
        name: "server-unban",
        section: Section::Operating,
        arguments: "[username|address]",
        brief: "let them in again",
        help: "Lifts a ban from the server.",
        completes: &[Completes::OtherUsers],
        parse: |row, rest| {
            let (whom, more) = whom(row, rest)?;
            nothing(row, more)?;
            Ok(TypedCommand::Operate(Operation::Unban { whom }))
        },
    },
    Row {
        name: "server-bans",
        section: Section::Operating,
        arguments: "",
        brief: "list who may not come to the server",
        help: "Lists who may not come to the server, who says so, and why.",
        completes: &[],
        parse: |row, rest| alone(row, rest, TypedCommand::ServerBans),
    },
];
