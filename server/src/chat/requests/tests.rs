//! Each request is served as its class says.

use std::collections::BTreeSet;

use chatroom_proto::golden::Shape;
use chatroom_proto::{
    Body, Code, Conversation, GroupName, Hello, Lives, Moderation, Operation, PAGE_ITEMS_MAX,
    Password, PostId, Proof, Request, Response, Retention, SearchQuery, Seq, Tag, Token,
    UnixMillis, UserName, VersionRange,
};

use super::super::domain::Chat;
use super::super::effect::{Channel, Credential, Effect, Input, LoginRequest};
use super::super::entry::{ConnectionId, Entry, NodeId, TokenDigest};
use super::super::limits::Limits;
use super::super::request_class::{RequestClass, RequestKind};

const CONNECTION: ConnectionId = ConnectionId(1);
const NOW: UnixMillis = UnixMillis(1);

/// One of each, and none that the state forbids.
fn requests() -> Vec<Request> {
    let group = || GroupName::parse("tea").expect("a name");
    let user = || UserName::parse("ann").expect("a name");
    let password = || Password::try_from("correct horse".to_owned()).expect("a password");
    let (id, body) = (PostId([1; 16]), || Body::parse("hi").expect("a body"));
    let (before, count) = (Seq::ZERO, 10);
    let of = Conversation::Group(GroupName::general());
    let words = SearchQuery::parse("tea").expect("words");
    vec![
        Request::Hello(hello()),
        Request::Create { group: group() },
        Request::Join { group: group() },
        Request::Leave { group: GroupName::general() },
        Request::Groups { after: Seq::ZERO },
        Request::Users { after: Seq::ZERO },
        Request::Public { group: GroupName::general(), id, body: body() },
        Request::Private { to: user(), id, body: body() },
        Request::Exit,
        Request::Ping,
        Request::History { of, before, count },
        Request::Search { words, within: None, before, count },
        Request::Register { password: password() },
        Request::ChangePasswordAndToken { old: password(), new: password(), token: Token([2; 32]) },
        Request::ChangePassword { old: password(), new: password() },
        Request::ComeBack { hello: hello(), lives: Lives::default() },
        Request::Unregister { password: password() },
        Request::Moderate { group: GroupName::general(), act: Moderation::Lock },
        Request::Why { group: GroupName::general(), user: None },
        Request::About { group: GroupName::general() },
        Request::Claim { code: Code([1; 16]) },
        Request::Operate { act: Operation::Appoint { user: user() } },
        Request::Who { user: user() },
        Request::Clients { after: Seq::ZERO },
        Request::ServerBans { after: Seq::ZERO },
        Request::Delete { post: Seq(1) },
        Request::Moderate {
            group: GroupName::general(),
            act: Moderation::Delete { user: user(), post: Seq(1) },
        },
    ]
}

fn hello() -> Hello {
    let name = UserName::parse("ann").expect("a name");
    Hello { versions: VersionRange::OF_CLIENTS, name, proof: Proof::Open, seen: Seq::ZERO }
}

/// A chat in which one client is let in.
fn chat() -> Chat {
    let limits = Limits { retention: Retention::Everything, ..Limits::default() };
    let mut chat = Chat::new(NodeId(1), limits);
    let mut out = Vec::new();
    chat.begin(NOW, &mut out);
    let digest = TokenDigest([1; 32]);
    let login = LoginRequest {
        connection: CONNECTION,
        tag: Tag(0),
        hello: hello(),
        lives: Lives::default(),
        presented: None,
        session: Credential { token: Token([1; 32]), digest },
        address: "127.0.0.1:7".parse().expect("an address"),
        channel: Channel::Loopback,
    };
    chat.handle(Input::LogIn(Box::new(login)), NOW, &mut out);
    let proposals = out.drain(..).filter_map(|effect| match effect {
        Effect::Propose(proposal) => Some(proposal),
        _ => None,
    });
    for (seq, proposal) in (1..).zip(proposals.collect::<Vec<_>>()) {
        chat.apply(&Entry { seq: Seq(seq), proposal }, &mut out);
    }
    chat
}

fn ask(chat: &mut Chat, tag: u32, request: Request) -> Vec<Effect> {
    let mut out = Vec::new();
    chat.handle(Input::Ask { connection: CONNECTION, tag: Tag(tag), request }, NOW, &mut out);
    out
}

#[test]
fn a_page_has_as_many_posts_as_were_asked_for_and_never_more_than_a_page() {
    let words = SearchQuery::parse("tea").expect("words");
    for (asked, count) in [(0, 0), (1, 1), (400, 400), (u16::MAX, PAGE_ITEMS_MAX)] {
        let (before, of) = (Seq::ZERO, Conversation::Group(GroupName::general()));
        let search = Request::Search { words: words.clone(), within: None, before, count: asked };
        for request in [Request::History { of, before, count: asked }, search] {
            let out = ask(&mut chat(), 1, request);
            let Some(Effect::Read { read, .. }) = out.first() else { panic!("{out:?}") };
            assert_eq!(read.count, count);
        }
    }
}

#[test]
fn a_request_is_served_as_its_class_says() {
    let name = |request: &Request| {
        format!("{request:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
    };
    let named: BTreeSet<String> = requests().iter().map(name).collect();
    let shape = Shape::whole::<Request>();
    let all: BTreeSet<String> =
        shape.variants_of("Request").into_iter().map(str::to_owned).collect();
    assert_eq!(named, all, "one of each is asked here");
    // Its connection makes another one of it.
    let is_replaced = |request: &Request| matches!(request, Request::ChangePassword { .. });
    for request in requests().into_iter().filter(|request| !is_replaced(request)) {
        let kind = RequestClass::of(&request).kind;
        let label = format!("{kind:?}: {request:?}");
        // Behind a command nothing is foreseen: a command goes to the log, and the rest waits.
        let mut busy = chat();
        ask(&mut busy, 1, Request::Create { group: GroupName::parse("art").expect("a name") });
        let goes_on =
            matches!(ask(&mut busy, 2, request.clone()).first(), Some(Effect::Propose(_)));
        assert_eq!(goes_on, kind == RequestKind::Command, "{label}");
        assert_eq!(goes_on, !kind.waits_for_commands(), "{label}");

        let out = ask(&mut chat(), 1, request);
        let is_right = match (kind, out.first()) {
            // What nothing comes before may be refused at once.
            (RequestKind::Command, Some(Effect::Propose(_) | Effect::Reply { .. })) => true,
            (RequestKind::Login, Some(Effect::HangUp { .. })) => true,
            (RequestKind::LookUp, Some(Effect::Read { .. })) => true,
            (RequestKind::NeedsPassword, Some(Effect::Check { .. })) => true,
            (RequestKind::NeedsPost, Some(Effect::Find { .. })) => true,
            (RequestKind::Liveness, Some(Effect::Reply { result, .. })) => {
                matches!(result, Ok(Response::Pong))
            }
            (RequestKind::Question | RequestKind::List, Some(Effect::Reply { .. })) => true,
            _ => false,
        };
        assert!(is_right && out.len() == 1, "{label} came to {out:?}");
    }
}
