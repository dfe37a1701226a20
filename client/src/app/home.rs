//! Where files are kept between runs.

use std::fmt::Write;
use std::path::PathBuf;

use chatroom_proto::NameKey;

/// The longest name of a file, in bytes: what usual file systems take is 255.
const NAME_BYTES_MAX: usize = 200;

/// `$XDG_STATE_HOME/chatroom`, or what the specification says without it. Nothing without a home.
pub(crate) fn directory() -> Option<PathBuf> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("chatroom"))
}

/// The file for what must not be forgotten of this name on this server: no two have the same.
pub(crate) fn state_file(host: &str, port: u16, name: &NameKey) -> Option<PathBuf> {
    let server = format!("{}_{port}", harmless(&host.to_lowercase()));
    let mut file = directory()?.join("clients");
    file.extend(parts(&server));
    file.extend(parts(&harmless(name.as_str())));
    Some(file)
}

/// A name that is too long for one file, as the directories that lead to it: all but the last end
/// in what no name has.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        let last = parts.len() - 1;
        if parts[last].len() + c.len_utf8() > NAME_BYTES_MAX {
            parts[last].push('+');
            parts.push(String::new());
        }
        let last = parts.len() - 1;
        parts[last].push(c);
    }
    parts
}

/// A text as the name of a file: letters and digits of any script stay, and a dot that does not
/// begin it; each byte of anything else becomes a number.
fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c.is_alphanumeric() || c == '-' || (c == '.' && at > 0) {
            harmless.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(harmless, "%{byte:02X}");
            }
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_can_do_no_harm_and_is_nobody_elses() {
        assert_eq!(harmless("chat.example"), "chat.example");
        assert_eq!(harmless("علی"), "علی");
        assert_eq!(harmless("../a/b"), "%2E.%2Fa%2Fb");
        assert_eq!(harmless("."), "%2E");
        assert_eq!(harmless("a%2Fb"), "a%252Fb");
        assert_eq!(harmless("::1"), "%3A%3A1");
        // The port stands behind the only such line.
        assert_eq!(harmless("host_9000"), "host%5F9000");
        assert_eq!(harmless("\u{202e}\0"), "%E2%80%AE%00");
    }

    #[test]
    fn a_name_of_emoji_is_a_file_deeper_down() {
        let name = harmless(&"\u{1F980}".repeat(32));
        let parts = parts(&name);
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.len() <= NAME_BYTES_MAX + 1), "{parts:?}");
        assert_eq!(
            parts[0].strip_suffix('+').map(|first| first.to_owned() + &parts[1]),
            Some(name)
        );
        assert_eq!(super::parts("Jim"), ["Jim"]);
    }
}
