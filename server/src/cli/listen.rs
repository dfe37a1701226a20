//! Where the server listens: at every address of everything that it was told.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use anyhow::Context;
use rustix::io::Errno;
use tokio::net::TcpListener;
use tracing::warn;

use crate::net::listener;

/// What was asked for, and its addresses: a name may have several.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    asked: String,
    addresses: Vec<SocketAddr>,
}

/// Sockets that listen at all of these.
pub(super) async fn listen(asked: &[String]) -> anyhow::Result<Vec<TcpListener>> {
    let mut places = Vec::new();
    for asked in asked {
        let asked = asked.trim();
        let addresses = resolve(asked).await.with_context(|| cannot(asked))?;
        places.push(Place { asked: asked.to_owned(), addresses });
    }
    listen_at(&places)
}

async fn resolve(asked: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host(asked).await.context("it needs an address and a port")?;
    let mut addresses = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    anyhow::ensure!(!addresses.is_empty(), "that name has no address");
    Ok(addresses)
}

/// An address that somebody else has ends the server: its clients would meet the other one there.
/// One of a name's addresses that this machine does not have, such as `::1` where there is no IPv6,
/// is left out with a warning.
fn listen_at(places: &[Place]) -> anyhow::Result<Vec<TcpListener>> {
    let all: Vec<_> = places.iter().flat_map(|place| place.addresses.iter().copied()).collect();
    let mut listening: Vec<SocketAddr> = Vec::new();
    let mut sockets = Vec::new();
    for Place { asked, addresses } in places {
        let mut left_out = 0;
        for &address in addresses {
            if listening.contains(&address) && address.port() != 0 {
                continue;
            }
            match listener::bind_beside(address, &all) {
                Ok(socket) => {
                    listening.push(address);
                    sockets.push(socket);
                }
                Err(error) if is_elsewhere(&error) && left_out + 1 < addresses.len() => {
                    left_out += 1;
                    warn!(%address, %error, "this machine does not have that address of {asked}; \
                        the server listens at the others");
                }
                Err(error) => return Err(error).context(cannot_at(asked, address)),
            }
        }
    }
    Ok(sockets)
}

/// Whether this machine has no such address, or none of that kind.
fn is_elsewhere(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

fn cannot_at(asked: &str, address: SocketAddr) -> String {
    let address = address.to_string();
    if asked == address { cannot(asked) } else { cannot(&format!("{address}, which is {asked}")) }
}

fn cannot(asked: &str) -> String {
    format!(
        "can't listen on {asked} (is a server running there already? choose another with --listen)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address that no machine has: it is for documentation.
    const NOWHERE: &str = "192.0.2.1:0";

    fn place(asked: &str, addresses: &[&str]) -> Place {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Place { asked: asked.to_owned(), addresses }
    }

    fn hosts(places: &[Place]) -> Vec<String> {
        let sockets = listen_at(places).unwrap();
        sockets.iter().map(|socket| socket.local_addr().unwrap().ip().to_string()).collect()
    }

    #[tokio::test]
    async fn every_address_of_a_name_is_listened_at() {
        let name = place("localhost:0", &["127.0.0.1:0", "[::1]:0"]);
        assert_eq!(hosts(&[name]), ["127.0.0.1", "::1"]);
    }

    #[tokio::test]
    async fn an_address_of_a_name_that_somebody_has_is_an_error_that_names_it() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let holder = std::net::TcpListener::bind(taken).unwrap();
        let name = place("localhost:9000", &["[::1]:0", &taken.to_string()]);
        let error = format!("{:#}", listen_at(&[name]).unwrap_err());
        assert!(
            error.contains(&format!("can't listen on {taken}, which is localhost:9000")),
            "{error}"
        );
        drop(holder);
    }

    #[tokio::test]
    async fn an_address_that_is_not_here_is_left_out_where_others_are() {
        for addresses in [[NOWHERE, "127.0.0.1:0"], ["127.0.0.1:0", NOWHERE]] {
            assert_eq!(hosts(&[place("name:0", &addresses)]), ["127.0.0.1"]);
        }
        let error = listen_at(&[place("name:0", &[NOWHERE, NOWHERE])]).unwrap_err();
        assert!(format!("{error:#}").contains("which is name:0"), "{error:#}");
        listen_at(&[place(NOWHERE, &[NOWHERE])]).unwrap_err();
        // It was asked for by itself.
        listen_at(&[place("[::1]:0", &["[::1]:0"]), place(NOWHERE, &[NOWHERE])]).unwrap_err();
    }

    #[tokio::test]
    async fn an_address_that_is_said_twice_is_listened_at_once() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let free = free.to_string();
        assert_eq!(hosts(&[place(&free, &[&free]), place("name", &[&free])]), ["127.0.0.1"]);
        assert_eq!(
            resolve("127.0.0.1:7").await.unwrap(),
            ["127.0.0.1:7".parse::<SocketAddr>().unwrap()]
        );
    }
}
