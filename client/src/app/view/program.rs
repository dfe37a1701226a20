//! What this program says of itself: how it is used, and what it can't do.

use chatroom_proto::NameError;

use super::text::View;
use crate::app::command::{self, ASSIGNED, Completes};

impl View {
    /// For one who has just come in at a terminal.
    pub fn orientation(self) -> String {
        let help = command::rows().filter(|row| row.completes.contains(&Completes::Topics));
        let names: Vec<_> =
            command::rows().take(ASSIGNED).chain(help).map(|row| row.name).collect();
        self.hint(format!("Try {} or Tab.", names.join(", ")))
    }

    /// A line was typed and has no place to wait.
    pub fn too_much_typed(self) -> String {
        self.warning(
            "Too many lines wait for the server: this one was not taken. The up arrow brings it \
             back.",
        )
    }

    /// Says how to leave.
    pub fn how_to_leave(self) -> String {
        self.hint("Type 'exit' or press Ctrl-D to leave.")
    }

    /// A text that wants to be a name, and is none.
    pub fn bad_name(self, name: &str, error: &NameError) -> String {
        self.warning(format!(
            "'{name}' can't be your name: {}. Choose another one.",
            name_error(error)
        ))
    }

    /// No name was given, and there is nobody to ask.
    pub fn no_name(self) -> String {
        self.warning("A name is needed: the third argument, or the first line of the input.")
    }

    /// The client leaves, and the server does not answer.
    pub fn unanswered(self, count: usize) -> String {
        self.warning(format!(
            "The server did not answer in time: {} perhaps not carried out.",
            commands_were(count)
        ))
    }

    /// The client leaves while the connection is lost. Nothing when nothing is undone.
    pub fn undone(self, unanswered: usize, unsent: usize) -> Option<String> {
        let mut undone = Vec::new();
        if unanswered > 0 {
            undone.push(format!("{} perhaps not carried out", commands_were(unanswered)));
        }
        if unsent > 0 {
            undone.push(format!("{} not sent", commands_were(unsent)));
        }
        let undone = undone.join(", and ");
        (!undone.is_empty()).then(|| self.warning(format!("The connection is lost: {undone}.")))
    }

    /// The standard output takes nothing.
    pub fn no_output(self, why: &str) -> String {
        self.warning(format!(
            "What the server says can't be written to the standard output: {why}."
        ))
    }

    /// The history of lines is not kept.
    pub fn no_history(self, file: &str, why: &str) -> String {
        self.warning(format!(
            "The history is not kept: {file}: {why}. To choose another file: --history FILE"
        ))
    }

    /// The log would spoil the screen.
    pub fn no_log(self) -> String {
        self.warning(
            "Nothing is logged: at a terminal the log needs a file. Choose one: --log-file FILE",
        )
    }
}

/// So many more names could stand here than are shown.
pub fn more_names(count: usize) -> String {
    format!("({count} more)")
}

/// What is wrong with a name. Characters that one types without seeing them have names; the others
/// have numbers.
pub(super) fn name_error(error: &NameError) -> String {
    let what = match error {
        NameError::Forbidden(' ') => "a space",
        NameError::Forbidden('\t') => "a tab",
        NameError::Forbidden('\n' | '\r') => "a new line",
        NameError::Forbidden('\u{a0}') => "a no-break space",
        error => return error.to_string(),
    };
    format!("a name can't have {what} in it")
}

fn commands_were(count: usize) -> String {
    if count == 1 { "1 command was".to_owned() } else { format!("{count} commands were") }
}
