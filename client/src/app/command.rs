//! The commands, as a table: one row gives a command's name, usage, help, parser and what Tab
//! completes.
//!
//! - `command/table.rs`: the rows. A new command is a row there.
//! - `command/row.rs`: what a [`Row`] has, what a line asks for ([`TypedCommand`]), and why a line
//!   is none ([`Mistake`]).
//! - `command/arguments.rs`: how what stands behind a command's name is read.
//! - `command/meant.rs`: which command may have been meant by a word that is none.
//! - `command/parse.rs`: from a line to what it asks for.

mod arguments;
mod meant;
mod parse;
mod row;
mod table;
#[cfg(test)]
mod tests;

pub use arguments::{LAST, POST_MARK, first_word};
pub use parse::{is_secret, leaves, parse};
pub use row::{
    Completes, HISTORY_COUNT, HISTORY_COUNT_MAX, HelpPage, HelpTopic, Mistake, PasswordCommand,
    Row, Section, TypedCommand,
};
pub use table::{ASSIGNED, SECTIONS, row, rows};
