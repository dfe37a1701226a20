//! One connection, as far as the dispatch task knows it.

use std::num::NonZeroU64;

use chatroom_proto::Seq;

use crate::chat::entry::DeviceId;
use crate::client_network::ClientNetwork;
use crate::dispatch::idle::LastSeen;
use crate::dispatch::outbox::Outbox;

/// An entry of the table of connections.
pub(super) struct ConnEntry {
    pub(super) outbox: Outbox,
    pub(super) network: ClientNetwork,
    pub(super) last_seen: LastSeen,
    /// [`ConnEntry::device`], which is no place in the log before it has one, and takes half as
    /// much in this way.
    device: Option<NonZeroU64>,
}

impl ConnEntry {
    /// A connection whose login is under way.
    pub(super) fn new(outbox: Outbox, network: ClientNetwork, last_seen: LastSeen) -> ConnEntry {
        ConnEntry { outbox, network, last_seen, device: None }
    }

    /// Which device it is of, once it was let in.
    pub(super) fn device(&self) -> Option<DeviceId> {
        self.device.map(|arrival| DeviceId(Seq(arrival.get())))
    }

    /// It was let in.
    pub(super) fn set_device(&mut self, device: DeviceId) {
        self.device = NonZeroU64::new(device.0.0);
    }
}
