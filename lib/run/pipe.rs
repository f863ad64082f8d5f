//! Reading a pipe, or any file in the place of one.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::SFlag;

use crate::error::{Error, Result};
use crate::record::stream::Input;

/// The size that pipes are raised to; more than the kernel's default lets both ends work at once.
const PIPE_BYTES: i32 = 1 << 20;

/// How much one system call reads from a pipe: with a pipe of 1 MiB, measured, more is slower.
const STEP_BYTES: usize = 64 * 1024;

/// A file to read that may be a pipe: standard input, or what `<( )` gives.
#[derive(Debug)]
pub struct PipeInput {
    file: File,
    name: String,
    is_pipe: bool,
}

impl PipeInput {
    /// To read `file`, whatever it is, under `name` (for messages).
    pub fn new(file: File, name: impl Into<String>) -> PipeInput {
        let is_pipe = is_fifo(&file);
        if is_pipe {
            widen(&file);
        }
        PipeInput { file, name: name.into(), is_pipe }
    }

    /// Reads what is there, at least a byte unless the end is reached.
    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.is_pipe {
            return self.read_once(buffer);
        }
        let mut filled = 0;
        for step in buffer.chunks_mut(STEP_BYTES) {
            // What is there is worth taking, but not worth waiting for.
            if filled > 0 && !is_ready(&self.file) {
                break;
            }
            let got = self.read_once(step)?;
            filled += got;
            if got < step.len() {
                break;
            }
        }
        Ok(filled)
    }

    fn read_once(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.file).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(&self.file, PollFlags::POLLIN);
                }
                result => return result,
            }
        }
    }
}

impl Input for PipeInput {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.read_some(buffer).map_err(|e| Error::io("read", &self.name, &e))
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The same stream for decoders. An error of the stream travels inside the [`io::Error`], and
/// [`Error::io`] finds it there.
impl Read for PipeInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Input::read(self, buffer).map_err(io::Error::other)
    }
}

/// Raises the size of a pipe; where that is not allowed, the pipe stays as it is.
pub fn widen(pipe: impl AsFd) {
    let size = fcntl(&pipe, FcntlArg::F_GETPIPE_SZ);
    if size.is_ok_and(|size| size < PIPE_BYTES) {
        let _ = fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
    }
}

/// Waits until a descriptor that does not block is ready after all.
pub fn wait(fd: impl AsFd, what: PollFlags) {
    while poll(&mut [PollFd::new(fd.as_fd(), what)], PollTimeout::NONE) == Err(Errno::EINTR) {}
}

fn is_ready(file: &File) -> bool {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

fn is_fifo(file: &File) -> bool {
    nix::sys::stat::fstat(file).is_ok_and(|found| {
        SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO
    })
}
