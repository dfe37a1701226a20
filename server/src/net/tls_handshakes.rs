//! TLS handshakes: how many a network may begin in a time, before anything was said. Each costs the
//! server more than it costs whoever begins it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use governor::clock::DefaultClock;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::client_network::ClientNetwork;
use crate::config::{Config, LOGINS_SHARE, RATE_LIMITS_SWEPT_AFTER};

/// What is left of everybody's share.
pub(crate) struct Handshakes {
    /// Nothing where there is no limit. The keys are chosen by peers.
    each: Option<RateLimiter<ClientNetwork, HashMapStateStore<ClientNetwork>, DefaultClock>>,
    /// How many were begun.
    begun: AtomicUsize,
}

impl Handshakes {
    /// As many as the configuration says: as many as may say hello.
    pub(crate) fn new(config: &Config) -> Handshakes {
        let most = config.connections_per_address_max.saturating_mul(LOGINS_SHARE);
        let each = NonZeroU32::new(most).map(|most| {
            RateLimiter::new(
                Quota::per_minute(most),
                HashMapStateStore::default(),
                DefaultClock::default(),
            )
        });
        Handshakes { each, begun: AtomicUsize::new(0) }
    }

    /// Whether one from there may begin; if so, it counts.
    pub(crate) fn may_begin(&self, network: ClientNetwork) -> bool {
        let Some(each) = self.each.as_ref().filter(|_| network != ClientNetwork::THIS_MACHINE)
        else {
            return true;
        };
        let may = each.check_key(&network).is_ok();
        // Whoever has their whole share again is as one who never came.
        if self.begun.fetch_add(1, Ordering::Relaxed).is_multiple_of(RATE_LIMITS_SWEPT_AFTER) {
            each.retain_recent();
            each.shrink_to_fit();
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork::of(address.parse().unwrap())
    }

    fn handshakes(connections_per_address_max: u32) -> Handshakes {
        Handshakes::new(&Config { connections_per_address_max, ..Config::default() })
    }

    #[test]
    fn an_address_has_its_share_and_takes_nothing_from_others() {
        // One comes back in a second at the earliest.
        let handshakes = handshakes(30);
        let far = network("192.0.2.1");
        let begun = (0..1_000).take_while(|_| handshakes.may_begin(far)).count();
        assert!((60..70).contains(&begun), "{begun}");
        assert!(handshakes.may_begin(network("192.0.2.2")));
        assert!((0..1_000).all(|_| handshakes.may_begin(ClientNetwork::THIS_MACHINE)));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let handshakes = handshakes(0);
        assert!((0..10_000).all(|_| handshakes.may_begin(network("192.0.2.1"))));
    }
}
