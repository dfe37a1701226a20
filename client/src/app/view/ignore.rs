//! Whom this person does not want to hear.

use chatroom_proto::UserName;

use super::text::View;
use crate::app::ignore::{Change, IGNORED_MAX, Ignored};

impl View {
    /// Everybody who is ignored.
    pub fn ignored(self, ignored: &Ignored) -> String {
        let mut names = ignored.names().peekable();
        if names.peek().is_none() {
            return self.system("You ignore nobody.");
        }
        self.list("ignored users:", names.map(UserName::as_str))
    }

    /// Somebody is ignored from now on, or not.
    pub fn ignoring(self, name: &UserName, change: &Change) -> String {
        match change {
            Change::Done => self.system(format!(
                "You hear nothing more of what {name} says. To hear it again: unignore {name}"
            )),
            Change::None => self.warning(format!("You ignore {name} already.")),
            Change::Full => self.warning(format!(
                "You ignore {IGNORED_MAX} people, and nobody can ignore more: {name} is still \
                 heard. Take somebody off first: unignore [username]"
            )),
            Change::NotKept(file, why) => self.warning(format!(
                "You hear nothing more of what {name} says until you leave; it can't be kept for \
                 longer: {file}: {why}"
            )),
        }
    }

    /// Nobody has that name; somebody may have one that is like it.
    pub fn ignoring_nobody(self, name: &UserName, meant: Option<&str>) -> String {
        let nobody = format!("Nobody called '{name}' is here, or was lately.");
        self.warning(match meant {
            Some(meant) => format!(
                "{nobody} Did you mean '{meant}'? Then: unignore {name}, and ignore {meant}"
            ),
            None => format!("{nobody} If one comes, nothing is heard of what they say."),
        })
    }

    /// Somebody is heard again, or not.
    pub fn hearing_again(self, name: &UserName, change: &Change) -> String {
        match change {
            Change::Done => self.system(format!("You hear again what {name} says.")),
            Change::None | Change::Full => {
                self.warning(format!("You don't ignore {name}. Type 'ignore' to see whom you do."))
            }
            Change::NotKept(file, why) => self.warning(format!(
                "You hear again what {name} says until you leave; it can't be kept for longer: \
                 {file}: {why}"
            )),
        }
    }

    /// Nobody ignores themselves.
    pub fn ignoring_oneself(self) -> String {
        self.warning("You don't hear what you say yourself, so there is nothing to ignore.")
    }

    /// The list can't be read.
    pub fn no_ignored(self, file: &str, why: &str) -> String {
        self.warning(format!(
            "Whom you ignored can't be read, so everybody is heard: {file}: {why}"
        ))
    }

    /// In what is read back, some is left out.
    pub fn left_out(self, count: usize) -> String {
        let messages = if count == 1 { "1 message is" } else { &format!("{count} messages are") };
        self.hint(format!("[{messages} not shown, of those whom you ignore]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view::tests::{user, view};

    #[test]
    fn every_change_has_its_words() {
        let jim = user("Jim");
        let not_kept =
            || Change::NotKept("a file".to_owned(), std::io::ErrorKind::PermissionDenied.into());
        assert_eq!(
            view().ignoring(&jim, &Change::Done),
            "You hear nothing more of what Jim says. To hear it again: unignore Jim"
        );
        assert_eq!(view().ignoring(&jim, &Change::None), "You ignore Jim already.");
        assert!(view().ignoring(&jim, &Change::Full).contains("Jim is still heard"));
        assert!(view().ignoring(&jim, &not_kept()).ends_with("a file: permission denied"));
        assert_eq!(view().hearing_again(&jim, &Change::Done), "You hear again what Jim says.");
        assert!(view().hearing_again(&jim, &Change::None).contains("'ignore'"));
        assert!(view().hearing_again(&jim, &not_kept()).contains("a file"));
        assert_eq!(view().ignored(&Ignored::default()), "You ignore nobody.");
        assert_eq!(view().left_out(1), "[1 message is not shown, of those whom you ignore]");
        assert_eq!(view().left_out(2), "[2 messages are not shown, of those whom you ignore]");
    }
}
