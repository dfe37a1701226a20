//! Who keeps order in groups, what that comes to, and to whom a group passes on.

use chatroom_proto::{
    ACTS_TOLD_MAX, About, Acted, GroupName, Moderation, Notification, Page, Refusal, Response, Seq, Tag,
    UnixMillis, UserName,
};

use super::super::effect::{Audience, GroupId, Passage, SessionId};
use super::super::order::{ITEMS_FAIR, ITEMS_MAX, MARKS_MAX, OPS_MAX, Order};
use super::super::session::{Session, Verb};
use super::{Verdict, World, is_forgettable};

/// What somebody is to a group, from little to much. Each may act against those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Nobody in particular.
    Guest,
    /// An operator of the group.
    Op,
    /// Its owner.
    Owner,
    /// An operator of the server.
    Operator,
}

impl World {
    /// What a person is to a group.
    pub(super) fn rank(&self, person: SessionId, id: GroupId) -> Rank {
        let Some(group) = self.groups.get(&id) else { return Rank::Guest };
        if self.is_operator(person) {
            Rank::Operator
        } else if group.owner == Some(person) {
            Rank::Owner
        } else if group.order.as_ref().is_some_and(|order| order.ops.contains(&person)) {
            Rank::Op
        } else {
            Rank::Guest
        }
    }

    /// Whom a name means.
    pub(super) fn named(&self, name: &UserName) -> Option<SessionId> {
        self.names.get(&name.key()).map(|id| self.person(*id))
    }

    /// Whether somebody is banned from a group at that time, and until when.
    pub(super) fn ban(
        &self,
        id: SessionId,
        session: &Session,
        group: GroupId,
        at: UnixMillis,
    ) -> Option<Option<UnixMillis>> {
        let order = self.groups.get(&group)?.order.as_ref()?;
        let until = order.bans.until(&session.name, at)?;
        (self.rank(self.person(id), group) == Rank::Guest).then_some(until)
    }

    /// Whether somebody may come into a group.
    pub(super) fn may_enter(
        &self,
        (id, session): (SessionId, &Session),
        group: GroupId,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        let Some(order) = self.groups.get(&group).and_then(|group| group.order.as_ref()) else {
            return Ok(());
        };
        let name = || self.name_of(group);
        if let Some(until) = self.ban(id, session, group, at) {
            return Err(Refusal::Banned { group: name(), until });
        }
        let person = self.person(id);
        let is_let_in = order.locked_since.is_none()
            || order.invited.contains(&person)
            || self.rank(person, group) > Rank::Guest;
        if is_let_in { Ok(()) } else { Err(Refusal::InvitationOnly { group: name() }) }
    }

    /// Whether somebody may speak in a group.
    pub(super) fn may_speak(
        &self,
        (id, session): (SessionId, &Session),
        group: GroupId,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        match self.mute(id, session, group, at) {
            Some(until) => Err(Refusal::Muted { group: self.name_of(group), until }),
            None => Ok(()),
        }
    }

    fn mute(
        &self,
        id: SessionId,
        session: &Session,
        group: GroupId,
        at: UnixMillis,
    ) -> Option<Option<UnixMillis>> {
        let order = self.groups.get(&group)?.order.as_ref()?;
        let until = order.mutes.until(&session.name, at)?;
        (self.rank(self.person(id), group) == Rank::Guest).then_some(until)
    }

    pub(super) fn name_of(&self, group: GroupId) -> GroupName {
        self.groups.get(&group).map_or_else(GroupName::general, |group| group.name.clone())
    }

    /// Whether somebody may do this to keep order in a group now.
    pub(super) fn may_moderate(
        &self,
        by: SessionId,
        name: &GroupName,
        act: &Moderation,
        at: UnixMillis,
    ) -> Result<GroupId, Refusal> {
        let (id, group) = self.group(name)?;
        let me = self.person(by);
        let mine = self.rank(me, id);
        let target = act.user().and_then(|user| self.named(user));
        let resigns = matches!(act, Moderation::Deop { .. }) && target == Some(me);
        let is_owners = matches!(act, Moderation::Op { .. } | Moderation::Deop { .. }) && !resigns;
        if mine < (if is_owners { Rank::Owner } else { Rank::Op }) {
            return Err(Refusal::NotAllowed { group: group.name.clone() });
        }
        let undoes = matches!(act, Moderation::Unban { .. } | Moderation::Unmute { .. });
        if let Some(user) = act.user().filter(|_| target.is_none() && !undoes) {
            return Err(Refusal::NoSuchUser { name: user.clone() });
        }
        let is_against = act.expels() || matches!(act, Moderation::Mute { .. } | Moderation::Deop { .. });
        if let Some(target) = target.filter(|_| is_against && !resigns) {
            if target == me {
                return Err(Refusal::NotOneself);
            }
            if self.rank(target, id) >= mine {
                let user = self.sessions.get(&target).map(|session| session.name.clone());
                let user = user.or_else(|| act.user().cloned()).ok_or(Refusal::NotOneself)?;
                return Err(Refusal::OutOfReach { group: group.name.clone(), user });
            }
        }
        self.makes_a_difference(id, target, act, at).map(|()| id)
    }

