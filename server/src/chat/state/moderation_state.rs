//! How one group is moderated: its operators, who is banned, muted or invited, its topic, and what
//! was done lately.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;

use chatroom_proto::{Headline, Moderation, ModerationRecord, NameKey, UnixMillis, UserName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chat::entry::PersonId;

/// The operators of one group: more than a large group has people who look after it.
pub(crate) const OPS_MAX: usize = 50;

/// Bans, mutes and invitations of one group, of each kind. A kind takes some 100 KiB then.
pub(crate) const RESTRICTIONS_MAX: usize = 500;

/// The latest acts of one group that are remembered: months of a quiet one, and a bad day of a
/// large one.
pub(crate) const ACTS_MAX: usize = 200;

/// How many of them are about what people have deleted that they had said themselves: nobody is to
/// drive what others did out of memory with that.
const OWN_DELETIONS_MAX: usize = 20;

/// All of that in all groups together, before each has only its fair share of what is new: some 60
/// MiB when everything has the longest names and reasons.
pub(crate) const ITEMS_MAX: usize = 100_000;

/// How many operators, bans, mutes and invitations one group may always have, however much the
/// others have: nobody can use up what others need to moderate. The acts that are remembered give
/// way.
pub(crate) const ITEMS_FAIR: usize = 16;

/// What somebody is to a group, from little to much. Each may act against those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Rank {
    /// Nobody in particular.
    Member,
    /// An operator of the group.
    GroupOperator,
    /// Its owner.
    Owner,
    /// An operator of the server.
    ServerOperator,
}

/// What is kept of a group that somebody has moderated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ModerationState {
    /// What the group is about.
    pub(crate) headline: Option<Headline>,
    /// Since when it is locked.
    pub(crate) locked_since: Option<UnixMillis>,
    /// The one who is it for longest first. People who were forgotten since may be among them.
    pub(crate) ops: Vec<PersonId>,
    /// The same holds here.
    pub(crate) invited: BTreeSet<PersonId>,
    pub(crate) bans: Restrictions,
    pub(crate) mutes: Restrictions,
    /// The newest last.
    acts: VecDeque<ModerationRecord>,
}

impl ModerationState {
    /// How much it is.
    pub(crate) fn items(&self) -> usize {
        self.people() + self.acts.len()
    }

    /// How much of it is for people.
    pub(crate) fn people(&self) -> usize {
        self.ops.len() + self.invited.len() + self.bans.0.len() + self.mutes.0.len()
    }

    /// How many people something holds for at that time.
    pub(crate) fn people_at(&self, at: UnixMillis) -> usize {
        self.ops.len() + self.invited.len() + self.bans.count_at(at) + self.mutes.count_at(at)
    }

    /// Drops who is known no longer; and what has ended by itself, when its room is needed: here,
    /// or in all groups together. Not before that: the clock may be ahead, and put right.
    pub(crate) fn tidy(
        &mut self,
        at: UnixMillis,
        is_full: bool,
        is_known: impl Fn(&PersonId) -> bool,
    ) {
        for restrictions in [&mut self.bans, &mut self.mutes] {
            if is_full || restrictions.0.len() >= RESTRICTIONS_MAX {
                restrictions.0.retain(|_, restriction| restriction.holds(at));
            }
        }
        self.ops.retain(&is_known);
        self.invited.retain(&is_known);
    }

    /// Remembers what was done, and forgets the oldest acts when there are too many: here, or in
    /// all groups together.
    pub(crate) fn note(&mut self, act: ModerationRecord, is_full: bool) {
        if is_of_ones_own(&act) {
            let own = |(place, act)| is_of_ones_own(act).then_some(place);
            let mut places = self.acts.iter().enumerate().rev().filter_map(own);
            if let Some(oldest) = places.nth(OWN_DELETIONS_MAX - 1) {
                self.acts.remove(oldest);
            }
        }
        self.acts.push_back(act);
        while self.acts.len() > ACTS_MAX
            || (is_full && self.items() > ITEMS_FAIR && self.acts.len() > 1)
        {
            self.acts.pop_front();
        }
    }

    /// Does what may be done.
    pub(crate) fn take(
        &mut self,
        act: &Moderation,
        target: Option<PersonId>,
        (by, rank): (&UserName, Rank),
        at: UnixMillis,
    ) {
        let until = |seconds: &Option<NonZeroU32>| {
            seconds.map(|seconds| UnixMillis(at.0.saturating_add(u64::from(seconds.get()) * 1_000)))
        };
        match act {
            Moderation::Kick { .. } => self.strip(target),
            Moderation::Ban { user, seconds, .. } => {
                self.strip(target);
                self.bans.set(user.clone(), until(seconds), rank);
            }
            Moderation::Unban { user } => {
                self.bans.lift(user);
            }
            Moderation::Mute { user, seconds, .. } => {
                self.mutes.set(user.clone(), until(seconds), rank);
            }
            Moderation::Unmute { user } => {
                self.mutes.lift(user);
            }
            Moderation::Topic { topic } => {
                self.headline = topic.clone().map(|topic| Headline { topic, by: by.clone(), at });
            }
            Moderation::Lock => self.locked_since = Some(at),
            Moderation::Unlock => {
                self.locked_since = None;
                self.invited.clear();
            }
            Moderation::Invite { .. } => self.invited.extend(target),
            Moderation::Op { .. } => {
                self.ops.extend(target);
                self.invited.retain(|person| Some(*person) != target);
            }
            Moderation::Deop { .. } => self.ops.retain(|op| Some(*op) != target),
            Moderation::Delete { .. } => {}
        }
    }

