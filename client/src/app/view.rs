//! From what happened to lines of text: the only place with sentences. Pure.
//!
//! The wording of the assignment's Figure 1 is kept to the letter; the rest speaks in the same
//! voice: what happened, and what to do about it. Each function gives one or more whole lines,
//! without the last line end.

mod administration;
mod commands;
mod connection;
mod harmless;
mod ignore;
mod moderation;
mod paint;
mod past;
mod refusal;
#[cfg(test)]
mod tests;
mod tls;

use chatroom_proto::{Body, GroupName, NameError, Notification, Post, Response, UserName, Welcome};

use jiff::tz::TimeZone;

use crate::app::command::{ASSIGNED, Completes, TABLE};
pub use harmless::harmless;
pub use paint::{Kind, Paint};
pub use tls::ServerTarget;

/// What the continuation lines of a message begin with, so that nobody can forge the line of
/// somebody else.
pub const CONTINUATION: &str = "    ";

/// The most lines of one message that are shown to people: any paste of a usual screen and a half;
/// and nobody can scroll away what others said with a message of nothing but line ends.
const MESSAGE_LINES_MAX: usize = 40;

/// How text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// For people: a message may take several lines.
    Screen,
    /// For programs: one event a line.
    Lines,
}

/// Turns what happened into text.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// For a screen, or one event a line.
    pub layout: Layout,
    /// In which colours.
    pub paint: Paint,
    /// Where times are told.
    pub zone: &'static TimeZone,
}

impl View {
    /// The client was let in.
    pub fn welcome(self, welcome: &Welcome) -> String {
        let mut lines = vec![self.system("Connected to the server!")];
        for membership in welcome.groups.as_slice() {
            lines.push(self.system(format!("You joined the room '{}'", membership.group)));
        }
        lines.join("\n")
    }

    /// For one who has just come in at a terminal.
    pub fn orientation(self) -> String {
        let help = TABLE.iter().filter(|row| row.completes.contains(&Completes::Commands));
        let names: Vec<_> = TABLE[..ASSIGNED].iter().chain(help).map(|row| row.name).collect();
        self.hint(format!("Try {} or Tab.", names.join(", ")))
    }

    /// The server said something unasked. Nothing for what is the link's business.
    pub fn notification(self, notification: &Notification) -> Option<String> {
        Some(match notification {
            Notification::Arrived { user, group, .. } => {
                self.system(format!("{user} joined the room '{group}'"))
            }
            Notification::Departed { user, .. } => {
                self.system(format!("{user} has left the chat."))
            }
            Notification::Joined { user, group, .. } => {
                self.system(format!("{user} has joined in group chat '{group}'."))
            }
            Notification::Left { user, group, .. } => {
                self.system(format!("{user} has left group chat '{group}'."))
            }
            Notification::GroupPost { post, group } => self.group_post(post, group),
            Notification::PrivatePost { post, .. } => self.private_post(post),
            Notification::Moderated { by, group, act, .. } => self.moderated(by, group, act, None),
            Notification::Operated { by, act, .. } => self.operated(by, act),
            Notification::TopicIs { .. } | Notification::PassedOn { .. } => {
                self.group_news(notification)?
            }
            Notification::Ping | Notification::Closing(_) | Notification::CaughtUp { .. } => {
                return None;
            }
        })
    }

    fn group_post(self, post: &Post, group: &GroupName) -> String {
        let head =
            self.paint.paint(Kind::Name, harmless(&format!("In group {group}, {}:", post.from)));
        format!("{head} {}", self.body(&post.body))
    }

    fn private_post(self, post: &Post) -> String {
        let head = self
            .paint
            .paint(Kind::Private, harmless(&format!("Private message from {}:", post.from)));
        format!("{head} {}", self.body(&post.body))
    }

    fn body(self, body: &Body) -> String {
        let mut lines: Vec<_> = body.as_str().split('\n').map(harmless).collect();
        if self.layout == Layout::Lines {
            return lines.join(r"\n");
        }
        let more = lines.len().saturating_sub(MESSAGE_LINES_MAX);
        if more > 0 {
            lines.truncate(MESSAGE_LINES_MAX);
            let lines_are = if more == 1 { "line is" } else { "lines are" };
            lines.push(self.hint(format!("[{more} more {lines_are} not shown]")).into());
        }
        lines.join(&format!("\n{CONTINUATION}"))
    }

