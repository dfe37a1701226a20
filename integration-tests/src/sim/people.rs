//! Who takes part, and what they do to each other.

use std::num::NonZeroU32;

use chatroom_proto::{
    BanTarget, Code, Conversation, GroupName, Moderation, Operation, Password, Request, Seq, Token,
    Topic, UserName,
};

use super::world::World;
use crate::test_client::{group, password, user};

/// Who takes part.
pub(super) const PEOPLE: [&str; 5] = ["jim", "ann", "bob", "zoe", "kim"];

/// Whose device each client is. Who has a second one comes with it by their password, when they
/// have registered.
pub(super) const DEVICES: [usize; 7] = [0, 1, 2, 3, 4, 0, 1];

/// The groups that are made and joined.
const GROUPS: [&str; 3] = ["tea", "art", "sea"];

/// A password is one of these, and then the other.
const PASSWORDS: [&str; 2] = ["tea and milk", "milk and tea"];

/// What a device wants to do.
pub(super) enum Act {
    /// To say something.
    Post(Conversation),
    /// To come into a group, or to go out of one.
    Join(GroupName),
    Leave(GroupName),
    /// To take back what was said, by somebody.
    Delete,
    /// To ask for anything else.
    Ask(Request),
    /// Nothing.
    Nothing,
}

/// Something that people do, by somebody who is in these groups and believes in this password.
pub(super) fn any_act(world: &World, me: &UserName, groups: &[GroupName], believed: usize) -> Act {
    match world.below(40) {
        0..=19 => match world.pick(groups) {
            Some(group) => Act::Post(Conversation::Group(group.clone())),
            None => Act::Nothing,
        },
        20..=27 => match someone(world) {
            other if other == *me => Act::Nothing,
            other => Act::Post(Conversation::User(other)),
        },
        28..=33 => about_groups(world, groups),
        34 => Act::Ask(Request::Groups { after: Seq::ZERO }),
        35 => Act::Ask(Request::Ping),
        36 => {
            let of = Conversation::Group(GroupName::general());
            Act::Ask(Request::History { of, before: Seq::ZERO, count: 5 })
        }
        38 if world.once_in(4) => Act::Ask(Request::Exit),
        38 => Act::Delete,
        37 => Act::Ask(about_the_account(world, believed)),
        39 => Act::Ask(operate(world)),
        _ => Act::Nothing,
    }
}

fn about_groups(world: &World, groups: &[GroupName]) -> Act {
    let name = group(GROUPS[index(world, GROUPS.len())]);
    match world.below(4) {
        0 => Act::Ask(Request::Create { group: name }),
        1 if groups.contains(&name) => Act::Leave(name),
        _ if !groups.contains(&name) => Act::Join(name),
        _ => Act::Ask(Request::Moderate { group: name, act: any_moderation(world) }),
    }
}

fn about_the_account(world: &World, believed: usize) -> Request {
    match world.below(3) {
        0 => {
            let mut token = [0; 32];
            world.fill(&mut token);
            let (old, new) = (nth_password(believed), nth_password(1 - believed));
            Request::ChangePasswordAndToken { old, new, token: Token(token) }
        }
        _ => Request::Register { password: nth_password(believed) },
    }
}

/// What only operators of the server may do. Who has registered may become the first.
fn operate(world: &World) -> Request {
    let user = someone(world);
    let act = match world.below(6) {
        0 | 1 => {
            let code = world.now().code.clone().unwrap_or(Code([7; 16]));
            return Request::Claim { code };
        }
        2 => Operation::Appoint { user },
        3 | 4 => Operation::Disconnect { user, reason: None },
        _ => Operation::Ban {
            whom: BanTarget::User(user),
            seconds: NonZeroU32::new(1),
            reason: None,
        },
    };
    Request::Operate { act }
}

/// Something that keeps order; what holds for a while ends before everybody comes to rest.
fn any_moderation(world: &World) -> Moderation {
    let (user, second) = (someone(world), NonZeroU32::new(1));
    match world.below(6) {
        0 => Moderation::Topic { topic: Topic::parse("what it is about").ok() },
        1 => Moderation::Mute { user, seconds: second, reason: None },
        2 | 3 => Moderation::Kick { user, reason: None },
        4 => Moderation::Ban { user, seconds: second, reason: None },
        _ => Moderation::Op { user },
    }
}

/// One of the two passwords.
pub(super) fn nth_password(nth: usize) -> Password {
    password(PASSWORDS[nth])
}

fn someone(world: &World) -> UserName {
    user(PEOPLE[index(world, PEOPLE.len())])
}

fn index(world: &World, count: usize) -> usize {
    usize::try_from(world.below(count as u64)).unwrap_or_default()
}
