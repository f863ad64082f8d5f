//! The dialling side of a worker: connections to its peers, kept from one part to the next.
//!
//! A road that broke is not tried again: the caller has another one, and waiting again and again
//! for a peer behind a firewall would make that one no faster.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result, reason};
use crate::parallel::lock;
use crate::peer::stream::{HandshakeProgress, Stream, WaitLimits, wait_for};
use crate::peer::{
    HANDSHAKE_WAIT, Identity, PartFailure, TICK, connections_per_peer, pinned, road,
};
use crate::wire::SILENCE_MAX;
use crate::wire::exchange::Peer;
use crate::wire::exchange::too_much;
use crate::wire::frame::{Frame, FrameKind, broken};
use crate::wire::message::{self, Failed, Part};

/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

/// How many addresses of a peer are tried.
const ADDRESSES_MAX: usize = 4;

/// How long is waited for peers that cannot be reached, all of them together: behind a firewall that
/// says nothing are mostly all or none.
const VAIN_MAX: Duration = Duration::from_secs(9);

/// How long a peer may send nothing but signs of life: it may have others to send to first.
const TURN_MAX: Duration = SILENCE_MAX.saturating_mul(5);

/// How much comes over a connection before it is replaced: well below what one key of a cipher may
/// protect.
const CONNECTION_BYTES: u64 = 1 << 36;

type Outcome<T> = std::result::Result<T, PartFailure>;

/// The peers of a worker, as it asks them for parts.
pub(crate) struct PeerSet {
    identity: Identity,
    /// How many connections there may be to one of them.
    per_peer: usize,
    state: Mutex<DialState>,
    changed: Condvar,
}

#[derive(Default)]
struct DialState {
    routes: HashMap<String, Route>,
    /// How long was waited for peers that could not be reached.
    vain: Duration,
}

/// The route to one peer.
struct Route {
    peer: Peer,
    /// How many connections there are, and how many of them nobody uses.
    open: usize,
    idle: Vec<PeerConnection>,
    /// Whether one has been there.
    reached: bool,
    /// Why there will be none any more.
    broken: Option<String>,
    /// How many more bytes of parts may come.
    left: u64,
}

/// A connection, and the number of its last question.
struct PeerConnection {
    stream: Stream,
    asked: u32,
}

impl PeerSet {
    /// Those that `identity` asks. No connection is made yet.
    ///
    /// # Errors
    /// `Usage` when two have the same name.
    pub(crate) fn new(identity: &Identity, peers: Vec<Peer>) -> Result<PeerSet> {
        let (per_peer, count) = (connections_per_peer(peers.len()), peers.len());
        let routes = peers.into_iter().map(|peer| {
            let (name, left) = (peer.name.clone(), peer.most);
            (name, Route { peer, open: 0, idle: Vec::new(), reached: false, broken: None, left })
        });
        let state = DialState { routes: routes.collect(), vain: Duration::ZERO };
        if state.routes.len() < count {
            return Err(Error::usage("two workers of an exchange have the same name"));
        }
        Ok(PeerSet {
            identity: identity.clone(),
            per_peer,
            state: Mutex::new(state),
            changed: Condvar::new(),
        })
    }

