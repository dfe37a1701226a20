//! Networks of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::AddressPrefix;
use crate::text_reader;

/// How many bits of `::ffff:0:0/96` come before an address of IPv4.
const MAPPED_BITS: u8 = 96;

/// How many bits of IPv6 an [`AddressPrefix`] has.
const PREFIX_BITS: u8 = 64;

/// Addresses that begin alike, in the one way to write them: the first of them, and how many bits
/// they share (`10.0.0.0/8`, `2001:db8::/32`). One of IPv4 is the same when it is written as one of
/// IPv6. It may be a single address of IPv6, which an [`AddressPrefix`] never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressNetwork(IpNet);

/// A text is no [`AddressNetwork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no network of IP addresses")]
pub struct AddressNetworkError;

impl AddressNetwork {
    /// Reads a network as it is written. Bits behind those that are shared make no difference.
    ///
    /// # Errors
    /// [`AddressNetworkError`] when it is none.
    pub fn parse(text: &str) -> Result<AddressNetwork, AddressNetworkError> {
        let network = text.parse::<IpNet>().map_err(|_| AddressNetworkError)?;
        Ok(AddressNetwork::of(network))
    }

    /// The same, in the one way to write it.
    pub(crate) fn of(network: IpNet) -> AddressNetwork {
        AddressNetwork(canonical(network))
    }

    /// Whether an address is in it.
    pub fn has(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The same as an [`AddressPrefix`], if it is what one stands for.
    pub fn as_prefix(&self) -> Option<AddressPrefix> {
        let is_one = match self.0 {
            IpNet::V4(network) => network.prefix_len() == network.max_prefix_len(),
            IpNet::V6(network) if network.addr().is_loopback() => {
                network.prefix_len() == network.max_prefix_len()
            }
            // The machine's own address is one by itself, and in no prefix.
            IpNet::V6(network) => {
                network.prefix_len() == PREFIX_BITS && !network.contains(&Ipv6Addr::LOCALHOST)
            }
        };
        is_one.then(|| AddressPrefix::of(self.0.addr()))
    }
}

/// Without the bits that are not shared, and of IPv4 where it is that.
fn canonical(network: IpNet) -> IpNet {
    let as_v4 = |network: Ipv6Net| {
        let bits = network.prefix_len().checked_sub(MAPPED_BITS)?;
        Ipv4Net::new(network.addr().to_ipv4_mapped()?, bits).ok()
    };
    match network.trunc() {
        IpNet::V6(network) => as_v4(network).map_or(IpNet::V6(network), IpNet::V4),
        network => network,
    }
}

impl fmt::Display for AddressNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl Serialize for AddressNetwork {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AddressNetwork {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_reader::read(deserializer, AddressNetwork::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_one_way_to_be_written() {
        let network = |text| AddressNetwork::parse(text).map(|network| network.to_string());
        assert_eq!(network("10.1.2.3/8").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(network("::ffff:10.0.0.0/104").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(network("2001:DB8::/32").as_deref(), Ok("2001:db8::/32"));
        for wrong in ["", "10.0.0.1", "10.0.0.0/33", "jim/8", "10.0.0.*"] {
            assert_eq!(network(wrong), Err(AddressNetworkError), "{wrong}");
        }
    }
}
