//! Arbitrary frames: every variant, with values from the whole range that their types allow.

use chatroom_proto::{
    About, AddressPrefix, ArchivedPost, BODY_BYTES_MAX, BanTarget, Body, ClientFrame, ClientInfo,
    CloseReason, Code, Conversation, GroupName, Headline, Hello, Membership, Misbehaviour,
    Moderation, ModerationRecord, Notification, Operation, PAGE_ITEMS_MAX, Page, Password,
    PeerAddr, Post, PostId, Proof, Reason, Refusal, Request, Response, Retention, SearchQuery, Seq,
    ServerBan, ServerFrame, Tag, Token, Topic, UnixMillis, UserName, VersionRange, Welcome,
};
use proptest::prelude::*;
use proptest::{collection, option};

use super::{body, group, password, user, versions, words};

pub(crate) fn client_frame() -> impl Strategy<Value = ClientFrame> {
    (any::<u32>(), request()).prop_map(|(tag, request)| ClientFrame { tag: Tag(tag), request })
}

pub(crate) fn server_frame() -> impl Strategy<Value = ServerFrame> {
    let result = prop_oneof![response().prop_map(Ok), refusal().prop_map(Err)];
    prop_oneof![
        2 => (any::<u32>(), result)
            .prop_map(|(tag, result)| ServerFrame::Response { tag: Tag(tag), result }),
        1 => notification().prop_map(ServerFrame::Notification),
    ]
}

/// Texts that are names: of the scripts of the world, with what real names have between their
/// letters.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9][A-Za-z0-9_.'-]{0,31}",
        "[À-ÖØ-öø-ſ]{1,32}",
        "[Α-ΡΣ-Ωα-ω]{1,32}",
        "[а-яА-Я]{1,32}",
        "[ا-غف-ي]{1,10}\u{200C}[ا-غف-ی]{1,10}",
        "[א-ת]{1,32}",
        "[क-न][क-न\u{93E}\u{94D}]{0,31}",
        "[一-龥]{1,32}",
        "[가-힣]{1,32}",
        "[ぁ-ゖァ-ヺ]{1,32}",
        "[🌀-🗿]{1,32}",
        "([😀-😎]\u{200D}[😀-😎]){1,10}",
        "(e\u{301}|a\u{308}){1,32}",
    ]
}

fn any_user() -> impl Strategy<Value = UserName> {
    name().prop_map(|name| user(&name))
}

fn any_group() -> impl Strategy<Value = GroupName> {
    name().prop_map(|name| group(&name))
}

fn any_body() -> impl Strategy<Value = Body> {
    prop_oneof![
        8 => "[\\PC\n]{1,200}",
        4 => "([a-z ]{0,20}\n|[😀-🙏]){1,40}",
        1 => Just("x".repeat(BODY_BYTES_MAX)),
        1 => Just("\n🙂".repeat(BODY_BYTES_MAX / 5)),
    ]
    .prop_map(|text| body(&text))
}

fn any_password() -> impl Strategy<Value = Password> {
    collection::vec(any::<char>(), 1..=128).prop_map(|chars| password(&String::from_iter(chars)))
}

fn any_versions() -> impl Strategy<Value = VersionRange> {
    any::<(u16, u16)>().prop_map(|(a, b)| versions(a.min(b), a.max(b)))
}

fn any_seq() -> impl Strategy<Value = Seq> {
    any::<u64>().prop_map(Seq)
}

