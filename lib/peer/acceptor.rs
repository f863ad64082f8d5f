//! Where connections come in: one thread that greets whoever knocks, many at once, and lets in who
//! proves to be a peer.
//!
//! Strangers get no byte but those of the greeting, no thread, and a bounded number of sockets for a
//! bounded time. When there are too many of them, room is made where the most come from, and first
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

use crate::peer::stream::{Greeting, Stream};
use crate::peer::{GREETING_WAIT, TICK};

/// How many connections may be there that have not proved whose they are.
pub(super) const GUESTS_MAX: usize = 128;

/// How many connections are taken before those that are there are looked at.
const ACCEPTS: usize = 32;

/// How long no connection is taken after the system had no room for one.
const SORE: Duration = TICK;

/// The door.
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
        let mut guests: Vec<Handshake> = Vec::new();
        while let Some(ready) = self.wait(&guests) {
            let mut ready = ready.into_iter();
            let knocked = ready.next().unwrap_or(false);
            let all = guests.drain(..).zip(ready);
            let stay = all.filter_map(|(guest, ready)| match ready {
                true => greet(guest, &admit),
                false => Some(guest),
            });
            let stay = stay.filter(|guest| guest.since.elapsed() < GREETING_WAIT).collect();
            guests = stay;
            if knocked {
                self.accept(&mut guests);
            }
        }
    }

    /// Waits for something to do: whether somebody knocked, and which guests can go on. None when
    /// this is the end.
    fn wait(&self, guests: &[Handshake]) -> Option<Vec<bool>> {
        let mut fds = vec![
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
        ];
        let waiting = guests.iter().map(|guest| (guest.stream.socket().as_fd(), guest.waits));
        fds.extend(waiting.map(|(socket, waits)| PollFd::new(socket, waits)));
        let timeout = match guests.is_empty() {
            true => PollTimeout::NONE,
            false => PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO),
        };
        match poll(&mut fds, timeout) {
            Ok(_) => {
                let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(true));
                let end = ready.next().unwrap_or(true);
                (!end).then(|| ready.collect())
            }
            Err(Errno::EINTR) => Some(vec![false; 1 + guests.len()]),
            Err(_) => None,
        }
    }

    fn accept(&self, guests: &mut Vec<Handshake>) {
        for _ in 0..ACCEPTS {
            let (socket, from) = match self.socket.accept() {
                Ok((socket, from)) => (socket, from.ip()),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if matches!(e.raw_os_error(), Some(code) if is_shortage(code)) => {
                    std::thread::sleep(SORE);
                    return;
                }
                // Somebody who has gone again.
                Err(_) => continue,
            };
            if guests.len() >= GUESTS_MAX {
                make_room(guests);
            }
            if let Ok(stream) = Stream::accepted(socket, Arc::clone(&self.config)) {
                let (since, waits) = (Instant::now(), PollFlags::POLLIN);
                guests.push(Handshake { stream, from, since, waits });
            }
        }
    }
}

fn is_shortage(code: i32) -> bool {
    [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM].contains(&Errno::from_raw(code))
}

/// Goes on with a greeting: the guest, if it stays one.
fn greet(mut guest: Handshake, admit: &impl Fn(Stream)) -> Option<Handshake> {
    match guest.stream.greet() {
        Ok(Greeting::Waits(waits)) => Some(Handshake { waits, ..guest }),
        Ok(Greeting::Over) => {
            admit(guest.stream);
            None
        }
        // It is told nothing: it is no peer.
        Err(_) => None,
    }
}

/// Sends one guest away.
fn make_room(guests: &mut Vec<Handshake>) {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for guest in guests.iter() {
        *counts.entry(guest.from).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or(0);
    let crowd = |guest: &Handshake| counts.get(&guest.from) == Some(&most);
    let silent = guests.iter().position(|guest| crowd(guest) && guest.stream.came() == 0);
    if let Some(one) = silent.or_else(|| guests.iter().position(crowd)) {
        guests.remove(one);
    }
}
