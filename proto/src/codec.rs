//! Bytes: the only file that knows them. A frame is its length and one bincode value; see the crate's front page.

use std::io;

use bincode::Options;
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_serde::formats::Bincode;
use tokio_util::codec::length_delimited::{LengthDelimitedCodec, LengthDelimitedCodecError};
use tokio_util::codec::{Decoder, FramedRead, FramedWrite};

/// The longest frame, in bytes without its length prefix: a page of the longest names fits.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The longest frame before `Welcome`, in bytes without its length prefix: the longest `Hello` is under 1 KiB, and a
/// stranger should not be able to make us reserve more.
pub const HELLO_FRAME_BYTES_MAX: usize = 4 * 1024;

/// The length prefix: an unsigned big-endian integer.
pub const LENGTH_BYTES: usize = 4;

/// What a [`FrameReader`] sets aside for what was read and not yet decoded, in bytes. It grows to the frame limit
/// when a frame is longer.
const READ_BUFFER_BYTES: usize = 4 * 1024;

type Encoding = bincode::config::WithOtherTrailing<
    bincode::config::WithOtherIntEncoding<bincode::DefaultOptions, bincode::config::FixintEncoding>,
    bincode::config::RejectTrailing,
>;

fn encoding() -> Encoding {
    bincode::DefaultOptions::new().with_fixint_encoding().reject_trailing_bytes()
}

/// Why a frame can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer announced, or the caller made, a frame longer than `limit` bytes.
    #[error("a frame of more than {limit} bytes")]
    TooLong {
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// The frame's bytes are not a value of the expected type, or more than one.
    #[error("a malformed frame: {0}")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The stream failed, or ended inside a frame ([`io::ErrorKind::UnexpectedEof`]).
    #[error("the connection failed: {0}")]
    Io(#[source] io::Error),
}

/// Encodes a frame once, length prefix included, to bytes that any number of connections share.
///
/// # Errors
/// [`FrameError::TooLong`] when it takes more than [`FRAME_BYTES_MAX`].
pub fn encode(frame: &impl Serialize) -> Result<Bytes, FrameError> {
    let mut bytes = Vec::with_capacity(256);
    encode_into(frame, &mut bytes)?;
    Ok(bytes.into())
}

/// Encodes a frame, length prefix included, behind what is in `bytes` already: for a frame that one connection gets.
///
/// # Errors
/// [`FrameError::TooLong`] when it takes more than [`FRAME_BYTES_MAX`]; `bytes` are then as they were.
pub fn encode_into(frame: &impl Serialize, bytes: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = bytes.len();
    let encoded = try_encode_into(frame, bytes);
    if encoded.is_err() {
        bytes.truncate(start);
    }
    encoded
}

fn try_encode_into(frame: &impl Serialize, bytes: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; LENGTH_BYTES]);
    encoding().serialize_into(&mut *bytes, frame).map_err(|e| FrameError::Malformed(e))?;
    let length = bytes.len() - start - LENGTH_BYTES;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { limit: FRAME_BYTES_MAX });
    }
    let prefix = u32::try_from(length).expect("FRAME_BYTES_MAX fits into the prefix");
    bytes[start..start + LENGTH_BYTES].copy_from_slice(&prefix.to_be_bytes());
    Ok(())
}

/// Decodes one frame from its bytes, without the length prefix. What it allocates is bounded by a small multiple of
/// `bytes`, whatever lengths the bytes claim.
///
/// # Errors
/// [`FrameError::Malformed`] unless `bytes` are exactly one valid value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    encoding().deserialize(bytes).map_err(|e| FrameError::Malformed(e))
}

/// Encodes a value that is kept rather than sent: the bytes of a frame without the length, and without its limit.
///
/// # Errors
/// [`FrameError::Malformed`] for a value that has no encoding.
pub fn pack(value: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    // Not `serialize`, which goes through the value twice, to know its size first.
    let mut bytes = Vec::new();
    encoding().serialize_into(&mut bytes, value).map_err(|e| FrameError::Malformed(e))?;
    Ok(bytes)
}

fn length_delimited(limit: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .big_endian()
        .length_field_length(LENGTH_BYTES)
        .max_frame_length(limit)
        .new_codec()
}

