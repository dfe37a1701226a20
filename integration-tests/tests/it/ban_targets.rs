//! Whom a ban from the server keeps out, however it is written; and names that a command would take
//! for others.

use std::net::Ipv4Addr;

use chatroom_client::app::command;
use chatroom_proto::{
    BanTarget, CloseReason, Code, GroupName, Operation, Password, PostId, Refusal, Request,
    Response, Seq, ServerBan, Tag, UnixMillis,
};
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use chatroom_server::chat::entry::{
    Address, Command, ConnAddr, ConnectionId, DeviceId, NodeId, Origin, Proposal, ProposalId,
    TokenDigest,
};
use chatroom_server::storage::log::{Durability, Log, SqliteLog};
use integration_tests::stage::play_in_memory;
use integration_tests::test_client::{TestClient, group, hello, user};
use integration_tests::test_server::TestServer;
use tempfile::TempDir;

/// Where those are from who are to be kept out.
const INSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Where others are from: the address beside it, and one beyond its network.
const BESIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
const BEYOND: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 3);

/// What an operator types, how `server-bans` lists it, and an address that it does not mean.
const FORMS: [(&str, &str, Ipv4Addr); 12] = [
    ("127.0.0.3", "127.0.0.3", BESIDE),
    ("127.0.0.3/32", "127.0.0.3", BESIDE),
    ("127.0.0.3/255.255.255.255", "127.0.0.3", BESIDE),
    ("127.0.0.3:50000", "127.0.0.3", BESIDE),
    ("[127.0.0.3]", "127.0.0.3", BESIDE),
    ("[::ffff:127.0.0.3]", "127.0.0.3", BESIDE),
    ("::FFFF:127.0.0.3", "127.0.0.3", BESIDE),
    ("[::FFFF:7F00:3]:50000", "127.0.0.3", BESIDE),
    ("127.0.0.0/24", "127.0.0.0/24", BEYOND),
    ("127.0.0.*", "127.0.0.0/24", BEYOND),
    ("127.0.0.9/255.255.255.0", "127.0.0.0/24", BEYOND),
    ("::ffff:127.0.0.0/120", "127.0.0.0/24", BEYOND),
];

async fn become_operator(guest: &mut TestClient, code: Code) {
    let password = Password::try_from("secret".to_owned()).expect("a valid password");
    guest.do_(Request::Register { password }).await;
    guest.do_(Request::Claim { code }).await;
}

/// What somebody asks who types this at a terminal.
fn typed(line: &str) -> Request {
    let command = command::parse(line).expect("a command").expect("no empty line");
    command.into_request(PostId([0; 16])).expect("a request")
}

async fn bans(operator: &mut TestClient) -> Vec<ServerBan> {
    match operator.do_(Request::ServerBans { after: Seq::ZERO }).await {
        Response::ServerBans { bans, .. } => bans.as_slice().to_vec(),
        other => panic!("{other:?} lists no bans"),
    }
}

fn shown(whom: &BanTarget) -> String {
    match whom {
        BanTarget::User(user) => user.to_string(),
        BanTarget::Host(prefix) => prefix.to_string(),
        BanTarget::Network(network) => network.to_string(),
    }
}

#[tokio::test]
async fn an_address_is_kept_out_and_its_people_put_out_however_it_is_written() {
    let host = TestServer::start();
    let mut ann = host.guest("ann").await;
    become_operator(&mut ann, host.code.clone().expect("nobody is an operator")).await;
    for (number, (form, listed, outside)) in (1..).zip(FORMS) {
        let name = |what: &str| format!("{what}{number}");
        let mut bob = TestClient::come_from(INSIDE, host.address, &name("bob")).await;
        let mut kim = TestClient::come_from(outside, host.address, &name("kim")).await;
        ann.do_(typed(&format!("server-ban {form} 1h a flood"))).await;
        assert_eq!(bob.hear_why_closed().await, Some(CloseReason::Disconnected), "{form}");
        let mut eve = TestClient::connect_from(INSIDE, host.address).await;
        let refused = eve.ask(Request::Hello(hello(&name("eve")))).await;
        assert!(matches!(refused, Err(Refusal::ServerBanned { until: Some(_) })), "{form}");

        kim.do_(Request::Ping).await;
        TestClient::come_from(outside, host.address, &name("leo")).await;
        let listing: Vec<_> = bans(&mut ann).await.iter().map(|ban| shown(&ban.whom)).collect();
        assert_eq!(listing, [listed], "{form}");

        ann.do_(typed(&format!("server-unban {form}"))).await;
        assert!(bans(&mut ann).await.is_empty(), "{form}");
        TestClient::come_from(INSIDE, host.address, &name("eve")).await;
    }
}