    /// Hands all of `part` of `peer` to `take`, in order.
    ///
    /// `take` must not wait for another part, of whatever peer: connections are few. `stop` is
    /// looked at several times a second.
    ///
    /// # Errors
    /// Why it did not come, or not whole: what was taken of it counts for nothing then. Of a peer
    /// that sends more than all that it has, nothing more is taken.
    pub(crate) fn part(
        &self,
        peer: &str,
        part: &Part,
        stop: &dyn Fn() -> bool,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Outcome<()> {
        let result = self.try_part(peer, part, stop, take);
        result.map_err(|failure| match failure {
            PartFailure::Road(e) => PartFailure::Road(e.at(peer)),
            PartFailure::Failed(e) => PartFailure::Failed(e),
            PartFailure::Stopped => PartFailure::Stopped,
        })
    }

    fn try_part(
        &self,
        peer: &str,
        part: &Part,
        stop: &dyn Fn() -> bool,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Outcome<()> {
        let mut connection = self.connection(peer, stop)?;
        let mut came = 0;
        let mut counted = |bytes: &[u8]| {
            let count = bytes.len() as u64;
            self.allow(peer, count)?;
            came += count;
            take(bytes)
        };
        let (whole, result) = connection.fetch(part, stop, &mut counted);
        let whole = whole && connection.stream.came() < CONNECTION_BYTES;
        connection.stream.rest();
        let mut state = self.state();
        if let Some(route) = state.routes.get_mut(peer) {
            if result.is_err() {
                route.left += came;
            }
            match &result {
                Err(PartFailure::Road(e)) => route.give_up(e),
                _ if whole && route.broken.is_none() => route.idle.push(connection),
                _ => route.open -= 1,
            }
        }
        drop(state);
        self.changed.notify_all();
        result
    }

    /// Counts so many bytes of `peer`, if that many may come.
    fn allow(&self, peer: &str, bytes: u64) -> Result<()> {
        let mut state = self.state();
        let route = state.routes.get_mut(peer);
        let left = route.and_then(|route| Some((route.left.checked_sub(bytes)?, route)));
        let (left, route) = left.ok_or_else(too_much)?;
        route.left = left;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, DialState> {
        lock(&self.state)
    }

    /// A connection to `peer`: one that is there, or a new one.
    fn connection(&self, peer: &str, stop: &dyn Fn() -> bool) -> Outcome<PeerConnection> {
        let mut state = self.state();
        let to = loop {
            let in_vain = state.vain >= VAIN_MAX;
            let Some(route) = state.routes.get_mut(peer) else { return Err(road("no such peer")) };
            if let Some(why) = &route.broken {
                return Err(road(why));
            }
            if let Some(connection) = route.idle.pop() {
                return Ok(connection);
            }
            // Until one is there, nobody else dials too.
            if route.open < if route.reached { self.per_peer } else { 1 } {
                if in_vain && !route.reached {
                    let error = Error::new(ErrorKind::Hosts, "others could not be reached either");
                    route.give_up(&error);
                    continue;
                }
                route.open += 1;
                break route.peer.clone();
            }
            let waited = self.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if stop() {
                return Err(PartFailure::Stopped);
            }
        };
        drop(state);
        let since = Instant::now();
        let dialled = dial(&self.identity, &to, stop);
        let mut state = self.state();
        if dialled.is_err() {
            state.vain += since.elapsed();
        }
        if let Some(route) = state.routes.get_mut(peer) {
            match &dialled {
                Ok(_) => route.reached = true,
                Err(PartFailure::Road(e)) => route.give_up(e),
                Err(_) => route.open -= 1,
            }
        }
        drop(state);
        self.changed.notify_all();
        dialled.map(|stream| PeerConnection { stream, asked: 0 })
    }
}

impl Route {
    /// There will be no more connections.
    fn give_up(&mut self, error: &Error) {
        self.broken.get_or_insert_with(|| error.to_string());
        self.idle.clear();
    }
}

impl PeerConnection {
    /// Fetches a part, and says whether the connection is good for another one.
    fn fetch(
        &mut self,
        part: &Part,
        stop: &dyn Fn() -> bool,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> (bool, Outcome<()>) {
        match self.receive(part, stop, take) {
            Ok(None) => (true, Ok(())),
            Ok(Some(failed)) => (true, Err(PartFailure::Failed(failed.error()))),
            Err(failure) => (false, Err(failure)),
        }
    }

    /// Asks for a part and takes it; what the peer says when it has failed.
    fn receive(
        &mut self,
        part: &Part,
        stop: &dyn Fn() -> bool,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Outcome<Option<Failed>> {
        let limits = WaitLimits { stop, silence: Some(SILENCE_MAX) };
        self.asked = self.asked.wrapping_add(1);
        let mut question = Vec::new();
        let payload = message::encode(part);
        Frame { kind: FrameKind::Control, request: self.asked, payload: &payload }
            .encode(&mut question)
            .map_err(PartFailure::Failed)?;
        self.stream.send(&question, &limits)?;
        let mut since = Instant::now();
        loop {
            while let Some(frame) = self.stream.frame().map_err(PartFailure::Road)? {
                match frame.kind {
                    FrameKind::Beat if since.elapsed() > TURN_MAX => {
                        let seconds = since.elapsed().as_secs();
                        return Err(road(format!("only signs of life came for {seconds} s")));
                    }
                    FrameKind::Beat => continue,
                    _ if frame.request != self.asked => {
                        return Err(PartFailure::Road(broken("an answer to another question")));
                    }
                    // It would be no sign of life, and come for ever.
                    FrameKind::Data if frame.payload.is_empty() => {
                        return Err(PartFailure::Road(broken("data without a byte")));
                    }
                    FrameKind::Data => take(frame.payload).map_err(PartFailure::Failed)?,
                    FrameKind::End => return Ok(None),
                    FrameKind::Control => {
                        return message::decode(frame.payload).map(Some).map_err(PartFailure::Road);
                    }
                    FrameKind::Credit | FrameKind::Packed => {
                        return Err(PartFailure::Road(broken("a credit, or packed data")));
                    }
                }
                since = Instant::now();
            }
            if !self.stream.fill(&limits)? {
                return Err(road("it hung up in the middle of a part"));
            }
        }
    }
}

/// Makes a connection to `peer`, whose key it is that counts.
fn dial(identity: &Identity, peer: &Peer, stop: &dyn Fn() -> bool) -> Outcome<Stream> {
    let mut reasons = Vec::new();
    for text in peer.addresses.iter().take(ADDRESSES_MAX) {
        if stop() {
            return Err(PartFailure::Stopped);
        }
        let Ok(address) = text.parse::<SocketAddr>() else {
            return Err(road(format!("{text} is no address")));
        };
        match TcpStream::connect_timeout(&address, CONNECT_WAIT) {
            Err(e) => reasons.push(format!("{address}: {}", reason(&e))),
            Ok(socket) => match handshake(identity, peer, socket, address, stop) {
                Ok(stream) => return Ok(stream),
                Err(PartFailure::Road(e)) => reasons.push(format!("{address}: {e}")),
                Err(other) => return Err(other),
            },
        }
    }
    Err(road(format!("cannot be reached: {}", reasons.join("; "))))
}

fn handshake(
    identity: &Identity,
    peer: &Peer,
    socket: TcpStream,
    address: SocketAddr,
    stop: &dyn Fn() -> bool,
) -> Outcome<Stream> {
    let config = pinned::dialling(identity, &peer.public_key.0).map_err(PartFailure::Road)?;
    let mut stream = Stream::dialled(socket, config, address.ip()).map_err(PartFailure::Road)?;
    let since = Instant::now();
    loop {
        match stream.handshake().map_err(PartFailure::Road)? {
            HandshakeProgress::Done => return Ok(stream),
            HandshakeProgress::Waits(flags) => {
                wait_for(stream.socket(), flags).map_err(PartFailure::Road)?
            }
        }
        if stop() {
            return Err(PartFailure::Stopped);
        }
        if since.elapsed() > HANDSHAKE_WAIT {
            return Err(road("does not greet"));
        }
    }
}
