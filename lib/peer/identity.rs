//! Who a worker is in one exchange: a key that is made here and never leaves, and a certificate of it.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::{Error, Kind, Result};

/// The name in every certificate. Nobody looks at it: a certificate is known as a whole or not at all.
const NAME: &str = "worker.invalid";

/// A key and its certificate.
#[derive(Clone)]
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: Arc<PrivateKeyDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// Makes one.
    ///
    /// # Errors
    /// `Hosts` when the system gives no random bytes.
    pub(crate) fn new() -> Result<Identity> {
        let error = |e: rcgen::Error| Error::new(Kind::Hosts, format!("cannot make a key: {e}"));
        let key = KeyPair::generate().map_err(error)?;
        let params = CertificateParams::new([NAME.to_string()]).map_err(error)?;
        let certificate = params.self_signed(&key).map_err(error)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Identity { certificate, key: Arc::new(key), provider: provider() })
    }

    /// What the others are to know it by, as DER.
    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// What TLS shows, and what it proves that with.
    pub(super) fn shown(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![self.certificate.clone()], self.key.clone_key())
    }

    /// The cryptography of this host.
    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }
}

/// The ciphers, the one that this processor is fastest with first.
fn provider() -> Arc<CryptoProvider> {
    use ring::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256};
    let mut suites = vec![TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256];
    if !has_aes() {
        suites.reverse();
    }
    Arc::new(CryptoProvider { cipher_suites: suites, ..ring::default_provider() })
}

/// Whether the processor has instructions for AES and its mode.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let (one, two) = (Identity::new().unwrap(), Identity::new().unwrap());
        assert!(!one.certificate().is_empty() && one.certificate() != two.certificate());
    }
}