    /// Whether that is not so already, and there is room for it.
    fn makes_a_difference(
        &self,
        id: GroupId,
        target: Option<SessionId>,
        act: &Moderation,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        let none = Order::default();
        let order = self.groups.get(&id).and_then(|group| group.order.as_deref()).unwrap_or(&none);
        let is_in = target.is_some_and(|target| self.is_in(target, id));
        let keeps_order = target.is_some_and(|target| self.rank(target, id) > Rank::Guest);
        let is_so = match act {
            Moderation::Kick { .. } => !is_in,
            Moderation::Unban { user } => order.bans.until(user, at).is_none(),
            Moderation::Unmute { user } => order.mutes.until(user, at).is_none(),
            Moderation::Topic { topic: None } => order.headline.is_none(),
            Moderation::Lock => order.locked_since.is_some(),
            Moderation::Unlock => order.locked_since.is_none(),
            Moderation::Invite { .. } => {
                is_in || keeps_order || target.is_some_and(|target| order.invited.contains(&target))
            }
            Moderation::Op { .. } => keeps_order,
            Moderation::Deop { .. } => !target.is_some_and(|target| order.ops.contains(&target)),
            Moderation::Ban { .. } | Moderation::Mute { .. } | Moderation::Topic { .. } => false,
        };
        if is_so {
            return Err(Refusal::AlreadySo { group: self.name_of(id) });
        }
        if let (Moderation::Invite { .. }, Some(target)) = (act, target)
            && let Some(session) = self.sessions.get(&target)
            && let Some(until) = self.ban(target, session, id, at)
        {
            return Err(Refusal::Banned { group: self.name_of(id), until });
        }
        let (is_full, limit) = match act {
            Moderation::Ban { user, .. } => {
                (order.bans.until(user, at).is_none() && order.bans.are_full(at), MARKS_MAX)
            }
            Moderation::Mute { user, .. } => {
                (order.mutes.until(user, at).is_none() && order.mutes.are_full(at), MARKS_MAX)
            }
            Moderation::Invite { .. } => (order.invited.len() >= MARKS_MAX, MARKS_MAX),
            Moderation::Op { .. } => (order.ops.len() >= OPS_MAX, OPS_MAX),
            _ => return Ok(()),
        };
        let is_crowded = self.items >= ITEMS_MAX && order.items() >= ITEMS_FAIR;
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        if is_full || is_crowded { Err(Refusal::TooManyMarks { limit }) } else { Ok(()) }
    }

    /// Somebody keeps order in a group.
    pub(super) fn moderate(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        tag: Option<Tag>,
        by: SessionId,
        (name, act): (&GroupName, &Moderation),
    ) -> Result<Verdict, Refusal> {
        let Some(me) = self.sessions.get(&by).filter(|session| session.is_here()) else {
            return Ok(Verdict::default());
        };
        let me = me.name.clone();
        let id = self.may_moderate(by, name, act, at).inspect_err(|refusal| {
            let group = self.group_names.get(&name.key()).copied();
            if let Some(group) = group.filter(|_| !is_forgettable(refusal)) {
                self.note(by, tag, Verb::Moderate, group, None);
            }
        })?;
        let target = act.user().and_then(|user| self.named(user));
        let name = target.and_then(|target| self.sessions.get(&target)).map(|session| session.name.clone());
        let act = name.map_or_else(|| act.clone(), |name| act.clone().naming(name));
        if act.expels() {
            target.into_iter().for_each(|target| self.expel(target, id));
        }
        self.keep_order((seq, at), id, me.clone(), target, &act);
        self.note(by, tag, Verb::Moderate, id, Some(seq));
        let passage = if self.is_in(by, id) { Passage::Stays } else { Passage::Outside };
        let concerned = target.into_iter().flat_map(|target| self.attached(target));
        let and = concerned.filter(|session| *session != by && !self.is_in(*session, id)).collect();
        let audience = Audience::Group { group: id, except: by, passage, and };
        let group = self.name_of(id);
        let news = Notification::Moderated { seq, at, by: me, group: group.clone(), act };
        Ok(Verdict::answer(Response::Moderated { seq, group }, Some((audience, news))))
    }

