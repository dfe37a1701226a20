//! Whose groups are, and to whom they pass on.

use std::collections::BTreeMap;

use chatroom_proto::{Notification, Seq};

use super::ChatState;
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{DeviceId, GroupId};

impl ChatState {
    /// The groups that a person owns.
    pub(super) fn owned(&self, person: DeviceId) -> impl Iterator<Item = GroupId> + '_ {
        let groups = (person, GroupId(Seq::ZERO))..=(person, GroupId(Seq(u64::MAX)));
        self.owned.range(groups).map(|(_, group)| *group)
    }

    /// A person is gone for good: their groups pass on to the one who has been an operator for
    /// longest, or else a member for longest; to nobody, where there is neither. The news are for
    /// the members.
    pub(super) fn transfer_ownership(
        &mut self,
        seq: Seq,
        person: DeviceId,
    ) -> Vec<(Audience, Notification)> {
        let mut heirs: BTreeMap<GroupId, Option<(Seq, DeviceId)>> =
            self.owned(person).map(|group| (group, None)).collect();
        if heirs.is_empty() {
            return Vec::new();
        }
        for (&id, session) in &self.sessions {
            let member = self.person(id);
            for stake in session.groups.iter().filter(|_| member != person) {
                if let Some(heir) = heirs.get_mut(&stake.group)
                    && heir.is_none_or(|(since, _)| stake.since < since)
                {
                    *heir = Some((stake.since, member));
                }
            }
        }
        heirs
            .into_iter()
            .filter_map(|(group, member)| {
                self.owned.remove(&(person, group));
                let ops = self.groups.get(&group)?.order.iter().flat_map(|order| &order.ops);
                let op = ops.copied().find(|op| *op != person && self.sessions.contains_key(op));
                self.hand_over(seq, group, person, op.or(member.map(|(_, member)| member)))
            })
            .collect()
    }

    fn hand_over(
        &mut self,
        seq: Seq,
        id: GroupId,
        from: DeviceId,
        heir: Option<DeviceId>,
    ) -> Option<(Audience, Notification)> {
        let group = self.groups.get_mut(&id)?;
        group.owner = heir;
        let heir = heir?;
        self.owned.insert((heir, id));
        if let Some(order) = &mut group.order {
            let before = order.items();
            order.ops.retain(|op| *op != heir);
            self.items = self.items.saturating_sub(before) + order.items();
        }
        self.keep_longer(heir);
        let to = self.sessions.get(&heir)?.name.clone();
        let and =
            self.attached(heir).into_iter().filter(|device| !self.is_in(*device, id)).collect();
        let audience = Audience::Group { group: id, except: from, passage: Passage::Outside, and };
        Some((audience, Notification::PassedOn { seq, group: self.name_of(id), to }))
    }
}
