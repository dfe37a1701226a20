//! The rows of those who moderate a group.

use chatroom_proto::{Moderation, Request};

use crate::app::command::arguments::{act, act_for_a_time, group, someone_and_why, topic, why};
use crate::app::command::row::TypedCommand::Ask;
use crate::app::command::row::{Completes, Row};

/// What those commands are told that do something to somebody in a group.
const SOMEBODY_IN_A_GROUP: &[Completes] = &[Completes::OwnGroups, Completes::OtherUsers];

/// Moderating a group.
pub(super) const MODERATION: &[Row] = &[
    Row {
        name: "about",
        arguments: "[group-name]",
        brief: "whose a group chat is, and what it is about",
        help: "Says whose a group chat is, who its operators are, what it is about, whether\n\
               everybody may join it, and whether you may speak in it.",
        completes: &[Completes::AllGroups],
        parse: |row, rest| Ok(Ask(Request::About { group: group(row, rest)? })),
    },
    Row {
        name: "why",
        arguments: "[group-name] [username]",
        brief: "who did what there to keep order, and when",
        help: "Tells what was done to keep order in a group chat, the newest last: who did\n\
               what, when and why; with a name, only what was done to that person.",
        completes: &[Completes::AllGroups, Completes::AllUsers],
        parse: why,
    },
    Row {
        name: "topic",
        arguments: "[group-name] [text]",
        brief: "say what a group chat is about",
        help: "Says what a group chat is about; everybody who joins it is told. To have no\n\
               topic any more: topic [group-name] -",
        completes: &[Completes::OwnGroups],
        parse: topic,
    },
    Row {
        name: "kick",
        arguments: "[group-name] [username] [reason]",
        brief: "put somebody out, who may come again",
        help: "Ends somebody's membership of a group chat. They may join again.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| {
            let (group, user, reason) = someone_and_why(row, rest)?;
            Ok(Ask(Request::Moderate { group, act: Moderation::Kick { user, reason } }))
        },
    },
    Row {
        name: "ban",
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
        arguments: "[group-name] [username]",
        brief: "let somebody in again",
        help: "Lifts somebody's ban from a group chat.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| act(row, rest, |user| Moderation::Unban { user }),
    },
    Row {
        name: "mute",
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
        arguments: "[group-name] [username]",
        brief: "let somebody speak again",
        help: "Lets somebody speak again in a group chat.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| act(row, rest, |user| Moderation::Unmute { user }),
    },
    Row {
        name: "lock",
        arguments: "[group-name]",
        brief: "let only those join who are invited",
        help: "Lets only those join a group chat whom you invite. Who is in it stays in it.",
        completes: &[Completes::OwnGroups],
        parse: |row, rest| {
            Ok(Ask(Request::Moderate { group: group(row, rest)?, act: Moderation::Lock }))
        },
    },
    Row {
        name: "unlock",
        arguments: "[group-name]",
        brief: "let everybody join",
        help: "Lets everybody join a group chat that was locked.",
        completes: &[Completes::OwnGroups],
        parse: |row, rest| {
            Ok(Ask(Request::Moderate { group: group(row, rest)?, act: Moderation::Unlock }))
        },
    },
    Row {
        name: "invite",
        arguments: "[group-name] [username]",
        brief: "let somebody join though it is locked",
        help: "Lets somebody join a group chat that is locked, once. They are told.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| act(row, rest, |user| Moderation::Invite { user }),
    },
    Row {
        name: "op",
        arguments: "[group-name] [username]",
        brief: "make somebody an operator, who may do all above",
        help: "Makes somebody an operator of a group chat that is yours: they may keep order in\n\
               it as you do, but not against you or one another, and make no operators.",
        completes: SOMEBODY_IN_A_GROUP,
        parse: |row, rest| act(row, rest, |user| Moderation::Op { user }),
    },
    Row {
        name: "deop",
        arguments: "[group-name] [username]",
        brief: "make somebody an operator no longer",
        help: "Makes somebody no longer an operator of a group chat that is yours. Operators\n\
               may do it to themselves.",
        completes: &[Completes::OwnGroups, Completes::AllUsers],
        parse: |row, rest| act(row, rest, |user| Moderation::Deop { user }),
    },
];
