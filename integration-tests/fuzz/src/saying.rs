//! Frames that mean something, made from choices: few names, so that they meet.

use std::num::NonZeroU32;

use chatroom_proto::{
    AddressPrefix, BanTarget, Body, ClientFrame, Code, Conversation, GroupName, Hello, Moderation,
    Operation, Password, PostId, Proof, Reason, Request, SearchQuery, Seq, Tag, Token, Topic,
    UserName, VersionRange,
};

use crate::choices::Choices;

mod told;

pub use told::{notification, refusal, response, welcome};

/// Some are one name, some look alike, and one is not what it seems.
const NAMES: &[&str] = &["Jim", "jim", "Jіm", "علی", "علي", "می\u{200C}خواهم", "👩‍🚀", "x"];
const GROUPS: &[&str] = &["General", "general", "Tea", "Теа", "چای", "empty"];

/// Two, so that one is wrong.
const PASSWORDS: &[&str] = &["hunter2x", "tea and milk"];
/// Where everybody on the stage comes from, and elsewhere.
const HOSTS: &[&str] = &["10.0.0.1", "127.0.0.1", "2001:db8::1"];
/// What somebody writes on one line.
const LINES: &[&str] = &["spam", "چای می\u{200C}خواهم, and what goes with it", "👩‍🚀"];

/// One of a few people.
pub fn user(choices: &mut Choices<'_>) -> UserName {
    UserName::parse(choices.one(NAMES)).expect("a valid name")
}

/// One of a few groups.
pub fn group(choices: &mut Choices<'_>) -> GroupName {
    GroupName::parse(choices.one(GROUPS)).expect("a valid name")
}

/// A short message mostly, and the longest that there may be at times.
fn body(choices: &mut Choices<'_>) -> Body {
    let length = usize::from(choices.byte()).pow(2) / 8;
    let mut text: String = "سلام x\n".chars().cycle().take(1 + length).collect();
    while text.len() > chatroom_proto::BODY_BYTES_MAX {
        text.pop();
    }
    Body::parse(&text).expect("a valid message")
}

/// A password, which is right when the last one was the same.
pub fn password(choices: &mut Choices<'_>) -> Password {
    choices.one(PASSWORDS).to_owned().try_into().expect("a valid password")
}

fn topic(choices: &mut Choices<'_>) -> Topic {
    Topic::parse(choices.one(LINES)).expect("a line")
}

fn reason(choices: &mut Choices<'_>) -> Option<Reason> {
    choices.flag().then(|| Reason::parse(choices.one(LINES)).expect("a line"))
}

/// For ever, or for some seconds.
fn seconds(choices: &mut Choices<'_>) -> Option<NonZeroU32> {
    NonZeroU32::new(choices.byte().into())
}

fn whom(choices: &mut Choices<'_>) -> BanTarget {
    if choices.flag() {
        BanTarget::Host(AddressPrefix::parse(choices.one(HOSTS)).expect("an address"))
    } else {
        BanTarget::User(user(choices))
    }
}

/// Something that keeps order in a group.
fn moderation(choices: &mut Choices<'_>) -> Moderation {
    match choices.byte() % 11 {
        0 => Moderation::Kick { user: user(choices), reason: reason(choices) },
        1 => Moderation::Ban {
            user: user(choices),
            seconds: seconds(choices),
            reason: reason(choices),
        },
        2 => Moderation::Unban { user: user(choices) },
        3 => Moderation::Mute {
            user: user(choices),
            seconds: seconds(choices),
            reason: reason(choices),
        },
        4 => Moderation::Unmute { user: user(choices) },
        5 => Moderation::Topic { topic: choices.flag().then(|| topic(choices)) },
        6 => Moderation::Lock,
        7 => Moderation::Unlock,
        8 => Moderation::Invite { user: user(choices) },
        9 => Moderation::Op { user: user(choices) },
        _ => Moderation::Deop { user: user(choices) },
    }
}

/// Something that an operator of the server does.
fn operation(choices: &mut Choices<'_>) -> Operation {
    match choices.byte() % 5 {
        0 => Operation::Appoint { user: user(choices) },
        1 => Operation::Dismiss { user: user(choices) },
        2 => Operation::Disconnect { user: user(choices), reason: reason(choices) },
        3 => Operation::Ban {
            whom: whom(choices),
            seconds: seconds(choices),
            reason: reason(choices),
        },
        _ => Operation::Unban { whom: whom(choices) },
    }
}

fn post_id(choices: &mut Choices<'_>) -> PostId {
    PostId([choices.byte(); 16])
}

/// A small place, as places that are near each other say something about each other.
fn seq(choices: &mut Choices<'_>) -> Seq {
    match choices.number() {
        u16::MAX => Seq(u64::MAX),
        near => Seq(near.into()),
    }
}

fn conversation(choices: &mut Choices<'_>) -> Conversation {
    if choices.flag() {
        Conversation::Group(group(choices))
    } else {
        Conversation::User(user(choices))
    }
}

/// A first frame. It may show `token`.
pub fn hello(choices: &mut Choices<'_>, token: Option<&Token>) -> ClientFrame {
    let proof = match (choices.byte() % 4, token) {
        (0 | 1, Some(token)) => Proof::Resume(token.clone()),
        (2, _) => Proof::Resume(Token([choices.byte(); 32])),
        (3, _) => Proof::Password(password(choices)),
        _ => Proof::Open,
    };
    let min = u16::from(choices.byte() % 3);
    let versions = if min == 0 {
        VersionRange::SPOKEN
    } else {
        VersionRange::try_from((min, min + 1)).expect("in order")
    };
    let (name, seen) = (user(choices), seq(choices));
    ClientFrame {
        tag: Tag(choices.byte().into()),
        request: Request::Hello(Hello { versions, name, proof, seen }),
    }
}

/// Any other frame of a client's. It may name `code`, which makes somebody an operator of the
/// server.
pub fn request(choices: &mut Choices<'_>, code: Option<&Code>) -> ClientFrame {
    let request = match choices.byte() % 24 {
        0 => Request::Create { group: group(choices) },
        1 => Request::Join { group: group(choices) },
        2 => Request::Leave { group: group(choices) },
        3 => Request::Groups { after: seq(choices) },
        4 => Request::Users { after: seq(choices) },
        5 | 6 => {
            Request::Public { group: group(choices), id: post_id(choices), body: body(choices) }
        }
        7 | 8 => Request::Private { to: user(choices), id: post_id(choices), body: body(choices) },
        9 => Request::Ping,
        10 => Request::Exit,
        11 => Request::History {
            of: conversation(choices),
            before: seq(choices),
            count: choices.number(),
        },
        12 => {
            let words = SearchQuery::parse("سلام x").expect("valid words");
            let within = choices.flag().then(|| group(choices));
            Request::Search { words, within, before: seq(choices), count: choices.number() }
        }
        13 => Request::Register { password: password(choices) },
        14 => Request::ChangePassword { old: password(choices), new: password(choices) },
        15 => Request::Unregister { password: password(choices) },
        16 | 17 => Request::Moderate { group: group(choices), act: moderation(choices) },
        18 => Request::Why { group: group(choices), user: choices.flag().then(|| user(choices)) },
        19 => Request::About { group: group(choices) },
        20 => match code {
            Some(code) if choices.flag() => Request::Claim { code: code.clone() },
            _ => Request::Claim { code: Code([choices.byte(); 16]) },
        },
        21 => Request::Operate { act: operation(choices) },
        22 => Request::Clients { after: seq(choices) },
        _ => Request::ServerBans { after: seq(choices) },
    };
    ClientFrame { tag: Tag(choices.byte().into()), request }
}
