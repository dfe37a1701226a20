//! Where lines are said.

use chatroom_proto::{Conversation, GroupName};

use super::text::View;

/// How commands are typed meanwhile.
const HOW_TO_GO_ON: &str = "A line that begins with / is a command: /close ends this, /help helps.";

impl View {
    /// From now on every line is said there.
    pub fn opened(self, conversation: &Conversation) -> String {
        self.system(format!("What you type is said {}. {HOW_TO_GO_ON}", place(conversation)))
    }

    /// From now on every line is a command.
    pub fn closed(self) -> String {
        self.system("What you type is a command again.")
    }

    /// One can't speak there.
    pub fn not_opened(self, group: &GroupName) -> String {
        self.warning(format!("You are not in group chat '{group}'. First: join {group}"))
    }

    /// What is open was a group, and one is not in it any more.
    pub fn closed_with(self, group: &GroupName) -> String {
        self.warning(format!(
            "You are not in group chat '{group}' any more: what you type is a command again."
        ))
    }

    /// What was chosen before can't be read.
    pub fn no_settings(self, file: &str, why: &str) -> String {
        self.warning(format!("What you have chosen before can't be read: {file}: {why}"))
    }

    /// What is chosen now can't be kept.
    pub fn not_kept(self, file: &str, why: &str) -> String {
        self.warning(format!(
            "This holds until you leave; it can't be kept for longer: {file}: {why}"
        ))
    }

    /// What is open.
    pub fn which_is_open(self, open: Option<&Conversation>) -> String {
        match open {
            Some(conversation) => self.opened(conversation),
            None => {
                self.system("No conversation is open. To open one: open [group-name|@username]")
            }
        }
    }
}

fn place(conversation: &Conversation) -> String {
    match conversation {
        Conversation::Group(group) => format!("in group chat '{group}'"),
        Conversation::User(user) => format!("to {user} alone"),
    }
}
