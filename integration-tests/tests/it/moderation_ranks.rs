//! Who stands above whom where order is kept: what is decided above holds below, whatever somebody
//! becomes, and nobody can use up what the others need to keep order.

use chatroom_proto::{Hello, Moderation, Proof, Request, Response, Seq, ServerFrame, Topic};
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use integration_tests::stage::{Entrance, InMemory, Stage, on_paused_time, play_in_memory};
use integration_tests::test_client::{TestClient, group, hello, password, user};
use integration_tests::test_server::TestServer;

fn check(dialogue: &str) {
    play_in_memory(Limits::default(), dialogue);
}

/// Ann's group, and jim in it.
const TEA: &str = "
    ann comes
    jim comes
    ann< jim arrived in General
    ann> create tea
    ann< created tea
    ann> join tea
    ann< joined tea
    jim> join tea
    jim< joined tea
    ann< jim joined tea
";

/// An operator of the server, and ann's group.
const RULED: &str = "
    root comes
    root> register secret
    root< registered
    root> operator
    root< done
    ann comes
    root< ann arrived in General
    ann> create tea
    ann< created tea
    ann> join tea
    ann< joined tea
";

#[test]
fn an_operator_who_is_muted_by_the_owner_is_silent_and_cannot_undo_it() {
    check(&format!(
        "{TEA}
        ann> op tea jim
        ann< done in tea
        jim< ann does in tea: op jim
        ann> mute tea jim
        ann< done in tea
        jim< ann does in tea: mute jim
        jim> public tea hello
        jim< refused: muted in tea
        jim> unmute tea jim
        jim< refused: jim is out of reach in tea
        ann> unmute tea jim
        ann< done in tea
        jim< ann does in tea: unmute jim
        jim> public tea hello
        ann< jim in tea: hello
        jim< posted
        "
    ));
}

#[test]
fn an_owner_whom_an_operator_of_the_server_mutes_or_bans_is_silent_or_out() {
    check(&format!(
        "{RULED}
        root> mute tea ann
        root< done in tea
        ann< root does in tea: mute ann
        ann> public tea hello
        ann< refused: muted in tea
        ann> unmute tea ann
        ann< refused: ann is out of reach in tea
        root> ban tea ann
        root< done in tea
        ann< root does in tea: ban ann
        ann> join tea
        ann< refused: banned from tea
        ann> unban tea ann
        ann< refused: ann is out of reach in tea
        "
    ));
}

#[test]
fn one_who_is_banned_becomes_no_operator() {
    check(&format!(
        "{TEA}
        ann> ban tea jim
        ann< done in tea
        jim< ann does in tea: ban jim
        ann> op tea jim
        ann< refused: banned from tea
        ann> unban tea jim
        ann< done in tea
        jim< ann does in tea: unban jim
        ann> op tea jim
        ann< done in tea
        jim< ann does in tea: op jim
        "
    ));
}

#[test]
fn a_ban_of_ones_name_ends_when_one_comes_in_whom_it_does_not_hold_for() {
    check(&format!(
        "{RULED}
        root> create den
        root< created den
        ann> join den
        ann< joined den
        root> ban den ann
        root< done in den
        ann< root does in den: ban ann
        ann> register secret
        ann< registered
        root> appoint ann
        root< done
        ann< root does: appoint ann
        ann> join den
        ann< joined den
        root> dismiss ann
        root< done
        ann< root does: dismiss ann
        # No member is banned: the next device comes into the group, too.
        ann> public den hello
        ann< posted
        ann* logs in with a password
        ann*< welcome, in General, tea, den
        "
    ));
}

#[test]
fn a_locked_general_is_entered_by_invitation_only() {
    check(&format!(
        "{RULED}
        root> lock General
        root< done in General
        ann< root does in General: lock
        jim logs in
        jim< welcome, in none
        jim> join General
        jim< refused: not invited to General
        root> invite General jim
        root< done in General
        ann< root does in General: invite jim
        jim< root does in General: invite jim
        jim> join General
        jim< joined General
        root< jim joined General
        ann< jim joined General
        root> kick General ann
        root< done in General
        ann< root does in General: kick ann
        jim< root does in General: kick ann
        ann> exit
        ann< goodbye
        ann is hung up on
        ann logs in again
        ann< welcome back, in tea
        "
    ));
}

#[test]
fn nobody_has_words_for_one_who_is_not_in_the_group() {
    check(&format!(
        "{TEA}
        jim> leave tea
        ann< jim left tea
        jim< left tea
        ann> ban tea jim you are ugly
        ann< done in tea
        ann> unban tea jim
        ann< done in tea
        jim< ann does in tea: unban jim
        ann> mute tea jim you are ugly
        ann< done in tea
        "
    ));
}

