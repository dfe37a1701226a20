//! What people do to groups, and to each other.

use std::num::NonZeroU32;

use chatroom_proto::{BanTarget, Code, Moderation, Operation, Request, Topic, UserName};

use super::client::{Client, Desk, PEOPLE};
use crate::chance::Chance;
use crate::history::record::Event;
use crate::test_client::{group, user};

/// The groups that are made and joined.
const GROUPS: [&str; 3] = ["tea", "art", "sea"];

/// What each server shows, and everybody sees.
pub(super) const CODE: Code = Code([7; 16]);

impl Client {
    pub(super) fn ask_about_groups(&mut self, chance: &mut Chance, desk: &mut Desk<'_>) {
        let name = group(GROUPS[chance.below(GROUPS.len() as u64) as usize]);
        match chance.below(4) {
            0 => self.ask(Request::Create { group: name }, desk),
            1 if self.groups.contains(&name) => {
                self.groups.retain(|group| *group != name);
                self.record(Event::Leaving(name.clone()));
                self.ask(Request::Leave { group: name }, desk);
            }
            _ if !self.groups.contains(&name) => {
                self.record(Event::Joining(name.clone()));
                self.ask(Request::Join { group: name }, desk);
            }
            _ => {
                let act = any_act(chance);
                self.ask(Request::Moderate { group: name, act }, desk);
            }
        }
    }

    /// What only operators of the server may do. Who has registered may become the first.
    pub(super) fn operate(&mut self, chance: &mut Chance, desk: &mut Desk<'_>) {
        let user = someone(chance);
        let act = match chance.below(6) {
            0 | 1 => return self.ask(Request::Claim { code: CODE }, desk),
            2 => Operation::Appoint { user },
            3 | 4 => Operation::Disconnect { user, reason: None },
            _ => Operation::Ban {
                whom: BanTarget::User(user),
                seconds: NonZeroU32::new(1),
                reason: None,
            },
        };
        self.ask(Request::Operate { act }, desk);
    }
}

fn someone(chance: &mut Chance) -> UserName {
    user(PEOPLE[chance.below(PEOPLE.len() as u64) as usize])
}

/// Something that keeps order; what holds for a while ends before everybody comes to rest.
fn any_act(chance: &mut Chance) -> Moderation {
    let (user, second) = (someone(chance), NonZeroU32::new(1));
    match chance.below(6) {
        0 => Moderation::Topic { topic: Topic::parse("what it is about").ok() },
        1 => Moderation::Mute { user, seconds: second, reason: None },
        2 | 3 => Moderation::Kick { user, reason: None },
        4 => Moderation::Ban { user, seconds: second, reason: None },
        _ => Moderation::Op { user },
    }
}
