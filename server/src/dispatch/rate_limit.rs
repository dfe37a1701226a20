//! Rate limits: how much a connection, a person and a network may ask for in a time.
//!
//! Each has an allowance that requests are paid from, and that fills again as time goes by. The
//! dispatch task alone keeps them; time is an argument. Whoever has asked for nothing lately takes
//! no memory here.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chatroom_proto::{RATE_LIMITED_IN_A_ROW_MAX, RETRY_AFTER_MS_MAX, SENT_AGAIN_WITHIN_MS, Tag};
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::{HashMapStateStore, ShrinkableKeyedStateStore};
use governor::{Quota, RateLimiter};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::chat::entry::{ConnectionId, PersonId};
use crate::chat::request_class::COST_MAX;
use crate::client_network::ClientNetwork;
use crate::config::{
    ADDRESS_SHARE, BURST_SECONDS, Config, LOGINS_SHARE, RATE_LIMITS_SWEPT_AFTER, REQUESTS_A_UNIT,
};

/// One of the limiters: what each of these may ask for.
type Limiter<K, S = FxBuildHasher> =
    RateLimiter<K, HashMapStateStore<K, S>, RateClock, NoOpMiddleware<Duration>>;

/// The time, as it was told.
#[derive(Debug, Clone, Default)]
pub(super) struct RateClock(Arc<AtomicU64>);

impl Clock for RateClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Who asks for something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    /// Over which connection.
    pub(crate) connection: ConnectionId,
    /// As whom, once it was let in: over however many connections and devices, it is one person.
    pub(crate) person: Option<PersonId>,
    /// From where.
    pub(crate) network: ClientNetwork,
}

/// Why something is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimited {
    /// It may come again after so long, in milliseconds.
    pub(crate) retry_after_ms: u32,
    /// Whether it was told so too often, and does not wait.
    pub(crate) floods: bool,
}

/// What is left of everybody's allowances.
pub(crate) struct RateLimits {
    clock: RateClock,
    /// Requests that cost nothing, because they are not nothing.
    connections: Option<Limiter<ConnectionId>>,
    /// What requests cost, for who pays them.
    people: Option<Limiter<PersonId>>,
    /// The same, for where they come from. The keys are chosen by peers.
    addresses: Option<Limiter<ClientNetwork, RandomState>>,
    /// Logins, for where they come from.
    logins: Option<Limiter<ClientNetwork, RandomState>>,
    /// Connections that were told to wait.
    held: FxHashMap<ConnectionId, Held>,
    /// How much was asked since what is out of date was thrown away.
    asked: usize,
    /// How much was left then.
    left: usize,
}

/// A connection that was told to wait, and how it keeps to it.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// What is to come again before all else.
    tag: Tag,
    /// Not before this.
    until: Duration,
    /// After this it is not waited for any longer.
    forgotten_at: Duration,
    /// How many requests were refused since one has waited.
    refused: u32,
    /// What it has paid for itself, when its address can't pay or it comes again as something
    /// dearer: it does not pay that twice.
    paid: u32,
}

/// What can't be paid.
struct Unpaid {
    /// Until when, at least.
    wait: Duration,
    /// What was paid all the same.
    paid: u32,
}

impl RateLimits {
    /// Nobody has asked for anything.
    pub(crate) fn new(config: &Config) -> RateLimits {
        let clock = RateClock::default();
        let rate = config.rate;
        RateLimits {
            connections: limiter(per_second(rate.saturating_mul(REQUESTS_A_UNIT)), &clock),
            people: limiter(per_second(rate), &clock),
            addresses: limiter(per_second(rate.saturating_mul(ADDRESS_SHARE)), &clock),
            logins: limiter(
                per_minute(config.connections_per_address_max.saturating_mul(LOGINS_SHARE)),
                &clock,
            ),
            clock,
            held: FxHashMap::default(),
            asked: 0,
            left: 0,
        }
    }

    /// The time, as these are told it.
    pub(super) fn clock(&self) -> RateClock {
        self.clock.clone()
    }

    /// It is so long after the server began.
    pub(crate) fn look_at_the_clock(&mut self, now: Duration) {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.clock.0.store(millis, Ordering::Relaxed);
    }

    /// A connection asks to be let in.
    pub(crate) fn begin_login(&mut self, network: ClientNetwork) -> Result<(), RateLimited> {
        let logins = self.logins.as_ref().filter(|_| network != ClientNetwork::THIS_MACHINE);
        let waits = charge(logins, &network, 1, self.clock.now());
        self.count();
        waits.map_or(Ok(()), |wait| Err(limited(1, wait)))
    }

    /// Somebody asks for something: it is paid for, or else it is not served.
    pub(crate) fn ask(&mut self, asker: &Asker, tag: Tag, cost: u32) -> Result<(), RateLimited> {
        let now = self.clock.now();
        let mut paid = 0;
        if let Some(held) = self.held.get_mut(&asker.connection) {
            let has_waited = now >= held.until && tag == held.tag;
            if !has_waited && now < held.forgotten_at {
                held.refused += 1;
                let until = if now < held.until { held.until } else { held.forgotten_at };
                return Err(limited(held.refused, until - now));
            }
            paid = if has_waited { held.paid } else { 0 };
        }
        let paid = self.pay(asker, cost, paid, now);
        self.count();
        let Err(Unpaid { wait, paid }) = paid else {
            self.forget(asker.connection);
            return Ok(());
        };
        let until = now + Duration::from_millis(millis(wait).into());
        let forgotten_at = until + Duration::from_millis(SENT_AGAIN_WITHIN_MS.into());
        let held = Held { tag, until, forgotten_at, refused: 1, paid };
        self.held.insert(asker.connection, held);
        Err(limited(1, wait))
    }

