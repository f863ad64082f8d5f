//! Standard output: buffered, counted, and honest about how writing ended.

use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::stat::SFlag;

use crate::cli::explaining;
use crate::cli::process;
use crate::cli::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::format::target::WRITE_BYTES;
use crate::parallel::lock;
use crate::pipe::pipe_id::PipeId;
use crate::pipe::registry::{self, RegisteredWriter};
use crate::pipe::{meter, pipe_input, pipe_mark};
use crate::record::stream::{Facts, Output};

/// The size of the buffer, and of each write to a pipe: with a pipe of 1 MiB, measured, larger
/// writes are slower.
const STEP_BYTES: usize = 64 * 1024;

/// How long bytes may be held back while nothing more is written.
const HOLD_BACK: Duration = Duration::from_millis(5);

/// Standard output. Its copies are handles of the same stream; `cli::run` flushes it.
#[derive(Clone, Debug)]
pub struct Stdout(Arc<Mutex<Stream>>);

/// What standard output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutKind {
    /// Closed, when the process started or by us.
    Closed,
    /// A pipe, with a name or without.
    Pipe,
    /// A terminal: gets what is written at once.
    Terminal,
    /// A regular file.
    File,
    /// A device or a socket.
    Other,
}

/// Whether standard output is a pipe that is marked as one that this process writes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    /// It is no pipe, or the mark cannot be kept.
    #[default]
    None,
    /// It is marked, until the stream has ended well.
    Writing,
}

impl Mark {
    /// Marks standard output, where it is a pipe: to be done before anything else, as nobody hears of
    /// the end of a tool that is killed before.
    pub(super) fn make() -> Mark {
        let is_pipe = !process::closed_at_start(1) && PipeId::of(std::io::stdout()).is_some();
        if is_pipe && pipe_mark::enter(std::io::stdout()) { Mark::Writing } else { Mark::None }
    }
}

#[derive(Debug)]
struct Stream {
    sort: StdoutKind,
    buffer: Vec<u8>,
    /// Bytes that the system has taken.
    written: u64,
    /// Whether the stream is marked as one whose writer has not ended yet.
    mark: Mark,
    /// The entry in the registry, when the stream is a pipe.
    entry: Option<RegisteredWriter>,
    progress: Arc<Progress>,
    /// Wakes the thread that writes what is held back, once it was started.
    wake: Option<Sender<()>>,
    /// Whether it was woken and has not looked yet.
    woken: bool,
    /// What went wrong when that thread wrote: whoever writes next hears of it.
    failure: Option<Error>,
}

impl Stdout {
    /// The stream of this process, of which there is to be only one. `tool` is entered in the
    /// registry as its writer.
    pub(super) fn new(tool: &'static str, mark: Mark) -> Stdout {
        let sort = sort();
        let (mut entry, mut output) = (None, None);
        if sort == StdoutKind::Pipe {
            pipe_input::widen(std::io::stdout());
            output = PipeId::of(std::io::stdout());
            // Who explains leaves nothing behind: the mark says enough.
            if !explaining::is_on() {
                entry = output.and_then(|id| registry::of_process().enter(&id, tool));
            }
        }
        let publisher = entry.as_ref().map(RegisteredWriter::publisher);
        let progress = Progress::new(tool, (sort != StdoutKind::Pipe, output), publisher);
        let (buffer, wake, failure) = (Vec::new(), None, None);
        let stream =
            Stream { sort, buffer, written: 0, mark, entry, progress, wake, woken: false, failure };
        Stdout(Arc::new(Mutex::new(stream)))
    }

    /// Sees to it that what is held back is written soon, though nothing more may come.
    fn write_soon(&self, stream: &mut Stream) {
        if stream.buffer.is_empty() || stream.sort == StdoutKind::File || stream.woken {
            return;
        }
        if stream.wake.is_none() {
            let (wake, woken) = channel();
            let stdout = self.clone();
            // Without the thread the bytes are written all the same, only later.
            if thread::Builder::new().spawn(move || stdout.write_when_idle(&woken)).is_ok() {
                stream.wake = Some(wake);
            }
        }
        stream.woken = stream.wake.as_ref().is_some_and(|wake| wake.send(()).is_ok());
    }

