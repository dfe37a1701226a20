use chatroom_proto::{ASKS_UNANSWERED_MAX, BODY_BYTES_MAX, Body, GroupName, PostId, Request, Seq};

use super::*;
use crate::chat::request_class::RequestClass;

const NEAR: ClientNetwork = ClientNetwork::THIS_MACHINE;

/// Rate limits, and the time.
struct Scene {
    rate_limits: RateLimits,
    now: u64,
}

impl Scene {
    /// So many units a second.
    fn at(rate: u32) -> Scene {
        Scene { rate_limits: RateLimits::new(&Config { rate, ..Config::default() }), now: 0 }
    }

    fn wait(&mut self, millis: u32) {
        self.now += u64::from(millis);
        self.rate_limits.look_at_the_clock(Duration::from_millis(self.now));
    }

    fn ask(&mut self, asker: Asker, tag: u32, request: &Request) -> Result<(), RateLimited> {
        self.rate_limits.ask(&asker, Tag(tag), RequestClass::of(request).cost)
    }

    /// Asks until it is told to wait; gives how often it was served, and how long to wait.
    fn spend(&mut self, asker: Asker, request: &Request) -> (u32, u32) {
        let mut served = 0;
        loop {
            match self.ask(asker, served, request) {
                Ok(()) => served += 1,
                Err(limited) => return (served, limited.retry_after_ms),
            }
        }
    }
}

/// This person over a connection of the same number, from this machine.
fn asker(number: u64) -> Asker {
    Asker { connection: ConnectionId(number), person: Some(PersonId(Seq(number))), network: NEAR }
}

fn network(address: &str) -> ClientNetwork {
    ClientNetwork::of(address.parse().unwrap())
}

fn post(bytes: usize) -> Request {
    let body = Body::parse(&"x".repeat(bytes)).unwrap();
    Request::Public { group: GroupName::parse("tea").unwrap(), id: PostId([0; 16]), body }
}

#[test]
fn a_burst_is_served_at_once_and_then_as_fast_as_the_rate_is() {
    let mut scene = Scene::at(10);
    assert_eq!(scene.spend(asker(1), &post(100)), (100, 100));
    scene.wait(100);
    assert_eq!(scene.ask(asker(1), 100, &post(100)), Ok(()));
    assert_eq!(scene.ask(asker(1), 101, &post(100)).unwrap_err().retry_after_ms, 100);
    scene.wait(10_000);
    assert_eq!(
        scene.spend(asker(1), &post(100)).0,
        100,
        "who was silent for long has all of it again"
    );
}

#[test]
fn what_costs_the_others_more_costs_more() {
    let create = Request::Create { group: GroupName::parse("tea").unwrap() };
    for (request, served) in
        [(post(499), 100), (post(500), 50), (post(BODY_BYTES_MAX), 5), (create, 10)]
    {
        assert_eq!(Scene::at(10).spend(asker(1), &request).0, served, "{request:?}");
    }
    assert_eq!(
        Scene::at(1).spend(asker(1), &post(BODY_BYTES_MAX)).0,
        1,
        "the smallest allowance holds the longest"
    );
}

#[test]
fn one_who_asks_for_what_costs_nothing_is_counted_all_the_same() {
    let mut scene = Scene::at(10);
    let (served, wait) = scene.spend(asker(1), &Request::Ping);
    assert_eq!((served, wait), (10 * REQUESTS_A_UNIT * BURST_SECONDS, 10));
    assert_eq!(scene.ask(asker(2), 0, &Request::Ping), Ok(()), "another one is not");
}

#[test]
fn what_costs_nothing_takes_nothing_from_what_is_paid_for_and_the_other_way_round() {
    let mut scene = Scene::at(10);
    let free = 10 * REQUESTS_A_UNIT * BURST_SECONDS;
    assert_eq!(scene.spend(asker(1), &Request::Ping).0, free);
    scene.rate_limits.forget(ConnectionId(1));
    assert_eq!(scene.spend(asker(1), &post(1)).0, 100);
    assert_eq!(scene.spend(asker(2), &post(1)).0, 100);
    scene.rate_limits.forget(ConnectionId(2));
    assert_eq!(scene.spend(asker(2), &Request::Ping).0, free);
}

