//! Keeping order, as dialogues: what owners and operators may, what becomes of whom it concerns,
//! and what stays.

use chatroom_proto::{
    Moderation, Notification, Proof, Reason, Refusal, Request, Response, Tag, Topic,
};
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use integration_tests::stage::play_in_memory;
use integration_tests::test_client::{TestClient, group, hello, public, user};
use integration_tests::test_server::TestServer;

fn check(dialogue: &str) {
    play_in_memory(Limits::default(), dialogue);
}

/// Ann has a group, in which Bob and Jim are members.
const TEA: &str = "
    ann comes
    bob comes
    ann< bob arrived in General
    jim comes
    ann< jim arrived in General
    bob< jim arrived in General
    ann> create Tea
    ann< created Tea
    ann> join Tea
    ann< joined Tea
    bob> join tea
    bob< joined Tea
    ann< bob joined Tea
    jim> join tea
    jim< joined Tea
    ann< jim joined Tea
    bob< jim joined Tea
";

fn check_in_tea(dialogue: &str) {
    check(&format!("{TEA}{dialogue}"));
}

#[test]
fn one_who_is_kicked_is_told_and_hears_nothing_more_and_may_come_again() {
    check_in_tea(
        "
        ann> kick tea JIM too loud
        ann< done in Tea
        bob< ann does in Tea: kick jim too loud
        jim< ann does in Tea: kick jim too loud
        bob> public tea quiet now
        bob< posted
        ann< bob in Tea: quiet now
        jim> public tea hey
        jim< refused: not in Tea
        jim> history tea
        jim< refused: not in Tea
        ann> kick tea jim
        ann< refused: already so in Tea
        jim> join tea
        jim< joined Tea
        ann< jim joined Tea
        bob< jim joined Tea
        ",
    );
}

#[test]
fn a_ban_holds_for_the_name_whoever_has_it_until_it_is_lifted() {
    check_in_tea(
        "
        ann> ban tea jim
        ann< done in Tea
        bob< ann does in Tea: ban jim
        jim< ann does in Tea: ban jim
        jim> join tea
        jim< refused: banned from Tea
        jim> exit
        jim< goodbye
        jim is hung up on
        ann< jim departed
        bob< jim departed
        Jim comes
        ann< Jim arrived in General
        bob< Jim arrived in General
        Jim> join tea
        Jim< refused: banned from Tea
        ann> unban tea jim
        ann< done in Tea
        bob< ann does in Tea: unban Jim
        Jim< ann does in Tea: unban Jim
        ann> unban tea jim
        ann< refused: already so in Tea
        Jim> join tea
        Jim< joined Tea
        ann< Jim joined Tea
        bob< Jim joined Tea
        ",
    );
}

#[test]
fn one_who_was_away_comes_back_and_is_out_where_the_name_was_banned() {
    check_in_tea(
        "
        jim> exit
        jim< goodbye
        jim is hung up on
        ann< jim departed
        bob< jim departed
        ann> ban tea jim 600
        ann< done in Tea
        bob< ann does in Tea: ban jim 600
        jim logs in again
        jim< welcome back, in General
        ann< jim arrived in General
        bob< jim arrived in General
        jim> join tea
        jim< refused: banned from Tea for a while
        ",
    );
}

#[test]
fn bans_and_mutes_end_by_themselves() {
    play_in_memory(
        Limits::default(),
        &format!(
            "{TEA}
            ann> ban tea jim 60 spam
            ann< done in Tea
            bob< ann does in Tea: ban jim 60 spam
            jim< ann does in Tea: ban jim 60 spam
            ann> mute tea bob 30
            ann< done in Tea
            bob< ann does in Tea: mute bob 30
            29 s pass
            bob> public tea now?
            bob< refused: muted in Tea for a while
            1 s pass
            bob> public tea now!
            bob< posted
            ann< bob in Tea: now!
            jim> join tea
            jim< refused: banned from Tea for a while
            30 s pass
            jim> join tea
            jim< joined Tea
            ann< jim joined Tea
            bob< jim joined Tea
            "
        ),
    );
}

