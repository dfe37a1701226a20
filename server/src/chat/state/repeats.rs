//! Recognizes a command that comes again, and gives it the first answer.

use chatroom_proto::{Refusal, Response, Seq, Tag};

use super::chat_state::ChatState;
use super::group::Group;
use crate::chat::command_class::{DedupKind, RepeatKey};
use crate::chat::entry::{DeviceId, GroupId, Proposal};

impl ChatState {
    /// The first answer to a request that comes again.
    pub(super) fn repeated(&self, proposal: &Proposal) -> Option<Result<Response, Refusal>> {
        let class = proposal.command.class();
        let by = class.author?;
        match class.repeat {
            RepeatKey::Nothing => None,
            RepeatKey::Post { to, id } => {
                let device = self.devices.get(&by)?;
                // A client that has lost the answer to its new password comes as another device,
                // and says again what it said with the one before.
                let others = || self.devices_of(device.person).filter(|other| *other != by);
                let with = |other| self.devices.get(&other)?.dedup.post(id);
                let (stamp, kept) = device.dedup.post(id).or_else(|| others().find_map(with))?;
                Some(Ok(self.posted(to, stamp, kept)))
            }
            RepeatKey::Registration => self.registered(by, proposal.origin?.tag).map(Ok),
            RepeatKey::Deletion => self.deleted_before(by, proposal.origin?.tag),
            RepeatKey::Server => {
                self.first_answer(by, proposal.origin?.tag, DedupKind::Operate, GroupId::GENERAL)
            }
            RepeatKey::Group(kind, name) => {
                let id = *self.group_names.get(&name.key())?;
                self.first_answer(by, proposal.origin?.tag, kind, id)
            }
        }
    }

    /// The first answer to a request to delete something.
    pub(in crate::chat) fn deleted_before(
        &self,
        by: DeviceId,
        tag: Tag,
    ) -> Option<Result<Response, Refusal>> {
        self.first_answer(by, tag, DedupKind::Delete, GroupId::GENERAL)
    }

    /// The first answer to this request about this group.
    fn first_answer(
        &self,
        by: DeviceId,
        tag: Tag,
        kind: DedupKind,
        id: GroupId,
    ) -> Option<Result<Response, Refusal>> {
        let seq = self.devices.get(&by)?.dedup.request(tag, kind, id)?;
        let group = self.groups.get(&id)?;
        Some(match seq {
            Some(seq) => Ok(group.answer(kind, seq)),
            None => Err(group.refusal(kind)),
        })
    }

    /// Notes what a device did to a group, or that it was refused, to know it when it comes again.
    pub(super) fn note(
        &mut self,
        by: DeviceId,
        tag: Option<Tag>,
        kind: DedupKind,
        group: GroupId,
        seq: Option<Seq>,
    ) {
        if let (Some(device), Some(tag)) = (self.devices.get_mut(&by), tag) {
            device.dedup.did(tag, kind, group, seq);
        }
    }
}

impl Group {
    /// What somebody is answered who did this to the group, at this place.
    pub(super) fn answer(&self, kind: DedupKind, seq: Seq) -> Response {
        match kind {
            DedupKind::Create => Response::Created { seq, group: self.name.clone() },
            DedupKind::Join => Response::Joined { seq, membership: self.membership() },
            DedupKind::Leave => Response::Left { seq, group: self.name.clone() },
            DedupKind::Moderate => Response::Moderated { seq, group: self.name.clone() },
            DedupKind::Operate => Response::Operated { seq },
            DedupKind::Delete => Response::Deleted { seq },
        }
    }

    /// What somebody is refused who had done this to the group already.
    pub(super) fn refusal(&self, kind: DedupKind) -> Refusal {
        let group = self.name.clone();
        match kind {
            DedupKind::Create => Refusal::GroupExists { group },
            DedupKind::Join => Refusal::AlreadyMember { group },
            DedupKind::Leave => Refusal::NotMember { group },
            DedupKind::Moderate => Refusal::AlreadySo { group },
            // Only what was deleted is noted of the second.
            DedupKind::Operate | DedupKind::Delete => Refusal::NoDifference,
        }
    }
}
