//! What has been said and is read back: where, by whom, and how long a server keeps it.

use serde::{Deserialize, Deserializer, Serialize};

use crate::text_reader;
use crate::{GroupName, Post, UserName};
#[cfg(doc)]
use crate::{Request, Welcome};

/// The longest text to search for, in bytes of UTF-8: some twenty words.
pub const WORDS_BYTES_MAX: usize = 256;

/// Where things are said, and follow one another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Conversation {
    /// In a group.
    Group(GroupName),
    /// Between two people: the one who is not the reader.
    User(UserName),
}

/// A post that is read back, and where it was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct ArchivedPost {
    /// Where; among two people, the reader's other one as they were called then, whoever of the two
    /// said it.
    pub place: Conversation,
    /// What.
    pub post: Post,
}

/// How long a server keeps what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Retention {
    /// It does not: what a client misses is lost to it, and there is no history.
    Nothing,
    /// For so many days; then it is deleted.
    Days(u32),
    /// For ever.
    Everything,
}

/// What to search for: 1 to [`WORDS_BYTES_MAX`] bytes of text with something other than white space
/// in it, and no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SearchQuery(String);

/// Why a text is not [`SearchQuery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SearchQueryError {
    /// There is nothing in it.
    #[error("a search needs at least one word")]
    Empty,
    /// It has more than [`WORDS_BYTES_MAX`] bytes.
    #[error("a search has at most {WORDS_BYTES_MAX} bytes, this has {bytes}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It has a control character.
    #[error("a search can't have the control character U+{:04X} in it", u32::from(*.0))]
    Control(char),
}

impl SearchQuery {
    /// Checks `text`, and keeps it without the white space around it.
    ///
    /// # Errors
    /// [`SearchQueryError`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<SearchQuery, SearchQueryError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(SearchQueryError::Empty);
        }
        if text.len() > WORDS_BYTES_MAX {
            return Err(SearchQueryError::TooLong { bytes: text.len() });
        }
        match text.chars().find(|c| c.is_control()) {
            Some(control) => Err(SearchQueryError::Control(control)),
            None => Ok(SearchQuery(text.to_owned())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for SearchQuery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_reader::read(deserializer, SearchQuery::parse)
    }
}
