//! Who may not come to a server, and every usual way to write an address.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::{AddressNetwork, AddressPrefix, UserName};

/// Who may not come to a server. Variants are appended, never moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum BanTarget {
    /// Whoever has this name.
    User(UserName),
    /// Whoever comes from there.
    Host(AddressPrefix),
    /// Whoever comes from one of these addresses. What an [`AddressPrefix`] can say is said as
    /// [`BanTarget::Host`], and means the same here.
    Network(AddressNetwork),
}

impl BanTarget {
    /// Reads addresses as people write them: `192.0.2.1`, `192.0.2.1:9000`, `192.0.2.0/24`,
    /// `192.0.2.0/255.255.255.0`, `192.0.2.*`, `2001:db8::1`, `[2001:db8::1]`,
    /// `[2001:db8::1]:9000`, `2001:db8::/32`, in any case, and with a zone (`fe80::1%eth0`). A port
    /// and a zone make no difference. Nothing, when a text is none of that.
    pub fn addresses(text: &str) -> Option<BanTarget> {
        if let Some(address) = one_address(text) {
            return Some(BanTarget::Host(AddressPrefix::of(address)));
        }
        let network = AddressNetwork::of(network(text)?);
        Some(match network.as_prefix() {
            Some(prefix) => BanTarget::Host(prefix),
            None => BanTarget::Network(network),
        })
    }

    /// Whether it is about everybody who comes from this address.
    pub fn covers(&self, address: IpAddr) -> bool {
        match self {
            BanTarget::User(_) => false,
            BanTarget::Host(prefix) => AddressPrefix::of(address) == *prefix,
            BanTarget::Network(network) => network.has(address),
        }
    }
}

/// An address, with or without brackets, a zone and a port.
fn one_address(text: &str) -> Option<IpAddr> {
    if let Ok(with_port) = text.parse::<SocketAddrV4>() {
        return Some((*with_port.ip()).into());
    }
    let Some(bracketed) = text.strip_prefix('[') else { return bare_address(text) };
    let (address, behind) = bracketed.split_once(']')?;
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    let is_whole = behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port);
    bare_address(address).filter(|_| is_whole)
}

/// An address, with or without the zone that says on which network of a machine it is.
fn bare_address(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => address.parse().ok().map(IpAddr::V6),
        _ => text.parse().ok(),
    }
}

/// A network, by the number of its bits, by a mask, or with stars for what is not shared.
fn network(text: &str) -> Option<IpNet> {
    let Some((address, bits)) = text.split_once('/') else { return starred(text) };
    let address = match address.strip_prefix('[') {
        Some(bracketed) => bare_address(bracketed.strip_suffix(']')?)?,
        None => bare_address(address)?,
    };
    if let (IpAddr::V4(address), Ok(mask)) = (address, bits.parse::<Ipv4Addr>()) {
        return Ipv4Net::with_netmask(address, mask).ok().map(IpNet::V4);
    }
    let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    IpNet::new(address, bits.parse().ok().filter(|_| is_number)?).ok()
}

