//! From what happened to lines of text: the only place with sentences. Pure.
//!
//! The wording of the assignment's Figure 1 is kept to the letter; the rest speaks in the same
//! voice: what happened, and what to do about it. Each function gives one or more whole lines,
//! without the last line end. Each kind of thing that happens has one exhaustive match, so that a
//! new variant can't be shown as nothing by mistake.
//!
//! - `view/text.rs`: the [`View`] itself, and its tones. `view/paint.rs`: colours.
//! - `view/harmless.rs`: what others wrote, made harmless.
//! - `view/chat.rs`: notifications, and answers to what was asked. `view/arrival.rs`: their time.
//! - `view/who.rs`: somebody.
//! - `view/moderation.rs`, `view/server_admin.rs`: what moderators and operators of the server do.
//! - `view/refusal.rs`: what the server refuses, and what to do about it.
//! - `view/history.rs`: what was said before. `view/deletion.rs`: what was taken back.
//! - `view/ignore.rs`: whom this person ignores. `view/unread.rs`: what they have not seen.
//! - `view/connection.rs`, `view/tls.rs`: the connection, and whom it leads to.
//! - `view/commands.rs`, `view/program.rs`: help, mistakes, and what this program can't do.

mod arrival;
mod chat;
mod commands;
mod connection;
mod deletion;
mod harmless;
mod history;
mod ignore;
mod moderation;
mod open_conversation;
mod paint;
mod program;
mod refusal;
mod server_admin;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod tls;
mod unread;
mod who;

pub use harmless::harmless;
pub use paint::{Kind, Paint};
pub use program::more_names;
pub use text::{CONTINUATION, Layout, View};
pub use tls::ServerTarget;
