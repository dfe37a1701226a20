//! A client's journal: one line for each thing that happens to it, written before the next thing
//! can happen. So it survives whatever becomes of the client; a last line that was torn is no line.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use chatroom_proto::{Conversation, DeletedPost, GroupName, Post, PostId, Seq, UserName};

/// What one client has lived through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Whose this is.
    pub name: UserName,
    /// In its order.
    pub events: Vec<Event>,
}

/// One thing that happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It comes by its password, as another device of the same person: what it has missed it is not
    /// sent.
    NewDevice,
    /// It was let in.
    Welcomed {
        /// The newest event before it.
        seq: Seq,
        /// Whether the server knew it.
        resumed: bool,
        /// The groups that it is in.
        groups: Vec<GroupName>,
    },
    /// It is about to ask to become a member.
    Joining(GroupName),
    /// It is a member, by what it did itself, or by what was done with another device of the same
    /// person.
    Joined(GroupName, Seq),
    /// It is about to ask to be one no longer.
    Leaving(GroupName),
    /// It is one no longer.
    Left(GroupName, Seq),
    /// Somebody has put it out.
    Expelled(GroupName, Seq),
    /// It is about to ask that somebody be muted in a group.
    Muting(GroupName, UserName),
    /// It is about to say something.
    Sent(PostId, Conversation),
    /// What it said is in safe hands: whatever becomes of it, there will be an answer.
    Entrusted(PostId),
    /// It was told that what it said is kept, and where.
    Acknowledged(PostId, Seq),
    /// It was told that what it said is not.
    Refused(PostId),
    /// It showed what somebody else said.
    Showed(Shown),
    /// A history told it what stands at this place.
    ReadBack(Seq),
    /// It is about to ask that the post at this place be deleted.
    Deleting(Seq),
    /// It was told that the post at the first place was deleted, at the second.
    Deleted(Seq, Seq),
    /// Its library said that something is missing in a conversation.
    Missed(Conversation),
    /// It was told that the server was put back: what was after this place is no more.
    PutBack(Seq),
    /// It has shown everything up to here.
    Rested(Seq),
    /// It was killed; whatever it does next it does from what it had on disk.
    Killed,
}

/// A post that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its place.
    pub seq: Seq,
    /// The place of the one before it in its conversation.
    pub prev: Seq,
    /// Its identity.
    pub id: PostId,
    /// Who said it.
    pub from: UserName,
    /// Where; in private, the other one.
    pub place: Conversation,
    /// Whether it was shown when it was said.
    pub delivery: Delivery,
}

/// How a post was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// When it was said.
    Live,
    /// After the client had been away.
    Replayed,
    /// The same, and without the text, which was deleted.
    Gone,
}

/// A line of a journal that is none.
#[derive(Debug, thiserror::Error)]
#[error("line {number} of a journal is not one: {line}")]
pub struct NoLine {
    /// Which line.
    pub number: usize,
    /// What it says.
    pub line: String,
}

impl Shown {
    /// A post as it is shown.
    pub fn new(post: &Post, place: Conversation, delivery: Delivery) -> Shown {
        Shown {
            seq: post.seq,
            prev: post.prev,
            id: post.id,
            from: post.from.clone(),
            place,
            delivery,
        }
    }

    /// What is left of a post, as it is shown.
    pub fn gone(post: &DeletedPost, place: Conversation) -> Shown {
        let DeletedPost { seq, prev, id, from, .. } = post.clone();
        Shown { seq, prev, id, from, place, delivery: Delivery::Gone }
    }
}

impl History {
    /// Somebody to whom nothing has happened yet.
    pub fn new(name: UserName) -> History {
        History { name, events: Vec::new() }
    }

    /// Reads the lines of a journal. What follows the last line break was torn, and is left out.
    ///
    /// # Errors
    /// [`NoLine`]
    pub fn parse(name: UserName, journal: &str) -> Result<History, NoLine> {
        let whole = journal.rfind('\n').map_or("", |end| &journal[..end]);
        let lines = whole.lines().enumerate();
        let events = lines.map(|(n, line)| {
            Event::parse(line).ok_or_else(|| NoLine { number: n + 1, line: line.to_owned() })
        });
        Ok(History { name, events: events.collect::<Result<_, _>>()? })
    }
}

