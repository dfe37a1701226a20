//! How far a client has come: the newest event it has seen, and in each conversation the newest
//! post. Pure.
//!
//! A post carries the place of the post before it ([`Post::prev`](chatroom_proto::Post::prev)), and
//! a welcome the place of each group's newest: whoever knows the newest one that it has seen can
//! tell whether it missed any. What was said before the session began is not missed.
//!
//! On a server that keeps what is said, a client that comes back is told again what it missed.
//! Until all of that has come ([`ReadState::is_behind`]), how far the client is follows what it
//! hears and not what it is answered.

use std::collections::{BTreeMap, HashMap};

use chatroom_proto::{
    Conversation, GroupName, Membership, NameKey, Notification, Request, Response, Retention, Seq,
    UserName, Welcome,
};

use crate::limits::{MEMBERSHIPS_MAX, PRIVATE_CONVERSATIONS_MAX};

/// What one client knows of its place in the order.
#[derive(Debug, Clone)]
pub struct ReadState {
    /// Under which name: another device of the same person may speak under it, too.
    name: Option<NameKey>,
    seen: Seq,
    /// What was said in private up to here is not missed.
    began: Seq,
    /// Whether older posts are still to come.
    is_behind: bool,
    groups: BTreeMap<NameKey, Followed>,
    private: HashMap<NameKey, Seq>,
}

#[derive(Debug, Clone)]
struct Followed {
    group: GroupName,
    /// The newest post that was heard or made here; nothing when its place means nothing to this
    /// server.
    newest: Option<Seq>,
    /// The newest that there was when the connection began.
    head: Seq,
}

/// What a new connection means for the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// Messages were missed in these.
    pub missed: Vec<GroupName>,
    /// The client was in these, and the new session is not.
    pub rejoin: Vec<GroupName>,
    /// Places go on from where they were; otherwise they have begun anew.
    pub goes_on: bool,
}

/// Whether the server tells this client again what it missed, and then that it has.
pub fn tells_again(welcome: &Welcome) -> bool {
    welcome.resumed && welcome.retention != Retention::Nothing
}

impl ReadState {
    /// The state of a client that was welcomed for the first time.
    pub fn new(welcome: &Welcome) -> ReadState {
        let mut state = ReadState::at(welcome.seq);
        state.name = Some(welcome.name.key());
        for membership in welcome.groups.as_slice() {
            state.follow(membership);
        }
        state
    }

