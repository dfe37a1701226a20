//! How far a client has come: the newest event it has seen, and in each conversation the newest post. Pure.
//!
//! A post carries the place of the post before it ([`Post::prev`](chatroom_proto::Post::prev)), and a welcome the
//! place of each group's newest: whoever knows the newest one that it has seen can tell whether it missed any. What
//! was said before the session began is not missed.

use std::collections::{BTreeMap, HashMap};

use chatroom_proto::{
    GroupName, Membership, NameKey, Notification, PAGE_ITEMS_MAX, Post, Request, Response, Seq, Welcome,
};

use chatroom_proto::Conversation;

/// The most groups that are followed: as many as a welcome can name.
pub const MEMBERSHIPS_MAX: usize = PAGE_ITEMS_MAX;

/// The most people with whom a private conversation is followed; the one that is silent for longest is forgotten.
pub const PRIVATE_CONVERSATIONS_MAX: usize = 1_000;

/// What one client knows of its place in the order.
#[derive(Debug, Clone)]
pub struct State {
    seen: Seq,
    began: Seq,
    groups: BTreeMap<NameKey, Followed>,
    private: HashMap<NameKey, Seq>,
}

#[derive(Debug, Clone)]
struct Followed {
    group: GroupName,
    /// The newest post that was heard or made here; nothing when its place means nothing to this server.
    newest: Option<Seq>,
}

/// What a new connection means for the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// Messages were missed in these.
    pub missed: Vec<GroupName>,
    /// The client was in these, and the new session is not.
    pub rejoin: Vec<GroupName>,
}

impl State {
    /// The state of a client that was welcomed for the first time.
    pub fn new(welcome: &Welcome) -> State {
        let mut state =
            State { seen: welcome.seq, began: welcome.seq, groups: BTreeMap::new(), private: HashMap::new() };
        for membership in welcome.groups.as_slice() {
            state.follow(membership);
        }
        state
    }

    /// The newest event that was seen.
    pub fn seen(&self) -> Seq {
        self.seen
    }

