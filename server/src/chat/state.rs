//! The state: what all nodes agree on, a fold over the log. Whatever happens here is decided by the
//! entries alone, so two states that have applied the same entries are equal.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chatroom_proto::{
    CloseReason, Conversation, GroupName, NameKey, Notification, Refusal, Response, Seq, Tag,
    UnixMillis, UserName,
};

use super::effect::{Audience, Channel};
use super::effect::{ConversationId, StoredPost};
use super::entry::{Address, Command, ConnAddr, DeviceId, Entry, GroupId, Proposal, TokenDigest};
use super::limits::Limits;
use device::{DedupKind, Device, EvictionClass, Presence};
use group::Group;
use server_admin::ServerAdmin;

mod accounts;
mod administration;
mod confusables;
pub(in crate::chat) mod device;
mod group;
mod messaging;
mod moderation;
mod moderation_state;
mod presence;
mod queries;
mod server_admin;
mod snapshot;
mod succession;
#[cfg(test)]
mod tests;

use confusables::ConfusableIndex;

/// Everybody and every group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatState {
    limits: Limits,
    /// The newest entry that was applied.
    head: Seq,
    /// Every device of everybody who is here or remembered, by its first arrival.
    sessions: BTreeMap<DeviceId, Box<Device>>,
    /// Who is here, by their latest arrival; with several devices, by that of the first of these.
    here: BTreeMap<Seq, DeviceId>,
    /// Who has a name; when nobody has it, who had it last.
    names: HashMap<NameKey, DeviceId>,
    /// By creation.
    groups: BTreeMap<GroupId, Group>,
    group_names: HashMap<NameKey, GroupId>,
    /// Those who are here or registered.
    looks: ConfusableIndex<DeviceId>,
    group_looks: ConfusableIndex<GroupId>,
    /// Whose each group is.
    owned: BTreeSet<(DeviceId, GroupId)>,
    /// How much is kept to keep order, in all groups.
    items: usize,
    /// Who runs the server.
    rule: ServerAdmin,
    /// The sessions without a connection, the longest first.
    detached: BTreeSet<(UnixMillis, DeviceId)>,
    /// How many of these there may be: the limit, or as many as a restart has left behind.
    held_max: usize,
    /// Who is remembered, by the token that brings them back.
    away: HashMap<TokenDigest, DeviceId>,
    /// The same, the first to be forgotten first: those who have left nothing behind, and then by
    /// their departure.
    eviction_order: BTreeSet<(EvictionClass, Seq, DeviceId)>,
    /// How many names are registered.
    accounts: usize,
}

/// What applying an entry came to.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// What the origin is answered; nothing, when its connection has no session any more.
    pub(super) result: Option<Result<CommandOutcome, Refusal>>,
    /// Connections that have lost their session, and why.
    pub(super) cut_off: Vec<(ConnAddr, Option<CloseReason>)>,
    /// What others hear.
    pub(super) news: Option<(Audience, Notification)>,
    /// What else they hear.
    pub(super) more: Vec<(Audience, Notification)>,
    /// Connections that are closed when all that was heard, and why.
    pub(super) put_out: Vec<(ConnAddr, CloseReason)>,
    /// Stays that end next.
    pub(super) ends: Vec<DeviceId>,
    /// For a post that took effect: with which device it was said, and in which conversation.
    pub(super) said: Option<(DeviceId, ConversationId)>,
}

/// What a command that took effect is answered with.
#[derive(Debug)]
pub(super) enum CommandOutcome {
    /// The connection goes with this session.
    Admitted {
        /// Which.
        session: DeviceId,
        /// For one who was recognized: where it was lost. Everything up to there was sent to it.
        lost: Option<Seq>,
    },
    /// The account has another password, and the device another token.
    PasswordChanged,
    /// A finished answer.
    Answer(Response),
}

/// A client as the server keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientReport {
    /// Where it comes from.
    pub address: Address,
    /// Its name.
    pub name: UserName,
    /// Its groups, in the order of joining.
    pub groups: Vec<GroupName>,
    /// Whether it has a connection; otherwise its session is held for it.
    pub is_connected: bool,
    /// Who can read along on its connection, if it has one to this node.
    pub channel: Option<Channel>,
}

