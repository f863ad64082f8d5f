//! Reading a pipe, or any file in the place of one, to an end that is known to be the whole.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::SFlag;

use crate::error::{Error, Result};
use crate::pipe::entry::{Entry, Status};
use crate::pipe::meter;
use crate::pipe::pipe_id::PipeId;
use crate::pipe::pipe_mark::{self, UNCOUNTED};
use crate::pipe::registry::{self, Registry};
use crate::pipe::runtime_dir::VARIABLE;
use crate::record::stream::{Facts, Input};

/// The size that pipes are raised to; more than the kernel's default lets both ends work at once.
const PIPE_BYTES: i32 = 1 << 20;

/// How much one system call reads from a pipe: with a pipe of 1 MiB, measured, more is slower.
const STEP_BYTES: usize = 64 * 1024;

/// A file to read that may be a pipe: standard input, or what `<( )` gives.
///
/// At its end the pipe's writers are asked how they ended: reading 0 bytes is the whole, as far as
/// anybody knows, and anything less is an error. So it must be read to that 0, by decoders too.
#[derive(Debug)]
pub struct PipeInput {
    file: File,
    name: String,
    is_fifo: bool,
    /// How long it is, where it is a file.
    size: u64,
    upstream: Option<Upstream>,
}

/// The other end of a pipe.
#[derive(Debug)]
struct Upstream {
    registry: &'static Registry,
    pipe: PipeId,
    bytes: u64,
    /// Whether it was seen that the writers could say how they end, or does not matter.
    known: bool,
    /// Whether the end was read, and found to be the whole.
    ended: bool,
    /// What the only writer said when it was first asked for, if there was but one.
    asked: Option<Option<Known>>,
    /// Whether somebody relies on it.
    relied_on: bool,
}

/// What was said of the stream, by the entry of this name.
#[derive(Clone, Debug)]
struct Known {
    entry: String,
    tool: String,
    facts: Facts,
}

impl PipeInput {
    /// To read `file`, whatever it is, under `name` (for messages).
    pub fn new(file: File, name: impl Into<String>) -> PipeInput {
        PipeInput::registered(file, name.into(), registry::of_process())
    }

    fn registered(file: File, name: String, registry: &'static Registry) -> PipeInput {
        let is_fifo = is_fifo(&file);
        if is_fifo {
            widen(&file);
        }
        let upstream = PipeId::of(&file).map(|pipe| Upstream {
            registry,
            pipe,
            bytes: 0,
            known: !registry.insists(),
            ended: false,
            asked: None,
            relied_on: false,
        });
        let size = size(&file);
        match &upstream {
            Some(upstream) => meter::of_process().opens_pipe(upstream.pipe),
            None => meter::of_process().opens_file(size),
        }
        PipeInput { file, name, is_fifo, size, upstream }
    }

    /// Reads what is there, at least a byte unless the end is reached.
    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.is_fifo {
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
        if let Some(upstream) = self.upstream.as_mut().filter(|upstream| !upstream.known) {
            upstream.insist(&self.file, &self.name)?;
        }
        let got = self.read_some(buffer).map_err(|e| Error::io("read", &self.name, &e))?;
        if got == 0 && !buffer.is_empty() && size(&self.file) < self.size {
            return Err(shrunk(&self.name));
        }
        if self.size > 0 {
            meter::of_process().reads_file(got as u64);
        }
        if let Some(upstream) = &mut self.upstream {
            upstream.bytes += got as u64;
            if got == 0 && !buffer.is_empty() && !upstream.ended {
                upstream.check(&self.file)?;
                upstream.ended = true;
            }
        }
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn is_ready(&self) -> bool {
        !self.is_fifo || is_ready(&self.file)
    }

    /// What is known of the stream. Until its end this is but a promise, as others may write into
    /// the same pipe; so who was given facts here gets an error at the end if they did not hold.
    fn facts(&mut self) -> Option<Facts> {
        let upstream = self.upstream.as_mut()?;
        let facts = upstream.promised()?;
        upstream.relied_on = true;
        Some(facts)
    }

    fn promised(&mut self) -> Option<Facts> {
        self.upstream.as_mut()?.promised()
    }
}

/// How long a file is; 0 for what is none.
fn size(file: &File) -> u64 {
    file.metadata().map_or(0, |found| if found.is_file() { found.len() } else { 0 })
}

/// The error for a file whose end came too early.
pub fn shrunk(name: &str) -> Error {
    Error::input(format!("{name}: it became shorter while it was read; is somebody writing it?"))
}

impl Upstream {
    fn promised(&mut self) -> Option<Facts> {
        if self.asked.is_none() {
            self.asked = Some(self.only_writer());
        }
        let known = self.asked.as_ref()?.as_ref()?;
        if self.ended && !self.hold(known) { None } else { Some(known.facts.clone()) }
    }

