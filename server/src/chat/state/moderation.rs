//! Who keeps order in groups, what that comes to, and to whom a group passes on.

use chatroom_proto::{
    ACTS_TOLD_MAX, About, GroupName, Moderation, ModerationRecord, Notification, Page, Refusal,
    Response, Seq, Tag, UnixMillis, UserName,
};

use super::{Applied, ChatState, is_forgettable};
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{DeviceId, GroupId};
use crate::chat::state::device::{DedupKind, Device};
use crate::chat::state::group::Group;
use crate::chat::state::moderation_state::{
    ITEMS_FAIR, ITEMS_MAX, MARKS_MAX, ModerationState, OPS_MAX, Rank, Restrictions,
};

impl ChatState {
    /// What a person is to a group.
    pub(super) fn rank(&self, person: DeviceId, id: GroupId) -> Rank {
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
    pub(super) fn named(&self, name: &UserName) -> Option<DeviceId> {
        self.names.get(&name.key()).map(|id| self.person(*id))
    }

    /// Whom an act means: whoever has the name. To be an operator no longer is for an operator of
    /// that name, if there is one; a stranger may have it meanwhile.
    fn meant(&self, group: &Group, act: &Moderation) -> Option<DeviceId> {
        let user = act.user()?;
        let has_the_name =
            |op: &DeviceId| self.sessions.get(op).is_some_and(|op| op.name.key() == user.key());
        let ops = group
            .order
            .iter()
            .filter(|_| matches!(act, Moderation::Deop { .. }))
            .flat_map(|order| &order.ops);
        ops.copied().find(has_the_name).or_else(|| self.named(user))
    }

    /// Whether somebody is banned from a group at that time, and until when.
    pub(super) fn ban(
        &self,
        id: DeviceId,
        session: &Device,
        group: GroupId,
        at: UnixMillis,
    ) -> Option<Option<UnixMillis>> {
        self.mark(|order| &order.bans, (id, session), group, at)
    }

    /// Whether a mark on somebody's name holds for them, and until when. It never does for one who
    /// stands as high as whoever made it: it was meant for another of that name.
    fn mark(
        &self,
        which: fn(&ModerationState) -> &Restrictions,
        (id, session): (DeviceId, &Device),
        group: GroupId,
        at: UnixMillis,
    ) -> Option<Option<UnixMillis>> {
        let order = self.groups.get(&group)?.order.as_ref()?;
        let mark = which(order).of(&session.name, at)?;
        (self.rank(self.person(id), group) < mark.by).then_some(mark.until)
    }

    /// Whether somebody may come into a group.
    pub(super) fn may_enter(
        &self,
        (id, session): (DeviceId, &Device),
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
        (id, session): (DeviceId, &Device),
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
        id: DeviceId,
        session: &Device,
        group: GroupId,
        at: UnixMillis,
    ) -> Option<Option<UnixMillis>> {
        self.mark(|order| &order.mutes, (id, session), group, at)
    }

    pub(super) fn name_of(&self, group: GroupId) -> GroupName {
        self.groups.get(&group).map_or_else(GroupName::general, |group| group.name.clone())
    }

    /// Whether somebody may do this to keep order in a group now.
    pub(super) fn may_moderate(
        &self,
        by: DeviceId,
        name: &GroupName,
        act: &Moderation,
        at: UnixMillis,
    ) -> Result<GroupId, Refusal> {
        let (id, group) = self.group(name)?;
        let me = self.person(by);
        let mine = self.rank(me, id);
        let target = self.meant(group, act);
        let resigns = matches!(act, Moderation::Deop { .. }) && target == Some(me);
        let is_owners = matches!(act, Moderation::Op { .. } | Moderation::Deop { .. }) && !resigns;
        if mine < (if is_owners { Rank::Owner } else { Rank::Op }) {
            return Err(Refusal::NotAllowed { group: group.name.clone() });
        }
        let undoes = matches!(act, Moderation::Unban { .. } | Moderation::Unmute { .. });
        if let Some(user) = act.user().filter(|_| target.is_none() && !undoes) {
            return Err(Refusal::NoSuchUser { name: user.clone() });
        }
        let is_against =
            act.expels() || matches!(act, Moderation::Mute { .. } | Moderation::Deop { .. });
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
        // What somebody above has decided about one who is no less than the asker, the asker
        // included, is not theirs to change.
        if let Some(user) = act.user()
            && target.is_some_and(|target| self.rank(target, id) >= mine)
            && is_decided_above(mine, group, user, act, at)
        {
            return Err(Refusal::OutOfReach { group: group.name.clone(), user: user.clone() });
        }
        self.makes_a_difference(id, target, act, at).map(|()| id)
    }

    /// Whether that is not so already, and there is room for it.
    fn makes_a_difference(
        &self,
        id: GroupId,
        target: Option<DeviceId>,
        act: &Moderation,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        let none = ModerationState::default();
        let order = self.groups.get(&id).and_then(|group| group.order.as_deref()).unwrap_or(&none);
        let is_in = target.is_some_and(|target| self.is_in(target, id));
        let keeps_order = target.is_some_and(|target| self.rank(target, id) > Rank::Guest);
        let is_so = match act {
            Moderation::Kick { .. } => !is_in,
            Moderation::Unban { user } => order.bans.of(user, at).is_none(),
            Moderation::Unmute { user } => order.mutes.of(user, at).is_none(),
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
        if let (Moderation::Invite { .. } | Moderation::Op { .. }, Some(target)) = (act, target)
            && let Some(session) = self.sessions.get(&target)
            && let Some(until) = self.ban(target, session, id, at)
        {
            return Err(Refusal::Banned { group: self.name_of(id), until });
        }
        // Of those who were forgotten since, nothing is left when somebody next keeps order.
        let known = |person: &&DeviceId| self.sessions.contains_key(person);
        let (is_full, limit) = match act {
            Moderation::Ban { user, .. } => {
                (order.bans.of(user, at).is_none() && order.bans.are_full(at), MARKS_MAX)
            }
            Moderation::Mute { user, .. } => {
                (order.mutes.of(user, at).is_none() && order.mutes.are_full(at), MARKS_MAX)
            }
            Moderation::Invite { .. } => {
                (order.invited.iter().filter(known).count() >= MARKS_MAX, MARKS_MAX)
            }
            Moderation::Op { .. } => (order.ops.iter().filter(known).count() >= OPS_MAX, OPS_MAX),
            _ => return Ok(()),
        };
        let is_crowded = self.items >= ITEMS_MAX && order.marks() >= ITEMS_FAIR;
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        if is_full || is_crowded { Err(Refusal::TooManyMarks { limit }) } else { Ok(()) }
    }

    /// Somebody keeps order in a group.
    pub(super) fn moderate(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        tag: Option<Tag>,
        by: DeviceId,
        (name, act): (&GroupName, &Moderation),
    ) -> Result<Applied, Refusal> {
        let Some(me) = self.sessions.get(&by) else {
            return Ok(Applied::default());
        };
        let me = me.name.clone();
        let id = self.may_moderate(by, name, act, at).inspect_err(|refusal| {
            let group = self.group_names.get(&name.key()).copied();
            if let Some(group) = group.filter(|_| !is_forgettable(refusal)) {
                self.note(by, tag, DedupKind::Moderate, group, None);
            }
        })?;
        let target = self.groups.get(&id).and_then(|group| self.meant(group, act));
        // Why somebody is put out or silenced is for those who were there: nobody is to have words
        // for whom they like.
        let gives_a_reason = act.expels() || matches!(act, Moderation::Mute { .. });
        let concerned = target.filter(|target| !gives_a_reason || self.is_in(*target, id));
        let rank = self.rank(self.person(by), id);
        let name = target
            .and_then(|target| self.sessions.get(&target))
            .map(|session| session.name.clone());
        let act = name.map_or_else(|| act.clone(), |name| act.clone().naming(name));
        if act.expels() {
            target.into_iter().for_each(|target| self.expel(target, id));
        }
        self.keep_order((seq, at), id, (me.clone(), rank), target, &act);
        self.note(by, tag, DedupKind::Moderate, id, Some(seq));
        let passage = if self.is_in(by, id) { Passage::Stays } else { Passage::Outside };
        let concerned = concerned.into_iter().flat_map(|target| self.attached(target));
        let and = concerned.filter(|session| *session != by && !self.is_in(*session, id)).collect();
        let audience = Audience::Group { group: id, except: by, passage, and };
        let group = self.name_of(id);
        let news = Notification::Moderated { seq, at, by: me, group: group.clone(), act };
        Ok(Applied::answer(Response::Moderated { seq, group }, Some((audience, news))))
    }

    /// Somebody is not a member of a group any more, with none of their devices.
    pub(super) fn expel(&mut self, person: DeviceId, group: GroupId) {
        let devices = self.attached(person);
        let Some(session) = self.sessions.get_mut(&person).filter(|session| session.is_in(group))
        else {
            return;
        };
        session.regroup(|groups| groups.retain(|stake| stake.group != group));
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
        (by, rank): (UserName, Rank),
        target: Option<DeviceId>,
        act: &Moderation,
    ) {
        let is_full = self.items >= ITEMS_MAX;
        let ChatState { groups, sessions, items, .. } = self;
        let Some(group) = groups.get_mut(&id) else { return };
        let order = group.order.get_or_insert_default();
        let before = order.items();
        order.tidy(at, |person| sessions.contains_key(person));
        order.take(act, target, (&by, rank), at);
        order.note(ModerationRecord { seq, at, by, act: act.clone() }, is_full);
        *items = items.saturating_sub(before) + order.items();
    }

    /// One who has come into a group, or is back in it, needs an invitation no longer. A ban of
    /// their name that did not hold for them, because they keep order there, has ended: no member
    /// is banned, whatever becomes of their rank.
    pub(super) fn clear_restrictions(&mut self, person: DeviceId, group: GroupId) {
        let Some(session) = self.sessions.get(&person) else { return };
        let Some(order) = self.groups.get_mut(&group).and_then(|group| group.order.as_mut()) else {
            return;
        };
        let ended = [order.invited.remove(&person), order.bans.lift(&session.name)];
        self.items = self.items.saturating_sub(ended.into_iter().filter(|ended| *ended).count());
    }

    /// What was done to keep order in a group, if the asker may know.
    pub(in super::super) fn acts(
        &self,
        by: DeviceId,
        name: &GroupName,
        about: Option<&UserName>,
    ) -> Result<Response, Refusal> {
        let (id, group) = self.group(name)?;
        let about = about.map(UserName::key);
        let is_me = |session: &Device| about.as_ref() == Some(&session.name.key());
        let may_know = self.who(by).is_some_and(|session| session.is_in(id) || is_me(session));
        if !may_know && self.rank(self.person(by), id) == Rank::Guest {
            return Err(Refusal::NotMember { group: group.name.clone() });
        }
        let is_meant = |acted: &&ModerationRecord| match &about {
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
        by: DeviceId,
        name: &GroupName,
        at: UnixMillis,
    ) -> Result<Response, Refusal> {
        let (id, group) = self.group(name)?;
        let none = ModerationState::default();
        let order = group.order.as_deref().unwrap_or(&none);
        let session = self.who(by);
        // Not of one whose name somebody else has meanwhile: that one would be taken for them.
        let name_of = |person: &DeviceId| {
            let name = &self.sessions.get(person)?.name;
            (self.names.get(&name.key()) == Some(person)).then(|| name.clone())
        };
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

/// Whether that would change a ban or a mute that was made by somebody above.
fn is_decided_above(
    mine: Rank,
    group: &Group,
    user: &UserName,
    act: &Moderation,
    at: UnixMillis,
) -> bool {
    let Some(order) = group.order.as_ref() else { return false };
    let mark = match act {
        Moderation::Ban { .. } | Moderation::Unban { .. } => order.bans.of(user, at),
        Moderation::Mute { .. } | Moderation::Unmute { .. } => order.mutes.of(user, at),
        _ => None,
    };
    mark.is_some_and(|mark| mark.by > mine)
}