#[test]
fn a_new_connection_does_not_fill_the_allowance() {
    let mut scene = Scene::at(10);
    scene.spend(asker(1), &post(1));
    scene.rate_limits.forget(ConnectionId(1));
    let again = Asker { connection: ConnectionId(2), ..asker(1) };
    assert_eq!(scene.ask(again, 7, &post(1)).unwrap_err().retry_after_ms, 100);
    assert_eq!(scene.ask(asker(3), 0, &post(1)), Ok(()), "another person has their own");
}

#[test]
fn an_address_has_the_allowance_of_some_people_however_many_names_it_takes() {
    let mut scene = Scene::at(10);
    let far = |number| Asker { network: network("192.0.2.1"), ..asker(number) };
    let served: u32 = (0..50).map(|number| scene.spend(far(number), &post(1)).0).sum();
    assert_eq!(served, 100 * ADDRESS_SHARE);
    let elsewhere = Asker { network: network("192.0.2.2"), ..asker(60) };
    assert_eq!(scene.ask(elsewhere, 0, &post(1)), Ok(()));
    let local: u32 = (100..150).map(|number| scene.spend(asker(number), &post(1)).0).sum();
    assert_eq!(local, 50 * 100, "everybody may be behind this machine");
}

#[test]
fn what_comes_behind_a_refused_request_waits_for_it_to_come_again() {
    let mut scene = Scene::at(10);
    let (first, wait) = scene.spend(asker(1), &post(2_000));
    scene.wait(wait / 2);
    for request in [post(1), Request::Ping, Request::Exit] {
        let limited = scene.ask(asker(1), first + 1, &request).unwrap_err();
        assert_eq!(limited.retry_after_ms, wait.div_ceil(2), "what is left of the wait");
    }
    let early = scene.ask(asker(1), first, &post(2_000));
    assert!(early.is_err(), "it has not waited");
    scene.wait(wait);
    assert!(scene.ask(asker(1), first + 1, &Request::Ping).is_err(), "it is not this one's turn");
    assert_eq!(scene.ask(asker(1), first, &post(2_000)), Ok(()));
    assert_eq!(scene.ask(asker(1), first + 1, &Request::Ping), Ok(()));
}

#[test]
fn one_who_drops_a_refused_request_is_not_locked_out() {
    let mut scene = Scene::at(10);
    let (first, wait) = scene.spend(asker(1), &post(1));
    scene.wait(wait);
    let left = scene.ask(asker(1), first + 1, &post(1)).unwrap_err().retry_after_ms;
    assert_eq!(left, SENT_AGAIN_WITHIN_MS);
    scene.wait(left);
    assert_eq!(scene.ask(asker(1), first + 1, &post(1)), Ok(()));
}

#[test]
fn one_who_does_not_wait_floods_and_one_who_does_never_does() {
    let mut scene = Scene::at(10);
    let first = scene.spend(asker(1), &post(1)).0;
    // One was refused already.
    for tag in 1..RATE_LIMITED_IN_A_ROW_MAX {
        assert!(!scene.ask(asker(1), first + tag, &post(1)).unwrap_err().floods);
    }
    assert!(scene.ask(asker(1), first, &post(1)).unwrap_err().floods);

    // One who always has as much under way as it may.
    let mut scene = Scene::at(1);
    let mut next = scene.spend(asker(1), &post(1)).0;
    for _ in 0..100 {
        for behind in 1..ASKS_UNANSWERED_MAX {
            assert!(!scene.ask(asker(1), next + behind, &post(1)).unwrap_err().floods);
        }
        scene.wait(1_000);
        assert_eq!(scene.ask(asker(1), next, &post(1)), Ok(()));
        next += 1;
        assert!(!scene.ask(asker(1), next, &post(1)).unwrap_err().floods);
    }
}

