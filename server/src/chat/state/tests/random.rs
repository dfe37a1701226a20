//! What may stand in a log, at random: mostly what could happen in the state as it is, and
//! sometimes what could not.

use std::num::NonZeroU32;

use chatroom_proto::{
    AddressPrefix, BanTarget, Body, Conversation, GroupName, Moderation, Operation, PostId,
    Retention, Seq, Tag, Topic, UnixMillis, UserName,
};

use super::super::applied::Applied;
use super::super::chat_state::ChatState;
use super::super::device::Presence;
use crate::chat::entry::{
    Address, Command, ConnAddr, ConnectionId, DeviceId, Entry, GroupId, NodeId, Origin,
    PasswordHash, Proposal, ProposalId, TokenDigest,
};
use crate::chat::limits::Limits;
use crate::dice::Dice;

/// So little that each limit is met.
pub(super) const LIMITS: Limits = Limits {
    groups_max: 4,
    memberships_max: 3,
    grace_ms: 1_000,
    held_max: 3,
    remembered_max: 4,
    retention: Retention::Everything,
};
/// What holds after some restarts.
const SMALLER: Limits = Limits {
    groups_max: 2,
    held_max: 1,
    remembered_max: 2,
    retention: Retention::Nothing,
    ..LIMITS
};

/// Few, so that people meet; some are the same, and some look the same.
const NAMES: [&str; 6] = ["jim", "Jim", "Jіm", "ann", "bob", "zoe"];
const GROUPS: [&str; 6] = ["General", "tea", "Tea", "Теа", "art", "sea"];
const ADDRESSES: [&str; 3] = ["10.0.0.1:1", "10.0.0.2:2", "[2001:db8::1]:1"];

/// So few that many come again.
const POSTS: usize = 30;
const TAGS: usize = 40;

/// What the log has recognizes this code.
const CODE: TokenDigest = TokenDigest([0xc0; 32]);

/// Writes a log.
pub(super) struct Author {
    dice: Dice,
    head: Seq,
    at: UnixMillis,
    /// Stays that a server has said it will end.
    ends: Vec<DeviceId>,
}

impl Author {
    pub(super) fn new(seed: u64) -> Author {
        Author { dice: Dice(seed), head: Seq::ZERO, at: UnixMillis(1), ends: Vec::new() }
    }

    /// How many stays are about to end, with those of the newest entry.
    pub(super) fn ends_pending(&self, applied: &Applied) -> usize {
        self.ends.len() + applied.ends.len()
    }

    /// What came of an entry.
    pub(super) fn hear(&mut self, entry: &Entry, applied: Applied) {
        if let Command::Depart { device } = &entry.proposal.command {
            self.ends.retain(|ends| ends != device);
        }
        self.ends.extend(applied.ends);
    }

    /// The next entry.
    pub(super) fn next(&mut self, state: &ChatState) -> Entry {
        // Places may be left out.
        self.head = Seq(self.head.0 + 1 + self.dice.roll(2) as u64);
        self.at.0 += self.dice.roll(800) as u64;
        let (by, command) = self.command(state);
        let place = match by.and_then(|by| state.device(by)).map(|device| device.presence) {
            Some(Presence::Attached(place)) if !self.dice.once_in(10) => place,
            _ => ConnAddr { node: NodeId(1), connection: ConnectionId(self.head.0) },
        };
        let is_servers = matches!(
            command,
            Command::Detach { .. }
                | Command::Began { .. }
                | Command::Expire { .. }
                | Command::Offer { .. }
        );
        let tag = Tag(u32::try_from(self.dice.roll(TAGS)).expect("few"));
        let origin = (!is_servers).then_some(Origin { place, tag });
        let id = ProposalId { node: NodeId(1), number: self.head.0 };
        Entry { seq: self.head, proposal: Proposal { id, origin, at: self.at, command } }
    }

