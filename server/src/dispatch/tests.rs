//! What everybody hears, to the byte: the dispatch task beside a model that gives each notification to each hearer at once.

use chatroom_proto::{Body, Conversation, GroupName, PostId, Request, UserName};

use crate::chat::effect::ConnectionId;
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
