//! libssh2 as what carries a link: one connection, one session, one command.
//!
//! It serves what most hosts need; for the rest it says why it cannot, and the ssh program can. It
//! never asks, and never trusts a key that is not known.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ::ssh2::{Channel, ErrorCode, MethodType, Session};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::cluster::bootstrap::{self, ANSWER_MAX, Failure, Parcel};
use crate::cluster::complaints::Complaints;
use crate::cluster::known_hosts::{KnownHosts, Verdict, fingerprint, kind_of};
use crate::cluster::login;
use crate::cluster::patience::Patience;
use crate::cluster::program::typed;
use crate::cluster::pump::Pump;
use crate::cluster::refusal::{REVOKED, Refusal, changed_key, denied, meaning, unknown_key};
use crate::cluster::ssh_config::SshConfig;
use crate::cluster::{End, Host, Link, Settings};
use crate::error::{Error, Kind, Result, reason};

/// How long a connection, and then each step of a login, may take.
const STEP_MAX: Duration = Duration::from_secs(10);

/// How much a pipe between the link and the session holds.
const PIPE_BYTES: i32 = 256 * 1024;

/// How long the thread of a link whose streams have ended may take to say why.
const END_MAX: Duration = Duration::from_secs(2);

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

/// libssh2's words for a connection that ended before it was one.
const BUSY: [i32; 4] = [-2, -7, -13, -43];

/// libssh2's word for a step that took too long.
const TIMEOUT: i32 = -9;

