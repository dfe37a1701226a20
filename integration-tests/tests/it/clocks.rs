//! The machine's clock jumps. Who is away is away by elapsed time; what ends at a time of day ends
//! at that time of day.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chatroom_proto::{Hello, Moderation, Proof, Refusal, Request, Response, UnixMillis};
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use chatroom_server::clock::Clock;
use integration_tests::stage::play_in_memory;
use integration_tests::test_client::{TestClient, group, hello, user};
use integration_tests::test_server::TestServer;

fn check(dialogue: &str) {
    play_in_memory(Limits::default(), dialogue);
}

#[test]
fn a_clock_that_is_set_back_holds_no_name_for_longer() {
    check(
        "
        ann comes
        jim comes
        ann< jim arrived in General
        jim vanishes
        2 s pass
        the clock is set 3600 s back
        27 s pass
        jim' logs in
        jim'< refused: jim is taken
        2 s pass
        ann< jim departed
        jim' comes
        ann< jim arrived in General
        ",
    );
}

#[test]
fn a_clock_that_is_set_forward_ends_nobodys_stay() {
    check(
        "
        ann comes
        jim comes
        ann< jim arrived in General
        jim vanishes
        1 s pass
        the clock is set 3600 s forward
        2 s pass
        jim returns
        jim vanishes
        the clock is set 315360000 s forward
        29 s pass
        jim returns
        ",
    );
}

#[test]
fn the_one_who_is_not_waited_for_is_who_was_lost_first_whatever_the_clock_says() {
    play_in_memory(
        Limits { held_max: 1, ..Limits::default() },
        "
        ann comes
        jim comes
        ann< jim arrived in General
        bob comes
        ann< bob arrived in General
        jim< bob arrived in General
        jim vanishes
        the clock is set 3600 s back
        bob vanishes
        ann< jim departed
        bob returns
        ",
    );
}

/// Ann has a group, from which Jim is banned for ten minutes, and Bob may not speak for as long.
const RESTRICTED: &str = "
    ann comes
    bob comes
    ann< bob arrived in General
    jim comes
    ann< jim arrived in General
    bob< jim arrived in General
    ann> create tea
    ann< created tea
    ann> join tea
    ann< joined tea
    bob> join tea
    bob< joined tea
    ann< bob joined tea
    ann> ban tea jim 600
    ann< done in tea
    bob< ann does in tea: ban jim 600
    ann> mute tea bob 600
    ann< done in tea
    bob< ann does in tea: mute bob 600
";

#[test]
fn bans_and_mutes_hold_until_their_time_when_the_clock_was_set_back() {
    check(&format!(
        "{RESTRICTED}
        the clock is set 300 s back
        601 s pass
        jim> join tea
        jim< refused: banned from tea for a while
        bob> public tea now?
        bob< refused: muted in tea for a while
        300 s pass
        jim> join tea
        jim< joined tea
        ann< jim joined tea
        bob< jim joined tea
        bob> public tea now!
        bob< posted
        ann< bob in tea: now!
        jim< bob in tea: now!
        "
    ));
}

#[test]
fn bans_and_mutes_hold_again_when_a_clock_that_was_ahead_is_put_right() {
    check(&format!(
        "{RESTRICTED}
        the clock is set 3600 s forward
        # Whoever moderates meanwhile does not end them for good.
        ann> topic tea about tea
        ann< done in tea
        bob< ann does in tea: topic about tea
        the clock is set 3600 s back
        jim> join tea
        jim< refused: banned from tea for a while
        bob> public tea now?
        bob< refused: muted in tea for a while
        "
    ));
}

/// A clock that the scene sets, in milliseconds.
#[derive(Clone)]
struct SetClock(Arc<AtomicU64>);

impl SetClock {
    fn set(&self, second: u64) {
        self.0.store(second * 1_000, Ordering::Relaxed);
    }

    async fn start(&self, directory: &Path) -> TestServer {
        let now = Arc::clone(&self.0);
        let clock = Clock::new(move || UnixMillis(now.load(Ordering::Relaxed)));
        TestServer::keeping_in(directory, Config { clock, ..Config::default() }).await
    }
}

#[tokio::test]
async fn bans_hold_over_restarts_and_people_are_waited_for_whatever_the_clock_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = SetClock(Arc::default());
    clock.set(1_000_000);
    let server = clock.start(directory.path()).await;
    let mut ann = server.guest("ann").await;
    let (jim, mut welcome) = TestClient::come_with(server.address, hello("jim")).await;
    ann.do_(Request::Create { group: group("tea") }).await;
    let ban = Moderation::Ban { user: user("jim"), seconds: 600.try_into().ok(), reason: None };
    ann.do_(Request::Moderate { group: group("tea"), act: ban }).await;
    server.stop().await.expect("stopped");
    drop(jim);
    // Back, forward by less than is left, and by an hour: the time of day decides.
    for (second, is_banned) in [(996_400, true), (1_000_599, true), (1_003_600, false)] {
        clock.set(second);
        let server = clock.start(directory.path()).await;
        let back = Hello { proof: Proof::Resume(welcome.token.clone()), ..hello("jim") };
        let (mut jim, again) = TestClient::come_with(server.address, back).await;
        assert!(again.resumed, "whoever was here when the server stopped is waited for");
        let joined = jim.ask(Request::Join { group: group("tea") }).await;
        match joined {
            Err(Refusal::Banned { until: Some(until), .. }) if is_banned => {
                assert_eq!(until, UnixMillis(1_000_600_000));
            }
            Ok(Response::Joined { .. }) if !is_banned => {}
            other => panic!("at {second}: {other:?}"),
        }
        welcome = again;
        server.stop().await.expect("stopped");
    }
}
