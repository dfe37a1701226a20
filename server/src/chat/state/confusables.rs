//! Which names look like which: so that nobody comes under a name that can be mistaken for that of
//! somebody who is here or has registered it, and no group is made that can be mistaken for another
//! one.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use chatroom_proto::{GroupName, Refusal, Seq, Skeleton, UserName};

use super::ChatState;
use crate::chat::entry::{DeviceId, GroupId};

/// Whose names have which skeletons. In it are these as numbers, which take little and are enough
/// to find the few that are worth a closer look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfusableIndex<T> {
    /// Plain names. There may be thousands with one skeleton, and none of them is held against
    /// another.
    plain: BTreeSet<(u64, T)>,
    /// All others: of these there is hardly more than one with each.
    other: BTreeSet<(u64, T)>,
}

impl<T: Ord + Copy> ConfusableIndex<T> {
    pub(super) fn new() -> ConfusableIndex<T> {
        ConfusableIndex { plain: BTreeSet::new(), other: BTreeSet::new() }
    }

    fn add(&mut self, is_plain: bool, skeletons: impl Iterator<Item = Skeleton>, whose: T) {
        self.of(is_plain).extend(skeletons.map(|skeleton| (number(&skeleton), whose)));
    }

    fn remove(&mut self, is_plain: bool, skeletons: impl Iterator<Item = Skeleton>, whose: T) {
        for skeleton in skeletons {
            self.of(is_plain).remove(&(number(&skeleton), whose));
        }
    }

    fn of(&mut self, is_plain: bool) -> &mut BTreeSet<(u64, T)> {
        if is_plain { &mut self.plain } else { &mut self.other }
    }

    /// Whose name may look like one that is plain or not; between these bounds are all that there
    /// are.
    fn with(
        &self,
        is_plain: bool,
        skeletons: impl Iterator<Item = Skeleton>,
        all: RangeInclusive<T>,
    ) -> impl Iterator<Item = T> {
        let (first, last) = all.into_inner();
        let plain = (!is_plain).then_some(&self.plain);
        skeletons
            .flat_map(move |skeleton| {
                let number = number(&skeleton);
                let worth_a_look = [Some(&self.other), plain].into_iter().flatten();
                worth_a_look.flat_map(move |names| names.range((number, first)..=(number, last)))
            })
            .map(|(_, whose)| *whose)
    }
}

/// Two skeletons that have one number by chance cost a look at the names.
fn number(skeleton: &Skeleton) -> u64 {
    let mut hasher = DefaultHasher::new();
    skeleton.hash(&mut hasher);
    hasher.finish()
}

impl ChatState {
    /// Nobody who is here, or is registered, can be mistaken for this.
    pub(super) fn looks_like_nobody(&self, name: &UserName) -> Result<(), Refusal> {
        let all = DeviceId(Seq::ZERO)..=DeviceId(Seq(u64::MAX));
        let people = self
            .looks
            .with(name.is_plain(), name.skeletons(), all)
            .filter_map(|id| self.sessions.get(&id));
        match people.map(|person| &person.name).find(|other| other.looks_like(name)) {
            Some(other) => Err(Refusal::NameLooksLike { name: other.clone() }),
            None => Ok(()),
        }
    }

    /// No group can be mistaken for this.
    pub(super) fn looks_like_no_group(&self, name: &GroupName) -> Result<(), Refusal> {
        let all = GroupId::GENERAL..=GroupId(Seq(u64::MAX));
        let groups = self
            .group_looks
            .with(name.is_plain(), name.skeletons(), all)
            .filter_map(|id| self.groups.get(&id));
        match groups.map(|group| &group.name).find(|other| other.looks_like(name)) {
            Some(other) => Err(Refusal::GroupLooksLike { group: other.clone() }),
            None => Ok(()),
        }
    }

    /// Somebody is here or registered.
    pub(super) fn insert(&mut self, person: DeviceId) {
        if let Some(session) = self.sessions.get(&person) {
            self.looks.add(session.name.is_plain(), session.name.skeletons(), person);
        }
    }

    /// Somebody is neither any more.
    pub(super) fn remove(&mut self, person: DeviceId) {
        if let Some(session) = self.sessions.get(&person) {
            self.looks.remove(session.name.is_plain(), session.name.skeletons(), person);
        }
    }

    /// There is a group.
    pub(super) fn show_group(&mut self, group: GroupId) {
        if let Some(shown) = self.groups.get(&group) {
            self.group_looks.add(shown.name.is_plain(), shown.name.skeletons(), group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_not_looked_at_for_one_another() {
        let name = |text: &str| GroupName::parse(text).unwrap();
        let mut looks = ConfusableIndex::new();
        for (number, plain) in ["Il", "II", "ll", "lI"].into_iter().enumerate() {
            looks.add(true, name(plain).skeletons(), number);
        }
        let with = |looks: &ConfusableIndex<usize>, text: &str| {
            looks.with(name(text).is_plain(), name(text).skeletons(), 0..=9).count()
        };
        // The second is of Cyrillic.
        assert_eq!((with(&looks, "1l"), with(&looks, "І1")), (0, 4));
        looks.add(false, name("ІI").skeletons(), 4);
        assert_eq!((with(&looks, "1l"), with(&looks, "І1")), (1, 5));
        looks.remove(false, name("ІI").skeletons(), 4);
        assert_eq!(with(&looks, "1l"), 0);
    }
}
