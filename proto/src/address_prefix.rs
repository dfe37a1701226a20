//! Where somebody comes from, as it is counted and banned.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text_reader;

/// Where somebody comes from, in the one way to write it: an address of IPv4 (`192.0.2.1`), or the
/// 64 bits of one of IPv6 that are a home's (`2001:db8:1:2::/64`), as whoever has these can choose
/// the others at will.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressPrefix(Arc<str>);

/// The part of an address of IPv6 that is not chosen by whoever has it.
const NETWORK_BITS: u128 = (u64::MAX as u128) << 64;

/// A text is no [`AddressPrefix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no IP address")]
pub struct AddressPrefixError;

impl AddressPrefix {
    /// Reads an IP address, or a host as it is written. One of version 4 is the same when it is
    /// written as one of version 6.
    ///
    /// # Errors
    /// [`AddressPrefixError`] when it is none.
    pub fn parse(text: &str) -> Result<AddressPrefix, AddressPrefixError> {
        let (address, is_network) =
            text.strip_suffix("/64").map_or((text, false), |network| (network, true));
        let address: IpAddr = address.parse().map_err(|_| AddressPrefixError)?;
        match address.to_canonical() {
            IpAddr::V4(_) if is_network => Err(AddressPrefixError),
            _ => Ok(AddressPrefix::of(address)),
        }
    }

    /// Where this address belongs.
    pub fn of(address: IpAddr) -> AddressPrefix {
        match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let network = Ipv6Addr::from_bits(address.to_bits() & NETWORK_BITS);
                AddressPrefix(format!("{network}/64").into())
            }
            address => AddressPrefix(address.to_string().into()),
        }
    }

    /// The address or the network as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for AddressPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AddressPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_reader::read(deserializer, AddressPrefix::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let host = |text| AddressPrefix::parse(text).map(|host| host.to_string());
        assert_eq!(host("127.0.0.1"), Ok("127.0.0.1".to_owned()));
        assert_eq!(host("::ffff:127.0.0.1"), Ok("127.0.0.1".to_owned()));
        assert_eq!(host("2001:DB8:0::1"), Ok("2001:db8::/64".to_owned()));
        for wrong in ["", "127.0.0.1:9000", "localhost", "127.0.0.256", "1.2.3.4 "] {
            assert_eq!(AddressPrefix::parse(wrong), Err(AddressPrefixError), "{wrong}");
        }
        assert_eq!(host("2001:db8:1:2::1"), host("2001:db8:1:2:ffff::/64"));
        assert_eq!(host("2001:db8:1:2::1").as_deref(), Ok("2001:db8:1:2::/64"));
        assert_ne!(host("2001:db8:1:2::1"), host("2001:db8:1:3::1"));
        assert_eq!(
            (host("::1").as_deref(), AddressPrefix::parse("10.0.0.1/64")),
            (Ok("::1"), Err(AddressPrefixError))
        );
    }
}