    /// Something, and who does it.
    fn command(&mut self, state: &ChatState) -> (Option<DeviceId>, Command) {
        let by = self.device(state);
        let command = match self.dice.roll(40) {
            0..=5 => return (None, self.arrival(state)),
            6..=8 => return (None, self.log_in(state)),
            9 | 10 => self.detachment(state, by),
            11 => self.expiry(state, by),
            12 => Command::Depart { device: self.ends.first().copied().unwrap_or(by) },
            13 if self.dice.once_in(3) => Command::Depart { device: by },
            14 if self.dice.once_in(3) => {
                self.ends.clear();
                Command::Began { limits: self.dice.one_of(&[LIMITS, SMALLER]).expect("two") }
            }
            15 | 16 => Command::Create { by, group: self.group() },
            17..=20 => Command::Join { by, group: self.group() },
            21 | 22 => Command::Leave { by, group: self.group() },
            23..=26 => self.post(by),
            27 | 28 => Command::Register { by, password: self.hash() },
            29 => self.password_change(state, by),
            30 if self.dice.once_in(2) => {
                Command::Unregister { by, password: self.password_of(state, by) }
            }
            31 => Command::Offer { digest: CODE },
            32 => {
                Command::Claim { by, digest: self.dice.one_of(&[CODE, self.token()]).expect("two") }
            }
            33 | 34 => {
                let by = self.operator(state).unwrap_or(by);
                return (Some(by), Command::Operate { by, act: self.operation() });
            }
            _ => {
                let (by, group) = match self.moderator(state) {
                    Some((by, group)) => (by, state.name_of(group)),
                    None => (by, self.group()),
                };
                return (Some(by), Command::Moderate { by, group, act: self.moderation() });
            }
        };
        (Some(by), command)
    }

    /// Somebody's device: mostly one with a connection.
    fn device(&mut self, state: &ChatState) -> DeviceId {
        let is_attached = |id: &&DeviceId| {
            state
                .device(**id)
                .is_some_and(|device| matches!(device.presence, Presence::Attached(_)))
        };
        let attached: Vec<_> = state.devices.keys().filter(is_attached).copied().collect();
        let all: Vec<_> = state.devices.keys().copied().collect();
        let likely = if self.dice.once_in(8) { all } else { attached };
        // Or one that is not there, and perhaps was.
        self.dice.one_of(&likely).unwrap_or(DeviceId(Seq(1 + self.dice.roll(30) as u64)))
    }

    /// Mostly somebody who may operate the server.
    fn operator(&mut self, state: &ChatState) -> Option<DeviceId> {
        let operators =
            state.server_admin.operators.keys().flat_map(|person| state.attached(*person));
        let operators: Vec<_> = operators.collect();
        self.dice.one_of(&operators).filter(|_| !self.dice.once_in(5))
    }

    /// Mostly somebody who may moderate a group.
    fn moderator(&mut self, state: &ChatState) -> Option<(DeviceId, GroupId)> {
        let ops = state.groups.iter().flat_map(|(group, kept)| {
            let ops = kept.moderation.iter().flat_map(|moderation| &moderation.ops);
            ops.map(|op| (*op, *group)).collect::<Vec<_>>()
        });
        let operators =
            state.server_admin.operators.keys().map(|person| (*person, GroupId::GENERAL));
        let keepers = state.owned.iter().copied().chain(ops).chain(operators);
        let devices = keepers.flat_map(|(person, group)| {
            state.attached(person).into_iter().map(move |device| (device, group))
        });
        let devices: Vec<_> = devices.collect();
        self.dice.one_of(&devices).filter(|_| !self.dice.once_in(5))
    }

    fn arrival(&mut self, state: &ChatState) -> Command {
        let mut name = self.user();
        // No token has this digest.
        let can_come = state.devices.values().filter(|device| device.token != TokenDigest::NOBODYS);
        let devices: Vec<_> = can_come.map(|device| (&device.name, device.token)).collect();
        let presented = match self.dice.one_of(&devices).filter(|_| !self.dice.once_in(3)) {
            // Mostly under the name that goes with the token.
            Some((whose, token)) => {
                if !self.dice.once_in(6) {
                    name = whose.clone();
                }
                Some(token)
            }
            None => None,
        };
        Command::Arrive { name, presented, fresh: self.token(), address: self.address() }
    }

    fn log_in(&mut self, state: &ChatState) -> Command {
        let registered = state
            .devices
            .values()
            .filter_map(|device| Some((&device.name, device.account.as_ref()?.since)));
        let registered: Vec<_> = registered.collect();
        let (name, password) = match self.dice.one_of(&registered) {
            Some((name, since)) => (name.clone(), self.mostly(since)),
            None => (self.user(), self.head),
        };
        Command::LogIn { name, password, fresh: self.token(), address: self.address() }
    }

