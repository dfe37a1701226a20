//! Groups in which it is not certain whether messages were missed: the newest one there may be the
//! client's own, whose answer was lost. Its answer tells, when it comes.

use chatroom_proto::{GroupName, NameKey, Seq};

/// How many are remembered, the newest: more than a client has groups, and each may be in doubt
/// again when the connection is lost again.
const DOUBTS_MAX: usize = 256;

/// In which groups, and where the newest message was that the client did not know.
#[derive(Debug, Default)]
pub(super) struct Doubts(Vec<(NameKey, Seq)>);

impl Doubts {
    /// There is a newer message than the client knows, at this place. It may be the client's own.
    pub(super) fn note(&mut self, group: &GroupName, head: Seq) {
        if self.0.len() == DOUBTS_MAX {
            self.0.remove(0);
        }
        self.0.push((group.key(), head));
    }

    /// A message of the client's own was answered: it is at this place, or nowhere. `has_more` says
    /// whether another one has no answer. Tells whether messages were surely missed.
    pub(super) fn answered(&mut self, group: &GroupName, seq: Option<Seq>, has_more: bool) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let group = group.key();
        self.0.retain(|(of, head)| *of != group || Some(*head) != seq);
        // Answers come in the order of asking: what is older and was not answered is not ours.
        let is_older = |head: Seq| !has_more || seq.is_some_and(|seq| head < seq);
        let is_missed = self.0.iter().any(|(of, head)| *of == group && is_older(*head));
        if is_missed {
            self.0.retain(|(of, _)| *of != group);
        }
        is_missed
    }
}
