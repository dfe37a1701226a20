//! How what many hear gets into their outboxes. What each of them hears is in the dispatch task's
//! scenes.

use std::task::{Context, Poll, Waker};

use bytes::Buf;
use chatroom_proto::{
    AddressNetwork, BanTarget, Body, Conversation, GroupName, Operation, PostId, Seq, Tag,
    UnixMillis, UserName,
};

use super::*;
use crate::chat::effect::Effect;
use crate::chat::entry::{
    Command, ConnAddr, Entry, NodeId, Origin, Proposal, ProposalId, TokenDigest,
};
use crate::chat::{Chat, Limits};
use crate::config::Config;
use crate::dispatch::outbox::{Pieces, Taken};

const NODE: NodeId = NodeId(1);

/// Runs of posts like this are shared, and not copied together.
const LONG: usize = 8_000;

/// A group in which everybody has read everything.
struct Room {
    chat: Chat,
    fanout: Fanout,
    members: Vec<(DeviceId, Outbox)>,
}

impl Room {
    /// The outboxes of so many members are bounded as the configuration says.
    fn of(members: u64, config: &Config) -> Room {
        let bounds = Bounds::new(config.outbox_bytes_max, config.outboxes_bytes_max);
        let fanout = Fanout::new(Arc::clone(&bounds));
        let mut room =
            Room { chat: Chat::new(NODE, Limits::default()), fanout, members: Vec::new() };
        for number in 0..members {
            room.apply(Command::Arrive {
                name: UserName::parse(&format!("member{number}")).unwrap(),
                presented: None,
                fresh: TokenDigest([0; 32]),
                address: "192.0.2.1:1".parse().unwrap(),
            });
            let (device, outbox) =
                (DeviceId(room.chat.state().head()), Outbox::new(Arc::clone(&bounds)));
            room.fanout.admit(room.chat.state(), ConnectionId(number), device, outbox.clone());
            room.members.push((device, outbox));
        }
        room
    }

    fn apply(&mut self, command: Command) -> Vec<Effect> {
        let seq = self.chat.state().head().next();
        // Everybody says all over the connection with which they came.
        let connection = ConnectionId(command.author().map_or(seq, |by| by.0).0);
        let origin = Some(Origin { place: ConnAddr { node: NODE, connection }, tag: Tag(0) });
        let id = ProposalId { node: NODE, number: seq.0 };
        let proposal = Proposal { id, origin, at: UnixMillis(0), command };
        let mut effects = Vec::new();
        self.chat.apply(&Entry { seq, proposal }, &mut effects);
        effects
    }

    /// One member says something of this length, in bytes.
    fn post(&mut self, by: usize, length: usize) {
        let id = PostId(u128::from(self.chat.state().head().0).to_be_bytes());
        let body = Body::parse(&"x".repeat(length)).unwrap();
        let to = Conversation::Group(GroupName::general());
        for effect in self.apply(Command::Post { by: self.members[by].0, to, id, body }) {
            if let Effect::Notify { audience, notification } = effect {
                self.fanout.notify(self.chat.state(), &audience, notification);
            }
        }
    }

    /// The first member says as much as one turn takes.
    fn burst(&mut self, length: usize) {
        while !self.fanout.has_done_enough() {
            self.post(0, length);
        }
        self.end_turn();
    }

    fn end_turn(&mut self) {
        self.fanout.end_turn(self.chat.state());
    }

    /// What waits for one member, who reads it.
    fn read(&self, member: usize) -> Pieces {
        let (mut context, mut pieces) = (Context::from_waker(Waker::noop()), Pieces::default());
        let taken = self.members[member].1.poll_take(&mut context, &mut pieces);
        assert_ne!(taken, Poll::Ready(Taken::Last), "member {member} is hung up on");
        // Whoever asks for more has written what it took.
        assert!(
            self.members[member].1.poll_take(&mut context, &mut Pieces::default()).is_pending()
        );
        pieces
    }

    fn all_read(&self) {
        for member in 0..self.members.len() {
            self.read(member);
        }
    }
}

