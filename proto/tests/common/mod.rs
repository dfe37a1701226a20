//! What the test binaries share: values in a word, and the bytes of every variant.
#![allow(dead_code, reason = "each test binary takes what it needs")]

use chatroom_proto::{Body, GroupName, Password, UserName};

pub(crate) mod pieces;
pub(crate) mod raw;

/// An example of everything that a client sends.
pub(crate) const CLIENT_FRAMES: &str = include_str!("../snapshots/golden__client_frames.snap");

/// An example of everything that a server sends.
pub(crate) const SERVER_FRAMES: &str = include_str!("../snapshots/golden__server_frames.snap");

pub(crate) fn user(name: &str) -> UserName {
    UserName::parse(name).expect("the test chose a valid name")
}

pub(crate) fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("the test chose a valid name")
}

pub(crate) fn body(text: &str) -> Body {
    Body::parse(text).expect("the test chose a valid message")
}

pub(crate) fn password(text: &str) -> Password {
    Password::try_from(text.to_owned()).expect("the test chose a valid password")
}
