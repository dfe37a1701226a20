//! Looks for an input for which `codec` does not hold.
#![no_main]

fuzz::look_for_trouble!(fuzz::codec::check, at_most fuzz::codec::memory_max);
