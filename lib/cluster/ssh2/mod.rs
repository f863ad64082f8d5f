//! libssh2 as what carries a link: one connection, one session, one command.
//!
//! It serves what most hosts need; for the rest it says why it cannot, and the ssh program can. It
//! never asks, and never trusts a key that is not known.

pub(crate) mod config;

mod acquaintance;
mod key_file;
pub(crate) mod known_hosts;
mod login;
mod pump;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ::ssh2::{Channel, ErrorCode, Session};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::cluster::bootstrap::{self, ANSWER_MAX, BootstrapFailure};
use crate::cluster::complaints::Complaints;
use crate::cluster::patience::Patience;
use crate::cluster::program::typed;
use crate::cluster::ssh_failure::{SshFailure, broke, denied, meaning};
use crate::cluster::ssh2::acquaintance::{known_hosts, prefer, reach, verify};
use crate::cluster::ssh2::config::SshConfig;
use crate::cluster::ssh2::login::{LoginFailure, is_gone};
use crate::cluster::ssh2::pump::{Pump, PumpEnd};
use crate::cluster::{Carrier, Host, Link, Settings};
use crate::error::{Error, ErrorKind, reason};
use crate::parallel::lock;

/// How long a connection, and then each step of a login, may take.
const STEP_MAX: Duration = Duration::from_secs(10);

/// How much a pipe between the link and the session holds.
const PIPE_BYTES: i32 = 256 * 1024;

/// How long the thread of a link whose streams have ended may take to say why.
const END_MAX: Duration = Duration::from_secs(1);

/// libssh2's words for a connection that ended before it was one.
const BUSY: [i32; 4] = [-2, -7, -13, -43];

/// libssh2's word for a step that took too long.
const TIMEOUT: i32 = -9;

/// Why there is no link.
pub(super) enum RoadFailure {
    /// Nothing more can be done, but by the user.
    Final(Error),
    /// The ssh program may be able to do what libssh2 cannot; the error where there is none.
    Unable(&'static str, Error),
}

/// What one attempt came to.
enum Attempt {
    Linked(Link),
    Again(Error),
    /// It came to this, and the connection is gone: whether that broke, or the host has had enough,
    /// a second attempt shows.
    Gone(RoadFailure),
}

impl From<Error> for RoadFailure {
    fn from(error: Error) -> RoadFailure {
        RoadFailure::Final(error)
    }
}

/// Starts a worker on `host` through libssh2.
///
/// # Errors
/// [`RoadFailure`].
pub(super) fn connect(
    host: &Host,
    settings: &Settings,
    config: &SshConfig,
) -> std::result::Result<Link, RoadFailure> {
    let (mut patience, mut was_gone) = (Patience::new(), false);
    loop {
        match attempt(host, settings, config)? {
            Attempt::Linked(link) => return Ok(link),
            Attempt::Gone(failure) if was_gone || !patience.wait() => return Err(failure),
            Attempt::Gone(RoadFailure::Unable(_, why) | RoadFailure::Final(why)) => {
                was_gone = true;
                (settings.explain)(&format!("{why}; the connection is gone; tries again"));
            }
            Attempt::Again(error) if !patience.wait() => return Err(RoadFailure::Final(error)),
            Attempt::Again(error) => (settings.explain)(&format!("{error}; tries again")),
        }
    }
}

fn attempt(
    host: &Host,
    settings: &Settings,
    config: &SshConfig,
) -> std::result::Result<Attempt, RoadFailure> {
    let known = known_hosts(config);
    if known.has_authority() {
        let text = format!("{host}: an authority signs its host key, which ssh2 cannot check");
        let error = Error::usage(text);
        return Err(RoadFailure::Unable("for the authority that signs its key", error));
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
                Ok(Attempt::Again(Error::new(ErrorKind::Hosts, text)))
            }
            TIMEOUT => Err(broken(host, &e).into()),
            _ => gone_or(&stream, RoadFailure::Unable("for its algorithms", broken(host, &e))),
        };
    }
    verify(&session, host, settings, config, &known)?;
    match login::log_in(&session, config, settings.agent.as_deref()) {
        Ok(()) => {}
        Err(LoginFailure::Gone(e)) => return lost(host, &e),
        Err(LoginFailure::Denied { ways, locked }) => {
            let error = Error::refusal(format!("{host}: {}", denied(&ways, &locked)));
            // The program asks for no passphrase either, but has other ways than keys.
            let has_other = ["gssapi", "hostbased"].iter().any(|way| ways.contains(way));
            let failure = match locked.is_empty() || has_other {
                true => RoadFailure::Unable("for another way to log in", error),
                false => RoadFailure::Final(error),
            };
            return gone_or(&stream, failure);
        }
    }
    let opened = session.channel_session().and_then(|mut channel| {
        channel.exec("/bin/sh")?;
        Ok(channel)
    });
    match opened {
        Ok(channel) => start(host, settings, (session, channel, stream)),
        Err(e) => lost(host, &e),
    }
}