/// Cuts a stream into frames. It is the stock codec, and remembers what that one forgets: a length that was taken
/// off the stream. An end right behind it would pass for an end between two frames.
struct Cutter {
    stock: LengthDelimitedCodec,
    inside_frame: bool,
}

impl Decoder for Cutter {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let before = bytes.len();
        let frame = self.stock.decode(bytes)?;
        let took_length = bytes.len() < before;
        self.inside_frame = frame.is_none() && (self.inside_frame || took_length);
        Ok(frame)
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let frame = self.decode(bytes)?;
        if frame.is_none() && (self.inside_frame || !bytes.is_empty()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(frame)
    }
}

/// Frames of type `T` from a stream of bytes.
pub struct FrameReader<R, T> {
    frames: tokio_serde::Framed<FramedRead<R, Cutter>, T, T, Bincode<T, T, Encoding>>,
}

impl<R: AsyncRead + Unpin, T: DeserializeOwned + Unpin> FrameReader<R, T> {
    /// Reads frames of at most `limit` bytes.
    pub fn new(stream: R, limit: usize) -> Self {
        let cutter = Cutter { stock: length_delimited(limit), inside_frame: false };
        let bytes = FramedRead::with_capacity(stream, cutter, READ_BUFFER_BYTES);
        Self { frames: tokio_serde::Framed::new(bytes, Bincode::from(encoding())) }
    }

    /// Changes the limit for the frames whose length has not been read yet.
    pub fn set_limit(&mut self, limit: usize) {
        self.frames.get_mut().decoder_mut().stock.set_max_frame_length(limit);
    }

    /// The stream itself, to read what is left of it as bytes when its frames can't be read any further.
    pub fn stream_mut(&mut self) -> &mut R {
        self.frames.get_mut().get_mut()
    }

    /// The next frame; nothing when the peer ended the stream between two frames. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    /// [`FrameError`]. The caller stops reading then: what follows can't be trusted to be a frame.
    pub async fn next(&mut self) -> Option<Result<T, FrameError>> {
        let frame = self.frames.next().await?;
        Some(frame.map_err(|error| self.explain(error)))
    }

    /// The codec and bincode both hide what went wrong inside an [`io::Error`].
    fn explain(&self, error: io::Error) -> FrameError {
        let cause = error.get_ref();
        if cause.is_some_and(|cause| cause.is::<LengthDelimitedCodecError>()) {
            return FrameError::TooLong { limit: self.frames.get_ref().decoder().stock.max_frame_length() };
        }
        if cause.is_some_and(|cause| cause.is::<bincode::Error>()) {
            return FrameError::Malformed(error.into());
        }
        FrameError::Io(error)
    }
}

/// Frames of type `T` to a stream of bytes.
pub struct FrameWriter<W, T> {
    frames: tokio_serde::Framed<FramedWrite<W, LengthDelimitedCodec>, T, T, Bincode<T, T, Encoding>>,
}

impl<W: AsyncWrite + Unpin, T: Serialize + Unpin> FrameWriter<W, T> {
    /// Writes frames of at most [`FRAME_BYTES_MAX`] bytes.
    pub fn new(stream: W) -> Self {
        let bytes = FramedWrite::new(stream, length_delimited(FRAME_BYTES_MAX));
        Self { frames: tokio_serde::Framed::new(bytes, Bincode::from(encoding())) }
    }

    /// The stream itself, to write what is no frame, or to close it.
    pub fn stream_mut(&mut self) -> &mut W {
        self.frames.get_mut().get_mut()
    }

    /// Puts a frame into the buffer, and writes when the buffer is full.
    ///
    /// # Errors
    /// [`FrameError::TooLong`], or [`FrameError::Io`].
    pub async fn feed(&mut self, frame: T) -> Result<(), FrameError> {
        self.frames.feed(frame).await.map_err(explain_write)
    }

    /// Writes what is in the buffer.
    ///
    /// # Errors
    /// [`FrameError::Io`].
    pub async fn flush(&mut self) -> Result<(), FrameError> {
        self.frames.flush().await.map_err(explain_write)
    }
}

fn explain_write(error: io::Error) -> FrameError {
    match error.kind() {
        io::ErrorKind::InvalidInput => FrameError::TooLong { limit: FRAME_BYTES_MAX },
        _ => FrameError::Io(error),
    }
}
