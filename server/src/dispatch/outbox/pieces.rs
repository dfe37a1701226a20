//! Bytes in as few pieces as it takes: what many connections get is shared between them and not
//! copied, what is short is put together with its neighbours, so that all of it goes out in one
//! write.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Deref;

use bytes::{Buf, Bytes};

/// Shorter ones are copied behind or before their neighbours, in bytes: a copy of this size costs
/// less than one more piece in the kernel's hands (measured: vectored writes pay from some KiB on).
const SHARED_BYTES_MIN: usize = 4 * 1024;

/// Whole frames, length prefixes included.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// Mostly there is one, or none. Empty, when there is none.
    front: Bytes,
    /// The others, while there are any.
    more: Option<Box<More>>,
    /// See [`Pieces::copied`].
    copied: usize,
}

#[derive(Debug, Default)]
struct More {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

#[derive(Debug)]
enum Piece {
    Shared(Bytes),
    Own(Vec<u8>),
}

impl Deref for Piece {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Piece::Shared(bytes) => bytes,
            Piece::Own(bytes) => bytes,
        }
    }
}

impl From<Piece> for Bytes {
    fn from(piece: Piece) -> Bytes {
        match piece {
            Piece::Shared(bytes) => bytes,
            Piece::Own(bytes) => bytes.into(),
        }
    }
}

impl More {
    fn push(&mut self, piece: Piece) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }
}

impl Pieces {
    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        self.front.len() + self.more.as_ref().map_or(0, |more| more.bytes)
    }

    /// How many bytes were copied in, and are nobody else's. Those that were taken out since count
    /// until the last byte is: when it is empty, this is zero.
    pub(crate) fn copied(&self) -> usize {
        self.copied
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.front.is_empty()
    }

    /// Everything, when it is one piece.
    pub(crate) fn as_one(&self) -> Option<&[u8]> {
        self.more.is_none().then_some(&self.front)
    }

    /// Puts in what others get, too.
    pub(crate) fn share(&mut self, bytes: &Bytes) {
        if self.is_empty() {
            self.front = bytes.clone();
        } else if bytes.len() < SHARED_BYTES_MIN {
            self.copy(bytes);
        } else {
            self.more.get_or_insert_default().push(Piece::Shared(bytes.clone()));
        }
    }

    /// Puts in a copy.
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        self.copied += bytes.len();
        if self.is_empty() {
            self.front = Bytes::copy_from_slice(bytes);
            return;
        }
        let more = self.more.get_or_insert_default();
        match more.pieces.back_mut() {
            Some(Piece::Own(last)) => {
                last.extend_from_slice(bytes);
                more.bytes += bytes.len();
            }
            _ => more.push(Piece::Own(bytes.to_vec())),
        }
    }

    /// Puts in all of the others, which are then gone from there.
    pub(crate) fn append(&mut self, others: Pieces) {
        if self.is_empty() {
            *self = others;
        } else if !others.is_empty() {
            self.copied += others.copied;
            let more = self.more.get_or_insert_default();
            more.push(Piece::Shared(others.front));
            others
                .more
                .into_iter()
                .flat_map(|others| others.pieces)
                .for_each(|piece| more.push(piece));
        }
    }
}

/// How they are written: from the front, and taken out as they go.
impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.front
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let front = (!self.is_empty()).then_some(&*self.front);
        let more = self.more.iter().flat_map(|more| &more.pieces).map(|piece| &**piece);
        slices
            .iter_mut()
            .zip(front.into_iter().chain(more))
            .map(|(slice, piece)| *slice = IoSlice::new(piece))
            .count()
    }

    fn advance(&mut self, mut count: usize) {
        while count >= self.front.len() && !self.front.is_empty() {
            count -= self.front.len();
            self.front = match self.next() {
                Some(piece) => piece.into(),
                None => {
                    // They may be used again, for other bytes: what was counted went with these.
                    self.copied = 0;
                    Bytes::new()
                }
            };
        }
        self.front.advance(count);
    }
}

impl Pieces {
    /// Takes out the one behind the front.
    fn next(&mut self) -> Option<Piece> {
        let more = self.more.as_mut()?;
        let piece = more.pieces.pop_front();
        more.bytes -= piece.as_ref().map_or(0, |piece| piece.len());
        self.more.take_if(|more| more.pieces.is_empty());
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &Pieces) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 9];
        let count = pieces.chunks_vectored(&mut slices);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn what_is_short_is_one_piece_and_what_is_long_is_not_copied() {
        let (short, long) = (Bytes::from_static(b"short"), Bytes::from(vec![7; SHARED_BYTES_MIN]));
        let mut pieces = Pieces::default();
        pieces.share(&short);
        assert_eq!(pieces.as_one().map(<[u8]>::as_ptr), Some(short.as_ptr()), "shared");
        pieces.copy(b", own, ");
        pieces.share(&short);
        pieces.share(&long);
        pieces.copy(b"own");
        assert_eq!(pieces.as_one(), None);
        let mut slices = [IoSlice::new(&[]); 9];
        assert_eq!(
            pieces.chunks_vectored(&mut slices),
            4,
            "what is short is together, behind the front"
        );
        assert_eq!(slices[2].as_ptr(), long.as_ptr(), "shared");
        assert_eq!(all(&pieces), [b"short, own, short", &long[..], b"own"].concat());
        assert_eq!(pieces.len(), all(&pieces).len());
    }

    #[test]
    fn they_go_out_in_their_order_however_much_is_taken_at_once() {
        for step in [1, 3, 4_000, 5_000, 20_000] {
            let mut pieces = Pieces::default();
            pieces.copy(b"first");
            pieces.share(&Bytes::from(
                (0..=255).cycle().take(2 * SHARED_BYTES_MIN).collect::<Vec<u8>>(),
            ));
            let mut others = Pieces::default();
            others.copy(b"last");
            pieces.append(others);
            let (whole, mut taken) = (all(&pieces), Vec::new());
            while pieces.has_remaining() {
                let count = step.min(pieces.remaining());
                taken.extend_from_slice(&all(&pieces)[..count]);
                pieces.advance(count);
                assert_eq!(pieces.len(), whole.len() - taken.len());
            }
            assert_eq!(taken, whole);
        }
    }

    #[test]
    fn one_that_is_empty_again_counts_nothing() {
        let mut pieces = Pieces::default();
        for _ in 0..3 {
            pieces.copy(b"first");
            pieces.share(&Bytes::from(vec![7; SHARED_BYTES_MIN]));
            pieces.copy(b"last");
            assert_eq!(pieces.copied(), 9);
            pieces.advance(pieces.len());
            assert_eq!((pieces.len(), pieces.copied()), (0, 0));
        }
    }
}