    /// One who is out is no operator any more, and is not invited.
    fn strip(&mut self, target: Option<PersonId>) {
        self.ops.retain(|op| Some(*op) != target);
        self.invited.retain(|person| Some(*person) != target);
    }

    /// What was done, the newest first.
    pub(crate) fn acts(&self) -> impl Iterator<Item = &ModerationRecord> {
        self.acts.iter().rev()
    }
}

/// Whether somebody has deleted what they said themselves.
fn is_of_ones_own(ModerationRecord { by, act, .. }: &ModerationRecord) -> bool {
    matches!(act, Moderation::Delete { user, .. } if user.key() == by.key())
}

/// Names for which something holds, for a while or until it is undone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Restrictions(BTreeMap<NameKey, Restriction>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restriction {
    /// As it was written then.
    name: UserName,
    /// Until when it holds, if it ends by itself.
    pub(crate) until: Option<UnixMillis>,
    /// What whoever made it was: it holds for those below, and may be changed by those who are no
    /// less.
    pub(crate) by: Rank,
}

impl Restriction {
    fn holds(&self, at: UnixMillis) -> bool {
        self.until.is_none_or(|until| until > at)
    }
}

impl Restrictions {
    /// What holds for a name at that time.
    pub(crate) fn of(&self, name: &UserName, at: UnixMillis) -> Option<&Restriction> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&name.key()).filter(|restriction| restriction.holds(at))
    }

    /// From now on it holds for this name.
    pub(crate) fn set(&mut self, name: UserName, until: Option<UnixMillis>, by: Rank) {
        self.0.insert(name.key(), Restriction { name, until, by });
    }

    /// It holds no longer; whether there was any.
    pub(crate) fn lift(&mut self, name: &UserName) -> bool {
        !self.0.is_empty() && self.0.remove(&name.key()).is_some()
    }

    /// Whether there is no room for one more at that time.
    pub(crate) fn are_full(&self, at: UnixMillis) -> bool {
        self.0.len() >= RESTRICTIONS_MAX && self.count_at(at) >= RESTRICTIONS_MAX
    }

    fn count_at(&self, at: UnixMillis) -> usize {
        self.0.values().filter(|restriction| restriction.holds(at)).count()
    }
}

impl Serialize for Restrictions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.values())
    }
}

impl<'de> Deserialize<'de> for Restrictions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Restrictions, D::Error> {
        let restrictions: Vec<Restriction> = Vec::deserialize(deserializer)?;
        Ok(Restrictions(
            restrictions
                .into_iter()
                .map(|restriction| (restriction.name.key(), restriction))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::Seq;

    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn act(number: u64) -> ModerationRecord {
        ModerationRecord {
            seq: Seq(number),
            at: UnixMillis(0),
            by: user("ann"),
            act: Moderation::Lock,
        }
    }

    #[test]
    fn a_restriction_holds_for_a_name_in_any_case_until_its_time() {
        let mut restrictions = Restrictions::default();
        let until = |restrictions: &Restrictions, name, at| {
            restrictions.of(&user(name), UnixMillis(at)).map(|restriction| restriction.until)
        };
        restrictions.set(user("Jim"), Some(UnixMillis(10)), Rank::GroupOperator);
        assert_eq!(until(&restrictions, "JIM", 9), Some(Some(UnixMillis(10))));
        assert_eq!(until(&restrictions, "jim", 10), None);
        restrictions.set(user("jim"), None, Rank::GroupOperator);
        assert_eq!(until(&restrictions, "jim", u64::MAX), Some(None));
        assert!(restrictions.lift(&user("JIM")));
        assert!(!restrictions.lift(&user("jim")));
    }

    #[test]
    fn what_has_ended_takes_no_room() {
        let mut restrictions = Restrictions::default();
        for number in 0..RESTRICTIONS_MAX {
            restrictions.set(user(&number.to_string()), Some(UnixMillis(10)), Rank::GroupOperator);
        }
        assert!(restrictions.are_full(UnixMillis(9)) && !restrictions.are_full(UnixMillis(10)));
        let mut moderation = ModerationState {
            bans: restrictions,
            ops: vec![PersonId(Seq(1)), PersonId(Seq(2))],
            ..ModerationState::default()
        };
        moderation.tidy(UnixMillis(10), false, |id| *id == PersonId(Seq(2)));
        assert_eq!((moderation.items(), moderation.ops), (1, vec![PersonId(Seq(2))]));
    }

    #[test]
    fn the_oldest_acts_are_forgotten_and_sooner_when_all_groups_together_have_too_many() {
        let mut moderation = ModerationState::default();
        for number in 0..300 {
            moderation.note(act(number), false);
        }
        assert_eq!(moderation.acts().count(), ACTS_MAX);
        assert_eq!(moderation.acts().next().unwrap().seq, Seq(299));
        let mut moderation = ModerationState::default();
        for number in 0..300 {
            moderation.note(act(number), true);
        }
        assert_eq!(moderation.acts().count(), ITEMS_FAIR);
    }
}