    /// What the only writer says of the stream.
    fn only_writer(&self) -> Option<Known> {
        let mut entries = self.registry.look_up(&self.pipe);
        let (entry, Entry { tool, facts, .. }) = match (entries.pop(), entries.is_empty()) {
            (Some(only), true) => only,
            _ => return None,
        };
        (facts != Facts::default()).then_some(Known { entry, tool, facts })
    }

    /// Whether the stream that was read is that of one writer, the one that said what is known.
    fn hold(&self, known: &Known) -> bool {
        match self.registry.look_up(&self.pipe).as_slice() {
            [(name, entry)] => {
                *name == known.entry
                    && entry.facts == known.facts
                    && entry.status == Status::Ended(0)
                    && entry.bytes == self.bytes
            }
            _ => false,
        }
    }

    /// Refuses a pipe of which nothing will be known at its end.
    fn insist(&mut self, file: &File, name: &str) -> Result<()> {
        self.known = self.registry.knows(file).map(|()| true).map_err(|why| {
            Error::usage(format!(
                "{name}: whether this pipe is whole could not be known at its end, as the tool before \
                 this one has no place to say how it ends ({why}): name a private directory in \
                 {VARIABLE}, or say --unchecked to write -o all the same"
            ))
        })?;
        Ok(())
    }

