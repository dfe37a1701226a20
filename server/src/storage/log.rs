//! The log: the one order of everything that happens, and the only way to change shared state.
//!
//! - `interface`: the trait [`Log`], its contract, and [`LogError`].
//! - `memory`: a log in memory, which is gone with its process. `sqlite`: a log on disk.
//! - `tail`: the newest entries, which both keep in memory for those who follow.
//! - `contract`: the contract as scenes, which every log has to pass.

#[cfg(test)]
mod contract;
mod interface;
mod memory;
mod sqlite;
mod tail;

pub(crate) use interface::entry_checksum;
pub use interface::{Batch, Batches, Log, LogError, LogIdentity, LogSnapshot};
pub use memory::MemoryLog;
pub(crate) use sqlite::VacantDirectory;
pub use sqlite::{Durability, LogReader, SqliteLog};
