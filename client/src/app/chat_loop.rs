//! The chat itself: lines in, requests out; events in, text out.
//!
//! Everything that is shown passes through here, so it is shown in the order in which it came over
//! the wire.
//!
//! - `chat_loop/chat.rs`: the loop, and what it knows. `chat_loop/parts.rs`: what it is made of.
//! - `chat_loop/typed.rs`: what becomes of a line. `chat_loop/request.rs`: what it asks the server.
//! - `chat_loop/show.rs`: what becomes of an event. `chat_loop/opened.rs`: what is open.
//! - `chat_loop/ignoring.rs`: hearing nothing more of somebody.
//! - `chat_loop/chosen.rs`: what a person chooses for this run and the next.
//! - `chat_loop/list.rs`, `chat_loop/history.rs`: what comes in pages, until all of it is here.

mod chat;
mod chosen;
mod history;
mod ignoring;
mod list;
mod opened;
mod parts;
mod request;
mod show;
mod typed;

pub(crate) use chat::ChatLoop;
pub(crate) use parts::{ChatOutcome, Pace, Parts};
