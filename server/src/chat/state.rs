//! The replicated state: everybody, every group, and who may do what. A fold over the log.
//!
//! The entries alone decide what happens here: no clock, no chance, and no order of a hash map. Two
//! states that have applied the same entries are equal, on whichever node.
//!
//! **A command is checked when it is applied.** The log orders commands without looking at them.
//! What was allowed when one was proposed may not be any more. So each kind of command has a
//! `may_…` that refuses or grants and changes nothing, and a step that asks it and then changes
//! something. `ChatState::foresee` asks the same `may_…`, to refuse at once what the log need not
//! order.
//!
//! **A repeat gets the first answer.** A client that got no answer asks again. What was done lately
//! is kept in the state, and a command that is found there is not applied once more.
//!
//! **A person has one device or several.** What the devices have in common stands with the first:
//! groups, private conversations, account. It is called the person's profile.
//!
//! **Indexes follow from the rest.** A snapshot keeps devices, groups and the server's
//! administration. Everything else is derived when the snapshot is read.
//!
//! # The map
//! - The state itself: `chat_state`. Applying: `apply` leads each kind of command to its step,
//!   `applied` is what comes of it, `repeats` and `dedup` recognize what comes again,
//!   `lives` when servers began.
//! - People: `device`, `arrivals` (who comes), `presence` (who goes, who is forgotten), `accounts`;
//!   `confusables` and `confusable_index` refuse names that look like others.
//! - Groups: `group`, `messaging` (create, join, leave, post), `group_info` (what is told about
//!   one), `succession` (who owns it next).
//! - Moderation: `rights` (who may come in and speak), `moderation` and `moderation_class` (the
//!   acts), `moderation_state` (what is kept of them), `deletion` (taking back what was said).
//! - The server's operators: `administration` (what they do), `server_admin` (what is kept of it,
//!   and which bans match).
//! - Before a proposal: `new_rules`, which old entries need not keep.
//! - Reading: `queries`. What a restart goes on from: `snapshot`.

mod accounts;
mod administration;
mod applied;
mod apply;
mod arrivals;
mod chat_state;
mod confusable_index;
mod confusables;
mod dedup;
mod deletion;
mod device;
mod group;
mod group_info;
mod lives;
mod messaging;
mod moderation;
mod moderation_class;
mod moderation_state;
mod new_rules;
mod past_memberships;
mod presence;
mod queries;
mod repeats;
mod rights;
mod server_admin;
mod snapshot;
mod succession;
#[cfg(test)]
mod tests;

pub(super) use applied::{Applied, CommandOutcome};
pub use chat_state::ChatState;
pub(super) use device::Presence;
pub use queries::ClientReport;
pub use snapshot::SNAPSHOT_LAYOUT;
