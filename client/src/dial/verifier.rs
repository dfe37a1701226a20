//! Who a server is, by the certificate that it shows in a handshake of TLS.

use std::sync::{Arc, OnceLock};

use chatroom_proto::Fingerprint;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use crate::trust::{Expected, Met, Untrusted};

/// What was thought of a server that showed its certificate.
pub(super) type Judgement = Result<Met, Untrusted>;

/// The authorities that this system trusts, and the cryptography.
#[derive(Debug, Clone)]
pub(super) struct Authorities {
    provider: Arc<CryptoProvider>,
    system: Option<Arc<rustls_platform_verifier::Verifier>>,
}

impl Authorities {
    /// Reads them. On a system without any, servers are known by their keys alone.
    pub(super) async fn of_this_system() -> Authorities {
        let provider = Arc::new(ring::default_provider());
        let for_them = Arc::clone(&provider);
        let read =
            tokio::task::spawn_blocking(move || rustls_platform_verifier::Verifier::new(for_them));
        let system = match read.await {
            Ok(Ok(system)) => Some(Arc::new(system)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "this system trusts no authorities");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the authorities of this system can't be read");
                None
            }
        };
        Authorities { provider, system }
    }
}

/// Judges the server of one attempt.
#[derive(Debug)]
pub(super) struct Verifier {
    authorities: Authorities,
    expected: Expected,
    judgement: OnceLock<Judgement>,
}

impl Verifier {
    pub(super) fn new(authorities: Authorities, expected: Expected) -> Verifier {
        Verifier { authorities, expected, judgement: OnceLock::new() }
    }

    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.authorities.provider
    }

    /// What it has come to, if it was asked. The server may still have failed to prove that it has
    /// the key.
    pub(super) fn judgement(&self) -> Option<Judgement> {
        self.judgement.get().cloned()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let offered = Fingerprint::of(&parsed.subject_public_key_info());
        let vouched = self.authorities.system.as_ref().map(|system| {
            system.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
        });
        let judgement = self.expected.judge(offered, matches!(vouched, Some(Ok(_))));
        tracing::debug!(%offered, ?vouched, ?judgement, "the server shows its certificate");
        let is_trusted = judgement.is_ok();
        let _ = self.judgement.set(judgement);
        if is_trusted {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    // Whoever has seen a certificate can show it. That the server has its key is proved by a
    // signature, which is checked whatever made us trust the certificate.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider().signature_verification_algorithms.supported_schemes()
    }
}
