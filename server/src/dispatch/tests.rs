//! What everybody hears, to the byte: the dispatch task beside a model that gives each notification
//! to each hearer at once.

use chatroom_proto::{Body, Conversation, GroupName, Moderation, PostId, Request, Token, UserName};

use crate::chat::entry::ConnectionId;
use stage::Stage;

mod model;
mod random;
mod stage;

fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("a name")
}

fn create(name: &str) -> Request {
    Request::Create { group: group(name) }
}

fn join(name: &str) -> Request {
    Request::Join { group: group(name) }
}

fn leave(name: &str) -> Request {
    Request::Leave { group: group(name) }
}

fn say(to: &str, text: &str) -> Request {
    post(Conversation::Group(group(to)), text)
}

fn tell(to: &str, text: &str) -> Request {
    post(Conversation::User(UserName::parse(to).expect("a name")), text)
}

/// Nobody says the same twice in a scene, so the text makes the identity.
fn post(to: Conversation, text: &str) -> Request {
    let mut id = [0; 16];
    id.iter_mut().zip(text.bytes()).for_each(|(byte, letter)| *byte = letter);
    let (id, body) = (PostId(id), Body::parse(text).expect("a message"));
    match to {
        Conversation::Group(group) => Request::Public { group, id, body },
        Conversation::User(to) => Request::Private { to, id, body },
    }
}

/// Some are in a group from now on.
fn meet<const N: usize>(stage: &mut Stage, name: &str, members: [ConnectionId; N]) {
    stage.asks(members[0], create(name));
    stage.turn();
    meet_in(stage, name, members);
}

/// Some join a group.
fn meet_in<const N: usize>(stage: &mut Stage, name: &str, members: [ConnectionId; N]) {
    members.iter().for_each(|member| stage.asks(*member, join(name)));
    stage.turn();
    members.iter().for_each(|member| drop(stage.hears(*member)));
}

#[test]
fn one_who_leaves_in_the_middle_of_a_run_hears_nothing_after_that() {
    let (mut stage, [jim, ann]) = Stage::of(["jim", "ann"]);
    meet(&mut stage, "tea", [ann, jim]);
    stage.asks(ann, say("tea", "before"));
    stage.asks(jim, leave("tea"));
    stage.asks(ann, say("tea", "behind his back"));
    stage.asks(ann, tell("jim", "bye"));
    stage.turn();
    assert_eq!(stage.hears(jim), ["ann in tea: before", "answer: left tea", "ann: bye"]);
}

#[test]
fn one_who_comes_back_in_the_middle_of_a_run_hears_nothing_of_a_strange_group() {
    let (mut stage, [jim, ann, eve]) = Stage::of(["jim", "ann", "eve"]);
    meet(&mut stage, "tea", [ann, eve]);
    stage.goes(jim);
    stage.turn();

    stage.asks(ann, say("tea", "one"));
    let again = stage.comes("jim");
    stage.asks(ann, say("tea", "two"));
    stage.asks(ann, tell("jim", "hi"));
    stage.turn();
    assert_eq!(stage.hears(again), ["answer: welcome", "ann: hi"]);
}

#[test]
fn one_who_moves_to_another_connection_in_the_middle_of_a_run_hears_each_part_once() {
    let (mut stage, [jim, ann]) = Stage::of(["jim", "ann"]);
    stage.asks(ann, say("General", "one"));
    let again = stage.comes("jim");
    stage.asks(ann, say("General", "two"));
    stage.turn();
    assert_eq!(stage.hears(jim), ["ann in General: one", "closing: Replaced", "the end"]);
    assert_eq!(stage.hears(again), ["answer: welcome", "ann in General: two"]);
}

#[test]
fn one_who_goes_for_good_hears_what_was_said_before_in_all_its_groups() {
    let (mut stage, [jim, ann, eve]) = Stage::of(["jim", "ann", "eve"]);
    meet(&mut stage, "tea", [ann, jim]);
    stage.asks(ann, say("tea", "before"));
    stage.asks(jim, Request::Exit);
    stage.asks(ann, say("tea", "after"));
    stage.turn();
    assert_eq!(stage.hears(jim), ["ann in tea: before", "answer: goodbye", "the end"]);
    assert_eq!(stage.hears(eve), ["jim departed"]);
}

fn kick(from: &str, name: &str) -> Request {
    let user = UserName::parse(name).expect("a name");
    Request::Moderate { group: group(from), act: Moderation::Kick { user, reason: None } }
}

#[test]
fn one_who_is_kicked_in_the_middle_of_a_run_hears_that_and_nothing_after_it() {
    let (mut stage, [jim, ann, eve]) = Stage::of(["jim", "ann", "eve"]);
    meet(&mut stage, "tea", [ann, jim, eve]);
    stage.asks(eve, say("tea", "before"));
    stage.asks(jim, say("tea", "mine"));
    stage.asks(ann, kick("tea", "jim"));
    stage.asks(eve, say("tea", "behind his back"));
    stage.asks(ann, tell("jim", "bye"));
    stage.turn();
    let heard = stage.hears(jim);
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert_eq!((heard[0].as_str(), heard[3].as_str()), ("eve in tea: before", "ann: bye"));
    assert!(
        heard[1].starts_with("answer: Posted") && heard[2].starts_with("Moderated"),
        "{heard:?}"
    );
    assert_eq!(stage.hears(eve).len(), 4, "two answers, his message, and that he is out");
}

