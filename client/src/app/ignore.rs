//! Whom this person does not want to hear: a list that only this side knows, kept between runs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use chatroom_proto::{NameKey, Notification, Post, UserName};

use crate::app::beside_state;

/// The most people on the list: more than anybody meets.
pub const IGNORED_MAX: usize = 1_000;

/// The longest file that is read, in bytes: as many of the longest names, each on its line.
const FILE_BYTES_MAX: u64 = 1_000 * (4 * 32 + 1);

/// What the file is called beside the client's.
const KIND: &str = "ignored";

/// Whom one ignores. Pure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ignored(BTreeMap<NameKey, UserName>);

impl Ignored {
    /// Reads a list, one name a line. What is no name is left out.
    fn parse(text: &str) -> Ignored {
        let names = text.lines().filter_map(|line| UserName::parse(line).ok()).take(IGNORED_MAX);
        Ignored(names.map(|name| (name.key(), name)).collect())
    }

    /// The list as [`Ignored::parse`] reads it.
    fn text(&self) -> String {
        self.0.values().map(|name| format!("{name}\n")).collect()
    }

    /// Who is on it.
    pub fn names(&self) -> impl Iterator<Item = &UserName> {
        self.0.values()
    }

    /// Whether somebody is on it.
    pub fn has(&self, name: &UserName) -> bool {
        self.0.contains_key(&name.key())
    }

    /// Whether this was said by somebody on it.
    pub fn said(&self, post: &Post) -> bool {
        !self.0.is_empty() && self.0.contains_key(&post.from.key())
    }

    /// Whether this tells what somebody on it said.
    pub fn hides(&self, notification: &Notification) -> bool {
        notification.words_of().is_some_and(|author| self.has(author))
    }

    /// Puts somebody on it. Whether that was to be done, and there was room for it.
    fn add(&mut self, name: UserName) -> bool {
        let has_room = self.0.len() < IGNORED_MAX && !self.0.contains_key(&name.key());
        has_room && self.0.insert(name.key(), name).is_none()
    }

    fn remove(&mut self, name: &UserName) -> bool {
        self.0.remove(&name.key()).is_some()
    }
}

/// What came of a change.
#[derive(Debug)]
pub enum Change {
    /// It is done, and kept.
    Done,
    /// It was so already.
    None,
    /// There are too many.
    Full,
    /// It is done for this run, and can't be kept.
    NotKept(String, io::Error),
}

/// The list, and where it is kept.
#[derive(Debug, Default)]
pub struct IgnoreList {
    /// Whose messages are not shown.
    pub ignored: Ignored,
    file: Option<PathBuf>,
    own: Option<UserName>,
    /// The file could not be read or written: what is in it is not all.
    is_not_kept: bool,
}

impl IgnoreList {
    /// Reads the list that belongs to a client's file; without one, nothing is kept. Nobody ignores
    /// themselves, whoever had the file before: what one says with another device would not be
    /// shown.
    pub fn open(state: Option<&Path>, own: &UserName) -> (IgnoreList, Option<(String, io::Error)>) {
        let Some(state) = state else { return (IgnoreList::default(), None) };
        let file = beside_state::path(state, KIND);
        let mut list = IgnoreList {
            ignored: Ignored::default(),
            file: Some(file.clone()),
            own: Some(own.clone()),
            is_not_kept: false,
        };
        let read = list.read_again();
        let fault = read.err().filter(|error| error.kind() != io::ErrorKind::NotFound);
        list.is_not_kept = fault.is_some();
        (list, fault.map(|error| (file.display().to_string(), error)))
    }

    /// Puts somebody on the list.
    pub fn add(&mut self, name: UserName) -> Change {
        self.change(|ignored| match (ignored.has(&name), ignored.add(name)) {
            (true, _) => Change::None,
            (false, true) => Change::Done,
            (false, false) => Change::Full,
        })
    }

    /// Takes somebody off it.
    pub fn remove(&mut self, name: &UserName) -> Change {
        self.change(|ignored| if ignored.remove(name) { Change::Done } else { Change::None })
    }

    /// Changes the list that is in the file: another terminal of the same name may have changed it
    /// meanwhile.
    fn change(&mut self, change: impl FnOnce(&mut Ignored) -> Change) -> Change {
        let Some(file) = self.file.clone() else { return change(&mut self.ignored) };
        // Where that can't be locked, it is changed all the same.
        let _locked = beside_state::lock(&file);
        if !self.is_not_kept {
            // One that is not there yet is not kept yet.
            let _ = self.read_again();
        }
        let changed = change(&mut self.ignored);
        if !matches!(changed, Change::Done) {
            return changed;
        }
        let written = beside_state::write(&file, &self.ignored.text());
        self.is_not_kept = written.is_err();
        match written {
            Ok(()) => Change::Done,
            Err(error) => Change::NotKept(file.display().to_string(), error),
        }
    }

