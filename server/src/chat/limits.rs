//! What the domain bounds.

use chatroom_proto::Retention;
use serde::{Deserialize, Serialize};

/// How many expired devices one tick proposes to end: a bound on what a tick costs.
pub(super) const EXPIRIES_A_TICK_MAX: usize = 1_024;

/// What the domain bounds. The same on all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Limits {
    /// Groups in all.
    pub groups_max: u32,
    /// Groups that one person is in.
    pub memberships_max: u32,
    /// How long a device without a connection is held, in milliseconds.
    pub grace_ms: u32,
    /// Devices without a connection that are held at the same time. With one more, the one that
    /// has been away for longest ends.
    pub held_max: u32,
    /// People who have gone and are remembered, with their groups and what is said to them. With
    /// one more, one is forgotten: who has been away for longest, and those first who left nothing
    /// behind.
    pub remembered_max: u32,
    /// How long what is said is kept.
    pub retention: Retention,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // A group without members costs some 300 bytes: 30 MiB at the worst.
            groups_max: 100_000,
            // Fits into one `Welcome`, and into anybody's head.
            memberships_max: 100,
            // Long enough for a train's tunnel or a client's restart, short enough that a name is
            // not held in vain.
            grace_ms: 30_000,
            // Everybody behind one router that restarts. One costs about a KiB, and up to 32 if it
            // did much.
            held_max: 10_000,
            // A town's worth. One costs about a KiB, and up to 32 if it did much just before it
            // went.
            remembered_max: 10_000,
            retention: Retention::Nothing,
        }
    }
}
