//! The listening side of a worker: its socket, and the peers that it serves.

use std::io::{self, PipeWriter};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::error::{Error, ErrorKind, Result, reason};
use crate::parallel::lock;
use crate::peer::acceptor::Acceptor;
use crate::peer::attend;
use crate::peer::capacity::{Capacity, SendPart};
use crate::peer::stream::Stream;
use crate::peer::{Identity, pinned};
use crate::wire::exchange::Peer;

/// Listens, from when it is opened until it is closed or dropped; nothing of it is left then.
pub(crate) struct Listener {
    identity: Identity,
    address: SocketAddr,
    state: Mutex<ListenerState>,
}

enum ListenerState {
    /// Whoever connects waits.
    Bound(TcpListener),
    Serving(Serving),
    Closed,
}

struct Serving {
    capacity: Arc<Capacity>,
    acceptor: JoinHandle<()>,
    /// Tells that thread when nobody is to be let in any more.
    wake: PipeWriter,
}

impl Listener {
    /// Listens on the first of `addresses` that can be listened on. Nobody is spoken with yet.
    ///
    /// # Errors
    /// `Hosts` when there is none.
    pub(crate) fn open(identity: &Identity, addresses: &[IpAddr]) -> Result<Listener> {
        let mut reasons = Vec::new();
        for address in addresses {
            let bound = TcpListener::bind((*address, 0)).and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok((socket.local_addr()?, socket))
            });
            match bound {
                Ok((address, socket)) => {
                    let state = Mutex::new(ListenerState::Bound(socket));
                    let identity = identity.clone();
                    return Ok(Listener { identity, address, state });
                }
                Err(e) => reasons.push(format!("{address}: {}", reason(&e))),
            }
        }
        let why = reasons.join("; ");
        Err(Error::new(ErrorKind::Hosts, format!("no address to listen on for its peers: {why}")))
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> Vec<String> {
        vec![self.address.to_string()]
    }

    /// Sends parts to `peers`, and to nobody else, from now on.
    ///
    /// # Errors
    /// `Hosts` when there are no threads, descriptors or random bytes for it, `Usage` when it
    /// serves or was closed.
    pub(crate) fn serve(&self, peers: &[Peer], send: Arc<SendPart>) -> Result<()> {
        let keys: Vec<Vec<u8>> = peers.iter().map(|peer| peer.public_key.0.clone()).collect();
        let config = pinned::listening(&self.identity, keys.clone())?;
        let mut state = lock(&self.state);
        let socket = match std::mem::replace(&mut *state, ListenerState::Closed) {
            ListenerState::Bound(socket) => socket,
            other => {
                *state = other;
                return Err(Error::usage("this worker does not wait for its peers"));
            }
        };
        let capacity = Arc::new(Capacity::new(keys, send));
        let (end, wake) = io::pipe().map_err(|e| failed(&e))?;
        let acceptor = Acceptor { socket, config, wake: end };
        let shared = Arc::clone(&capacity);
        let acceptor = thread::Builder::new()
            .name("acceptor".into())
            .spawn(move || acceptor.watch(|stream| admit(&shared, stream)))
            .map_err(|e| failed(&e))?;
        *state = ListenerState::Serving(Serving { capacity, acceptor, wake });
        Ok(())
    }

    /// Hangs up on everybody, and waits until no socket and no thread of it is left.
    pub(crate) fn close(&self) {
        let state = std::mem::replace(&mut *lock(&self.state), ListenerState::Closed);
        let ListenerState::Serving(Serving { capacity, acceptor, wake }) = state else { return };
        capacity.close();
        drop(wake);
        // Nobody comes in behind it.
        let _ = acceptor.join();
        let threads = capacity.hang_up();
        // Whoever serves may be the last to let go of this.
        let own = thread::current().id();
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != own) {
            let _ = thread.join();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

/// Serves a connection that has shown the key of a peer.
fn admit(capacity: &Arc<Capacity>, stream: Stream) {
    let Some(served) = capacity.take(&stream) else { return };
    let work = move || {
        let served = served;
        attend::attend(stream, &served.capacity);
    };
    // Without a thread for it the connection is dropped, and is served no more.
    let spawned = thread::Builder::new().name("peer".into()).spawn(work);
    if let Ok(thread) = spawned {
        capacity.keep(thread);
    }
}

fn failed(error: &io::Error) -> Error {
    Error::new(ErrorKind::Hosts, format!("cannot serve its peers: {}", reason(error)))
}
