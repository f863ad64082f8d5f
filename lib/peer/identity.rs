//! Who a worker is in one exchange: a pair of keys that is made here, and whose private half never
//! leaves.

use std::fmt::Display;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::crypto::{CryptoProvider, ring as provided};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::error::{Error, ErrorKind, Result};

/// A pair of keys. There is no certificate: the others are told the public key itself.
#[derive(Clone)]
pub(crate) struct Identity {
    public_key: CertificateDer<'static>,
    shown: Arc<CertifiedKey>,
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
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| failed("the system gives no random bytes"))?;
        let signer = any_eddsa_type(&PrivatePkcs8KeyDer::from(pair.as_ref())).map_err(failed)?;
        let public_key = signer.public_key().ok_or_else(|| failed("it has no public half"))?;
        // TLS carries a raw key where a certificate would stand, and rustls under that name.
        let public_key = CertificateDer::from(public_key.to_vec());
        let shown = Arc::new(CertifiedKey::new(vec![public_key.clone()], signer));
        Ok(Identity { public_key, shown, provider: provider() })
    }

    /// What the others are to know it by: the public key and its algorithm, as DER (RFC 7250).
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// What TLS shows, and what it proves that with.
    pub(super) fn shown(&self) -> &Arc<CertifiedKey> {
        &self.shown
    }

    /// The cryptography of this host.
    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }
}

fn failed(why: impl Display) -> Error {
    Error::new(ErrorKind::Hosts, format!("cannot make a key: {why}"))
}

/// The ciphers, the one that this processor is fastest with first.
fn provider() -> Arc<CryptoProvider> {
    use provided::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256};
    let mut suites = vec![TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256];
    if !has_aes() {
        suites.reverse();
    }
    Arc::new(CryptoProvider { cipher_suites: suites, ..provided::default_provider() })
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
        // What RFC 8410 says that a key of Ed25519 begins with; 32 bytes follow.
        let head = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
        assert!(one.public_key().starts_with(head) && one.public_key().len() == head.len() + 32);
        assert!(one.public_key() != two.public_key());
    }
}
