//! A line being typed. Whatever it is, with the cursor anywhere: it is parsed, completed and hinted
//! at without a panic.
//!
//! What a command becomes can be sent. What is said about a mistake is a harmless text. A
//! completion takes the place of the word at the cursor, and begins as that does.

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use chatroom_proto::chance::Chance;
use chatroom_proto::codec::{decode, encode};
use chatroom_proto::{ClientFrame, GroupName, Notification, PostId, Seq, Tag, UserName};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::history::DefaultHistory;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::shown::is_harmless;
use chatroom_client::app::command::{self, TypedCommand};
use chatroom_client::app::completer::EditorHelper;
use chatroom_client::app::directory::Directory;
use chatroom_client::app::gate::Gate;
use chatroom_client::app::line_rows::LineRows;
use chatroom_client::app::open_conversation::OpenConversation;
use chatroom_client::app::view::{Layout, Paint, View};

/// Names that the terminal has heard of, beside words of the line.
const NAMES: &[&str] =
    &["General", "Tea", "tea-house", "Jim", "علی", "می\u{200C}خواهم", "👩‍🚀", "Ünlü"];

/// How many words of the line are names as well.
const WORDS_MAX: usize = 3;

/// What a line takes, in bytes: some copies of it, and the names.
pub fn memory_max(input: &[u8]) -> usize {
    64 * 1024 + 32 * input.len()
}

/// What must hold for any line.
pub fn check(input: &[u8]) {
    let mut chance = Chance::of_input(input);
    let (cursor, colours) = (chance.any::<u16>(), chance.flag());
    let line = chance.rest();
    let line = String::from_utf8_lossy(&line);
    parse(&line, colours);
    help_with(&line, usize::from(cursor), colours);
}

fn parse(line: &str, colours: bool) {
    let view =
        View { layout: Layout::Screen, paint: Paint { colours }, zone: crate::shown::zone() };
    match command::parse(line) {
        Ok(None) => assert!(line.trim().is_empty(), "only a blank line asks for nothing"),
        Ok(Some(TypedCommand::Help(about))) => is_harmless(&view.help(about)),
        Ok(Some(command @ (TypedCommand::Ask(_) | TypedCommand::Say(..)))) => {
            let request = command.into_request(PostId([7; 16])).expect("it is for the server");
            let frame = ClientFrame { tag: Tag(7), request };
            let sent = encode(&frame).expect("what was typed fits a frame");
            assert_eq!(decode::<ClientFrame>(&sent[4..]).expect("a frame"), frame);
        }
        // Whom one ignores is this side's affair, and what needs a password becomes a request with
        // it.
        Ok(Some(
            TypedCommand::AskWithPasswords(_)
            | TypedCommand::Ignore(_)
            | TypedCommand::Unignore(_)
            | TypedCommand::Open(_)
            | TypedCommand::Close
            | TypedCommand::DeleteLast
            | TypedCommand::Exit,
        )) => {}
        Err(mistake) => is_harmless(&view.mistake(&mistake)),
    }
}

/// What a terminal knows that has just heard of its server's names, and then of those in the line.
fn directory(line: &str) -> Directory {
    static HEARD: LazyLock<Directory> = LazyLock::new(|| {
        let groups: Vec<_> = NAMES.iter().filter_map(|name| GroupName::parse(name).ok()).collect();
        let users: Vec<_> = NAMES.iter().filter_map(|name| UserName::parse(name).ok()).collect();
        let mut directory = Directory::new(&users[0], &groups[..1]);
        let now = Instant::now();
        directory.list_groups(&groups, now);
        directory.list_users(&users, now);
        directory
    });
    let mut directory = HEARD.clone();
    for word in line.split_whitespace().take(WORDS_MAX) {
        let (Ok(group), Ok(user)) = (GroupName::parse(word), UserName::parse(word)) else {
            continue;
        };
        // What may have been meant is asked for names that are not known, which these are here,
        // mostly.
        is_harmless(directory.group_like(&group).unwrap_or_default());
        is_harmless(directory.user_like(&user).unwrap_or_default());
        directory.notified(&Notification::Joined { seq: Seq::ZERO, user, group });
    }
    directory
}

fn help_with(line: &str, cursor: usize, colours: bool) {
    let (list_requests, _requested) = mpsc::channel(1);
    let helper = EditorHelper {
        directory: Arc::new(ArcSwap::from_pointee(directory(line))),
        list_requests,
        gate: Arc::new(Gate::default()),
        paint: Paint { colours },
        knows_commands: true,
        rows: LineRows::default(),
        open: OpenConversation::default(),
    };
    let history = DefaultHistory::new();
    let context = rustyline::Context::new(&history);
    // The editor's cursor is between two characters.
    let cursor = line.floor_char_boundary(cursor.min(line.len()));
    for at in [cursor, line.len()] {
        let (start, pairs) = helper.complete(line, at, &context).expect("completion can't fail");
        assert!(line.is_char_boundary(start) && start <= at, "{start} of {line:?}");
        for pair in pairs {
            assert!(!line[start..at].contains(char::is_whitespace), "a word is completed");
            is_harmless(&pair.display);
            is_harmless(pair.replacement.trim_end());
        }
        if let Some(hint) = helper.hint(line, at, &context) {
            // What is painted has line ends where rows are full.
            is_harmless(&helper.highlight_hint(hint.display()).replace("\r\n", ""));
        }
        helper.highlight(line, at);
    }
}
