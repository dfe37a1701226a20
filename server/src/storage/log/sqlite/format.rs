//! What everything here has to agree on about the file: its name, its pages, how a [`Seq`] stands
//! in it, and how safe a commit is.

use chatroom_proto::Seq;

/// The log's file, in its directory.
pub(super) const FILE_NAME: &str = "log.sqlite";

/// The pages of our files, in bytes.
pub(super) const PAGE_BYTES: usize = 4096;

/// What survives that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Durability {
    /// A power failure: it is on the disk.
    Full,
    /// A killed server: the system has it. The last moment before a power failure may be lost.
    Normal,
}

/// A number of the file as the place that it stands for.
pub(super) fn seq(stored: i64) -> Seq {
    Seq(stored.cast_unsigned())
}

/// A place as the file has it: SQLite knows signed numbers only.
pub(super) fn stored(seq: Seq) -> i64 {
    seq.0.cast_signed()
}
