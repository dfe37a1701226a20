//! The world: what all nodes agree on, a fold over the log. Whatever happens here is decided by the entries alone,
//! so two worlds that have applied the same entries are equal.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use chatroom_proto::{
    CloseReason, GroupName, Membership, NameKey, Notification, PAGE_ITEMS_MAX, Page, Refusal, Response, Seq,
    Tag, UnixMillis, UserName,
};

use super::Limits;
use super::effect::{Address, Audience, Deed, Entry, Place, Proposal, SessionId, TokenDigest};
use super::group::{Group, GroupId};
use super::session::{Done, Posts, Presence, Session, Verb};

mod talk;

/// How many people are remembered after their session expired, so that a post they send again in a new session is
/// still kept once. One costs up to 16 KiB.
const GONE_REMEMBERED_MAX: usize = 1_024;

/// Everybody and every group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    limits: Limits,
    /// The newest entry that was applied.
    head: Seq,
    /// By arrival.
    sessions: BTreeMap<SessionId, Session>,
    names: HashMap<NameKey, SessionId>,
    /// By creation.
    groups: BTreeMap<GroupId, Group>,
    group_names: HashMap<NameKey, GroupId>,
    /// The sessions without a connection, the longest first.
    detached: BTreeSet<(UnixMillis, SessionId)>,
    /// How many of these there may be: the limit, or as many as a restart has left behind.
    held_max: usize,
    /// What people posted whose session expired, the longest ago first.
    gone: VecDeque<(NameKey, Posts)>,
}

/// What applying an entry came to.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// What the origin is answered; nothing, when its session is no more.
    pub(super) result: Option<Result<Outcome, Refusal>>,
    /// A connection that has lost its session, and why.
    pub(super) cut_off: Option<(Place, Option<CloseReason>)>,
    /// What others hear.
    pub(super) news: Option<(Audience, Notification)>,
}

/// What a deed that took effect is answered with.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The connection goes with this session.
    Admitted {
        /// Which.
        session: SessionId,
        /// Whether it was there before.
        resumed: bool,
    },
    /// A finished answer.
    Answer(Response),
}

/// A client as the server keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Where it comes from.
    pub address: Address,
    /// Its name.
    pub name: UserName,
    /// Its groups, in the order of joining.
    pub groups: Vec<GroupName>,
    /// Whether it has a connection; otherwise its session is held for it.
    pub is_connected: bool,
}

impl World {
    /// A world with nobody in it and the group General.
    pub(super) fn new(limits: Limits) -> World {
        let general = GroupName::general();
        World {
            limits,
            head: Seq::ZERO,
            sessions: BTreeMap::new(),
            names: HashMap::new(),
            group_names: HashMap::from([(general.key(), GroupId::GENERAL)]),
            groups: BTreeMap::from([(GroupId::GENERAL, Group::new(general, None))]),
            detached: BTreeSet::new(),
            held_max: limits.held_max as usize,
            gone: VecDeque::new(),
        }
    }

    /// Lets an entry take effect, or not, as everything before it demands.
    pub(super) fn apply(&mut self, entry: &Entry) -> Verdict {
        self.head = entry.seq;
        let Proposal { origin, at, ref deed, .. } = entry.proposal;
        if let Some(known) = self.repeated(&entry.proposal) {
            return Verdict { result: Some(Ok(Outcome::Answer(known))), ..Verdict::default() };
        }
        let tag = origin.map(|origin| origin.tag);
        let applied = match deed {
            Deed::Arrive { name, presented, fresh, address } => match origin {
                Some(origin) => self.arrive(entry.seq, origin.place, name, (*presented, *fresh), address),
                None => Ok(Verdict::default()),
            },
            Deed::Detach { session, from } => Ok(self.detach(entry.seq, at, *session, *from)),
            Deed::Began { limits } => Ok(self.begin(entry.seq, at, *limits)),
            Deed::Expire { session, detached } => Ok(self.expire(entry.seq, *session, *detached)),
            Deed::Depart { session } => {
                Ok(self.depart(entry.seq, *session, origin.map(|origin| origin.place)))
            }
            Deed::Create { by, group } => self.create(entry.seq, tag, *by, group),
            Deed::Join { by, group } => self.move_into_or_out_of(entry.seq, tag, *by, (Verb::Join, group)),
            Deed::Leave { by, group } => self.move_into_or_out_of(entry.seq, tag, *by, (Verb::Leave, group)),
            Deed::Post { .. } => self.post(entry.seq, at, deed),
        };
        applied.unwrap_or_else(|refusal| Verdict { result: Some(Err(refusal)), ..Verdict::default() })
    }

