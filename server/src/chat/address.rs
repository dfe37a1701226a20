//! The network address that a client comes from, as the log keeps it.

// Addresses, and no sockets: these are in `std::net`.
use core::net::{AddrParseError, IpAddr, SocketAddr};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The network address that a client comes from. The log keeps it as text.
///
/// Every device has one, so it is without what a [`SocketAddr`] of IPv6 has beside these, a zone
/// and a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    ip: IpAddr,
    port: u16,
}

impl Address {
    /// The host, whichever the port.
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// The port.
    pub fn port(self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for Address {
    /// An address of IPv4 is the same when a socket for both kinds writes it as one of IPv6.
    fn from(address: SocketAddr) -> Address {
        Address { ip: address.ip().to_canonical(), port: address.port() }
    }
}

impl FromStr for Address {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Address, AddrParseError> {
        text.parse::<SocketAddr>().map(Address::from)
    }
}

impl TryFrom<String> for Address {
    type Error = AddrParseError;

    fn try_from(text: String) -> Result<Address, AddrParseError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::codec;

    use super::*;

    #[test]
    fn an_address_is_kept_as_text_and_one_of_ipv4_has_one() {
        for (written, kept) in [
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("[::ffff:192.0.2.1]:7", "192.0.2.1:7"),
            ("[2001:db8::1]:7", "[2001:db8::1]:7"),
            // Of a network card, which only this machine could tell.
            ("[fe80::1%3]:7", "[fe80::1]:7"),
        ] {
            let address: Address = written.parse().unwrap();
            let bytes = codec::pack(&address).unwrap();
            assert_eq!(bytes, codec::pack(&kept.to_owned()).unwrap());
            assert_eq!(codec::decode::<Address>(&bytes).unwrap(), address, "{written}");
        }
    }

    #[test]
    fn what_is_no_address_is_none_in_a_log_either() {
        for wrong in ["", "somewhere", "192.0.2.1", "192.0.2.1:70000", "192.0.2.256:7", "::1:7"] {
            assert!(
                codec::decode::<Address>(&codec::pack(&wrong.to_owned()).unwrap()).is_err(),
                "{wrong}"
            );
        }
    }
}
