//! Bytes of frames put together by hand, right or wrong, in the manner of the crate's front page.

use chatroom_proto::codec::{FrameError, decode};
use serde::de::DeserializeOwned;

/// The bytes of a value, field by field.
#[derive(Default)]
pub(crate) struct Raw(Vec<u8>);

impl Raw {
    /// A client's frame up to the number of its request.
    pub(crate) fn request(variant: u32) -> Raw {
        Raw::default().u32(7).u32(variant)
    }

    /// A server's frame up to the number of its response.
    pub(crate) fn granted(variant: u32) -> Raw {
        Raw::default().u32(0).u32(7).u32(0).u32(variant)
    }

    /// A server's frame up to the number of its refusal.
    pub(crate) fn refused(variant: u32) -> Raw {
        Raw::default().u32(0).u32(7).u32(1).u32(variant)
    }

    /// A server's frame up to the number of its notification.
    pub(crate) fn notification(variant: u32) -> Raw {
        Raw::default().u32(1).u32(variant)
    }

    pub(crate) fn u8(self, value: u8) -> Raw {
        self.and(&[value])
    }

    pub(crate) fn u16(self, value: u16) -> Raw {
        self.and(&value.to_le_bytes())
    }

    pub(crate) fn u32(self, value: u32) -> Raw {
        self.and(&value.to_le_bytes())
    }

    pub(crate) fn u64(self, value: u64) -> Raw {
        self.and(&value.to_le_bytes())
    }

    /// A text, or bytes in the place of one.
    pub(crate) fn text(self, text: impl AsRef<[u8]>) -> Raw {
        let text = text.as_ref();
        self.u64(text.len() as u64).and(text)
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn and(mut self, bytes: &[u8]) -> Raw {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// A frame: its length, and a value's bytes.
pub(crate) fn framed(value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).expect("the test made a short value");
    [&length.to_be_bytes(), value].concat()
}

/// Decodes what must not be decodable, and gives the reason.
#[track_caller]
pub(crate) fn malformed<T: DeserializeOwned>(bytes: &[u8]) -> String {
    match decode::<T>(bytes) {
        Err(FrameError::Malformed(reason)) => reason.to_string(),
        Err(FrameError::Invalid { why, .. }) => why,
        Err(other) => panic!("malformed, and not {other:?}: {bytes:02x?}"),
        Ok(_) => panic!("accepted, but malformed: {bytes:02x?}"),
    }
}
