//! What a client must not forget when it is killed: a file with its token, how far it has come, and
//! the posts that have no answer yet.
//!
//! Records are appended as things happen (`journal/file.rs`), and folded into a `JournalState`
//! (`journal/state.rs`) when the file is opened again. A post is in the file before it is sent, and
//! until its answer is here. An event counts as seen once the program has asked for the next one.
//!
//! So a client that was killed comes back as itself, hears what it missed, and sends again what may
//! not have arrived: the server keeps each post once.
//!
//! Nothing is synced to the disk. A killed client loses nothing that it has written; a machine that
//! loses its power may. A server that is asked for what it has told already tells it again.

mod file;
mod state;
#[cfg(test)]
mod tests;

use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use chatroom_proto::{
    Conversation, GroupName, Lives, Refusal, Request, Response, Seq, Token, UserName, Welcome,
};

use crate::error::KeepError;
use crate::limits::POSTS_KEPT_MAX;
use file::JournalFile;
pub(crate) use file::is_in_use;
use state::{JournalRecord, Session, post_id};
pub(crate) use state::{JournalState, TOKENS_ASKED_MAX};

/// What came of [`Options::keep`](crate::Options::keep).
#[derive(Debug, Default)]
pub struct KeptState {
    /// What is wrong with the file. Unless it is [`KeepError::Damaged`], the client goes on without
    /// it.
    pub fault: Option<KeepError>,
    /// So many posts of an earlier run had no answer, and are sent again.
    pub sent_again: usize,
    /// When the file was last written: about when its client last took an event.
    pub last_used: Option<SystemTime>,
}

/// How far a client had come in which session: sessions are counted within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    pub(crate) session: u32,
    pub(crate) seen: Seq,
}

/// What a welcome means for the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WelcomeNews<'a> {
    /// The lives of the server's log.
    pub(crate) lives: &'a Lives,
    /// The server's log was put back: what the client has seen after this is no more.
    pub(crate) put_back: Option<Seq>,
    /// Whether places go on from where they were.
    pub(crate) goes_on: bool,
    /// The number of the session. Another one began where the log was put back, too: how far the
    /// program has come with what it was told before means nothing from there on.
    pub(crate) session: u32,
}

/// The journal of one client; without a file it forgets everything.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: JournalFile,
    /// The session in which its state's `seen` was.
    session: u32,
}

/// The program's hold on a journal. When the last one is gone the file is free for the next client,
/// however long the link takes to end.
#[derive(Debug)]
pub(crate) struct JournalHandle(Arc<Journal>);

impl JournalHandle {
    pub(crate) fn new(journal: Journal) -> Arc<JournalHandle> {
        Arc::new(JournalHandle(Arc::new(journal)))
    }

    pub(crate) fn share(&self) -> Arc<Journal> {
        Arc::clone(&self.0)
    }
}

impl Deref for JournalHandle {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        &self.0
    }
}

impl Drop for JournalHandle {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

impl Journal {
    /// Opens the file for a client of that name, and tells what was in it. A file that can't be
    /// used is told, and then nothing is kept.
    pub(crate) fn open(file: Option<&Path>, name: &UserName) -> (Journal, JournalState, KeptState) {
        let Some(path) = file else { return Default::default() };
        match JournalFile::open(path, name) {
            Ok(opened) => {
                let state = opened.file.state().clone();
                let fault = opened.is_damaged.then_some(KeepError::Damaged);
                if fault.is_some() {
                    tracing::warn!(file = %path.display(), "a part of the journal is damaged");
                }
                let kept =
                    KeptState { fault, sent_again: state.posts.len(), last_used: opened.last_used };
                let open = Mutex::new(Some(Open { file: opened.file, session: 0 }));
                (Journal { open }, state, kept)
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "the journal is not used");
                let kept = KeptState { fault: Some(error), ..KeptState::default() };
                (Journal::default(), JournalState::default(), kept)
            }
        }
    }

    /// Whether there is a file, and it is written.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// A client that has no session is about to come with this token: should it be killed before
    /// it is welcomed, it is recognized the next time.
    pub(crate) fn comes_with(&self, name: &UserName, token: &Token) {
        let (name, token) = (name.clone(), token.clone());
        self.write(|_| vec![JournalRecord::Began { name, token, seen: Seq::FIRST }]);
    }

    /// The server has let the client in. All of it is written at once, how far the client was put
    /// back before the lives of the log: whoever is killed in between is put back again.
    pub(crate) fn welcomed(&self, name: &UserName, welcome: &Welcome, news: WelcomeNews<'_>) {
        let WelcomeNews { lives, put_back, goes_on, session } = news;
        self.write(|open| {
            open.session = session;
            let mut records: Vec<_> = put_back.map(JournalRecord::PutBack).into_iter().collect();
            let state = open.file.state().session.as_ref();
            if goes_on {
                records.push(JournalRecord::Resumed { token: welcome.token.clone() });
                records.extend(state.into_iter().flat_map(|session| groups_left(session, welcome)));
            } else {
                records.extend(beginning(name, welcome));
                // They are asked for again, with this session.
                let asked = state.into_iter().flat_map(|session| &session.tokens_asked);
                records.extend(asked.map(|token| JournalRecord::MayHave { token: token.clone() }));
            }
            if !goes_on || state.is_some_and(|session| session.lives != *lives) {
                records.push(JournalRecord::Lives(lives.clone()));
            }
            records
        });
    }

