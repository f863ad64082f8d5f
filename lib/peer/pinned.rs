//! What TLS does here: version 1.3 only, no session is resumed, and whoever does not prove that it
//! has the private half of a key that was named beforehand is refused.
//!
//! Both sides show raw public keys (RFC 7250): there are no certificates, with names and dates that
//! would mean nothing.

use std::sync::Arc;

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error as TlsError,
    PeerMisbehaved, ServerConfig, SignatureScheme,
};

use crate::error::{Error, ErrorKind, Result};
use crate::peer::Identity;

/// Knows these public keys and no other. What TLS calls a certificate is such a key.
#[derive(Debug)]
struct Pinned {
    keys: Vec<Vec<u8>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(identity: &Identity, keys: Vec<Vec<u8>>) -> Arc<Pinned> {
        let algorithms = identity.provider().signature_verification_algorithms;
        Arc::new(Pinned { keys, algorithms })
    }

    fn check(&self, shown: &CertificateDer<'_>) -> std::result::Result<(), TlsError> {
        match self.keys.iter().any(|known| **known == **shown) {
            true => Ok(()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn check_proof(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        let key = SubjectPublicKeyInfoDer::from(&**shown);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
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
        self.check_proof(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
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
        self.check_proof(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

fn error(error: &TlsError) -> Error {
    Error::new(ErrorKind::Hosts, format!("cannot set up TLS: {error}"))
}

/// How to listen for whoever shows one of `keys`.
pub(super) fn listening(identity: &Identity, keys: Vec<Vec<u8>>) -> Result<Arc<ServerConfig>> {
    let shown = AlwaysResolvesServerRawPublicKeys::new(Arc::clone(identity.shown()));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(identity.provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| error(&e))?
        .with_client_cert_verifier(Pinned::new(identity, keys))
        .with_cert_resolver(Arc::new(shown));
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// How to dial the one that shows `key`.
pub(super) fn dialling(identity: &Identity, key: &[u8]) -> Result<Arc<ClientConfig>> {
    let shown = AlwaysResolvesClientRawPublicKeys::new(Arc::clone(identity.shown()));
    let mut config = ClientConfig::builder_with_provider(Arc::clone(identity.provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| error(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Pinned::new(identity, vec![key.to_vec()]))
        .with_client_cert_resolver(Arc::new(shown));
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}
