//! Where files are kept between runs.

use std::fmt::Write;
use std::path::PathBuf;

use chatroom_proto::NameKey;

/// `$XDG_STATE_HOME/chatroom`, or what the specification says in its absence. Nothing without a home.
pub(crate) fn directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("chatroom"))
}

/// The file for what must not be forgotten of this name on this server: no two have the same.
pub(crate) fn state_file(host: &str, port: u16, name: &NameKey) -> Option<PathBuf> {
    let server = format!("{}_{port}", harmless(&host.to_lowercase()));
    Some(directory()?.join("clients").join(server).join(harmless(name.as_str())))
}

/// A text as the name of a file: letters and digits of any script stay, and a dot that does not begin it; each byte of
/// anything else becomes a number.
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
}