    /// What a proposal would be answered if nothing came before it: a refusal, or the first answer to a repeat.
    /// Nothing, when it has to be applied to know.
    pub(super) fn foresee(&self, proposal: &Proposal) -> Option<Result<Response, Refusal>> {
        if let Some(known) = self.repeated(proposal) {
            return Some(Ok(known));
        }
        let refusal = match &proposal.deed {
            Deed::Arrive { name, presented, .. } => self.may_arrive(name, *presented).err(),
            Deed::Create { group, .. } => self.may_create(group).err(),
            Deed::Join { by, group } => self.may_join(self.sessions.get(by)?, group).err(),
            Deed::Leave { by, group } => self.may_leave(self.sessions.get(by)?, group).err(),
            Deed::Post { by, to, .. } => self.may_post(self.sessions.get(by)?, to).err(),
            Deed::Detach { .. } | Deed::Began { .. } | Deed::Expire { .. } | Deed::Depart { .. } => None,
        };
        refusal.map(Err)
    }

    /// The first answer to a request that comes again.
    fn repeated(&self, proposal: &Proposal) -> Option<Response> {
        let (by, verb, name) = match &proposal.deed {
            Deed::Post { by, id, .. } => {
                let (seq, at) = self.sessions.get(by)?.done.post(*id)?;
                return Some(Response::Posted { seq, at });
            }
            Deed::Create { by, group } => (by, Verb::Create, group),
            Deed::Join { by, group } => (by, Verb::Join, group),
            Deed::Leave { by, group } => (by, Verb::Leave, group),
            _ => return None,
        };
        let done = &self.sessions.get(by)?.done;
        let id = *self.group_names.get(&name.key())?;
        let seq = done.verb(proposal.origin?.tag, verb, id)?;
        Some(self.groups.get(&id)?.answer(verb, seq))
    }

    fn may_arrive(
        &self,
        name: &UserName,
        presented: Option<TokenDigest>,
    ) -> Result<Option<SessionId>, Refusal> {
        let Some(&holder) = self.names.get(&name.key()) else { return Ok(None) };
        match self.sessions.get(&holder) {
            Some(session) if Some(session.token) == presented => Ok(Some(holder)),
            Some(session) => Err(Refusal::NameTaken { name: session.name.clone() }),
            None => Ok(None),
        }
    }

    fn arrive(
        &mut self,
        seq: Seq,
        place: Place,
        name: &UserName,
        (presented, fresh): (Option<TokenDigest>, TokenDigest),
        address: &Address,
    ) -> Result<Verdict, Refusal> {
        if let Some(id) = self.may_arrive(name, presented)? {
            return Ok(self.resume(id, place, address));
        }
        let id = SessionId(seq);
        let key = name.key();
        let session = Session {
            name: name.clone(),
            token: fresh,
            address: address.clone(),
            presence: Presence::Attached(place),
            groups: vec![GroupId::GENERAL],
            private_heads: BTreeMap::new(),
            done: Done::inheriting(self.recall(&key)),
        };
        self.names.insert(key, id);
        self.sessions.insert(id, session);
        let news = self.groups.get_mut(&GroupId::GENERAL).map(|general| {
            general.enter(id);
            let arrived = Notification::Arrived { seq, user: name.clone(), group: general.name.clone() };
            (general.all_but(id), arrived)
        });
        let admitted = Outcome::Admitted { session: id, resumed: false };
        Ok(Verdict { result: Some(Ok(admitted)), cut_off: None, news })
    }