    /// The state of a client that had come so far when it ended, and in these conversations perhaps
    /// further. It is [`ReadState::welcomed_back`] next.
    pub fn kept<'a>(seen: Seq, places: impl Iterator<Item = (&'a Conversation, Seq)>) -> ReadState {
        let mut state = ReadState::at(seen);
        for (place, seq) in places {
            match place {
                Conversation::Group(group) => {
                    state.follow(&Membership { group: group.clone(), head: seq.max(seen) });
                }
                Conversation::User(user) => state.remember(user.key(), seq),
            }
        }
        state
    }

    fn at(seen: Seq) -> ReadState {
        ReadState {
            name: None,
            seen,
            began: seen,
            is_behind: false,
            groups: BTreeMap::new(),
            private: HashMap::new(),
        }
    }

    /// The newest event that was seen.
    pub fn seen(&self) -> Seq {
        self.seen
    }

    /// Whether older posts are still to come: a server that keeps what is said sends them again.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// From here on not all is heard: this is how far the client is, until it has come back and
    /// heard the rest.
    pub fn fall_behind(&mut self) {
        self.is_behind = true;
    }

    /// The server's log was put back: what was seen after this place is no more.
    pub fn be_put_back(&mut self, to: Seq) {
        self.seen = self.seen.min(to);
        self.began = self.began.min(to);
        for followed in self.groups.values_mut() {
            followed.newest = followed.newest.map(|newest| newest.min(to));
        }
        self.private.values_mut().for_each(|newest| *newest = to.min(*newest));
    }

    /// The newest place in a conversation: what the client was answered may be newer than what it
    /// has seen.
    pub fn newest_place(&self) -> Seq {
        let groups = self.groups.values().filter_map(|followed| followed.newest);
        groups.chain(self.private.values().copied()).max().unwrap_or_default()
    }

    /// A connection was remade.
    pub fn welcomed_back(&mut self, welcome: &Welcome) -> Back {
        self.name = Some(welcome.name.key());
        let mut former = std::mem::take(&mut self.groups);
        let counts_anew = welcome.seq < self.seen;
        let goes_on = welcome.resumed && !counts_anew;
        if counts_anew {
            // The server has lost its memory: places from before mean nothing now.
            former.values_mut().for_each(|followed| followed.newest = None);
        }
        if !goes_on {
            self.private.clear();
            self.began = welcome.seq;
        }
        self.is_behind = tells_again(welcome);
        let hears_the_rest = self.is_behind && goes_on;
        if !hears_the_rest {
            self.seen = welcome.seq;
        }
        let mut missed = Vec::new();
        for membership in welcome.groups.as_slice() {
            let known = former.remove(&membership.group.key()).and_then(|followed| followed.newest);
            if hears_the_rest {
                let Membership { group, head } = membership.clone();
                self.groups.insert(group.key(), Followed { group, newest: known, head });
                continue;
            }
            if known.is_some_and(|newest| membership.head > newest) {
                missed.push(membership.group.clone());
            }
            self.follow(membership);
        }
        let mut rejoin = Vec::new();
        if !welcome.resumed {
            let room = MEMBERSHIPS_MAX.saturating_sub(self.groups.len());
            for (key, followed) in former.into_iter().take(room) {
                rejoin.push(followed.group.clone());
                self.groups.insert(key, followed);
            }
        }
        Back { missed, rejoin, goes_on }
    }

    /// All that was missed should have been heard now. These groups have newer posts that were not.
    pub fn missing(&self) -> impl Iterator<Item = (&GroupName, Seq)> {
        let lacks =
            |followed: &&Followed| followed.newest.is_some_and(|newest| followed.head > newest);
        self.groups.values().filter(lacks).map(|followed| (&followed.group, followed.head))
    }

    /// All that was missed has been heard, up to here.
    pub fn caught_up(&mut self, seq: Seq) {
        self.is_behind = false;
        self.see(seq);
        for followed in self.groups.values_mut() {
            followed.newest = followed.newest.max(Some(followed.head));
        }
    }

    /// A request was granted. Tells when that shows that messages were missed: a group that was
    /// joined again has newer ones.
    pub fn answered(&mut self, request: &Request, response: &Response) -> Option<Conversation> {
        let is_undone = self.is_undone(request, response);
        if let Some(seq) = response.seq() {
            self.be_answered(seq);
        }
        match (request, response) {
            _ if is_undone => None,
            (_, Response::Joined { membership, .. }) => {
                let known =
                    self.groups.get(&membership.group.key()).and_then(|followed| followed.newest);
                self.follow(membership);
                known
                    .is_some_and(|newest| membership.head > newest)
                    .then(|| Conversation::Group(membership.group.clone()))
            }
            (_, Response::Left { group, .. }) => {
                self.groups.remove(&group.key());
                None
            }
            (Request::Public { group, .. }, Response::Posted { seq, .. }) => {
                self.come_to(&group.key(), *seq);
                None
            }
            (
                Request::Private { to, .. },
                Response::Posted { seq, .. } | Response::Kept { seq, .. },
            ) => {
                self.remember(to.key(), *seq);
                None
            }
            // Nothing else moves a place in a conversation.
            _ => None,
        }
    }

    /// Whether this shows that messages before it were missed, and where.
    pub fn gap(&self, notification: &Notification) -> Option<Conversation> {
        match notification {
            Notification::GroupPost { post, group } => self.gap_in_group(post.prev, group),
            Notification::PrivatePost { post, to } => {
                self.gap_in_private(post.prev, self.peer(&post.from, to))
            }
            Notification::DeletedPost { post, place: Conversation::Group(group) } => {
                self.gap_in_group(post.prev, group)
            }
            Notification::DeletedPost { post, place: Conversation::User(to) } => {
                self.gap_in_private(post.prev, self.peer(&post.from, to))
            }
            _ => None,
        }
    }

    fn gap_in_group(&self, prev: Seq, group: &GroupName) -> Option<Conversation> {
        let newest = self.groups.get(&group.key())?.newest?;
        (prev > newest).then(|| Conversation::Group(group.clone()))
    }

    fn gap_in_private(&self, prev: Seq, peer: &UserName) -> Option<Conversation> {
        let newest = self.private.get(&peer.key()).copied().unwrap_or_default().max(self.began);
        (prev > newest).then(|| Conversation::User(peer.clone()))
    }

    /// The server said something. Tells when that shows that messages were missed.
    pub fn notified(&mut self, notification: &Notification) -> Option<Conversation> {
        let gap = self.gap(notification);
        if let Some(seq) = notification.seq() {
            self.see(seq);
        }
        match notification {
            Notification::Joined { seq, user, group } if self.is_own(user) => {
                self.follow_from_here(group, *seq);
            }
            Notification::GroupPost { post, group } => self.come_to(&group.key(), post.seq),
            Notification::PrivatePost { post, to } => {
                let peer = self.peer(&post.from, to).key();
                self.remember(peer, post.seq);
            }
            // It counts like the post that it was.
            Notification::DeletedPost { post, place: Conversation::Group(group) } => {
                self.come_to(&group.key(), post.seq);
            }
            Notification::DeletedPost { post, place: Conversation::User(to) } => {
                let peer = self.peer(&post.from, to).key();
                self.remember(peer, post.seq);
            }
            // None of these moves a place in a conversation.
            Notification::Ping
            | Notification::Arrived { .. }
            | Notification::Departed { .. }
            | Notification::Joined { .. }
            | Notification::Left { .. }
            | Notification::Closing(_)
            | Notification::CaughtUp { .. }
            | Notification::Moderated { .. }
            | Notification::TopicIs { .. }
            | Notification::PassedOn { .. }
            | Notification::Deleted { .. }
            | Notification::Operated { .. } => {}
        }
        gap
    }

    fn is_own(&self, name: &UserName) -> bool {
        self.name.as_ref() == Some(&name.key())
    }

    /// With whom a private conversation is: another device of this person may have said something
    /// in it.
    fn peer<'a>(&self, from: &'a UserName, to: &'a UserName) -> &'a UserName {
        if self.is_own(from) { to } else { from }
    }

    /// Another device has joined a group. What was said in it before is not known here, and not
    /// missed.
    fn follow_from_here(&mut self, group: &GroupName, seq: Seq) {
        let key = group.key();
        if self.groups.len() < MEMBERSHIPS_MAX && !self.groups.contains_key(&key) {
            self.groups.insert(key, Followed { group: group.clone(), newest: None, head: seq });
        }
    }

    /// The client was out of this group for a while, and what was said then it does not miss.
    pub fn was_out(&mut self, group: &GroupName) {
        if let Some(followed) = self.groups.get_mut(&group.key()) {
            followed.newest = None;
        }
    }

    /// Somebody has put the client out of a group, or another device of the same person has left
    /// it.
    pub fn expelled(&mut self, group: &GroupName) {
        self.groups.remove(&group.key());
    }

    /// Whether what was done is undone since: this is the first answer to a request that was sent
    /// again, and the client was put out of the group meanwhile, or is in it again.
    pub fn is_undone(&self, request: &Request, response: &Response) -> bool {
        let is_old = !self.is_behind && response.seq().is_some_and(|seq| seq <= self.seen);
        is_old
            && match (request, response) {
                (Request::Public { group, .. }, Response::Posted { .. }) => !self.is_in(group),
                (_, Response::Joined { membership, .. }) => !self.is_in(&membership.group),
                (_, Response::Left { .. }) => true,
                _ => false,
            }
    }

    fn is_in(&self, group: &GroupName) -> bool {
        self.groups.contains_key(&group.key())
    }

    /// The answer to a request is in its place among what is heard, unless older posts are still to
    /// come.
    fn be_answered(&mut self, seq: Seq) {
        if !self.is_behind {
            self.see(seq);
        }
    }

    fn see(&mut self, seq: Seq) {
        self.seen = self.seen.max(seq);
    }

    fn follow(&mut self, membership: &Membership) {
        let key = membership.group.key();
        // The answer to a request that was sent again is the first one's, and may be older than
        // what is known.
        let newest =
            self.groups.get(&key).and_then(|followed| followed.newest).max(Some(membership.head));
        if self.groups.len() < MEMBERSHIPS_MAX || self.groups.contains_key(&key) {
            let Membership { group, head } = membership.clone();
            self.groups.insert(key, Followed { group, newest, head });
        }
    }

    /// Moves the newest post of a group forward.
    fn come_to(&mut self, group: &NameKey, seq: Seq) {
        if let Some(followed) = self.groups.get_mut(group) {
            followed.newest = followed.newest.max(Some(seq));
        }
    }

    fn remember(&mut self, person: NameKey, seq: Seq) {
        let newest = self.private.entry(person).or_default();
        *newest = seq.max(*newest);
        if self.private.len() > PRIVATE_CONVERSATIONS_MAX
            && let Some(oldest) =
                self.private.iter().min_by_key(|(_, seq)| **seq).map(|(key, _)| key.clone())
            && let Some(seq) = self.private.remove(&oldest)
        {
            // Whoever is forgotten should not seem to have said something that was missed.
            self.began = self.began.max(seq);
        }
    }
}

#[cfg(test)]
mod tests;
