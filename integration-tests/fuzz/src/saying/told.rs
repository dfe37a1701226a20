//! What a server says, made from choices.

use chatroom_proto::{
    About, ArchivedPost, ClientInfo, CloseReason, Headline, Membership, Misbehaviour,
    ModerationRecord, Notification, Page, PeerAddr, Post, Refusal, Response, Retention, ServerBan,
    Token, UnixMillis, VersionRange, Welcome,
};

use super::{
    body, conversation, group, moderation, operation, post_id, reason, seq, topic, user, whom,
};
use crate::choices::Choices;

fn at(choices: &mut Choices<'_>) -> UnixMillis {
    UnixMillis(choices.number().into())
}

/// Never, or at some time.
fn until(choices: &mut Choices<'_>) -> Option<UnixMillis> {
    choices.flag().then(|| at(choices))
}

fn post(choices: &mut Choices<'_>) -> Post {
    let (seq, prev, at) = (seq(choices), seq(choices), at(choices));
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

fn headline(choices: &mut Choices<'_>) -> Headline {
    Headline { topic: topic(choices), by: user(choices), at: at(choices) }
}

fn acted(choices: &mut Choices<'_>) -> ModerationRecord {
    ModerationRecord {
        seq: seq(choices),
        at: at(choices),
        by: user(choices),
        act: moderation(choices),
    }
}

fn about(choices: &mut Choices<'_>) -> About {
    About {
        group: group(choices),
        owner: choices.flag().then(|| user(choices)),
        ops: page(choices, user),
        topic: choices.flag().then(|| headline(choices)),
        locked_since: until(choices),
        members: choices.number().into(),
        is_member: choices.flag(),
        is_invited: choices.flag(),
        is_muted: choices.flag(),
        muted_until: until(choices),
    }
}

fn visitor(choices: &mut Choices<'_>) -> ClientInfo {
    let address = choices.one(&["10.0.0.1:9000", "[2001:db8::1]:9000", "an unknown address"]);
    ClientInfo {
        address: PeerAddr::parse(address).expect("a line"),
        name: user(choices),
        groups: page(choices, group),
        is_connected: choices.flag(),
    }
}

fn server_ban(choices: &mut Choices<'_>) -> ServerBan {
    ServerBan {
        seq: seq(choices),
        at: at(choices),
        by: user(choices),
        whom: whom(choices),
        until: until(choices),
        reason: reason(choices),
    }
}

/// What lets a client in.
pub fn welcome(choices: &mut Choices<'_>) -> Welcome {
    let retention = choices.one(&[Retention::Nothing, Retention::Everything, Retention::Days(1)]);
    Welcome {
        version: 1,
        name: user(choices),
        token: Token([choices.byte(); 32]),
        resumed: choices.flag(),
        grace_ms: u32::from(choices.number()),
        seq: seq(choices),
        groups: page(choices, membership),
        retention,
    }
}

/// An answer to something.
pub fn response(choices: &mut Choices<'_>) -> Response {
    let said = |choices: &mut Choices<'_>| ArchivedPost {
        place: conversation(choices),
        post: post(choices),
    };
    match choices.byte() % 20 {
        0 => Response::Welcome(welcome(choices)),
        1 => Response::Created { seq: seq(choices), group: group(choices) },
        2 => Response::Joined { seq: seq(choices), membership: membership(choices) },
        3 => Response::Left { seq: seq(choices), group: group(choices) },
        4 => Response::Groups {
            groups: page(choices, group),
            next: choices.flag().then(|| seq(choices)),
        },
        5 => Response::Users {
            users: page(choices, user),
            next: choices.flag().then(|| seq(choices)),
        },
        6 => Response::Posted { seq: seq(choices), at: at(choices) },
        7 => Response::Goodbye,
        8 => Response::Pong,
        9 => Response::Kept { seq: seq(choices), at: UnixMillis(0), to: user(choices) },
        10 => Response::Past {
            posts: page(choices, said),
            next: choices.flag().then(|| seq(choices)),
        },
        11 => Response::Registered { seq: seq(choices) },
        12 => Response::PasswordChanged { seq: seq(choices), token: Token([choices.byte(); 32]) },
        13 => Response::Unregistered { seq: seq(choices) },
        14 => Response::Moderated { seq: seq(choices), group: group(choices) },
        15 => Response::Acts { group: group(choices), acts: page(choices, acted) },
        16 => Response::About(Box::new(about(choices))),
        17 => Response::Operated { seq: seq(choices) },
        18 => Response::Clients {
            clients: page(choices, visitor),
            next: choices.flag().then(|| seq(choices)),
        },
        _ => Response::ServerBans {
            bans: page(choices, server_ban),
            next: choices.flag().then(|| seq(choices)),
        },
    }
}

