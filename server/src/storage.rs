//! What is kept: the log that orders everything, and the archive that can be read back.
//!
//! - [`log`]: the trait, a log in memory, and a log on disk.
//! - [`archive`]: a view of the log, for history, search and what a client missed.
//! - `retention`: deletes what is older than the server keeps. `erasure`: erases from the log what
//!   somebody has deleted.
//! - [`data_dir`]: where a server keeps its files. `disk_error`: how it is told that SQLite can't
//!   use one.
//!
//! This room knows logs by their trait, and folds them; it never sees the chat that the dispatch
//! task owns.

pub mod archive;
pub mod data_dir;
mod disk_error;
pub(crate) mod erasure;
pub mod log;
pub(crate) mod retention;
