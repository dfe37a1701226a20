use chatroom_proto::{Body, PostId, Seq, UnixMillis};

use super::*;

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn directory() -> Directory {
    let mut directory = Directory::new(&user("Jim"), &[group("General")]);
    let now = Instant::now();
    directory.list_groups(&["General", "tea", "Tee", "coffee"].map(group), now);
    directory.list_users(&["Jim", "George", "Michael", "gina"].map(user), now);
    directory
}

fn says(directory: &mut Directory, name: &str, place: &str) {
    let request = Request::Public {
        group: group(place),
        id: PostId([0; 16]),
        body: Body::parse("hi").unwrap(),
    };
    directory.answered(&request, &Response::Posted { seq: Seq(1), at: UnixMillis(0) });
    directory.notified(&Notification::Joined {
        seq: Seq(1),
        user: user(name),
        group: group(place),
    });
}

#[test]
fn each_position_completes_what_makes_sense_there() {
    let directory = directory();
    assert_eq!(directory.complete(Completes::OwnGroups, ""), ["General"]);
    assert_eq!(directory.complete(Completes::OtherGroups, "T"), ["tea", "Tee"]);
    assert_eq!(directory.complete(Completes::OtherUsers, ""), ["George", "Michael", "gina"]);
    assert_eq!(directory.complete(Completes::OtherUsers, "G"), ["George", "gina"]);
    assert_eq!(directory.complete(Completes::OtherUsers, "ji"), [] as [&str; 0]);
    assert_eq!(directory.complete(Completes::Commands, "p"), ["public", "private", "passwd"]);
    assert_eq!(directory.complete(Completes::Conversations, "@G"), ["@George", "@gina"]);
    assert_eq!(directory.complete(Completes::Conversations, "g"), ["General"]);
    let all = ["General", "@George", "@Michael", "@gina"];
    assert_eq!(directory.complete(Completes::Conversations, ""), all);
}

#[test]
fn the_most_recently_active_come_first() {
    let mut directory = directory();
    says(&mut directory, "gina", "coffee");
    says(&mut directory, "Michael", "tea");
    assert_eq!(directory.complete(Completes::OtherUsers, ""), ["Michael", "gina", "George"]);
    assert_eq!(directory.complete(Completes::OtherGroups, ""), ["tea", "coffee", "Tee"]);
}

#[test]
fn a_snapshot_copies_no_names_and_a_busy_group_copies_none_either() {
    let mut directory = directory();
    let snapshot = directory.clone();
    says(&mut directory, "gina", "coffee");
    says(&mut directory, "Michael", "tea");
    directory.set_own_groups(&[group("General")]);
    directory.notified(&Notification::Departed { seq: Seq(1), user: user("nobody") });
    assert!(Arc::ptr_eq(&snapshot.users, &directory.users));
    assert!(Arc::ptr_eq(&snapshot.groups, &directory.groups));
    assert_eq!(snapshot.complete(Completes::OtherUsers, ""), ["Michael", "gina", "George"]);
}

#[test]
fn what_comes_and_goes_after_a_snapshot_is_not_in_it() {
    let mut directory = directory();
    let snapshot = directory.clone();
    says(&mut directory, "Zoe", "tea");
    directory.notified(&Notification::Departed { seq: Seq(3), user: user("gina") });
    directory.set_own_groups(&[group("tea")]);
    assert_eq!(snapshot.complete(Completes::OtherUsers, ""), ["George", "Michael", "gina"]);
    assert_eq!(snapshot.complete(Completes::OwnGroups, ""), ["General"]);
    assert_eq!(directory.complete(Completes::OtherUsers, ""), ["Zoe", "George", "Michael"]);
    assert_eq!(directory.complete(Completes::OwnGroups, ""), ["tea"]);
}

#[test]
fn a_beginning_may_be_typed_in_any_case_and_with_its_accents_apart() {
    let mut directory = Directory::new(&user("Jim"), &[group("\u{e9}tude"), group("etc")]);
    directory.list_users(&[user("\u{dc}nl\u{fc}")], Instant::now());
    let groups = |start| directory.complete(Completes::OwnGroups, start);
    assert_eq!(groups("e\u{301}t"), ["\u{e9}tude"]);
    assert_eq!(groups("E\u{301}"), ["\u{e9}tude"]);
    assert_eq!(groups("\u{c9}TU"), ["\u{e9}tude"]);
    assert_eq!(groups("e"), ["etc"]);
    assert_eq!(directory.complete(Completes::OtherUsers, "u\u{308}n"), ["\u{dc}nl\u{fc}"]);
}

#[test]
fn joining_leaving_and_departing_move_names() {
    let mut directory = directory();
    let membership = chatroom_proto::Membership { group: group("tea"), head: Seq::ZERO };
    let joined = Response::Joined { seq: Seq(1), membership };
    directory.answered(&Request::Join { group: group("tea") }, &joined);
    assert_eq!(directory.complete(Completes::OwnGroups, "t"), ["tea"]);
    let left = Response::Left { seq: Seq(2), group: group("tea") };
    directory.answered(&Request::Leave { group: group("tea") }, &left);
    assert!(directory.complete(Completes::OwnGroups, "t").is_empty());
    directory.notified(&Notification::Departed { seq: Seq(3), user: user("gina") });
    assert_eq!(directory.complete(Completes::OtherUsers, "g"), ["George"]);
}

#[test]
fn what_was_meant_is_found_among_the_near_ones_only() {
    let directory = directory();
    assert_eq!(directory.group_like(&group("Generl")), Some("General"));
    assert_eq!(directory.group_like(&group("nope")), None);
    assert_eq!(directory.user_like(&user("Geroge")), Some("George"));
    assert_eq!(directory.user_like(&user("mihcael")), Some("Michael"));
    assert_eq!(directory.user_like(&user("Jin")), None, "oneself is not meant");
}

#[test]
fn a_list_is_fresh_for_a_moment() {
    let mut directory = Directory::default();
    let now = Instant::now();
    assert!(!directory.knows_users(now));
    directory.list_users(&[], now);
    assert!(directory.knows_users(now));
    assert!(!directory.knows_users(now + FRESH));
}
