//! What TLS does here: version 1.3 only, no session is resumed, and whoever does not prove that it
//! has the key of a certificate that was named beforehand is refused.
//!
//! Names, dates and issuers of certificates mean nothing: clocks of hosts may differ, and a
//! certificate is known whole.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error as TlsError,
    PeerMisbehaved, ServerConfig, SignatureScheme,
};

use crate::error::{Error, Kind, Result};
use crate::peer::Identity;

/// Knows these certificates and no other.
#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new<'a>(identity: &Identity, certificates: impl Iterator<Item = &'a [u8]>) -> Arc<Pinned> {
        let certificates = certificates.map(|der| CertificateDer::from(der.to_vec())).collect();
        let algorithms = identity.provider().signature_verification_algorithms;
        Arc::new(Pinned { certificates, algorithms })
    }

    fn check(&self, shown: &CertificateDer<'_>) -> std::result::Result<(), TlsError> {
        match self.certificates.iter().any(|known| known == shown) {
            true => Ok(()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn check_key(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, shown, signed, &self.algorithms)
    }
}

/// What TLS 1.2 would ask, which is not spoken.
fn too_old() -> std::result::Result<HandshakeSignatureValid, TlsError> {
    Err(PeerMisbehaved::SelectedUnofferedCipherSuite.into())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, TlsError> {
        self.check(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        self.check_key(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> std::result::Result<ClientCertVerified, TlsError> {
        self.check(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        self.check_key(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn error(error: &TlsError) -> Error {
    Error::new(Kind::Hosts, format!("cannot set up TLS: {error}"))
}

/// How to listen for whoever shows one of `certificates`.
pub(super) fn listening<'a>(
    identity: &Identity,
    certificates: impl Iterator<Item = &'a [u8]>,
) -> Result<Arc<ServerConfig>> {
    let (shown, key) = identity.shown();
    let mut config = ServerConfig::builder_with_provider(Arc::clone(identity.provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| error(&e))?
        .with_client_cert_verifier(Pinned::new(identity, certificates))
        .with_single_cert(shown, key)
        .map_err(|e| error(&e))?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// How to dial the one that shows `certificate`.
pub(super) fn dialling(identity: &Identity, certificate: &[u8]) -> Result<Arc<ClientConfig>> {
    let (shown, key) = identity.shown();
    let mut config = ClientConfig::builder_with_provider(Arc::clone(identity.provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| error(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Pinned::new(identity, std::iter::once(certificate)))
        .with_client_auth_cert(shown, key)
        .map_err(|e| error(&e))?;
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}