    /// Judges the end of the pipe `file`. Whoever wrote to it has closed it, so an entry that is open,
    /// or a mark, is that of a writer that did not come to its end.
    fn check(&self, file: &File) -> Result<()> {
        let entries = self.registry.look_up(&self.pipe);
        let noted = entries.len();
        for (_, Entry { status, tool, .. }) in entries {
            let how = match status {
                Status::Ended(0) => continue,
                Status::Ended(code) => format!("failed (exit {code})"),
                Status::Open => "vanished before its end (was it killed?)".to_string(),
            };
            return Err(Error::incomplete(format!(
                "the upstream {tool} {how}; its output is not complete"
            )));
        }
        match pipe_mark::count(file) {
            0 => (),
            // Each of so many has its entry.
            UNCOUNTED if noted >= UNCOUNTED as usize => (),
            _ => {
                return Err(Error::incomplete(
                    "the upstream, a tool that wrote into this pipe, failed or was killed; its \
                     output is not complete",
                ));
            }
        }
        match &self.asked {
            Some(Some(known)) if self.relied_on && !self.hold(known) => {
                Err(Error::incomplete(format!(
                    "the upstream {} is not all that wrote into this pipe, so what it said of the key \
                 does not hold for all of it; name the key with -k",
                    known.tool
                )))
            }
            _ => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::error::ErrorKind;
    use crate::pipe::registry::RegisteredWriter;

    struct Pipe {
        input: PipeInput,
        writer: Option<io::PipeWriter>,
        registry: &'static Registry,
        id: PipeId,
        _dir: tempfile::TempDir,
    }

    impl Pipe {
        fn new() -> Pipe {
            let dir = tempfile::tempdir().unwrap();
            let registry = Registry::new(vec![dir.path().join("mycloud")]);
            let registry: &'static Registry = Box::leak(Box::new(registry));
            let (reader, writer) = io::pipe().unwrap();
            let file = File::from(OwnedFd::from(reader));
            let id = PipeId::of(&file).unwrap();
            let input = PipeInput::registered(file, "input".into(), registry);
            Pipe { input, writer: Some(writer), registry, id, _dir: dir }
        }

        fn enter(&self) -> RegisteredWriter {
            self.registry.enter(&self.id, "mc-up").unwrap()
        }

        fn write(&mut self, text: &str) {
            self.writer.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
        }

        fn read(&mut self) -> Result<usize> {
            Input::read(&mut self.input, &mut [0; 100])
        }

        fn end(&mut self) -> Result<usize> {
            self.writer = None;
            self.read()
        }
    }

    fn keyed() -> Facts {
        Facts { key: Some("a".into()), ..Facts::default() }
    }

    fn incomplete(result: Result<usize>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
        error.to_string()
    }

    #[test]
    fn the_end_of_unknown_writers_is_the_end() {
        let mut pipe = Pipe::new();
        pipe.write("x");
        assert_eq!(pipe.read().unwrap(), 1);
        assert_eq!(pipe.input.facts(), None);
        assert_eq!(pipe.end().unwrap(), 0);
    }

    #[test]
    fn a_writer_that_ended_well_is_believed() {
        let mut pipe = Pipe::new();
        let writer = pipe.enter();
        writer.declare(&keyed());
        pipe.write("abc");
        assert_eq!(pipe.read().unwrap(), 3);
        assert_eq!(pipe.input.facts(), Some(keyed()));
        writer.end(0, 3, b"");
        assert_eq!(pipe.end().unwrap(), 0);
        assert_eq!(pipe.input.facts(), Some(keyed()));
    }

    #[test]
    fn a_writer_that_failed_or_vanished_is_an_error_at_the_end_and_every_time_after() {
        let mut pipe = Pipe::new();
        pipe.enter().end(0, 0, b"");
        pipe.enter().end(3, 0, b"");
        assert_eq!(
            incomplete(pipe.end()),
            "the upstream mc-up failed (exit 3); its output is not complete"
        );
        incomplete(pipe.read());
        let mut pipe = Pipe::new();
        drop(pipe.enter());
        assert!(incomplete(pipe.end()).starts_with("the upstream mc-up vanished"));
    }

    #[test]
    fn bytes_of_others_void_the_facts_and_only_them() {
        let mixed = |ask: fn(&mut PipeInput) -> Option<Facts>| {
            let mut pipe = Pipe::new();
            let writer = pipe.enter();
            writer.declare(&keyed());
            pipe.write("abc");
            pipe.read().unwrap();
            let said = ask(&mut pipe.input);
            writer.end(0, 2, b"");
            (said, pipe.end(), pipe.input.promised())
        };
        assert!(matches!(mixed(|_| None), (None, Ok(0), None)));
        assert!(matches!(mixed(PipeInput::promised), (Some(_), Ok(0), None)));
        let (said, end, _) = mixed(PipeInput::facts);
        assert_eq!(said, Some(keyed()));
        assert!(incomplete(end).contains("name the key with -k"));
    }

    #[test]
    fn two_writers_have_no_facts() {
        let mut pipe = Pipe::new();
        for _ in 0..2 {
            let writer = pipe.enter();
            writer.declare(&keyed());
            writer.end(0, 0, b"");
        }
        assert_eq!((pipe.input.facts(), pipe.end().unwrap()), (None, 0));
    }

    #[test]
    fn large_reads_take_what_is_there_and_wait_for_no_more() {
        let mut pipe = Pipe::new();
        pipe.write(&"x".repeat(3 * STEP_BYTES + 7));
        let mut buffer = vec![0; 1 << 20];
        assert_eq!(Input::read(&mut pipe.input, &mut buffer).unwrap(), 3 * STEP_BYTES + 7);
        pipe.write(&"x".repeat(STEP_BYTES));
        assert_eq!(Input::read(&mut pipe.input, &mut buffer).unwrap(), STEP_BYTES);
    }
}
