//! The direct road of an exchange: workers that send parts of ranges to one another, over TLS 1.3
//! in which both sides show a public key that was made for this exchange and that the other side
//! was told of through ssh.
//!
//! Every worker of an exchange is both: a [`Listener`], which sends parts of what it has sorted, and a
//! [`PeerSet`], which asks the others for theirs. What a part is, and where its bytes come from and
//! go to, is for the caller to say; so is what to do when the road to a peer is broken.
//!
//! # What is said
//!
//! The frames of [`crate::wire`]. The side that dialled asks: a control frame with a
//! [`message::Part`](crate::wire::message::Part). The other answers with data and an end, or with a
//! control frame that holds a [`message::Failed`](crate::wire::message::Failed), under the number of
//! the question; beats come first while it sends to others. A connection carries one part after
//! another.
//!
//! # Bounds
//!
//! Of an exchange of N hosts, on each of them, whatever the number of ranges:
//!
//! - connections that it dialled: [`connections_per_peer`], so 64 in all and no more than N - 1 where
//!   there are more hosts than that; connections that it serves: as many, and up to twice that for a
//!   moment, while one that the other side gave up has not noticed;
//! - unauthenticated connections: [`acceptor::HANDSHAKES_MAX`], none for longer than
//!   [`HANDSHAKE_WAIT`];
//! - threads: one for each connection that it serves, which waits most of the time, one that
//!   listens, and one more for each part that is being sent;
//! - buffers: 80 KiB for a connection that waits; besides, about 300 KiB for each of the
//!   [`capacity::SENDING_MAX`] parts that are sent at once, and about 1.5 MiB for each part that is
//!   being fetched, of which there are as many as the caller has threads.
//!
//! With 64 hosts that are 63 + 63 connections, 80 threads and 15 MiB a host, besides what is fetched,
//! and 128 more sockets of 80 KiB at a host that strangers connect to.

mod acceptor;
mod address;
mod attend;
mod capacity;
mod dial;
mod identity;
mod listener;
mod pinned;
mod stream;

use std::time::Duration;

pub(crate) use address::addresses;
pub(crate) use dial::PeerSet;
pub(crate) use identity::Identity;
pub(crate) use listener::Listener;

use crate::error::{Error, ErrorKind};

/// How many connections one worker dials, all peers together, as long as that is one for each.
const CONNECTIONS_MAX: usize = 64;

/// The most connections to one peer.
const CONNECTIONS_PER_PEER_MAX: usize = 4;

/// How long a handshake may take.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// How often whoever waits looks whether it is to stop.
const TICK: Duration = Duration::from_millis(200);

/// Why a part did not come.
#[derive(Debug)]
pub(crate) enum PartFailure {
    /// The way to the peer is broken, or never was: the part may come another way.
    Road(Error),
    /// The peer itself says that it failed, or what came could not be taken.
    Failed(Error),
    /// It was not wanted any more.
    Stopped,
}

impl PartFailure {
    /// The reason, where there is no other road.
    pub(crate) fn error(self) -> Error {
        match self {
            PartFailure::Road(error) | PartFailure::Failed(error) => error,
            PartFailure::Stopped => Error::incomplete("stopped"),
        }
    }
}

/// The connections that one worker may dial to one of `peers` peers. Both sides reckon so: all
/// workers of an exchange are to be given the same peers.
fn connections_per_peer(peers: usize) -> usize {
    (CONNECTIONS_MAX / peers.max(1)).clamp(1, CONNECTIONS_PER_PEER_MAX)
}

/// The error of a road.
fn road(text: impl Into<String>) -> PartFailure {
    PartFailure::Road(Error::new(ErrorKind::Hosts, text))
}

#[cfg(test)]
mod tests {
    use super::capacity::SendPart;
    use std::collections::HashSet;
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use rustls::client::ResolvesClientCert;
    use rustls::sign::CertifiedKey;
    use rustls::{ClientConfig, SignatureScheme};

