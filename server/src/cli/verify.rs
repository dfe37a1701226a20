//! Whether a log is whole, and the archive beside it what the log has come to.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use chatroom_proto::{Seq, UnixMillis};

use super::log_reading::{ToolError, read_through, time};
use crate::chat::effect::{ArchiveChange, ConversationId, StoredPost};
use crate::storage::archive::{ArchiveCheck, ArchiveFound};
use crate::storage::log::LogReader;

/// What a log has that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summary {
    /// How many entries.
    pub entries: u64,
    /// The newest of them.
    pub newest: Seq,
    /// How many of these are posts that took effect.
    pub posts: u64,
    /// How many deletions of one post.
    pub deleted: u64,
    /// How many groups there are.
    pub groups: usize,
    /// When the first and the last of the entries were proposed.
    pub times: Option<(UnixMillis, UnixMillis)>,
    /// The last entry that was deleted.
    pub deleted_until: Option<Seq>,
    /// What the archive is.
    pub archive: ArchiveState,
}

/// What the archive beside a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArchiveState {
    /// There is none.
    Nothing,
    /// The next start makes it again, for this reason.
    MadeAgain(String),
    /// It has everything up to here as the log has it.
    WholeUpTo(Seq),
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { entries, posts, deleted, groups, times, deleted_until, archive, .. } = self;
        write!(f, "the log is whole: {entries} entries, {posts} posts, {groups} groups")?;
        if let Some((first, last)) = times {
            write!(f, ", from {} to {}", time(*first), time(*last))?;
        }
        if *deleted > 0 {
            write!(f, "; posts deleted by somebody: {deleted}")?;
        }
        if let Some(until) = deleted_until {
            write!(f, "; everything up to {until} was deleted")?;
        }
        match archive {
            ArchiveState::Nothing => Ok(()),
            ArchiveState::MadeAgain(why) => {
                write!(f, "\nthe archive is made again at the next start: {why}")
            }
            ArchiveState::WholeUpTo(seq) => {
                write!(f, "\nthe archive has everything up to {seq} as the log has it")
            }
        }
    }
}

/// Reads the whole log in this directory: checksums, order and gaps, and that every post says truly
/// which post of its conversation it follows. Compares the archive with it, if there is one.
///
/// # Errors
/// [`ToolError`] says what is wrong, and where.
pub(super) fn verify(directory: &Path) -> Result<Summary, ToolError> {
    let mut log = LogReader::open_checked(directory)?;
    // What is wrong with the archive is said when it is known that the log is whole.
    let mut archive = ArchiveCheck::open(directory, log.identity()?);
    let deleted_until = log.snapshot()?.map(|snapshot| snapshot.seq);
    let mut links = Links { begins: deleted_until.unwrap_or(Seq::ZERO), newest: HashMap::new() };
    let (mut entries, mut posts, mut deleted, mut times) = (0, 0, 0, None);
    let state = read_through(&mut log, |entry, change| {
        let at = entry.proposal.at;
        entries += 1;
        times = Some((times.map_or(at, |(first, _)| first), at));
        match &change {
            Some(ArchiveChange::Said(stored)) => {
                posts += 1;
                links.follow(stored)?;
            }
            Some(ArchiveChange::Deleted(..)) => deleted += 1,
            None => {}
        }
        if let Ok(ArchiveFound::View(check)) = &mut archive
            && let Err(fault) = check.compare(entry, change.as_ref())
        {
            archive = Err(fault);
        }
        Ok(())
    })?;
    let (newest, groups) = (state.head(), state.group_names().count());
    let archive = match archive? {
        ArchiveFound::Nothing => ArchiveState::Nothing,
        ArchiveFound::MadeAgain(why) => ArchiveState::MadeAgain(why),
        ArchiveFound::View(archive) => ArchiveState::WholeUpTo(archive.end(newest)?),
    };
    Ok(Summary { entries, newest, posts, deleted, groups, times, deleted_until, archive })
}

/// The newest post of every conversation.
struct Links {
    /// Up to here everything was deleted.
    begins: Seq,
    newest: HashMap<ConversationId, Seq>,
}

impl Links {
    fn follow(
        &mut self,
        StoredPost { thread: conversation, post, .. }: &StoredPost,
    ) -> Result<(), ToolError> {
        let before = self.newest.insert(*conversation, post.seq);
        let is_true = match before {
            Some(before) => post.prev == before,
            None => post.prev <= self.begins,
        };
        // Of two people who talk to very many others, the chat forgets that they have talked.
        let has_forgotten =
            matches!(conversation, ConversationId::Pair(..)) && post.prev == Seq::ZERO;
        if is_true || has_forgotten {
            return Ok(());
        }
        let follows = before.unwrap_or(self.begins);
        Err(ToolError::Link { at: post.seq, says: post.prev, follows })
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Body, Conversation, GroupName, Post, PostId, UserName};

    use super::*;
    use crate::chat::entry::{GroupId, PersonId};

    fn stored(conversation: ConversationId, seq: u64, prev: u64) -> StoredPost {
        let from = UserName::parse("jim").unwrap();
        let body = Body::parse("x").unwrap();
        let post = Post {
            seq: Seq(seq),
            prev: Seq(prev),
            at: UnixMillis(0),
            id: PostId([0; 16]),
            from,
            body,
        };
        let to = Conversation::Group(GroupName::general());
        let by = PersonId(Seq(1));
        let device = by.first_device();
        StoredPost { thread: conversation, by, device, to, post, deletion: None }
    }

    /// Where the first lie is, if there is one.
    fn lie(begins: u64, posts: &[(ConversationId, u64, u64)]) -> Option<u64> {
        let mut links = Links { begins: Seq(begins), newest: HashMap::new() };
        posts.iter().find_map(|&(conversation, seq, prev)| {
            match links.follow(&stored(conversation, seq, prev)) {
                Ok(()) => None,
                Err(ToolError::Link { at, .. }) => Some(at.0),
                Err(other) => panic!("{other:?}"),
            }
        })
    }

    #[test]
    fn a_post_that_does_not_follow_the_one_before_it_in_its_conversation_is_noticed() {
        let (general, tea) =
            (ConversationId::Group(GroupId::GENERAL), ConversationId::Group(GroupId(Seq(3))));
        let pair = ConversationId::between(PersonId(Seq(2)), PersonId(Seq(1)));
        assert_eq!(lie(0, &[(general, 4, 0), (tea, 5, 0), (general, 6, 4), (tea, 7, 5)]), None);
        assert_eq!(lie(0, &[(general, 4, 0), (general, 6, 4), (general, 9, 4)]), Some(9));
        assert_eq!(lie(0, &[(general, 4, 3)]), Some(4), "there was none before the first");
        assert_eq!(lie(10, &[(general, 14, 3), (general, 15, 14)]), None, "it was deleted");
        assert_eq!(lie(10, &[(general, 14, 11)]), Some(14), "that one was not");
        assert_eq!(
            lie(0, &[(pair, 4, 0), (pair, 6, 0)]),
            None,
            "people may have talked longer ago than is known"
        );
        assert_eq!(lie(0, &[(pair, 4, 0), (pair, 6, 5)]), Some(6));
        assert_eq!(
            lie(0, &[(general, 4, 0), (general, 6, 0)]),
            Some(6),
            "groups are not forgotten"
        );
    }
}