    fn read_again(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            self.ignored = Ignored::parse(&beside_state::read(file, FILE_BYTES_MAX)?);
        }
        if let Some(own) = &self.own {
            self.ignored.remove(own);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use chatroom_proto::{Body, GroupName, Moderation, PostId, Seq, UnixMillis};

    use super::*;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn post(from: &str) -> Post {
        let body = Body::parse("hi").unwrap();
        Post {
            seq: Seq(2),
            prev: Seq(1),
            at: UnixMillis(0),
            id: PostId([0; 16]),
            from: user(from),
            body,
        }
    }

    #[test]
    fn somebody_is_ignored_in_any_case_until_taken_off() {
        let mut ignored = Ignored::default();
        assert!(!ignored.said(&post("Jim")));
        assert!(ignored.add(user("jim")) && !ignored.add(user("JIM")));
        assert!(ignored.said(&post("Jim")) && !ignored.said(&post("Ann")));
        assert!(ignored.hides(&Notification::PrivatePost { post: post("Jim"), to: user("Ann") }));
        assert!(!ignored.hides(&Notification::Departed { seq: Seq(1), user: user("Jim") }));
        assert!(ignored.remove(&user("Jim")) && !ignored.remove(&user("Jim")));
    }

    #[test]
    fn words_are_hidden_wherever_they_stand_and_deeds_are_not() {
        let mut ignored = Ignored::default();
        ignored.add(user("Jim"));
        let moderated = |act| Notification::Moderated {
            seq: Seq(1),
            at: UnixMillis(0),
            by: user("Jim"),
            group: GroupName::parse("tea").unwrap(),
            act,
        };
        assert!(ignored.hides(&moderated(Moderation::Invite { user: user("Ann") })));
        assert!(ignored.hides(&moderated(Moderation::Topic { topic: None })));
        let kick = Moderation::Kick { user: user("Ann"), reason: None };
        assert!(!ignored.hides(&moderated(kick)));
    }

    #[test]
    fn a_list_is_read_as_it_was_written_and_what_is_no_name_is_left_out() {
        let mut ignored = Ignored::default();
        for name in ["Jim", "علی", "🦀"] {
            ignored.add(user(name));
        }
        assert_eq!(Ignored::parse(&ignored.text()), ignored);
        assert_eq!(
            Ignored::parse("two words\n\nJim\n\u{1b}[2J\n").names().collect::<Vec<_>>(),
            [&user("Jim")]
        );
        let many: String = (0..2_000).map(|number| format!("{number}\n")).collect();
        let mut many = Ignored::parse(&many);
        assert_eq!(many.names().count(), IGNORED_MAX);
        assert!(!many.add(user("one-more")));
        let mut list = IgnoreList { ignored: many, ..IgnoreList::default() };
        assert!(
            matches!(list.add(user("one-more")), Change::Full)
                && matches!(list.add(user("0")), Change::None)
        );
    }

    #[test]
    fn two_terminals_change_one_list() {
        let directory = tempfile::TempDir::with_prefix("chatroom-ignore-").unwrap();
        let state = directory.path().join("clients/Jim");
        let open = || IgnoreList::open(Some(&state), &user("Jim")).0;
        let (mut one, mut other) = (open(), open());
        assert!(matches!(one.add(user("Ann")), Change::Done));
        assert!(matches!(other.add(user("Eve")), Change::Done));
        assert!(matches!(one.remove(&user("Eve")), Change::Done));
        assert!(matches!(other.add(user("Ann")), Change::None));
        assert_eq!(open().ignored.names().collect::<Vec<_>>(), [&user("Ann")]);
    }

    #[test]
    fn it_is_kept_for_the_next_run_and_for_nobody_else() {
        let directory = tempfile::TempDir::with_prefix("chatroom-ignore-").unwrap();
        let state = directory.path().join("clients/Jim");
        let open = |name| IgnoreList::open(Some(&state), &user(name));
        let (mut list, fault) = open("Jim");
        assert!(fault.is_none());
        assert!(matches!(list.add(user("Ann")), Change::Done));
        assert!(matches!(list.add(user("ann")), Change::None));
        let file = directory.path().join("clients/Jim_ignored");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let (mut again, _) = open("Jim");
        assert_eq!(again.ignored, list.ignored);
        assert_eq!(open("ann").0.ignored, Ignored::default(), "nobody ignores themselves");
        assert!(matches!(again.remove(&user("ANN")), Change::Done));
        assert_eq!(open("Jim").0.ignored, Ignored::default());
        fs::create_dir(directory.path().join("clients/Eve_ignored")).unwrap();
        assert!(
            IgnoreList::open(Some(&directory.path().join("clients/Eve")), &user("Eve")).1.is_some()
        );
    }
}
