//! Passwords: whether one is right, and how often somebody may try.
//!
//! A hash is slow and takes 19 MiB on purpose (Argon2id with what OWASP recommends: m = 19,456 KiB,
//! t = 2, p = 1). So few are made at the same time, in threads of their own, and few more wait for
//! that. Tries are counted first, by name and by network. For an unknown name a hash of nobody's is
//! checked, so that the time it takes tells nothing.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use chatroom_proto::NameKey;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{NotUntil, Quota, RateLimiter};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tracing::error;

use crate::chat::effect::{Check, Checked, Claim, Input};
use crate::chat::entry::{PasswordHash, PersonId, RequestId};
use crate::client_network::ClientNetwork;
use crate::config::{
    Config, HASHES_AT_ONCE_MAX, HASHES_WAITING_MAX, HashCost, TRIES_A_NAME_BURST,
    TRIES_A_NAME_PER_MINUTE, TRIES_AN_ADDRESS_BURST, TRIES_AN_ADDRESS_PER_MINUTE,
};
use crate::dispatch::handle::{DispatchHandle, Message};
use crate::dispatch::rate_limit::RateClock;

/// How long somebody should wait when as many wait as may, in milliseconds: some hashes.
const WAIT_WHEN_FULL_MS: u32 = 1_000;

type Tries<K> = RateLimiter<K, HashMapStateStore<K>, RateClock, NoOpMiddleware<Duration>>;

/// Looks at passwords, for everybody.
pub(crate) struct Passwords {
    by_address: Tries<ClientNetwork>,
    /// By strangers.
    by_name: Tries<NameKey>,
    /// By those who are in.
    by_person: Tries<PersonId>,
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// What a password for an unknown name is compared with, to take as long. Made with the first
    /// that is needed.
    nobodys: Arc<OnceLock<Option<PasswordHash>>>,
    cost: HashCost,
    clock: RateClock,
}

impl Passwords {
    /// Nobody has tried any.
    pub(crate) fn new(config: &Config, clock: RateClock) -> Passwords {
        Passwords {
            by_address: tries(TRIES_AN_ADDRESS_BURST, TRIES_AN_ADDRESS_PER_MINUTE, &clock),
            by_name: tries(TRIES_A_NAME_BURST, TRIES_A_NAME_PER_MINUTE, &clock),
            by_person: tries(TRIES_A_NAME_BURST, TRIES_A_NAME_PER_MINUTE, &clock),
            at_once: Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX)),
            waiting: Arc::new(Semaphore::new(HASHES_WAITING_MAX)),
            nobodys: Arc::default(),
            cost: config.hash_cost,
            clock,
        }
    }

    /// Forgets who has not tried for a while. Called about once a second.
    pub(crate) fn tick(&self) {
        self.by_address.retain_recent();
        self.by_name.retain_recent();
        self.by_person.retain_recent();
    }

    /// Finds out what is to be found out, and hands it in.
    pub(crate) fn check(
        &self,
        RequestId { connection, tag }: RequestId,
        check: Check,
        handle: DispatchHandle,
    ) {
        let hand_in = move |checked| async move {
            let input = Input::Checked { connection, tag, checked };
            // A server that has stopped answers nobody.
            let _ = handle.send(Message::Input(input)).await;
        };
        if let Err(retry_after_ms) = self.may_try(&check) {
            tokio::spawn(hand_in(Checked::Later { retry_after_ms }));
            return;
        }
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            tokio::spawn(hand_in(Checked::Later { retry_after_ms: WAIT_WHEN_FULL_MS }));
            return;
        };
        let (at_once, nobodys) = (Arc::clone(&self.at_once), Arc::clone(&self.nobodys));
        let cost = self.cost;
        tokio::spawn(async move {
            // It is never closed.
            let turn = at_once.acquire_owned().await.ok();
            let look = move || look_at(&check, &nobodys, cost);
            let checked = match cost {
                HashCost::Recommended => spawn_blocking(look).await.unwrap_or_else(|error| {
                    error!(%error, "a password could not be looked at");
                    Checked::Later { retry_after_ms: WAIT_WHEN_FULL_MS }
                }),
                HashCost::Least => look(),
            };
            drop((turn, place));
            hand_in(checked).await;
        });
    }

    /// Counts a try; or says in how many milliseconds there may be one.
    fn may_try(&self, check: &Check) -> Result<(), u32> {
        let now = self.clock.now();
        let wait = |not_until: NotUntil<_>| {
            u32::try_from(not_until.wait_time_from(now).as_millis()).unwrap_or(u32::MAX).max(1)
        };
        // Everybody may be behind this machine.
        let network = ClientNetwork::of(check.address.ip());
        if network != ClientNetwork::THIS_MACHINE {
            self.by_address.check_key(&network).map_err(wait)?;
        }
        match check.person {
            Some(person) => self.by_person.check_key(&person).map_err(wait),
            None => self.by_name.check_key(&check.name.key()).map_err(wait),
        }
    }
}

fn tries<K: std::hash::Hash + Eq + Clone>(
    burst: NonZeroU32,
    per_minute: NonZeroU32,
    clock: &RateClock,
) -> Tries<K> {
    let quota = Quota::per_minute(per_minute).allow_burst(burst);
    RateLimiter::new(quota, HashMapStateStore::default(), clock.clone())
}

/// Compares, and hashes.
fn look_at(check: &Check, nobodys: &OnceLock<Option<PasswordHash>>, cost: HashCost) -> Checked {
    if let Some(Claim { password, hash }) = &check.claimed {
        let against = match hash {
            Some(hash) => Some(hash),
            None => nobodys.get_or_init(|| hash_of("nobody's", cost)).as_ref(),
        };
        let matches = against.is_some_and(|hash| {
            Argon2::default().verify_password(password.reveal().as_bytes(), hash.0.as_str()).is_ok()
        });
        if !matches || hash.is_none() {
            return Checked::Wrong;
        }
    }
    match &check.new {
        None => Checked::Right(None),
        Some(new) => match hash_of(new.reveal(), cost) {
            Some(hash) => Checked::Right(Some(hash)),
            None => Checked::Later { retry_after_ms: WAIT_WHEN_FULL_MS },
        },
    }
}

/// The hash of a password, with a salt of its own; nothing when there is no memory for it.
fn hash_of(password: &str, cost: HashCost) -> Option<PasswordHash> {
    let params = match cost {
        HashCost::Recommended => Params::DEFAULT,
        HashCost::Least => {
            Params::new(Params::MIN_M_COST, Params::MIN_T_COST, Params::MIN_P_COST, None)
                .unwrap_or_default()
        }
    };
    let hash = Argon2::new(Algorithm::default(), Version::default(), params)
        .hash_password(password.as_bytes());
    hash.map_err(|error| error!(%error, "a password could not be hashed"))
        .map(|hash: argon2::PasswordHash| PasswordHash(hash.to_string()))
        .ok()
}