    fn resume(&mut self, id: SessionId, place: Place, address: &Address) -> Verdict {
        let Some(session) = self.sessions.get_mut(&id) else { return Verdict::default() };
        let before = std::mem::replace(&mut session.presence, Presence::Attached(place));
        session.address = address.clone();
        let cut_off = match before {
            Presence::Attached(other) => Some((other, Some(CloseReason::Replaced))),
            Presence::Detached { at, .. } => {
                self.detached.remove(&(at, id));
                for group in &session.groups {
                    if let Some(group) = self.groups.get_mut(group) {
                        group.enter(id);
                    }
                }
                None
            }
        };
        let admitted = Outcome::Admitted { session: id, resumed: true };
        Verdict { result: Some(Ok(admitted)), cut_off, news: None }
    }

    fn detach(&mut self, seq: Seq, at: UnixMillis, id: SessionId, from: Place) -> Verdict {
        let Some(session) =
            self.sessions.get_mut(&id).filter(|session| session.presence == Presence::Attached(from))
        else {
            return Verdict::default();
        };
        session.presence = Presence::Detached { at, by: seq };
        self.detached.insert((at, id));
        for group in &session.groups {
            if let Some(group) = self.groups.get_mut(group) {
                group.quit(id);
            }
        }
        // One more than are held: the one that has been away for longest is not waited for any more.
        if self.detached.len() > self.held_max
            && let Some(&(_, longest)) = self.detached.first()
        {
            return self.give_up(seq, longest);
        }
        Verdict::default()
    }

    fn begin(&mut self, seq: Seq, at: UnixMillis, limits: Limits) -> Verdict {
        self.limits = limits;
        self.detached.clear();
        for (id, session) in &mut self.sessions {
            session.presence = Presence::Detached { at, by: seq };
            self.detached.insert((at, *id));
        }
        for group in self.groups.values_mut() {
            group.desert();
        }
        self.held_max = self.detached.len().max(limits.held_max as usize);
        Verdict::default()
    }

    fn expire(&mut self, seq: Seq, id: SessionId, detached: Seq) -> Verdict {
        match self.sessions.get(&id) {
            Some(Session { presence: Presence::Detached { by, .. }, .. }) if *by == detached => {}
            _ => return Verdict::default(),
        }
        self.give_up(seq, id)
    }

    /// Ends a session that has not come back.
    fn give_up(&mut self, seq: Seq, id: SessionId) -> Verdict {
        let Some((session, news)) = self.remove(seq, id) else { return Verdict::default() };
        self.remember(session.name.key(), session.done.into_posts());
        Verdict { news: Some(news), ..Verdict::default() }
    }

    fn depart(&mut self, seq: Seq, id: SessionId, from: Option<Place>) -> Verdict {
        // One who is gone already said it twice, and is answered twice.
        let result = Some(Ok(Outcome::Answer(Response::Goodbye)));
        let Some((session, news)) = self.remove(seq, id) else {
            return Verdict { result, ..Verdict::default() };
        };
        let cut_off = match session.presence {
            // It was said over a connection that the session had moved on from.
            Presence::Attached(place) if Some(place) != from => Some((place, None)),
            _ => None,
        };
        Verdict { result, cut_off, news: Some(news) }
    }

    /// Takes a session out of everything. The news are for everyone who shared a group with it.
    fn remove(&mut self, seq: Seq, id: SessionId) -> Option<(Session, (Audience, Notification))> {
        let session = self.sessions.remove(&id)?;
        self.names.remove(&session.name.key());
        if let Presence::Detached { at, .. } = session.presence {
            self.detached.remove(&(at, id));
        }
        for peer in session.private_heads.keys() {
            if let Some(peer) = self.sessions.get_mut(peer) {
                peer.private_heads.remove(&id);
            }
        }
        for group in &session.groups {
            if let Some(group) = self.groups.get_mut(group) {
                group.quit(id);
            }
        }
        let departed = Notification::Departed { seq, user: session.name.clone() };
        let audience = self.neighbours(&session, id);
        Some((session, (audience, departed)))
    }