#[test]
fn the_muted_the_banned_and_the_uninvited_on_every_request() {
    check_in_tea(
        "
        ann> mute tea bob
        ann< done in Tea
        bob< ann does in Tea: mute bob
        jim< ann does in Tea: mute bob
        ann> ban tea jim
        ann< done in Tea
        bob< ann does in Tea: ban jim
        jim< ann does in Tea: ban jim
        ann> lock tea
        ann< done in Tea
        bob< ann does in Tea: lock
        eve comes
        ann< eve arrived in General
        bob< eve arrived in General
        jim< eve arrived in General

        # The muted one may do all but speak.
        bob> public tea please
        bob< refused: muted in Tea
        bob> private ann please
        bob< posted
        ann< bob to ann: please
        bob> public General hello
        bob< posted
        ann< bob in General: hello
        jim< bob in General: hello
        eve< bob in General: hello
        bob> why tea
        bob< done in Tea: ann: lock, ann: ban jim, ann: mute bob
        bob> about tea
        bob< Tea has 2, owner ann, locked, in it, muted
        bob> join tea
        bob< refused: already in Tea
        bob> kick tea ann
        bob< refused: not allowed in Tea

        # The banned one may do nothing but ask why.
        jim> join tea
        jim< refused: banned from Tea
        jim> leave tea
        jim< refused: not in Tea
        jim> public tea hello
        jim< refused: not in Tea
        jim> history tea
        jim< refused: not in Tea
        jim> search hello
        jim< refused: nothing is kept
        jim> why tea
        jim< refused: not in Tea
        jim> why tea jim
        jim< done in Tea: ann: ban jim
        jim> about tea
        jim< Tea has 2, owner ann, locked
        jim> unban tea jim
        jim< refused: not allowed in Tea
        jim> groups
        jim< groups: General, Tea

        # Nor the one who is not invited.
        eve> join tea
        eve< refused: not invited to Tea
        eve> public tea hello?
        eve< refused: not in Tea
        eve> why tea
        eve< refused: not in Tea
        eve> invite tea eve
        eve< refused: not allowed in Tea
        ann> invite tea jim
        ann< refused: banned from Tea
        ann> invite tea eve
        ann< done in Tea
        bob< ann does in Tea: invite eve
        eve< ann does in Tea: invite eve
        eve> about tea
        eve< Tea has 2, owner ann, locked, invited
        eve> join tea
        eve< joined Tea
        ann< eve joined Tea
        bob< eve joined Tea

        # An invitation is good for once.
        eve> leave tea
        eve< left Tea
        ann< eve left Tea
        bob< eve left Tea
        eve> join tea
        eve< refused: not invited to Tea
        ann> unlock tea
        ann< done in Tea
        bob< ann does in Tea: unlock
        eve> join tea
        eve< joined Tea
        ann< eve joined Tea
        bob< eve joined Tea
        ann> unmute tea bob
        ann< done in Tea
        bob< ann does in Tea: unmute bob
        eve< ann does in Tea: unmute bob
        bob> public tea thanks
        bob< posted
        ann< bob in Tea: thanks
        eve< bob in Tea: thanks
        ",
    );
}

#[test]
fn operators_keep_order_and_not_against_the_owner_or_one_another() {
    check_in_tea(
        "
        bob> lock tea
        bob< refused: not allowed in Tea
        ann> op tea bob
        ann< done in Tea
        bob< ann does in Tea: op bob
        jim< ann does in Tea: op bob
        ann> op tea jim
        ann< done in Tea
        bob< ann does in Tea: op jim
        jim< ann does in Tea: op jim
        bob> kick tea jim
        bob< refused: jim is out of reach in Tea
        bob> ban tea ann
        bob< refused: ann is out of reach in Tea
        bob> mute tea bob
        bob< refused: not oneself
        bob> op tea ann
        bob< refused: not allowed in Tea
        bob> deop tea jim
        bob< refused: not allowed in Tea
        bob> topic tea Tea, and cake
        bob< done in Tea
        ann< bob does in Tea: topic Tea, and cake
        jim< bob does in Tea: topic Tea, and cake
        jim> deop tea jim
        jim< done in Tea
        ann< jim does in Tea: deop jim
        bob< jim does in Tea: deop jim
        bob> kick tea jim
        bob< done in Tea
        ann< bob does in Tea: kick jim
        jim< bob does in Tea: kick jim
        ann> ban tea bob
        ann< done in Tea
        bob< ann does in Tea: ban bob
        ann> op tea nobody
        ann< refused: nobody is nobody
        ann> about tea
        ann< Tea has 1, owner ann, topic Tea, and cake by bob, in it
        bob> lock tea
        bob< refused: not allowed in Tea
        ",
    );
}

