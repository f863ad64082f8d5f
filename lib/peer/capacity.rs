//! What the threads that serve peers share: which connections there are, how many of them a peer may
//! have, and how many parts are sent at once.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::error::Result;
use crate::parallel::lock;
use crate::peer::stream::Stream;
use crate::peer::{PartFailure, connections_per_peer};
use crate::wire::BEAT_EVERY;
use crate::wire::message::Part;

/// How many parts a worker sends at once. Peers that ask for more wait, and hear beats.
pub(super) const SENDING_MAX: usize = 16;

/// Writes a part to the sink that it is given, in order. Many threads call it at once.
pub(crate) type SendPart =
    dyn Fn(&Part, &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> + Send + Sync;

/// What those that serve share.
pub(super) struct Capacity {
    pub(super) send: Arc<SendPart>,
    pub(super) sending: Sending,
    closed: AtomicBool,
    keys: Vec<Vec<u8>>,
    served: Mutex<Served>,
}

#[derive(Default)]
struct Served {
    last: u64,
    /// The connections that are served, each with the number of its peer.
    open: HashMap<u64, (usize, Arc<TcpStream>)>,
    threads: Vec<JoinHandle<()>>,
}

impl Capacity {
    /// For whoever shows one of `keys`; `send` is what they get.
    pub(super) fn new(keys: Vec<Vec<u8>>, send: Arc<SendPart>) -> Capacity {
        Capacity {
            send,
            sending: Sending::default(),
            closed: AtomicBool::new(false),
            keys,
            served: Mutex::default(),
        }
    }

    /// Whether whoever serves is to stop.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Takes in a connection that has shown the key of a peer, unless that has enough.
    pub(super) fn take(self: &Arc<Capacity>, stream: &Stream) -> Option<ServedConnection> {
        let shown = stream.public_key()?;
        let peer = self.keys.iter().position(|key| key == shown)?;
        let mut served = lock(&self.served);
        served.threads.retain(|thread| !thread.is_finished());
        // What it gave up may not have noticed yet.
        let most = 2 * connections_per_peer(self.keys.len());
        if served.open.values().filter(|(of, _)| *of == peer).count() >= most {
            return None;
        }
        served.last += 1;
        let number = served.last;
        served.open.insert(number, (peer, Arc::clone(stream.socket())));
        Some(ServedConnection { capacity: Arc::clone(self), number })
    }

    /// Remembers a thread that serves.
    pub(super) fn keep(&self, thread: JoinHandle<()>) {
        lock(&self.served).threads.push(thread);
    }

    /// Tells whoever serves to stop.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Hangs up on everybody; gives the threads that serve, to be waited for.
    pub(super) fn hang_up(&self) -> Vec<JoinHandle<()>> {
        let mut served = lock(&self.served);
        for (_, socket) in served.open.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        std::mem::take(&mut served.threads)
    }
}

/// A connection that is served.
pub(super) struct ServedConnection {
    pub(super) capacity: Arc<Capacity>,
    number: u64,
}

impl Drop for ServedConnection {
    fn drop(&mut self) {
        lock(&self.capacity.served).open.remove(&self.number);
    }
}

/// How many parts are being sent.
#[derive(Debug, Default)]
pub(super) struct Sending {
    count: Mutex<usize>,
    changed: Condvar,
}

/// One part that is being sent.
pub(super) struct Begun<'a>(&'a Sending);

impl Sending {
    /// Waits until one more may be sent; meanwhile `beat` is called again and again.
    pub(super) fn begin(
        &self,
        beat: &mut dyn FnMut() -> std::result::Result<(), PartFailure>,
    ) -> std::result::Result<Begun<'_>, PartFailure> {
        let mut count = lock(&self.count);
        loop {
            if *count < SENDING_MAX {
                *count += 1;
                return Ok(Begun(self));
            }
            let waited = self.changed.wait_timeout(count, BEAT_EVERY);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            count = now;
            if timeout.timed_out() {
                drop(count);
                beat()?;
                count = lock(&self.count);
            }
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        *lock(&self.0.count) -= 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_to_wait_hears_beats() {
        let sending = Sending::default();
        let mut never = || -> std::result::Result<(), PartFailure> { panic!("no need to wait") };
        let begun: Vec<Begun<'_>> =
            (0..SENDING_MAX).map(|_| sending.begin(&mut never).unwrap()).collect();
        let mut beats = 0;
        let mut beat = || {
            beats += 1;
            Err(PartFailure::Stopped)
        };
        assert!(sending.begin(&mut beat).is_err() && beats == 1);
        drop(begun);
        assert!(sending.begin(&mut never).is_ok());
    }
}