impl ChatState {
    /// A state with nobody in it and the group General.
    pub fn new(limits: Limits) -> ChatState {
        let general = GroupName::general();
        let mut state = ChatState {
            limits,
            head: Seq::ZERO,
            sessions: BTreeMap::new(),
            here: BTreeMap::new(),
            names: HashMap::new(),
            group_names: HashMap::from([(general.key(), GroupId::GENERAL)]),
            groups: BTreeMap::from([(GroupId::GENERAL, Group::new(general, None))]),
            owned: BTreeSet::new(),
            items: 0,
            rule: ServerAdmin::default(),
            detached: BTreeSet::new(),
            held_max: limits.held_max as usize,
            away: HashMap::new(),
            eviction_order: BTreeSet::new(),
            looks: ConfusableIndex::new(),
            group_looks: ConfusableIndex::new(),
            accounts: 0,
        };
        state.show_group(GroupId::GENERAL);
        state
    }

    /// Lets an entry take effect, or not, as everything before it demands.
    pub(super) fn apply(&mut self, entry: &Entry) -> Applied {
        self.head = entry.seq;
        let Proposal { origin, at, ref command, .. } = entry.proposal;
        if let Some(known) = self.repeated(&entry.proposal) {
            return Applied {
                result: Some(known.map(CommandOutcome::Answer)),
                ..Applied::default()
            };
        }
        if command.author().is_some_and(|by| !self.is_heard(by, origin.map(|origin| origin.place)))
        {
            return Applied::default();
        }
        let tag = origin.map(|origin| origin.tag);
        let applied = match command {
            Command::Arrive { name, presented, fresh, address } => match origin {
                Some(origin) => {
                    self.arrive((entry.seq, at), origin.place, name, (*presented, *fresh), *address)
                }
                None => Ok(Applied::default()),
            },
            Command::Detach { session, from } => Ok(self.detach(entry.seq, at, *session, *from)),
            Command::Began { limits } => Ok(self.begin(entry.seq, at, *limits)),
            Command::Expire { session, detached } => {
                Ok(self.expire(entry.seq, *session, *detached))
            }
            Command::Depart { session } => {
                Ok(self.depart(entry.seq, *session, origin.map(|origin| origin.place)))
            }
            Command::Create { by, group } => self.create(entry.seq, tag, *by, group),
            Command::Join { by, group } => {
                self.move_into_or_out_of((entry.seq, at), tag, *by, (DedupKind::Join, group))
            }
            Command::Leave { by, group } => {
                self.move_into_or_out_of((entry.seq, at), tag, *by, (DedupKind::Leave, group))
            }
            Command::Post { .. } => self.post(entry.seq, at, command),
            Command::LogIn { name, password, fresh, address } => match origin {
                Some(origin) => {
                    self.log_in((entry.seq, at), origin.place, name, (*password, *fresh), *address)
                }
                None => Ok(Applied::default()),
            },
            Command::Register { by, password } => self.register(entry.seq, tag, *by, password),
            Command::ChangePassword { by, old, new, fresh } => {
                self.change_password(entry.seq, *by, *old, (new, *fresh))
            }
            Command::Unregister { by, password } => {
                self.unregister(entry.seq, origin.map(|origin| origin.place), *by, *password)
            }
            Command::Moderate { by, group, act } => {
                self.moderate((entry.seq, at), tag, *by, (group, act))
            }
            Command::Offer { digest } => {
                self.offer(*digest);
                Ok(Applied::default())
            }
            Command::Claim { by, digest } => self.claim((entry.seq, at), tag, *by, *digest),
            Command::Operate { by, act } => self.operate((entry.seq, at), tag, *by, act),
        };
        applied
            .unwrap_or_else(|refusal| Applied { result: Some(Err(refusal)), ..Applied::default() })
    }

