//! Which part may know which: the arrows of the architecture, read off the `use` lines and paths of
//! the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// A part of the sources, and what may not be in it. Tests beside the code may know more than the
/// code.
struct Rule {
    /// A file or a folder.
    part: &'static str,
    /// Paths that it must not name.
    never: &'static [&'static str],
    /// Why.
    because: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        part: "proto/src",
        never: &["chatroom_server", "chatroom_client"],
        because: "the protocol imports nothing of ours",
    },
    Rule {
        part: "server/src",
        never: &["chatroom_client"],
        because: "client and server never import each other",
    },
    Rule {
        part: "client/src",
        never: &["chatroom_server"],
        because: "client and server never import each other",
    },
    Rule {
        part: "server/src/chat",
        never: CHAT_NEVER,
        because: "the chat imports std and the protocol's types; time is an argument",
    },
    Rule {
        part: "server/src/chat.rs",
        never: CHAT_NEVER,
        because: "the chat imports std and the protocol's types; time is an argument",
    },
    Rule {
        part: "server/src/log.rs",
        never: &["chat::Chat", "chat::World", "World", "dispatch", "connection", "outbox"],
        because: "the log knows entries and never the chat",
    },
    Rule {
        part: "server/src/log",
        never: &["chat::Chat", "chat::World", "World", "dispatch", "connection", "outbox"],
        because: "the log knows entries and never the chat",
    },
    Rule {
        part: "server/src/archive.rs",
        never: ARCHIVE_NEVER,
        because: "the archive follows a log and folds it",
    },
    Rule {
        part: "server/src/archive",
        never: ARCHIVE_NEVER,
        because: "the archive follows a log and folds it",
    },
    Rule {
        part: "server/src/connection.rs",
        never: &["chat::Chat", "chat::World", "World", "crate::log", "dyn Log", "MemoryLog"],
        because: "a connection knows the protocol, its outbox and the door to dispatch",
    },
    Rule {
        part: "server/src/listener.rs",
        never: &["chat::Chat", "chat::World", "World", "crate::log", "dyn Log", "MemoryLog"],
        because: "the listener knows connections and the door to dispatch",
    },
    Rule {
        part: "server/src/outbox.rs",
        never: &["crate::chat", "crate::log", "dispatch", "connection::"],
        because: "an outbox knows bytes",
    },
    Rule {
        part: "server/src/dispatch.rs",
        never: &["MemoryLog", "crate::listener", "crate::connection"],
        because: "only main names a concrete log, and dispatch knows connections by their outboxes",
    },
    Rule {
        part: "server/src/lib.rs",
        never: &["MemoryLog"],
        because: "only main names a concrete log",
    },
    Rule { part: "server/src/stream.rs", never: BYTES_NEVER, because: "a stream knows bytes" },
    Rule {
        part: "server/src/tls.rs",
        never: BYTES_NEVER,
        because: "a key knows nothing of the chat",
    },
    Rule { part: "server/src/tls", never: BYTES_NEVER, because: "a key knows nothing of the chat" },
    Rule {
        part: "client/src/trust.rs",
        never: &["tokio", "rustls", "tokio_rustls", "std::net"],
        because: "whom to trust is decided apart from how one speaks",
    },
    Rule {
        part: "client/src/trust",
        never: &["tokio", "rustls", "tokio_rustls", "std::net"],
        because: "whom to trust is decided apart from how one speaks",
    },
    Rule {
        part: "client/src/view.rs",
        never: &["tokio", "rustyline", "std::io", "std::net"],
        because: "the view is pure",
    },
    Rule {
        part: "client/src/view",
        never: &["tokio", "rustyline", "std::io", "std::net"],
        because: "the view is pure",
    },
    Rule {
        part: "client/src/command.rs",
        never: &["tokio", "rustyline", "std::io", "std::net"],
        because: "the table of commands is pure",
    },
    Rule {
        part: "client/src/command",
        never: &["tokio", "rustyline", "std::io", "std::net"],
        because: "the table of commands is pure",
    },
    Rule {
        part: "client/src/state.rs",
        never: &["tokio", "rustyline", "std::io", "std::net"],
        because: "the state is pure",
    },
];

