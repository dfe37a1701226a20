//! A device and, with the first of a person's devices, what is kept of the person.

use std::collections::{BTreeMap, BTreeSet};

use chatroom_proto::{Seq, Tag, UnixMillis, UserName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::dedup::DedupWindow;
use crate::chat::entry::{
    Address, ConnAddr, DeviceId, GroupId, PasswordHash, PersonId, TokenDigest,
};

/// How many people somebody's private conversations are followed with; the one that is silent for
/// longest is forgotten, and its next post begins a new chain.
const PRIVATE_CONVERSATIONS_MAX: usize = 1_000;

/// One device of one person. Most people have one. What they have in common stands with the first,
/// which stays as long as the account: the groups, the private conversations, the account itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Device {
    /// Whose it is.
    pub(crate) person: PersonId,
    /// Under which name.
    pub(crate) name: UserName,
    /// Recognizes the client when it comes back.
    pub(crate) token: TokenDigest,
    /// Where the client came from the last time.
    pub(crate) address: Address,
    /// The latest arrival: the order of those who are here.
    pub(crate) arrived: Seq,
    /// Where it is connected, or since when it is not.
    pub(crate) presence: Presence,
    /// When it lost its latest connection, or gave it up.
    pub(crate) left: UnixMillis,
    /// Its groups in the order of joining.
    pub(crate) groups: Box<[MembershipSince]>,
    /// Its private conversations.
    pub(crate) private: Private,
    /// What it did lately.
    pub(crate) dedup: DedupWindow,
    /// What makes the name their own.
    pub(crate) account: Option<Box<Account>>,
}

/// A registered name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// What its password must match.
    pub(crate) password: PasswordHash,
    /// The entry that set it.
    pub(crate) since: Seq,
    /// With which device and which request the name was registered, in the same stay.
    pub(crate) registered: Option<(DeviceId, Tag)>,
    /// The devices after the first.
    pub(crate) devices: BTreeSet<DeviceId>,
}

/// Private conversations. Many people have none: then it is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Private(Option<Box<Heads>>);

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Heads {
    /// The newest post of each conversation.
    each: BTreeMap<PersonId, Seq>,
    /// The newest of all, however many conversations were forgotten since.
    newest: Seq,
}

impl Private {
    /// The newest post, with anybody.
    pub(crate) fn newest(&self) -> Seq {
        self.0.as_ref().map_or(Seq::ZERO, |heads| heads.newest)
    }

    /// The newest post with this one.
    pub(crate) fn with(&self, peer: PersonId) -> Option<Seq> {
        self.0.as_ref()?.each.get(&peer).copied()
    }

    /// Who there is a conversation with.
    pub(crate) fn peers(&self) -> impl Iterator<Item = PersonId> + '_ {
        self.0.iter().flat_map(|heads| heads.each.keys().copied())
    }

    /// There is a post with this one. If there are too many conversations, the one that is silent
    /// for longest is forgotten.
    pub(crate) fn add(&mut self, peer: PersonId, seq: Seq) -> Option<PersonId> {
        let heads = self.0.get_or_insert_default();
        heads.each.insert(peer, seq);
        heads.newest = seq;
        if heads.each.len() <= PRIVATE_CONVERSATIONS_MAX {
            return None;
        }
        let (&silent, _) = heads.each.iter().min_by_key(|(_, head)| **head)?;
        heads.each.remove(&silent);
        Some(silent)
    }

    /// Forgets a conversation.
    pub(crate) fn forget(&mut self, peer: PersonId) {
        if let Some(heads) = &mut self.0 {
            heads.each.remove(&peer);
        }
    }
}

impl Serialize for Private {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(heads) => heads.serialize(serializer),
            None => Heads::default().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Private {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Private, D::Error> {
        let heads = Heads::deserialize(deserializer)?;
        Ok(Private((heads.newest != Seq::ZERO).then(|| Box::new(heads))))
    }
}

/// A membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MembershipSince {
    /// In which group.
    pub(crate) group: GroupId,
    /// The join.
    pub(crate) since: Seq,
}

/// Whether a device has a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Presence {
    /// It has this one.
    Attached(ConnAddr),
    /// It lost its connection.
    Detached {
        /// The entry that says so.
        by: Seq,
    },
    /// It has ended; its name is free. It is remembered for when it comes back.
    Away {
        /// The entry that says so, or that its connection was gone: it has heard everything up to
        /// there.
        by: Seq,
        /// What there is to come back to: those who have less are forgotten first.
        class: EvictionClass,
    },
}

impl Device {
    /// One that has just come for the first time, and connected there.
    pub(crate) fn new(
        arrived: Seq,
        (person, name): (PersonId, UserName),
        token: TokenDigest,
        (place, address): (ConnAddr, Address),
    ) -> Device {
        Device {
            person,
            name,
            token,
            address,
            arrived,
            presence: Presence::Attached(place),
            left: UnixMillis::default(),
            groups: Box::default(),
            private: Private::default(),
            dedup: DedupWindow::default(),
            account: None,
        }
    }

    /// Whether it goes on: with a connection, or held for one that was lost.
    pub(crate) fn is_here(&self) -> bool {
        !matches!(self.presence, Presence::Away { .. })
    }

    /// Joins and leaves. Many are in one group and stay there: what they are in takes what it
    /// takes, and no more.
    pub(crate) fn regroup(&mut self, change: impl FnOnce(&mut Vec<MembershipSince>)) {
        let mut groups = std::mem::take(&mut self.groups).into_vec();
        groups.reserve_exact(1);
        change(&mut groups);
        self.groups = groups.into_boxed_slice();
    }

    /// The join, if it is a member.
    pub(crate) fn member_since(&self, group: GroupId) -> Option<Seq> {
        let membership = self.groups.iter().find(|membership| membership.group == group)?;
        Some(membership.since)
    }

    /// Whether it is a member.
    pub(crate) fn is_in(&self, group: GroupId) -> bool {
        self.member_since(group).is_some()
    }

    /// What it leaves behind.
    pub(crate) fn eviction_class(&self) -> EvictionClass {
        if self.account.is_some() {
            return EvictionClass::Ties;
        }
        let joined = self.groups.iter().any(|membership| membership.group != GroupId::GENERAL);
        if joined || self.private.peers().next().is_some() {
            EvictionClass::Ties
        } else if self.dedup.has_no_posts() {
            EvictionClass::Nothing
        } else {
            EvictionClass::Words
        }
    }
}

/// What somebody who has gone has left behind, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum EvictionClass {
    /// They looked in.
    Nothing,
    /// They said something, in General.
    Words,
    /// They are in groups, or have talked with somebody, or were written to.
    Ties,
}
