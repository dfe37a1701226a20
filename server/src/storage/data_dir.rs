//! Where a server keeps things unless it is told where.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The directory for a server's data: `chatroom-server` in `$XDG_STATE_HOME`, or else in
/// `~/.local/state`. Nothing when the environment has neither, as an absolute path.
pub fn default_data() -> Option<PathBuf> {
    default_in(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"))
}

fn default_in(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // The specification of these directories says that a relative path is to be ignored.
    let absolute =
        |path: Option<OsString>| path.map(PathBuf::from).filter(|path| Path::is_absolute(path));
    let state = absolute(state).or_else(|| absolute(home).map(|home| home.join(".local/state")))?;
    Some(state.join("chatroom-server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absolute_path_is_a_place_to_keep_things() {
        let found = |state: Option<&str>, home: Option<&str>| {
            default_in(state.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(found(Some("/state"), Some("/home/jim")), Some("/state/chatroom-server".into()));
        let at_home = Some("/home/jim/.local/state/chatroom-server".into());
        for nowhere in [None, Some(""), Some("state")] {
            assert_eq!(found(nowhere, Some("/home/jim")), at_home);
            assert_eq!(found(nowhere, Some("jim")), None);
            assert_eq!(found(nowhere, None), None);
        }
    }
}
