//! Messages that are on their way: one that the server does not accept within a moment is marked,
//! and unmarked when it does. Pure.

use std::collections::BTreeMap;

use chatroom_proto::{Body, Request, Tag};
use tokio::time::{Duration, Instant};

/// How long a message may take before that is said.
const MARK_AFTER: Duration = Duration::from_secs(1);

/// The most characters of a message that are shown to say which one is meant.
const FIRST_CHARS_MAX: usize = 30;

/// Messages without an answer. There are never more than commands on their way.
#[derive(Debug, Default)]
pub(crate) struct Unsent(BTreeMap<Tag, Unaccepted>);

#[derive(Debug)]
struct Unaccepted {
    /// The first words.
    begins: String,
    mark_at: Instant,
    is_marked: bool,
}

impl Unsent {
    /// This is asked now. Nothing else than a message is kept here.
    pub(crate) fn asked(&mut self, tag: Tag, request: &Request, now: Instant) {
        if let Request::Public { body, .. } | Request::Private { body, .. } = request {
            let message =
                Unaccepted { begins: begins(body), mark_at: now + MARK_AFTER, is_marked: false };
            self.0.insert(tag, message);
        }
    }

    /// It has an answer. Gives its first words if it was marked.
    pub(crate) fn answered(&mut self, tag: Tag) -> Option<String> {
        self.0.remove(&tag).filter(|message| message.is_marked).map(|message| message.begins)
    }

    /// When the next one is to be marked.
    pub(crate) fn next(&self) -> Option<Instant> {
        let waiting = self.0.values().filter(|message| !message.is_marked);
        waiting.map(|message| message.mark_at).min()
    }

    /// Marks those that have waited long enough. Gives their first words, in the order in which
    /// they were asked.
    pub(crate) fn mark(&mut self, now: Instant) -> Vec<String> {
        let late = self.0.values_mut().filter(|message| !message.is_marked);
        let late = late.filter(|message| message.mark_at <= now);
        late.map(|message| {
            message.is_marked = true;
            message.begins.clone()
        })
        .collect()
    }
}

/// As much of a message as tells which one it is, to the end of a word.
fn begins(body: &Body) -> String {
    let text = body.as_str();
    let line = text.lines().next().unwrap_or_default().trim();
    let Some((cut, _)) = line.char_indices().nth(FIRST_CHARS_MAX) else {
        return if line.len() == text.trim().len() {
            line.to_owned()
        } else {
            format!("{line}…")
        };
    };
    let whole = line[..cut].rfind(' ').map_or(&line[..cut], |end| &line[..end]);
    format!("{}…", whole.trim_end())
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{PostId, UserName};

    use super::*;

    fn message(text: &str) -> Request {
        let (to, body) = (UserName::parse("Ann").unwrap(), Body::parse(text).unwrap());
        Request::Private { to, id: PostId([0; 16]), body }
    }

    #[test]
    fn one_that_waits_is_marked_once_and_only_then_unmarked() {
        let (mut unsent, now) = (Unsent::default(), Instant::now());
        unsent.asked(Tag(1), &message("one"), now);
        unsent.asked(Tag(2), &message("two"), now + MARK_AFTER / 2);
        unsent.asked(Tag(3), &Request::Ping, now);
        assert_eq!(unsent.next(), Some(now + MARK_AFTER));
        assert!(unsent.mark(now).is_empty());
        assert_eq!(unsent.mark(now + MARK_AFTER), ["one"]);
        assert_eq!(unsent.next(), Some(now + MARK_AFTER / 2 + MARK_AFTER));
        assert!(unsent.mark(now + MARK_AFTER).is_empty(), "once");
        assert_eq!(unsent.answered(Tag(2)), None, "nobody was told that it waits");
        assert_eq!(unsent.answered(Tag(1)).as_deref(), Some("one"));
        assert_eq!(unsent.answered(Tag(1)), None);
        assert_eq!(unsent.next(), None);
    }

    #[test]
    fn a_long_message_is_told_by_its_first_words() {
        let begins = |text: &str| begins(&Body::parse(text).unwrap());
        assert_eq!(begins("short enough"), "short enough");
        assert_eq!(begins("the first line\nand more"), "the first line…");
        assert_eq!(begins("a message that goes on for a while"), "a message that goes on for a…");
        assert_eq!(begins(&"x".repeat(40)), format!("{}…", "x".repeat(30)));
        assert_eq!(begins("سلام علی"), "سلام علی");
    }
}