    fn detachment(&mut self, state: &ChatState, device: DeviceId) -> Command {
        let from = match state.device(device).map(|device| device.presence) {
            Some(Presence::Attached(place)) if !self.dice.once_in(6) => place,
            _ => ConnAddr {
                node: NodeId(1),
                connection: ConnectionId(1 + self.dice.roll(30) as u64),
            },
        };
        Command::Detach { device, from }
    }

    fn expiry(&mut self, state: &ChatState, otherwise: DeviceId) -> Command {
        let detached: Vec<_> = state.detached.iter().map(|(_, id)| *id).collect();
        let device = self.dice.one_of(&detached).unwrap_or(otherwise);
        let detached = match state.device(device).map(|device| device.presence) {
            Some(Presence::Detached { by, .. }) => self.mostly(by),
            _ => self.head,
        };
        Command::Expire { device, detached }
    }

    fn post(&mut self, by: DeviceId) -> Command {
        let to = match self.dice.roll(2) {
            0 => Conversation::Group(self.group()),
            _ => Conversation::User(self.user()),
        };
        let id = PostId([u8::try_from(self.dice.roll(POSTS)).expect("few"); 16]);
        Command::Post { by, to, id, body: Body::parse("hi").expect("a message") }
    }

    fn password_change(&mut self, state: &ChatState, by: DeviceId) -> Command {
        let old = self.password_of(state, by);
        Command::ChangePassword { by, old, new: self.hash(), fresh: self.token() }
    }

    /// The entry that set somebody's password, mostly.
    fn password_of(&mut self, state: &ChatState, by: DeviceId) -> Seq {
        let account = state.profile_of(by).and_then(|person| person.account.as_ref());
        let since = account.map_or(self.head, |account| account.since);
        self.mostly(since)
    }

    fn operation(&mut self) -> Operation {
        let user = self.user();
        let seconds = NonZeroU32::new(u32::try_from(self.dice.roll(3)).expect("few"));
        let whom = match self.dice.roll(3) {
            0 => BanTarget::Host(AddressPrefix::parse("10.0.0.1").expect("an address")),
            _ => BanTarget::User(user.clone()),
        };
        match self.dice.roll(8) {
            0 | 1 => Operation::Appoint { user },
            2 => Operation::Dismiss { user },
            3 | 4 => Operation::Disconnect { user, reason: None },
            5 | 6 => Operation::Ban { whom, seconds, reason: None },
            _ => Operation::Unban { whom },
        }
    }

    fn moderation(&mut self) -> Moderation {
        let user = self.user();
        let seconds = NonZeroU32::new(u32::try_from(self.dice.roll(3)).expect("few"));
        match self.dice.roll(13) {
            0 | 1 => Moderation::Kick { user, reason: None },
            2 => Moderation::Ban { user, seconds, reason: None },
            3 => Moderation::Unban { user },
            4 => Moderation::Mute { user, seconds, reason: None },
            5 => Moderation::Unmute { user },
            6 => Moderation::Topic {
                topic: Topic::parse("what it is about").ok().filter(|_| self.dice.once_in(2)),
            },
            7 => Moderation::Lock,
            8 => Moderation::Unlock,
            9 => Moderation::Invite { user },
            10 | 11 => Moderation::Op { user },
            _ => Moderation::Deop { user },
        }
    }

    fn mostly(&mut self, seq: Seq) -> Seq {
        if self.dice.once_in(8) { Seq(1 + self.dice.roll(30) as u64) } else { seq }
    }

    fn user(&mut self) -> UserName {
        UserName::parse(NAMES[self.dice.roll(NAMES.len())]).expect("a name")
    }

    fn group(&mut self) -> GroupName {
        GroupName::parse(GROUPS[self.dice.roll(GROUPS.len())]).expect("a name")
    }

    fn address(&mut self) -> Address {
        ADDRESSES[self.dice.roll(ADDRESSES.len())].parse().expect("an address")
    }

    /// A token that nobody has.
    fn token(&self) -> TokenDigest {
        let mut digest = [0xaa; 32];
        digest[..8].copy_from_slice(&self.head.0.to_be_bytes());
        TokenDigest(digest)
    }

    fn hash(&self) -> PasswordHash {
        PasswordHash(format!("set by {}", self.head))
    }
}
