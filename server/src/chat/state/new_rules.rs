//! Rules that hold for what is new. The log has entries from before each of them, and these mean
//! what they meant: so a rule is kept before a proposal, and never when an entry is applied.

use chatroom_proto::{BanTarget, NAME_MARK, Operation, Refusal, UnixMillis, UserName};

use super::chat_state::ChatState;
use crate::chat::entry::{Command, Proposal};

impl ChatState {
    /// The rule that a proposal breaks, if it is not the repeat of one that was granted.
    pub(in crate::chat) fn breaks_new_rule(&self, proposal: &Proposal) -> Option<Refusal> {
        let refusal = match &proposal.command {
            Command::Arrive { name, presented, address, .. } => {
                let is_stranger = || {
                    let known = self.may_arrive(name, *presented, *address, proposal.at);
                    matches!(known, Ok(None))
                };
                (name.is_marked() && is_stranger()).then_some(Refusal::MarkedName)
            }
            Command::Create { group, .. } => group.is_marked().then_some(Refusal::MarkedName),
            Command::Operate { act, .. } => self.is_about_nobody(act, proposal),
            // These make no name.
            Command::LogIn { .. }
            | Command::Register { .. }
            | Command::ChangePassword { .. }
            | Command::Unregister { .. }
            | Command::Join { .. }
            | Command::Leave { .. }
            | Command::Post { .. }
            | Command::Moderate { .. }
            | Command::Delete { .. }
            | Command::Claim { .. }
            | Command::Offer { .. }
            | Command::Detach { .. }
            | Command::Began { .. }
            | Command::Expire { .. }
            | Command::Depart { .. } => None,
        };
        refusal.filter(|_| self.repeated(proposal).is_none())
    }

    /// The same with the names that are meant: one with a mark in front, which nobody has or had
    /// lately, is the name behind the mark. So a name with a mark that is older than the rule
    /// against it is never mistaken for another.
    pub(in crate::chat) fn resolved(&self, mut act: Operation, at: UnixMillis) -> Operation {
        let (name, is_banned) = match &mut act {
            Operation::Appoint { user }
            | Operation::Dismiss { user }
            | Operation::Disconnect { user, .. } => (user, false),
            Operation::Ban { whom, .. } | Operation::Unban { whom } => {
                let is_banned = self.server_admin.bans.of(whom, at).is_some();
                let BanTarget::User(user) = whom else { return act };
                (user, is_banned)
            }
        };
        let behind = name.as_str().strip_prefix(NAME_MARK).map(UserName::parse);
        if let Some(Ok(behind)) = behind
            && !is_banned
            && self.named(name).is_none()
        {
            *name = behind;
        }
        act
    }

    /// A ban of a name that nobody has or had lately keeps nobody out: it is a slip, or an address
    /// that is written in no way that there is.
    fn is_about_nobody(&self, act: &Operation, proposal: &Proposal) -> Option<Refusal> {
        proposal.command.author().filter(|by| self.is_operator(self.person(*by)))?;
        let (whom, is_known) = match act {
            Operation::Ban { whom, .. } => (whom, false),
            // One that an older server has taken can be lifted.
            Operation::Unban { whom } => {
                (whom, self.server_admin.bans.of(whom, proposal.at).is_some())
            }
            Operation::Appoint { .. }
            | Operation::Dismiss { .. }
            | Operation::Disconnect { .. } => {
                return None;
            }
        };
        match whom {
            BanTarget::User(name) if !is_known && self.named(name).is_none() => {
                Some(Refusal::NoSuchUser { name: name.clone() })
            }
            BanTarget::User(_) | BanTarget::Host(_) | BanTarget::Network(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
