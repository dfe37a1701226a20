//! What must hold for any input at all, as functions of some bytes that panic when it does not.
//!
//! - [`codec`]: what reads frames from a stream, in pieces of any size.
//! - [`server`]: a whole server in memory, and up to three peers that say what they like.
//! - [`link`]: the client's side of a connection, and a server that says what it likes.
//! - [`typed`]: a line being typed: the parser of commands, completion, hints, and what is said
//!   about mistakes.
//! - [`shown`]: the text that a terminal is shown, made from whatever a server can say.
//!
//! `run`, beside this package's manifest, builds one program of each, instrumented, and lets
//! libFuzzer look for an input for which it does not hold. The inputs in `corpus` are those that
//! showed something new; `cargo test` plays all of them.
//!
//! An input is read as choices, by [`Chance`], and frames are made of these.

use chatroom_proto::chance::Chance;

pub mod codec;
pub mod link;
pub mod server;
pub mod shown;
pub mod typed;

/// As many bytes of an input as its next one says.
pub(crate) fn few_bytes(chance: &mut Chance) -> Vec<u8> {
    let count: u8 = chance.any();
    chance.bytes(count.into())
}

/// As many bytes of an input as its next two say.
pub(crate) fn many_bytes(chance: &mut Chance) -> Vec<u8> {
    let count: u16 = chance.any();
    chance.bytes(count.into())
}

/// The program that looks for an input for which a target panics. What one input makes it allocate
/// is bounded, too.
#[cfg(feature = "libfuzzer")]
#[macro_export]
macro_rules! look_for_trouble {
    ($target:expr, at_most $bytes:expr) => {
        #[global_allocator]
        static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            $target(data);
            let taken = MEMORY.peak_usage().saturating_sub(before);
            assert!(
                taken <= $bytes(data),
                "{} bytes of input took {taken} bytes of memory",
                data.len()
            );
        });
    };
}