    /// A connection is no more, or need not wait any more. What its owner has spent stays spent.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        if !self.held.is_empty() {
            self.held.remove(&connection);
        }
    }

    /// Throws away what says nothing any more: whoever has their whole allowance again is as one
    /// who never asked.
    pub(crate) fn tidy(&mut self) {
        self.sweep();
        shrink(self.connections.as_ref());
        shrink(self.people.as_ref());
        shrink(self.addresses.as_ref());
        shrink(self.logins.as_ref());
        self.held.shrink_to_fit();
    }

    /// The narrowest allowance first: what is refused there costs nobody else anything. Something
    /// may be paid already.
    fn pay(&self, asker: &Asker, cost: u32, paid: u32, now: Duration) -> Result<(), Unpaid> {
        let Asker { connection, person, network } = asker;
        let own = match person {
            Some(person) if cost > 0 => {
                charge(self.people.as_ref(), person, cost.saturating_sub(paid), now)
            }
            // What costs nothing. (Everybody who asks for something is somebody: they were let in.)
            _ => charge(self.connections.as_ref(), connection, 1, now),
        };
        if let Some(wait) = own {
            return Err(Unpaid { wait, paid });
        }
        let addresses = self.addresses.as_ref().filter(|_| *network != ClientNetwork::THIS_MACHINE);
        let paid = paid.max(cost);
        charge(addresses, network, cost, now).map_or(Ok(()), |wait| Err(Unpaid { wait, paid }))
    }

    /// Between two ticks, too, no more is kept than was asked lately, whoever asks.
    fn count(&mut self) {
        self.asked += 1;
        if self.asked >= RATE_LIMITS_SWEPT_AFTER.max(self.left) {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        self.held.retain(|_, held| now < held.forgotten_at);
        self.left = sweep(self.connections.as_ref())
            + sweep(self.people.as_ref())
            + sweep(self.addresses.as_ref())
            + sweep(self.logins.as_ref());
        self.asked = 0;
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.connections.as_ref().map_or(0, RateLimiter::len)
            + self.people.as_ref().map_or(0, RateLimiter::len)
            + self.addresses.as_ref().map_or(0, RateLimiter::len)
            + self.logins.as_ref().map_or(0, RateLimiter::len)
            + self.held.len()
    }
}

fn limited(refused: u32, wait: Duration) -> RateLimited {
    RateLimited { retry_after_ms: millis(wait), floods: refused > RATE_LIMITED_IN_A_ROW_MAX }
}

/// What a client is told to wait: never nothing.
fn millis(wait: Duration) -> u32 {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    u32::try_from(millis).unwrap_or(u32::MAX).clamp(1, RETRY_AFTER_MS_MAX)
}

/// So much in a second, and what is due in [`BURST_SECONDS`] at once. Nothing is no limit.
fn per_second(rate: u32) -> Option<Quota> {
    let burst = rate.saturating_mul(BURST_SECONDS).max(COST_MAX);
    Some(Quota::per_second(NonZeroU32::new(rate)?).allow_burst(NonZeroU32::new(burst)?))
}

/// So much in a minute, which may come at once. Nothing is no limit.
fn per_minute(rate: u32) -> Option<Quota> {
    Some(Quota::per_minute(NonZeroU32::new(rate)?))
}

fn limiter<K, S>(quota: Option<Quota>, clock: &RateClock) -> Option<Limiter<K, S>>
where
    K: Hash + Eq + Clone,
    S: BuildHasher + Default,
{
    Some(RateLimiter::new(quota?, HashMapStateStore::default(), clock.clone()))
}

/// Takes so much out of an allowance; what is not there is to be waited for, and nothing is taken.
fn charge<K, S>(
    limiter: Option<&Limiter<K, S>>,
    key: &K,
    cost: u32,
    now: Duration,
) -> Option<Duration>
where
    K: Hash + Eq + Clone,
    S: BuildHasher,
{
    match limiter?.check_key_n(key, NonZeroU32::new(cost)?) {
        Ok(Ok(())) => None,
        Ok(Err(not_until)) => Some(not_until.wait_time_from(now)),
        // No request costs more than an allowance holds.
        Err(_) => Some(Duration::from_millis(RETRY_AFTER_MS_MAX.into())),
    }
}

fn sweep<K, S>(limiter: Option<&Limiter<K, S>>) -> usize
where
    K: Hash + Eq + Clone,
    S: BuildHasher,
    HashMapStateStore<K, S>: ShrinkableKeyedStateStore<K>,
{
    limiter.map_or(0, |limiter| {
        limiter.retain_recent();
        limiter.len()
    })
}

fn shrink<K, S>(limiter: Option<&Limiter<K, S>>)
where
    K: Hash + Eq + Clone,
    S: BuildHasher,
    HashMapStateStore<K, S>: ShrinkableKeyedStateStore<K>,
{
    if let Some(limiter) = limiter {
        limiter.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests;
