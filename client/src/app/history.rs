//! Where the lines that were typed are kept between runs.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::app::home;

/// The most lines that are kept: a few weeks of chatting, read in a millisecond.
pub(crate) const HISTORY_LINES_MAX: usize = 1_000;

/// `$XDG_STATE_HOME/chatroom/history`, or what the specification says in its absence. Nothing
/// without a home.
pub(crate) fn default_file() -> Option<PathBuf> {
    Some(home::directory()?.join("history"))
}

/// Makes the file, and the directories above it, for nobody else's eyes. What is there already
/// keeps its mode.
pub(crate) fn prepare(file: &Path) -> io::Result<()> {
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(file).map(drop)
}