#[test]
fn a_run_is_one_piece_that_all_its_hearers_share() {
    let mut room = Room::of(3, &Config::default());
    for _ in 0..3 {
        room.post(0, LONG);
    }
    room.end_turn();
    let (one, other) = (room.read(1), room.read(2));
    let (one, other) = (one.as_one().expect("one piece"), other.as_one().expect("one piece"));
    assert!(one.len() > 3 * LONG, "all of it");
    assert_eq!(one.as_ptr_range(), other.as_ptr_range());
    assert!(room.read(0).is_empty(), "it is no news to the one who said it");
}

#[test]
fn one_who_has_heard_little_of_a_run_shares_the_rest_and_of_a_small_rest_gets_a_copy() {
    let mut room = Room::of(4, &Config::default());
    // Whoever says something has heard everything up to there.
    for by in [0, 1, 0, 0, 2, 0] {
        room.post(by, LONG);
    }
    for (member, rest) in [(1, 1), (2, 4)] {
        assert_eq!(room.read(member).len() / LONG, rest);
    }
    room.end_turn();
    let [much, little, all] = [1, 2, 3].map(|member| room.read(member));
    let [much, little, all] =
        [&much, &little, &all].map(|pieces| pieces.as_one().expect("one piece"));
    assert_eq!([much, little, all].map(|rest| rest.len() / LONG), [4, 1, 6]);
    assert!(all.ends_with(much) && all.ends_with(little));
    assert_eq!(much.as_ptr_range().end, all.as_ptr_range().end, "shared");
    assert!(
        !all.as_ptr_range().contains(&little.as_ptr()),
        "it does not keep all the rest in memory"
    );
}

#[test]
fn a_burst_in_a_large_hall_closes_nobody_who_has_read_everything() {
    const MEMBERS: u64 = 3_000;
    const TURNS: usize = 2;
    // As it comes, and when others have left nothing for anybody.
    for config in [Config::default(), Config { outboxes_bytes_max: 0, ..Config::default() }] {
        let mut room = Room::of(MEMBERS, &config);
        for length in [100, LONG].repeat(TURNS) {
            room.burst(length);
            room.all_read();
        }
    }
}

#[test]
fn what_a_hall_has_not_read_counts_once_for_all_of_it() {
    const MEMBERS: u64 = 100;
    // Each of them has more waiting than is fair, and all of them have less than there is.
    const TURNS: usize = 5;
    let config = Config { outboxes_bytes_max: 1024 * 1024, ..Config::default() };
    let mut room = Room::of(MEMBERS, &config);
    for _ in 0..TURNS {
        room.burst(LONG);
    }
    room.all_read();
}

#[test]
fn what_an_older_version_does_not_know_is_told_to_the_others_in_its_place() {
    let mut room = Room::of(3, &Config::default());
    for (member, version) in [(0, 2), (1, 1), (2, 2)] {
        room.members[member].1.speak(version);
    }
    let act = Operation::Ban {
        whom: BanTarget::Network(AddressNetwork::parse("192.0.2.0/24").unwrap()),
        seconds: None,
        reason: None,
    };
    let (seq, at, by) = (Seq(9), UnixMillis(0), UserName::parse("member0").unwrap());
    let news = Notification::Operated { seq, at, by, act };
    let audience = Audience::Group {
        group: GroupId::GENERAL,
        except: room.members[0].0,
        passage: Passage::Stays,
        and: Vec::new(),
    };
    room.post(1, 100);
    room.fanout.notify(room.chat.state(), &audience, news);
    room.post(2, 100);
    room.end_turn();
    let kinds = |member| {
        let mut pieces = room.read(member);
        let mut bytes = pieces.copy_to_bytes(pieces.remaining()).to_vec();
        let mut kinds = Vec::new();
        while !bytes.is_empty() {
            let length = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            let rest = bytes.split_off(4 + length);
            kinds.push(match codec::decode(&bytes[4..]).unwrap() {
                ServerFrame::Notification(Notification::GroupPost { .. }) => "post",
                ServerFrame::Notification(Notification::Operated { .. }) => "act",
                other => panic!("{other:?}"),
            });
            bytes = rest;
        }
        kinds
    };
    assert_eq!(kinds(0), ["post", "post"], "it is no news to the one who did it");
    assert_eq!(kinds(1), ["post"], "and its own is none, either");
    assert_eq!(kinds(2), ["post", "act"]);
}
