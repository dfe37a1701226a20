//! What a journal says: a fold over its records. Pure.

use std::collections::{BTreeMap, VecDeque};

use chatroom_proto::{
    Conversation, GroupName, Lives, NameKey, PostId, Request, Seq, Token, UserName,
};
use serde::{Deserialize, Serialize};

use crate::limits::{MEMBERSHIPS_MAX, PRIVATE_CONVERSATIONS_MAX};

/// The most conversations whose newest post is kept.
const PLACES_MAX: usize = MEMBERSHIPS_MAX + PRIVATE_CONVERSATIONS_MAX;

/// One thing to remember. Variants are appended, never moved: their number is in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JournalRecord {
    /// A session began here.
    Began {
        /// The name of the file's client.
        name: UserName,
        /// Proves on a later connection that it is the same client.
        token: Token,
        /// Nothing before this concerns the session.
        seen: Seq,
    },
    /// The session goes on with this token.
    Resumed {
        /// As above.
        token: Token,
    },
    /// The program has taken everything up to here.
    Seen(Seq),
    /// In this conversation nothing up to here is missing: it was joined then, or the client said
    /// something itself, which it is not told again.
    At(Conversation, Seq),
    /// The client is no longer in this group.
    Left(GroupName),
    /// This post is about to be sent.
    Asked(Request),
    /// This post was answered.
    Answered(PostId),
    /// The lives of the server's log that the newest welcome told.
    Lives(Lives),
    /// The session may have this token from now on: the client has asked for it.
    MayHave {
        /// The new one.
        token: Token,
    },
    /// The server's log was put back: what the client has seen after this place is no more.
    PutBack(Seq),
    /// The session will not have this token: the server has refused it.
    MayNotHave {
        /// The one that was asked for.
        token: Token,
    },
}

/// The identity of a request that is a post.
pub(crate) fn post_id(request: &Request) -> Option<PostId> {
    match request {
        Request::Public { id, .. } | Request::Private { id, .. } => Some(*id),
        _ => None,
    }
}

/// What a client must not forget.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct JournalState {
    pub(crate) session: Option<Session>,
    /// The posts without an answer, in the order in which they were asked.
    pub(crate) posts: VecDeque<Request>,
    /// A part before this could not be read: until a session begins, how far the program came may
    /// be said of another session than the one that is known.
    is_doubtful: bool,
}

/// How many tokens are remembered of which it is not known whether the session has them.
pub(crate) const TOKENS_ASKED_MAX: usize = 3;

/// A session, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) name: UserName,
    pub(crate) token: Token,
    pub(crate) seen: Seq,
    /// In which lives of the server's log.
    pub(crate) lives: Lives,
    /// The tokens that it may have instead, the newest last.
    pub(crate) tokens_asked: VecDeque<Token>,
    places: BTreeMap<(bool, NameKey), (Conversation, Seq)>,
}

impl Session {
    /// Conversations, and up to where nothing is missing in them.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&Conversation, Seq)> {
        self.places.values().map(|(conversation, seq)| (conversation, *seq))
    }

    fn be_at(&mut self, conversation: Conversation, seq: Seq) {
        let place = self.places.entry(key(&conversation)).or_insert((conversation, Seq::ZERO));
        place.1 = place.1.max(seq);
        if self.places.len() > PLACES_MAX {
            self.forget_what_is_seen();
        }
        if self.places.len() > PLACES_MAX {
            self.places.pop_last();
        }
    }

    /// It has this token. Those that were asked for later it may have yet: they are asked for
    /// again.
    fn has(&mut self, token: Token) {
        if let Some(place) = self.tokens_asked.iter().position(|asked| *asked == token) {
            self.tokens_asked.drain(..=place);
        }
        self.token = token;
    }

    fn be_put_back(&mut self, to: Seq) {
        self.seen = self.seen.min(to);
        self.places.values_mut().for_each(|(_, seq)| *seq = to.min(*seq));
    }

    /// What was said in private up to what was seen needs no place of its own. A group needs one:
    /// it tells that the client is in it.
    fn forget_what_is_seen(&mut self) {
        let seen = self.seen;
        self.places
            .retain(|_, (place, seq)| matches!(place, Conversation::Group(_)) || *seq > seen);
    }
}

fn key(conversation: &Conversation) -> (bool, NameKey) {
    match conversation {
        Conversation::Group(group) => (false, group.key()),
        Conversation::User(user) => (true, user.key()),
    }
}

impl JournalState {
    pub(crate) fn seen(&self) -> Option<Seq> {
        self.session.as_ref().map(|session| session.seen)
    }

    /// Some records here could not be read.
    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// All was read that could be; what is written from now on can be trusted.
    pub(super) fn be_sure(&mut self) {
        self.is_doubtful = false;
    }

    pub(super) fn apply(&mut self, record: JournalRecord) {
        match record {
            JournalRecord::Began { name, token, seen } => {
                self.is_doubtful = false;
                self.session = Some(Session {
                    name,
                    token,
                    seen,
                    lives: Lives::default(),
                    tokens_asked: VecDeque::new(),
                    places: BTreeMap::new(),
                });
            }
            JournalRecord::Asked(request) => self.posts.push_back(request),
            JournalRecord::Answered(id) => self.posts.retain(|post| post_id(post) != Some(id)),
            JournalRecord::Resumed { token } => self.change(|session| session.has(token)),
            JournalRecord::MayNotHave { token } => self.change(|session| {
                session.tokens_asked.retain(|asked| *asked != token);
            }),
            JournalRecord::MayHave { token } => self.change(|session| {
                session.tokens_asked.push_back(token);
                if session.tokens_asked.len() > TOKENS_ASKED_MAX {
                    session.tokens_asked.pop_front();
                }
            }),
            JournalRecord::PutBack(seq) => self.change(|session| session.be_put_back(seq)),
            // How far the program came counts in the lives that were told before it.
            JournalRecord::Seen(_) | JournalRecord::At(..) | JournalRecord::Lives(_)
                if self.is_doubtful => {}
            JournalRecord::Lives(lives) => self.change(|session| session.lives = lives),
            JournalRecord::Seen(seq) => self.change(|session| session.seen = seq),
            JournalRecord::At(conversation, seq) => {
                self.change(|session| session.be_at(conversation, seq));
            }
            JournalRecord::Left(group) => self.change(|session| {
                session.places.remove(&key(&Conversation::Group(group)));
            }),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Session)) {
        if let Some(session) = &mut self.session {
            change(session);
        }
    }

    /// The fewest records that say the same.
    pub(super) fn records(&mut self) -> Vec<JournalRecord> {
        let mut records = Vec::new();
        self.change(Session::forget_what_is_seen);
        if let Some(session) = &self.session {
            let (name, token, seen) = (session.name.clone(), session.token.clone(), session.seen);
            records.push(JournalRecord::Began { name, token, seen });
            records.push(JournalRecord::Lives(session.lives.clone()));
            let asked = session.tokens_asked.iter().cloned();
            records.extend(asked.map(|token| JournalRecord::MayHave { token }));
            records.extend(
                session.places.values().cloned().map(|(place, seq)| JournalRecord::At(place, seq)),
            );
        }
        records.extend(self.posts.iter().cloned().map(JournalRecord::Asked));
        records
    }
}