    /// Whether what somebody does there counts: over the connection that they have, and no other.
    /// What has come over one that was replaced or taken from them, and stands in the log behind
    /// that, is sent again by a client that has come back, in its order.
    fn is_heard(&self, by: DeviceId, over: Option<ConnAddr>) -> bool {
        let presence = self.sessions.get(&by).map(|session| session.presence);
        matches!(presence, Some(Presence::Attached(place)) if over.is_none_or(|over| over == place))
    }

    /// Lets an entry take effect where nobody is there to hear of it. What it says, if it is a post
    /// that took effect.
    pub fn fold(&mut self, entry: &Entry) -> Option<StoredPost> {
        let Applied { news, said, .. } = self.apply(entry);
        let (device, thread) = said?;
        let by = self.person(device);
        let (to, post) = match news?.1 {
            Notification::GroupPost { post, group } => (Conversation::Group(group), post),
            Notification::PrivatePost { post, to } => (Conversation::User(to), post),
            _ => return None,
        };
        Some(StoredPost { thread, by, device, to, post })
    }

    /// What a proposal would be answered if nothing came before it: a refusal, or the first answer
    /// to a repeat. Nothing, when it has to be applied to know.
    pub(super) fn foresee(&self, proposal: &Proposal) -> Option<Result<Response, Refusal>> {
        let refusal = match &proposal.command {
            Command::Arrive { name, presented, address, .. } => {
                self.may_arrive(name, *presented, *address, proposal.at).err()
            }
            Command::Create { group, .. } => self.may_create(group).err(),
            Command::Join { by, group } => {
                self.may_join((*by, self.who(*by)?), group, proposal.at).err()
            }
            Command::Leave { by, group } => self.require_member(self.who(*by)?, group).err(),
            Command::Post { by, to, .. } => {
                self.may_post((*by, self.who(*by)?), to, proposal.at).err()
            }
            Command::LogIn { name, password, address, .. } => {
                self.may_log_in(name, *password, *address, proposal.at).err()
            }
            Command::Register { by, .. } => self.may_register(self.who(*by)?).err(),
            Command::Moderate { by, group, act } => {
                self.may_moderate(*by, group, act, proposal.at).err()
            }
            Command::Claim { by, digest } => self.may_claim(*by, *digest).err(),
            Command::Operate { by, act } => self.may_operate(*by, act, proposal.at).err(),
            Command::ChangePassword { .. }
            | Command::Unregister { .. }
            | Command::Detach { .. }
            | Command::Began { .. }
            | Command::Expire { .. }
            | Command::Depart { .. }
            | Command::Offer { .. } => None,
        };
        // What could happen is for the log, even if it has happened before: then it comes to the
        // same answer.
        let refusal = refusal?;
        self.repeated(proposal).or_else(|| is_forgettable(&refusal).then_some(Err(refusal)))
    }

    /// The first answer to a request that comes again.
    fn repeated(&self, proposal: &Proposal) -> Option<Result<Response, Refusal>> {
        let (by, verb, name) = match &proposal.command {
            Command::Post { by, to, id, .. } => {
                let device = self.sessions.get(by)?;
                // A client that has lost the answer to its new password comes as another device,
                // and says again what it said with the one before.
                let others = || self.devices(device.person).filter(|other| other != by);
                let with = |other| self.sessions.get(&other)?.done.post(*id);
                let (seq, at) = device.done.post(*id).or_else(|| others().find_map(with))?;
                return Some(Ok(self.kept(to, seq, at)));
            }
            Command::Create { by, group } => (by, DedupKind::Create, group),
            Command::Join { by, group } => (by, DedupKind::Join, group),
            Command::Leave { by, group } => (by, DedupKind::Leave, group),
            Command::Register { by, .. } => {
                return self.registered(*by, proposal.origin?.tag).map(Ok);
            }
            Command::Moderate { by, group, .. } => (by, DedupKind::Moderate, group),
            Command::Claim { by, .. } | Command::Operate { by, .. } => {
                return self.known(*by, proposal.origin?.tag, DedupKind::Operate, GroupId::GENERAL);
            }
            _ => return None,
        };
        let id = *self.group_names.get(&name.key())?;
        self.known(*by, proposal.origin?.tag, verb, id)
    }