    /// The session has this token from now on.
    pub(crate) fn resumed(&self, token: &Token) {
        self.write(|_| vec![JournalRecord::Resumed { token: token.clone() }]);
    }

    /// The program has done what it does with everything up to here.
    pub(crate) fn handed(&self, place: Cursor) {
        self.write(|open| {
            let is_news =
                open.session == place.session && open.file.state().seen() != Some(place.seen);
            if is_news { vec![JournalRecord::Seen(place.seen)] } else { Vec::new() }
        });
    }

    /// Something is about to be asked. Tells whether it is kept: what is no post need not be.
    pub(crate) fn asked(&self, request: &Request) -> bool {
        if let Request::ChangePasswordAndToken { token, .. } = request {
            self.write(|_| vec![JournalRecord::MayHave { token: token.clone() }]);
        }
        if post_id(request).is_none() {
            return false;
        }
        let mut has_room = true;
        let is_written = self.write(|open| {
            has_room = open.file.state().posts.len() < POSTS_KEPT_MAX;
            if has_room { vec![JournalRecord::Asked(request.clone())] } else { Vec::new() }
        });
        if !has_room {
            tracing::warn!("too many posts without an answer: this one is not kept");
        }
        has_room && is_written
    }

    /// Something was answered; what was done may be undone since (see `ReadState::is_undone`).
    pub(crate) fn answered(
        &self,
        request: &Request,
        result: &Result<Response, Refusal>,
        is_undone: bool,
    ) {
        let answered = post_id(request).map(JournalRecord::Answered);
        let at = match (request, result) {
            _ if is_undone => None,
            (Request::Public { group, .. }, Ok(Response::Posted { seq, .. })) => {
                Some(JournalRecord::At(Conversation::Group(group.clone()), *seq))
            }
            (
                Request::Private { to, .. },
                Ok(Response::Posted { seq, .. } | Response::Kept { seq, .. }),
            ) => Some(JournalRecord::At(Conversation::User(to.clone()), *seq)),
            (_, Ok(Response::Joined { seq, membership })) => {
                Some(JournalRecord::At(Conversation::Group(membership.group.clone()), *seq))
            }
            (_, Ok(Response::Left { group, .. })) => Some(JournalRecord::Left(group.clone())),
            (Request::ChangePasswordAndToken { token, .. }, Err(_)) => {
                Some(JournalRecord::MayNotHave { token: token.clone() })
            }
            _ => None,
        };
        if answered.is_some() || at.is_some() {
            self.write(|_| at.into_iter().chain(answered).collect());
        }
    }

    /// Somebody has put the client out of a group, or another device of the same person has left
    /// it.
    pub(crate) fn is_out(&self, group: &GroupName) {
        self.write(|_| vec![JournalRecord::Left(group.clone())]);
    }

    /// Appends what is to be appended. Of a file that can't be written any more only who the client
    /// is stays: stale posts in it would be sent again when no server knows them for repeats.
    fn write(&self, records: impl FnOnce(&mut Open) -> Vec<JournalRecord>) -> bool {
        let mut guard = self.lock();
        let Some(open) = guard.as_mut() else { return false };
        let records = records(open);
        let written = open.file.append(records);
        if let Err(error) = written {
            tracing::warn!(%error, "the journal can't be written any more, and is given up");
            if let Some(open) = guard.take() {
                open.file.retire();
            }
            return false;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new session: what was known of the places before means nothing now.
fn beginning(name: &UserName, welcome: &Welcome) -> Vec<JournalRecord> {
    let (name, token) = (name.clone(), welcome.token.clone());
    let groups = welcome.groups.as_slice().iter().map(|membership| {
        JournalRecord::At(Conversation::Group(membership.group.clone()), membership.head)
    });
    [JournalRecord::Began { name, token, seen: welcome.seq }].into_iter().chain(groups).collect()
}

/// Of the groups that a session was in, the welcome names those in which it still is: of the
/// others, the places mean nothing when it comes into them again.
fn groups_left(session: &Session, welcome: &Welcome) -> Vec<JournalRecord> {
    let is_in = |group: &GroupName| {
        let mut groups = welcome.groups.as_slice().iter();
        groups.any(|membership| membership.group.key() == group.key())
    };
    let groups = session.places().filter_map(|(place, _)| match place {
        Conversation::Group(group) => Some(group),
        Conversation::User(_) => None,
    });
    groups.filter(|group| !is_in(group)).cloned().map(JournalRecord::Left).collect()
}
