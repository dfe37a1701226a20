//! Permits: how many connections there are, in all and from each address. Each connection holds
//! one, and gives it back by going out of scope.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_proto::CloseReason;
use tokio::sync::Semaphore;

use crate::client_network::ClientNetwork;
use crate::config::Config;

/// What a server may hand out.
#[derive(Debug)]
pub(crate) struct Permits {
    all: Semaphore,
    all_max: u32,
    /// From one address; 0 for any number.
    each_max: u32,
    /// The addresses that have any. Bounded by all that there are; the keys are chosen by peers.
    each: Mutex<HashMap<ClientNetwork, u32>>,
}

/// One connection's.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Arc<Permits>,
    network: ClientNetwork,
}

impl Permits {
    /// As many as the configuration says.
    pub(crate) fn new(config: &Config) -> Arc<Permits> {
        let all_max = u32::try_from(config.connections_max).unwrap_or(u32::MAX);
        Arc::new(Permits {
            all: Semaphore::new(all_max as usize),
            all_max,
            each_max: config.connections_per_address_max,
            each: Mutex::default(),
        })
    }

    /// One for a connection from there, or why there is none.
    pub(crate) fn take(self: &Arc<Permits>, network: ClientNetwork) -> Result<Permit, CloseReason> {
        let permit = self.all.try_acquire().map_err(|_| CloseReason::ServerFull)?;
        if self.each_max > 0 && network != ClientNetwork::THIS_MACHINE {
            let mut each = self.each();
            let count = each.entry(network).or_default();
            if *count >= self.each_max {
                return Err(CloseReason::TooManyConnections { limit: self.each_max });
            }
            *count += 1;
        }
        // Given back when the connection's is.
        permit.forget();
        Ok(Permit { permits: Arc::clone(self), network })
    }

    /// How many are not given back.
    pub(crate) fn taken(&self) -> usize {
        self.all_max as usize - self.all.available_permits()
    }

    /// Waits until all are given back. None is given out from then on.
    pub(crate) async fn all_given_back(&self) {
        if let Ok(all) = self.all.acquire_many(self.all_max).await {
            all.forget();
        }
    }

    fn each(&self) -> MutexGuard<'_, HashMap<ClientNetwork, u32>> {
        // Nothing in a critical section can panic half-way through a change.
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.permits.each().entry(self.network) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        self.permits.all.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn permits(all: usize, each: u32) -> Arc<Permits> {
        let config =
            Config { connections_max: all, connections_per_address_max: each, ..Config::default() };
        Permits::new(&config)
    }

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork::of(address.parse().unwrap())
    }

    #[test]
    fn an_address_has_its_share_and_leaves_the_rest_to_others() {
        let permits = permits(10, 2);
        let (near, far) = (network("127.0.0.5"), network("192.0.2.1"));
        let held = [near, near, far].map(|from| permits.take(from).unwrap());
        assert_eq!(permits.take(near).unwrap_err(), CloseReason::TooManyConnections { limit: 2 });
        assert_eq!(permits.taken(), 3, "what is refused takes nothing");
        drop(held);
        assert!(permits.take(near).is_ok());
        assert!(permits.each().is_empty(), "nobody is there, and nobody is remembered");
    }

    #[test]
    fn this_machine_has_no_share_but_the_server_has_a_size() {
        let permits = permits(3, 1);
        let held = [(); 3].map(|()| permits.take(ClientNetwork::THIS_MACHINE).unwrap());
        assert_eq!(permits.take(network("192.0.2.1")).unwrap_err(), CloseReason::ServerFull);
        assert!(permits.all_given_back().now_or_never().is_none());
        drop(held);
        assert!(permits.all_given_back().now_or_never().is_some());
    }

    #[test]
    fn no_limit_is_no_limit() {
        let permits = permits(1_000, 0);
        let held: Vec<_> =
            (0..1_000).map(|_| permits.take(network("192.0.2.1")).unwrap()).collect();
        assert_eq!(permits.taken(), held.len());
    }
}
