//! The one thread that owns a libssh2 session: it moves bytes between the session's channel and two
//! pipes, whose other ends are the link.
//!
//! Nothing in it waits but one `poll`: libssh2 would hold its lock meanwhile. When either side ends,
//! it ends the other.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ::ssh2::{BlockDirections, Channel, Session};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cluster::complaints::Complaints;
use crate::parallel::lock;

/// How much is moved at once each way.
const BLOCK_BYTES: usize = 128 * 1024;

/// How long to wait for the status of a worker that has closed its streams.
const STATUS_MAX: Duration = Duration::from_secs(1);

/// How often to look for it.
const STATUS_EVERY: Duration = Duration::from_millis(5);

/// A session with one channel, and the pipes that it serves.
pub(super) struct Pump {
    /// In non-blocking mode.
    pub session: Session,
    /// A running command.
    pub channel: Channel,
    /// What the session goes over.
    pub stream: TcpStream,
    /// What the tool writes; non-blocking.
    pub up: File,
    /// What the tool reads; non-blocking.
    pub down: File,
    /// Takes the command's standard error.
    pub complaints: Arc<Complaints>,
    /// Takes what was the end, where it was not the tool.
    pub why: Arc<Mutex<Option<PumpEnd>>>,
}

/// How the other side ended.
pub(super) enum PumpEnd {
    /// The command there, with this status.
    Exited(i32),
    /// The command there, by a signal of this name.
    Killed(String),
    /// The connection broke, for this reason.
    Broke(String),
}

impl PumpEnd {
    /// The same in words, where it was no good end.
    pub(super) fn words(&self) -> Option<String> {
        match self {
            PumpEnd::Exited(0) => None,
            PumpEnd::Exited(status) => Some(format!("it ended with exit status {status}")),
            PumpEnd::Killed(signal) => Some(format!("it was killed by signal {signal}")),
            PumpEnd::Broke(why) => Some(format!("the connection broke ({why})")),
        }
    }
}

/// What the tool writes, on its way to the channel.
enum Up {
    /// More may come.
    Open,
    /// The tool has closed it, the channel does not know yet.
    Ending,
    /// Nothing will come any more.
    Ended,
}

/// A block of bytes that are on their way.
struct Block {
    bytes: Box<[u8]>,
    filled: Range<usize>,
}

impl Block {
    fn new() -> Block {
        Block { bytes: vec![0; BLOCK_BYTES].into(), filled: 0..0 }
    }

    fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }

    /// Fills the empty block; none when there is nothing to be had now, false at the end.
    fn fill(&mut self, from: &mut impl Read) -> io::Result<Option<bool>> {
        let read = now(|| from.read(&mut self.bytes))?;
        self.filled = 0..read.unwrap_or(0);
        Ok(read.map(|read| read > 0))
    }

    /// Passes on what is in it, as far as that goes now: whether anything went.
    ///
    /// What was not taken is offered again as it was: libssh2 wants a refused write repeated.
    fn drain(&mut self, to: &mut impl Write) -> io::Result<bool> {
        let mut moved = false;
        while !self.is_empty() {
            match now(|| to.write(&self.bytes[self.filled.clone()]))? {
                Some(0) => return Err(ErrorKind::WriteZero.into()),
                Some(written) => self.filled.start += written,
                None => break,
            }
            moved = true;
        }
        Ok(moved)
    }
}