    /// Somebody is not a member of a group any more, with none of their devices.
    pub(super) fn expel(&mut self, person: SessionId, group: GroupId) {
        let devices = self.attached(person);
        let Some(session) = self.sessions.get_mut(&person).filter(|session| session.is_in(group)) else {
            return;
        };
        session.groups.retain(|stake| stake.group != group);
        if let Some(group) = self.groups.get_mut(&group) {
            devices.into_iter().for_each(|device| group.quit(device));
            group.members = group.members.saturating_sub(1);
        }
    }

    /// Writes down what an act that may be done comes to.
    fn keep_order(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        id: GroupId,
        by: UserName,
        target: Option<SessionId>,
        act: &Moderation,
    ) {
        let is_full = self.items >= ITEMS_MAX;
        let World { groups, sessions, items, .. } = self;
        let Some(group) = groups.get_mut(&id) else { return };
        let order = group.order.get_or_insert_default();
        let before = order.items();
        order.tidy(at, |person| sessions.contains_key(person));
        order.take(act, target, &by, at);
        order.note(Acted { seq, at, by, act: act.clone() }, is_full);
        *items = items.saturating_sub(before) + order.items();
    }

    /// One who has come in by an invitation needs it no longer.
    pub(super) fn use_invitation(&mut self, id: SessionId, group: GroupId) {
        let person = self.person(id);
        let Some(order) = self.groups.get_mut(&group).and_then(|group| group.order.as_mut()) else { return };
        if order.invited.remove(&person) {
            self.items = self.items.saturating_sub(1);
        }
    }

    /// What was done to keep order in a group, if the asker may know.
    pub(in super::super) fn acts(
        &self,
        by: SessionId,
        name: &GroupName,
        about: Option<&UserName>,
    ) -> Result<Response, Refusal> {
        let (id, group) = self.group(name)?;
        let about = about.map(UserName::key);
        let is_me = |session: &Session| about.as_ref() == Some(&session.name.key());
        let may_know = self.who(by).is_some_and(|session| session.is_in(id) || is_me(session));
        if !may_know && self.rank(self.person(by), id) == Rank::Guest {
            return Err(Refusal::NotMember { group: group.name.clone() });
        }
        let is_meant = |acted: &&Acted| match &about {
            Some(about) => acted.act.user().is_some_and(|user| user.key() == *about),
            None => true,
        };
        let acts = group.order.iter().flat_map(|order| order.acts()).filter(is_meant);
        let acts = Page::fill(acts.take(ACTS_TOLD_MAX).cloned());
        Ok(Response::Acts { group: group.name.clone(), acts })
    }

    /// What a group is, and what the asker is in it.
    pub(in super::super) fn about(
        &self,
        by: SessionId,
        name: &GroupName,
        at: UnixMillis,
    ) -> Result<Response, Refusal> {
        let (id, group) = self.group(name)?;
        let none = Order::default();
        let order = group.order.as_deref().unwrap_or(&none);
        let session = self.who(by);
        let name_of = |person: &SessionId| self.sessions.get(person).map(|session| session.name.clone());
        let mute = session.and_then(|session| self.mute(by, session, id, at));
        Ok(Response::About(Box::new(About {
            group: group.name.clone(),
            owner: group.owner.as_ref().and_then(name_of),
            ops: Page::fill(order.ops.iter().filter_map(name_of)),
            topic: order.headline.clone(),
            locked_since: order.locked_since,
            members: group.members,
            is_member: session.is_some_and(|session| session.is_in(id)),
            is_invited: order.invited.contains(&self.person(by)),
            is_muted: mute.is_some(),
            muted_until: mute.flatten(),
        })))
    }

    /// What somebody is told who comes into this group, behind the answer.
    pub(in super::super) fn topic_of(&self, name: &GroupName) -> Option<Notification> {
        let (_, group) = self.group(name).ok()?;
        let headline = group.order.as_ref()?.headline.clone()?;
        Some(Notification::TopicIs { group: group.name.clone(), headline })
    }
}
