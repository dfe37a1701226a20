//! Groups in which it is not certain whether messages were missed: the newest one there may be the
//! client's own, whose answer was lost. Its answer tells, when it comes.

use chatroom_proto::{GroupName, Seq};

use crate::limits::MEMBERSHIPS_MAX;

/// At most one for each group.
#[derive(Debug, Default)]
pub(super) struct Doubts(Vec<(GroupName, Seq)>);

impl Doubts {
    /// There is a newer message than the client knows, and the newest is at this place.
    pub(super) fn note(&mut self, group: GroupName, head: Seq) {
        let is_known = self.0.iter().any(|(known, _)| known.key() == group.key());
        if !is_known && self.0.len() < MEMBERSHIPS_MAX {
            self.0.push((group, head));
        }
    }

    /// A message of the client's own was answered: it is at this place, or nowhere. `has_more` says
    /// whether another one has no answer. Tells whether messages were surely missed.
    pub(super) fn answered(&mut self, group: &GroupName, seq: Option<Seq>, has_more: bool) -> bool {
        let is_it = |(known, _): &(GroupName, Seq)| known.key() == group.key();
        let Some(place) = self.0.iter().position(is_it) else { return false };
        let head = self.0[place].1;
        let is_missed = match seq {
            Some(seq) if seq == head => false,
            Some(seq) if seq > head => true,
            _ if has_more => return false,
            _ => true,
        };
        self.0.swap_remove(place);
        is_missed
    }
}
