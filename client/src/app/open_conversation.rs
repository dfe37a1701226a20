//! The conversation that is open: every line that is typed is said there.
//!
//! While none is open, every line is a command. In both cases a line that begins with one slash is
//! a command.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_proto::{Conversation, GroupName};

use crate::app::command::{self, TypedCommand};

/// What a command may begin with; twice, it begins a message.
const COMMAND_MARK: char = '/';

/// Hears what stands before each line from now on.
type OnChange = Box<dyn Fn(&str) + Send>;

/// A handle: whoever reads lines and whoever hears of memberships have one each.
#[derive(Clone, Default)]
pub struct OpenConversation(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    open: Option<Conversation>,
    on_change: Option<OnChange>,
}

impl OpenConversation {
    /// Has this called with the prompt whenever it changes.
    pub fn on_change(&self, on_change: impl Fn(&str) + Send + 'static) {
        self.lock().on_change = Some(Box::new(on_change));
    }

    /// What stands before each line: nothing, as the assignment has it, while none is open.
    pub fn prompt(&self) -> String {
        self.lock().prompt()
    }

    /// The one that is open.
    pub fn get(&self) -> Option<Conversation> {
        self.lock().open.clone()
    }

    /// Opens this one, or closes the one that is open.
    pub fn set(&self, open: Option<Conversation>) {
        let mut state = self.lock();
        if state.open != open {
            state.open = open;
            let prompt = state.prompt();
            state.on_change.iter().for_each(|on_change| on_change(&prompt));
        }
    }

    /// This one is no member of that group any more. Whether it was open, and is closed.
    pub fn left(&self, group: &GroupName) -> bool {
        let is_open = matches!(self.get(),
            Some(Conversation::Group(open)) if open.key() == group.key());
        if is_open {
            self.set(None);
        }
        is_open
    }

    /// The command that a typed line is. What opens or closes a conversation is done at once, so
    /// that the next line is read as it is meant.
    pub fn take(&self, line: String) -> String {
        let command = self.command(line);
        match command::parse(&command) {
            Ok(Some(TypedCommand::Open(Some(conversation)))) => self.set(Some(conversation)),
            Ok(Some(TypedCommand::Close)) => self.set(None),
            _ => {}
        }
        command
    }

    /// Where in a typed line its command begins; nothing when it is a message.
    pub fn command_at(&self, line: &str) -> Option<usize> {
        let blank = line.len() - line.trim_start().len();
        let rest = &line[blank..];
        let marked = rest.strip_prefix(COMMAND_MARK);
        if marked.is_some_and(|rest| !rest.starts_with(COMMAND_MARK)) {
            return Some(blank + COMMAND_MARK.len_utf8());
        }
        self.lock().open.is_none().then_some(0)
    }

    fn command(&self, line: String) -> String {
        if let Some(at) = self.command_at(&line) {
            return line[at..].to_owned();
        }
        let Some(open) = self.get().filter(|_| !line.trim().is_empty()) else { return line };
        let text = match line.trim_start().strip_prefix(COMMAND_MARK) {
            // It was written twice.
            Some(text) => text,
            None => &line,
        };
        match open {
            Conversation::Group(group) => format!("public {group} {text}"),
            Conversation::User(user) => format!("private {user} {text}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn prompt(&self) -> String {
        match &self.open {
            None => String::new(),
            Some(Conversation::Group(group)) => format!("{group}> "),
            Some(Conversation::User(user)) => format!("@{user}> "),
        }
    }
}

impl fmt::Debug for OpenConversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenConversation").field(&self.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn take(open: &OpenConversation, line: &str) -> String {
        open.take(line.to_owned())
    }

    #[test]
    fn without_an_open_conversation_a_line_is_a_command_with_and_without_its_mark() {
        let open = OpenConversation::default();
        for (line, command) in
            [("users", "users"), ("/join tea", "join tea"), (" /users", "users"), ("//x", "//x")]
        {
            assert_eq!(take(&open, line), command);
        }
    }

    #[test]
    fn in_an_open_conversation_a_line_is_said_there() {
        let (open, (prompts, changed)) = (OpenConversation::default(), mpsc::sync_channel(8));
        open.on_change(move |prompt| prompts.send(prompt.to_owned()).unwrap());
        take(&open, "open G1");
        for (line, command) in [
            ("hello there", "public G1 hello there"),
            ("users", "public G1 users"),
            ("/users", "users"),
            ("//usr is a folder", "public G1 /usr is a folder"),
            ("", ""),
            ("/open @Bob", "open @Bob"),
            ("psst\nand more", "private Bob psst\nand more"),
            ("/close", "close"),
            ("users", "users"),
        ] {
            assert_eq!(take(&open, line), command);
        }
        assert_eq!(changed.try_iter().collect::<Vec<_>>(), ["G1> ", "@Bob> ", ""]);
    }

    #[test]
    fn a_group_that_one_is_no_member_of_any_more_is_closed() {
        let open = OpenConversation::default();
        take(&open, "open tea");
        assert!(!open.left(&GroupName::general()));
        assert!(open.left(&GroupName::parse("TEA").unwrap()));
        assert_eq!(open.get(), None);
    }
}
