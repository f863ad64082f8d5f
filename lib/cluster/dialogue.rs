//! A conversation with a shell on a host: bytes out and lines in, each with a deadline.
//!
//! It reads byte by byte: what follows the last line belongs to the worker. It knows neither what
//! is said nor what carries it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{read, write};

/// What is written at once: where `poll` says that a pipe or socket can be written to, so much of
/// it never blocks.
const WRITE_BYTES: usize = 4096;

/// The longest line that is taken in.
const LINE_BYTES: usize = 4096;

/// How much of what came is kept to be shown.
const SHOWN_BYTES: usize = 200;

/// Why a conversation ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The other side is gone.
    Ended,
    /// The other side said nothing, or took nothing, until the deadline.
    Silent,
    /// More came than may.
    TooMuch,
}

/// Two streams to and from a shell.
pub(super) struct Dialogue<'a> {
    to: BorrowedFd<'a>,
    from: BorrowedFd<'a>,
    deadline: Instant,
    /// The first bytes that came before what is waited for.
    heard: Vec<u8>,
}

impl<'a> Dialogue<'a> {
    /// A conversation over two descriptors that must get on within `patience`.
    pub(super) fn new(to: &'a impl AsFd, from: &'a impl AsFd, patience: Duration) -> Dialogue<'a> {
        let (to, from) = (to.as_fd(), from.as_fd());
        Dialogue { to, from, deadline: Instant::now() + patience, heard: Vec::new() }
    }

    /// From now on it must get on within `patience`.
    pub(super) fn extend(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    /// The first bytes that came and were not the mark that [`Dialogue::skip_to`] waits for, to be
    /// shown; none once it has come.
    pub(super) fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// Sends all of `bytes`.
    pub(super) fn say(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            self.wait(self.to, PollFlags::POLLOUT)?;
            match write(self.to, &bytes[..bytes.len().min(WRITE_BYTES)]) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(_) => return Err(Broken::Ended),
            }
        }
        Ok(())
    }

    /// Reads until `mark` has come, wherever it stands, and at most `limit` bytes before it: how
    /// many those were, and the first of them.
    pub(super) fn skip_to(
        &mut self,
        mark: &[u8],
        limit: usize,
    ) -> Result<(usize, Vec<u8>), Broken> {
        let mut last = Vec::with_capacity(2 * mark.len());
        for came in 1.. {
            if came > limit + mark.len() {
                break;
            }
            if last.len() == 2 * mark.len() {
                last.drain(..mark.len());
            }
            let byte = self.byte()?;
            last.push(byte);
            if self.heard.len() < SHOWN_BYTES {
                self.heard.push(byte);
            }
            if last.ends_with(mark) {
                let (skipped, mut noise) = (came - mark.len(), std::mem::take(&mut self.heard));
                noise.truncate(skipped);
                return Ok((skipped, noise));
            }
        }
        Err(Broken::TooMuch)
    }

    /// The rest of the line, without its end.
    pub(super) fn line(&mut self) -> Result<String, Broken> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => break,
                _ if line.len() == LINE_BYTES => return Err(Broken::TooMuch),
                byte => line.push(byte),
            }
        }
        Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_string())
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        loop {
            self.wait(self.from, PollFlags::POLLIN)?;
            let mut byte = [0];
            match read(self.from, &mut byte) {
                Ok(0) => return Err(Broken::Ended),
                Ok(_) => return Ok(byte[0]),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(_) => return Err(Broken::Ended),
            }
        }
    }

    fn wait(&self, fd: BorrowedFd<'_>, what: PollFlags) -> Result<(), Broken> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(fd, what)], timeout) {
                Ok(0) if self.deadline <= Instant::now() => return Err(Broken::Silent),
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(_) => return Err(Broken::Ended),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    const SOON: Duration = Duration::from_millis(50);

    fn heard(said: &[u8]) -> UnixStream {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(said).unwrap();
        ours
    }

    #[test]
    fn noise_before_the_mark_is_skipped_and_nothing_after_the_line_is_taken() {
        let stream = heard(b"hello\n\xff mark\xffmar!mark! tail\r\nframes");
        let mut dialogue = Dialogue::new(&stream, &stream, SOON);
        let noise = b"hello\n\xff mark\xffmar!".to_vec();
        assert_eq!(dialogue.skip_to(b"mark!", 64), Ok((noise.len(), noise)));
        assert_eq!(dialogue.line().unwrap(), " tail");
        let mut rest = [0; 9];
        assert_eq!(read(&stream, &mut rest), Ok(6));
        assert_eq!(&rest[..6], b"frames");
    }

    #[test]
    fn noise_has_a_limit() {
        let enough = Ok((4, b"aaaa".to_vec()));
        for (limit, expected) in [(3, Err(Broken::TooMuch)), (4, enough)] {
            let stream = heard(b"aaaamark");
            assert_eq!(Dialogue::new(&stream, &stream, SOON).skip_to(b"mark", limit), expected);
        }
        let stream = heard(&[b'x'; LINE_BYTES + 2]);
        assert_eq!(Dialogue::new(&stream, &stream, SOON).line(), Err(Broken::TooMuch));
    }

    #[test]
    fn an_end_is_told_from_silence() {
        let stream = heard(b"no line");
        assert_eq!(Dialogue::new(&stream, &stream, SOON).line(), Err(Broken::Ended));
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut dialogue = Dialogue::new(&ours, &ours, SOON);
        assert_eq!(dialogue.line(), Err(Broken::Silent));
        assert_eq!(dialogue.say(&vec![0; 1 << 23]), Err(Broken::Silent));
    }
}