#[test]
fn one_who_joins_is_told_the_topic_and_nobody_is_where_there_is_none() {
    check_in_tea(
        "
        ann> topic tea
        ann< refused: already so in Tea
        ann> topic tea Green or black?
        ann< done in Tea
        bob< ann does in Tea: topic Green or black?
        jim< ann does in Tea: topic Green or black?
        jim> leave tea
        jim< left Tea
        ann< jim left Tea
        bob< jim left Tea
        jim> join tea
        jim< joined Tea
        jim< The topic of group chat 'Tea': Green or black?
        ann< jim joined Tea
        bob< jim joined Tea
        ann> topic tea
        ann< done in Tea
        bob< ann does in Tea: no topic
        jim< ann does in Tea: no topic
        ",
    );
}

#[test]
fn nobody_owns_general_and_nobody_keeps_order_in_it() {
    check(
        "
        ann comes
        bob comes
        ann< bob arrived in General
        ann> kick general bob
        ann< refused: not allowed in General
        ann> about General
        ann< General has 2, in it
        ",
    );
}

#[test]
fn a_group_whose_owner_is_forgotten_passes_on_to_the_oldest_operator_or_else_the_oldest_member() {
    let limits = Limits { remembered_max: 0, ..Limits::default() };
    play_in_memory(
        limits,
        &format!(
            "{TEA}
            ann> op tea jim
            ann< done in Tea
            bob< ann does in Tea: op jim
            jim< ann does in Tea: op jim
            ann> exit
            ann< goodbye
            ann is hung up on
            bob< ann departed
            jim< ann departed
            bob< Group chat 'Tea' is jim's now, because its owner is gone.
            jim< Group chat 'Tea' is jim's now, because its owner is gone.
            bob> about tea
            bob< Tea has 2, owner jim, in it
            jim> exit
            jim< goodbye
            jim is hung up on
            bob< jim departed
            bob< Group chat 'Tea' is bob's now, because its owner is gone.
            bob> topic tea mine
            bob< done in Tea
            bob> exit
            bob< goodbye
            bob is hung up on
            eve comes
            eve> join tea
            eve< joined Tea
            eve< The topic of group chat 'Tea': mine
            eve> about tea
            eve< Tea has 1, topic mine by bob, in it
            "
        ),
    );
}

fn moderate(act: Moderation) -> Request {
    Request::Moderate { group: group("tea"), act }
}

#[tokio::test]
async fn a_kick_that_is_sent_again_is_done_once() {
    let host = TestServer::start();
    let (mut ann, mut jim) = (host.guest("ann").await, host.guest("jim").await);
    for guest in [&mut ann, &mut jim] {
        let _ = guest.ask(Request::Create { group: group("tea") }).await;
        guest.do_(Request::Join { group: group("tea") }).await;
    }
    let kick = || moderate(Moderation::Kick { user: user("jim"), reason: None });
    ann.say_with(Tag(1_000), kick()).await;
    let Notification::Moderated { seq, .. } = jim.hear().await else { panic!("not kicked") };
    jim.do_(Request::Join { group: group("tea") }).await;
    ann.say_with(Tag(1_000), kick()).await;
    jim.do_(public("tea", 1, "still here")).await;
    let mut answers = Vec::new();
    while answers.len() < 2 {
        if let Some(chatroom_proto::ServerFrame::Response { tag: Tag(1_000), result }) =
            ann.frame().await
        {
            answers.push(result);
        }
    }
    let first = Ok(Response::Moderated { seq, group: group("tea") });
    assert_eq!(answers, [first.clone(), first], "and the second answer is the first one");
}

