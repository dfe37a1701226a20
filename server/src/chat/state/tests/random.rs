//! What may stand in a log, at random: mostly what could happen in the state as it is, and
//! sometimes what could not.

use chatroom_proto::chance::Chance;
use chatroom_proto::codec;
use chatroom_proto::{Retention, Seq, Tag, UnixMillis};

use super::super::applied::Applied;
use super::super::chat_state::ChatState;
use super::super::device::Presence;
use crate::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, GroupId, NodeId, Origin, PasswordHash,
    Proposal, ProposalId, TokenDigest,
};
use crate::chat::limits::Limits;

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

/// So few that many come again.
const TAGS: u32 = 40;

/// How many commands are drawn at most, to find one that would be granted; and how often one is
/// taken that would not.
const DRAFTS_MAX: u32 = 8;
const REFUSED_ONCE_IN: u32 = 6;

/// What the log has recognizes this code.
const CODE: TokenDigest = TokenDigest([0xc0; 32]);

/// Writes a log.
pub(super) struct Author {
    chance: Chance,
    head: Seq,
    at: UnixMillis,
    /// Stays that a server has said it will end.
    ends: Vec<DeviceId>,
}

impl Author {
    pub(super) fn new(seed: u64) -> Author {
        Author { chance: Chance::new(seed), head: Seq::ZERO, at: UnixMillis(1), ends: Vec::new() }
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

    /// The next entry: mostly one that would be granted.
    pub(super) fn next(&mut self, state: &ChatState) -> Entry {
        // Places may be left out.
        self.head = Seq(self.head.0 + 1 + self.chance.below(2));
        self.at.0 += self.chance.below(800);
        for _ in 0..DRAFTS_MAX {
            let proposal = self.draft(state);
            let author = proposal.command.author();
            let is_known = author.is_none_or(|by| state.device(by).is_some());
            let is_refused = matches!(state.foresee(&proposal), Some(Err(_)));
            if is_known && !is_refused || self.chance.once_in(REFUSED_ONCE_IN) {
                return self.entry(proposal);
            }
        }
        let proposal = self.draft(state);
        self.entry(proposal)
    }

    fn entry(&mut self, proposal: Proposal) -> Entry {
        if matches!(proposal.command, Command::Began { .. }) {
            self.ends.clear();
        }
        Entry { seq: self.head, proposal }
    }

    /// Something, and over which connection.
    fn draft(&mut self, state: &ChatState) -> Proposal {
        let command = self.chance.any();
        let command = self.aimed(command, state);
        let by = match &command {
            Command::Depart { device } => Some(*device),
            command => command.author(),
        };
        let place = match by.and_then(|by| state.device(by)).map(|device| device.presence) {
            Some(Presence::Attached(place)) if !self.chance.once_in(10) => place,
            _ => ConnAddr { node: NodeId(1), connection: ConnectionId(self.head.0) },
        };
        let is_servers = matches!(
            command,
            Command::Detach { .. }
                | Command::Began { .. }
                | Command::Expire { .. }
                | Command::Offer { .. }
        );
        let tag = Tag(self.chance.below(TAGS));
        let origin = (!is_servers).then_some(Origin { place, tag });
        let id = ProposalId { node: NodeId(1), number: self.head.0 };
        Proposal { id, origin, at: self.at, command }
    }

    /// The same, about what is there: devices, tokens, passwords. What ends a stay or all of them
    /// is rare, or nothing would happen in one; somebody comes in its place.
    fn aimed(&mut self, command: Command, state: &ChatState) -> Command {
        let by = self.device(state);
        let is_rare = matches!(
            command,
            Command::Began { .. } | Command::Depart { .. } | Command::Unregister { .. }
        );
        match command {
            _ if is_rare && !self.chance.once_in(3) => self.arrival(state),
            Command::Arrive { .. } => self.arrival(state),
            Command::LogIn { .. } => self.log_in(state),
            Command::Detach { .. } => self.detachment(state, by),
            Command::Expire { .. } => self.expiry(state, by),
            Command::Depart { .. } => {
                Command::Depart { device: self.ends.first().copied().unwrap_or(by) }
            }
            Command::Began { .. } => {
                Command::Began { limits: self.chance.one_of(&[LIMITS, SMALLER]) }
            }
            Command::Register { .. } => Command::Register { by, password: self.hash() },
            Command::ChangePassword { .. } => self.password_change(state, by),
            Command::Unregister { .. } => {
                Command::Unregister { by, password: self.password_of(state, by) }
            }
            Command::Offer { .. } => Command::Offer { digest: CODE },
            Command::Claim { .. } => {
                let wrong = self.token();
                Command::Claim { by, digest: self.chance.one_of(&[CODE, wrong]) }
            }
            Command::Operate { act, .. } => {
                Command::Operate { by: self.operator(state).unwrap_or(by), act }
            }
            Command::Moderate { group, act, .. } => match self.moderator(state) {
                Some((by, group)) => Command::Moderate { by, group: state.name_of(group), act },
                None => Command::Moderate { by, group, act },
            },
            other => done_by(&other, by),
        }
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
        let likely = if self.chance.once_in(8) { all } else { attached };
        // Or one that is not there, and perhaps was.
        self.chance.pick(&likely).copied().unwrap_or(DeviceId(Seq(1 + self.chance.below(30))))
    }

    /// Mostly somebody who may operate the server.
    fn operator(&mut self, state: &ChatState) -> Option<DeviceId> {
        let operators =
            state.server_admin.operators.keys().flat_map(|person| state.attached(*person));
        let operators: Vec<_> = operators.collect();
        self.chance.pick(&operators).copied().filter(|_| !self.chance.once_in(5))
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
        self.chance.pick(&devices).copied().filter(|_| !self.chance.once_in(5))
    }

    fn arrival(&mut self, state: &ChatState) -> Command {
        let mut name = self.chance.any();
        // No token has this digest.
        let can_come = state.devices.values().filter(|device| device.token != TokenDigest::NOBODYS);
        let devices: Vec<_> = can_come.map(|device| (&device.name, device.token)).collect();
        let presented =
            match self.chance.pick(&devices).copied().filter(|_| !self.chance.once_in(3)) {
                // Mostly under the name that goes with the token.
                Some((whose, token)) => {
                    if !self.chance.once_in(6) {
                        name = whose.clone();
                    }
                    Some(token)
                }
                None => None,
            };
        Command::Arrive { name, presented, fresh: self.token(), address: self.chance.any() }
    }

    fn log_in(&mut self, state: &ChatState) -> Command {
        let registered = state
            .devices
            .values()
            .filter_map(|device| Some((&device.name, device.account.as_ref()?.since)));
        let registered: Vec<_> = registered.collect();
        let (name, password) = match self.chance.pick(&registered).copied() {
            Some((name, since)) => (name.clone(), self.mostly(since)),
            None => (self.chance.any(), self.head),
        };
        Command::LogIn { name, password, fresh: self.token(), address: self.chance.any() }
    }

    fn detachment(&mut self, state: &ChatState, device: DeviceId) -> Command {
        let from = match state.device(device).map(|device| device.presence) {
            Some(Presence::Attached(place)) if !self.chance.once_in(6) => place,
            _ => ConnAddr { node: NodeId(1), connection: ConnectionId(1 + self.chance.below(30)) },
        };
        Command::Detach { device, from }
    }

    fn expiry(&mut self, state: &ChatState, otherwise: DeviceId) -> Command {
        let detached: Vec<_> = state.detached.iter().map(|(_, id)| *id).collect();
        let device = self.chance.pick(&detached).copied().unwrap_or(otherwise);
        let detached = match state.device(device).map(|device| device.presence) {
            Some(Presence::Detached { by, .. }) => self.mostly(by),
            _ => self.head,
        };
        Command::Expire { device, detached }
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

    fn mostly(&mut self, seq: Seq) -> Seq {
        if self.chance.once_in(8) { Seq(1 + self.chance.below(30)) } else { seq }
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

/// A command, done by somebody else: whoever does it is the first field of every command that
/// somebody does.
fn done_by(command: &Command, by: DeviceId) -> Command {
    const NUMBER_BYTES: usize = 4;
    let mut bytes = codec::pack(command).expect("a command can be encoded");
    bytes[NUMBER_BYTES..][..size_of::<u64>()].copy_from_slice(&by.0.0.to_le_bytes());
    let command: Command = codec::decode(&bytes).expect("a command");
    assert_eq!(command.author(), Some(by), "its first field says who does it");
    command
}
