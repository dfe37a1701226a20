//! From when until when certificates are valid.

use chatroom_proto::UnixMillis;
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;

/// When a chain of certificates is valid: while each of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before this moment.
    pub from: UnixMillis,
    /// Not after it.
    pub until: UnixMillis,
}

/// What all of these have in common; nothing when one of them can't be read.
pub(super) fn validity(chain: &[CertificateDer<'_>]) -> Option<Validity> {
    let each = chain.iter().map(|certificate| {
        let (_, parsed) = parse_x509_certificate(certificate).ok()?;
        let valid = parsed.validity();
        let (from, until) = (valid.not_before.timestamp(), valid.not_after.timestamp());
        Some(Validity { from: moment(from), until: moment(until) })
    });
    each.reduce(|all, one| {
        let (all, one) = (all?, one?);
        Some(Validity { from: all.from.max(one.from), until: all.until.min(one.until) })
    })?
}

/// Before 1970 is the same as 1970: both were long ago.
fn moment(seconds: i64) -> UnixMillis {
    UnixMillis(u64::try_from(seconds).unwrap_or_default().saturating_mul(1_000))
}
