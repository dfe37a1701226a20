//! A part of a list, as much as fits into one frame.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The most items on one page of a list. 400 of the longest names (32 characters of 4 bytes, 8 of
/// length) take 54,400 bytes and fit into a frame.
pub const PAGE_ITEMS_MAX: usize = 400;

/// At most [`PAGE_ITEMS_MAX`] items of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Page<T>(Vec<T>);

/// A page has at most [`PAGE_ITEMS_MAX`] items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page has at most {PAGE_ITEMS_MAX} items")]
pub struct PageError;

impl<T> Page<T> {
    /// The items, in their order.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }

    /// The items, in their order.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// Takes items until the page is full.
    pub fn fill(items: impl IntoIterator<Item = T>) -> Page<T> {
        Page(items.into_iter().take(PAGE_ITEMS_MAX).collect())
    }
}

impl<T> TryFrom<Vec<T>> for Page<T> {
    type Error = PageError;
    fn try_from(items: Vec<T>) -> Result<Page<T>, PageError> {
        if items.len() <= PAGE_ITEMS_MAX { Ok(Page(items)) } else { Err(PageError) }
    }
}

/// Refuses a page that announces too many items before it makes room for one: a `Vec` would first
/// reserve up to 1 MiB, on the word of a few bytes.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PageVisitor(PhantomData))
    }
}

struct PageVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for PageVisitor<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {PAGE_ITEMS_MAX} items")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut announced: A) -> Result<Page<T>, A::Error> {
        if announced.size_hint().is_some_and(|items| items > PAGE_ITEMS_MAX) {
            return Err(de::Error::custom(PageError));
        }
        let mut items = Vec::new();
        while let Some(item) = announced.next_element()? {
            if items.len() == PAGE_ITEMS_MAX {
                return Err(de::Error::custom(PageError));
            }
            items.push(item);
        }
        Ok(Page(items))
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_what_fits() {
        assert_eq!(Page::fill(0..1_000).as_slice().len(), PAGE_ITEMS_MAX);
        assert_eq!(Page::try_from(vec![0_u8; PAGE_ITEMS_MAX + 1]), Err(PageError));
    }
}