/// Writes a journal.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    line: String,
}

impl Recorder {
    /// Goes on with the journal at this path, or begins it.
    ///
    /// # Errors
    /// What the system says to it.
    pub fn open(path: &Path) -> io::Result<Recorder> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Recorder { file, line: String::new() })
    }

    /// Writes down what happened. When this returns, the line is the system's business.
    ///
    /// # Panics
    /// When it can't be written: a run whose journal has holes proves nothing.
    pub fn record(&mut self, event: &Event) {
        self.line.clear();
        writeln!(self.line, "{event}").expect("a text can be written to");
        self.file.write_all(self.line.as_bytes()).expect("a journal can be written to");
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::NewDevice => f.write_str("newdevice"),
            Event::Welcomed { seq, resumed, groups } => {
                write!(f, "welcomed {seq} {}", if *resumed { "back" } else { "new" })?;
                groups.iter().try_for_each(|group| write!(f, " {group}"))
            }
            Event::Joining(group) => write!(f, "joining {group}"),
            Event::Joined(group, seq) => write!(f, "joined {group} {seq}"),
            Event::Leaving(group) => write!(f, "leaving {group}"),
            Event::Left(group, seq) => write!(f, "left {group} {seq}"),
            Event::Expelled(group, seq) => write!(f, "expelled {group} {seq}"),
            Event::Muting(group, user) => write!(f, "muting {group} {user}"),
            Event::Sent(id, to) => write!(f, "sent {} {}", hex(*id), ConversationText(to)),
            Event::Entrusted(id) => write!(f, "entrusted {}", hex(*id)),
            Event::Acknowledged(id, seq) => write!(f, "acknowledged {} {seq}", hex(*id)),
            Event::Refused(id) => write!(f, "refused {}", hex(*id)),
            Event::Showed(Shown { seq, prev, id, from, place, delivery }) => {
                let delivery = match delivery {
                    Delivery::Live => "live",
                    Delivery::Replayed => "replayed",
                    Delivery::Gone => "gone",
                };
                write!(
                    f,
                    "showed {seq} {prev} {} {from} {} {delivery}",
                    hex(*id),
                    ConversationText(place)
                )
            }
            Event::ReadBack(seq) => write!(f, "readback {seq}"),
            Event::Deleting(post) => write!(f, "deleting {post}"),
            Event::Deleted(post, seq) => write!(f, "deleted {post} {seq}"),
            Event::Missed(place) => write!(f, "missed {}", ConversationText(place)),
            Event::PutBack(seq) => write!(f, "putback {seq}"),
            Event::Rested(seq) => write!(f, "rested {seq}"),
            Event::Killed => f.write_str("killed"),
        }
    }
}

/// A conversation as a journal writes it. Names have no spaces.
struct ConversationText<'a>(&'a Conversation);

impl fmt::Display for ConversationText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Conversation::Group(group) => write!(f, "#{group}"),
            Conversation::User(user) => write!(f, "@{user}"),
        }
    }
}

fn hex(id: PostId) -> String {
    format!("{:032x}", u128::from_be_bytes(id.0))
}

