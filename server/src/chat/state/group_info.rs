//! What is told about a group: what it is, its topic, and how it was moderated.

use chatroom_proto::{
    ACTS_TOLD_MAX, About, GroupName, ModerationRecord, Notification, Page, Refusal, Response,
    UnixMillis, UserName,
};

use super::chat_state::ChatState;
use super::device::Device;
use super::moderation_state::{ModerationState, Rank};
use crate::chat::entry::{DeviceId, PersonId};

impl ChatState {
    /// How a group was moderated, if the asker may know.
    pub(in crate::chat) fn acts(
        &self,
        by: DeviceId,
        name: &GroupName,
        about: Option<&UserName>,
    ) -> Result<Response, Refusal> {
        let (id, group) = self.group(name)?;
        let about = about.map(UserName::key);
        let is_me = |device: &Device| about.as_ref() == Some(&device.name.key());
        let may_know =
            self.profile_of(by).is_some_and(|profile| profile.is_in(id) || is_me(profile));
        if !may_know && self.rank(self.person(by), id) == Rank::Member {
            return Err(Refusal::NotMember { group: group.name.clone() });
        }
        let is_meant = |acted: &&ModerationRecord| match &about {
            Some(about) => acted.act.user().is_some_and(|user| user.key() == *about),
            None => true,
        };
        let acts =
            group.moderation.iter().flat_map(|moderation| moderation.acts()).filter(is_meant);
        let acts = Page::fill(acts.take(ACTS_TOLD_MAX).cloned());
        Ok(Response::Acts { group: group.name.clone(), acts })
    }

    /// What a group is, and what the asker is in it.
    pub(in crate::chat) fn about(
        &self,
        by: DeviceId,
        name: &GroupName,
        at: UnixMillis,
    ) -> Result<Response, Refusal> {
        let (id, group) = self.group(name)?;
        let none = ModerationState::default();
        let moderation = group.moderation.as_deref().unwrap_or(&none);
        let profile = self.profile_of(by);
        // Not of one whose name somebody else has meanwhile: that one would be taken for them.
        let name_of = |person: &PersonId| {
            let name = &self.profile(*person)?.name;
            (self.names.get(&name.key()) == Some(person)).then(|| name.clone())
        };
        let mute = profile.and_then(|profile| self.mute(profile, id, at));
        Ok(Response::About(Box::new(About {
            group: group.name.clone(),
            owner: group.owner.as_ref().and_then(name_of),
            ops: Page::fill(moderation.ops.iter().filter_map(name_of)),
            topic: moderation.headline.clone(),
            locked_since: moderation.locked_since,
            members: group.members,
            is_member: profile.is_some_and(|profile| profile.is_in(id)),
            is_invited: moderation.invited.contains(&self.person(by)),
            is_muted: mute.is_some(),
            muted_until: mute.flatten(),
        })))
    }

    /// What somebody is told who comes into this group, behind the answer.
    pub(in crate::chat) fn topic_of(&self, name: &GroupName) -> Option<Notification> {
        let (_, group) = self.group(name).ok()?;
        let headline = group.moderation.as_ref()?.headline.clone()?;
        Some(Notification::TopicIs { group: group.name.clone(), headline })
    }
}