#[test]
fn who_waits_is_no_flood_also_where_others_take_what_it_waits_for() {
    let mut scene = Scene::at(1);
    let far = |number| Asker { network: network("192.0.2.1"), ..asker(number) };
    (0..40).for_each(|number| {
        scene.spend(far(number), &post(1));
    });
    let first = scene.ask(far(50), 0, &post(1)).unwrap_err();
    let mut wait = first.retry_after_ms;
    for round in 0..2 * RATE_LIMITED_IN_A_ROW_MAX {
        scene.wait(wait);
        scene.ask(far(100 + u64::from(round)), 0, &post(1)).expect("somebody else is first");
        let again = scene.ask(far(50), 0, &post(1)).unwrap_err();
        assert!(!again.floods);
        wait = again.retry_after_ms;
    }
}

#[test]
fn one_whose_address_can_not_pay_has_paid_for_what_it_asked_and_not_for_more() {
    let mut scene = Scene::at(10);
    let far = |number| Asker { network: network("192.0.2.1"), ..asker(number) };
    (0..99).for_each(|tag| scene.ask(far(50), tag, &post(1)).unwrap());
    (0..40).for_each(|number| {
        scene.spend(far(number), &post(1));
    });
    scene.ask(far(50), 99, &post(1)).expect_err("its address has nothing left");
    // In that time the address gets 20 units, and the person one.
    scene.wait(100);
    scene
        .ask(far(50), 99, &post(BODY_BYTES_MAX))
        .expect_err("that is dearer than what was paid for");
    scene.wait(1_500);
    scene.ask(far(50), 99, &post(BODY_BYTES_MAX)).expect("the difference was paid");
}

#[test]
fn handshakes_of_one_address_are_counted() {
    let mut scene = Scene::at(10);
    let far = network("192.0.2.1");
    let most = Config::default().connections_per_address_max * LOGINS_SHARE;
    (0..most).for_each(|_| scene.rate_limits.begin_login(far).unwrap());
    let wait = scene.rate_limits.begin_login(far).unwrap_err().retry_after_ms;
    assert_eq!(wait, (60_000_u32).div_ceil(most));
    (0..2 * most).for_each(|_| scene.rate_limits.begin_login(NEAR).unwrap());
    scene.rate_limits.begin_login(network("192.0.2.2")).unwrap();
    scene.wait(wait);
    scene.rate_limits.begin_login(far).unwrap();
}

#[test]
fn without_a_rate_there_is_no_limit() {
    let mut scene = Scene::at(0);
    for tag in 0..10_000 {
        assert_eq!(scene.ask(asker(1), tag, &post(BODY_BYTES_MAX)), Ok(()));
    }
    assert_eq!(scene.rate_limits.len(), 0);
}

#[test]
fn nothing_is_kept_of_those_who_are_silent() {
    let mut scene = Scene::at(10);
    let people = u64::try_from(10 * RATE_LIMITS_SWEPT_AFTER).unwrap();
    for number in 0..people {
        let address = format!("10.{}.{}.1", number / 250, number % 250);
        let asker = Asker { network: network(&address), ..asker(number) };
        scene.rate_limits.begin_login(asker.network).unwrap();
        scene.ask(asker, 0, &post(1)).unwrap();
        // Each has all that it had before the next but one comes.
        scene.wait(100);
    }
    assert!(
        scene.rate_limits.len() < 10 * RATE_LIMITS_SWEPT_AFTER,
        "kept: {}",
        scene.rate_limits.len()
    );
    scene.spend(asker(1), &post(1));
    scene.wait(60_000);
    scene.rate_limits.tidy();
    assert_eq!(scene.rate_limits.len(), 0);
}
