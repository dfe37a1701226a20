//! What is said about whom the server is: that it is new, and why it is not believed.

use crate::trust::Untrusted;
use crate::trust::{Acquaintance, Known};
use chatroom_proto::Fingerprint;

use super::text::View;

/// Where this program was told to go, as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTarget {
    /// The server's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name, if one was given.
    pub name: Option<String>,
    /// Where the servers are written down that are known, if that was said.
    pub known_hosts: Option<String>,
}

impl ServerTarget {
    /// The command that goes there again and accepts this key.
    fn accepting(&self, key: &str) -> String {
        let mut words = vec!["chatroom".to_owned(), "--accept-key".to_owned(), key.to_owned()];
        if let Some(file) = &self.known_hosts {
            words.extend(["--known-hosts".to_owned(), quoted(file)]);
        }
        words.extend([quoted(&self.host), self.port.to_string()]);
        words.extend(self.name.as_deref().map(quoted));
        words.join(" ")
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-._:/@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl View {
    /// A server's key was learned, and is kept in this file.
    pub fn acquainted(self, with: &Acquaintance, file: Option<&str>) -> String {
        let Acquaintance { host, port, fingerprint, before, fault } = with;
        let mut lines = vec![self.system(match before {
            None => {
                format!("The server at {host}:{port} is new here. Its fingerprint is {fingerprint}")
            }
            Some(_) => {
                format!("The server at {host}:{port} is known by its new key now: {fingerprint}")
            }
        })];
        if before.is_none() {
            lines.push(self.system(
                "Whoever runs it can tell you whether that is right: chatroom-server fingerprint. \
                 From now on a server there with another key is refused.",
            ));
        }
        if let (Some(why), Some(file)) = (fault, file) {
            lines.push(self.warning(format!(
                "It can't be kept in {file}: {why}. Next time the server is new again."
            )));
        }
        lines.join("\n")
    }

    /// The server is not believed to be the one, or nothing can be said to it so that nobody reads
    /// along.
    pub fn untrusted(self, untrusted: &Untrusted, at: &ServerTarget) -> String {
        let place = format!("{}:{}", at.host, at.port);
        let lines = match untrusted {
            Untrusted::KeyChanged { known, offered } => key_changed(*known, *offered, at),
            Untrusted::NotAccepted { accepted, offered } => vec![
                format!(
                    "The server at {place} does not have the key that you accept. Nothing was sent \
                     to it."
                ),
                format!("accepted: {accepted}"),
                format!("its own:  {offered}"),
            ],
            Untrusted::NoProof => vec![format!(
                "What answers at {place} shows a certificate and can't prove that it has its key: \
                 it is not the server. Nothing was sent to it. Try again from another network, or \
                 ask whoever runs the server."
            )],
            Untrusted::NotTls => vec![format!(
                "{place} does not speak TLS, so nothing was sent to it. Is it a chatroom-server? \
                 Use --plaintext only if you trust everybody on the way to it."
            )],
            Untrusted::TlsRequired => vec![format!(
                "The server at {place} takes connections from here through TLS only: leave out \
                 --plaintext, or use --tls."
            )],
            Untrusted::Unreadable { file, why } => vec![format!(
                "Whether the server at {place} is the right one can't be told, because {} can't be \
                 read: {why}. Mend the file, or use another one with --known-hosts.",
                file.display()
            )],
            Untrusted::Damaged { file, line } => {
                let file = file.display();
                vec![format!(
                    "Line {line} of {file} can't be read, and it may be the one about {place}: \
                     whether this is the right server can't be told, and nothing was sent to it. \
                     Mend the line: host, port and fingerprint, as the others are written. Whoever \
                     runs the server can tell you its fingerprint (chatroom-server fingerprint). \
                     If you delete the line, its server is new again."
                )]
            }
            Untrusted::Failed(why) => {
                vec![format!(
                    "There is no TLS with the server at {place}: {why}. Nothing was sent to it."
                )]
            }
        };
        lines.into_iter().map(|line| self.warning(line)).collect::<Vec<_>>().join("\n")
    }
}

/// Loud, as somebody may be in between.
fn key_changed(known: Known, offered: Fingerprint, at: &ServerTarget) -> Vec<String> {
    let (what, before) = match known {
        Known::Key(fingerprint) => {
            ("HAS ANOTHER KEY THAN BEFORE", format!("before: {fingerprint}"))
        }
        Known::Authority => (
            "IS NOT VOUCHED FOR ANY MORE",
            "before: an authority of this system vouched for it".to_owned(),
        ),
    };
    vec![
        format!(
            "THE SERVER AT {}:{} {what}! Somebody may have put themselves between you and it, or \
             its key was changed by whoever runs it. Nothing was sent to it.",
            at.host, at.port
        ),
        before,
        format!("now:    {offered}"),
        "Ask whoever runs it for its fingerprint (chatroom-server fingerprint). Only if it is the \
         one of now, accept it:"
            .to_owned(),
        at.accepting(&offered.to_string()),
    ]
}

#[cfg(test)]
mod tests;