    /// Everyone who is in a group of a session: all of the largest one, which is shared, and from the others those who
    /// are not in that.
    fn neighbours(&self, session: &Session, id: SessionId) -> Audience {
        let groups = || session.groups.iter().filter_map(|id| Some((*id, self.groups.get(id)?)));
        let Some((largest, group)) = groups().max_by_key(|(_, group)| group.present().len()) else {
            return Audience::AllBut { sessions: Arc::default(), and: Vec::new(), except: id };
        };
        let others = groups().filter(|(id, _)| *id != largest).flat_map(|(_, group)| group.present());
        let is_outside =
            |member: &SessionId| !self.sessions.get(member).is_some_and(|m| m.groups.contains(&largest));
        let and: BTreeSet<SessionId> = others.copied().filter(is_outside).collect();
        group.all_but_and(id, and.into_iter().collect())
    }

    fn remember(&mut self, name: NameKey, posts: Posts) {
        if posts.is_empty() {
            return;
        }
        if self.gone.len() == GONE_REMEMBERED_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back((name, posts));
    }

    fn recall(&mut self, name: &NameKey) -> Posts {
        let place = self.gone.iter().position(|(known, _)| known == name);
        place.and_then(|place| self.gone.remove(place)).map(|(_, posts)| posts).unwrap_or_default()
    }

    /// Notes what a session did to a group, to know it when it comes again.
    fn note(&mut self, by: SessionId, tag: Option<Tag>, verb: Verb, group: GroupId, seq: Seq) {
        if let (Some(session), Some(tag)) = (self.sessions.get_mut(&by), tag) {
            session.done.did(tag, verb, group, seq);
        }
    }

    /// The newest entry that was applied.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// One session.
    pub(super) fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The groups of a session, as its client is told on arrival.
    pub(super) fn memberships(&self, session: &Session) -> Page<Membership> {
        Page::fill(session.groups.iter().filter_map(|id| self.groups.get(id)).map(Group::membership))
    }

    /// A page of groups in the order of creation, and where the next page begins.
    pub(super) fn groups(&self, after: Seq) -> (Page<GroupName>, Option<Seq>) {
        let rest = self.groups.range((from(after, GroupId), Bound::Unbounded));
        page(rest.map(|(id, group)| (id.0, group.name.clone())))
    }

    /// A page of people in the order of arrival, and where the next page begins.
    pub(super) fn users(&self, after: Seq) -> (Page<UserName>, Option<Seq>) {
        let rest = self.sessions.range((from(after, SessionId), Bound::Unbounded));
        page(rest.map(|(id, session)| (id.0, session.name.clone())))
    }

    /// The sessions that lost their connection at `at` or before, with the entry that says so, the longest first.
    pub(super) fn detached_until(&self, at: UnixMillis) -> impl Iterator<Item = (SessionId, Seq)> + '_ {
        let due = self.detached.iter().take_while(move |(since, _)| *since <= at);
        due.filter_map(|(_, id)| match self.sessions.get(id)?.presence {
            Presence::Detached { by, .. } => Some((*id, by)),
            Presence::Attached(_) => None,
        })
    }

    /// Every client's address, name and groups, in the order of arrival.
    pub(super) fn clients(&self) -> impl Iterator<Item = Client> + '_ {
        self.sessions.values().map(|session| Client {
            address: session.address.clone(),
            name: session.name.clone(),
            groups: session.groups.iter().filter_map(|id| Some(self.groups.get(id)?.name.clone())).collect(),
            is_connected: matches!(session.presence, Presence::Attached(_)),
        })
    }
}

fn from<T>(after: Seq, id: fn(Seq) -> T) -> Bound<T> {
    if after == Seq::ZERO { Bound::Unbounded } else { Bound::Excluded(id(after)) }
}

fn page<T>(items: impl Iterator<Item = (Seq, T)>) -> (Page<T>, Option<Seq>) {
    let mut items = items.peekable();
    let mut last = Seq::ZERO;
    let taken =
        std::iter::from_fn(|| items.next().map(|(seq, item)| (last = seq, item).1)).take(PAGE_ITEMS_MAX);
    let page = Page::fill(taken);
    let more = items.peek().is_some();
    (page, more.then_some(last))
}
