//! Logging in: what may prove who this client is, and whether to try again when the server says no.

use std::time::Duration;

use chatroom_proto::{
    CloseReason, Hello, Lives, Password, Proof, RETRY_AFTER_MS_MAX, Refusal, Token,
};
use tokio::time::sleep;

use super::handshake::{self, WelcomedConnection};
use crate::dial::Dial;
use crate::error::{ConnectError, Ended};
use crate::journal::TOKENS_ASKED_MAX;
use crate::shared::Shared;
use crate::trust::Untrusted;

/// How often the first handshake is tried, with a server that lets in so many from one address in a
/// time.
pub(super) const LOGIN_TRIES_MAX: usize = 3;

/// Comes in by the session's token, or one of those that it has asked for with another password,
/// the newest first; and with the password if nothing else helps.
pub(super) async fn log_in<D: Dial>(
    dial: &D,
    shared: &Shared,
    (hello, lives): (Hello, &Lives),
    (asked, password): (&[Token], Option<&Password>),
) -> Result<WelcomedConnection<D::Stream>, ConnectError> {
    let asked = asked.iter().take(TOKENS_ASKED_MAX).cloned().map(Proof::Resume);
    let proofs = asked.chain(password.cloned().map(Proof::Password));
    let mut refused =
        match handshake::connect(dial, shared.next_tag(), (hello.clone(), lives)).await {
            Err(error @ ConnectError::Refused(Refusal::PasswordNeeded { .. })) => error,
            connected => return connected,
        };
    for proof in proofs {
        let hello = Hello { proof, ..hello.clone() };
        match handshake::connect(dial, shared.next_tag(), (hello, lives)).await {
            Err(error @ ConnectError::Refused(Refusal::PasswordNeeded { .. })) => refused = error,
            connected => return connected,
        }
    }
    Err(refused)
}

/// The first handshake. A server that asks to come later is asked again then, a few times.
pub(super) async fn first_login<D: Dial>(
    dial: &D,
    shared: &Shared,
    (hello, lives): (Hello, &Lives),
    known: (&[Token], Option<&Password>),
) -> Result<WelcomedConnection<D::Stream>, ConnectError> {
    let mut tries = 1;
    loop {
        let error = match log_in(dial, shared, (hello.clone(), lives), known).await {
            Ok(connection) => return Ok(connection),
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
        ConnectError::NoSuchHost(_)
        | ConnectError::Unreachable(_)
        | ConnectError::Silent
        | ConnectError::Cut
        | ConnectError::Closed(_) => Ok(()),
    }
}