    /// A connection was remade.
    pub fn welcomed_back(&mut self, welcome: &Welcome) -> Back {
        let mut former = std::mem::take(&mut self.groups);
        if welcome.seq < self.seen {
            // The server has lost its memory and counts anew: places from before mean nothing now.
            former.values_mut().for_each(|followed| followed.newest = None);
        }
        if !welcome.resumed {
            self.private.clear();
            self.began = welcome.seq;
        }
        self.seen = welcome.seq;
        let mut missed = Vec::new();
        for membership in welcome.groups.as_slice() {
            let known = former.remove(&membership.group.key()).and_then(|followed| followed.newest);
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
        Back { missed, rejoin }
    }

    /// A request was granted. Tells when that shows that messages were missed: a group that was joined again has
    /// newer ones.
    pub fn answered(&mut self, request: &Request, response: &Response) -> Option<Conversation> {
        match (request, response) {
            (_, Response::Joined { seq, membership }) => {
                self.see(*seq);
                let known = self.groups.get(&membership.group.key()).and_then(|followed| followed.newest);
                self.follow(membership);
                known
                    .is_some_and(|newest| membership.head > newest)
                    .then(|| Conversation::Group(membership.group.clone()))
            }
            (_, Response::Left { seq, group }) => {
                self.see(*seq);
                self.groups.remove(&group.key());
                None
            }
            (Request::Public { group, .. }, Response::Posted { seq, .. }) => {
                self.see(*seq);
                self.come_to(&group.key(), *seq);
                None
            }
            (Request::Private { to, .. }, Response::Posted { seq, .. }) => {
                self.see(*seq);
                self.remember(to.key(), *seq);
                None
            }
            (_, Response::Created { seq, .. }) => {
                self.see(*seq);
                None
            }
            _ => None,
        }
    }

    /// The server said something. Tells when that shows that messages were missed.
    pub fn notified(&mut self, notification: &Notification) -> Option<Conversation> {
        match notification {
            Notification::Arrived { seq, .. }
            | Notification::Departed { seq, .. }
            | Notification::Joined { seq, .. }
            | Notification::Left { seq, .. } => {
                self.see(*seq);
                None
            }
            Notification::GroupPost { post, group } => {
                self.see(post.seq);
                let missed = self.come_to(&group.key(), post.seq).is_some_and(|newest| post.prev > newest);
                missed.then(|| Conversation::Group(group.clone()))
            }
            Notification::PrivatePost { post, .. } => {
                self.see(post.seq);
                self.hear_in_private(post).then(|| Conversation::User(post.from.clone()))
            }
            Notification::Ping | Notification::Closing(_) | Notification::CaughtUp { .. } => None,
        }
    }

    fn see(&mut self, seq: Seq) {
        self.seen = self.seen.max(seq);
    }

    fn follow(&mut self, membership: &Membership) {
        let key = membership.group.key();
        // The answer to a request that was sent again is the first one's, and may be older than what is known.
        let newest = self.groups.get(&key).and_then(|followed| followed.newest).max(Some(membership.head));
        if self.groups.len() < MEMBERSHIPS_MAX || self.groups.contains_key(&key) {
            self.groups.insert(key, Followed { group: membership.group.clone(), newest });
        }
    }

    /// Moves the newest post of a group forward, and returns the one that was.
    fn come_to(&mut self, group: &NameKey, seq: Seq) -> Option<Seq> {
        let followed = self.groups.get_mut(group)?;
        let before = followed.newest;
        followed.newest = before.max(Some(seq));
        before
    }

    fn hear_in_private(&mut self, post: &Post) -> bool {
        let key = post.from.key();
        let newest = self.private.get(&key).copied().unwrap_or(Seq::ZERO).max(self.began);
        self.remember(key, post.seq);
        post.prev > newest
    }

    fn remember(&mut self, person: NameKey, seq: Seq) {
        let newest = self.private.entry(person).or_default();
        *newest = seq.max(*newest);
        if self.private.len() > PRIVATE_CONVERSATIONS_MAX
            && let Some(oldest) = self.private.iter().min_by_key(|(_, seq)| **seq).map(|(key, _)| key.clone())
        {
            self.private.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Body, Page, PostId, Token, UnixMillis, UserName};

    use super::*;

    fn group(name: &str) -> GroupName {
        GroupName::parse(name).unwrap()
    }

    fn welcome(seq: u64, resumed: bool, heads: &[(&str, u64)]) -> Welcome {
        let membership = |&(name, head): &(&str, u64)| Membership { group: group(name), head: Seq(head) };
        Welcome {
            version: 1,
            name: UserName::parse("Jim").unwrap(),
            token: Token([0; 32]),
            resumed,
            grace_ms: 30_000,
            seq: Seq(seq),
            groups: Page::fill(heads.iter().map(membership)),
            keeps: chatroom_proto::Keeps::Nothing,
        }
    }

    fn post(seq: u64, prev: u64) -> Post {
        let from = UserName::parse("Ann").unwrap();
        let body = Body::parse("hi").unwrap();
        Post { seq: Seq(seq), prev: Seq(prev), at: UnixMillis(0), id: PostId([0; 16]), from, body }
    }

    fn in_group(name: &str, seq: u64, prev: u64) -> Notification {
        Notification::GroupPost { post: post(seq, prev), group: group(name) }
    }

    fn in_private(seq: u64, prev: u64) -> Notification {
        Notification::PrivatePost { post: post(seq, prev), to: UserName::parse("Jim").unwrap() }
    }

    fn say(state: &mut State, name: &str, seq: u64) {
        let id = PostId([0; 16]);
        let request = Request::Public { group: group(name), id, body: Body::parse("hi").unwrap() };
        state.answered(&request, &Response::Posted { seq: Seq(seq), at: UnixMillis(0) });
    }

    fn join(state: &mut State, name: &str, seq: u64, head: u64) -> Option<Conversation> {
        let membership = Membership { group: group(name), head: Seq(head) };
        let request = Request::Join { group: group(name) };
        state.answered(&request, &Response::Joined { seq: Seq(seq), membership })
    }

    #[test]
    fn posts_that_follow_one_another_are_no_gap_and_own_ones_count() {
        let mut state = State::new(&welcome(10, false, &[("General", 4)]));
        assert_eq!(state.notified(&in_group("General", 11, 4)), None);
        say(&mut state, "general", 12);
        assert_eq!(state.notified(&in_group("General", 14, 12)), None);
        assert_eq!(state.seen(), Seq(14));
    }

    #[test]
    fn a_post_whose_predecessor_is_unknown_is_a_gap() {
        let mut state = State::new(&welcome(10, false, &[("General", 4)]));
        let gap = state.notified(&in_group("General", 12, 11));
        assert_eq!(gap, Some(Conversation::Group(group("General"))));
        assert_eq!(state.notified(&in_group("General", 13, 12)), None);
    }

    #[test]
    fn what_was_said_in_private_before_the_session_is_not_missed_and_what_was_said_in_it_is() {
        let mut state = State::new(&welcome(10, false, &[]));
        assert_eq!(state.notified(&in_private(11, 9)), None);
        assert_eq!(state.notified(&in_private(15, 11)), None);
        assert!(matches!(state.notified(&in_private(20, 18)), Some(Conversation::User(_))));
    }

    #[test]
    fn after_a_resume_newer_heads_are_missed_posts() {
        let mut state = State::new(&welcome(10, false, &[("General", 4)]));
        join(&mut state, "tea", 11, 3);
        let back = state.welcomed_back(&welcome(20, true, &[("General", 4), ("tea", 15)]));
        assert_eq!(back, Back { missed: vec![group("tea")], rejoin: vec![] });
        assert_eq!(state.notified(&in_group("tea", 21, 15)), None);
    }

    #[test]
    fn a_new_session_rejoins_and_compares_what_the_groups_say() {
        let mut state = State::new(&welcome(10, false, &[("General", 4)]));
        join(&mut state, "tea", 11, 3);
        join(&mut state, "milk", 12, 0);
        let back = state.welcomed_back(&welcome(20, false, &[("General", 13)]));
        assert_eq!(back, Back { missed: vec![group("General")], rejoin: vec![group("milk"), group("tea")] });
        assert_eq!(join(&mut state, "tea", 21, 15), Some(Conversation::Group(group("tea"))));
        assert_eq!(join(&mut state, "milk", 22, 0), None);
    }

    #[test]
    fn a_new_session_misses_nothing_that_was_said_in_private_before_it() {
        let mut state = State::new(&welcome(10, false, &[]));
        state.welcomed_back(&welcome(20, false, &[]));
        assert_eq!(state.notified(&in_private(21, 15)), None);
    }

    #[test]
    fn a_server_that_counts_anew_is_not_accused_of_anything() {
        let mut state = State::new(&welcome(1_000, false, &[("General", 900)]));
        join(&mut state, "tea", 1_001, 5);
        let back = state.welcomed_back(&welcome(8, false, &[("General", 7)]));
        assert_eq!(back, Back { missed: vec![], rejoin: vec![group("tea")] });
        assert_eq!(state.seen(), Seq(8));
        assert_eq!(join(&mut state, "tea", 10, 9), None);
    }

    #[test]
    fn a_group_that_was_left_is_not_rejoined() {
        let mut state = State::new(&welcome(10, false, &[]));
        join(&mut state, "tea", 11, 3);
        let left = Response::Left { seq: Seq(12), group: group("tea") };
        state.answered(&Request::Leave { group: group("tea") }, &left);
        assert!(state.welcomed_back(&welcome(20, false, &[])).rejoin.is_empty());
    }

    #[test]
    fn an_old_answer_does_not_turn_back_the_clock() {
        let mut state = State::new(&welcome(10, false, &[]));
        join(&mut state, "tea", 11, 3);
        state.notified(&in_group("tea", 12, 3));
        join(&mut state, "tea", 11, 3);
        assert_eq!(state.seen(), Seq(12));
        assert_eq!(state.notified(&in_group("tea", 13, 12)), None);
    }

    #[test]
    fn private_conversations_are_bounded() {
        let mut state = State::new(&welcome(0, false, &[]));
        for n in 0..=PRIVATE_CONVERSATIONS_MAX as u64 {
            let to = UserName::parse(&format!("u{n}")).unwrap();
            let request = Request::Private { to, id: PostId([0; 16]), body: Body::parse("hi").unwrap() };
            state.answered(&request, &Response::Posted { seq: Seq(n + 1), at: UnixMillis(0) });
        }
        assert_eq!(state.private.len(), PRIVATE_CONVERSATIONS_MAX);
        assert!(!state.private.contains_key(&UserName::parse("u0").unwrap().key()));
    }
}
