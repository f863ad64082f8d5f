//! Where connections come in: one thread that shakes hands with whoever connects, many at once, and
//! lets in who proves to be a peer.
//!
//! Strangers get no byte but those of the handshake, no thread, and a bounded number of sockets for a
//! bounded time. When there are too many of them, one has to go where the most come from, and first
//! of those who have said nothing: a peer speaks at once.

use std::collections::HashMap;
use std::io::{ErrorKind, PipeReader};
use std::net::{IpAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::ServerConfig;

use crate::peer::stream::{HandshakeProgress, Stream};
use crate::peer::{HANDSHAKE_WAIT, TICK};

/// How many connections may be there that have not proved whose they are.
pub(super) const HANDSHAKES_MAX: usize = 128;

/// How many connections are taken before those that are there are looked at.
const ACCEPTS: usize = 32;

/// How long no connection is taken after the system could hold no more.
const ACCEPT_PAUSE: Duration = TICK;

/// The listening socket, once peers are known.
pub(super) struct Acceptor {
    pub(super) socket: TcpListener,
    pub(super) config: Arc<ServerConfig>,
    /// Its other end is closed when nobody is to be let in any more.
    pub(super) wake: PipeReader,
}

struct Handshake {
    stream: Stream,
    from: IpAddr,
    since: Instant,
    waits: PollFlags,
}

impl Acceptor {
    /// Hands every connection of a peer to `admit`, until the pipe is closed.
    pub(super) fn watch(self, admit: impl Fn(Stream)) {
        let mut handshakes: Vec<Handshake> = Vec::new();
        while let Some(ready) = self.wait(&handshakes) {
            let mut ready = ready.into_iter();
            let connected = ready.next().unwrap_or(false);
            let all = handshakes.drain(..).zip(ready);
            let stay = all.filter_map(|(handshake, ready)| match ready {
                true => proceed(handshake, &admit),
                false => Some(handshake),
            });
            handshakes = stay.filter(|one| one.since.elapsed() < HANDSHAKE_WAIT).collect();
            if connected {
                self.accept(&mut handshakes);
            }
        }
    }

    /// Waits for something to do: whether somebody connected, and which handshakes can go on. None
    /// when this is the end.
    fn wait(&self, handshakes: &[Handshake]) -> Option<Vec<bool>> {
        let mut fds = vec![
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
        ];
        let waiting = handshakes.iter().map(|one| (one.stream.socket().as_fd(), one.waits));
        fds.extend(waiting.map(|(socket, waits)| PollFd::new(socket, waits)));
        let timeout = match handshakes.is_empty() {
            true => PollTimeout::NONE,
            false => PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO),
        };
        match poll(&mut fds, timeout) {
            Ok(_) => {
                let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(true));
                let end = ready.next().unwrap_or(true);
                (!end).then(|| ready.collect())
            }
            Err(Errno::EINTR) => Some(vec![false; 1 + handshakes.len()]),
            Err(_) => None,
        }
    }

    fn accept(&self, handshakes: &mut Vec<Handshake>) {
        for _ in 0..ACCEPTS {
            let (socket, from) = match self.socket.accept() {
                Ok((socket, from)) => (socket, from.ip()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if matches!(e.raw_os_error(), Some(code) if is_shortage(code)) => {
                    std::thread::sleep(ACCEPT_PAUSE);
                    return;
                }
                // Somebody who has gone again.
                Err(_) => continue,
            };
            if handshakes.len() >= HANDSHAKES_MAX {
                drop_one(handshakes);
            }
            if let Ok(stream) = Stream::accepted(socket, Arc::clone(&self.config)) {
                let (since, waits) = (Instant::now(), PollFlags::POLLIN);
                handshakes.push(Handshake { stream, from, since, waits });
            }
        }
    }
}

fn is_shortage(code: i32) -> bool {
    [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM].contains(&Errno::from_raw(code))
}

/// Goes on with a handshake: what is left of it, until it is over.
fn proceed(mut handshake: Handshake, admit: &impl Fn(Stream)) -> Option<Handshake> {
    match handshake.stream.handshake() {
        Ok(HandshakeProgress::Waits(waits)) => Some(Handshake { waits, ..handshake }),
        Ok(HandshakeProgress::Done) => {
            admit(handshake.stream);
            None
        }
        // It is told nothing: it is no peer.
        Err(_) => None,
    }
}

/// Hangs up on one that has not proved whose it is.
fn drop_one(handshakes: &mut Vec<Handshake>) {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for one in handshakes.iter() {
        *counts.entry(one.from).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or(0);
    let crowd = |one: &Handshake| counts.get(&one.from) == Some(&most);
    let silent = handshakes.iter().position(|one| crowd(one) && one.stream.came() == 0);
    if let Some(one) = silent.or_else(|| handshakes.iter().position(crowd)) {
        handshakes.remove(one);
    }
}
