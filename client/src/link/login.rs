//! Logging in: what may prove who this client is, and whether to try again when the server says no.

use std::time::Duration;

use chatroom_proto::{CloseReason, Hello, Password, Proof, RETRY_AFTER_MS_MAX, Refusal};
use tokio::time::sleep;

use super::handshake::{self, WelcomedConnection};
use crate::dial::Dial;
use crate::error::{ConnectError, Ended};
use crate::shared::Shared;
use crate::trust::Untrusted;

/// How often the first handshake is tried, with a server that lets in so many from one address in a
/// time.
pub(super) const LOGIN_TRIES_MAX: usize = 3;

/// How many passwords are tried of which it is not known whether the server has heard them: it
/// counts the wrong ones, and nobody changes a password more often within one round trip.
const PERHAPS_MAX: usize = 3;

/// A client that was let in.
pub(super) struct AcceptedLogin<S> {
    pub(super) connection: WelcomedConnection<S>,
    /// By this password, if it is one of which that was not known.
    pub(super) by: Option<Password>,
}

/// Comes in, with the password if nothing else helps; and if it is wrong, with those that it may
/// have been changed to.
pub(super) async fn log_in<D: Dial>(
    dial: &D,
    shared: &Shared,
    hello: Hello,
    known: Option<&Password>,
    perhaps: impl IntoIterator<Item = &Password>,
) -> Result<AcceptedLogin<D::Stream>, ConnectError> {
    let mut refused = match handshake::connect(dial, shared.next_tag(), hello.clone()).await {
        Err(error @ ConnectError::Refused(Refusal::PasswordNeeded { .. })) => error,
        Err(error) => return Err(error),
        Ok(connection) => return Ok(AcceptedLogin { connection, by: None }),
    };
    let known = known.map(|password| (password, true));
    let perhaps = perhaps.into_iter().take(PERHAPS_MAX).map(|password| (password, false));
    for (password, is_known) in known.into_iter().chain(perhaps) {
        let hello = Hello { proof: Proof::Password(password.clone()), ..hello.clone() };
        match handshake::connect(dial, shared.next_tag(), hello).await {
            Ok(connection) => {
                return Ok(AcceptedLogin { connection, by: (!is_known).then(|| password.clone()) });
            }
            Err(error @ ConnectError::Refused(Refusal::WrongPassword { .. })) if is_known => {
                refused = error;
            }
            Err(ConnectError::Refused(Refusal::WrongPassword { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// The first handshake. A server that asks to come later is asked again then, a few times.
pub(super) async fn first_login<D: Dial>(
    dial: &D,
    shared: &Shared,
    hello: Hello,
    password: Option<&Password>,
) -> Result<WelcomedConnection<D::Stream>, ConnectError> {
    let mut tries = 1;
    loop {
        let error = match log_in(dial, shared, hello.clone(), password, []).await {
            Ok(entered) => return Ok(entered.connection),
            Err(error) => error,
        };
        match asks_to_wait(&error) {
            Some(wait) if tries < LOGIN_TRIES_MAX => sleep(wait).await,
            _ => return Err(error),
        }
        tries += 1;
    }
}

/// How long to wait before the next handshake, if that was why this one was refused.
pub(super) fn asks_to_wait(error: &ConnectError) -> Option<Duration> {
    match error {
        ConnectError::Refused(Refusal::RateLimited { retry_after_ms }) => {
            Some(Duration::from_millis((*retry_after_ms).min(RETRY_AFTER_MS_MAX).into()))
        }
        _ => None,
    }
}

/// What time may heal is worth another try.
pub(super) fn is_worth_another_try(error: ConnectError) -> Result<(), Ended> {
    match error {
        ConnectError::Refused(Refusal::TooManyTries { .. } | Refusal::RateLimited { .. }) => Ok(()),
        ConnectError::Refused(refusal) => Err(Ended::Refused(refusal)),
        ConnectError::PasswordUnsaid { name } => {
            Err(Ended::Refused(Refusal::PasswordNeeded { name }))
        }
        ConnectError::Closed(CloseReason::Misbehaved(how)) => Err(Ended::Misbehaved(how)),
        ConnectError::Garbled(what) => Err(Ended::Garbled(what)),
        ConnectError::Untrusted(Untrusted::Unreadable { .. } | Untrusted::Failed(_)) => Ok(()),
        // Somebody else may be there: to try again until that is believed would be wrong.
        ConnectError::Untrusted(untrusted) => Err(Ended::Untrusted(untrusted)),
        ConnectError::Unreachable(_)
        | ConnectError::Silent
        | ConnectError::Cut
        | ConnectError::Closed(_) => Ok(()),
    }
}
