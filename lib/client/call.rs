//! The command's side on a host: it asks the worker there, which has a copy of the file, or brings
//! one, or takes one to the client.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::blocks::{BLOCK_BYTES, BlockSums, changed};
use crate::client::Shown;
use crate::client::talk::{self, CommandAsk, WorkerAnswer};
use crate::error::{Error, Result, broken};
use crate::record::bytes::Bytes;
use crate::record::stream::Input;

/// A file of the client that is read here while it comes.
pub struct Arriving {
    answers: BufReader<UnixStream>,
    copy: File,
    at: u64,
    /// How much is there; once that is all, the hash of it.
    came: u64,
    whole: Option<String>,
    /// The hash of what was read.
    hash: Box<Xxh3>,
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
            let hash = Box::default();
            Ok(Arriving { answers, copy, at: 0, came: 0, whole: None, hash, name })
        }
        other => Err(refusal(other, &name)),
    }
}

impl Input for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.at == self.came && self.whole.is_none() {
            match next(&mut self.answers, &self.name)? {
                WorkerAnswer::Came(came) => self.came = came,
                WorkerAnswer::Whole { bytes, hash } => {
                    (self.came, self.whole) = (bytes, Some(hash));
                }
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
        self.hash.update(&buffer[..got]);
        self.at += got as u64;
        if self.at == self.came
            && let Some(hash) = &self.whole
            && *hash != hash_of(&self.hash)
        {
            let name = &self.name;
            return Err(Error::incomplete(format!("{name}: its copy is not any more what came")));
        }
        Ok(got)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn is_ready(&self) -> bool {
        self.at < self.came || self.whole.is_some()
    }
}

/// The hash of what came, as messages have it.
pub(crate) fn hash_of(hash: &Xxh3) -> String {
    format!("{:032x}", hash.digest128())
}

/// A file on its way to the client: it is kept here until it is whole, and the client writes it
/// beside its place and gives it its name.
#[derive(Debug)]
pub struct ClientUpload {
    socket: PathBuf,
    path: PathBuf,
    kept: File,
    /// What was written to it.
    written: BlockSums,
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
        Ok(ClientUpload { socket, path: path.into(), kept, written: BlockSums::default() })
    }

    /// Sends all of it; it has its name then.
    ///
    /// # Errors
    /// What the tool says; `Incomplete` when the worker has gone, or what was kept has changed.
    pub fn finish(self) -> Result<()> {
        let name = Shown(&self.path).to_string();
        let path = Bytes::from(self.path.as_os_str());
        let request = CommandAsk::Write { path, bytes: self.written.bytes() };
        let mut answers = ask(&self.socket, &self.path, &request)?;
        // Where the worker takes no more, it says why.
        let sent = self.send(answers.get_ref(), &name)?;
        let answer = next(&mut answers, &name)?;
        done(answer, &name)?;
        sent.map_err(|e| Error::io("send", &name, &e))
    }

    /// Sends what was kept, block by block; whether all of it was taken.
    fn send(&self, mut to: &UnixStream, name: &str) -> Result<io::Result<()>> {
        let (mut at, mut block) = (0, Vec::new());
        while at < self.written.bytes() {
            block.resize((self.written.bytes() - at).min(BLOCK_BYTES) as usize, 0);
            let read = self.kept.read_exact_at(&mut block, at);
            read.map_err(|e| Error::io("send", name, &e))?;
            if !self.written.are(at, &block) {
                return Err(changed().at(name));
            }
            if let Err(error) = to.write_all(&block) {
                return Ok(Err(error));
            }
            at += block.len() as u64;
        }
        Ok(Ok(()))
    }
}

