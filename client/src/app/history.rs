//! Where the lines that were typed are kept between runs.

use std::io;
use std::path::{Path, PathBuf};

use crate::app::home;
use crate::private_file;

/// The most lines that are kept: a few weeks of chatting, read in a millisecond.
pub(crate) const HISTORY_LINES_MAX: usize = 1_000;

/// `$XDG_STATE_HOME/chatroom/history`, or what the specification says without it. Nothing without a
/// home.
pub(crate) fn default_file() -> Option<PathBuf> {
    Some(home::directory()?.join("history"))
}

/// Makes the file, and the directories above it, for nobody else's eyes. What is there already
/// keeps its mode.
pub(crate) fn prepare(file: &Path) -> io::Result<()> {
    private_file::make_directories(file)?;
    private_file::open(file).map(drop)
}
