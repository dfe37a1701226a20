//! The two kinds of frame.

use serde::{Deserialize, Serialize};

use crate::{Notification, Refusal, Request, Response, Tag};

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct ClientFrame {
    /// Comes back with the response.
    pub tag: Tag,
    /// What is asked.
    pub request: Request,
}

impl ClientFrame {
    /// The tag of a frame that begins so.
    pub fn tag_in(beginning: [u8; 4]) -> Tag {
        Tag(u32::from_le_bytes(beginning))
    }
}

/// What a server sends. Variants are appended, never moved: their number is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum ServerFrame {
    /// The answer to one request. On one connection answers come in the order of the requests.
    Response {
        /// The request's tag.
        tag: Tag,
        /// What came of it.
        result: Result<Response, Refusal>,
    },
    /// Something that was not asked for.
    Notification(Notification),
}
