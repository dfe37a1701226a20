//! The offline checker: from the histories of a run, and what the log has kept, to what must not
//! be. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chatroom_proto::{Conversation, NameKey, PostId, Seq, UserName};
use chatroom_server::chat::effect::StoredPost;

use super::deletions::Deletions;
use super::life::{in_the_last_life, said_by_two};
use super::record::{Event, History, Shown};
use super::stay::{Stays, newest};
use super::violation::Violation;

/// Looks at the histories of a run. `kept` is what the log has kept that took effect, if that is
/// known.
pub fn check(histories: &[History], kept: Option<&[StoredPost]>) -> Vec<Violation> {
    let mut found = Vec::new();
    let said_by_two: BTreeSet<PostId> = histories.iter().flat_map(said_by_two).collect();
    let histories: Vec<History> = histories.iter().map(in_the_last_life).collect();
    let histories = histories.as_slice();
    let facts = Facts::gather(histories, kept, &mut found);
    for (reader, history) in histories.iter().enumerate() {
        Reader { facts: &facts, reader, history, stays: &facts.stays[reader] }.check(&mut found);
    }
    let deletions = Deletions::of(kept.unwrap_or_default());
    for (history, stays) in histories.iter().zip(&facts.stays) {
        deletions.check(history, stays, &mut found);
    }
    facts.check_acknowledged(histories, kept, &mut found);
    facts.check_shown(histories, &mut found);
    found.retain(|it| it.said_twice().is_none_or(|id| !said_by_two.contains(&id)));
    found
}

/// What all histories say together. A reader is one device; those who come under the same name are
/// one person.
struct Facts<'a> {
    sent: BTreeMap<PostId, (usize, &'a Conversation)>,
    /// Where each post is, by whatever source.
    places: BTreeMap<PostId, Seq>,
    posts: BTreeMap<Seq, PostId>,
    /// The name that each comes under: several do under one name who are one person's devices.
    names: Vec<NameKey>,
    stays: Vec<Stays>,
    /// The groups into which each has asked to come.
    joined: Vec<BTreeSet<NameKey>>,
    /// Who may have been muted, and in which group.
    muted: BTreeSet<(NameKey, NameKey)>,
    shown: Vec<BTreeSet<PostId>>,
}

impl<'a> Facts<'a> {
    fn gather(
        histories: &'a [History],
        kept: Option<&[StoredPost]>,
        found: &mut Vec<Violation>,
    ) -> Facts<'a> {
        let names: Vec<NameKey> = histories.iter().map(|history| history.name.key()).collect();
        let shares_name = |name: &NameKey| names.iter().filter(|other| *other == name).count() > 1;
        let stays = histories
            .iter()
            .zip(&names)
            .map(|(history, name)| Stays::of(history, shares_name(name)));
        let mut facts = Facts {
            sent: BTreeMap::new(),
            places: BTreeMap::new(),
            posts: BTreeMap::new(),
            stays: stays.collect(),
            names,
            joined: vec![BTreeSet::new(); histories.len()],
            muted: BTreeSet::new(),
            shown: vec![BTreeSet::new(); histories.len()],
        };
        let mut ids = BTreeSet::new();
        for StoredPost { post, .. } in kept.unwrap_or_default() {
            if ids.insert(post.id) {
                facts.place(post.id, post.seq, found);
            } else {
                found.push(Violation::KeptTwice { id: post.id });
            }
        }
        for (reader, history) in histories.iter().enumerate() {
            for event in &history.events {
                match event {
                    Event::Sent(id, to) => drop(facts.sent.insert(*id, (reader, to))),
                    Event::Muting(group, user) => {
                        facts.muted.insert((group.key(), user.key()));
                    }
                    Event::Joining(group) => drop(facts.joined[reader].insert(group.key())),
                    Event::Acknowledged(id, seq) => facts.place(*id, *seq, found),
                    Event::Showed(shown) => {
                        facts.place(shown.id, shown.seq, found);
                        facts.shown[reader].insert(shown.id);
                    }
                    _ => {}
                }
            }
        }
        facts
    }

    /// Whether this name is surely somebody's at this place.
    fn is_surely_known(&self, name: &NameKey, at: Seq) -> bool {
        let mut theirs = self.names.iter().zip(&self.stays).filter(|(other, _)| *other == name);
        theirs.any(|(_, stays)| stays.began.first().is_some_and(|began| *began < at))
    }

    /// Whether another device of the same person has asked to come into this group.
    fn others_joined(&self, reader: usize, group: &NameKey) -> bool {
        let is_other =
            |device: &usize| *device != reader && self.names[*device] == self.names[reader];
        (0..self.names.len()).filter(is_other).any(|device| self.joined[device].contains(group))
    }

    fn place(&mut self, id: PostId, seq: Seq, found: &mut Vec<Violation>) {
        let (place, post) =
            (*self.places.entry(id).or_insert(seq), *self.posts.entry(seq).or_insert(id));
        if place != seq || post != id {
            let disagreement = Violation::Disagreement { id, seq };
            if !found.contains(&disagreement) {
                found.push(disagreement);
            }
        }
    }

    fn check_acknowledged(
        &self,
        histories: &[History],
        kept: Option<&[StoredPost]>,
        found: &mut Vec<Violation>,
    ) {
        let Some(kept) = kept else { return };
        let kept: BTreeSet<(PostId, Seq)> =
            kept.iter().map(|record| (record.post.id, record.post.seq)).collect();
        for event in histories.iter().flat_map(|history| &history.events) {
            if let Event::Acknowledged(id, seq) = event
                && !kept.contains(&(*id, *seq))
            {
                found.push(Violation::NotKept { id: *id, seq: *seq });
            }
        }
    }

    /// Whether everything that was said was shown to everybody who was there.
    fn check_shown(&self, histories: &[History], found: &mut Vec<Violation>) {
        let mut places: Vec<(&PostId, &Seq)> = self.places.iter().collect();
        places.sort_unstable_by_key(|(_, seq)| **seq);
        for (id, seq) in places {
            let Some((sender, to)) = self.sent.get(id) else { continue };
            for (reader, history) in histories.iter().enumerate() {
                let is_owed = reader != *sender && self.stays[reader].rested >= *seq && {
                    match to {
                        Conversation::Group(group) => {
                            self.stays[reader].surely_in(&group.key(), *seq).is_some()
                        }
                        Conversation::User(name) => {
                            let since = self.stays[reader].began.last();
                            // What one says to somebody is shown on one's own other devices, too.
                            [name.key(), self.names[*sender].clone()].contains(&self.names[reader])
                                && since.is_some_and(|since| since < seq)
                        }
                    }
                };
                if is_owed && !self.shown[reader].contains(id) {
                    found.push(Violation::NotShown {
                        reader: history.name.clone(),
                        id: *id,
                        seq: *seq,
                    });
                }
            }
        }
    }
}

