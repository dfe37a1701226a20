//! Chance for tests: the one source of random choices in this workspace.
//!
//! Choices are read from bytes, by [`arbitrary`]. The bytes are those of an input, as a fuzzer has
//! them, or those that a seed expands to, without an end. Every type of the protocol is
//! [`Arbitrary`]: a new variant is generated wherever its type is, and no list has to name it.

mod values;

use std::ops::Range;

use arbitrary::unstructured::Int;
use arbitrary::{Arbitrary, Unstructured};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Request;

pub(crate) use values::seconds;

/// How many bytes of a seed are made at a time.
const BLOCK_BYTES: usize = 4_096;

/// How many bytes are at hand, at least, for one choice of a seed. The largest values of the
/// protocol take fewer, mostly; what one lacks is zeros.
const CHOICE_BYTES: usize = 2_048;

/// How often a request says something in a group, beside its turn among all.
const SPEAKS_ONCE_IN: u8 = 4;

/// How much rarer than its turn a request is that ends a stay.
const ENDS_ONCE_IN: u8 = 4;

/// Plays a scene with the choices of each of these seeds. When one fails, its seed is printed.
pub fn for_seeds(seeds: Range<u64>, mut scene: impl FnMut(&mut Chance)) {
    for seed in seeds {
        let _named = Named(seed);
        scene(&mut Chance::new(seed));
    }
}

/// Prints a seed when a scene with its choices has panicked.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the choices were those of seed {}", self.0);
        }
    }
}

/// Random choices: the same bytes or the same seed, the same choices.
#[derive(Debug, Clone)]
pub struct Chance {
    bytes: Vec<u8>,
    /// How many of them are used.
    at: usize,
    /// Where more bytes come from; an input has no more.
    more: Option<ChaCha8Rng>,
}

impl Chance {
    /// The choices of a seed, without an end.
    pub fn new(seed: u64) -> Chance {
        Chance { bytes: Vec::new(), at: 0, more: Some(ChaCha8Rng::seed_from_u64(seed)) }
    }

    /// The choices of an input. When all of it is used, each choice is the first one.
    pub fn of_input(input: &[u8]) -> Chance {
        Chance { bytes: input.to_vec(), at: 0, more: None }
    }

    /// Any value of a type.
    ///
    /// # Panics
    /// When the type cannot be made of zeros. Those of the protocol can.
    pub fn any<T: for<'a> Arbitrary<'a>>(&mut self) -> T {
        self.choose(|bytes| bytes.arbitrary())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.any()
    }

    /// A number below this one.
    ///
    /// # Panics
    /// When the bound is zero.
    pub fn below<N: Int>(&mut self, bound: N) -> N {
        assert!(bound > N::ZERO, "nothing is below zero");
        self.between(N::ZERO, bound.wrapping_sub(N::ONE))
    }

    /// A number from the first to the second, both included.
    ///
    /// # Panics
    /// When the first is above the second.
    pub fn between<N: Int>(&mut self, least: N, most: N) -> N {
        self.choose(|bytes| bytes.int_in_range(least..=most))
    }

    /// Whether something happens that happens once in so many times.
    pub fn once_in<N: Int>(&mut self, times: N) -> bool {
        self.below(times) == N::ZERO
    }

    /// Yes or no.
    pub fn flag(&mut self) -> bool {
        self.any()
    }

    /// One of these; nothing when there are none.
    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        if among.is_empty() { None } else { among.get(self.below(among.len())) }
    }

    /// One of these, of which there are some.
    ///
    /// # Panics
    /// When there are none.
    pub fn one_of<T: Clone>(&mut self, among: &[T]) -> T {
        self.pick(among).expect("there is something to choose from").clone()
    }

    /// The choices of somebody else, which don't change when this one makes more of its own.
    #[must_use]
    pub fn fork(&mut self) -> Chance {
        Chance::new(self.number())
    }

    /// A request of somebody who is in, as often as people ask for it: many speak, and few end
    /// their stay, or little would happen in one. [`Request::Hello`] is none of them.
    pub fn request(&mut self) -> Request {
        loop {
            let request = match self.below(SPEAKS_ONCE_IN) {
                1 => Request::Public { group: self.any(), id: self.any(), body: self.any() },
                _ => self.any(),
            };
            let is_rare = matches!(request, Request::Exit | Request::Unregister { .. });
            match request {
                // An input that has come to its end is this one.
                Request::Hello(_) => return Request::Ping,
                _ if is_rare && !self.once_in(ENDS_ONCE_IN) => {}
                request => return request,
            }
        }
    }

    /// Whether an input is used up. A seed never is.
    pub fn is_over(&self) -> bool {
        self.more.is_none() && self.at >= self.bytes.len()
    }

    /// So many bytes, or as many as an input still has.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        if let Some(more) = &mut self.more {
            let mut bytes = vec![0; count];
            more.fill_bytes(&mut bytes);
            return bytes;
        }
        let end = self.bytes.len().min(self.at.saturating_add(count));
        let bytes = self.bytes[self.at..end].to_vec();
        self.at = end;
        bytes
    }

    /// What an input still has. A seed has no rest.
    pub fn rest(&mut self) -> Vec<u8> {
        if self.more.is_some() { Vec::new() } else { self.bytes(usize::MAX) }
    }

    fn choose<T>(
        &mut self,
        choose: impl FnOnce(&mut Unstructured<'_>) -> arbitrary::Result<T>,
    ) -> T {
        self.refill();
        let mut left = Unstructured::new(&self.bytes[self.at..]);
        let chosen = choose(&mut left).expect("what is missing at the end is zeros");
        self.at = self.bytes.len() - left.len();
        chosen
    }

    fn refill(&mut self) {
        let Some(more) = &mut self.more else { return };
        if self.bytes.len() - self.at < CHOICE_BYTES {
            self.bytes.drain(..self.at);
            self.at = 0;
            let left = self.bytes.len();
            self.bytes.resize(BLOCK_BYTES, 0);
            more.fill_bytes(&mut self.bytes[left..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientFrame, ServerFrame};

    #[test]
    fn a_seed_makes_the_same_choices_again_and_another_one_makes_others() {
        let frames = |seed| {
            let mut chance = Chance::new(seed);
            (0..100).map(|_| chance.any::<ServerFrame>()).collect::<Vec<_>>()
        };
        assert_eq!(frames(1), frames(1));
        assert_ne!(frames(1), frames(2));
        let mut chance = Chance::new(3);
        assert_ne!(chance.fork().number(), chance.number());
    }

    #[test]
    fn an_input_ends_in_first_choices() {
        let mut chance = Chance::of_input(&[7, 3, 0xaa, 0xbb, 0xcc]);
        assert_eq!((chance.below(5_u8), chance.bytes(2)), (2, vec![3, 0xaa]));
        assert_eq!((chance.is_over(), chance.rest()), (false, vec![0xbb, 0xcc]));
        assert!(chance.is_over());
        assert_eq!((chance.number(), chance.one_of(&["a", "b"])), (0, "a"));
        assert_eq!(chance.request(), Request::Ping);
        let _ = (chance.any::<ClientFrame>(), chance.any::<ServerFrame>());
    }

    #[test]
    fn every_number_that_may_be_chosen_is() {
        let mut chance = Chance::new(1);
        let mut chosen: Vec<u64> = (0..200).map(|_| chance.between(3, 7)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, [3, 4, 5, 6, 7]);
        assert_eq!(chance.pick::<u8>(&[]), None);
    }
}
