//! How far a client has come, by what it hears.

use chatroom_proto::{Body, Page, Post, PostId, Token, UnixMillis};

use super::*;

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

fn welcome(seq: u64, resumed: bool, heads: &[(&str, u64)]) -> Welcome {
    let membership =
        |&(name, head): &(&str, u64)| Membership { group: group(name), head: Seq(head) };
    Welcome {
        version: 1,
        name: UserName::parse("Jim").unwrap(),
        token: Token([0; 32]),
        resumed,
        grace_ms: 30_000,
        seq: Seq(seq),
        groups: Page::fill(heads.iter().map(membership)),
        retention: Retention::Nothing,
    }
}

fn post(seq: u64, prev: u64) -> Post {
    let from = UserName::parse("Ann").unwrap();
    let body = Body::parse("hi").unwrap();
    Post { seq: Seq(seq), prev: Seq(prev), at: UnixMillis(0), id: PostId([0; 16]), from, body }
}

fn in_group(name: &str, seq: u64, prev: u64) -> Notification {
    Notification::GroupPost { post: post(seq, prev), group: group(name) }
}

fn in_private(seq: u64, prev: u64) -> Notification {
    Notification::PrivatePost { post: post(seq, prev), to: UserName::parse("Jim").unwrap() }
}

fn say(state: &mut ReadState, name: &str, seq: u64) {
    let id = PostId([0; 16]);
    let request = Request::Public { group: group(name), id, body: Body::parse("hi").unwrap() };
    state.answered(&request, &Response::Posted { seq: Seq(seq), at: UnixMillis(0) });
}

fn join(state: &mut ReadState, name: &str, seq: u64, head: u64) -> Option<Conversation> {
    let membership = Membership { group: group(name), head: Seq(head) };
    let request = Request::Join { group: group(name) };
    state.answered(&request, &Response::Joined { seq: Seq(seq), membership })
}

/// What is left of a post, when it is told again.
fn gone(place: Conversation, seq: u64, prev: u64) -> Notification {
    let post = post(seq, prev).deleted(UserName::parse("Ann").unwrap());
    Notification::DeletedPost { post, place }
}

#[test]
fn what_is_left_of_a_post_stands_in_its_place() {
    let mut state = ReadState::new(&welcome(10, false, &[("General", 4)]));
    let general = || Conversation::Group(group("General"));
    assert_eq!(state.notified(&gone(general(), 11, 4)), None);
    assert_eq!(state.notified(&in_group("General", 12, 11)), None);
    assert_eq!(state.notified(&gone(general(), 14, 13)), Some(general()), "13 was missed");
    let jim = || Conversation::User(UserName::parse("Jim").unwrap());
    assert_eq!(state.notified(&gone(jim(), 15, 0)), None);
    assert_eq!(state.notified(&in_private(16, 15)), None);
    assert!(state.notified(&gone(jim(), 18, 17)).is_some());
    assert_eq!(state.seen(), Seq(18));
}

#[test]
fn posts_that_follow_one_another_are_no_gap_and_own_ones_count() {
    let mut state = ReadState::new(&welcome(10, false, &[("General", 4)]));
    assert_eq!(state.notified(&in_group("General", 11, 4)), None);
    say(&mut state, "general", 12);
    assert_eq!(state.notified(&in_group("General", 14, 12)), None);
    assert_eq!(state.seen(), Seq(14));
}

#[test]
fn a_post_whose_predecessor_is_unknown_is_a_gap() {
    let mut state = ReadState::new(&welcome(10, false, &[("General", 4)]));
    let gap = state.notified(&in_group("General", 12, 11));
    assert_eq!(gap, Some(Conversation::Group(group("General"))));
    assert_eq!(state.notified(&in_group("General", 13, 12)), None);
}

#[test]
fn what_was_said_in_private_before_the_session_is_not_missed_and_what_was_said_in_it_is() {
    let mut state = ReadState::new(&welcome(10, false, &[]));
    assert_eq!(state.notified(&in_private(11, 9)), None);
    assert_eq!(state.notified(&in_private(15, 11)), None);
    assert!(matches!(state.notified(&in_private(20, 18)), Some(Conversation::User(_))));
}

