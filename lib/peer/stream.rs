//! A stream of frames over TLS on one socket, which never blocks: whoever waits says for how long.
//!
//! The buffers are our own: rustls' buffered connections read four kilobytes at a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, ServerConfig};

use crate::error::{Error, Kind as Failure, Result, reason};
use crate::peer::queue::Queue;
use crate::peer::{PartFailure, TICK, road};
use crate::wire::frame::{Frame, FrameDecoder};

/// What a record of TLS may measure, and some more.
const RECORD_BYTES: usize = 20 * 1024;

/// The least that is read at once.
const READ_MIN: usize = 2048;

/// What that grows to where much comes.
const READ_MAX: usize = 256 * 1024;

/// What TLS adds to a frame, and some more.
const SEAL_BYTES: usize = 1024;

/// The most that is heard before the handshake is over.
const HANDSHAKE_MAX: usize = 64 * 1024;

/// The stream.
pub(super) struct Stream {
    socket: Arc<TcpStream>,
    tls: Side,
    /// What came and was not deciphered yet.
    incoming: Queue,
    /// What is enciphered and was not sent yet.
    outgoing: Queue,
    plain: FrameDecoder,
    /// How much space there is at least for what comes next.
    least: usize,
    /// How many bytes came.
    came: u64,
    /// Whether the other side said that this is the end.
    closed: bool,
}

enum Side {
    Dialled(Box<UnbufferedClientConnection>),
    Accepted(Box<UnbufferedServerConnection>),
}

/// How long to wait.
pub(super) struct WaitLimits<'a> {
    /// Whether to stop, which is looked at every [`TICK`].
    pub(super) stop: &'a dyn Fn() -> bool,
    /// How long nothing may happen.
    pub(super) silence: Option<Duration>,
}

/// How far a handshake is.
pub(super) enum HandshakeProgress {
    Done,
    /// It goes on once the socket is ready for this.
    Waits(PollFlags),
}

/// What TLS wants next.
#[derive(PartialEq)]
enum Next {
    Again,
    More,
    Nothing,
}

impl Stream {
    /// The side that has dialled.
    pub(super) fn dialled(
        socket: TcpStream,
        config: Arc<ClientConfig>,
        to: IpAddr,
    ) -> Result<Stream> {
        let tls = UnbufferedClientConnection::new(config, ServerName::from(to)).map_err(failed)?;
        Stream::new(socket, Side::Dialled(Box::new(tls)))
    }

    /// The side that has listened.
    pub(super) fn accepted(socket: TcpStream, config: Arc<ServerConfig>) -> Result<Stream> {
        let tls = UnbufferedServerConnection::new(config).map_err(failed)?;
        Stream::new(socket, Side::Accepted(Box::new(tls)))
    }

