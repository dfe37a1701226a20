//! What is said about commands: how they are written, what they do, and why a line is none.

use super::program::name_error;
use super::server_admin::ADDRESS_FORMS;
use super::text::{Layout, View};
use crate::app::command::{HISTORY_COUNT_MAX, Mistake, Row, SECTIONS, Section};

impl View {
    /// A line that is no command.
    pub fn mistake(self, mistake: &Mistake) -> String {
        self.warning(match mistake {
            Mistake::UnknownCommand { word, meant: Some(meant) } => {
                format!("There is no command '{word}'. Did you mean '{meant}'?")
            }
            Mistake::UnknownCommand { word, meant: None } => format!(
                "There is no command '{word}'. Type 'help' to see the commands. To say something: \
                 public [group-name] [message]"
            ),
            Mistake::Missing { row, what } => {
                format!("'{}' needs {what}. Usage: {}", row.name, usage(row))
            }
            Mistake::TooMuch { row } if row.asks_for_passwords() => {
                format!("Type '{}' alone: passwords are asked for then, and not shown.", row.name)
            }
            Mistake::TooMuch { row } if row.arguments.is_empty() => {
                format!("'{}' takes nothing after it. Usage: {}", row.name, usage(row))
            }
            Mistake::TooMuch { row } if row.completes.len() > 1 => {
                format!("'{}' takes nothing more. Usage: {}", row.name, usage(row))
            }
            Mistake::TooMuch { row } => {
                format!("'{}' takes one name, without spaces. Usage: {}", row.name, usage(row))
            }
            Mistake::BadName { row, name, error } => {
                format!("'{name}' is no name: {}. Usage: {}", name_error(error), usage(row))
            }
            Mistake::BadTarget { row, target } => {
                format!(
                    "'{target}' is no name and no address. {ADDRESS_FORMS} Usage: {}",
                    usage(row)
                )
            }
            Mistake::BadMessage { error } if self.layout == Layout::Screen => {
                format!("That was not sent: {error}. The up arrow brings it back.")
            }
            Mistake::BadMessage { error } => format!("That was not sent: {error}."),
            Mistake::BadCount { row, count } => {
                format!(
                    "'{count}' is no number of messages: 1 to {HISTORY_COUNT_MAX}. Usage: {}",
                    usage(row)
                )
            }
            Mistake::BadPost { row, post } => format!(
                "'{post}' is no number of a message. history shows them. Usage: {}",
                usage(row)
            ),
            Mistake::BadCode { error } => format!("That is no code: {error}."),
            Mistake::BadLine { error } => format!("That was not sent: {error}."),
            Mistake::BadDuration { row, duration } => format!(
                "'{duration}' is no time: write a number and s, m, h, d or w, as in 10m. A reason \
                 can't begin with a digit. Usage: {}",
                usage(row)
            ),
            Mistake::BadWords { error } => format!("That can't be looked for: {error}."),
        })
    }

    /// A line of input that could not even be read.
    pub fn unreadable(self, why: &str) -> String {
        self.warning(format!("A line of the input was skipped: {why}."))
    }

    /// All commands, or one.
    pub fn help(self, row: Option<&Row>) -> String {
        match row {
            Some(row) => format!("Usage: {}\n{}", usage(row), row.help),
            None => SECTIONS.map(|(section, rows)| help_section(section, rows)).join("\n"),
        }
    }
}

/// A part of the list of all commands. The arguments of those that moderate would leave no room to
/// say what they do.
fn help_section(section: Section, rows: &[Row]) -> String {
    let (title, shown): (_, fn(&Row) -> String) = match section {
        Section::Chatting => (None, usage),
        Section::YourName => {
            (Some("For your name ('help register' says how):"), |row| row.name.to_owned())
        }
        Section::Moderation => {
            (Some("To keep order in a group chat ('help kick' says how):"), |row| {
                row.name.to_owned()
            })
        }
        Section::ServerAdmin => {
            (Some("For operators of the server ('help clients' says how):"), |row| {
                row.name.to_owned()
            })
        }
    };
    let width = rows.iter().map(|row| shown(row).len()).max().unwrap_or_default();
    let lines = rows.iter().map(|row| format!("{:width$}  {}", shown(row), row.brief));
    title.map(str::to_owned).into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// How a command is written.
fn usage(row: &Row) -> String {
    format!("{} {}", row.name, row.arguments).trim_end().to_owned()
}
