//! What is said about the connection: that there is none, that it is lost, that it is back, that it
//! is over.

use std::time::Duration;

use crate::error::{ConnectError, Ended, Lost};
use chatroom_proto::Conversation;
use chatroom_proto::{
    CloseReason, GroupName, Misbehaviour, PasswordError, Refusal, Request, UserName,
};

use super::harmless::harmless;
use super::text::View;
use super::tls::ServerTarget;

impl View {
    /// The connection is lost, and the link tries to remake it.
    pub fn lost(self, lost: &Lost) -> String {
        let why = match lost {
            Lost::Closed(reason) => format!(" ({})", reason_text(*reason)),
            Lost::HungUp | Lost::Failed(_) => String::new(),
            Lost::Silent | Lost::Overrun | Lost::Gap => format!(" ({})", lost_text(*lost)),
        };
        self.warning(format!("Connection lost; reconnecting...{why}"))
    }

    /// The connection is back.
    pub fn back(self, resumed: bool, missed: &[GroupName]) -> String {
        let mut lines = vec![self.system(if resumed {
            "Connected again!"
        } else {
            "Connected again, in a new session!"
        })];
        let missed: Vec<_> = missed.iter().cloned().map(Conversation::Group).collect();
        lines.extend(self.missed(&missed));
        lines.join("\n")
    }

    /// The server has forgotten a part of what this one has seen.
    pub fn put_back(self) -> String {
        self.warning(
            "The server was put back to an earlier copy of itself: some of what you have read here \
             may not be there any more. What was said since follows.",
        )
    }

    /// Somebody has put this one out of a group while the connection was lost.
    pub fn put_out(self, group: &str) -> String {
        self.warning(format!(
            "While you were away, you were put out of group chat '{group}'. To see who did that, \
             and why: why {group} [your-name]"
        ))
    }

    /// Some messages did not come through. Nothing when there are none.
    pub fn missed(self, missed: &[Conversation]) -> Option<String> {
        let names: Vec<_> = missed
            .iter()
            .map(|conversation| match conversation {
                Conversation::Group(group) => format!("in '{group}'"),
                Conversation::User(user) => format!("from '{user}'"),
            })
            .collect();
        let (last, others) = names.split_last()?;
        let names = if others.is_empty() {
            last.clone()
        } else {
            format!("{} and {last}", others.join(", "))
        };
        Some(self.warning(format!("While you were away, messages {names} were missed.")))
    }

    /// A group is gone while the client was away.
    pub fn not_rejoined(self, group: &GroupName, refusal: &Refusal) -> String {
        match refusal {
            Refusal::NoSuchGroup { .. } => self.warning(format!(
                "Group chat '{group}' is gone: the server no longer has it. To make it again: \
                 create {group}"
            )),
            other => {
                let request = Request::Join { group: group.clone() };
                format!(
                    "{}\n{}",
                    self.warning(format!("You are no longer in group chat '{group}'.")),
                    self.refusal(&request, other, None)
                )
            }
        }
    }

    /// A message is on its way, and that takes a while.
    pub fn not_sent_yet(self, begins: &str) -> String {
        self.hint(harmless(&format!("  (not yet sent: \"{begins}\")")))
    }

    /// It has arrived after all.
    pub fn sent_after_all(self, begins: &str) -> String {
        self.hint(harmless(&format!("  (sent: \"{begins}\")")))
    }

    /// The server asks to go slower.
    pub fn slowed(self, wait: Duration, waiting: usize) -> String {
        let what = if waiting == 1 {
            "what you asked for is".to_owned()
        } else {
            format!("{waiting} things that you asked for are")
        };
        self.system(format!(
            "The server asks to go slower: {what} kept and sent in order, the next in {}.",
            seconds(wait)
        ))
    }

    /// It is over. Nothing to say when that is what was asked for.
    pub fn ended(self, ended: &Ended, at: &ServerTarget) -> Option<String> {
        Some(self.warning(match ended {
            Ended::Left => return None,
            Ended::GaveUp(lost) => {
                format!("The connection is lost for good: {}.", lost_text(*lost))
            }
            Ended::Refused(Refusal::NameTaken { name }) => format!(
                "You were away for too long, and somebody else is called '{name}' now. Come back \
                 under another name."
            ),
            Ended::Refused(Refusal::NameLooksLike { name }) => format!(
                "You were away for too long, and somebody is called '{name}' now, which looks like \
                 your name. Come back under another one."
            ),
            Ended::Refused(refusal) => return Some(self.refusal(&Request::Ping, refusal, None)),
            Ended::Disconnected => {
                "An operator of the server has ended your stay. To come back, if you are not \
                 banned: start this program again."
                    .to_owned()
            }
            Ended::Replaced => {
                "You came back from somewhere else, and the chat goes on there.".to_owned()
            }
            Ended::PasswordChanged => {
                "The password of your name was changed on another device. Come in again with the \
                 new one.".to_owned()
            }
            Ended::Misbehaved(how) => misbehaved_text(*how),
            Ended::Untrusted(untrusted) => return Some(self.untrusted(untrusted, at)),
            Ended::Garbled(what) => {
                format!("The server said something that this program does not understand: {what}.")
            }
        }))
    }

    /// Two passwords were typed where one was wanted twice.
    pub fn passwords_differ(self) -> String {
        self.warning("These two passwords differ, so nothing was changed. Try again.")
    }

    /// What was typed can't be a password.
    pub fn bad_password(self, error: &PasswordError) -> String {
        self.warning(format!("That is no password: {error}."))
    }