#[test]
fn after_a_resume_newer_heads_are_missed_posts() {
    let mut state = ReadState::new(&welcome(10, false, &[("General", 4)]));
    join(&mut state, "tea", 11, 3);
    let back = state.welcomed_back(&welcome(20, true, &[("General", 4), ("tea", 15)]));
    assert_eq!(back, Back { missed: vec![group("tea")], rejoin: vec![], goes_on: true });
    assert_eq!(state.notified(&in_group("tea", 21, 15)), None);
}

#[test]
fn a_new_session_rejoins_and_compares_what_the_groups_say() {
    let mut state = ReadState::new(&welcome(10, false, &[("General", 4)]));
    join(&mut state, "tea", 11, 3);
    join(&mut state, "milk", 12, 0);
    let back = state.welcomed_back(&welcome(20, false, &[("General", 13)]));
    let rejoin = vec![group("milk"), group("tea")];
    assert_eq!(back, Back { missed: vec![group("General")], rejoin, goes_on: false });
    assert_eq!(join(&mut state, "tea", 21, 15), Some(Conversation::Group(group("tea"))));
    assert_eq!(join(&mut state, "milk", 22, 0), None);
}

#[test]
fn a_new_session_misses_nothing_that_was_said_in_private_before_it() {
    let mut state = ReadState::new(&welcome(10, false, &[]));
    state.welcomed_back(&welcome(20, false, &[]));
    assert_eq!(state.notified(&in_private(21, 15)), None);
}

#[test]
fn a_server_that_counts_anew_is_not_accused_of_anything() {
    let mut state = ReadState::new(&welcome(1_000, false, &[("General", 900)]));
    join(&mut state, "tea", 1_001, 5);
    let back = state.welcomed_back(&welcome(8, false, &[("General", 7)]));
    assert_eq!(back, Back { missed: vec![], rejoin: vec![group("tea")], goes_on: false });
    assert_eq!(state.seen(), Seq(8));
    assert_eq!(join(&mut state, "tea", 10, 9), None);
}

#[test]
fn a_group_that_was_left_is_not_rejoined() {
    let mut state = ReadState::new(&welcome(10, false, &[]));
    join(&mut state, "tea", 11, 3);
    let left = Response::Left { seq: Seq(12), group: group("tea") };
    state.answered(&Request::Leave { group: group("tea") }, &left);
    assert!(state.welcomed_back(&welcome(20, false, &[])).rejoin.is_empty());
}

#[test]
fn an_old_answer_does_not_turn_back_the_clock() {
    let mut state = ReadState::new(&welcome(10, false, &[]));
    join(&mut state, "tea", 11, 3);
    state.notified(&in_group("tea", 12, 3));
    join(&mut state, "tea", 11, 3);
    assert_eq!(state.seen(), Seq(12));
    assert_eq!(state.notified(&in_group("tea", 13, 12)), None);
}

#[test]
fn an_old_answer_puts_nobody_into_a_group_nor_out_of_it() {
    let mut state = ReadState::new(&welcome(10, false, &[("General", 4)]));
    join(&mut state, "tea", 11, 3);
    // It was put out of tea while it was away, and is in General again.
    state.welcomed_back(&welcome(20, true, &[("General", 15)]));
    assert_eq!(join(&mut state, "tea", 11, 3), None);
    let left = Response::Left { seq: Seq(12), group: group("General") };
    state.answered(&Request::Leave { group: group("General") }, &left);
    let back = state.welcomed_back(&welcome(30, false, &[]));
    assert_eq!(back.rejoin, [group("General")]);
}

#[test]
fn private_conversations_are_bounded() {
    let mut state = ReadState::new(&welcome(0, false, &[]));
    for n in 0..=PRIVATE_CONVERSATIONS_MAX as u64 {
        let to = UserName::parse(&format!("u{n}")).unwrap();
        let request =
            Request::Private { to, id: PostId([0; 16]), body: Body::parse("hi").unwrap() };
        state.answered(&request, &Response::Posted { seq: Seq(n + 1), at: UnixMillis(0) });
    }
    assert_eq!(state.private.len(), PRIVATE_CONVERSATIONS_MAX);
    assert!(!state.private.contains_key(&UserName::parse("u0").unwrap().key()));
}