fn page<T: Clone + std::fmt::Debug>(
    item: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Page<T>> {
    prop_oneof![
        9 => collection::vec(item.clone(), 0..5).prop_map(Page::fill),
        1 => item.prop_map(|item| Page::fill(vec![item; PAGE_ITEMS_MAX])),
    ]
}

fn any_words() -> impl Strategy<Value = SearchQuery> {
    "[a-zا-ی][\\PC]{0,60}".prop_map(|text| words(&text))
}

fn conversation() -> impl Strategy<Value = Conversation> {
    prop_oneof![any_group().prop_map(Conversation::Group), any_user().prop_map(Conversation::User)]
}

/// Few and short enough to fit into a frame.
fn past() -> impl Strategy<Value = Page<ArchivedPost>> {
    let said = (conversation(), post()).prop_map(|(place, post)| ArchivedPost { place, post });
    collection::vec(said, 0..5).prop_map(Page::fill)
}

fn membership() -> impl Strategy<Value = Membership> + Clone {
    (any_group(), any_seq()).prop_map(|(group, head)| Membership { group, head }).boxed()
}

fn any_line() -> impl Strategy<Value = String> {
    "[\\p{L}\\p{N}\\p{P}]{1,30}( [\\p{L}\\p{N}\\p{P}]{1,9})?"
}

fn any_time() -> impl Strategy<Value = UnixMillis> {
    any::<u64>().prop_map(UnixMillis)
}

fn act() -> impl Strategy<Value = Moderation> {
    let reason = || option::of(any_line().prop_map(|text| Reason::parse(&text).expect("a reason")));
    let topic = || option::of(any_line().prop_map(|text| Topic::parse(&text).expect("a topic")));
    let seconds = any::<Option<std::num::NonZeroU32>>;
    prop_oneof![
        (any_user(), reason()).prop_map(|(user, reason)| Moderation::Kick { user, reason }),
        (any_user(), seconds(), reason()).prop_map(|(user, seconds, reason)| Moderation::Ban {
            user,
            seconds,
            reason
        }),
        any_user().prop_map(|user| Moderation::Unban { user }),
        (any_user(), seconds(), reason()).prop_map(|(user, seconds, reason)| Moderation::Mute {
            user,
            seconds,
            reason
        }),
        any_user().prop_map(|user| Moderation::Unmute { user }),
        topic().prop_map(|topic| Moderation::Topic { topic }),
        Just(Moderation::Lock),
        Just(Moderation::Unlock),
        any_user().prop_map(|user| Moderation::Invite { user }),
        any_user().prop_map(|user| Moderation::Op { user }),
        any_user().prop_map(|user| Moderation::Deop { user }),
    ]
}

fn acted() -> impl Strategy<Value = ModerationRecord> {
    (any_seq(), any_time(), any_user(), act()).prop_map(|(seq, at, by, act)| ModerationRecord {
        seq,
        at,
        by,
        act,
    })
}

fn whom() -> impl Strategy<Value = BanTarget> {
    prop_oneof![
        any_user().prop_map(BanTarget::User),
        any::<std::net::IpAddr>().prop_map(|address| {
            BanTarget::Host(AddressPrefix::parse(&address.to_string()).expect("an address"))
        }),
    ]
}

fn any_reason() -> impl Strategy<Value = Option<Reason>> {
    option::of(any_line().prop_map(|text| Reason::parse(&text).expect("a reason")))
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        any_user().prop_map(|user| Operation::Appoint { user }),
        any_user().prop_map(|user| Operation::Dismiss { user }),
        (any_user(), any_reason())
            .prop_map(|(user, reason)| Operation::Disconnect { user, reason }),
        (whom(), any::<Option<std::num::NonZeroU32>>(), any_reason())
            .prop_map(|(whom, seconds, reason)| Operation::Ban { whom, seconds, reason }),
        whom().prop_map(|whom| Operation::Unban { whom }),
    ]
}

fn visitor() -> impl Strategy<Value = ClientInfo> {
    let groups = collection::vec(any_group(), 0..3).prop_map(Page::fill);
    (any_line(), any_user(), groups, any::<bool>()).prop_map(
        |(address, name, groups, is_connected)| ClientInfo {
            address: PeerAddr::parse(&address).expect("an address"),
            name,
            groups,
            is_connected,
        },
    )
}