    /// A request was granted. Nothing for what shows itself, and for pages of lists: see
    /// [`View::groups`] and [`View::users`].
    pub fn response(self, response: &Response) -> Option<String> {
        Some(match response {
            Response::Welcome(welcome) => self.welcome(welcome),
            Response::Created { group, .. } => {
                self.system(format!("New group chat with name '{group}' has created successfully!"))
            }
            Response::Joined { membership, .. } => self.system(format!(
                "You have joined in group chat '{}' \
                    successfully!",
                membership.group
            )),
            Response::Left { group, .. } => {
                self.system(format!("You have left group chat '{group}' successfully!"))
            }
            Response::Kept { to, .. } => self.system(format!(
                "{to} is away. Your message is kept, and shown when {to} is \
                    back."
            )),
            Response::Registered { .. } => self.system(
                "The name is yours now. From another place, it needs the password; from here you \
                 are recognized.",
            ),
            Response::PasswordChanged { .. } => {
                self.system("The password is changed. Your other devices need the new one.")
            }
            Response::Unregistered { .. } => self.system("The name is given up. Goodbye."),
            Response::About(about) => self.about(about),
            Response::Groups { .. }
            | Response::Users { .. }
            | Response::Past { .. }
            | Response::Posted { .. }
            | Response::Moderated { .. }
            | Response::Acts { .. }
            | Response::Operated { .. }
            | Response::Clients { .. }
            | Response::ServerBans { .. }
            | Response::Goodbye
            | Response::Pong => return None,
        })
    }

    /// All groups.
    pub fn groups(self, groups: &[GroupName]) -> String {
        self.list("available groups:", groups.iter().map(GroupName::as_str))
    }

    /// Everybody who is there.
    pub fn users(self, users: &[UserName]) -> String {
        self.list("online users:", users.iter().map(UserName::as_str))
    }

    fn list<'a>(self, title: &str, names: impl Iterator<Item = &'a str>) -> String {
        let mut text = self.system(title);
        for name in names {
            text.push('\n');
            text.push_str(&harmless(name));
        }
        text
    }

    /// A line was typed and has no place to wait.
    pub fn too_much_typed(self) -> String {
        self.trouble(
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
        self.trouble(format!(
            "'{name}' can't be your name: {}. Choose another one.",
            name_error(error)
        ))
    }

    /// No name was given, and there is nobody to ask.
    pub fn no_name(self) -> String {
        self.trouble("A name is needed: the third argument, or the first line of the input.")
    }

    /// The client leaves, and the server does not answer.
    pub fn unanswered(self, count: usize) -> String {
        self.trouble(format!(
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
        (!undone.is_empty()).then(|| self.trouble(format!("The connection is lost: {undone}.")))
    }

    /// The standard output takes nothing.
    pub fn no_output(self, why: &str) -> String {
        self.trouble(format!(
            "What the server says can't be written to the standard output: {why}."
        ))
    }

    /// The history of lines is not kept.
    pub fn no_history(self, file: &str, why: &str) -> String {
        self.trouble(format!(
            "The history is not kept: {file}: {why}. To choose another file: --history FILE"
        ))
    }

    /// The log would spoil the screen.
    pub fn no_log(self) -> String {
        self.trouble(
            "Nothing is logged: at a terminal the log needs a file. Choose one: --log-file FILE",
        )
    }

    fn system(self, text: impl AsRef<str>) -> String {
        self.paint.paint(Kind::System, harmless(text.as_ref()))
    }

    fn trouble(self, text: impl AsRef<str>) -> String {
        self.paint.paint(Kind::Trouble, harmless(text.as_ref()))
    }

    fn hint(self, text: impl AsRef<str>) -> String {
        self.paint.paint(Kind::Hint, text)
    }
}

/// What is wrong with a name. Characters that one types without seeing them have names; the others
/// have numbers.
fn name_error(error: &NameError) -> String {
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