/// `192.0.2.*`, `192.0.*.*` or `192.0.*`. Stars alone are nothing: who means everybody has to write
/// `0.0.0.0/0`.
fn starred(text: &str) -> Option<IpNet> {
    let parts: Vec<&str> = text.split('.').collect();
    let shared = parts.iter().take_while(|part| **part != "*").count();
    let are_stars = parts[shared..].iter().all(|part| *part == "*");
    if !(1..4).contains(&shared) || parts.len() > 4 || parts.len() == shared || !are_stars {
        return None;
    }
    let mut first = parts[..shared].join(".");
    first.push_str(&".0".repeat(4 - shared));
    let bits = u8::try_from(8 * shared).ok()?;
    Ipv4Net::new(first.parse().ok()?, bits).ok().map(IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        BanTarget::addresses(text).map(|target| match target {
            BanTarget::User(user) => user.to_string(),
            BanTarget::Host(prefix) => prefix.to_string(),
            BanTarget::Network(network) => network.to_string(),
        })
    }

    #[test]
    fn addresses_are_read_in_every_usual_way() {
        for (text, read) in [
            ("127.0.0.3", "127.0.0.3"),
            ("127.0.0.3:50000", "127.0.0.3"),
            ("127.0.0.3/32", "127.0.0.3"),
            ("127.0.0.0/24", "127.0.0.0/24"),
            ("127.0.0.3/24", "127.0.0.0/24"),
            ("127.0.0.0/255.255.255.0", "127.0.0.0/24"),
            ("127.0.0.3/255.255.255.255", "127.0.0.3"),
            ("127.0.0.*", "127.0.0.0/24"),
            ("127.*.*.*", "127.0.0.0/8"),
            ("127.0.*", "127.0.0.0/16"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("[127.0.0.3]", "127.0.0.3"),
            ("::FFFF:127.0.0.3", "127.0.0.3"),
            ("[::ffff:127.0.0.3]", "127.0.0.3"),
            ("[::ffff:127.0.0.3]:50000", "127.0.0.3"),
            ("::ffff:7f00:3/128", "127.0.0.3"),
            ("::ffff:127.0.0.0/120", "127.0.0.0/24"),
            ("::1", "::1"),
            ("[::1]:9000", "::1"),
            ("::1/128", "::1"),
            ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]:9000", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]/64", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9/128", "2001:db8:1:2::9/128"),
            ("2001:db8:1::/48", "2001:db8:1::/48"),
            ("[2001:db8:1::]/48", "2001:db8:1::/48"),
            ("fe80::1%eth0", "fe80::/64"),
            ("[fe80::1%2]:9000", "fe80::/64"),
            ("::/0", "::/0"),
            ("::/64", "::/64"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(read), "{text}");
            assert_eq!(shown(read).as_deref(), Some(read), "{read} is the one way to write it");
        }
    }

    #[test]
    fn what_is_no_address_is_not_taken_for_one() {
        for text in [
            "",
            "jim",
            "localhost",
            "127.0.0",
            "127.0.0.",
            "127.0.0.256",
            "127.0.0.3:",
            "*",
            "/8",
            "127.0.0.3:70000",
            "127.0.0.0/33",
            "127.0.0.0/+8",
            "127.0.0.0/",
            "127.0.0.0/24/8",
            "127.*.0.3",
            "127.0.0.3.*",
            "*.*.*.*",
            "1.2.3.4.*",
            "127..*",
            "127.0.0.0/255.0.255.0",
            "[::1",
            "::1]",
            "[::1]9000",
            "[::1]:",
            "[::1/128]",
            "::1%",
            "127.0.0.3%eth0",
            "::/129",
            "127.0.0.1-127.0.0.9",
            "::1:9000x",
            "1.2.3.4 ",
            "2130706433",
            "127.1",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn a_target_covers_the_addresses_that_it_says() {
        for (target, inside, outside) in [
            ("127.0.0.0/24", "127.0.0.3", "127.0.1.3"),
            ("127.0.0.*", "::ffff:127.0.0.3", "::1"),
            ("127.0.0.3/32", "127.0.0.3", "127.0.0.4"),
            ("[::ffff:127.0.0.3]", "127.0.0.3", "127.0.0.4"),
            ("[::1]:9000", "::1", "::2"),
            ("2001:db8::/32", "2001:db8:9::1", "2001:db9::1"),
            ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
            ("0.0.0.0/0", "192.0.2.1", "2001:db8::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("::/64", "::1", "0:0:0:1::1"),
        ] {
            let covers = |address: &str| {
                BanTarget::addresses(target).unwrap().covers(address.parse().unwrap())
            };
            assert!(covers(inside), "{target} {inside}");
            assert!(!covers(outside), "{target} {outside}");
        }
    }
}