/// One history, seen for itself.
struct Reader<'a> {
    facts: &'a Facts<'a>,
    reader: usize,
    history: &'a History,
    stays: &'a Stays,
}

impl Reader<'_> {
    fn check(&self, found: &mut Vec<Violation>) {
        let mut newest = Seq::ZERO;
        let mut shown = Before::default();
        for event in &self.history.events {
            match event {
                Event::Sent(id, _) => drop(shown.said.insert(*id)),
                // What it said before, it has said with another device.
                Event::NewDevice => shown.said.clear(),
                _ => {}
            }
            if let Event::Showed(post) = event {
                self.check_once_and_in_order(post, newest, &shown, found);
                self.check_gap(post, &shown, found);
                self.check_conversation(post, found);
                newest = newest.max(post.seq);
                shown.ids.insert(post.id);
                shown.seqs.insert(post.seq);
            }
        }
        self.check_answered(found);
        self.check_said_to_be_missing(found);
        for seq in &self.stays.forgotten {
            found.push(Violation::Forgotten { reader: self.name(), seq: *seq });
        }
    }

    /// Every post in safe hands gets its answer. When its sender was killed meanwhile, the answer
    /// may have come to its journal and not to it; but then the post has a place, or was refused,
    /// unless the server was put back behind it.
    fn check_answered(&self, found: &mut Vec<Violation>) {
        let mut open: Vec<(PostId, bool)> = Vec::new();
        let mut seen = Seq::ZERO;
        let mut sent = BTreeMap::new();
        for event in &self.history.events {
            seen = seen.max(newest(event));
            match event {
                Event::Sent(id, _) => drop(sent.insert(*id, seen)),
                Event::Entrusted(id) => open.push((*id, false)),
                Event::Acknowledged(id, _) | Event::Refused(id) => {
                    open.retain(|(other, _)| other != id);
                }
                Event::Killed => open.iter_mut().for_each(|(_, was_killed)| *was_killed = true),
                Event::PutBack(_) => open.retain(|(_, was_killed)| !was_killed),
                Event::Rested(seq) => {
                    let is_missing = |id: &PostId| {
                        let since = sent.get(id).copied().unwrap_or_default();
                        self.is_missing(*id, since, *seq)
                    };
                    open.retain(|(id, was_killed)| !was_killed || is_missing(id));
                    let lost = open.drain(..);
                    found.extend(
                        lost.map(|(id, _)| Violation::NotAnswered { reader: self.name(), id }),
                    );
                }
                _ => {}
            }
        }
    }

    /// Nothing is missing, whatever a library says. But for groups that it had asked to leave, or
    /// into which another device of the same person has asked to come: what was said while it was
    /// out is not missing, and it may not know that it was. And but for a session that took the
    /// place of one that was forgotten: it is not told again what was said before it, and says so
    /// once.
    fn check_said_to_be_missing(&self, found: &mut Vec<Violation>) {
        let (mut left, mut told) = (BTreeSet::new(), BTreeSet::new());
        let (mut has_begun, mut begins, mut is_new) = (false, false, false);
        for event in &self.history.events {
            match event {
                Event::NewDevice => begins = true,
                Event::Welcomed { resumed, .. } => {
                    // Where its first welcome was lost, every later one says that it is back.
                    is_new = begins || (has_begun && !resumed) || (is_new && *resumed);
                    told.retain(|_| *resumed);
                    (begins, has_begun) = (false, true);
                }
                Event::Missed(Conversation::Group(group)) if is_new && told.insert(group.key()) => {
                }
                Event::Leaving(group) => drop(left.insert(group.key())),
                Event::Missed(Conversation::Group(group))
                    if left.contains(&group.key())
                        || self.facts.others_joined(self.reader, &group.key()) => {}
                Event::Missed(place) => {
                    found.push(Violation::SaidToBeMissing {
                        reader: self.name(),
                        place: place.clone(),
                    });
                }
                _ => {}
            }
        }
    }

    /// Whether nobody knows a place of a post that can't have been refused, from when it was sent
    /// on.
    fn is_missing(&self, id: PostId, sent: Seq, until: Seq) -> bool {
        let is_surely_taken = match self.facts.sent.get(&id) {
            Some((_, Conversation::Group(group))) => {
                let (group, me) = (group.key(), self.history.name.key());
                let since = self.stays.surely_in(&group, until);
                since.is_some_and(|since| since <= sent) && !self.facts.muted.contains(&(group, me))
            }
            Some((_, Conversation::User(name))) => self.facts.is_surely_known(&name.key(), sent),
            None => true,
        };
        is_surely_taken && !self.facts.places.contains_key(&id)
    }

    fn name(&self) -> UserName {
        self.history.name.clone()
    }

    fn check_once_and_in_order(
        &self,
        post: &Shown,
        newest: Seq,
        shown: &Before,
        found: &mut Vec<Violation>,
    ) {
        let Shown { id, seq, .. } = *post;
        let is_own = shown.said.contains(&id);
        if is_own || shown.ids.contains(&id) || shown.seqs.contains(&seq) {
            found.push(Violation::ShownTwice { reader: self.name(), id, seq });
        } else if seq < newest {
            found.push(Violation::OutOfOrder { reader: self.name(), before: newest, seq });
        }
    }

    fn check_gap(&self, post: &Shown, shown: &Before, found: &mut Vec<Violation>) {
        let Shown { seq, prev, .. } = *post;
        let since = match &post.place {
            Conversation::Group(group) => self.stays.surely_in(&group.key(), seq),
            Conversation::User(_) => self.stays.session_began(seq),
        };
        let Some(since) = since.filter(|since| prev > *since) else { return };
        let is_known = match self.facts.posts.get(&prev) {
            Some(id) => self.sender_of(*id) == Some(self.reader),
            None => self.has_sent_to_an_unknown_place(&post.place),
        };
        if prev > since && !is_known && !shown.seqs.contains(&prev) {
            found.push(Violation::Gap { reader: self.name(), seq, prev });
        }
    }

    /// Whether something of one's own may be where nobody knows what is.
    fn has_sent_to_an_unknown_place(&self, conversation: &Conversation) -> bool {
        let is_it = |(id, (sender, to)): (&PostId, &(usize, &Conversation))| {
            *sender == self.reader && *to == conversation && !self.facts.places.contains_key(id)
        };
        self.facts.sent.iter().any(is_it)
    }

    fn check_conversation(&self, post: &Shown, found: &mut Vec<Violation>) {
        let Shown { id, seq, .. } = *post;
        let Some((sender, to)) = self.facts.sent.get(&id) else {
            return found.push(Violation::MadeUp { reader: self.name(), id });
        };
        let is_from_sender = self.facts.names[*sender] == post.from.key();
        let me = self.history.name.key();
        let is_mine = match (to, &post.place) {
            (Conversation::Group(to), Conversation::Group(shown)) => {
                to.key() == shown.key() && self.stays.may_be_in(&to.key(), seq)
            }
            (Conversation::User(to), Conversation::User(shown)) => {
                let is_to_me = to.key() == me && shown.key() == post.from.key();
                is_to_me || (post.from.key() == me && shown.key() == to.key())
            }
            _ => false,
        };
        if !is_from_sender || !is_mine {
            found.push(Violation::ShownOutside { reader: self.name(), id, seq });
        }
    }

    fn sender_of(&self, id: PostId) -> Option<usize> {
        self.facts.sent.get(&id).map(|(sender, _)| *sender)
    }
}

/// What a reader has shown so far.
#[derive(Default)]
struct Before {
    /// And said with this device.
    said: BTreeSet<PostId>,
    ids: BTreeSet<PostId>,
    seqs: BTreeSet<Seq>,
}

#[cfg(test)]
mod tests;