#[tokio::test]
async fn everything_survives_a_restart_and_is_in_the_log() {
    let directory =
        tempfile::TempDir::with_prefix("chatroom-order-").expect("a temporary directory");
    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let mut ann = host.guest("ann").await;
    let mut bob = host.guest("bob").await;
    let mut jim = host.guest("jim").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    for guest in [&mut ann, &mut bob, &mut jim] {
        guest.do_(Request::Join { group: group("tea") }).await;
    }
    let reason = Reason::parse("too loud").ok();
    for act in [
        Moderation::Topic { topic: Topic::parse("Green or black?").ok() },
        Moderation::Lock,
        Moderation::Op { user: user("bob") },
        Moderation::Mute { user: user("jim"), seconds: None, reason: None },
        Moderation::Ban { user: user("jim"), seconds: None, reason },
    ] {
        ann.do_(moderate(act)).await;
    }
    let tokens =
        [&ann, &bob, &jim].map(|guest| guest.welcome().map(|welcome| welcome.token.clone()));
    let before = ann.do_(Request::About { group: group("tea") }).await;
    let Response::Acts { acts, .. } =
        ann.do_(Request::Why { group: group("tea"), user: None }).await
    else {
        panic!("no acts")
    };
    drop((ann, bob, jim));
    host.stop().await.expect("stops");

    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let back = async |name: &str, token: &Option<chatroom_proto::Token>| {
        let proof = Proof::Resume(token.clone().expect("a token"));
        let (mut guest, _) =
            TestClient::come_with(host.address, chatroom_proto::Hello { proof, ..hello(name) })
                .await;
        // A session goes on with tags that were not used before.
        for _ in 0..10 {
            guest.do_(Request::Ping).await;
        }
        guest
    };
    let mut ann = back("ann", &tokens[0]).await;
    assert_eq!(ann.do_(Request::About { group: group("tea") }).await, before);
    let why = Request::Why { group: group("tea"), user: None };
    assert_eq!(ann.do_(why).await, Response::Acts { group: group("tea"), acts });
    let mut jim = back("jim", &tokens[2]).await;
    let refused = jim.ask(Request::Join { group: group("tea") }).await;
    assert_eq!(refused, Err(Refusal::Banned { group: group("tea"), until: None }));
    let mut bob = back("bob", &tokens[1]).await;
    bob.do_(moderate(Moderation::Unban { user: user("jim") })).await;
    let refused = jim.ask(Request::Join { group: group("tea") }).await;
    assert_eq!(refused, Err(Refusal::InvitationOnly { group: group("tea") }));
    bob.do_(moderate(Moderation::Invite { user: user("jim") })).await;
    jim.do_(Request::Join { group: group("tea") }).await;
    let refused = jim.ask(public("tea", 1, "hello")).await;
    assert_eq!(refused, Err(Refusal::Muted { group: group("tea"), until: None }));
}

#[tokio::test]
async fn a_group_has_so_many_operators_and_no_more() {
    const OPERATORS: usize = 50;
    let host = TestServer::start();
    let mut ann = host.guest("ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    let mut guests = Vec::new();
    for number in 0..=OPERATORS {
        let name = format!("guest{number}");
        guests.push(host.guest(&name).await);
        let answer = ann.ask(moderate(Moderation::Op { user: user(&name) })).await;
        if number < OPERATORS {
            assert!(answer.is_ok(), "{number}: {answer:?}");
        } else {
            assert_eq!(answer, Err(Refusal::TooManyMarks { limit: 50 }));
        }
    }
    ann.do_(moderate(Moderation::Deop { user: user("guest0") })).await;
    ann.do_(moderate(Moderation::Op { user: user("guest50") })).await;
}
