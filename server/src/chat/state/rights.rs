//! What a person is to a group, and whether they may come in and speak.

use chatroom_proto::{GroupName, Moderation, Refusal, UnixMillis, UserName};

use super::chat_state::ChatState;
use super::device::Device;
use super::group::Group;
use super::moderation_class::ModerationClass;
use super::moderation_state::{ModerationState, Rank, Restrictions};
use crate::chat::entry::{GroupId, PersonId};

impl ChatState {
    /// What a person is to a group.
    pub(super) fn rank(&self, person: PersonId, id: GroupId) -> Rank {
        let Some(group) = self.groups.get(&id) else { return Rank::Member };
        let is_group_operator =
            || group.moderation.as_ref().is_some_and(|moderation| moderation.ops.contains(&person));
        if self.is_operator(person) {
            Rank::ServerOperator
        } else if group.owner == Some(person) {
            Rank::Owner
        } else if is_group_operator() {
            Rank::GroupOperator
        } else {
            Rank::Member
        }
    }

    /// Whom a name means.
    pub(super) fn named(&self, name: &UserName) -> Option<PersonId> {
        self.names.get(&name.key()).copied()
    }

    /// Whom a moderation means: whoever has the name. What takes an operator's rights is for an
    /// operator of that name, if there is one; a stranger may have it meanwhile.
    pub(super) fn meant(&self, group: &Group, act: &Moderation) -> Option<PersonId> {
        let user = act.user()?;
        let has_the_name =
            |op: &PersonId| self.profile(*op).is_some_and(|op| op.name.key() == user.key());
        let ops = group
            .moderation
            .iter()
            .filter(|_| ModerationClass::of(act).takes_rights)
            .flat_map(|moderation| &moderation.ops);
        ops.copied().find(has_the_name).or_else(|| self.named(user))
    }

    /// Whether somebody is banned from a group at that time, and until when.
    pub(super) fn ban(
        &self,
        profile: &Device,
        group: GroupId,
        at: UnixMillis,
    ) -> Option<Option<UnixMillis>> {
        self.restriction(|moderation| &moderation.bans, profile, group, at)
    }

    /// Whether somebody is muted in a group at that time, and until when.
    pub(super) fn mute(
        &self,
        profile: &Device,
        group: GroupId,
        at: UnixMillis,
    ) -> Option<Option<UnixMillis>> {
        self.restriction(|moderation| &moderation.mutes, profile, group, at)
    }

    /// Whether a restriction of somebody's name holds for them, and until when. It never does for
    /// one who stands as high as whoever made it: it was meant for another of that name.
    fn restriction(
        &self,
        which: fn(&ModerationState) -> &Restrictions,
        profile: &Device,
        group: GroupId,
        at: UnixMillis,
    ) -> Option<Option<UnixMillis>> {
        let moderation = self.groups.get(&group)?.moderation.as_ref()?;
        let found = which(moderation).of(&profile.name, at)?;
        (self.rank(profile.person, group) < found.by).then_some(found.until)
    }

    /// Whether somebody may come into a group.
    pub(super) fn may_enter(
        &self,
        profile: &Device,
        id: GroupId,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        let found = self.groups.get(&id).and_then(|group| group.moderation.as_ref());
        let Some(moderation) = found else { return Ok(()) };
        let name = || self.name_of(id);
        if let Some(until) = self.ban(profile, id, at) {
            return Err(Refusal::Banned { group: name(), until });
        }
        let is_let_in = moderation.locked_since.is_none()
            || moderation.invited.contains(&profile.person)
            || self.rank(profile.person, id) > Rank::Member;
        if is_let_in { Ok(()) } else { Err(Refusal::InvitationOnly { group: name() }) }
    }

    /// Whether somebody may speak in a group.
    pub(super) fn may_speak(
        &self,
        profile: &Device,
        group: GroupId,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        match self.mute(profile, group, at) {
            Some(until) => Err(Refusal::Muted { group: self.name_of(group), until }),
            None => Ok(()),
        }
    }

    /// The name of a group.
    pub(super) fn name_of(&self, group: GroupId) -> GroupName {
        self.groups.get(&group).map_or_else(GroupName::general, |group| group.name.clone())
    }
}