    use super::stream::{HandshakeProgress, Stream, WaitLimits, wait_for};
    use super::*;
    use crate::error::Result;
    use crate::record::bytes::Bytes;
    use crate::wire::exchange::Peer;
    use crate::wire::frame::{Frame, FrameKind};
    use crate::wire::message::{self, Part};

    /// So many bytes, which differ from place to place.
    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    /// Asks for so many bytes.
    fn part(length: usize) -> Part {
        Part {
            exchange: 1,
            from: Some(Bytes(length.to_string().into_bytes())),
            to: None,
            token: None,
        }
    }

    fn length(part: &Part) -> usize {
        String::from_utf8(part.from.clone().unwrap().0).unwrap().parse().unwrap()
    }

    /// Sends what is asked for in pieces of odd sizes, `usize::MAX` bytes without an end.
    fn send(part: &Part, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match length(part) {
            usize::MAX => loop {
                sink(&[7; 100_000])?;
            },
            length => content(length).chunks(70_001).try_for_each(sink),
        }
    }

    fn peer(name: &str, listener: &Listener, identity: &Identity) -> Peer {
        let public_key = Bytes(identity.public_key().to_vec());
        Peer { name: name.into(), addresses: listener.addresses(), public_key, most: u64::MAX }
    }

    /// A listener that serves one peer, and that peer.
    fn pair(send: Arc<SendPart>) -> (Listener, PeerSet) {
        let (server, client) = (Identity::new().unwrap(), Identity::new().unwrap());
        let listener = Listener::open(&server, &addresses(None)).unwrap();
        let peers = PeerSet::new(&client, vec![peer("n1", &listener, &server)]).unwrap();
        listener.serve(&[peer("n2", &listener, &client)], send).unwrap();
        (listener, peers)
    }

    fn fetch(peers: &PeerSet, part: &Part) -> std::result::Result<Vec<u8>, PartFailure> {
        let mut bytes = Vec::new();
        peers.part("n1", part, &|| false, &mut |more| {
            bytes.extend_from_slice(more);
            Ok(())
        })?;
        Ok(bytes)
    }

    #[track_caller]
    fn is_road(result: std::result::Result<Vec<u8>, PartFailure>) -> String {
        match result {
            Err(PartFailure::Road(e)) => e.to_string(),
            other => panic!("{:?}", other.map(|bytes| bytes.len())),
        }
    }

    #[test]
    fn parts_arrive_whole_over_one_connection() {
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let seen = Arc::clone(&threads);
        let (_listener, peers) = pair(Arc::new(move |part, sink| {
            seen.lock().unwrap().insert(thread::current().id());
            send(part, sink)
        }));
        let lengths = [0, 1, 131_062, 131_063, 131_064, 300_000, 5_000_001];
        for length in lengths {
            assert!(fetch(&peers, &part(length)).unwrap() == content(length), "{length} bytes");
        }
        assert_eq!(threads.lock().unwrap().len(), 1);
    }

