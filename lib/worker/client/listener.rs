//! The socket on which commands ask for files of the client.

use std::io::{BufReader, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::client::talk::{self, CommandAsk, WorkerAnswer};
use crate::error::{Error, ErrorKind, Result};
use crate::record::bytes::Bytes;
use crate::wire::FrameKind;
use crate::wire::client::ClientAsk;
use crate::wire::message::Failed;
use crate::worker::client::{ClientCopies, CopyProgress, SOCKET};
use crate::worker::state::WorkerState;

/// How long to wait where no more commands can be heard, for some to end.
const PAUSE: Duration = Duration::from_millis(50);

/// How much of a file is sent at once.
const SEND_BYTES: usize = 256 * 1024;

impl ClientCopies {
    /// Hears the commands of `worker`, from now on until the process ends.
    ///
    /// # Errors
    /// `Storage` when there can be no socket.
    pub(crate) fn listen(&self, worker: &Arc<WorkerState>) -> Result<()> {
        let path = self.directory.join(SOCKET);
        let failed = |e: std::io::Error| Error::path("listen at", &path, &e);
        let listener = talk::listen(&path)
            .map_err(|e| Error::new(ErrorKind::Storage, failed(e).to_string()))?;
        let worker = Arc::clone(worker);
        let listening = thread::Builder::new().spawn(move || listen(&worker, &listener));
        listening.map(drop).map_err(|e| Error::io("start", "a thread", &e))
    }

    /// Answers one command.
    fn serve(&self, worker: &Arc<WorkerState>, command: &UnixStream) -> Result<WorkerAnswer> {
        let mut from = BufReader::new(command);
        match talk::hear(&mut from)? {
            Some(CommandAsk::Read(path)) => self.serve_copy(worker, command, &path),
            Some(CommandAsk::MayWrite(path)) => {
                self.may_write(worker, &path).map(|()| WorkerAnswer::Done)
            }
            Some(CommandAsk::Write { path, bytes }) => {
                self.send(worker, &mut from.take(bytes), path, bytes).map(|()| WorkerAnswer::Done)
            }
            None => Err(Error::incomplete("nothing was asked")),
        }
    }

    fn serve_copy(
        &self,
        worker: &Arc<WorkerState>,
        command: &UnixStream,
        path: &Bytes,
    ) -> Result<WorkerAnswer> {
        let gone = |_| Error::incomplete("the command has gone");
        let copy = self.read(worker, path)?;
        talk::say(command, &WorkerAnswer::Copy(copy.path().as_os_str().into())).map_err(gone)?;
        let mut seen = 0;
        let (bytes, hash) = loop {
            match copy.progress(seen)? {
                CopyProgress::Came(came) => {
                    talk::say(command, &WorkerAnswer::Came(came)).map_err(gone)?;
                    seen = came;
                }
                CopyProgress::Whole(bytes, hash) => break (bytes, hash),
            }
        };
        talk::say(command, &WorkerAnswer::Whole { bytes, hash }).map_err(gone)?;
        // It stays as long as the command may read it.
        let _ = (&mut &*command).read(&mut [0]);
        Err(Error::incomplete("the command has gone"))
    }

    /// Sends a file to the client: `bytes` of `from`.
    fn send(
        &self,
        worker: &WorkerState,
        from: &mut impl Read,
        path: Bytes,
        bytes: u64,
    ) -> Result<()> {
        let asked = self.ask(worker, ClientAsk::Write { path, bytes })?;
        let number = asked.number();
        let (mut left, mut buffer) = (bytes, vec![0; SEND_BYTES]);
        while left > 0 {
            match from.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    left -= count as u64;
                    if worker.to_tool.data(number, &buffer[..count]).is_err() {
                        // The tool has said why.
                        return asked.done();
                    }
                }
                _ => {
                    self.drop_request(worker, number);
                    return Err(Error::incomplete("the command has gone"));
                }
            }
        }
        worker.to_tool.frame(FrameKind::End, number, &[])?;
        asked.done()
    }
}

fn listen(worker: &Arc<WorkerState>, listener: &UnixListener) {
    while !worker.ending.load(Ordering::SeqCst) {
        let Ok((command, _)) = listener.accept() else {
            // Too many descriptors are open, say.
            thread::sleep(PAUSE);
            continue;
        };
        let worker = Arc::clone(worker);
        // Without a thread the command sees that its call ended.
        let _ = thread::Builder::new().spawn(move || {
            let Some(client) = &worker.client else { return };
            let answer = client.serve(&worker, &command);
            let answer = answer.unwrap_or_else(|error| WorkerAnswer::Failed(Failed::of(&error)));
            let _ = talk::say(&command, &answer);
        });
    }
}
