//! What was deleted: no frame that was made after that tells the text, and whoever was shown it
//! before, and came to rest, was told.
//!
//! When a frame was made, a client can't see. But what it is told over one connection was made in
//! that order, and nothing of it before its welcome. So a text is told too late if it comes behind
//! the deletion, or is told again over a connection whose welcome stands behind the deletion.

use std::collections::{BTreeMap, BTreeSet};

use chatroom_proto::{Conversation, Seq};
use chatroom_server::chat::effect::StoredPost;

use super::record::{Delivery, Event, History, Shown};
use super::stay::Stays;
use super::violation::Violation;

/// What was deleted, by its place.
pub(super) struct Deletions<'a>(BTreeMap<Seq, &'a StoredPost>);

impl<'a> Deletions<'a> {
    /// Of what the log has kept.
    pub(super) fn of(kept: &'a [StoredPost]) -> Deletions<'a> {
        let deleted = kept.iter().filter(|stored| stored.deletion.is_some());
        Deletions(deleted.map(|stored| (stored.post.seq, stored)).collect())
    }

    /// By which entry the post at this place was deleted.
    fn deletion(&self, post: Seq) -> Option<Seq> {
        Some(self.0.get(&post)?.deletion.as_ref()?.seq)
    }

    /// Looks at what one client has lived through.
    pub(super) fn check(&self, history: &History, stays: &Stays, found: &mut Vec<Violation>) {
        let reader = || history.name.clone();
        let (mut told, mut asked, mut shown) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut welcomed = Seq::ZERO;
        for event in &history.events {
            let (seq, is_late) = match event {
                Event::Welcomed { seq, .. } => {
                    welcomed = *seq;
                    continue;
                }
                Event::Deleting(post) => {
                    asked.insert(*post);
                    continue;
                }
                Event::Deleted(post, _) => {
                    told.insert(*post);
                    continue;
                }
                Event::Showed(Shown { seq, delivery: Delivery::Live, .. }) => (*seq, false),
                Event::Showed(Shown { seq, delivery: Delivery::Replayed, .. }) => {
                    (*seq, self.deletion(*seq).is_some_and(|deletion| deletion <= welcomed))
                }
                Event::ReadBack(seq) => (*seq, false),
                _ => continue,
            };
            if is_late || told.contains(&seq) {
                found.push(Violation::ShownDeleted { reader: reader(), seq });
            }
            if matches!(event, Event::Showed(_)) {
                shown.insert(seq);
            }
        }
        for seq in shown {
            let is_said = told.contains(&seq) || asked.contains(&seq);
            if !is_said && self.must_be_told(seq, history, stays) {
                found.push(Violation::DeletionUnsaid { reader: reader(), seq });
            }
        }
    }

    /// Whether somebody who was shown this was there when it was deleted, and has come to rest
    /// since.
    fn must_be_told(&self, seq: Seq, history: &History, stays: &Stays) -> bool {
        let Some(deletion) = self.deletion(seq) else { return false };
        let Some(stored) = self.0.get(&seq) else { return false };
        stays.rested >= deletion
            && match &stored.to {
                Conversation::Group(group) => {
                    stays.surely_in(&group.key(), deletion).is_some_and(|since| since < seq)
                }
                Conversation::User(to) => {
                    let me = history.name.key();
                    let is_mine = [to.key(), stored.post.from.key()].contains(&me);
                    is_mine && stays.began.last().is_some_and(|since| *since < seq)
                }
            }
    }
}
