//! The password that a program without a person at it comes with. Never on the command line, which
//! everybody on the machine can read.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use chatroom_proto::{PASSWORD_BYTES_MAX, Password};

/// What came of looking for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) password: Option<Password>,
    /// A file that others can read, too.
    pub(crate) warning: Option<String>,
}

/// Gets it from where the command line says. Otherwise what was looked at, and why there is no
/// password.
pub(crate) fn given(file: Option<&Path>, command: Option<&str>) -> Result<Given, (String, String)> {
    if let Some(file) = file {
        let from = file.display().to_string();
        let (text, is_open) = read(file).map_err(|error| (from.clone(), error.to_string()))?;
        let password = first_line(&text).map_err(|why| (from.clone(), why))?;
        return Ok(Given { password: Some(password), warning: is_open.then_some(from) });
    }
    if let Some(command) = command {
        let from = || format!("what '{command}' says");
        let text = run(command).map_err(|error| (from(), error.to_string()))?;
        let password = first_line(&text).map_err(|why| (from(), why))?;
        return Ok(Given { password: Some(password), warning: None });
    }
    Ok(Given::default())
}

/// A file, and whether others than its owner can read it.
fn read(file: &Path) -> io::Result<(Vec<u8>, bool)> {
    let is_open = fs::metadata(file)?.permissions().mode() & 0o044 != 0;
    Ok((fs::read(file)?, is_open))
}

fn run(command: &str) -> io::Result<Vec<u8>> {
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(io::Error::other(format!("it failed ({})", output.status)))
    }
}

fn first_line(text: &[u8]) -> Result<Password, String> {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let wrong = || format!("its first line must have 1 to {PASSWORD_BYTES_MAX} bytes");
    Password::try_from(line.to_owned()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revealed(given: &Given) -> &str {
        given.password.as_ref().unwrap().reveal()
    }

    #[test]
    fn it_is_the_first_line_of_a_file_or_of_what_a_command_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hunter 2\r\nmore\n").unwrap();
        let from_file = given(Some(file.path()), None).unwrap();
        assert_eq!((revealed(&from_file), &from_file.warning), ("hunter 2", &None));
        assert_eq!(revealed(&given(None, Some("echo hunter; echo 2")).unwrap()), "hunter");
        assert_eq!(given(None, None).unwrap(), Given::default());
    }

    #[test]
    fn a_file_that_others_can_read_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hunter2").unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(given(Some(file.path()), None).unwrap().warning.is_some());
    }

    #[test]
    fn no_password_is_told_from_a_wrong_one() {
        assert!(given(Some(Path::new("/nowhere")), None).is_err());
        assert!(given(None, Some("exit 3")).unwrap_err().1.contains("failed"));
        assert!(given(None, Some("true")).unwrap_err().1.contains("first line"));
    }
}