fn server_ban() -> impl Strategy<Value = ServerBan> {
    (any_seq(), any_time(), any_user(), whom(), option::of(any_time()), any_reason()).prop_map(
        |(seq, at, by, whom, until, reason)| ServerBan { seq, at, by, whom, until, reason },
    )
}

fn headline() -> impl Strategy<Value = Headline> {
    (any_line(), any_user(), any_time()).prop_map(|(topic, by, at)| Headline {
        topic: Topic::parse(&topic).expect("a topic"),
        by,
        at,
    })
}

fn about() -> impl Strategy<Value = About> {
    let people = (option::of(any_user()), collection::vec(any_user(), 0..5));
    let times = (option::of(any_time()), option::of(any_time()));
    (any_group(), people, option::of(headline()), times, any::<(u32, bool, bool, bool)>()).prop_map(
        |(group, (owner, ops), topic, (locked_since, muted_until), rest)| About {
            group,
            owner,
            ops: Page::fill(ops),
            topic,
            locked_since,
            members: rest.0,
            is_member: rest.1,
            is_invited: rest.2,
            is_muted: rest.3,
            muted_until,
        },
    )
}

fn proof() -> impl Strategy<Value = Proof> {
    prop_oneof![
        Just(Proof::Open),
        any::<[u8; 32]>().prop_map(|token| Proof::Resume(Token(token))),
        any_password().prop_map(Proof::Password),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let id = || any::<[u8; 16]>().prop_map(PostId);
    prop_oneof![
        (any_versions(), any_user(), proof(), any_seq()).prop_map(
            |(versions, name, proof, seen)| Request::Hello(Hello { versions, name, proof, seen })
        ),
        any_group().prop_map(|group| Request::Create { group }),
        any_group().prop_map(|group| Request::Join { group }),
        any_group().prop_map(|group| Request::Leave { group }),
        any_seq().prop_map(|after| Request::Groups { after }),
        any_seq().prop_map(|after| Request::Users { after }),
        (any_group(), id(), any_body()).prop_map(|(group, id, body)| Request::Public {
            group,
            id,
            body
        }),
        (any_user(), id(), any_body()).prop_map(|(to, id, body)| Request::Private { to, id, body }),
        Just(Request::Exit),
        Just(Request::Ping),
        (conversation(), any_seq(), any::<u16>())
            .prop_map(|(of, before, count)| Request::History { of, before, count }),
        (any_words(), option::of(any_group()), any_seq(), any::<u16>()).prop_map(
            |(words, within, before, count)| Request::Search { words, within, before, count }
        ),
        any_password().prop_map(|password| Request::Register { password }),
        (any_password(), any_password())
            .prop_map(|(old, new)| Request::ChangePassword { old, new }),
        any_password().prop_map(|password| Request::Unregister { password }),
        (any_group(), act()).prop_map(|(group, act)| Request::Moderate { group, act }),
        (any_group(), option::of(any_user()))
            .prop_map(|(group, user)| Request::Why { group, user }),
        any_group().prop_map(|group| Request::About { group }),
        any::<[u8; 16]>().prop_map(|code| Request::Claim { code: Code(code) }),
        operation().prop_map(|act| Request::Operate { act }),
        any_seq().prop_map(|after| Request::Clients { after }),
        any_seq().prop_map(|after| Request::ServerBans { after }),
    ]
}

fn welcome() -> impl Strategy<Value = Welcome> {
    let fixed = any::<(u16, [u8; 32], bool, u32, u64)>();
    let retention = prop_oneof![
        Just(Retention::Nothing),
        any::<u32>().prop_map(Retention::Days),
        Just(Retention::Everything)
    ];
    (any_user(), page(membership()), retention, fixed).prop_map(
        |(name, groups, retention, (version, token, resumed, grace_ms, seq))| Welcome {
            version,
            name,
            token: Token(token),
            resumed,
            grace_ms,
            seq: Seq(seq),
            groups,
            retention,
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    let next = || option::of(any_seq());
    prop_oneof![
        welcome().prop_map(Response::Welcome),
        (any_seq(), any_group()).prop_map(|(seq, group)| Response::Created { seq, group }),
        (any_seq(), membership())
            .prop_map(|(seq, membership)| Response::Joined { seq, membership }),
        (any_seq(), any_group()).prop_map(|(seq, group)| Response::Left { seq, group }),
        (page(any_group().boxed()), next())
            .prop_map(|(groups, next)| Response::Groups { groups, next }),
        (page(any_user().boxed()), next())
            .prop_map(|(users, next)| Response::Users { users, next }),
        (any_seq(), any::<u64>())
            .prop_map(|(seq, at)| Response::Posted { seq, at: UnixMillis(at) }),
        Just(Response::Goodbye),
        Just(Response::Pong),
        (any_seq(), any::<u64>(), any_user()).prop_map(|(seq, at, to)| Response::Kept {
            seq,
            at: UnixMillis(at),
            to
        }),
        (past(), next()).prop_map(|(posts, next)| Response::Past { posts, next }),
        any_seq().prop_map(|seq| Response::Registered { seq }),
        (any_seq(), any::<[u8; 32]>())
            .prop_map(|(seq, token)| Response::PasswordChanged { seq, token: Token(token) }),
        any_seq().prop_map(|seq| Response::Unregistered { seq }),
        (any_seq(), any_group()).prop_map(|(seq, group)| Response::Moderated { seq, group }),
        (any_group(), collection::vec(acted(), 0..5).prop_map(Page::fill))
            .prop_map(|(group, acts)| Response::Acts { group, acts }),
        about().prop_map(|about| Response::About(Box::new(about))),
        any_seq().prop_map(|seq| Response::Operated { seq }),
        (collection::vec(visitor(), 0..5).prop_map(Page::fill), next())
            .prop_map(|(clients, next)| Response::Clients { clients, next }),
        (collection::vec(server_ban(), 0..5).prop_map(Page::fill), next())
            .prop_map(|(bans, next)| Response::ServerBans { bans, next }),
    ]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        any_versions().prop_map(|server| Refusal::UnsupportedVersion { server }),
        any_user().prop_map(|name| Refusal::NameTaken { name }),
        any_user().prop_map(|name| Refusal::NotRegistered { name }),
        any_group().prop_map(|group| Refusal::GroupExists { group }),
        any_group().prop_map(|group| Refusal::NoSuchGroup { group }),
        any_group().prop_map(|group| Refusal::AlreadyMember { group }),
        any_group().prop_map(|group| Refusal::NotMember { group }),
        any_user().prop_map(|name| Refusal::NoSuchUser { name }),
        any::<u32>().prop_map(|limit| Refusal::TooManyGroups { limit }),
        any::<u32>().prop_map(|limit| Refusal::TooManyMemberships { limit }),
        Just(Refusal::NothingKept),
        Just(Refusal::TookTooLong),
        any_user().prop_map(|name| Refusal::PasswordNeeded { name }),
        any_user().prop_map(|name| Refusal::WrongPassword { name }),
        Just(Refusal::PasswordInTheOpen),
        any_user().prop_map(|name| Refusal::AlreadyRegistered { name }),
        any::<u32>().prop_map(|limit| Refusal::TooManyAccounts { limit }),
        any::<u32>().prop_map(|limit| Refusal::TooManyDevices { limit }),
        any::<u32>().prop_map(|retry_after_ms| Refusal::TooManyTries { retry_after_ms }),
        any_user().prop_map(|name| Refusal::NameLooksLike { name }),
        any_group().prop_map(|group| Refusal::GroupLooksLike { group }),
        any::<u32>().prop_map(|retry_after_ms| Refusal::RateLimited { retry_after_ms }),
        any_group().prop_map(|group| Refusal::NotAllowed { group }),
        (any_group(), any_user()).prop_map(|(group, user)| Refusal::OutOfReach { group, user }),
        Just(Refusal::NotOneself),
        any_group().prop_map(|group| Refusal::AlreadySo { group }),
        any::<u32>().prop_map(|limit| Refusal::TooManyMarks { limit }),
        (any_group(), option::of(any_time()))
            .prop_map(|(group, until)| Refusal::Banned { group, until }),
        (any_group(), option::of(any_time()))
            .prop_map(|(group, until)| Refusal::Muted { group, until }),
        any_group().prop_map(|group| Refusal::InvitationOnly { group }),
        Just(Refusal::NotOperator),
        Just(Refusal::WrongCode),
        any_user().prop_map(|user| Refusal::IsOperator { user }),
        Just(Refusal::NoDifference),
        option::of(any_time()).prop_map(|until| Refusal::ServerBanned { until }),
        Just(Refusal::RegisterFirst),
    ]
}

fn post() -> impl Strategy<Value = Post> {
    (any::<(u64, u64, u64, [u8; 16])>(), any_user(), any_body()).prop_map(
        |((seq, prev, at, id), from, body)| Post {
            seq: Seq(seq),
            prev: Seq(prev),
            at: UnixMillis(at),
            id: PostId(id),
            from,
            body,
        },
    )
}

fn notification() -> impl Strategy<Value = Notification> {
    let who_and_where = || (any_seq(), any_user(), any_group());
    prop_oneof![
        1 => Just(Notification::Ping),
        1 => who_and_where().prop_map(|(seq, user, group)| Notification::Arrived { seq, user, group }),
        1 => (any_seq(), any_user()).prop_map(|(seq, user)| Notification::Departed { seq, user }),
        1 => who_and_where().prop_map(|(seq, user, group)| Notification::Joined { seq, user, group }),
        1 => who_and_where().prop_map(|(seq, user, group)| Notification::Left { seq, user, group }),
        1 => (post(), any_group()).prop_map(|(post, group)| Notification::GroupPost { post, group }),
        1 => (post(), any_user()).prop_map(|(post, to)| Notification::PrivatePost { post, to }),
        3 => close_reason().prop_map(Notification::Closing),
        1 => any_seq().prop_map(|seq| Notification::CaughtUp { seq }),
        1 => (acted(), any_group()).prop_map(|(ModerationRecord { seq, at, by, act }, group)| {
            Notification::Moderated { seq, at, by, group, act }
        }),
        1 => (any_group(), headline())
            .prop_map(|(group, headline)| Notification::TopicIs { group, headline }),
        1 => who_and_where().prop_map(|(seq, to, group)| Notification::PassedOn { seq, group, to }),
        1 => (any_seq(), any_time(), any_user(), operation())
            .prop_map(|(seq, at, by, act)| Notification::Operated { seq, at, by, act }),
    ]
}

fn close_reason() -> impl Strategy<Value = CloseReason> {
    let misbehaviour = prop_oneof![
        any::<u32>().prop_map(|limit| Misbehaviour::FrameTooLong { limit }),
        Just(Misbehaviour::Malformed),
        Just(Misbehaviour::HelloExpected),
        Just(Misbehaviour::HelloAgain),
        Just(Misbehaviour::Flooding),
    ];
    prop_oneof![
        1 => Just(CloseReason::Shutdown),
        1 => Just(CloseReason::TooSlow),
        1 => Just(CloseReason::Idle),
        1 => Just(CloseReason::HandshakeTimeout),
        1 => Just(CloseReason::ServerFull),
        1 => Just(CloseReason::Replaced),
        4 => misbehaviour.prop_map(CloseReason::Misbehaved),
        1 => Just(CloseReason::Failed),
        1 => Just(CloseReason::PasswordChanged),
        1 => Just(CloseReason::TlsRequired),
        1 => any::<u32>().prop_map(|limit| CloseReason::TooManyConnections { limit }),
        1 => Just(CloseReason::Disconnected),
    ]
}
