//! TLS for a worker of the tests that speaks none itself, which Python cannot with raw public keys:
//! peers connect here, and what they say is passed on to it, and back what it answers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection,
    SignatureScheme,
};

/// The port of this machine where workers ask for it. A worker says, in a line, at which port it
/// listens, and is told, in another one, what its peers are to be told: an address and a key. It
/// ends when the worker hangs up.
pub(super) fn port() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let (listener, port) = listen().unwrap();
        let (config, public_key) = identity();
        let work = move || {
            for worker in listener.incoming() {
                let (config, public_key) = (Arc::clone(&config), public_key.clone());
                thread::spawn(move || serve(&worker.unwrap(), &config, &public_key).unwrap());
            }
        };
        thread::spawn(work);
        port
    })
}

fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// A key, as TLS shows it and as base64 of what it shows.
fn identity() -> (Arc<ServerConfig>, String) {
    let random = ring::rand::SystemRandom::new();
    let pair = ring::signature::Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let signer = any_eddsa_type(&PrivatePkcs8KeyDer::from(pair.as_ref())).unwrap();
    let public_key = signer.public_key().unwrap().to_vec();
    let text = STANDARD.encode(&public_key);
    let shown = CertifiedKey::new(vec![CertificateDer::from(public_key)], signer);
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anybody))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(shown))));
    (Arc::new(config), text)
}

fn serve(worker: &TcpStream, config: &Arc<ServerConfig>, public_key: &str) -> io::Result<()> {
    let mut port = String::new();
    BufReader::new(worker).read_line(&mut port)?;
    let port: u16 = port.trim().parse().map_err(io::Error::other)?;
    let (listener, own) = listen()?;
    let addresses = [format!("127.0.0.1:{own}")];
    let told = serde_json::json!({ "addresses": addresses, "public_key": public_key });
    let mut to = worker;
    writeln!(to, "{told}")?;
    loop {
        let [connected, hung_up] = ready([listener.as_fd(), worker.as_fd()])?;
        if hung_up {
            return Ok(());
        }
        if connected {
            let (peer, _) = listener.accept()?;
            let worker = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            let config = Arc::clone(config);
            // How it ends both sides see, who are what is tested.
            thread::spawn(move || pass(peer, worker, config));
        }
    }
}

fn pass(mut peer: TcpStream, mut worker: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    tls.set_buffer_limit(None);
    let mut bytes = vec![0; 1 << 16];
    loop {
        while tls.wants_write() {
            tls.write_tls(&mut peer)?;
        }
        let [asked, answered] = ready([peer.as_fd(), worker.as_fd()])?;
        if asked {
            if tls.read_tls(&mut peer)? == 0 {
                return Ok(());
            }
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let question = &mut bytes[..state.plaintext_bytes_to_read()];
            tls.reader().read_exact(question)?;
            worker.write_all(question)?;
        }
        if answered {
            match worker.read(&mut bytes)? {
                0 => return Ok(()),
                count => tls.writer().write_all(&bytes[..count])?,
            }
        }
    }
}

/// Waits for either of them, and says for which there is something to read, or an end.
fn ready(of: [BorrowedFd<'_>; 2]) -> io::Result<[bool; 2]> {
    let mut fds = of.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    poll(&mut fds, PollTimeout::NONE)?;
    Ok(fds.map(|fd| fd.any() == Some(true)))
}

/// Asks for a key and takes each: the peers are honest.
#[derive(Debug)]
struct Anybody;

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
