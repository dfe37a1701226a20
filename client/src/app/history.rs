//! Where the lines that were typed are kept between runs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::app::home;
use crate::private_file;

/// The most lines that are kept: a few weeks of chatting, read in a millisecond.
pub(crate) const HISTORY_LINES_MAX: usize = 1_000;

/// The longest file that is looked through for damage, in bytes: as many of the longest lines.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// `$XDG_STATE_HOME/chatroom/history`, or what the specification says without it. Nothing without a
/// home.
pub(crate) fn default_file() -> Option<PathBuf> {
    Some(home::directory()?.join("history"))
}

/// Makes the file, and the directories above it, for nobody else's eyes. What is there already
/// keeps its mode.
pub(crate) fn prepare(file: &Path) -> io::Result<()> {
    private_file::make_directories(file)?;
    private_file::open(file)?;
    repair(OpenOptions::new().read(true).write(true).open(file)?)
}

/// A machine that lost its power, or another program, may have left half a line at the end, or
/// bytes that are no text. The line editor would glue the next line to the half one, and take
/// nothing of a file with a bad byte.
fn repair(mut file: File) -> io::Result<()> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Ok(());
    }
    file.lock()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let repaired = repaired(&bytes);
    if repaired.as_bytes() != bytes {
        file.rewind()?;
        file.set_len(0)?;
        file.write_all(repaired.as_bytes())?;
    }
    Ok(())
}

/// All of it, as whole lines of text in which nothing controls a terminal.
fn repaired(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let mut text = text.replace(is_control, "\u{FFFD}");
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_torn_line_gets_its_end_and_what_is_no_text_is_replaced() {
        assert_eq!(repaired(b""), "");
        assert_eq!(repaired(b"#V2\nusers\n"), "#V2\nusers\n");
        assert_eq!(repaired(b"#V2\npublic General torn wi"), "#V2\npublic General torn wi\n");
        assert_eq!(repaired(b"#V2\ncaf\xe9\nusers\n"), "#V2\ncaf\u{FFFD}\nusers\n");
        assert_eq!(repaired(b"a\x1b[2J\0\tb\r\n"), "a\u{FFFD}[2J\u{FFFD}\tb\u{FFFD}\n");
    }

    #[test]
    fn the_file_is_repaired_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("deeper/history");
        prepare(&file).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"");
        fs::write(&file, b"#V2\ncaf\xe9").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        prepare(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "#V2\ncaf\u{FFFD}\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
