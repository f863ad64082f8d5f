//! The pipes of a command, our ends of which never block, and what is fed into one of them.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::error::{Error, Result};
use crate::spool::{READ_BYTES, Reading, Spool};

/// How much a pipe holds that carries records, where the system allows it.
const PIPE_BYTES: i32 = 1 << 20;

/// How many bytes are written or read at once: the size that moves most a second.
const STEP_BYTES: usize = 64 * 1024;

/// How many steps one pipe gets before the others have their turn.
const STEPS: usize = 16;

/// Whether there is more to come on a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Not now, but later.
    Open,
    /// Never again.
    Ended,
}

/// A pipe that the command writes and we read: our end does not block.
pub(crate) fn from_command(wide: bool) -> io::Result<(PipeReader, PipeWriter)> {
    let (ours, theirs) = io::pipe()?;
    prepare(&ours, wide)?;
    Ok((ours, theirs))
}

/// A pipe that we write and the command reads: our end does not block.
pub(crate) fn to_command() -> io::Result<(PipeReader, PipeWriter)> {
    let (theirs, ours) = io::pipe()?;
    prepare(&ours, true)?;
    Ok((theirs, ours))
}

fn prepare(ours: &impl AsFd, wide: bool) -> io::Result<()> {
    if wide {
        // A user may have only so many wide pipes; a narrow one is slower, not wrong.
        let _ = fcntl(ours, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    }
    fcntl(ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

/// The standard input of a command, and what of its block is still to be written to it.
pub(crate) struct Feed<'a> {
    pub(crate) pipe: PipeWriter,
    pub(crate) rest: Reading<&'a Spool>,
    /// How many bytes were written to it.
    pub(crate) fed: u64,
}

/// How long what moves in small pieces is left to gather: a wide pipe holds what the fastest command moves in it.
const LULL: Duration = Duration::from_micros(200);

/// After so many small rounds, more than there were large ones.
const ROUNDS: u32 = 8;

/// Lets bytes gather where a command reads or writes little at a time: else it and we would wake each
/// other for each page, which costs more than to move it.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    small: u32,
    is_due: bool,
}

impl Gathering {
    /// In the last round so many bytes went through the pipes.
    pub(crate) fn moved(&mut self, bytes: u64) {
        let is_small = bytes < STEP_BYTES as u64;
        match is_small {
            true if bytes > 0 => self.small = (self.small + 1).min(2 * ROUNDS),
            true => (),
            false => self.small = self.small.saturating_sub(1),
        }
        self.is_due = is_small && bytes > 0 && self.small > ROUNDS;
    }

    /// Waits, where that is worth it.
    pub(crate) fn wait(&self) {
        if self.is_due {
            std::thread::sleep(LULL);
        }
    }
}

impl Feed<'_> {
    /// Writes what the pipe takes now. `Ended` when all is written, or the command reads no more:
    /// which is no error here, for how it ends says whether it has read enough.
    pub(crate) fn push(&mut self) -> Result<Flow> {
        for _ in 0..STEPS {
            let next = self.rest.chunk()?;
            let step = &next[..next.len().min(STEP_BYTES)];
            if step.is_empty() {
                return Ok(Flow::Ended);
            }
            match self.pipe.write(step) {
                Ok(count) => {
                    self.rest.consume(count);
                    self.fed += count as u64;
                }
                Err(e) => match e.kind() {
                    ErrorKind::WouldBlock => return Ok(Flow::Open),
                    ErrorKind::Interrupted => (),
                    ErrorKind::BrokenPipe => return Ok(Flow::Ended),
                    _ => return Err(Error::io("write to", "a command", &e)),
                },
            }
        }
        Ok(Flow::Open)
    }
}

/// Reads what `pipe` holds now, a bounded number of steps, each into what `room` gives, and says
/// how much each was with `filled`.
fn drain<T>(
    pipe: &mut PipeReader,
    to: &mut T,
    mut room: impl FnMut(&mut T) -> Result<&mut [u8]>,
    mut filled: impl FnMut(&mut T, usize),
) -> Result<Flow> {
    for _ in 0..STEPS {
        let room = room(to)?;
        let length = room.len().min(STEP_BYTES);
        match pipe.read(&mut room[..length]) {
            Ok(0) => return Ok(Flow::Ended),
            Ok(count) => {
                filled(to, count);
                // A short read has emptied the pipe: asking again would only be refused.
                if count < length {
                    return Ok(Flow::Open);
                }
            }
            Err(e) => match e.kind() {
                ErrorKind::WouldBlock => return Ok(Flow::Open),
                ErrorKind::Interrupted => (),
                _ => return Err(Error::io("read from", "a command", &e)),
            },
        }
    }
    Ok(Flow::Open)
}

/// Moves what the command printed into `spool`.
pub(crate) fn collect(pipe: &mut PipeReader, spool: &mut Spool) -> Result<Flow> {
    drain(pipe, spool, Spool::room, Spool::filled)
}

/// Hands what the command said to `heard`; `buffer` has the size of one read.
pub(crate) fn listen(
    pipe: &mut PipeReader,
    buffer: &mut [u8; READ_BYTES],
    mut heard: impl FnMut(&[u8]),
) -> Result<Flow> {
    drain(pipe, buffer, |b| Ok(&mut b[..]), |b, count| heard(&b[..count]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_small_rounds_are_left_to_gather() {
        let mut gathering = Gathering::default();
        let mut due = |bytes: u64, times: u32| {
            (0..times)
                .map(|_| {
                    gathering.moved(bytes);
                    gathering.is_due
                })
                .last()
                .unwrap()
        };
        assert!(!due(1, ROUNDS) && due(1, 1));
        // Nothing at all was waited for already, and much needs no waiting.
        assert!(!due(0, 1) && due(1, 1) && !due(STEP_BYTES as u64, 1));
        assert!(due(1, 1000) && !due(STEP_BYTES as u64, 2 * ROUNDS) && !due(1, ROUNDS));
    }
}
