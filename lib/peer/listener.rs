//! The listening side of a worker: its socket, and the peers that it serves.

use std::collections::HashMap;
use std::io::{self, PipeWriter};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::error::{Error, Kind, Result, reason};
use crate::parallel::lock;
use crate::peer::acceptor::Acceptor;
use crate::peer::attend::{self, Sending};
use crate::peer::stream::Stream;
use crate::peer::{Identity, lanes, pinned};
use crate::wire::exchange::Peer;
use crate::wire::message::Part;

/// Writes a part to the sink that it is given, in order. Many threads call it at once.
pub(crate) type SendPart =
    dyn Fn(&Part, &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> + Send + Sync;

/// Listens, from when it is opened until it is closed or dropped; nothing of it is left then.
pub(crate) struct Listener {
    identity: Identity,
    address: SocketAddr,
    state: Mutex<ListenerState>,
}

enum ListenerState {
    /// Whoever knocks waits.
    Bound(TcpListener),
    Serving(Serving),
    Closed,
}

struct Serving {
    room: Arc<Capacity>,
    door: JoinHandle<()>,
    /// Tells the thread at the door when it is closed.
    wake: PipeWriter,
}

/// What those that serve share.
pub(super) struct Capacity {
    pub(super) send: Arc<SendPart>,
    pub(super) sending: Sending,
    closed: AtomicBool,
    certificates: Vec<Vec<u8>>,
    served: Mutex<Served>,
}

#[derive(Default)]
struct Served {
    last: u64,
    /// The connections that are served, each with the number of its peer.
    open: HashMap<u64, (usize, Arc<TcpStream>)>,
    threads: Vec<JoinHandle<()>>,
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
        Err(Error::new(Kind::Hosts, format!("no address to listen on for its peers: {why}")))
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
        let certificates: Vec<Vec<u8>> = peers.iter().map(|p| p.certificate.0.clone()).collect();
        let known = certificates.iter().map(Vec::as_slice);
        let config = pinned::listening(&self.identity, known)?;
        let mut state = lock(&self.state);
        let socket = match std::mem::replace(&mut *state, ListenerState::Closed) {
            ListenerState::Bound(socket) => socket,
            other => {
                *state = other;
                return Err(Error::usage("this worker does not wait for its peers"));
            }
        };
        let room = Arc::new(Capacity {
            send,
            sending: Sending::default(),
            closed: AtomicBool::new(false),
            certificates,
            served: Mutex::default(),
        });
        let (end, wake) = io::pipe().map_err(|e| failed(&e))?;
        let door = Acceptor { socket, config, wake: end };
        let inside = Arc::clone(&room);
        let door = thread::Builder::new()
            .name("door".into())
            .spawn(move || door.watch(|stream| admit(&inside, stream)))
            .map_err(|e| failed(&e))?;
        *state = ListenerState::Serving(Serving { room, door, wake });
        Ok(())
    }

    /// Hangs up on everybody, and waits until no socket and no thread of it is left.
    pub(crate) fn close(&self) {
        let state = std::mem::replace(&mut *lock(&self.state), ListenerState::Closed);
        let ListenerState::Serving(Serving { room, door, wake }) = state else { return };
        room.closed.store(true, Ordering::SeqCst);
        drop(wake);
        // Nobody comes in behind it.
        let _ = door.join();
        let threads = {
            let mut served = lock(&room.served);
            for (_, socket) in served.open.values() {
                let _ = socket.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut served.threads)
        };
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

impl Capacity {
    /// Whether whoever serves is to stop.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Serves a connection that has shown the certificate of a peer.
fn admit(room: &Arc<Capacity>, stream: Stream) {
    let known = stream.certificate().and_then(|shown| {
        let mut certificates = room.certificates.iter();
        certificates.position(|certificate| certificate == shown)
    });
    let Some(peer) = known else { return };
    let mut served = lock(&room.served);
    served.threads.retain(|thread| !thread.is_finished());
    // What it gave up may not have noticed yet.
    let most = 2 * lanes(room.certificates.len());
    if served.open.values().filter(|(of, _)| *of == peer).count() >= most {
        return;
    }
    served.last += 1;
    let number = served.last;
    served.open.insert(number, (peer, Arc::clone(stream.socket())));
    drop(served);
    let lease = Lease { room: Arc::clone(room), number };
    let work = move || {
        let lease = lease;
        attend::attend(stream, &lease.room);
    };
    // Without a thread for it the connection is dropped, and its lease.
    let spawned = thread::Builder::new().name("peer".into()).spawn(work);
    if let Ok(thread) = spawned {
        lock(&room.served).threads.push(thread);
    }
}

/// A connection that is served.
struct Lease {
    room: Arc<Capacity>,
    number: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.room.served).open.remove(&self.number);
    }
}

fn failed(error: &io::Error) -> Error {
    Error::new(Kind::Hosts, format!("cannot serve its peers: {}", reason(error)))
}
