//! Lets each kind of command take effect, and says beforehand which would not.

use chatroom_proto::{Conversation, Notification, Refusal, Response};

use super::applied::{Applied, CommandOutcome, is_forgettable};
use super::chat_state::ChatState;
use super::device::Presence;
use crate::chat::command_class::DedupKind;
use crate::chat::effect::{ArchiveChange, Deletion, StoredPost};
use crate::chat::entry::{Command, ConnAddr, DeviceId, Entry, Proposal, Stamp};

impl ChatState {
    /// Lets an entry take effect, or not, as everything before it demands.
    pub(in crate::chat) fn apply(&mut self, entry: &Entry) -> Applied {
        self.head = entry.seq;
        self.at = entry.proposal.at;
        let Proposal { origin, ref command, .. } = entry.proposal;
        if let Some(known) = self.repeated(&entry.proposal) {
            return Applied {
                result: Some(known.map(CommandOutcome::Answer)),
                ..Applied::default()
            };
        }
        let over = origin.map(|origin| origin.place);
        if command.author().is_some_and(|by| !self.is_heard(by, over)) {
            return Applied::default();
        }
        self.take_effect(entry)
            .unwrap_or_else(|refusal| Applied { result: Some(Err(refusal)), ..Applied::default() })
    }

    fn take_effect(&mut self, entry: &Entry) -> Result<Applied, Refusal> {
        let Proposal { origin, at, ref command, .. } = entry.proposal;
        let stamp = Stamp { seq: entry.seq, at };
        let seq = entry.seq;
        let (over, tag) = origin.map(|origin| (origin.place, origin.tag)).unzip();
        match command {
            Command::Arrive { name, presented, fresh, address } => match over {
                Some(place) => self.arrive(stamp, place, name, (*presented, *fresh), *address),
                None => Ok(Applied::default()),
            },
            Command::Detach { device, from } => Ok(self.detach(seq, *device, *from)),
            Command::Began { limits } => Ok(self.begin(seq, entry.proposal.id.node, *limits)),
            Command::Expire { device, detached } => Ok(self.expire(seq, *device, *detached)),
            Command::Depart { device } => Ok(self.depart(seq, *device, over)),
            Command::Create { by, group } => self.create(seq, tag, *by, group),
            Command::Join { by, group } => {
                self.move_into_or_out_of(stamp, tag, *by, (DedupKind::Join, group))
            }
            Command::Leave { by, group } => {
                self.move_into_or_out_of(stamp, tag, *by, (DedupKind::Leave, group))
            }
            Command::Post { by, to, id, body } => self.post(stamp, *by, to, (*id, body)),
            Command::LogIn { name, password, fresh, address } => match over {
                Some(place) => self.log_in(stamp, place, name, (*password, *fresh), *address),
                None => Ok(Applied::default()),
            },
            Command::Register { by, password } => self.register(seq, tag, *by, password),
            Command::ChangePassword { by, old, new, fresh } => {
                self.change_password(seq, *by, *old, (new, *fresh))
            }
            Command::Unregister { by, password } => self.unregister(seq, over, *by, *password),
            Command::Moderate { by, group, act } => self.moderate(stamp, tag, *by, (group, act)),
            Command::Offer { digest } => {
                self.offer(*digest);
                Ok(Applied::default())
            }
            Command::Claim { by, digest } => self.claim(stamp, tag, *by, *digest),
            Command::Operate { by, act } => self.operate(stamp, tag, *by, act),
            Command::Delete { by, post } => self.delete(stamp, tag, *by, post),
        }
    }

    /// Whether what somebody does there counts: over the connection that they have, and no other.
    /// What has come over one that was replaced or taken from them, and stands in the log behind
    /// that, is sent again by a client that has come back, in its order.
    fn is_heard(&self, by: DeviceId, over: Option<ConnAddr>) -> bool {
        let presence = self.devices.get(&by).map(|device| device.presence);
        matches!(presence, Some(Presence::Attached(place)) if over.is_none_or(|over| over == place))
    }

    /// Lets an entry take effect where nobody is there to hear of it. What it changes in what can
    /// be read back, if it does: a post, or the deletion of one.
    pub fn fold(&mut self, entry: &Entry) -> Option<ArchiveChange> {
        let Applied { news, said, .. } = self.apply(entry);
        let news = news?.1;
        if let Notification::Deleted { seq, at, by, post, .. } = news {
            let device = entry.proposal.command.author()?;
            return Some(ArchiveChange::Deleted(post, Deletion { seq, at, by, device }));
        }
        let (device, thread) = said?;
        let by = self.person(device);
        // What was said is in one of these two, and in nothing else.
        let (to, post) = match news {
            Notification::GroupPost { post, group } => (Conversation::Group(group), post),
            Notification::PrivatePost { post, to } => (Conversation::User(to), post),
            _ => return None,
        };
        Some(ArchiveChange::Said(StoredPost { thread, by, device, to, post, deletion: None }))
    }

    /// What a proposal would be answered if nothing came before it: a refusal, or the first answer
    /// to a repeat. Nothing, when it has to be applied to know.
    pub(in crate::chat) fn foresee(
        &self,
        proposal: &Proposal,
    ) -> Option<Result<Response, Refusal>> {
        let at = proposal.at;
        let refusal = match &proposal.command {
            Command::Arrive { name, presented, address, .. } => {
                self.may_arrive(name, *presented, *address, at).err()
            }
            Command::Create { group, .. } => self.may_create(group).err(),
            Command::Join { by, group } => self.may_join(self.profile_of(*by)?, group, at).err(),
            Command::Leave { by, group } => self.require_member(self.profile_of(*by)?, group).err(),
            Command::Post { by, to, .. } => self.may_post(self.profile_of(*by)?, to, at).err(),
            Command::LogIn { name, password, address, .. } => {
                self.may_log_in(name, *password, *address, at).err()
            }
            Command::Register { by, .. } => self.may_register(self.profile_of(*by)?).err(),
            Command::Moderate { by, group, act } => self.may_moderate(*by, group, act, at).err(),
            Command::Claim { by, digest } => self.may_claim(*by, *digest).err(),
            Command::Operate { by, act } => self.may_operate(*by, act, at).err(),
            Command::Delete { by, post } => self.may_delete(*by, post).err(),
            Command::ChangePassword { .. }
            | Command::Unregister { .. }
            | Command::Detach { .. }
            | Command::Began { .. }
            | Command::Expire { .. }
            | Command::Depart { .. }
            | Command::Offer { .. } => None,
        };
        // What could happen is for the log, even if it has happened before: then it comes to the
        // same answer.
        let refusal = refusal?;
        self.repeated(proposal).or_else(|| is_forgettable(&refusal).then_some(Err(refusal)))
    }
}
