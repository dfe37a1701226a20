//! Bytes: the only file that knows them. A frame is its length and one bincode value; see the
//! crate's front page.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bincode::{ErrorKind, Options};
use bytes::Bytes;
use futures_util::SinkExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_serde::formats::Bincode;
use tokio_util::codec::FramedWrite;
use tokio_util::codec::length_delimited::LengthDelimitedCodec;

/// The longest frame, in bytes without its length prefix: a page of the longest names fits.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The longest frame before `Welcome`, in bytes without its length prefix: the longest `Hello` is
/// under 1 KiB, and a stranger should not be able to make us reserve more.
pub const HELLO_FRAME_BYTES_MAX: usize = 4 * 1024;

/// The length prefix: an unsigned big-endian integer.
pub const LENGTH_BYTES: usize = 4;

/// What is read from a stream at once, in bytes: some hundred short messages for the price of one
/// call.
const READ_BYTES_MAX: usize = 64 * 1024;

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
    /// The frame is whole, but a value in it breaks a rule of its type, or is of a newer version.
    /// What follows can still be read.
    #[error("an invalid value in a frame: {why}")]
    Invalid {
        /// The frame's first bytes.
        beginning: [u8; 4],
        /// Which rule.
        why: String,
    },
    /// The stream failed, or ended inside a frame ([`io::ErrorKind::UnexpectedEof`]).
    #[error("the connection failed: {0}")]
    Io(#[source] io::Error),
}

impl FrameError {
    /// Whether what follows can still be read.
    fn is_within_frame(&self) -> bool {
        matches!(self, FrameError::Invalid { .. })
    }
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

/// Encodes a frame, length prefix included, behind what is in `bytes` already: for a frame that one
/// connection gets.
///
/// # Errors
/// [`FrameError::TooLong`] when it takes more than [`FRAME_BYTES_MAX`]; `bytes` are then as they
/// were.
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

/// Decodes one frame from its bytes, without the length prefix. What it allocates is bounded by a
/// small multiple of `bytes`, whatever lengths the bytes claim.
///
/// # Errors
/// [`FrameError::Malformed`] unless `bytes` are exactly one value; [`FrameError::Invalid`] where
/// only a rule is broken.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    encoding().deserialize(bytes).map_err(|error| explain_read::<T>(error, bytes))
}

#[cold]
fn explain_read<T: DeserializeOwned>(error: bincode::Error, bytes: &[u8]) -> FrameError {
    let why = match &*error {
        ErrorKind::Custom(why) => why.clone(),
        ErrorKind::InvalidUtf8Encoding(_) => "a text that is not valid UTF-8".to_owned(),
        _ => return FrameError::Malformed(error),
    };
    // The library says of bytes that are left over in the same way that they are there.
    let is_too_long = encoding().allow_trailing_bytes().deserialize::<T>(bytes).is_ok();
    match bytes.first_chunk() {
        Some(beginning) if !is_too_long => FrameError::Invalid { beginning: *beginning, why },
        _ => FrameError::Malformed(error),
    }
}

/// Encodes a value that is kept rather than sent: the bytes of a frame without the length, and
/// without its limit.
///
/// # Errors
/// [`FrameError::Malformed`] for a value that has no encoding.
pub fn pack(value: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    // Not `serialize`, which goes through the value twice, to know its size first.
    let mut bytes = Vec::new();
    encoding().serialize_into(&mut bytes, value).map_err(|e| FrameError::Malformed(e))?;
    Ok(bytes)
}

/// Frames of type `T` from a stream of bytes. It keeps nothing but the bytes of a frame that is not
/// whole yet, and of those behind the one that was taken: a connection that is silent costs no
/// buffer.
pub struct FrameReader<R, T> {
    stream: R,
    limit: usize,
    /// What was read and not taken yet begins at `taken`.
    bytes: Vec<u8>,
    taken: usize,
    has_failed: bool,
    frames: PhantomData<fn() -> T>,
}

impl<R: AsyncRead + Unpin, T: DeserializeOwned> FrameReader<R, T> {
    /// Reads frames of at most `limit` bytes.
    pub fn new(stream: R, limit: usize) -> Self {
        Self { stream, limit, bytes: Vec::new(), taken: 0, has_failed: false, frames: PhantomData }
    }

    /// Changes the limit for the frames that were not taken yet.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The stream itself, to read what is left of it as bytes when its frames can't be read any
    /// further.
    pub fn stream_mut(&mut self) -> &mut R {
        &mut self.stream
    }

    /// The next frame; nothing when the peer ended the stream between two frames. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// [`FrameError`]. Only after [`FrameError::Invalid`] more can come: otherwise what follows
    /// can't be trusted to be a frame.
    pub async fn next(&mut self) -> Option<Result<T, FrameError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same, for one who waits for several things.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, FrameError>>> {
        if self.has_failed {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_frame(cx)).transpose();
        self.has_failed = matches!(next, Some(Err(ref error)) if !error.is_within_frame());
        Poll::Ready(next)
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, FrameError>> {
        loop {
            if let Some(frame) = self.take()? {
                return Poll::Ready(Ok(Some(frame)));
            }
            match ready!(self.poll_read(cx)).map_err(FrameError::Io)? {
                0 if self.bytes.is_empty() => return Poll::Ready(Ok(None)),
                0 => return Poll::Ready(Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into()))),
                _ => {}
            }
        }
    }

    /// Takes a whole frame, if one is there. Otherwise what is there begins the buffer, which is as
    /// large as that.
    fn take(&mut self) -> Result<Option<T>, FrameError> {
        let rest = &self.bytes[self.taken..];
        if let Some((length, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > self.limit {
                return Err(FrameError::TooLong { limit: self.limit });
            }
            if let Some(frame) = rest.get(..length) {
                let frame = decode(frame);
                self.taken += LENGTH_BYTES + length;
                return frame.map(Some);
            }
        }
        if self.taken > 0 {
            self.bytes = rest.to_vec();
            self.taken = 0;
        }
        Ok(None)
    }

    /// Reads what is there, into a buffer that all streams of a thread share: nothing is set aside
    /// on the word of the peer, and nothing is held while there is nothing.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        thread_local! {
            static CHUNK: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES_MAX]);
        }
        CHUNK.with_borrow_mut(|chunk| {
            // One who may send short frames only is read in small pieces: what is read is held
            // until it is taken.
            let bytes_max = READ_BYTES_MAX.min(LENGTH_BYTES + self.limit);
            let mut chunk = ReadBuf::new(&mut chunk[..bytes_max]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut chunk))?;
            self.bytes.extend_from_slice(chunk.filled());
            Poll::Ready(Ok(chunk.filled().len()))
        })
    }
}

/// Frames of type `T` to a stream of bytes.
pub struct FrameWriter<W, T> {
    frames:
        tokio_serde::Framed<FramedWrite<W, LengthDelimitedCodec>, T, T, Bincode<T, T, Encoding>>,
}

impl<W: AsyncWrite + Unpin, T: Serialize + Unpin> FrameWriter<W, T> {
    /// Writes frames of at most [`FRAME_BYTES_MAX`] bytes.
    pub fn new(stream: W) -> Self {
        let lengths = LengthDelimitedCodec::builder()
            .big_endian()
            .length_field_length(LENGTH_BYTES)
            .max_frame_length(FRAME_BYTES_MAX)
            .new_codec();
        let bytes = FramedWrite::new(stream, lengths);
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