    #[test]
    fn parts_are_fetched_by_many_threads_over_few_connections() {
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let seen = Arc::clone(&threads);
        let (_listener, peers) = pair(Arc::new(move |part, sink| {
            seen.lock().unwrap().insert(thread::current().id());
            send(part, sink)
        }));
        thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| assert!(fetch(&peers, &part(400_000)).unwrap() == content(400_000)));
            }
        });
        assert!(threads.lock().unwrap().len() <= CONNECTIONS_PER_PEER_MAX);
    }

    #[test]
    fn what_a_peer_fails_with_is_told_and_the_connection_stays() {
        let (_listener, peers) = pair(Arc::new(|part, sink| {
            send(part, sink)?;
            match length(part) {
                200_000 => Err(Error::new(ErrorKind::Storage, "the disk is full")),
                _ => Ok(()),
            }
        }));
        match fetch(&peers, &part(200_000)) {
            Err(PartFailure::Failed(e)) => assert_eq!(e.kind(), ErrorKind::Storage),
            other => panic!("{other:?}"),
        }
        assert!(fetch(&peers, &part(5)).unwrap() == content(5));
        let refused = peers.part("n1", &part(9), &|| false, &mut |_| Err(Error::usage("no")));
        assert!(matches!(refused, Err(PartFailure::Failed(e)) if e.to_string() == "no"));
        assert!(fetch(&peers, &part(6)).unwrap() == content(6));
    }

    #[test]
    fn no_more_comes_of_a_peer_than_it_has() {
        const MOST: u64 = 1 << 24;
        let (server, client) = (Identity::new().unwrap(), Identity::new().unwrap());
        let listener = Listener::open(&server, &addresses(None)).unwrap();
        let bounded = Peer { most: MOST, ..peer("n1", &listener, &server) };
        listener.serve(&[peer("n2", &listener, &client)], Arc::new(send)).unwrap();
        let peers = PeerSet::new(&client, vec![bounded]).unwrap();
        for _ in 0..2 {
            // What came of a part that failed counts for nothing.
            let mut came = 0;
            let endless = peers.part("n1", &part(usize::MAX), &|| false, &mut |bytes| {
                came += bytes.len() as u64;
                Ok(())
            });
            match endless {
                Err(PartFailure::Failed(e)) => assert_eq!(e.kind(), ErrorKind::Incomplete),
                other => panic!("{other:?}"),
            }
            assert!(came > MOST - (1 << 20) && came <= MOST, "{came} of {MOST}");
        }
        let (most, half) = (MOST as usize, MOST as usize / 2);
        assert_eq!(fetch(&peers, &part(half)).unwrap().len(), half);
        assert_eq!(fetch(&peers, &part(most - half)).unwrap().len(), most - half);
        assert!(fetch(&peers, &part(0)).is_ok());
        let one_more = fetch(&peers, &part(1));
        assert!(
            matches!(one_more, Err(PartFailure::Failed(e)) if e.to_string().contains("more than"))
        );
    }

    #[test]
    fn another_key_than_the_named_one_is_refused_on_both_sides() {
        let [server, client, other] = [(); 3].map(|()| Identity::new().unwrap());
        let listener = Listener::open(&server, &addresses(None)).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let send: Arc<SendPart> = Arc::new(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        listener.serve(&[peer("n2", &listener, &client)], send).unwrap();
        let stranger = PeerSet::new(&other, vec![peer("n1", &listener, &server)]).unwrap();
        is_road(fetch(&stranger, &part(1)));
        let misled = PeerSet::new(&client, vec![peer("n1", &listener, &other)]).unwrap();
        is_road(fetch(&misled, &part(1)));
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        let peers = PeerSet::new(&client, vec![peer("n1", &listener, &server)]).unwrap();
        assert!(fetch(&peers, &part(1)).is_ok());
    }

    /// Shows this, whatever it is.
    #[derive(Debug)]
    struct Shows {
        key: Option<Arc<CertifiedKey>>,
        is_raw: bool,
    }

    impl ResolvesClientCert for Shows {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            self.key.clone()
        }

        fn has_certs(&self) -> bool {
            self.key.is_some()
        }

        fn only_raw_public_keys(&self) -> bool {
            self.is_raw
        }
    }

    /// What a client hears first that asks as soon as it may.
    fn heard(listener: &Listener, config: ClientConfig) -> Option<FrameKind> {
        let address = listener.addresses()[0].parse().unwrap();
        let socket = TcpStream::connect::<std::net::SocketAddr>(address).unwrap();
        let mut stream = Stream::dialled(socket, Arc::new(config), address.ip()).unwrap();
        while let HandshakeProgress::Waits(flags) = stream.handshake().ok()? {
            wait_for(stream.socket(), flags).unwrap();
        }
        let mut question = Vec::new();
        let payload = message::encode(&part(5));
        Frame { kind: FrameKind::Control, request: 1, payload: &payload }
            .encode(&mut question)
            .unwrap();
        let limits = WaitLimits { stop: &|| false, silence: Some(HANDSHAKE_WAIT) };
        let _ = stream.send(&question, &limits);
        loop {
            if let Some(frame) = stream.frame().unwrap() {
                return Some(frame.kind);
            }
            let Ok(true) = stream.fill(&limits) else { return None };
        }
    }

    #[test]
    fn who_shows_no_key_or_has_not_its_private_half_gets_nothing() {
        let [server, client, other] = [(); 3].map(|()| Identity::new().unwrap());
        let listener = Listener::open(&server, &addresses(None)).unwrap();
        listener.serve(&[peer("n2", &listener, &client)], Arc::new(send)).unwrap();
        let heard_with = |signer: Option<&Identity>, is_raw: bool| {
            let shown = client.shown().cert.clone();
            let key = signer.map(|of| CertifiedKey::new(shown, Arc::clone(&of.shown().key)));
            let mut config = (*pinned::dialling(&client, server.public_key()).unwrap()).clone();
            config.client_auth_cert_resolver = Arc::new(Shows { key: key.map(Arc::new), is_raw });
            heard(&listener, config)
        };
        assert_eq!(heard_with(None, true), None);
        assert_eq!(heard_with(Some(&other), true), None);
        assert_eq!(heard_with(Some(&client), false), None, "as a certificate");
        assert_eq!(heard_with(Some(&client), true), Some(FrameKind::Data));
    }

    #[test]
    fn while_a_part_takes_long_to_begin_beats_are_heard() {
        let (server, client) = (Identity::new().unwrap(), Identity::new().unwrap());
        let listener = Listener::open(&server, &addresses(None)).unwrap();
        let (go, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let slow = move |_: &Part, _: &mut dyn FnMut(&[u8]) -> Result<()>| {
            // Until the test has heard enough.
            let _ = wait.lock().unwrap().recv();
            Ok(())
        };
        listener.serve(&[peer("n2", &listener, &client)], Arc::new(slow)).unwrap();
        let config = (*pinned::dialling(&client, server.public_key()).unwrap()).clone();
        assert_eq!(heard(&listener, config), Some(FrameKind::Beat));
        drop(go);
    }

    #[test]
    fn strangers_do_no_harm_to_peers() {
        let (listener, peers) = pair(Arc::new(send));
        let address = listener.addresses()[0].clone();
        let dial = || TcpStream::connect(&address).unwrap();
        let mut silent: Vec<TcpStream> =
            (0..2 * acceptor::HANDSHAKES_MAX).map(|_| dial()).collect();
        let mut noisy = dial();
        noisy.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        noisy.set_read_timeout(Some(HANDSHAKE_WAIT)).unwrap();
        let mut answer = Vec::new();
        let _ = noisy.read_to_end(&mut answer);
        assert!(answer.len() < 10, "no more than an alert: {answer:?}");
        assert!(fetch(&peers, &part(300_000)).unwrap() == content(300_000));
        // Those that came first had to go.
        let first = &mut silent[0];
        first.set_read_timeout(Some(HANDSHAKE_WAIT)).unwrap();
        assert!(matches!(first.read(&mut [0; 8]), Ok(0)));
    }

    /// Passes on what one connection brings, until `most` bytes of answers went through; says in
    /// the end, when the sender is dropped, how many connections there were.
    fn cut_after(most: usize, to: String) -> (String, Sender<()>, thread::JoinHandle<usize>) {
        let (over, is_over) = channel();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let work = move || {
            let (near, _) = socket.accept().unwrap();
            let far = TcpStream::connect(to).unwrap();
            let (mut from, mut back) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let up = thread::spawn(move || std::io::copy(&mut from, &mut back));
            let _ = std::io::copy(&mut (&far).take(most as u64), &mut &near);
            let _ = (near.shutdown(Shutdown::Both), far.shutdown(Shutdown::Both));
            let _ = up.join();
            drop((near, far));
            let _ = is_over.recv();
            // Whoever came meanwhile would be the second.
            socket.set_nonblocking(true).unwrap();
            1 + usize::from(socket.accept().is_ok())
        };
        (address, over, thread::spawn(work))
    }

    #[test]
    fn a_road_that_is_cut_in_the_middle_is_broken_for_good() {
        let (server, client) = (Identity::new().unwrap(), Identity::new().unwrap());
        let listener = Listener::open(&server, &addresses(None)).unwrap();
        let (address, over, proxy) = cut_after(1_000_000, listener.addresses()[0].clone());
        let through = Peer { addresses: vec![address], ..peer("n1", &listener, &server) };
        listener.serve(&[peer("n2", &listener, &client)], Arc::new(send)).unwrap();
        let peers = PeerSet::new(&client, vec![through]).unwrap();
        assert!(fetch(&peers, &part(100_000)).unwrap() == content(100_000));
        let mut came = 0;
        let result = peers.part("n1", &part(usize::MAX), &|| false, &mut |bytes| {
            came += bytes.len();
            Ok(())
        });
        assert!(matches!(result, Err(PartFailure::Road(_))) && came > 100_000);
        is_road(fetch(&peers, &part(1)));
        drop(over);
        assert_eq!(proxy.join().unwrap(), 1, "it is not tried again");
    }

    #[test]
    fn who_does_not_listen_is_given_up() {
        let identity = Identity::new().unwrap();
        let listener = Listener::open(&identity, &addresses(None)).unwrap();
        let peers = PeerSet::new(&identity, vec![peer("n1", &listener, &identity)]).unwrap();
        drop(listener);
        let text = is_road(fetch(&peers, &part(1)));
        assert!(text.starts_with("n1: cannot be reached: 127.0.0.1:"), "{text}");
        is_road(fetch(&peers, &part(1)));
    }

    #[test]
    fn closing_leaves_no_thread_and_no_socket() {
        let send: Arc<SendPart> = Arc::new(send);
        let (listener, peers) = pair(Arc::clone(&send));
        fetch(&peers, &part(10)).unwrap();
        let stranger = TcpStream::connect(&listener.addresses()[0]).unwrap();
        thread::scope(|scope| {
            let (came, comes) = channel();
            let mut take = move |_: &[u8]| {
                let _ = came.send(());
                Ok(())
            };
            let peers = &peers;
            let endless =
                scope.spawn(move || peers.part("n1", &part(usize::MAX), &|| false, &mut take));
            comes.recv().unwrap();
            listener.close();
            assert_eq!(Arc::strong_count(&send), 1, "every thread has let go of it");
            assert!(matches!(endless.join().unwrap(), Err(PartFailure::Road(_))));
        });
        assert!(TcpStream::connect(&listener.addresses()[0]).is_err());
        drop(stranger);
        assert!(listener.serve(&[], send).is_err());
    }

    #[test]
    fn who_serves_may_be_the_last_to_let_go() {
        let slot: Arc<Mutex<Option<Listener>>> = Arc::default();
        let last = Arc::clone(&slot);
        let (listener, peers) = pair(Arc::new(move |_, _| {
            drop(last.lock().unwrap().take());
            Ok(())
        }));
        let address = listener.addresses()[0].clone();
        *slot.lock().unwrap() = Some(listener);
        is_road(fetch(&peers, &part(1)));
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn what_is_not_wanted_any_more_stops() {
        let (_listener, peers) = pair(Arc::new(send));
        let came = AtomicUsize::new(0);
        let stop = || came.load(Ordering::SeqCst) > 1_000_000;
        let result = peers.part("n1", &part(usize::MAX), &stop, &mut |bytes| {
            came.fetch_add(bytes.len(), Ordering::SeqCst);
            Ok(())
        });
        assert!(matches!(result, Err(PartFailure::Stopped)));
        assert!(fetch(&peers, &part(3)).unwrap() == content(3));
    }
}