    /// The life of the thread that writes what was held back for long enough.
    fn write_when_idle(&self, woken: &Receiver<()>) {
        while woken.recv().is_ok() {
            thread::sleep(HOLD_BACK);
            let mut stream = self.lock();
            stream.woken = false;
            if !stream.buffer.is_empty()
                && let Err(error) = stream.flush()
            {
                stream.failure = Some(error);
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stream> {
        lock(&self.0)
    }

    /// What shows the progress of this process.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.lock().progress)
    }

    /// What it is.
    pub(super) fn sort(&self) -> StdoutKind {
        self.lock().sort
    }

    /// Closes it at a good end, whatever it is.
    pub(super) fn close(&self, lineage: impl FnOnce() -> Vec<u8>) {
        self.end(0, lineage);
        let mut stream = self.lock();
        stream.sort = StdoutKind::Closed;
        if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
            let _ = nix::unistd::dup2_stdout(null);
        }
    }

    /// Bytes written so far, without those that are held back.
    pub fn written(&self) -> u64 {
        self.lock().written
    }

    /// Writes what is held back, and hears whether all that was written is kept.
    pub(super) fn finish(&self) -> Result<()> {
        let mut stream = self.lock();
        stream.heard()?;
        if !stream.buffer.is_empty() {
            stream.flush()?;
        }
        if stream.sort == StdoutKind::File {
            // Some file systems only say at a close that there was no room.
            let copy = nix::unistd::dup(std::io::stdout().as_fd()).map_err(failed)?;
            nix::unistd::close(copy).map_err(failed)?;
        }
        Ok(())
    }

    /// Lets the reader know that the stream is at its end, as that of a tool that exits with
    /// `status`, and how it came to be, as `lineage` tells. Nothing can be written any more.
    pub(super) fn end(&self, status: u8, lineage: impl FnOnce() -> Vec<u8>) {
        let mut stream = self.lock();
        stream.buffer.clear();
        let (mark, entry) = (std::mem::take(&mut stream.mark), stream.entry.take());
        if entry.is_none() && mark == Mark::None {
            return;
        }
        if let Some(entry) = entry {
            let lineage = if status == 0 { lineage() } else { Vec::new() };
            entry.end(status, stream.written, &lineage);
        }
        if status == 0 && mark == Mark::Writing {
            pipe_mark::leave(std::io::stdout());
        }
        // The reader need not wait for what is left to do.
        stream.sort = StdoutKind::Closed;
        if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
            let _ = nix::unistd::dup2_stdout(null);
            if !explaining::is_on() {
                registry::of_process().sweep_sometimes();
            }
        }
    }
}

impl Output for Stdout {
    fn declare(&mut self, facts: &Facts) -> Result<()> {
        if let Some(entry) = &self.lock().entry {
            entry.declare(facts);
        }
        Ok(())
    }

    fn write(&mut self, records: &[u8]) -> Result<()> {
        let mut stream = self.lock();
        stream.heard()?;
        stream.write(records)?;
        self.write_soon(&mut stream);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut stream = self.lock();
        stream.heard()?;
        stream.flush()
    }
}

impl Stream {
    /// What went wrong while nobody wrote.
    fn heard(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    fn write(&mut self, mut records: &[u8]) -> Result<()> {
        if self.buffer.len() + records.len() < STEP_BYTES && self.sort != StdoutKind::Terminal {
            self.buffer.extend_from_slice(records);
            return Ok(());
        }
        if !self.buffer.is_empty() {
            let room = STEP_BYTES.saturating_sub(self.buffer.len()).min(records.len());
            self.buffer.extend_from_slice(&records[..room]);
            records = &records[room..];
            self.flush()?;
        }
        let (step, whole) = match self.sort {
            StdoutKind::Pipe => (STEP_BYTES, records.len() / STEP_BYTES * STEP_BYTES),
            _ => (WRITE_BYTES, records.len()),
        };
        for step in records[..whole].chunks(step) {
            self.put(step)?;
        }
        self.buffer.extend_from_slice(&records[whole..]);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.put(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        result
    }

    fn show_progress(&self, bytes: &[u8]) {
        // There are records where the lines would be.
        if self.sort == StdoutKind::Terminal && !bytes.is_empty() {
            self.progress.silence();
        }
        meter::of_process().write_output(bytes);
    }

    /// Hands all of `bytes` to the system.
    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.sort == StdoutKind::Closed {
            return Err(Error::usage("standard output is closed"));
        }
        self.show_progress(bytes);
        while !bytes.is_empty() {
            match nix::unistd::write(std::io::stdout().as_fd(), bytes) {
                Ok(taken) => {
                    self.written += taken as u64;
                    bytes = &bytes[taken..];
                }
                Err(Errno::EINTR) => (),
                Err(Errno::EAGAIN) => pipe_input::wait(std::io::stdout(), PollFlags::POLLOUT),
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}

fn failed(error: Errno) -> Error {
    match error {
        Errno::EPIPE => Error::new(ErrorKind::StdoutClosed, "standard output is closed"),
        error => Error::io("write", "standard output", &error.into()),
    }
}

fn sort() -> StdoutKind {
    if process::closed_at_start(1) {
        return StdoutKind::Closed;
    }
    let mode = nix::sys::stat::fstat(std::io::stdout()).map(|found| found.st_mode).unwrap_or(0);
    match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
        SFlag::S_IFIFO => StdoutKind::Pipe,
        SFlag::S_IFREG => StdoutKind::File,
        _ if nix::unistd::isatty(std::io::stdout()).unwrap_or(false) => StdoutKind::Terminal,
        _ => StdoutKind::Other,
    }
}
