//! What is said, and what is left of it when it is deleted.

use serde::{Deserialize, Serialize};

use crate::{Body, PostId, Seq, UnixMillis, UserName};

/// Something that was said, in a group or to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Post {
    /// Its place in the order.
    pub seq: Seq,
    /// The place of the post before it in the same conversation; [`Seq::ZERO`] when it is the
    /// first. One who has seen that post, or made it, has missed nothing.
    pub prev: Seq,
    /// When the server took it.
    pub at: UnixMillis,
    /// The identity that its sender gave it.
    pub id: PostId,
    /// Who said it.
    pub from: UserName,
    /// What was said.
    pub body: Body,
}

/// What is left of a post that was deleted: everything but the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct DeletedPost {
    /// Its place in the order.
    pub seq: Seq,
    /// The place of the post before it, as in [`Post::prev`].
    pub prev: Seq,
    /// When the server took it.
    pub at: UnixMillis,
    /// The identity that its sender gave it.
    pub id: PostId,
    /// Who said it.
    pub from: UserName,
    /// Who deleted it.
    pub by: UserName,
}

impl Post {
    /// What is left of it when somebody deletes it.
    #[must_use]
    pub fn deleted(self, by: UserName) -> DeletedPost {
        let Post { seq, prev, at, id, from, .. } = self;
        DeletedPost { seq, prev, at, id, from, by }
    }
}
