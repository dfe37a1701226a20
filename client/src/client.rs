//! What a program holds: a [`Client`] to ask with (`client/handle.rs`), and what can be asked, each
//! with an answer of its own type (`client/asks.rs`).

mod asks;
mod handle;

pub use asks::{HistoryPage, Posted};
pub use handle::{Client, new_post_id, new_token};
