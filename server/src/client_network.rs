//! Where a connection comes from, as far as limits go.

use std::net::{IpAddr, Ipv4Addr};

/// One address of IPv4, or 64 bits of one of IPv6: that is what one home gets, and whoever has it
/// can choose the other 64 at will. It takes 8 bytes, because every connection has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClientNetwork(u64);

impl ClientNetwork {
    /// The machine that the server runs on, as its programs come unless they choose. Behind it may
    /// be everybody: a program that passes connections on, a bench. So it has no limits of its own.
    /// `127.0.0.2` is an address like any other.
    pub(crate) const THIS_MACHINE: ClientNetwork =
        ClientNetwork(Ipv4Addr::LOCALHOST.to_bits() as u64);

    /// Where this address belongs.
    pub(crate) fn of(address: IpAddr) -> ClientNetwork {
        match address.to_canonical() {
            // No network of IPv6 begins with 32 zeros.
            IpAddr::V4(address) => ClientNetwork(address.to_bits().into()),
            IpAddr::V6(address) if address.is_loopback() => ClientNetwork::THIS_MACHINE,
            IpAddr::V6(address) => ClientNetwork((address.to_bits() >> 64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork::of(address.parse().unwrap())
    }

    #[test]
    fn a_home_is_one_network_however_it_writes_its_address() {
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn this_machine_is_what_its_programs_come_from_and_not_all_of_its_addresses() {
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(network(own), ClientNetwork::THIS_MACHINE);
        }
        assert_ne!(network("127.0.0.2"), ClientNetwork::THIS_MACHINE);
    }
}
