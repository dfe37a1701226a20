//! What is kept: the log that orders everything, and the archive that can be read back.
//!
//! - [`log`]: the trait, a log in memory, a log on disk.
//! - [`archive`]: a view of the log, for history, search and replay.
//! - `retention`: deletes what is older than the server keeps.
//! - [`data_dir`]: where a server keeps its files.

pub mod archive;
pub mod data_dir;
pub mod log;
pub(crate) mod retention;