#[test]
fn an_operator_whose_name_a_stranger_has_can_be_made_none() {
    check(&format!(
        "{TEA}
        ann> op tea jim
        ann< done in tea
        jim< ann does in tea: op jim
        jim> exit
        jim< goodbye
        jim is hung up on
        ann< jim departed
        jim' comes
        ann< jim arrived in General
        # The stranger is not taken for the operator.
        ann> about tea
        ann< tea has 2, owner ann, in it
        ann> deop tea jim
        ann< done in tea
        ann> deop tea jim
        ann< refused: already so in tea
        "
    ));
}

async fn ask(stage: &mut InMemory, who: &str, request: Request) {
    stage.submit(who, request).await;
    is_granted(stage, who).await;
}

/// Waits for the next answer.
async fn is_granted(stage: &mut InMemory, who: &str) {
    loop {
        if let Some(ServerFrame::Response { result, .. }) = stage.hear(who).await {
            result.expect("granted");
            return;
        }
    }
}

#[test]
fn a_group_may_ban_whatever_others_have_used_up() {
    on_paused_time(use_everything_up());
}

async fn use_everything_up() {
    let mut stage = InMemory::open(Limits::default()).await;
    for name in ["ann", "eve", "jim"] {
        stage.log_in(name, Entrance::Open).await;
        stage.hear(name).await;
    }
    let act = |name: &str, act| Request::Moderate { group: group(name), act };
    let topic = |number: usize| Moderation::Topic { topic: Topic::parse(&number.to_string()).ok() };
    let tea = || Request::Create { group: group("tea") };
    ask(&mut stage, "ann", tea()).await;
    for number in 0..20 {
        ask(&mut stage, "ann", act("tea", topic(number))).await;
    }
    // All that all groups together have room for.
    for evil in 0..500 {
        let name = format!("evil{evil}");
        ask(&mut stage, "eve", Request::Create { group: group(&name) }).await;
        for number in 0..200 {
            stage.submit("eve", act(&name, topic(number))).await;
        }
        for _ in 0..200 {
            is_granted(&mut stage, "eve").await;
        }
    }
    ask(
        &mut stage,
        "ann",
        act("tea", Moderation::Ban { user: user("jim"), seconds: None, reason: None }),
    )
    .await;
}

#[tokio::test]
async fn invitations_of_those_who_are_forgotten_take_no_room() {
    let limits = Limits { remembered_max: 0, ..Config::default().limits };
    let host = TestServer::start_with(Config { limits, ..Config::default() });
    let mut ann = host.guest("ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    let invite = |name: &str| Request::Moderate {
        group: group("tea"),
        act: Moderation::Invite { user: user(name) },
    };
    for number in 0..500 {
        let name = format!("guest{number}");
        let mut guest = host.guest(&name).await;
        ann.do_(invite(&name)).await;
        guest.do_(Request::Exit).await;
    }
    let _jim = host.guest("jim").await;
    ann.do_(invite("jim")).await;
}

#[tokio::test]
async fn the_list_of_clients_has_all_devices_however_long_their_groups_names_are() {
    const DEVICES: usize = 8;
    let host = TestServer::start();
    let mut root = host.guest("root").await;
    root.do_(Request::Register { password: password("secret") }).await;
    root.do_(Request::Claim { code: host.code.clone().expect("there is no operator yet") }).await;
    let mut eve = host.guest("eve").await;
    eve.do_(Request::Register { password: password("secret") }).await;
    for number in 0..99 {
        let name = group(&format!("{}{number:03}", "\u{1F980}".repeat(29)));
        root.do_(Request::Create { group: name.clone() }).await;
        eve.do_(Request::Join { group: name }).await;
    }
    let mut devices = vec![eve];
    while devices.len() < DEVICES {
        let proof = Proof::Password(password("secret"));
        let (device, _) =
            TestClient::come_with(host.address, Hello { proof, ..hello("eve") }).await;
        devices.push(device);
    }
    let (mut eves, mut after) = (Vec::new(), Seq::ZERO);
    loop {
        let Response::Clients { clients, next } = root.do_(Request::Clients { after }).await else {
            panic!("no clients")
        };
        let names = clients.as_slice().iter().filter(|visitor| visitor.name == user("eve"));
        eves.extend(names.map(|visitor| visitor.groups.as_slice().len()));
        let Some(next) = next else { break };
        after = next;
    }
    assert_eq!((eves.len(), eves[0]), (DEVICES, 100));
}