/// The result of an operation, unless it would have to wait.
fn now<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    loop {
        match operation() {
            Ok(done) => return Ok(Some(done)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

impl Pump {
    /// Moves bytes until either side ends, then ends the other.
    pub(super) fn run(mut self) {
        let ended = self.carry();
        self.complaints.take(b"\n");
        let Pump { mut channel, stream, up, down, why, .. } = self;
        // Whoever reads need not wait for the status.
        drop((up, down));
        let told = match ended {
            Ok(true) => Some(status(&mut channel)),
            Ok(false) => None,
            Err(e) => Some(PumpEnd::Broke(e.to_string())),
        };
        *lock(&why) = told;
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// Moves bytes: whether the worker has ended, not the tool.
    fn carry(&mut self) -> io::Result<bool> {
        let (mut up, mut rising, mut falling) = (Up::Open, Block::new(), Block::new());
        loop {
            let mut moved = false;
            if matches!(up, Up::Open) && rising.is_empty() {
                match rising.fill(&mut self.up)? {
                    Some(false) => up = Up::Ending,
                    some => moved |= some.is_some(),
                }
            }
            moved |= rising.drain(&mut self.channel)?;
            if matches!(up, Up::Ending)
                && rising.is_empty()
                && now(|| self.channel.send_eof().map_err(io::Error::from))?.is_some()
            {
                up = Up::Ended;
            }
            if falling.is_empty() {
                let some = falling.fill(&mut self.channel)?;
                moved |= some.is_some();
                if some == Some(false) && self.channel.eof() {
                    return Ok(true);
                }
            }
            moved |= self.listen()?;
            match falling.drain(&mut self.down) {
                Ok(sunk) => moved |= sunk,
                Err(_) => return Ok(false),
            }
            let more = moved || self.has_more(&rising, &falling);
            if !more && !self.wait(&up, &rising, &falling)? {
                return Ok(false);
            }
        }
    }

    /// Takes in what came on standard error: unread, it would hold up all else.
    fn listen(&mut self) -> io::Result<bool> {
        let (mut said, mut heard) = ([0; 4096], false);
        while let Some(read @ 1..) = now(|| self.channel.stderr().read(&mut said))? {
            self.complaints.take(&said[..read]);
            heard = true;
        }
        Ok(heard)
    }

    /// Whether libssh2 holds what `poll` does not see: any call of it takes in whatever has come,
    /// for whichever stream, and the other side's leave to write.
    fn has_more(&self, rising: &Block, falling: &Block) -> bool {
        let readable = || self.channel.eof() || self.channel.read_window().available > 0;
        let writable = || !self.is_blocked_outbound() && self.channel.write_window().remaining > 0;
        falling.is_empty() && readable() || !rising.is_empty() && writable()
    }

    fn is_blocked_outbound(&self) -> bool {
        let blocked = self.session.block_directions();
        matches!(blocked, BlockDirections::Outbound | BlockDirections::Both)
    }

    /// Waits until something can be moved: false when the tool reads no more.
    fn wait(&self, up: &Up, rising: &Block, falling: &Block) -> io::Result<bool> {
        let if_true = |wanted, flag| if wanted { flag } else { PollFlags::empty() };
        let outbound = if_true(self.is_blocked_outbound(), PollFlags::POLLOUT);
        let falls = if_true(!falling.is_empty(), PollFlags::POLLOUT);
        let mut waits = vec![
            PollFd::new(self.stream.as_fd(), PollFlags::POLLIN | outbound),
            PollFd::new(self.down.as_fd(), falls),
        ];
        if matches!(up, Up::Open) && rising.is_empty() {
            waits.push(PollFd::new(self.up.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut waits, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let gone = waits[1].revents().is_some_and(|flags| flags.contains(PollFlags::POLLERR));
        Ok(!gone)
    }
}

/// How the command ended.
fn status(channel: &mut Channel) -> PumpEnd {
    let deadline = Instant::now() + STATUS_MAX;
    while let Ok(None) = now(|| channel.wait_close().map_err(io::Error::from)) {
        if Instant::now() >= deadline {
            break;
        }
        thread::sleep(STATUS_EVERY);
    }
    // A process that was killed has the exit status 0 here.
    if let Some(signal) = channel.exit_signal().ok().and_then(|exit| exit.exit_signal) {
        return PumpEnd::Killed(signal);
    }
    PumpEnd::Exited(channel.exit_status().unwrap_or_default())
}