const BYTES_NEVER: &[&str] = &[
    "crate::chat",
    "crate::dispatch",
    "crate::connection",
    "crate::listener",
    "crate::outbox",
    "crate::log",
];

const CHAT_NEVER: &[&str] = &[
    "tokio",
    "futures",
    "bytes::",
    "rusqlite",
    "std::net",
    "std::io",
    "std::fs",
    "std::time",
    "Instant",
    "SystemTime",
    "codec",
    "crate::log",
    "crate::dispatch",
    "crate::connection",
    "crate::outbox",
    "crate::clock",
];

/// It knows entries and the state that they make, and the trait of logs.
const ARCHIVE_NEVER: &[&str] = &[
    "chat::Chat",
    "Chat",
    "MemoryLog",
    "SqliteLog",
    "crate::dispatch",
    "crate::connection",
    "crate::listener",
    "crate::outbox",
    "crate::replay",
    "std::net",
];

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the workspace is above this crate").to_owned()
}

fn sources(part: &Path) -> Vec<PathBuf> {
    if part.is_file() {
        return vec![part.to_owned()];
    }
    let entries = fs::read_dir(part).unwrap_or_else(|error| panic!("{}: {error}", part.display()));
    let mut files: Vec<PathBuf> =
        entries.flat_map(|entry| sources(&entry.expect("a readable folder").path())).collect();
    let is_test = |file: &Path| {
        file.components().any(|part| part.as_os_str() == "tests.rs" || part.as_os_str() == "tests")
    };
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.retain(|file| !file.strip_prefix(workspace()).is_ok_and(is_test));
    files
}

/// The code of a file: no comments, nothing of its tests.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    without_tests(&text)
}

/// What stands behind `#[cfg(test)]` is left out up to its end: a `;`, or the brace that closes it,
/// which the formatter puts under its first letter.
fn without_tests(text: &str) -> Vec<(usize, String)> {
    let mut lines = text.lines().enumerate();
    let mut kept = Vec::new();
    while let Some((n, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            lines.by_ref().find(|(_, line)| {
                line.ends_with(';') && !line.starts_with(&format!("{indent} ")) || *line == end
            });
        } else {
            kept.push((n + 1, line.split("//").next().unwrap_or_default().to_owned()));
        }
    }
    kept
}

/// Whether a line names a path: as a whole word, not as a part of another one.
fn names(line: &str, path: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let open_end = path.ends_with(':') || path == "futures";
        !before.is_some_and(is_word) && (open_end || !after.is_some_and(is_word))
    })
}

fn breaches(rule: &Rule) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources(&workspace().join(rule.part)) {
        for (number, line) in code(&file) {
            for path in rule.never.iter().filter(|path| names(&line, path)) {
                found.push(format!("{}:{number} names {path}: {}", file.display(), rule.because));
            }
        }
    }
    found
}

#[test]
fn no_arrow_of_the_architecture_is_broken() {
    let found: Vec<String> = RULES.iter().flat_map(breaches).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_rules_look_at_something() {
    for rule in RULES {
        let files = sources(&workspace().join(rule.part));
        assert!(!files.is_empty(), "{} has no sources any more", rule.part);
        assert!(files.iter().all(|file| !code(file).is_empty()), "{} has an empty file", rule.part);
    }
}

#[test]
fn a_broken_arrow_is_seen() {
    assert!(names("use tokio::net;", "tokio"));
    assert!(names("    let now = std::time::Instant::now();", "Instant"));
    assert!(names("use futures_util::StreamExt;", "futures"));
    assert!(!names("use crate::chat::effect;", "chat::Chat"));
    assert!(!names("struct WorldMap;", "World"));
}

#[test]
fn only_tests_are_left_out() {
    let text = "use a;\n#[cfg(test)]\nmod tests;\nuse b;\n#[cfg(test)]\nmod more \
        {\n    use c;\n}\nfn d() {} // e\n";
    let code: Vec<_> =
        without_tests(text).into_iter().map(|(n, line)| format!("{n} {}", line.trim())).collect();
    assert_eq!(code, ["1 use a;", "4 use b;", "9 fn d() {}"]);
}
