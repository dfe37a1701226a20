//! Looks for an input for which `typed` does not hold.
#![no_main]

fuzz::look_for_trouble!(fuzz::typed::check, at_most fuzz::typed::memory_max);
