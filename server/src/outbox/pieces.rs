//! Bytes in as few pieces as it takes: what many connections get is shared between them and not copied, what is short is
//! put together with its neighbours, so that all of it goes out in one write.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Deref;

use bytes::{Buf, Bytes};

/// Shorter ones are copied behind or before their neighbours, in bytes: a copy of this size costs less than one more piece
/// in the kernel's hands (measured: vectored writes pay from some KiB on).
const SHARED_BYTES_MIN: usize = 4 * 1024;

/// Whole frames, length prefixes included.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// Mostly there is one, or none.
    front: Option<Piece>,
    more: VecDeque<Piece>,
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

impl Pieces {
    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Everything, when it is one piece.
    pub(crate) fn as_one(&self) -> Option<&[u8]> {
        self.front.as_deref().filter(|_| self.more.is_empty())
    }

    /// Puts in what others get, too.
    pub(crate) fn share(&mut self, bytes: &Bytes) {
        if self.is_empty() || bytes.len() >= SHARED_BYTES_MIN {
            self.push(Piece::Shared(bytes.clone()));
        } else {
            self.copy(bytes);
        }
    }

    /// Puts in a copy.
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        let last = self.more.back_mut().or(self.front.as_mut());
        match last {
            Some(Piece::Own(last)) => {
                last.extend_from_slice(bytes);
                self.bytes += bytes.len();
            }
            Some(last) if last.len() < SHARED_BYTES_MIN => {
                *last = Piece::Own([last, bytes].concat());
                self.bytes += bytes.len();
            }
            _ => self.push(Piece::Own(bytes.to_vec())),
        }
    }

    /// Puts in all of the others, which are then gone from there.
    pub(crate) fn append(&mut self, mut others: Pieces) {
        others.front.take().into_iter().chain(others.more).for_each(|piece| self.push(piece));
    }

    fn push(&mut self, piece: Piece) {
        self.bytes += piece.len();
        if self.front.is_none() {
            self.front = Some(piece);
        } else {
            self.more.push_back(piece);
        }
    }
}

/// How they are written: from the front, and taken out as they go.
impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.bytes
    }

    fn chunk(&self) -> &[u8] {
        self.front.as_deref().unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.front.iter().chain(&self.more);
        slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(front) = &mut self.front {
            if count < front.len() {
                match front {
                    Piece::Shared(bytes) => bytes.advance(count),
                    Piece::Own(bytes) => drop(bytes.drain(..count)),
                }
                return;
            }
            count -= front.len();
            self.front = self.more.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &Pieces) -> Vec<u8> {
        pieces.front.iter().chain(&pieces.more).flat_map(|piece| piece.to_vec()).collect()
    }

    #[test]
    fn what_is_short_is_one_piece_and_what_is_long_is_not_copied() {
        let (short, long) = (Bytes::from_static(b"short"), Bytes::from(vec![7; SHARED_BYTES_MIN]));
        let mut pieces = Pieces::default();
        pieces.share(&short);
        assert_eq!(pieces.as_one().map(<[u8]>::as_ptr), Some(short.as_ptr()), "shared");
        pieces.copy(b", own, ");
        pieces.share(&short);
        assert_eq!(pieces.as_one(), Some(&b"short, own, short"[..]));
        pieces.share(&long);
        pieces.copy(b"own");
        assert_eq!(pieces.as_one(), None);
        let mut slices = [IoSlice::new(&[]); 9];
        assert_eq!(pieces.chunks_vectored(&mut slices), 3);
        assert_eq!(slices[1].as_ptr(), long.as_ptr(), "shared");
        assert_eq!(all(&pieces), [b"short, own, short", &long[..], b"own"].concat());
        assert_eq!(pieces.len(), all(&pieces).len());
    }

    #[test]
    fn they_go_out_in_their_order_however_much_is_taken_at_once() {
        for step in [1, 3, 4_000, 5_000, 20_000] {
            let mut pieces = Pieces::default();
            pieces.copy(b"first");
            pieces.share(&Bytes::from((0..=255).cycle().take(2 * SHARED_BYTES_MIN).collect::<Vec<u8>>()));
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
}
