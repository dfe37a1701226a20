//! An index of names by what they look like.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use chatroom_proto::Skeleton;

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

    /// Adds a name by its skeletons.
    pub(super) fn add(
        &mut self,
        is_plain: bool,
        skeletons: impl Iterator<Item = Skeleton>,
        whose: T,
    ) {
        self.of(is_plain).extend(skeletons.map(|skeleton| (number(&skeleton), whose)));
    }

    /// Removes it again.
    pub(super) fn remove(
        &mut self,
        is_plain: bool,
        skeletons: impl Iterator<Item = Skeleton>,
        whose: T,
    ) {
        for skeleton in skeletons {
            self.of(is_plain).remove(&(number(&skeleton), whose));
        }
    }

    fn of(&mut self, is_plain: bool) -> &mut BTreeSet<(u64, T)> {
        if is_plain { &mut self.plain } else { &mut self.other }
    }

    /// Whose name may look like one that is plain or not; between these bounds are all that there
    /// are.
    pub(super) fn with(
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

#[cfg(test)]
mod tests {
    use chatroom_proto::GroupName;

    use super::*;

    #[test]
    fn plain_names_are_not_looked_at_for_one_another() {
        let name = |text: &str| GroupName::parse(text).unwrap();
        let mut index = ConfusableIndex::new();
        for (number, plain) in ["Il", "II", "ll", "lI"].into_iter().enumerate() {
            index.add(true, name(plain).skeletons(), number);
        }
        let with = |index: &ConfusableIndex<usize>, text: &str| {
            index.with(name(text).is_plain(), name(text).skeletons(), 0..=9).count()
        };
        // The second is of Cyrillic.
        assert_eq!((with(&index, "1l"), with(&index, "І1")), (0, 4));
        index.add(false, name("ІI").skeletons(), 4);
        assert_eq!((with(&index, "1l"), with(&index, "І1")), (1, 5));
        index.remove(false, name("ІI").skeletons(), 4);
        assert_eq!(with(&index, "1l"), 0);
    }
}