#[test]
fn one_who_keeps_order_in_a_group_from_outside_hears_nothing_of_it() {
    let (mut stage, [jim, ann, eve]) = Stage::of(["jim", "ann", "eve"]);
    stage.asks(ann, create("tea"));
    stage.turn();
    meet_in(&mut stage, "tea", [jim, eve]);
    stage.hears(ann);
    stage.asks(jim, say("tea", "one"));
    stage.asks(ann, kick("tea", "eve"));
    stage.asks(jim, say("tea", "two"));
    stage.asks(ann, say("General", "done"));
    stage.turn();
    let heard = stage.hears(ann);
    assert!(heard.iter().all(|line| line.starts_with("answer: ")), "{heard:?}");
    assert_eq!(stage.hears(eve).last().map(String::as_str), Some("ann in General: done"));
}

/// Somebody is registered, and has two devices here from now on.
fn comes_twice(stage: &mut Stage, name: &str, first: ConnectionId) -> ConnectionId {
    const PASSWORD: &str = "tea and milk";
    stage.asks(first, Request::Register { password: stage::password(PASSWORD) });
    stage.turn();
    let second = stage.logs_in(name, PASSWORD);
    stage.turn();
    [first, second].into_iter().for_each(|device| drop(stage.hears(device)));
    second
}

#[test]
fn what_is_said_is_heard_with_all_devices_and_with_the_one_that_says_it_not_again() {
    let (mut stage, [jim, ann]) = Stage::of(["jim", "ann"]);
    let other = comes_twice(&mut stage, "jim", jim);
    stage.asks(ann, say("General", "one"));
    stage.asks(other, say("General", "two"));
    stage.asks(ann, tell("jim", "three"));
    stage.asks(jim, tell("ann", "four"));
    stage.turn();
    let posts = |heard: Vec<String>| -> Vec<String> {
        heard.into_iter().filter(|line| !line.starts_with("answer")).collect()
    };
    assert_eq!(
        posts(stage.hears(jim)),
        ["ann in General: one", "jim in General: two", "ann: three"]
    );
    assert_eq!(posts(stage.hears(other)), ["ann in General: one", "ann: three", "jim: four"]);
    assert_eq!(posts(stage.hears(ann)), ["jim in General: two", "jim: four"]);
}

#[test]
fn one_who_leaves_in_the_middle_of_a_run_leaves_with_all_devices() {
    let (mut stage, [jim, ann]) = Stage::of(["jim", "ann"]);
    let other = comes_twice(&mut stage, "jim", jim);
    meet(&mut stage, "tea", [ann, jim]);
    stage.hears(other);
    stage.asks(ann, say("tea", "before"));
    stage.asks(jim, leave("tea"));
    stage.asks(ann, say("tea", "behind his back"));
    stage.turn();
    assert_eq!(stage.hears(jim), ["ann in tea: before", "answer: left tea"]);
    let heard = stage.hears(other);
    assert_eq!((heard.len(), heard[0].as_str()), (2, "ann in tea: before"), "{heard:?}");
    assert!(heard[1].starts_with("Left"), "{heard:?}");
}

#[test]
fn a_device_whose_owner_changes_the_password_in_the_middle_of_a_run_hears_what_was_said_before() {
    let (mut stage, [jim, ann]) = Stage::of(["jim", "ann"]);
    let other = comes_twice(&mut stage, "jim", jim);
    let (old, new) = (stage::password("tea and milk"), stage::password("milk and tea"));
    stage.asks(jim, Request::ChangePasswordAndToken { old, new, token: Token([9; 32]) });
    stage.asks(ann, say("General", "before"));
    stage.finds(0);
    stage.asks(ann, say("General", "after"));
    stage.turn();
    assert_eq!(
        stage.hears(other),
        ["ann in General: before", "closing: PasswordChanged", "the end"]
    );
    assert_eq!(stage.hears(jim).len(), 3, "both, and the answer");
}

#[test]
fn what_comes_again_with_another_device_since_the_answer_to_a_new_password_was_lost_is_known() {
    let (mut stage, [jim, ann]) = Stage::of(["jim", "ann"]);
    let other = comes_twice(&mut stage, "jim", jim);
    let (old, new) = (stage::password("tea and milk"), stage::password("milk and tea"));
    stage.asks(other, Request::ChangePasswordAndToken { old, new, token: Token([9; 32]) });
    stage.asks(other, say("General", "once"));
    stage.turn();
    stage.goes(other);
    stage.turn();
    let another = stage.logs_in("jim", "milk and tea");
    stage.asks(another, say("General", "once"));
    stage.turn();
    assert_eq!(stage.hears(ann), ["jim in General: once"]);
}
