//! The command's side on a host: it asks the worker there, which has a copy of the file, or brings
//! one, or takes one to the client.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::client::Shown;
use crate::client::talk::{self, CommandAsk, WorkerAnswer};
use crate::error::{Error, Result, broken};
use crate::record::bytes::Bytes;
use crate::record::stream::Input;

/// A file of the client that is read here while it comes.
#[derive(Debug)]
pub struct Arriving {
    answers: BufReader<UnixStream>,
    copy: File,
    at: u64,
    /// How much is there, and whether that is all.
    came: u64,
    whole: bool,
    name: String,
}

/// Asks the worker at `socket` for a file of the client.
///
/// # Errors
/// What the tool says; `Incomplete` when the worker has gone.
pub(super) fn read(socket: &Path, path: &Path) -> Result<Arriving> {
    let name = Shown(path).to_string();
    let mut answers = ask(socket, path, &CommandAsk::Read(path.as_os_str().into()))?;
    match next(&mut answers, &name)? {
        WorkerAnswer::Copy(copy) => {
            let copy = PathBuf::from(std::ffi::OsString::from(copy));
            let copy = File::open(&copy).map_err(|e| Error::path("read", &copy, &e))?;
            Ok(Arriving { answers, copy, at: 0, came: 0, whole: false, name })
        }
        other => Err(refusal(other, &name)),
    }
}

impl Input for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.at == self.came && !self.whole {
            match next(&mut self.answers, &self.name)? {
                WorkerAnswer::Came(came) => self.came = came,
                WorkerAnswer::Whole(came) => (self.came, self.whole) = (came, true),
                other => return Err(refusal(other, &self.name)),
            }
        }
        let there = usize::try_from(self.came.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(there);
        let got = self.copy.read_at(&mut buffer[..wanted], self.at);
        let got = got.map_err(|e| Error::io("read the copy of", &self.name, &e))?;
        if got == 0 && wanted > 0 {
            return Err(Error::incomplete(format!("{}: its copy is cut short", self.name)));
        }
        self.at += got as u64;
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn is_ready(&self) -> bool {
        self.at < self.came || self.whole
    }
}

/// A file on its way to the client: it is kept here until it is whole, and the client writes it
/// beside its place and gives it its name.
#[derive(Debug)]
pub struct ClientUpload {
    socket: PathBuf,
    path: PathBuf,
    kept: File,
    bytes: u64,
}

impl ClientUpload {
    /// Begins a file for the client, by way of the worker at `socket`, and asks whether it may be.
    ///
    /// # Errors
    /// What the tool says; `Storage` when nothing can be kept in `directory`.
    pub(super) fn begin(socket: PathBuf, path: &Path, directory: &Path) -> Result<ClientUpload> {
        let name = Shown(path).to_string();
        let mut answers = ask(&socket, path, &CommandAsk::MayWrite(path.as_os_str().into()))?;
        done(next(&mut answers, &name)?, &name)?;
        let kept = tempfile::tempfile_in(directory)
            .map_err(|e| Error::path("keep a temporary file in", directory, &e))?;
        Ok(ClientUpload { socket, path: path.into(), kept, bytes: 0 })
    }

    /// Sends all of it; it has its name then.
    ///
    /// # Errors
    /// What the tool says; `Incomplete` when the worker has gone.
    pub fn finish(mut self) -> Result<()> {
        let name = Shown(&self.path).to_string();
        let path = Bytes::from(self.path.as_os_str());
        let request = CommandAsk::Write { path, bytes: self.bytes };
        let mut answers = ask(&self.socket, &self.path, &request)?;
        let failed = |e: io::Error| Error::io("send", &name, &e);
        self.kept.seek(SeekFrom::Start(0)).map_err(failed)?;
        // Where the worker takes no more, it says why.
        let sent = io::copy(&mut self.kept, &mut answers.get_ref());
        let answer = next(&mut answers, &name)?;
        done(answer, &name)?;
        sent.map(drop).map_err(failed)
    }
}

impl Write for ClientUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.kept.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ask(socket: &Path, path: &Path, request: &CommandAsk) -> Result<BufReader<UnixStream>> {
    let gone = |e: io::Error| {
        let why = crate::error::reason(&e);
        Error::incomplete(format!("{}: cannot ask the worker for it: {why}", Shown(path)))
    };
    let stream = talk::connect(socket).map_err(gone)?;
    talk::say(&stream, request).map_err(gone)?;
    Ok(BufReader::new(stream))
}

fn next(answers: &mut BufReader<UnixStream>, name: &str) -> Result<WorkerAnswer> {
    let answer = talk::hear(answers).map_err(|error| error.at(name))?;
    answer.ok_or_else(|| Error::incomplete(format!("{name}: the worker that brings it has gone")))
}

fn done(answer: WorkerAnswer, name: &str) -> Result<()> {
    match answer {
        WorkerAnswer::Done => Ok(()),
        other => Err(refusal(other, name)),
    }
}

/// Why an answer is another one than was to come.
fn refusal(answer: WorkerAnswer, name: &str) -> Error {
    match answer {
        // It names the file itself.
        WorkerAnswer::Failed(failed) => failed.error(),
        _ => broken("another answer than was asked for").at(name),
    }
}
