//! What a person has chosen at the terminal, kept for the next run.

use std::io;
use std::path::{Path, PathBuf};

use chatroom_proto::{Conversation, GroupName, NAME_MARK, UserName};

use crate::app::bell::Bell;
use crate::app::beside_state;

/// The longest file that is read, in bytes: some lines with a name each.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// What the file is called beside the client's.
const KIND: &str = "settings";

/// What is written of something that is switched on.
const ON: &str = "on";

/// The choices. Each is a line of a file: what it is about, and what was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choices {
    /// Where every line is said that is typed, if anywhere.
    pub(crate) open: Option<Conversation>,
    /// Whether the time stands before what arrives.
    pub(crate) times: bool,
    /// What the terminal rings for.
    pub(crate) bell: Bell,
}

impl Choices {
    /// Reads a file. What is no choice is left out.
    fn parse(text: &str) -> Choices {
        let mut choices = Choices::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("open", place)) => choices.open = conversation(place),
                Some(("times", ON)) => choices.times = true,
                Some(("bell", chosen)) => {
                    let bell = Bell::WORDS.into_iter().find(|(word, _)| *word == chosen);
                    choices.bell = bell.map_or(Bell::Off, |(_, bell)| bell);
                }
                _ => {}
            }
        }
        choices
    }

    /// The file as [`Choices::parse`] reads it.
    fn text(&self) -> String {
        let open = self.open.as_ref().map(|open| match open {
            Conversation::Group(group) => format!("open {group}\n"),
            Conversation::User(user) => format!("open {NAME_MARK}{user}\n"),
        });
        let times = self.times.then(|| format!("times {ON}\n"));
        let bell = (self.bell != Bell::Off).then(|| format!("bell {}\n", self.bell.word()));
        open.into_iter().chain(times).chain(bell).collect()
    }
}

/// As in a command: a group, or a person behind the mark.
fn conversation(place: &str) -> Option<Conversation> {
    match place.strip_prefix(NAME_MARK) {
        Some(user) => UserName::parse(user).ok().map(Conversation::User),
        None => GroupName::parse(place).ok().map(Conversation::Group),
    }
}

/// A choice holds for this run, and can't be kept for the next: in which file, and why.
pub(crate) type NotKept = (String, io::Error);

/// The choices, and where they are kept.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// What was chosen.
    pub(crate) choices: Choices,
    file: Option<PathBuf>,
    /// The file could not be read or written: what is in it is not what was chosen.
    is_not_kept: bool,
}

impl Settings {
    /// Reads what belongs to a client's file; without one, nothing is kept.
    pub(crate) fn open(state: Option<&Path>) -> (Settings, Option<NotKept>) {
        let Some(state) = state else { return (Settings::default(), None) };
        let file = beside_state::path(state, KIND);
        let mut settings = Settings { file: Some(file.clone()), ..Settings::default() };
        let read = settings.read_again();
        let fault = read.err().filter(|error| error.kind() != io::ErrorKind::NotFound);
        settings.is_not_kept = fault.is_some();
        (settings, fault.map(|error| (file.display().to_string(), error)))
    }

    /// Chooses something. Tells when it can't be kept, once.
    pub(crate) fn choose(&mut self, choose: impl Fn(&mut Choices)) -> Option<NotKept> {
        let mut chosen = self.choices.clone();
        choose(&mut chosen);
        if chosen == self.choices {
            return None;
        }
        self.choices = chosen;
        let file = self.file.clone()?;
        // Where that can't be locked, it is written all the same.
        let _locked = beside_state::lock(&file);
        let mut kept = self.choices.clone();
        if !self.is_not_kept {
            // Another terminal of the same name may have chosen something else meanwhile. A file
            // that is not there yet has nothing to add.
            if let Ok(text) = beside_state::read(&file, FILE_BYTES_MAX) {
                kept = Choices::parse(&text);
                choose(&mut kept);
            }
        }
        let written = beside_state::write(&file, &kept.text());
        let was_kept = !std::mem::replace(&mut self.is_not_kept, written.is_err());
        let error = written.err().filter(|_| was_kept)?;
        Some((file.display().to_string(), error))
    }

    fn read_again(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            self.choices = Choices::parse(&beside_state::read(file, FILE_BYTES_MAX)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn group(name: &str) -> Option<Conversation> {
        Some(Conversation::Group(GroupName::parse(name).unwrap()))
    }

    #[test]
    fn choices_are_read_as_they_were_written_and_what_is_none_is_left_out() {
        let user = Some(Conversation::User(UserName::parse("علی").unwrap()));
        for open in [None, group("G1"), user] {
            let choices = Choices { open, ..Choices::default() };
            assert_eq!(Choices::parse(&choices.text()), choices);
        }
        for (_, bell) in Bell::WORDS {
            let choices = Choices { open: group("G1"), times: true, bell };
            assert_eq!(Choices::parse(&choices.text()), choices);
        }
        assert_eq!(Choices::default().text(), "", "without a choice there is nothing to keep");
        for text in
            ["open", "open two words", "closed G1", "bell loud", "times 1", "\u{1b}[2J", "open @"]
        {
            assert_eq!(Choices::parse(text), Choices::default(), "{text}");
        }
    }

    #[test]
    fn a_choice_is_kept_for_the_next_run_and_where_it_can_not_be_that_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("clients/Jim");
        let (mut settings, fault) = Settings::open(Some(&state));
        assert!(fault.is_none());
        assert!(settings.choose(|chosen| chosen.open = None).is_none());
        let file = directory.path().join("clients/Jim_settings");
        assert!(!file.exists(), "nothing was chosen");
        assert!(settings.choose(|chosen| chosen.open = group("G1")).is_none());
        assert_eq!(Settings::open(Some(&state)).0.choices.open, group("G1"));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(settings.choose(|chosen| chosen.open = group("G2")).is_some());
        assert!(settings.choose(|chosen| chosen.open = group("G3")).is_none(), "it was told");
        assert_eq!(settings.choices.open, group("G3"));
        assert!(Settings::open(Some(&state)).1.is_some());
    }
}