    /// There is nobody to ask for a password.
    pub fn no_way_to_ask(self) -> String {
        self.warning(
            "A password can only be asked for at a terminal. From a pipe: register, with \
             --password-file FILE or --password-command COMMAND.",
        )
    }

    /// The password that was given at the start can't be had.
    pub fn no_password(self, from: &str, why: &str) -> String {
        self.warning(format!("There is no password in {from}: {why}."))
    }

    /// Others can read the file with the password.
    pub fn open_password_file(self, file: &str) -> String {
        self.warning(format!(
            "Others can read {file}, where the password is. To keep it to yourself: chmod 600 \
             {file}"
        ))
    }

    /// Somebody comes under a registered name, and is about to be asked for its password.
    pub fn password_wanted(self, name: &UserName) -> String {
        self.system(format!(
            "The name '{name}' belongs to somebody who has registered it. If that is you, type its \
             password: it is not shown. If it is not, press Ctrl-C and choose another name."
        ))
    }

    /// One's own name is taken: by oneself.
    pub fn here_already(self, name: &UserName) -> String {
        self.warning(format!(
            "You are here as '{name}' already, in another terminal of yours. Go on there, or \
             choose another name for this one. Under a registered name one can be here twice: \
             type register there."
        ))
    }

    /// The same with a registered name: a second terminal is one more device.
    pub fn password_wanted_here_too(self, name: &UserName) -> String {
        self.system(format!(
            "You are here as '{name}' already, in another terminal of yours, which alone is known \
             without a password. To be here twice, type it: it is not shown. Otherwise press \
             Ctrl-C."
        ))
    }

    /// A command needs a password, and it is not asked for where others can read along.
    pub fn no_password_here(self) -> String {
        self.warning(
            "Others can read along on the way to this server, so no password is asked for and none \
             is said. Come back with --tls.",
        )
    }

    /// It takes a while to connect.
    pub fn connecting(self, host: &str, port: u16) -> String {
        self.system(format!("Connecting to {}...", place(host, port)))
    }

    /// There is no connection to begin with.
    pub fn connect_error(self, error: &ConnectError, at: &ServerTarget) -> String {
        let ServerTarget { host, port, .. } = at;
        let place = place(host, *port);
        self.warning(match error {
            ConnectError::NoSuchHost(why) => format!(
                "Cannot find the host '{host}': {why}. Is its name written as it should be?"
            ),
            ConnectError::Unreachable(why) => format!(
                "Cannot connect to {place}: {why}. Is the server running there? To start \
                 one: chatroom-server"
            ),
            ConnectError::Silent => {
                format!("The server at {place} does not answer. Is it a chatroom-server?")
            }
            ConnectError::Cut => {
                format!("The server at {place} hung up at once. Is it a chatroom-server?")
            }
            ConnectError::Refused(refusal) => return self.refusal(&Request::Ping, refusal, None),
            ConnectError::PasswordUnsaid { name } => format!(
                "The name '{name}' belongs to somebody who has registered it. If that is you, come \
                 back with --tls: others can read along on the way to this server, so no password \
                 is asked for. If it is not, choose another name."
            ),
            ConnectError::Closed(CloseReason::Misbehaved(how)) => misbehaved_text(*how),
            ConnectError::Closed(reason) => {
                format!("The server at {place} hung up: {}. Try again later.", reason_text(*reason))
            }
            ConnectError::Untrusted(untrusted) => return self.untrusted(untrusted, at),
            ConnectError::Garbled(what) => {
                format!("What answers at {place} does not speak this program's protocol: {what}.")
            }
        })
    }
}

/// A host and a port: an address with colons in it stands in brackets.
fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A time to wait, in words. Rounded up: after that it is over.
pub(super) fn seconds(wait: Duration) -> String {
    match wait.as_millis().div_ceil(1_000) {
        0 | 1 => "a second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

fn lost_text(lost: Lost) -> String {
    match lost {
        Lost::Closed(reason) => reason_text(reason).to_owned(),
        Lost::HungUp => "the server hung up".to_owned(),
        Lost::Silent => "nothing was heard from the server".to_owned(),
        Lost::Overrun => "what came was not read fast enough".to_owned(),
        Lost::Gap => "a message was missing".to_owned(),
        Lost::Failed(kind) => kind.to_string(),
    }
}

fn reason_text(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Shutdown => "the server is going down",
        CloseReason::TooSlow => "what came was not read fast enough",
        CloseReason::Idle => "the server heard nothing from here",
        CloseReason::HandshakeTimeout => "saying hello took too long",
        CloseReason::ServerFull => "the server has as many connections as it will hold",
        CloseReason::Replaced => "the same session goes on elsewhere",
        CloseReason::Misbehaved(_) => "this program broke the protocol",
        CloseReason::Disconnected => "an operator of the server has ended the stay",
        CloseReason::Failed => "something failed in the server",
        CloseReason::PasswordChanged => "the password was changed",
        CloseReason::TlsRequired => "it takes connections from here through TLS only",
        CloseReason::TooManyConnections { .. } => {
            "the server has as many connections from your address as it takes"
        }
    }
}

fn misbehaved_text(how: Misbehaviour) -> String {
    let what = match how {
        Misbehaviour::FrameTooLong { limit } => format!("a frame of more than {limit} bytes"),
        Misbehaviour::Malformed => "a frame that is not a request".to_owned(),
        Misbehaviour::HelloExpected => "something before hello".to_owned(),
        Misbehaviour::HelloAgain => "hello again".to_owned(),
        Misbehaviour::Flooding => {
            "more and more, without the waits that the server asked for".to_owned()
        }
    };
    format!(
        "The server hung up because of what this program sent: {what}. That is a bug in this \
         program."
    )
}