/// A refusal of something.
pub fn refusal(choices: &mut Choices<'_>) -> Refusal {
    let limit = 7;
    match choices.byte() % 39 {
        0 => Refusal::NameTaken { name: user(choices) },
        1 => Refusal::NameLooksLike { name: user(choices) },
        2 => Refusal::NoSuchGroup { group: group(choices) },
        3 => Refusal::AlreadyMember { group: group(choices) },
        4 => Refusal::NotMember { group: group(choices) },
        5 => Refusal::NoSuchUser { name: user(choices) },
        6 => Refusal::TooManyMemberships { limit: choices.number().into() },
        7 => Refusal::UnsupportedVersion { server: VersionRange::SPOKEN },
        8 => Refusal::NothingKept,
        9 => Refusal::NotRegistered { name: user(choices) },
        10 => Refusal::GroupExists { group: group(choices) },
        11 => Refusal::TooManyGroups { limit },
        12 => Refusal::TookTooLong,
        13 => Refusal::PasswordNeeded { name: user(choices) },
        14 => Refusal::WrongPassword { name: user(choices) },
        15 => Refusal::PasswordInTheOpen,
        16 => Refusal::AlreadyRegistered { name: user(choices) },
        17 => Refusal::TooManyAccounts { limit },
        18 => Refusal::TooManyDevices { limit },
        19 => Refusal::TooManyTries { retry_after_ms: choices.number().into() },
        20 => Refusal::GroupLooksLike { group: group(choices) },
        21..=24 => Refusal::RateLimited { retry_after_ms: choices.number().into() },
        25 => Refusal::NotAllowed { group: group(choices) },
        26 => Refusal::OutOfReach { group: group(choices), user: user(choices) },
        27 => Refusal::NotOneself,
        28 => Refusal::AlreadySo { group: group(choices) },
        29 => Refusal::TooManyMarks { limit },
        30 => Refusal::Banned { group: group(choices), until: until(choices) },
        31 => Refusal::Muted { group: group(choices), until: until(choices) },
        32 => Refusal::InvitationOnly { group: group(choices) },
        33 => Refusal::NotOperator,
        34 => Refusal::WrongCode,
        35 => Refusal::IsOperator { user: user(choices) },
        36 => Refusal::NoDifference,
        37 => Refusal::ServerBanned { until: until(choices) },
        _ => Refusal::RegisterFirst,
    }
}

/// Something that was not asked for.
pub fn notification(choices: &mut Choices<'_>) -> Notification {
    match choices.byte() % 14 {
        0 => Notification::Ping,
        1 => {
            Notification::Arrived { seq: seq(choices), user: user(choices), group: group(choices) }
        }
        2 => Notification::Departed { seq: seq(choices), user: user(choices) },
        3 => Notification::Joined { seq: seq(choices), user: user(choices), group: group(choices) },
        4 => Notification::Left { seq: seq(choices), user: user(choices), group: group(choices) },
        5 | 6 => Notification::GroupPost { post: post(choices), group: group(choices) },
        7 => Notification::PrivatePost { post: post(choices), to: user(choices) },
        8 => Notification::CaughtUp { seq: seq(choices) },
        9 => {
            let (seq, at, by) = (seq(choices), at(choices), user(choices));
            Notification::Moderated { seq, at, by, group: group(choices), act: moderation(choices) }
        }
        10 => Notification::TopicIs { group: group(choices), headline: headline(choices) },
        11 => {
            Notification::PassedOn { seq: seq(choices), group: group(choices), to: user(choices) }
        }
        12 => {
            let (seq, at, by) = (seq(choices), at(choices), user(choices));
            Notification::Operated { seq, at, by, act: operation(choices) }
        }
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
        CloseReason::PasswordChanged,
        CloseReason::TlsRequired,
        CloseReason::TooManyConnections { limit: 7 },
        CloseReason::Disconnected,
        CloseReason::Misbehaved(Misbehaviour::HelloAgain),
        CloseReason::Misbehaved(Misbehaviour::Flooding),
    ])
}