/// What an attempt came to that ends with `failure`.
fn gone_or(stream: &TcpStream, failure: RoadFailure) -> std::result::Result<Attempt, RoadFailure> {
    let is_gone = match stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0])) {
        Ok(read) => read == 0,
        Err(e) => e.kind() != io::ErrorKind::WouldBlock,
    };
    if is_gone { Ok(Attempt::Gone(failure)) } else { Err(failure) }
}

/// What follows when a step of a login fails with `error`: another try where the connection broke.
fn lost(host: &Host, error: &::ssh2::Error) -> std::result::Result<Attempt, RoadFailure> {
    match code(error) != TIMEOUT && is_gone(error) {
        true => Ok(Attempt::Again(broke(host, &format!(" ({})", error.message())))),
        false => Err(broken(host, error).into()),
    }
}

/// Hands the session to a thread of its own, and makes its shell the worker.
fn start(
    host: &Host,
    settings: &Settings,
    (session, channel, stream): (Session, Channel, TcpStream),
) -> std::result::Result<Attempt, RoadFailure> {
    session.set_blocking(false);
    let complaints = Complaints::new(host.to_string(), settings);
    let failed = |e: io::Error| RoadFailure::Final(cannot(host, "make a pipe", &e));
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
    let thread = thread::Builder::new().spawn(move || pump.run());
    let thread =
        thread.map_err(|e| RoadFailure::Final(Error::io("start", "a thread", &e).at(host)))?;
    let end = Arc::new(Carried { stream, complaints, why, thread });
    match bootstrap::start(&to, &from, host, settings) {
        Ok(()) => {
            end.complaints.aloud();
            Ok(Attempt::Linked(Link { to, from, end }))
        }
        Err(BootstrapFailure::Final(error)) => Err(error.into()),
        Err(BootstrapFailure::Silent(_)) => {
            let seconds = ANSWER_MAX.as_secs();
            let text = format!("{host}: no answer of its shell within {seconds} s");
            Err(Error::new(ErrorKind::Hosts, text).into())
        }
        Err(BootstrapFailure::Ended(printed)) => {
            end.finish();
            let lines = end.complaints.last();
            let by_itself = matches!(*lock(&end.why), Some(PumpEnd::Exited(_)));
            match meaning(host, &typed(host, settings), &lines, &printed, by_itself) {
                SshFailure::Again(error) => Ok(Attempt::Again(error)),
                SshFailure::Final(error) => Err(error.into()),
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
    Error::new(ErrorKind::Hosts, format!("{host}: {text}"))
}

fn cannot(host: &Host, doing: &str, error: &io::Error) -> Error {
    Error::new(ErrorKind::Hosts, format!("{host}: cannot {doing}: {}", reason(error)))
}

/// A session that a thread serves.
struct Carried {
    stream: TcpStream,
    complaints: Arc<Complaints>,
    why: Arc<Mutex<Option<PumpEnd>>>,
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

impl Carrier for Carried {
    fn cut(&self) {
        self.complaints.hush();
        // The thread wakes up, finds the connection dead, and ends the pipes.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn why(&self) -> Option<String> {
        self.finish();
        let why = lock(&self.why).as_ref().and_then(PumpEnd::words);
        let early = || self.complaints.early().map(|line| format!("; earlier: {line}"));
        self.complaints.last().pop().or_else(|| Some(why? + &early().unwrap_or_default()))
    }

    fn road(&self) -> &'static str {
        "ssh2"
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.cut();
    }
}