#[tokio::test]
async fn a_ban_of_a_network_survives_a_restart() {
    let directory = TempDir::with_prefix("chatroom-network-").expect("a temporary directory");
    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let mut ann = host.guest("ann").await;
    become_operator(&mut ann, host.code.clone().expect("nobody is an operator")).await;
    ann.do_(typed("server-ban 127.0.0.0/29")).await;
    ann.do_(typed("server-ban 2001:db8::/32")).await;
    host.stop().await.expect("stops");

    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let mut eve = TestClient::connect_from(INSIDE, host.address).await;
    let refused = eve.ask(Request::Hello(hello("eve"))).await;
    assert_eq!(refused, Err(Refusal::ServerBanned { until: None }));
    TestClient::come_from(Ipv4Addr::new(127, 0, 0, 8), host.address, "eve").await;
}

#[test]
fn nobody_comes_and_no_group_is_made_whose_name_begins_with_a_mark() {
    play_in_memory(
        Limits::default(),
        "
        @ann logs in
        @ann< refused: begins with a mark
        @ann is hung up on
        /join logs in
        /join< refused: begins with a mark
        /join is hung up on
        # Full-width, and so the same name as the first.
        ＠ann logs in
        ＠ann< refused: begins with a mark
        ＠ann is hung up on
        ann comes
        ann> create @bob
        ann< refused: begins with a mark
        ann> create /tea
        ann< refused: begins with a mark
        ann> create a@b/c
        ann< created a@b/c
        b@c/d comes
        ann< b@c/d arrived in General
        ann> groups
        ann< groups: General, a@b/c
        # In one breath, the answers keep their order.
        the log stops
        ann> create tea
        ann> create @tea
        ann> create cake
        the log goes on
        ann< created tea
        ann< refused: begins with a mark
        ann< created cake
        ",
    );
}

/// A log from before no new name began with a mark: in it, `@ann` has come, and made `/tea`.
fn older_log(directory: &TempDir) {
    let log = SqliteLog::open(directory.path(), Durability::Normal).expect("a log");
    let node = NodeId(1);
    let place = ConnAddr { node, connection: ConnectionId(1) };
    let address: Address = "192.0.2.1:7".parse().expect("an address");
    let (presented, fresh) = (None, TokenDigest([7; 32]));
    let by = DeviceId(Seq(2));
    let commands = [
        Command::Began { limits: Limits::default() },
        Command::Arrive { name: user("@ann"), presented, fresh, address },
        Command::Create { by, group: group("/tea") },
        Command::Join { by, group: group("/tea") },
    ];
    let proposals = (1..).zip(commands).map(|(number, command)| Proposal {
        id: ProposalId { node, number: u64::from(number) },
        origin: Some(Origin { place, tag: Tag(number) }),
        at: UnixMillis(u64::from(number)),
        command,
    });
    log.append(proposals.collect()).expect("a log that can be written");
}

#[tokio::test]
async fn names_in_an_older_log_that_begin_with_a_mark_are_still_there_and_mean_themselves() {
    let directory = TempDir::with_prefix("chatroom-older-").expect("a temporary directory");
    older_log(&directory);
    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let mut ann = host.guest("ann").await;
    let mut jim = host.guest("jim").await;
    become_operator(&mut jim, host.code.clone().expect("nobody is an operator")).await;
    match ann.do_(Request::Groups { after: Seq::ZERO }).await {
        Response::Groups { groups, .. } => {
            assert_eq!(groups.as_slice(), [GroupName::general(), group("/tea")]);
        }
        other => panic!("{other:?} lists no groups"),
    }
    ann.do_(Request::Join { group: group("/tea") }).await;
    let mut other = TestClient::connect(host.address).await;
    let refused = other.ask(Request::Hello(hello("@ann"))).await;
    assert_eq!(refused, Err(Refusal::NameTaken { name: user("@ann") }));

    // Of the two, the one that was typed is put out.
    let answer = jim.do_(typed("server-ban @ann")).await;
    assert!(matches!(answer, Response::Operated { .. }), "{answer:?}");
    let whom: Vec<_> = bans(&mut jim).await.into_iter().map(|ban| ban.whom).collect();
    assert_eq!(whom, [BanTarget::User(user("@ann"))]);
    ann.do_(Request::Ping).await;
    let act = Operation::Disconnect { user: user("@nobody"), reason: None };
    let refused = jim.ask(Request::Operate { act }).await;
    assert_eq!(refused, Err(Refusal::NoSuchUser { name: user("nobody") }));
}