impl Event {
    fn parse(line: &str) -> Option<Event> {
        let mut words = line.split(' ');
        let mut word = || words.next();
        let event = match word()? {
            "welcomed" => {
                let (seq, resumed) = (seq(word()?)?, word()? == "back");
                let groups = words.map(group).collect::<Option<_>>()?;
                return Some(Event::Welcomed { seq, resumed, groups });
            }
            "newdevice" => Event::NewDevice,
            "joining" => Event::Joining(group(word()?)?),
            "joined" => Event::Joined(group(word()?)?, seq(word()?)?),
            "leaving" => Event::Leaving(group(word()?)?),
            "left" => Event::Left(group(word()?)?, seq(word()?)?),
            "expelled" => Event::Expelled(group(word()?)?, seq(word()?)?),
            "muting" => Event::Muting(group(word()?)?, UserName::parse(word()?).ok()?),
            "sent" => Event::Sent(id(word()?)?, place(word()?)?),
            "entrusted" => Event::Entrusted(id(word()?)?),
            "acknowledged" => Event::Acknowledged(id(word()?)?, seq(word()?)?),
            "refused" => Event::Refused(id(word()?)?),
            "showed" => Event::Showed(Shown {
                seq: seq(word()?)?,
                prev: seq(word()?)?,
                id: id(word()?)?,
                from: UserName::parse(word()?).ok()?,
                place: place(word()?)?,
                delivery: match word()? {
                    "live" => Delivery::Live,
                    "replayed" => Delivery::Replayed,
                    "gone" => Delivery::Gone,
                    _ => return None,
                },
            }),
            "readback" => Event::ReadBack(seq(word()?)?),
            "deleting" => Event::Deleting(seq(word()?)?),
            "deleted" => Event::Deleted(seq(word()?)?, seq(word()?)?),
            "missed" => Event::Missed(place(word()?)?),
            "putback" => Event::PutBack(seq(word()?)?),
            "rested" => Event::Rested(seq(word()?)?),
            "killed" => Event::Killed,
            _ => return None,
        };
        word().is_none().then_some(event)
    }
}

fn seq(word: &str) -> Option<Seq> {
    word.parse().ok().map(Seq)
}

fn group(word: &str) -> Option<GroupName> {
    GroupName::parse(word).ok()
}

fn id(word: &str) -> Option<PostId> {
    u128::from_str_radix(word, 16).ok().map(|number| PostId(number.to_be_bytes()))
}

fn place(word: &str) -> Option<Conversation> {
    match word.split_at_checked(1)? {
        ("#", name) => group(name).map(Conversation::Group),
        ("@", name) => UserName::parse(name).ok().map(Conversation::User),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_client::{group, post_id, user};

    fn one_of_each() -> Vec<Event> {
        let tea = || group("tea");
        vec![
            Event::Welcomed { seq: Seq(3), resumed: false, groups: vec![group("General"), tea()] },
            Event::Welcomed { seq: Seq(4), resumed: true, groups: vec![] },
            Event::NewDevice,
            Event::Expelled(tea(), Seq(4)),
            Event::Joining(tea()),
            Event::Joined(tea(), Seq(5)),
            Event::Leaving(tea()),
            Event::Left(tea(), Seq(6)),
            Event::Muting(tea(), user("jim")),
            Event::Sent(post_id(7), Conversation::Group(tea())),
            Event::Sent(post_id(u64::MAX), Conversation::User(user("سارا"))),
            Event::Entrusted(post_id(7)),
            Event::Acknowledged(post_id(7), Seq(8)),
            Event::Refused(post_id(7)),
            Event::Showed(Shown {
                seq: Seq(10),
                prev: Seq(8),
                id: post_id(9),
                from: user("ann"),
                place: Conversation::User(user("ann")),
                delivery: Delivery::Replayed,
            }),
            Event::ReadBack(Seq(10)),
            Event::Deleting(Seq(10)),
            Event::Deleted(Seq(10), Seq(11)),
            Event::Missed(Conversation::Group(tea())),
            Event::PutBack(Seq(10)),
            Event::Rested(Seq(11)),
            Event::Killed,
        ]
    }

    #[test]
    fn a_journal_is_read_as_it_was_written_and_a_torn_end_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jim");
        for event in one_of_each() {
            Recorder::open(&path).unwrap().record(&event);
        }
        let journal = std::fs::read_to_string(&path).unwrap();
        let read = |journal: &str| History::parse(user("jim"), journal).unwrap().events;
        assert_eq!(read(&journal), one_of_each());
        for cut in (0..journal.len()).filter(|cut| journal.is_char_boundary(*cut)) {
            let events = read(&journal[..cut]);
            assert_eq!(events, one_of_each()[..events.len()], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_is_none_is_not_passed_over() {
        let broken = History::parse(user("jim"), "killed\nrested four\n").unwrap_err();
        assert_eq!((broken.number, broken.line.as_str()), (2, "rested four"));
    }
}
