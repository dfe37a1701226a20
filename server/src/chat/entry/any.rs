//! Random values, for tests, of what is checked or must be recognized again.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use arbitrary::{Arbitrary, Result, Unstructured};

use super::{Address, PasswordHash, TokenDigest};

impl<'a> Arbitrary<'a> for Address {
    /// Mostly one of two machines.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Address> {
        let ip = match bytes.int_in_range(0..=7)? {
            machine @ 0..=6_u8 => Ipv4Addr::new(10, 0, 0, machine % 2).into(),
            _ => bytes.arbitrary::<IpAddr>()?.to_canonical(),
        };
        Ok(Address::from(SocketAddr::new(ip, bytes.arbitrary()?)))
    }
}

impl<'a> Arbitrary<'a> for TokenDigest {
    /// One of a few, so that they are met again; never [`TokenDigest::NOBODYS`].
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<TokenDigest> {
        Ok(TokenDigest([bytes.int_in_range(1..=32)?; 32]))
    }
}

impl<'a> Arbitrary<'a> for PasswordHash {
    /// One of a few, none of which is the hash of anything.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<PasswordHash> {
        Ok(PasswordHash(format!("$argon2id${}", bytes.int_in_range(0..=3_u8)?)))
    }
}
