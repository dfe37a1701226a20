//! What the test binaries share: values in a word, and one example of every variant.
#![allow(dead_code, reason = "each test binary takes what it needs")]

use chatroom_proto::{
    About, AddressPrefix, ArchivedPost, BanTarget, Body, ClientFrame, ClientInfo, CloseReason,
    Code, Conversation, GroupName, Headline, Hello, Membership, Misbehaviour, Moderation,
    ModerationRecord, Notification, Operation, Page, Password, PeerAddr, Post, PostId, Proof,
    Reason, Refusal, Request, Response, Retention, SearchQuery, Seq, ServerBan, ServerFrame, Tag,
    Token, Topic, UnixMillis, UserName, VersionRange, Welcome,
};

pub(crate) mod any;
pub(crate) mod pieces;
pub(crate) mod raw;
pub(crate) mod variants;

pub(crate) fn user(name: &str) -> UserName {
    UserName::parse(name).expect("the test chose a valid name")
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("the test chose a valid name")
}

pub(crate) fn body(text: &str) -> Body {
    Body::parse(text).expect("the test chose a valid message")
}

pub(crate) fn words(text: &str) -> SearchQuery {
    SearchQuery::parse(text).expect("the test chose words that can be searched for")
}

pub(crate) fn password(text: &str) -> Password {
    Password::try_from(text.to_owned()).expect("the test chose a valid password")
}

pub(crate) fn versions(min: u16, max: u16) -> VersionRange {
    VersionRange::try_from((min, max)).expect("the test chose a valid range")
}

/// Bytes that are all different, so that none can be lost or swapped unseen.
fn counting<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|i| first.wrapping_add(u8::try_from(i).expect("short arrays only")))
}

fn post() -> Post {
    Post {
        seq: Seq(258),
        prev: Seq(5),
        at: UnixMillis(1_700_000_000_000),
        id: PostId(counting(0x10)),
        from: user("Jim"),
        body: body("hi\n🙂"),
    }
}