    /// The first answer to this request about this group.
    fn known(
        &self,
        by: DeviceId,
        tag: Tag,
        verb: DedupKind,
        id: GroupId,
    ) -> Option<Result<Response, Refusal>> {
        let seq = self.sessions.get(&by)?.done.verb(tag, verb, id)?;
        let group = self.groups.get(&id)?;
        Some(match seq {
            Some(seq) => Ok(group.answer(verb, seq)),
            None => Err(group.refusal(verb)),
        })
    }

    /// Notes what a session did to a group, or that it was refused, to know it when it comes again.
    fn note(
        &mut self,
        by: DeviceId,
        tag: Option<Tag>,
        verb: DedupKind,
        group: GroupId,
        seq: Option<Seq>,
    ) {
        if let (Some(session), Some(tag)) = (self.sessions.get_mut(&by), tag) {
            session.done.did(tag, verb, group, seq);
        }
    }

    /// The newest entry that was applied.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The groups' names, in the order of creation.
    pub fn group_names(&self) -> impl Iterator<Item = &GroupName> {
        self.groups.values().map(|group| &group.name)
    }

    /// The members of a group that have a connection, in no order.
    pub fn present(&self, group: GroupId) -> &[DeviceId] {
        self.groups.get(&group).map_or(&[], Group::present)
    }

    /// Whether somebody is a member.
    pub fn is_in(&self, session: DeviceId, group: GroupId) -> bool {
        self.who(session).is_some_and(|person| person.is_in(group))
    }

    /// Whose device this is.
    pub fn person(&self, session: DeviceId) -> DeviceId {
        self.sessions.get(&session).map_or(session, |session| session.person)
    }

    /// Whether there are other devices of the same person.
    pub fn has_others(&self, session: DeviceId) -> bool {
        let account = self.who(session).and_then(|person| person.account.as_ref());
        account.is_some_and(|account| !account.devices.is_empty())
    }

    /// What all devices of a person have in common.
    fn who(&self, session: DeviceId) -> Option<&Device> {
        let device = self.sessions.get(&session)?;
        // Mostly it is the only one.
        let person =
            if device.person == session { device } else { self.sessions.get(&device.person)? };
        Some(person)
    }

    /// All devices of a person.
    fn devices(&self, person: DeviceId) -> impl Iterator<Item = DeviceId> + '_ {
        let account = self.sessions.get(&person).and_then(|session| session.account.as_ref());
        std::iter::once(person)
            .chain(account.into_iter().flat_map(|account| account.devices.iter().copied()))
    }

    /// The devices of a person that have a connection.
    fn attached(&self, person: DeviceId) -> Vec<DeviceId> {
        let is_attached = |device: &DeviceId| {
            let device = self.sessions.get(device);
            device.is_some_and(|device| matches!(device.presence, Presence::Attached(_)))
        };
        self.devices(person).filter(is_attached).collect()
    }

    /// The sessions that are meant, as long as no other entry has been applied.
    pub fn hearers<'a>(&'a self, audience: &'a Audience) -> impl Iterator<Item = DeviceId> + 'a {
        let (present, and, except) = match audience {
            Audience::Nobody => (&[][..], &[][..], None),
            Audience::One(session) => (std::slice::from_ref(session), &[][..], None),
            Audience::Some(sessions) => (sessions.as_slice(), &[][..], None),
            Audience::Group { group, except, and, .. } => {
                (self.present(*group), and.as_slice(), Some(except))
            }
        };
        present.iter().chain(and).filter(move |&session| Some(session) != except).copied()
    }

    /// One session.
    pub(super) fn session(&self, id: DeviceId) -> Option<&Device> {
        self.sessions.get(&id).map(Box::as_ref)
    }

    /// What holds now.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }
}

/// Whether nothing goes wrong when a request that was refused so is granted when it comes again.
/// One who joins, joins again and leaves, and has no answer to that, would be in the group in the
/// end if the second were granted then. The same holds for one who locks a group, locks it again
/// and unlocks it.
fn is_forgettable(refusal: &Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::AlreadyMember { .. }
            | Refusal::NotMember { .. }
            | Refusal::AlreadySo { .. }
            | Refusal::NoDifference
    )
}
