//! The domain of a chat: a replicated state machine and what stands around it, all of it pure.
//!
//! Nothing here knows a socket, a disk or a clock. [`Input`](effect::Input)s and log entries go in,
//! [`Effect`](effect::Effect)s come out, and time is an argument.
//!
//! **The log comes first.** [`Chat::handle`] changes nothing that others can see. It answers
//! questions, refuses what the state already forbids, and turns everything else into a
//! [`Proposal`](entry::Proposal). The log orders the proposals. [`Chat::apply`] then lets each
//! entry take effect, and is the only way to change the shared state.
//!
//! **The state is a fold.** [`ChatState`] follows from the entries alone, so nodes that have
//! applied the same entries hold equal states, and a restart folds the log again.
//!
//! **Replies keep the order of the requests.** Beside the state, a node keeps a small state for
//! each of its own connections. A question waits there until the commands before it on the same
//! connection were applied.
//!
//! From the bottom up:
//!
//! - `limits`: what the domain bounds.
//! - `address`, `entry`: identities, commands, and the entries of the log.
//! - `request_class`, `command_class`: what each request and each command is. The only lists
//!   of all of them beside those that serve and apply them.
//! - `effect`: what goes in and what comes out.
//! - `digest`: what the log keeps of secrets.
//! - `state`: the replicated state.
//! - `hold_timer`: for how long devices without a connection have been held.
//! - `conn_state`: one connection.
//! - `domain`: the `Chat` itself; `requests` and `auth` serve what is asked of it.

mod address;
mod auth;
pub(crate) mod command_class;
mod conn_state;
pub(crate) mod digest;
mod domain;
pub mod effect;
pub mod entry;
mod hold_timer;
mod limits;
pub(crate) mod request_class;
mod requests;
mod state;
#[cfg(test)]
mod tests;

pub use domain::Chat;
pub use hold_timer::UptimeMillis;
pub use limits::Limits;
pub use state::{ChatState, ClientReport, SNAPSHOT_LAYOUT};