/// Why there is no link.
pub(super) enum Trouble {
    /// Nothing more can be done, but by the user.
    Final(Error),
    /// The ssh program may be able to do what libssh2 cannot; the error where there is none.
    Unable(&'static str, Error),
}

/// What one attempt came to.
enum Attempt {
    Linked(Link),
    Again(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Final(error)
    }
}

/// Starts a worker on `host` through libssh2.
///
/// # Errors
/// [`Trouble`].
pub(super) fn connect(
    host: &Host,
    settings: &Settings,
    config: &SshConfig,
) -> std::result::Result<Link, Trouble> {
    let parcel = Parcel::new(&settings.worker)?;
    let mut patience = Patience::new();
    loop {
        match attempt(host, settings, config, &parcel)? {
            Attempt::Linked(link) => return Ok(link),
            Attempt::Again(error) if !patience.wait() => return Err(Trouble::Final(error)),
            Attempt::Again(error) => (settings.explain)(&format!("{error}; tries again")),
        }
    }
}

fn attempt(
    host: &Host,
    settings: &Settings,
    config: &SshConfig,
    parcel: &Parcel<'_>,
) -> std::result::Result<Attempt, Trouble> {
    let known = known_hosts(config);
    if known.has_authority() {
        let error = Error::usage(format!("{host}: an authority signs its host key"));
        return Err(Trouble::Unable("for the authority that signs its key", error));
    }
    let stream = reach(host, config)?;
    let mut session = Session::new().map_err(|e| broken(host, &e))?;
    session.set_timeout(STEP_MAX.as_millis() as u32);
    session.set_tcp_stream(stream.try_clone().map_err(|e| cannot(host, "use the socket", &e))?);
    prefer(&session, host, config, &known)?;
    if let Err(e) = session.handshake() {
        return match code(&e) {
            code if BUSY.contains(&code) => {
                let text = format!("{host}: it turns logins away ({})", e.message());
                Ok(Attempt::Again(Error::new(Kind::Hosts, text)))
            }
            TIMEOUT => Err(broken(host, &e).into()),
            _ => Err(Trouble::Unable("for its algorithms", broken(host, &e))),
        };
    }
    verify(&session, host, settings, config, &known)?;
    if let Err(why) = login::log_in(&session, config, settings.agent.as_deref()) {
        let error = Error::new(Kind::Hosts, format!("{host}: {}", denied(&why.ways, &why.locked)));
        // What the program could try beside keys, it cannot do behind a locked key either.
        return Err(match why.locked.is_empty() {
            true => Trouble::Unable("for another way to log in", error),
            false => Trouble::Final(error),
        });
    }
    let mut channel = session.channel_session().map_err(|e| broken(host, &e))?;
    channel.exec("/bin/sh").map_err(|e| broken(host, &e))?;
    start(host, settings, parcel, (session, channel, stream))
}

/// Hands the session to a thread of its own, and makes its shell the worker.
fn start(
    host: &Host,
    settings: &Settings,
    parcel: &Parcel<'_>,
    (session, channel, stream): (Session, Channel, TcpStream),
) -> std::result::Result<Attempt, Trouble> {
    session.set_blocking(false);
    let complaints = Complaints::new(host.to_string(), settings);
    let failed = |e: io::Error| Trouble::Final(cannot(host, "make a pipe", &e));
    let (up, to) = pipe(0).map_err(failed)?;
    let (from, down) = pipe(1).map_err(failed)?;
    let why = Arc::new(Mutex::new(None));
    let pump = Pump {
        session,
        channel,
        stream: stream.try_clone().map_err(failed)?,
        up: up.into(),
        down: down.into(),
        complaints: Arc::clone(&complaints),
        why: Arc::clone(&why),
    };
    let thread = thread::spawn(move || pump.run());
    let end = Arc::new(Carried { stream, complaints, why, thread });
    match bootstrap::start(&to, &from, parcel, host, settings) {
        Ok(()) => {
            end.complaints.aloud();
            Ok(Attempt::Linked(Link { to, from, end }))
        }
        Err(Failure::Final(error)) => Err(error.into()),
        Err(Failure::Silent(_)) => {
            let seconds = ANSWER_MAX.as_secs();
            let text = format!("{host}: no answer of its shell within {seconds} s");
            Err(Error::new(Kind::Hosts, text).into())
        }
        Err(Failure::Ended(printed)) => {
            end.finish();
            let lines = end.complaints.last();
            match meaning(host, &typed(host, settings), &lines, &printed) {
                Refusal::Again(error) | Refusal::Final(error) => Err(error.into()),
            }
        }
    }
}

/// A pipe whose end of this number does not block, the other's does.
fn pipe(open: usize) -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    let (read, write) = (OwnedFd::from(read), OwnedFd::from(write));
    let _ = fcntl(&write, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    let ours = if open == 0 { read.as_fd() } else { write.as_fd() };
    fcntl(ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((read, write))
}

/// A connection to the first address of the host that takes one.
fn reach(host: &Host, config: &SshConfig) -> Result<TcpStream> {
    let (name, port) = (config.host_name(), config.port());
    let family = config.family();
    let addresses = (name, port).to_socket_addrs().map_err(|e| {
        let why = reason(&e);
        let why = why.trim_start_matches("failed to lookup address information: ");
        Error::new(Kind::Hosts, format!("{host}: cannot find the address of {name}: {why}"))
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
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(e) => last = format!("{host}: cannot connect to {address}: {}", reason(&e)),
        }
    }
    Err(Error::new(Kind::Hosts, last))
}

/// What the user's files know of the host.
fn known_hosts(config: &SshConfig) -> KnownHosts {
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
fn prefer(
    session: &Session,
    host: &Host,
    config: &SshConfig,
    known: &KnownHosts,
) -> std::result::Result<(), Trouble> {
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
) -> std::result::Result<(), Trouble> {
    // libssh2 leaves out what it does not know, and fails when nothing is left.
    session.method_pref(method, &wanted.join(",")).map_err(|e| {
        let text = format!("{host}: none of the configured algorithms is known: {}", e.message());
        Trouble::Unable("for its algorithms", Error::usage(text))
    })
}

/// Refuses a key that is not known to be the host's.
fn verify(
    session: &Session,
    host: &Host,
    settings: &Settings,
    config: &SshConfig,
    known: &KnownHosts,
) -> Result<()> {
    let (key, _) = session
        .host_key()
        .ok_or_else(|| Error::new(Kind::Hosts, format!("{host}: it shows no host key")))?;
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
    Err(Error::new(Kind::Hosts, format!("{host}: {text}")))
}

fn code(error: &::ssh2::Error) -> i32 {
    match error.code() {
        ErrorCode::Session(code) | ErrorCode::SFTP(code) => code,
    }
}

fn broken(host: &Host, error: &::ssh2::Error) -> Error {
    let text = match code(error) {
        TIMEOUT => format!("no answer within {} s", STEP_MAX.as_secs()),
        _ => format!("the connection failed: {}", error.message()),
    };
    Error::new(Kind::Hosts, format!("{host}: {text}"))
}

fn cannot(host: &Host, doing: &str, error: &io::Error) -> Error {
    Error::new(Kind::Hosts, format!("{host}: cannot {doing}: {}", reason(error)))
}

/// A session that a thread serves.
struct Carried {
    stream: TcpStream,
    complaints: Arc<Complaints>,
    why: Arc<Mutex<Option<String>>>,
    thread: JoinHandle<()>,
}

impl Carried {
    /// Waits a moment for the thread's last words.
    fn finish(&self) {
        let deadline = Instant::now() + END_MAX;
        while Instant::now() < deadline && !self.thread.is_finished() {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl End for Carried {
    fn cut(&self) {
        self.complaints.hush();
        // The thread wakes up, finds the connection dead, and ends the pipes.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn why(&self) -> Option<String> {
        self.finish();
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let early = || self.complaints.early().map(|line| format!("; earlier: {line}"));
        self.complaints.last().pop().or_else(|| Some(why? + &early().unwrap_or_default()))
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.cut();
    }
}
