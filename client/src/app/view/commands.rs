//! What is said about commands: how they are written, what they do, and why a line is none.

use super::program::name_error;
use super::server_admin::ADDRESS_FORMS;
use super::text::{Layout, View};
use crate::app::command::{
    self, HISTORY_COUNT_MAX, HelpPage, HelpTopic, Mistake, Row, SECTIONS, Section,
};

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
            Mistake::BadChoice { row, word } => {
                format!("'{word}' can't stand there. Usage: {}", usage(row))
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

    /// A page of commands, or one.
    pub fn help(self, topic: HelpTopic) -> String {
        match topic {
            HelpTopic::Command(row) => explained(row),
            HelpTopic::Page(HelpPage::Chat) => {
                format!("{}\n{PAGES}", section(Section::Chatting))
            }
            HelpTopic::Page(HelpPage::Groups) => {
                // The page has the name of a command, which is explained here, too.
                let groups = command::row("groups").map(|row| explained(row) + "\n");
                let (following, name) = (section(Section::Following), section(Section::YourName));
                format!("{}{following}\n{name}", groups.unwrap_or_default())
            }
            HelpTopic::Page(HelpPage::Order) => section(Section::Moderation),
            HelpTopic::Page(HelpPage::Server) => section(Section::ServerAdmin),
            HelpTopic::Page(HelpPage::Keys) => KEYS.to_owned(),
        }
    }
}

/// Below the commands of a chat. Each page fits a screen.
const PAGES: &str = "\
More pages ('help join' explains one command):
help groups  one conversation alone, what is unread, people, times, your name
help order   keep order in a group chat
help server  for operators of the server
help keys    what keys do";

/// What keys do.
const KEYS: &str = "\
Tab                complete a command or a name
Up, Down           what you typed before
Ctrl-R             look for what you typed before
Ctrl-A, Ctrl-E     to the beginning, to the end of the line
Alt-B, Alt-F       to the word before, to the next
Ctrl-W, Alt-D      delete the word before, the next
Ctrl-U, Ctrl-K     delete to the beginning, to the end of the line
Ctrl-Y, Ctrl-_     put back what was deleted last; undo
Ctrl-L             clear the screen
Ctrl-C             clear the line
Ctrl-Z             stop the program; 'fg' brings it back
Ctrl-D             leave, on an empty line
A paste of many lines is one message, and nothing in it is a command or a key.
While a conversation is open, a line that begins with / is a command, and one
that begins with // is a message that begins with /.";

fn explained(row: &Row) -> String {
    format!("Usage: {}\n{}", usage(row), row.help)
}

/// A part of the table. The arguments of those that moderate would leave no room to say what they
/// do.
fn section(section: Section) -> String {
    let (title, shown): (_, fn(&Row) -> String) = match section {
        Section::Chatting => (None, usage),
        Section::Following => (Some("To follow a chat:"), usage),
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
    let rows = SECTIONS.into_iter().filter(|(part, _)| *part == section);
    let rows: Vec<&Row> = rows.flat_map(|(_, rows)| rows).collect();
    let width = rows.iter().map(|row| shown(row).len()).max().unwrap_or_default();
    let lines = rows.iter().map(|row| format!("{:width$}  {}", shown(row), row.brief));
    title.map(str::to_owned).into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// How a command is written.
fn usage(row: &Row) -> String {
    format!("{} {}", row.name, row.arguments).trim_end().to_owned()
}
