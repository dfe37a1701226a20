//! Who owns which groups, and who owns them next.

use std::collections::BTreeMap;

use chatroom_proto::{Notification, Seq};

use super::chat_state::ChatState;
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{GroupId, PersonId};

impl ChatState {
    /// The groups that a person owns.
    pub(super) fn owned(&self, person: PersonId) -> impl Iterator<Item = GroupId> + '_ {
        let groups = (person, GroupId(Seq::ZERO))..=(person, GroupId(Seq(u64::MAX)));
        self.owned.range(groups).map(|(_, group)| *group)
    }

    /// A person is gone for good: their groups pass on to the one who has been an operator for
    /// longest, or else a member for longest; to nobody, where there is neither. The news are for
    /// the members.
    pub(super) fn transfer_ownership(
        &mut self,
        seq: Seq,
        person: PersonId,
    ) -> Vec<(Audience, Notification)> {
        let mut successors: BTreeMap<GroupId, Option<(Seq, PersonId)>> =
            self.owned(person).map(|group| (group, None)).collect();
        if successors.is_empty() {
            return Vec::new();
        }
        for device in self.devices.values() {
            let member = device.person;
            for membership in device.groups.iter().filter(|_| member != person) {
                if let Some(successor) = successors.get_mut(&membership.group)
                    && successor.is_none_or(|(since, _)| membership.since < since)
                {
                    *successor = Some((membership.since, member));
                }
            }
        }
        successors
            .into_iter()
            .filter_map(|(group, member)| {
                self.owned.remove(&(person, group));
                let ops = self
                    .groups
                    .get(&group)?
                    .moderation
                    .iter()
                    .flat_map(|moderation| &moderation.ops);
                let op = ops.copied().find(|op| *op != person && self.profile(*op).is_some());
                self.hand_over(seq, group, person, op.or(member.map(|(_, member)| member)))
            })
            .collect()
    }

    fn hand_over(
        &mut self,
        seq: Seq,
        id: GroupId,
        from: PersonId,
        successor: Option<PersonId>,
    ) -> Option<(Audience, Notification)> {
        let group = self.groups.get_mut(&id)?;
        group.owner = successor;
        let successor = successor?;
        self.owned.insert((successor, id));
        if let Some(moderation) = &mut group.moderation {
            let before = moderation.items();
            moderation.ops.retain(|op| *op != successor);
            self.items = self.items.saturating_sub(before) + moderation.items();
        }
        self.keep_longer(successor);
        let to = self.profile(successor)?.name.clone();
        let and = self
            .attached(successor)
            .into_iter()
            .filter(|device| !self.is_in(*device, id))
            .collect();
        let audience = Audience::Group {
            group: id,
            except: from.first_device(),
            passage: Passage::Outside,
            and,
        };
        Some((audience, Notification::PassedOn { seq, group: self.name_of(id), to }))
    }
}