impl Write for ClientUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.kept.write(bytes)?;
        self.written.push(&bytes[..count]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::thread::{self, JoinHandle};

    /// A worker at `socket` that answers two calls: as `answers` say, and what it got behind the question.
    fn worker(socket: &Path, answers: [Vec<WorkerAnswer>; 2]) -> JoinHandle<Vec<u8>> {
        let listener = talk::listen(socket).unwrap();
        thread::spawn(move || {
            let mut got = Vec::new();
            for answers in answers {
                let (command, _) = listener.accept().unwrap();
                let mut from = BufReader::new(command.try_clone().unwrap());
                let ask: Option<CommandAsk> = talk::hear(&mut from).unwrap();
                if let Some(CommandAsk::Write { bytes, .. }) = ask {
                    from.take(bytes).read_to_end(&mut got).unwrap();
                }
                // Who has hung up meanwhile hears nothing.
                answers.iter().for_each(|answer| drop(talk::say(&command, answer)));
            }
            got
        })
    }

    #[test]
    fn a_copy_that_is_not_what_came_is_noticed_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, copy) = (dir.path().join("socket"), dir.path().join("copy"));
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let mut hash = Xxh3::new();
        hash.update(&bytes);
        for flip in [None, Some(0), Some(399_999)] {
            let mut there = bytes.clone();
            flip.iter().for_each(|&at| there[at] ^= 1);
            std::fs::write(&copy, there).unwrap();
            let answers = || {
                let whole = WorkerAnswer::Whole { bytes: 400_000, hash: hash_of(&hash) };
                vec![
                    WorkerAnswer::Copy(copy.as_os_str().into()),
                    WorkerAnswer::Came(1000),
                    WorkerAnswer::Came(300_000),
                    whole,
                ]
            };
            let worker = worker(&socket, [answers(), answers()]);
            for _ in 0..2 {
                let mut input = read(&socket, Path::new("/a")).unwrap();
                let (mut all, mut buffer) = (0, vec![0; 7777]);
                let end = loop {
                    match input.read(&mut buffer) {
                        Ok(0) => break Ok(all),
                        Ok(count) => all += count,
                        Err(error) => break Err(error),
                    }
                };
                match flip {
                    None => assert_eq!(end.unwrap(), 400_000),
                    Some(_) => {
                        let said = end.unwrap_err().to_string();
                        assert_eq!(said, "client:///a: its copy is not any more what came");
                    }
                }
            }
            worker.join().unwrap();
            std::fs::remove_file(&socket).unwrap();
        }
    }

    #[test]
    fn a_copy_that_is_cut_short_is_no_file_that_is_shorter() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, copy) = (dir.path().join("socket"), dir.path().join("copy"));
        std::fs::write(&copy, "12").unwrap();
        let answers = || {
            let whole = WorkerAnswer::Whole { bytes: 3, hash: hash_of(&Xxh3::new()) };
            vec![WorkerAnswer::Copy(copy.as_os_str().into()), whole]
        };
        let worker = worker(&socket, [answers(), answers()]);
        for _ in 0..2 {
            let (mut input, mut buffer) = (read(&socket, Path::new("/a")).unwrap(), [0; 10]);
            assert_eq!(Input::read(&mut input, &mut buffer).unwrap(), 2);
            let said = Input::read(&mut input, &mut buffer).unwrap_err().to_string();
            assert_eq!(said, "client:///a: its copy is cut short");
        }
        worker.join().unwrap();
    }

    #[test]
    fn what_was_kept_and_has_changed_is_not_sent_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        for flip in [None, Some(0), Some(65_536), Some(399_999)] {
            let worker = worker(&socket, [vec![WorkerAnswer::Done], vec![WorkerAnswer::Done]]);
            let mut upload =
                ClientUpload::begin(socket.clone(), Path::new("/a"), dir.path()).unwrap();
            bytes.chunks(7777).for_each(|part| upload.write_all(part).unwrap());
            let flipped = |at: usize| upload.kept.write_all_at(&[bytes[at] ^ 1], at as u64);
            flip.into_iter().for_each(|at| flipped(at).unwrap());
            let finished = upload.finish();
            let got = worker.join().unwrap();
            match flip {
                None => assert!(finished.is_ok() && got == bytes),
                Some(at) => {
                    assert_eq!(finished.unwrap_err().exit_code(), 4);
                    assert!(got.len() <= at && bytes.starts_with(&got));
                }
            }
            std::fs::remove_file(&socket).unwrap();
        }
    }
}
