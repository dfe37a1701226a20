//! Moderates groups: who may do what to whom, and what it comes to.

use chatroom_proto::{
    GroupName, Moderation, ModerationRecord, Notification, Refusal, Response, Tag, UnixMillis,
    UserName,
};

use super::applied::{Applied, is_forgettable};
use super::chat_state::ChatState;
use super::group::Group;
use super::moderation_class::{Aim, ModerationClass, RestrictionList};
use super::moderation_state::{
    ITEMS_FAIR, ITEMS_MAX, ModerationState, OPS_MAX, RESTRICTIONS_MAX, Rank,
};
use super::past_memberships::PastMembership;
use crate::chat::command_class::DedupKind;
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{DeviceId, GroupId, PersonId, Stamp};

impl ChatState {
    /// Whether somebody may moderate a group in this way now.
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
        let class = ModerationClass::of(act);
        let resigns = class.takes_rights && target == Some(me);
        if mine < (if resigns { Rank::GroupOperator } else { class.least }) {
            return Err(Refusal::NotAllowed { group: group.name.clone() });
        }
        if let Some(user) = act.user().filter(|_| target.is_none() && class.aim != Aim::Lift) {
            return Err(Refusal::NoSuchUser { name: user.clone() });
        }
        if let Some(target) = target.filter(|_| class.aim == Aim::Against && !resigns) {
            if target == me {
                return Err(Refusal::NotOneself);
            }
            if self.rank(target, id) >= mine {
                let user = self.profile(target).map(|profile| profile.name.clone());
                let user = user.or_else(|| act.user().cloned()).ok_or(Refusal::NotOneself)?;
                return Err(Refusal::OutOfReach { group: group.name.clone(), user });
            }
        }
        // What somebody above has decided about one who is no less than the asker, the asker
        // included, is not theirs to change.
        if let Some(user) = act.user()
            && target.is_some_and(|target| self.rank(target, id) >= mine)
            && is_decided_above(mine, group, user, class.list, at)
        {
            return Err(Refusal::OutOfReach { group: group.name.clone(), user: user.clone() });
        }
        self.makes_a_difference(id, target, act, at).map(|()| id)
    }

    /// Whether that is not so already, and there is room for it.
    fn makes_a_difference(
        &self,
        id: GroupId,
        target: Option<PersonId>,
        act: &Moderation,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        let none = ModerationState::default();
        let moderation =
            self.groups.get(&id).and_then(|group| group.moderation.as_deref()).unwrap_or(&none);
        let is_in = target.is_some_and(|target| self.is_member(target, id));
        let moderates = target.is_some_and(|target| self.rank(target, id) > Rank::Member);
        let is_so = match act {
            Moderation::Kick { .. } => !is_in,
            Moderation::Unban { user } => moderation.bans.of(user, at).is_none(),
            Moderation::Unmute { user } => moderation.mutes.of(user, at).is_none(),
            Moderation::Topic { topic: None } => moderation.headline.is_none(),
            Moderation::Lock => moderation.locked_since.is_some(),
            Moderation::Unlock => moderation.locked_since.is_none(),
            Moderation::Invite { .. } => {
                is_in
                    || moderates
                    || target.is_some_and(|target| moderation.invited.contains(&target))
            }
            Moderation::Op { .. } => moderates,
            Moderation::Deop { .. } => {
                !target.is_some_and(|target| moderation.ops.contains(&target))
            }
            Moderation::Ban { .. } | Moderation::Mute { .. } | Moderation::Topic { .. } => false,
            // It is a command of its own, and this changes nothing.
            Moderation::Delete { .. } => true,
        };
        if is_so {
            return Err(Refusal::AlreadySo { group: self.name_of(id) });
        }
        if ModerationClass::of(act).aim == Aim::For
            && let Some(profile) = target.and_then(|target| self.profile(target))
            && let Some(until) = self.ban(profile, id, at)
        {
            return Err(Refusal::Banned { group: self.name_of(id), until });
        }
        self.has_room_for(moderation, act, at)
    }

    /// Whether there is room for what that adds to a group's moderation.
    fn has_room_for(
        &self,
        moderation: &ModerationState,
        act: &Moderation,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        // Of those who were forgotten since, nothing is left when somebody next moderates.
        let known = |person: &&PersonId| self.profile(**person).is_some();
        let (is_full, limit) = match act {
            Moderation::Ban { user, .. } => (
                moderation.bans.of(user, at).is_none() && moderation.bans.are_full(at),
                RESTRICTIONS_MAX,
            ),
            Moderation::Mute { user, .. } => (
                moderation.mutes.of(user, at).is_none() && moderation.mutes.are_full(at),
                RESTRICTIONS_MAX,
            ),
            Moderation::Invite { .. } => (
                moderation.invited.iter().filter(known).count() >= RESTRICTIONS_MAX,
                RESTRICTIONS_MAX,
            ),
            Moderation::Op { .. } => {
                (moderation.ops.iter().filter(known).count() >= OPS_MAX, OPS_MAX)
            }
            Moderation::Kick { .. }
            | Moderation::Unban { .. }
            | Moderation::Unmute { .. }
            | Moderation::Topic { .. }
            | Moderation::Lock
            | Moderation::Unlock
            | Moderation::Deop { .. }
            | Moderation::Delete { .. } => return Ok(()),
        };
        let is_crowded = self.items >= ITEMS_MAX && moderation.people_at(at) >= ITEMS_FAIR;
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        if is_full || is_crowded { Err(Refusal::TooManyMarks { limit }) } else { Ok(()) }
    }

    /// Somebody moderates a group.
    pub(super) fn moderate(
        &mut self,
        stamp: Stamp,
        tag: Option<Tag>,
        by: DeviceId,
        (name, act): (&GroupName, &Moderation),
    ) -> Result<Applied, Refusal> {
        let Some(me) = self.devices.get(&by) else {
            return Ok(Applied::default());
        };
        let me = me.name.clone();
        let Stamp { seq, at } = stamp;
        let id = self.may_moderate(by, name, act, at).inspect_err(|refusal| {
            let group = self.group_names.get(&name.key()).copied();
            if let Some(group) = group.filter(|_| !is_forgettable(refusal)) {
                self.note(by, tag, DedupKind::Moderate, group, None);
            }
        })?;
        let target = self.groups.get(&id).and_then(|group| self.meant(group, act));
        // Why somebody is put out or silenced is for those who were there: nobody is to have words
        // for whom they like.
        let gives_a_reason = ModerationClass::of(act).gives_a_reason;
        let concerned = target.filter(|target| !gives_a_reason || self.is_member(*target, id));
        let rank = self.rank(self.person(by), id);
        let name =
            target.and_then(|target| self.profile(target)).map(|profile| profile.name.clone());
        let act = name.map_or_else(|| act.clone(), |name| act.clone().naming(name));
        let expelled = target.filter(|_| act.expels()).and_then(|target| {
            let since = self.profile(target)?.member_since(id)?;
            self.expel(target, id);
            Some((target, since))
        });
        self.apply_moderation(stamp, id, (me.clone(), rank), target, &act);
        self.note(by, tag, DedupKind::Moderate, id, Some(seq));
        let passage = if self.is_in(by, id) { Passage::Stays } else { Passage::Outside };
        let concerned = concerned.into_iter().flat_map(|target| self.attached(target));
        let and = concerned.filter(|device| *device != by && !self.is_in(*device, id)).collect();
        let audience = Audience::Group { group: id, except: by, passage, and };
        let group = self.name_of(id);
        let news = Notification::Moderated { seq, at, by: me, group: group.clone(), act };
        if let Some((target, since)) = expelled {
            let past =
                PastMembership { group: id, since, until: seq, by: None, news: news.clone() };
            self.past_memberships.note(target, past);
        }
        Ok(Applied::answer(Response::Moderated { seq, group }, Some((audience, news))))
    }

    /// Somebody is not a member of a group any more, with none of their devices.
    pub(super) fn expel(&mut self, person: PersonId, group: GroupId) {
        let devices = self.attached(person);
        let Some(profile) = self.profile_mut(person).filter(|profile| profile.is_in(group)) else {
            return;
        };
        profile.regroup(|groups| groups.retain(|membership| membership.group != group));
        if let Some(group) = self.groups.get_mut(&group) {
            devices.into_iter().for_each(|device| group.quit(device));
            group.members = group.members.saturating_sub(1);
        }
    }

    /// Writes down what a moderation that may be done comes to.
    pub(super) fn apply_moderation(
        &mut self,
        stamp: Stamp,
        id: GroupId,
        (by, rank): (UserName, Rank),
        target: Option<PersonId>,
        act: &Moderation,
    ) {
        let Stamp { seq, at } = stamp;
        let ChatState { groups, devices, items, .. } = self;
        let Some(group) = groups.get_mut(&id) else { return };
        let moderation = group.moderation.get_or_insert_default();
        let before = moderation.items();
        let is_known = |person: &PersonId| devices.contains_key(&person.first_device());
        moderation.tidy(at, *items >= ITEMS_MAX, is_known);
        let is_full = items.saturating_sub(before) + moderation.items() >= ITEMS_MAX;
        moderation.take(act, target, (&by, rank), at);
        moderation.note(ModerationRecord { seq, at, by, act: act.clone() }, is_full);
        *items = items.saturating_sub(before) + moderation.items();
    }

    /// One who has come into a group, or is back in it, needs an invitation no longer. A ban of
    /// their name that did not hold for them, because they moderate there, has ended: no member
    /// is banned, whatever becomes of their rank.
    pub(super) fn clear_restrictions(&mut self, person: PersonId, id: GroupId) {
        let Some(profile) = self.devices.get(&person.first_device()) else { return };
        let found = self.groups.get_mut(&id).and_then(|group| group.moderation.as_mut());
        let Some(moderation) = found else { return };
        let ended = [moderation.invited.remove(&person), moderation.bans.lift(&profile.name)];
        self.items = self.items.saturating_sub(ended.into_iter().filter(|ended| *ended).count());
    }
}

/// Whether that would change a ban or a mute that was made by somebody above.
fn is_decided_above(
    mine: Rank,
    group: &Group,
    user: &UserName,
    list: Option<RestrictionList>,
    at: UnixMillis,
) -> bool {
    let (Some(moderation), Some(list)) = (group.moderation.as_ref(), list) else { return false };
    let found = match list {
        RestrictionList::Bans => moderation.bans.of(user, at),
        RestrictionList::Mutes => moderation.mutes.of(user, at),
    };
    found.is_some_and(|restriction| restriction.by > mine)
}
