//! Frames that mean something, made from choices: few names, so that they meet.

use chatroom_proto::{
    Body, ClientFrame, CloseReason, Conversation, GroupName, Hello, Keeps, Membership, Misbehaviour,
    Notification, Page, Post, PostId, Proof, Refusal, Request, Response, Said, Seq, Tag, Token, UnixMillis,
    UserName, VersionRange, Welcome, Words,
};

use crate::choices::Choices;

/// Some are one name, some look alike, and one is not what it seems.
const NAMES: &[&str] = &["Jim", "jim", "Jіm", "علی", "علي", "می\u{200C}خواهم", "👩‍🚀", "x"];
const GROUPS: &[&str] = &["General", "general", "Tea", "Теа", "چای", "empty"];

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
    if choices.flag() { Conversation::Group(group(choices)) } else { Conversation::User(user(choices)) }
}

/// A first frame. It may show `token`.
pub fn hello(choices: &mut Choices<'_>, token: Option<&Token>) -> ClientFrame {
    let proof = match (choices.byte() % 4, token) {
        (0 | 1, Some(token)) => Proof::Resume(token.clone()),
        (2, _) => Proof::Resume(Token([choices.byte(); 32])),
        (3, _) => Proof::Password("hunter2".to_owned().try_into().expect("a valid password")),
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

/// Any other frame of a client's.
pub fn request(choices: &mut Choices<'_>) -> ClientFrame {
    let request = match choices.byte() % 13 {
        0 => Request::Create { group: group(choices) },
        1 => Request::Join { group: group(choices) },
        2 => Request::Leave { group: group(choices) },
        3 => Request::Groups { after: seq(choices) },
        4 => Request::Users { after: seq(choices) },
        5 | 6 => Request::Public { group: group(choices), id: post_id(choices), body: body(choices) },
        7 | 8 => Request::Private { to: user(choices), id: post_id(choices), body: body(choices) },
        9 => Request::Ping,
        10 => Request::Exit,
        11 => Request::History { of: conversation(choices), before: seq(choices), count: choices.number() },
        _ => {
            let words = Words::parse("سلام x").expect("valid words");
            let within = choices.flag().then(|| group(choices));
            Request::Search { words, within, before: seq(choices), count: choices.number() }
        }
    };
    ClientFrame { tag: Tag(choices.byte().into()), request }
}

fn post(choices: &mut Choices<'_>) -> Post {
    let (seq, prev, at) = (seq(choices), seq(choices), UnixMillis(choices.number().into()));
    Post { seq, prev, at, id: post_id(choices), from: user(choices), body: body(choices) }
}

/// How many things a page that is made here has at most.
const PAGE_ITEMS_MAX: u8 = 4;

fn page<T>(choices: &mut Choices<'_>, one: fn(&mut Choices<'_>) -> T) -> Page<T> {
    let count = choices.byte() % (PAGE_ITEMS_MAX + 1);
    Page::fill((0..count).map(|_| one(choices)))
}

fn membership(choices: &mut Choices<'_>) -> Membership {
    Membership { group: group(choices), head: seq(choices) }
}

/// What lets a client in.
pub fn welcome(choices: &mut Choices<'_>) -> Welcome {
    let keeps = choices.one(&[Keeps::Nothing, Keeps::Everything, Keeps::Days(1)]);
    Welcome {
        version: 1,
        name: user(choices),
        token: Token([choices.byte(); 32]),
        resumed: choices.flag(),
        grace_ms: u32::from(choices.number()),
        seq: seq(choices),
        groups: page(choices, membership),
        keeps,
    }
}

/// An answer to something.
pub fn response(choices: &mut Choices<'_>) -> Response {
    let said = |choices: &mut Choices<'_>| Said { place: conversation(choices), post: post(choices) };
    match choices.byte() % 11 {
        0 => Response::Welcome(welcome(choices)),
        1 => Response::Created { seq: seq(choices), group: group(choices) },
        2 => Response::Joined { seq: seq(choices), membership: membership(choices) },
        3 => Response::Left { seq: seq(choices), group: group(choices) },
        4 => Response::Groups { groups: page(choices, group), next: choices.flag().then(|| seq(choices)) },
        5 => Response::Users { users: page(choices, user), next: choices.flag().then(|| seq(choices)) },
        6 => Response::Posted { seq: seq(choices), at: UnixMillis(choices.number().into()) },
        7 => Response::Goodbye,
        8 => Response::Pong,
        9 => Response::Kept { seq: seq(choices), at: UnixMillis(0), to: user(choices) },
        _ => Response::Past { posts: page(choices, said), next: choices.flag().then(|| seq(choices)) },
    }
}

/// A refusal of something.
pub fn refusal(choices: &mut Choices<'_>) -> Refusal {
    match choices.byte() % 9 {
        0 => Refusal::NameTaken { name: user(choices) },
        1 => Refusal::NameLooksLike { name: user(choices) },
        2 => Refusal::NoSuchGroup { group: group(choices) },
        3 => Refusal::AlreadyMember { group: group(choices) },
        4 => Refusal::NotMember { group: group(choices) },
        5 => Refusal::NoSuchUser { name: user(choices) },
        6 => Refusal::TooManyMemberships { limit: choices.number().into() },
        7 => Refusal::UnsupportedVersion { server: VersionRange::SPOKEN },
        _ => Refusal::NothingKept,
    }
}

/// Something that was not asked for.
pub fn notification(choices: &mut Choices<'_>) -> Notification {
    match choices.byte() % 10 {
        0 => Notification::Ping,
        1 => Notification::Arrived { seq: seq(choices), user: user(choices), group: group(choices) },
        2 => Notification::Departed { seq: seq(choices), user: user(choices) },
        3 => Notification::Joined { seq: seq(choices), user: user(choices), group: group(choices) },
        4 => Notification::Left { seq: seq(choices), user: user(choices), group: group(choices) },
        5 | 6 => Notification::GroupPost { post: post(choices), group: group(choices) },
        7 => Notification::PrivatePost { post: post(choices), to: user(choices) },
        8 => Notification::CaughtUp { seq: seq(choices) },
        _ => Notification::Closing(close_reason(choices)),
    }
}

fn close_reason(choices: &mut Choices<'_>) -> CloseReason {
    choices.one(&[
        CloseReason::Shutdown,
        CloseReason::TooSlow,
        CloseReason::Idle,
        CloseReason::HandshakeTimeout,
        CloseReason::ServerFull,
        CloseReason::Replaced,
        CloseReason::Misbehaved(Misbehaviour::Malformed),
        CloseReason::Misbehaved(Misbehaviour::FrameTooLong { limit: 7 }),
        CloseReason::Failed,
    ])
}
