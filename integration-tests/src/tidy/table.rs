//! The rooms of this repository: who may import whom.
//!
//! A new file below a folder is in that folder's room. A new folder, or a new crate that a room
//! depends on, needs a line here. `std` and `core` are allowed unless a room says otherwise.

mod client;
mod server;

use super::rooms::Room;

/// Every file of the three packages is in one of these.
pub fn rooms() -> Vec<Room> {
    [PROTO, server::ROOMS, client::ROOMS].concat()
}

const PROTO: &[Room] = &[
    Room {
        modules: &["proto"],
        may: &[
            "ipnet",
            "precis_core",
            "precis_profiles",
            "serde",
            "sha2",
            "thiserror",
            "unicode_normalization",
            "unicode_properties",
            "unicode_security",
        ],
        but_not: &["proto::codec", "std::io", "std::fs", "std::time"],
        because: "the protocol's types import nothing of ours, and know neither bytes nor clocks",
    },
    Room {
        modules: &["proto::codec"],
        may: &[
            "bincode",
            "bytes",
            "futures_util",
            "serde",
            "thiserror",
            "tokio::io",
            "tokio_serde",
            "tokio_util::codec",
        ],
        but_not: &["std::net", "std::fs", "std::time"],
        because: "the codec knows bytes, of any type and on any stream",
    },
];
