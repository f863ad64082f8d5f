//! A stream of frames over TLS on one socket, which never blocks: whoever waits says for how long.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use crate::error::{Error, ErrorKind as Failure, Result, reason};
use crate::peer::{PartFailure, TICK, road};
use crate::wire::frame::{Frame, FrameDecoder};

/// How much is read at once, at most: rustls' own reads are of four kilobytes.
const READ_BYTES: usize = 64 * 1024;

/// The most that is heard before the handshake is over.
const HANDSHAKE_MAX: usize = 64 * 1024;

/// The stream.
pub(super) struct Stream {
    socket: Arc<TcpStream>,
    tls: Connection,
    /// What came, before TLS has it.
    incoming: BufReader<Socket>,
    plain: FrameDecoder,
    /// How many bytes came.
    came: u64,
    /// Whether the other side said that this is the end.
    closed: bool,
}

/// A socket to read from.
struct Socket(Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(into)
    }
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

impl Stream {
    /// The side that has dialled.
    pub(super) fn dialled(
        socket: TcpStream,
        config: Arc<ClientConfig>,
        to: IpAddr,
    ) -> Result<Stream> {
        let tls = ClientConnection::new(config, ServerName::from(to)).map_err(failed)?;
        Stream::new(socket, tls.into())
    }

    /// The side that has listened.
    pub(super) fn accepted(socket: TcpStream, config: Arc<ServerConfig>) -> Result<Stream> {
        let tls = ServerConnection::new(config).map_err(failed)?;
        Stream::new(socket, tls.into())
    }

    fn new(socket: TcpStream, mut tls: Connection) -> Result<Stream> {
        let set = socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true));
        set.map_err(|e| lost("set up", &e))?;
        // What is sent is flushed before more is.
        tls.set_buffer_limit(None);
        let socket = Arc::new(socket);
        Ok(Stream {
            incoming: BufReader::with_capacity(READ_BYTES, Socket(Arc::clone(&socket))),
            socket,
            tls,
            plain: FrameDecoder::default(),
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
        let shown = self.tls.peer_certificates().filter(|_| !self.tls.is_handshaking());
        shown.and_then(|all| all.first()).map(|first| &**first)
    }

    /// Goes on with the handshake, as far as that is possible without waiting.
    pub(super) fn handshake(&mut self) -> Result<HandshakeProgress> {
        loop {
            while self.tls.wants_write() {
                match self.write() {
                    Ok(_) => (),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {
                        return Ok(HandshakeProgress::Waits(PollFlags::POLLOUT));
                    }
                    Err(e) => return Err(lost("greet", &e)),
                }
            }
            if !self.tls.is_handshaking() {
                return Ok(HandshakeProgress::Done);
            }
            if self.came > HANDSHAKE_MAX as u64 {
                return Err(Error::incomplete("a greeting that does not end"));
            }
            match self.read() {
                Ok(0) => return Err(Error::incomplete("hung up in the middle of the greeting")),
                Ok(_) => self.decipher()?,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    return Ok(HandshakeProgress::Waits(PollFlags::POLLIN));
                }
                Err(e) => return Err(lost("greet", &e)),
            }
        }
    }

    /// Nothing is to be said for a while: gives back the memory that much data took.
    pub(super) fn rest(&mut self) {
        if self.plain.is_at_end() {
            self.plain = FrameDecoder::default();
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
                    self.decipher().map_err(PartFailure::Road)?;
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
        self.tls.writer().write_all(frame).map_err(|e| PartFailure::Road(lost("write to", &e)))?;
        self.flush(limits)
    }

    fn flush(&mut self, limits: &WaitLimits<'_>) -> std::result::Result<(), PartFailure> {
        let mut moved = Instant::now();
        while self.tls.wants_write() {
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
        let count = again(|| self.incoming.fill_buf().map(<[u8]>::len))?;
        self.came += count as u64;
        Ok(count)
    }

    /// Deciphers what has been read.
    fn decipher(&mut self) -> Result<()> {
        // TLS takes nothing that comes behind the end.
        while !self.closed && !self.incoming.buffer().is_empty() {
            self.tls.read_tls(&mut self.incoming).map_err(failed)?;
            let state = self.tls.process_new_packets().map_err(failed)?;
            self.closed = state.peer_has_closed();
            let mut left = state.plaintext_bytes_to_read();
            let mut reader = self.tls.reader();
            while left > 0 {
                let bytes = reader.fill_buf().map_err(failed)?;
                self.plain.push(bytes);
                let count = bytes.len();
                reader.consume(count);
                left -= count;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<usize> {
        match again(|| self.tls.write_tls(&mut &*self.socket))? {
            0 => Err(ErrorKind::WriteZero.into()),
            count => Ok(count),
        }
    }
}

/// Calls the system again where a signal came in between.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == ErrorKind::Interrupted => (),
            other => return other,
        }
    }
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