/// Every act, under its name.
fn acts() -> [(&'static str, Moderation); 14] {
    let user = || user("Jim");
    let reason = |text| Some(Reason::parse(text).expect("the test chose a valid reason"));
    let topic = Some(Topic::parse("Tea").expect("the test chose a valid topic"));
    let seconds = std::num::NonZeroU32::new(600);
    [
        ("Kick", Moderation::Kick { user: user(), reason: None }),
        ("Kick(reason)", Moderation::Kick { user: user(), reason: reason("spam") }),
        ("Ban", Moderation::Ban { user: user(), seconds: None, reason: None }),
        ("Ban(for a while)", Moderation::Ban { user: user(), seconds, reason: reason("spam") }),
        ("Unban", Moderation::Unban { user: user() }),
        ("Mute", Moderation::Mute { user: user(), seconds, reason: None }),
        ("Unmute", Moderation::Unmute { user: user() }),
        ("Topic", Moderation::Topic { topic }),
        ("Topic(none)", Moderation::Topic { topic: None }),
        ("Lock", Moderation::Lock),
        ("Unlock", Moderation::Unlock),
        ("Invite", Moderation::Invite { user: user() }),
        ("Op", Moderation::Op { user: user() }),
        ("Deop", Moderation::Deop { user: user() }),
    ]
}

/// Every operation, under its name.
fn operations() -> [(&'static str, Operation); 6] {
    let (user, seconds) = (|| user("Jim"), std::num::NonZeroU32::new(600));
    let reason = || Reason::parse("spam").ok();
    let host = || {
        BanTarget::Host(AddressPrefix::parse("127.0.0.1").expect("the test chose a valid address"))
    };
    [
        ("Appoint", Operation::Appoint { user: user() }),
        ("Dismiss", Operation::Dismiss { user: user() }),
        ("Disconnect", Operation::Disconnect { user: user(), reason: reason() }),
        ("Ban(User)", Operation::Ban { whom: BanTarget::User(user()), seconds, reason: reason() }),
        ("Ban(Host)", Operation::Ban { whom: host(), seconds: None, reason: None }),
        ("Unban", Operation::Unban { whom: host() }),
    ]
}

fn headline() -> Headline {
    let topic = Topic::parse("Tea").expect("the test chose a valid topic");
    Headline { topic, by: user("Jim"), at: UnixMillis(1_700_000_000_000) }
}

fn acted() -> ModerationRecord {
    let act = Moderation::Invite { user: user("علی") };
    ModerationRecord { seq: Seq(258), at: UnixMillis(1_700_000_000_000), by: user("Jim"), act }
}

/// Every variant of what a client sends, each under the name that golden.txt knows it by.
pub(crate) fn client_frames() -> Vec<(String, ClientFrame)> {
    let g1 = || group("G1");
    let id = PostId(counting(0x10));
    let hello = |proof, seen| {
        Request::Hello(Hello {
            versions: VersionRange::SPOKEN,
            name: user("Jim"),
            proof,
            seen: Seq(seen),
        })
    };
    let requests = [
        ("Hello(Open)", hello(Proof::Open, 0)),
        ("Hello(Resume)", hello(Proof::Resume(Token(counting(0x20))), 258)),
        ("Hello(Password)", hello(Proof::Password(password("hunter2")), 0)),
        ("Create", Request::Create { group: g1() }),
        ("Join", Request::Join { group: g1() }),
        ("Leave", Request::Leave { group: g1() }),
        ("Groups", Request::Groups { after: Seq::ZERO }),
        ("Users", Request::Users { after: Seq(258) }),
        ("Public", Request::Public { group: g1(), id, body: body("Not much!\nYou?") }),
        ("Private", Request::Private { to: user("علی"), id, body: body("sure") }),
        ("Exit", Request::Exit),
        ("Ping", Request::Ping),
        (
            "History(Group)",
            Request::History { of: Conversation::Group(g1()), before: Seq::ZERO, count: 20 },
        ),
        (
            "History(User)",
            Request::History {
                of: Conversation::User(user("علی")), before: Seq(258), count: 258
            },
        ),
        (
            "Search(everywhere)",
            Request::Search { words: words("much"), within: None, before: Seq::ZERO, count: 20 },
        ),
        (
            "Search(group)",
            Request::Search {
                words: words("not much"),
                within: Some(g1()),
                before: Seq(258),
                count: 20,
            },
        ),
        ("Register", Request::Register { password: password("hunter2") }),
        (
            "ChangePassword",
            Request::ChangePassword { old: password("hunter2"), new: password("correct") },
        ),
        ("Unregister", Request::Unregister { password: password("hunter2") }),
    ];
    let requests = requests.map(|(name, request)| (name.to_owned(), request));
    let acts = acts()
        .map(|(name, act)| (format!("Moderate({name})"), Request::Moderate { group: g1(), act }));
    let questions = [
        ("Why(anybody)", Request::Why { group: g1(), user: None }),
        ("Why(somebody)", Request::Why { group: g1(), user: Some(user("Jim")) }),
        ("About", Request::About { group: g1() }),
    ]
    .map(|(name, request)| (name.to_owned(), request));
    let operations = operations()
        .map(|(name, act)| (format!("Operate({name})"), Request::Operate { act }))
        .into_iter();
    let lists = [
        ("Claim".to_owned(), Request::Claim { code: Code(counting(0x30)) }),
        ("Clients".to_owned(), Request::Clients { after: Seq::ZERO }),
        ("ServerBans".to_owned(), Request::ServerBans { after: Seq(258) }),
    ];
    let all = requests.into_iter().chain(acts).chain(questions).chain(operations).chain(lists);
    all.map(|(name, request)| (format!("Request::{name}"), ClientFrame { tag: Tag(7), request }))
        .collect()
}

/// Every variant of what a server sends, each under the name that golden.txt knows it by.
pub(crate) fn server_frames() -> Vec<(String, ServerFrame)> {
    let answer = |result| ServerFrame::Response { tag: Tag(7), result };
    let granted = responses()
        .into_iter()
        .map(|(name, response)| (format!("Response::{name}"), answer(Ok(response))));
    let refused = refusals()
        .into_iter()
        .map(|(name, refusal)| (format!("Refusal::{name}"), answer(Err(refusal))));
    let told = notifications()
        .into_iter()
        .map(|(name, news)| (format!("Notification::{name}"), ServerFrame::Notification(news)));
    granted.chain(refused).chain(told).collect()
}

fn responses() -> Vec<(&'static str, Response)> {
    let seq = Seq(258);
    let membership = |name, head| Membership { group: group(name), head: Seq(head) };
    let said = |place| ArchivedPost { place, post: post() };
    let welcome = |resumed, groups: &[Membership], retention| {
        Response::Welcome(Welcome {
            version: 1,
            name: user("Jim"),
            token: Token(counting(0x20)),
            resumed,
            grace_ms: 30_000,
            seq,
            groups: Page::fill(groups.iter().cloned()),
            retention,
        })
    };
    vec![
        ("Welcome(new)", welcome(false, &[membership("General", 0)], Retention::Nothing)),
        (
            "Welcome(resumed)",
            welcome(true, &[membership("General", 5), membership("G1", 6)], Retention::Everything),
        ),
        ("Welcome(for days)", welcome(false, &[membership("General", 0)], Retention::Days(258))),
        ("Created", Response::Created { seq, group: group("G1") }),
        ("Joined", Response::Joined { seq, membership: membership("G1", 5) }),
        ("Left", Response::Left { seq, group: group("G1") }),
        ("Groups(last)", Response::Groups { groups: Page::fill([]), next: None }),
        (
            "Groups(more)",
            Response::Groups { groups: Page::fill([group("General")]), next: Some(seq) },
        ),
        (
            "Users(last)",
            Response::Users { users: Page::fill([user("Jim"), user("علی")]), next: None },
        ),
        ("Users(more)", Response::Users { users: Page::fill([user("Jim")]), next: Some(seq) }),
        ("Posted", Response::Posted { seq, at: UnixMillis(1_700_000_000_000) }),
        ("Goodbye", Response::Goodbye),
        ("Pong", Response::Pong),
        ("Kept", Response::Kept { seq, at: UnixMillis(1_700_000_000_000), to: user("علی") }),
        ("Past(last)", Response::Past { posts: Page::fill([]), next: None }),
        (
            "Past(more)",
            Response::Past {
                posts: Page::fill([
                    said(Conversation::Group(group("G1"))),
                    said(Conversation::User(user("علی"))),
                ]),
                next: Some(seq),
            },
        ),
        ("Registered", Response::Registered { seq }),
        ("PasswordChanged", Response::PasswordChanged { seq, token: Token(counting(0x20)) }),
        ("Unregistered", Response::Unregistered { seq }),
        ("Moderated", Response::Moderated { seq, group: group("G1") }),
        ("Acts", Response::Acts { group: group("G1"), acts: Page::fill([acted()]) }),
        (
            "About(a group)",
            Response::About(Box::new(About {
                group: group("G1"),
                owner: Some(user("Jim")),
                ops: Page::fill([user("علی")]),
                topic: Some(headline()),
                locked_since: Some(UnixMillis(1_700_000_000_000)),
                members: 258,
                is_member: true,
                is_invited: false,
                is_muted: true,
                muted_until: Some(UnixMillis(1_700_000_600_000)),
            })),
        ),
        (
            "About(General)",
            Response::About(Box::new(About {
                group: group("General"),
                owner: None,
                ops: Page::fill([]),
                topic: None,
                locked_since: None,
                members: 2,
                is_member: false,
                is_invited: true,
                is_muted: false,
                muted_until: None,
            })),
        ),
        ("Operated", Response::Operated { seq }),
        (
            "Clients",
            Response::Clients {
                clients: Page::fill([ClientInfo {
                    address: PeerAddr::parse("127.0.0.1:1")
                        .expect("the test chose a valid address"),
                    name: user("Jim"),
                    groups: Page::fill([group("General"), group("G1")]),
                    is_connected: true,
                }]),
                next: Some(seq),
            },
        ),
        (
            "ServerBans",
            Response::ServerBans {
                bans: Page::fill([ServerBan {
                    seq,
                    at: UnixMillis(1_700_000_000_000),
                    by: user("Jim"),
                    whom: BanTarget::User(user("علی")),
                    until: None,
                    reason: Reason::parse("spam").ok(),
                }]),
                next: None,
            },
        ),
    ]
}

fn refusals() -> Vec<(&'static str, Refusal)> {
    let g1 = || group("G1");
    vec![
        ("UnsupportedVersion", Refusal::UnsupportedVersion { server: versions(2, 258) }),
        ("NameTaken", Refusal::NameTaken { name: user("Jim") }),
        ("NotRegistered", Refusal::NotRegistered { name: user("Jim") }),
        ("GroupExists", Refusal::GroupExists { group: g1() }),
        ("NoSuchGroup", Refusal::NoSuchGroup { group: g1() }),
        ("AlreadyMember", Refusal::AlreadyMember { group: g1() }),
        ("NotMember", Refusal::NotMember { group: g1() }),
        ("NoSuchUser", Refusal::NoSuchUser { name: user("Jim") }),
        ("TooManyGroups", Refusal::TooManyGroups { limit: 100_000 }),
        ("TooManyMemberships", Refusal::TooManyMemberships { limit: 258 }),
        ("NothingKept", Refusal::NothingKept),
        ("TookTooLong", Refusal::TookTooLong),
        ("PasswordNeeded", Refusal::PasswordNeeded { name: user("Jim") }),
        ("WrongPassword", Refusal::WrongPassword { name: user("Jim") }),
        ("PasswordInTheOpen", Refusal::PasswordInTheOpen),
        ("AlreadyRegistered", Refusal::AlreadyRegistered { name: user("Jim") }),
        ("TooManyAccounts", Refusal::TooManyAccounts { limit: 258 }),
        ("TooManyDevices", Refusal::TooManyDevices { limit: 258 }),
        ("TooManyTries", Refusal::TooManyTries { retry_after_ms: 258 }),
        ("NameLooksLike", Refusal::NameLooksLike { name: user("علی") }),
        ("GroupLooksLike", Refusal::GroupLooksLike { group: g1() }),
        ("RateLimited", Refusal::RateLimited { retry_after_ms: 258 }),
        ("NotAllowed", Refusal::NotAllowed { group: g1() }),
        ("OutOfReach", Refusal::OutOfReach { group: g1(), user: user("Jim") }),
        ("NotOneself", Refusal::NotOneself),
        ("AlreadySo", Refusal::AlreadySo { group: g1() }),
        ("TooManyMarks", Refusal::TooManyMarks { limit: 258 }),
        ("Banned", Refusal::Banned { group: g1(), until: None }),
        ("Muted", Refusal::Muted { group: g1(), until: Some(UnixMillis(1_700_000_000_000)) }),
        ("InvitationOnly", Refusal::InvitationOnly { group: g1() }),
        ("NotOperator", Refusal::NotOperator),
        ("WrongCode", Refusal::WrongCode),
        ("IsOperator", Refusal::IsOperator { user: user("Jim") }),
        ("NoDifference", Refusal::NoDifference),
        ("ServerBanned", Refusal::ServerBanned { until: None }),
        ("RegisterFirst", Refusal::RegisterFirst),
    ]
}

fn notifications() -> Vec<(&'static str, Notification)> {
    let (seq, jim, g1) = (Seq(258), || user("Jim"), || group("G1"));
    let closing = Notification::Closing;
    let misbehaved = |how| closing(CloseReason::Misbehaved(how));
    vec![
        ("Ping", Notification::Ping),
        ("Arrived", Notification::Arrived { seq, user: jim(), group: group("General") }),
        ("Departed", Notification::Departed { seq, user: jim() }),
        ("Joined", Notification::Joined { seq, user: jim(), group: g1() }),
        ("Left", Notification::Left { seq, user: jim(), group: g1() }),
        ("GroupPost", Notification::GroupPost { post: post(), group: g1() }),
        ("PrivatePost", Notification::PrivatePost { post: post(), to: user("علی") }),
        ("Closing(Shutdown)", closing(CloseReason::Shutdown)),
        ("Closing(TooSlow)", closing(CloseReason::TooSlow)),
        ("Closing(Idle)", closing(CloseReason::Idle)),
        ("Closing(HandshakeTimeout)", closing(CloseReason::HandshakeTimeout)),
        ("Closing(ServerFull)", closing(CloseReason::ServerFull)),
        ("Closing(Replaced)", closing(CloseReason::Replaced)),
        (
            "Closing(Misbehaved(FrameTooLong))",
            misbehaved(Misbehaviour::FrameTooLong { limit: 65_536 }),
        ),
        ("Closing(Misbehaved(Malformed))", misbehaved(Misbehaviour::Malformed)),
        ("Closing(Misbehaved(HelloExpected))", misbehaved(Misbehaviour::HelloExpected)),
        ("Closing(Misbehaved(HelloAgain))", misbehaved(Misbehaviour::HelloAgain)),
        ("Closing(Misbehaved(Flooding))", misbehaved(Misbehaviour::Flooding)),
        ("Closing(Failed)", closing(CloseReason::Failed)),
        ("Closing(PasswordChanged)", closing(CloseReason::PasswordChanged)),
        ("Closing(TlsRequired)", closing(CloseReason::TlsRequired)),
        ("Closing(TooManyConnections)", closing(CloseReason::TooManyConnections { limit: 258 })),
        ("CaughtUp", Notification::CaughtUp { seq }),
        (
            "Moderated",
            Notification::Moderated {
                seq,
                at: UnixMillis(1_700_000_000_000),
                by: user("علی"),
                group: g1(),
                act: Moderation::Unmute { user: jim() },
            },
        ),
        ("TopicIs", Notification::TopicIs { group: g1(), headline: headline() }),
        ("PassedOn", Notification::PassedOn { seq, group: g1(), to: jim() }),
        (
            "Operated",
            Notification::Operated {
                seq,
                at: UnixMillis(1_700_000_000_000),
                by: user("علی"),
                act: Operation::Appoint { user: jim() },
            },
        ),
        ("Closing(Disconnected)", closing(CloseReason::Disconnected)),
    ]
}
