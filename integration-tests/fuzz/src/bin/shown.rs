//! Looks for an input for which `shown` does not hold.
#![no_main]

fuzz::look_for_trouble!(fuzz::shown::check, at_most fuzz::shown::memory_max);
