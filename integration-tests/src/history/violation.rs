//! What must not be, by name.

use std::fmt;

use chatroom_proto::{Conversation, PostId, Seq, UserName};

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A post was acknowledged, and the log does not have it there.
    NotKept {
        /// Which.
        id: PostId,
        /// Where it should be.
        seq: Seq,
    },
    /// A post was not shown to somebody who was there before it and after it, and came to rest.
    NotShown {
        /// To whom.
        reader: UserName,
        /// Which.
        id: PostId,
        /// Its place.
        seq: Seq,
    },
    /// Somebody came to rest, and got no answer to a post that was in safe hands.
    NotAnswered {
        /// Who.
        reader: UserName,
        /// To which.
        id: PostId,
    },
    /// Somebody showed a post twice, or one of their own.
    ShownTwice {
        /// Who.
        reader: UserName,
        /// Which.
        id: PostId,
        /// Its place.
        seq: Seq,
    },
    /// The log has kept a post twice.
    KeptTwice {
        /// Which.
        id: PostId,
    },
    /// Somebody showed a post after one that comes after it.
    OutOfOrder {
        /// Who.
        reader: UserName,
        /// What was shown before.
        before: Seq,
        /// What was shown then.
        seq: Seq,
    },
    /// A post has two places, or a place two posts.
    Disagreement {
        /// Which post.
        id: PostId,
        /// Where it is said to be.
        seq: Seq,
    },
    /// Somebody showed a post and not the one before it in its conversation.
    Gap {
        /// Who.
        reader: UserName,
        /// What was shown.
        seq: Seq,
        /// What was not.
        prev: Seq,
    },
    /// Somebody's library said that something is missing.
    SaidToBeMissing {
        /// Whose.
        reader: UserName,
        /// Where.
        place: Conversation,
    },
    /// Somebody showed a post of a conversation that it was not in.
    ShownOutside {
        /// Who.
        reader: UserName,
        /// Which.
        id: PostId,
        /// Its place.
        seq: Seq,
    },
    /// Somebody was told the text of a post after it was deleted.
    ShownDeleted {
        /// Who.
        reader: UserName,
        /// The post's place.
        seq: Seq,
    },
    /// Somebody was shown a post, and not told that it was deleted since.
    DeletionUnsaid {
        /// Who.
        reader: UserName,
        /// The post's place.
        seq: Seq,
    },
    /// Somebody showed a post that nobody has sent.
    MadeUp {
        /// Who.
        reader: UserName,
        /// Which.
        id: PostId,
    },
    /// A server did not know somebody who came back.
    Forgotten {
        /// Whom.
        reader: UserName,
        /// Where the new session began.
        seq: Seq,
    },
}

/// What a violation is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Something that was acknowledged is not there.
    Lost,
    /// Something is there twice.
    Doubled,
    /// Two orders.
    Reordered,
    /// A hole in a conversation.
    Gap,
    /// Shown to somebody who must not see it.
    Outside,
    /// Shown after its deletion.
    Deleted,
    /// Everything else: posts from nowhere, people who were forgotten.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] = [
        Kind::Lost,
        Kind::Doubled,
        Kind::Reordered,
        Kind::Gap,
        Kind::Outside,
        Kind::Deleted,
        Kind::Other,
    ];
}

impl Violation {
    /// The post, if this says no more than that it was said twice.
    pub(super) fn said_twice(&self) -> Option<PostId> {
        match self {
            Violation::KeptTwice { id }
            | Violation::ShownTwice { id, .. }
            | Violation::Disagreement { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// What it is counted as.
    pub fn kind(&self) -> Kind {
        match self {
            Violation::NotKept { .. }
            | Violation::NotShown { .. }
            | Violation::NotAnswered { .. }
            | Violation::DeletionUnsaid { .. } => Kind::Lost,
            Violation::ShownTwice { .. } | Violation::KeptTwice { .. } => Kind::Doubled,
            Violation::OutOfOrder { .. } | Violation::Disagreement { .. } => Kind::Reordered,
            Violation::Gap { .. } | Violation::SaidToBeMissing { .. } => Kind::Gap,
            Violation::ShownOutside { .. } => Kind::Outside,
            Violation::ShownDeleted { .. } => Kind::Deleted,
            Violation::MadeUp { .. } | Violation::Forgotten { .. } => Kind::Other,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::NotKept { id, seq } => {
                write!(f, "{id:?} was acknowledged at {seq} and is not kept there")
            }
            Violation::NotShown { reader, id, seq } => {
                write!(f, "{reader} was there and was not shown {id:?} at {seq}")
            }
            Violation::NotAnswered { reader, id } => {
                write!(f, "{reader} was never answered {id:?}")
            }
            Violation::ShownTwice { reader, id, seq } => {
                write!(f, "{reader} was shown {id:?} again, at {seq}")
            }
            Violation::KeptTwice { id } => write!(f, "{id:?} is kept twice"),
            Violation::OutOfOrder { reader, before, seq } => {
                write!(f, "{reader} was shown {seq} after {before}")
            }
            Violation::Disagreement { id, seq } => {
                write!(f, "{id:?} is said to be at {seq}; so is another post, or it is elsewhere")
            }
            Violation::Gap { reader, seq, prev } => {
                write!(f, "{reader} was shown {seq} and not {prev} before it")
            }
            Violation::SaidToBeMissing { reader, place } => {
                write!(f, "{reader} was told that something is missing in {place:?}")
            }
            Violation::ShownOutside { reader, id, seq } => {
                write!(f, "{reader} was shown {id:?} at {seq} and is not in that conversation")
            }
            Violation::ShownDeleted { reader, seq } => {
                write!(f, "{reader} was told the text at {seq} after it was deleted")
            }
            Violation::DeletionUnsaid { reader, seq } => {
                write!(f, "{reader} was shown {seq} and was not told that it was deleted")
            }
            Violation::MadeUp { reader, id } => {
                write!(f, "{reader} was shown {id:?}, which nobody has sent")
            }
            Violation::Forgotten { reader, seq } => {
                write!(f, "{reader} came back at {seq} and was taken for a stranger")
            }
        }
    }
}