    fn new(socket: TcpStream, tls: Side) -> Result<Stream> {
        let set = socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true));
        set.map_err(|e| lost("set up", &e))?;
        Ok(Stream {
            socket: Arc::new(socket),
            tls,
            incoming: Queue::new(RECORD_BYTES),
            outgoing: Queue::new(RECORD_BYTES),
            plain: FrameDecoder::default(),
            least: READ_MIN,
            came: 0,
            closed: false,
        })
    }

    /// Its socket, for whoever is to shut it.
    pub(super) fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    /// How many bytes have come.
    pub(super) fn came(&self) -> u64 {
        self.came
    }

    /// The public key that the other side has shown, and proved to be its own.
    pub(super) fn public_key(&self) -> Option<&[u8]> {
        let shown = match &self.tls {
            Side::Dialled(tls) => tls.peer_certificates(),
            Side::Accepted(tls) => tls.peer_certificates(),
        };
        shown.filter(|_| self.is_established()).and_then(|all| all.first()).map(|first| &**first)
    }

    fn is_established(&self) -> bool {
        match &self.tls {
            Side::Dialled(tls) => !tls.is_handshaking(),
            Side::Accepted(tls) => !tls.is_handshaking(),
        }
    }

    /// Goes on with the handshake, as far as that is possible without waiting.
    pub(super) fn handshake(&mut self) -> Result<HandshakeProgress> {
        loop {
            self.advance(None)?;
            while !self.outgoing.is_empty() {
                match self.write() {
                    Ok(_) => (),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {
                        return Ok(HandshakeProgress::Waits(PollFlags::POLLOUT));
                    }
                    Err(e) => return Err(lost("greet", &e)),
                }
            }
            if self.is_established() {
                return Ok(HandshakeProgress::Done);
            }
            if self.came > HANDSHAKE_MAX as u64 {
                return Err(Error::incomplete("a greeting that does not end"));
            }
            match self.read() {
                Ok(0) => return Err(Error::incomplete("hung up in the middle of the greeting")),
                Ok(_) => (),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    return Ok(HandshakeProgress::Waits(PollFlags::POLLIN));
                }
                Err(e) => return Err(lost("greet", &e)),
            }
        }
    }

    /// Nothing is to be said for a while: gives back the memory that much data took.
    pub(super) fn rest(&mut self) {
        if self.incoming.is_empty() && self.outgoing.is_empty() && self.plain.is_at_end() {
            self.incoming = Queue::new(RECORD_BYTES);
            self.outgoing = Queue::new(RECORD_BYTES);
            self.plain = FrameDecoder::default();
            self.least = READ_MIN;
        }
    }

    /// The next frame that is here whole.
    pub(super) fn frame(&mut self) -> Result<Option<Frame<'_>>> {
        self.plain.frame()
    }

    /// Waits for some bytes; `false` at the end of the stream.
    pub(super) fn fill(
        &mut self,
        limits: &WaitLimits<'_>,
    ) -> std::result::Result<bool, PartFailure> {
        self.flush(limits)?;
        let since = Instant::now();
        if (limits.stop)() {
            return Err(PartFailure::Stopped);
        }
        while !self.closed {
            match self.read() {
                Ok(0) => return Ok(false),
                Ok(_) => {
                    self.advance(None).map_err(PartFailure::Road)?;
                    return Ok(true);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::POLLIN, since, limits)?;
                }
                Err(e) => return Err(PartFailure::Road(lost("read from", &e))),
            }
        }
        Ok(false)
    }

    /// Sends `frame`, which is one or more frames as bytes.
    pub(super) fn send(
        &mut self,
        frame: &[u8],
        limits: &WaitLimits<'_>,
    ) -> std::result::Result<(), PartFailure> {
        if (limits.stop)() {
            return Err(PartFailure::Stopped);
        }
        self.advance(Some(frame)).map_err(PartFailure::Road)?;
        self.flush(limits)
    }

    fn flush(&mut self, limits: &WaitLimits<'_>) -> std::result::Result<(), PartFailure> {
        let mut moved = Instant::now();
        while !self.outgoing.is_empty() {
            match self.write() {
                Ok(_) => moved = Instant::now(),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.wait(PollFlags::POLLOUT, moved, limits)?;
                }
                Err(e) => return Err(PartFailure::Road(lost("write to", &e))),
            }
        }
        Ok(())
    }

    /// Waits for a moment until the socket is ready.
    fn wait(
        &self,
        flags: PollFlags,
        since: Instant,
        limits: &WaitLimits<'_>,
    ) -> std::result::Result<(), PartFailure> {
        if (limits.stop)() {
            return Err(PartFailure::Stopped);
        }
        wait_for(&self.socket, flags).map_err(PartFailure::Road)?;
        match limits.silence {
            Some(most) if since.elapsed() > most => {
                Err(road(format!("nothing moved for {} s", most.as_secs())))
            }
            _ => Ok(()),
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        loop {
            let space = self.incoming.space(self.least);
            let size = space.len();
            match (&*self.socket).read(space) {
                Ok(count) => {
                    self.incoming.extend(count);
                    self.came += count as u64;
                    if count == size {
                        // There is more: the next time it is to be fewer calls.
                        self.least = (2 * self.least).min(READ_MAX);
                    }
                    return Ok(count);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => (),
                Err(e) => return Err(e),
            }
        }
    }

    fn write(&mut self) -> io::Result<usize> {
        loop {
            match (&*self.socket).write(self.outgoing.filled()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.outgoing.consume(count);
                    return Ok(count);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => (),
                Err(e) => return Err(e),
            }
        }
    }

    /// Deciphers what has come, answers what TLS itself has to answer, and enciphers `seal`.
    fn advance(&mut self, mut seal: Option<&[u8]>) -> Result<()> {
        loop {
            let (incoming, out) = (self.incoming.filled(), &mut self.outgoing);
            let (used, next) = match &mut self.tls {
                Side::Dialled(tls) => {
                    step(tls.process_tls_records(incoming), out, &mut self.plain, &mut seal)
                }
                Side::Accepted(tls) => {
                    step(tls.process_tls_records(incoming), out, &mut self.plain, &mut seal)
                }
            };
            self.incoming.consume(used);
            match next? {
                Next::Again => (),
                Next::More if seal.is_none() => return Ok(()),
                Next::More => return Err(Error::incomplete("the greeting is not over")),
                Next::Nothing => {
                    self.closed = true;
                    return Ok(());
                }
            }
        }
    }
}

/// Deals with one state of the connection: how many bytes of what came are dealt with.
fn step<D>(
    status: UnbufferedStatus<'_, '_, D>,
    outgoing: &mut Queue,
    plain: &mut FrameDecoder,
    seal: &mut Option<&[u8]>,
) -> (usize, Result<Next>) {
    let mut used = status.discard;
    let next = match status.state {
        Err(e) => Err(failed(e)),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
            match traffic.next_record() {
                None => break Ok(Next::Again),
                Some(Err(e)) => break Err(failed(e)),
                Some(Ok(record)) => {
                    used += record.discard;
                    plain.push(record.payload);
                }
            }
        },
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let mut least = RECORD_BYTES;
            loop {
                match data.encode(outgoing.space(least)) {
                    Ok(count) => {
                        outgoing.extend(count);
                        break Ok(Next::Again);
                    }
                    Err(EncodeError::InsufficientSize(size)) if size.required_size > least => {
                        least = size.required_size;
                    }
                    Err(e) => break Err(failed(e)),
                }
            }
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // What is in the queue goes out before anything else does.
            data.done();
            Ok(Next::Again)
        }
        Ok(ConnectionState::WriteTraffic(mut traffic)) => match seal.take() {
            None => Ok(Next::More),
            Some(bytes) => {
                let mut least = bytes.len() + SEAL_BYTES;
                loop {
                    match traffic.encrypt(bytes, outgoing.space(least)) {
                        Ok(count) => {
                            outgoing.extend(count);
                            break Ok(Next::More);
                        }
                        Err(EncryptError::InsufficientSize(size)) if size.required_size > least => {
                            least = size.required_size;
                        }
                        Err(e) => break Err(failed(e)),
                    }
                }
            }
        },
        Ok(ConnectionState::BlockedHandshake) => Ok(Next::More),
        // An end, or data before its time, which was not allowed.
        Ok(_) => Ok(Next::Nothing),
    };
    (used, next)
}

/// Waits for a moment until `socket` is ready.
pub(super) fn wait_for(socket: &TcpStream, flags: PollFlags) -> Result<()> {
    let timeout = PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO);
    match poll(&mut [PollFd::new(socket.as_fd(), flags)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(e) => Err(lost("wait for", &e.into())),
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Failure::Hosts, format!("TLS: {error}"))
}

fn lost(doing: &str, error: &io::Error) -> Error {
    Error::new(Failure::Hosts, format!("cannot {doing} it: {}", reason(error)))
}
