//! Reaching a host and knowing it for what it is: the connection, the algorithms that may be used,
//! and the key that must be known.
//!
//! It logs nobody in.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Instant;

use ::ssh2::{MethodType, Session};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::KeepAlive;

use crate::cluster::program::typed;
use crate::cluster::ssh_failure::{REVOKED, changed_key, unknown_key};
use crate::cluster::ssh2::config::SshConfig;
use crate::cluster::ssh2::known_hosts::{KnownHosts, Verdict, fingerprint, kind_of};
use crate::cluster::ssh2::{RoadFailure, STEP_MAX};
use crate::cluster::{Host, Settings};
use crate::error::{Error, ErrorKind, Result, reason};

/// The kinds of host keys that libssh2 is to ask for, certificates left out.
const KEY_ALGORITHMS: [(&str, &str); 6] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512"),
    ("ssh-rsa", "rsa-sha2-256"),
];

/// A key exchange that is safe from machines to come: asked for by whoever's ssh has one such.
const HYBRID: &str = "mlkem768x25519-sha256";

/// A connection to the first address of the host that takes one.
pub(super) fn reach(host: &Host, config: &SshConfig) -> Result<TcpStream> {
    let (name, port) = (config.host_name(), config.port());
    let family = config.family();
    let addresses = (name, port).to_socket_addrs().map_err(|e| {
        let why = reason(&e);
        let why = why.trim_start_matches("failed to lookup address information: ");
        Error::refusal(format!("{host}: cannot find the address of {name}: {why}"))
    })?;
    let wanted = |address: &SocketAddr| match family {
        "inet" => address.is_ipv4(),
        "inet6" => address.is_ipv6(),
        _ => true,
    };
    let deadline = Instant::now() + STEP_MAX;
    let mut last = format!("{host}: {name} has no address of the family {family}");
    for address in addresses.filter(wanted) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                suit(&stream);
                return Ok(stream);
            }
            Err(e) => last = format!("{host}: cannot connect to {address}: {}", reason(&e)),
        }
    }
    Err(Error::new(ErrorKind::Hosts, last))
}

/// Sets what suits frames. A socket that cannot be set so serves all the same.
fn suit(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    // Of a host that is gone the system hears even while nobody reads, heartbeats too.
    let _ = setsockopt(stream, KeepAlive, &true);
}

/// What the user's files know of the host.
pub(super) fn known_hosts(config: &SshConfig) -> KnownHosts {
    let (name, bare) = config.key_names();
    let mut known = KnownHosts::default();
    for file in config.known_hosts_files() {
        if let Ok(text) = std::fs::read(&file) {
            known.read(&text, &file, &name, &bare);
        }
    }
    known
}

/// Has libssh2 use the algorithms that the configuration allows, in its order, and ask for the kinds
/// of key that are known: a host has several.
pub(super) fn prefer(
    session: &Session,
    host: &Host,
    config: &SshConfig,
    known: &KnownHosts,
) -> std::result::Result<(), RoadFailure> {
    let (kinds, allowed) = (known.kinds(), config.algorithms("hostkeyalgorithms"));
    let allowed = |name: &str| allowed.as_ref().is_none_or(|list| list.contains(&name));
    let is_known = |kind: &str| kinds.is_empty() || kinds.contains(&kind);
    let keys = KEY_ALGORITHMS.iter().filter(|(kind, name)| is_known(kind) && allowed(name));
    choose(session, host, MethodType::HostKey, keys.map(|(_, name)| *name).collect())?;
    if let Some(mut list) = config.algorithms("kexalgorithms") {
        if list.iter().any(|name| name.starts_with("sntrup761") || name.starts_with("mlkem")) {
            list.retain(|name| *name != HYBRID);
            list.insert(0, HYBRID);
        }
        choose(session, host, MethodType::Kex, list)?;
    }
    for (key, methods) in [
        ("ciphers", [MethodType::CryptCs, MethodType::CryptSc]),
        ("macs", [MethodType::MacCs, MethodType::MacSc]),
    ] {
        for method in methods {
            if let Some(list) = config.algorithms(key) {
                choose(session, host, method, list)?;
            }
        }
    }
    Ok(())
}

fn choose(
    session: &Session,
    host: &Host,
    method: MethodType,
    wanted: Vec<&str>,
) -> std::result::Result<(), RoadFailure> {
    // libssh2 leaves out what it does not know, and fails when nothing is left.
    session.method_pref(method, &wanted.join(",")).map_err(|e| {
        let text = format!("{host}: none of the configured algorithms is known: {}", e.message());
        RoadFailure::Unable("for its algorithms", Error::usage(text))
    })
}

/// Refuses a key that is not known to be the host's.
pub(super) fn verify(
    session: &Session,
    host: &Host,
    settings: &Settings,
    config: &SshConfig,
    known: &KnownHosts,
) -> Result<()> {
    let (key, _) = session
        .host_key()
        .ok_or_else(|| Error::refusal(format!("{host}: it shows no host key")))?;
    let (name, _) = config.key_names();
    let text = match known.judge(key) {
        Verdict::Known => return Ok(()),
        Verdict::Unknown => {
            let kind = kind_of(key).unwrap_or("key");
            let shown = format!("{name}, {kind} {}", fingerprint(key));
            unknown_key(&shown, &typed(host, settings))
        }
        Verdict::Changed(file) => {
            changed_key(&format!("ssh-keygen -f '{}' -R '{name}'", file.display()))
        }
        Verdict::Revoked => REVOKED.to_string(),
    };
    Err(Error::refusal(format!("{host}: {text}")))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use nix::sys::socket::getsockopt;

    use super::*;

    #[test]
    fn a_connection_is_kept_alive() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        suit(&stream);
        assert!(getsockopt(&stream, KeepAlive).unwrap() && stream.nodelay().unwrap());
    }
}
