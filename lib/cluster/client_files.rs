//! Files of this machine that a worker asks for, for a command that runs there: each request has a
//! thread of its own, so that neither the disk nor the host holds up what else is said. What is
//! served, and under which rules, [`ClientFiles`] knows.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use crate::cluster::connection::Connection;
use crate::cluster::hearing::Request;
use crate::cluster::shipment::is_unchanged;
use crate::error::{Error, ErrorKind, Result, broken};
use crate::parallel::lock;
use crate::record::bytes::Bytes;
use crate::wire::FrameKind;
use crate::wire::client::{ClientAsk, ClientReply, FileIdentity, OF_WORKER, OPEN_MAX};
use crate::wire::message::{self, Ask, Failed, Reply};

/// How much of a file is read at once.
const READ_BYTES: usize = 128 * 1024;

/// The most requests of one worker: some that it has dropped may not have ended yet.
const REQUESTS_MAX: usize = 4 * OPEN_MAX;

/// Serves files of this machine.
pub trait ClientFiles: Send + Sync {
    /// Opens a file that is to be read; what it is.
    ///
    /// # Errors
    /// Why it is not served.
    fn read(&self, path: &Path) -> Result<(File, FileIdentity)>;

    /// Sees that a file that was opened, and of which so many bytes were read, is still what it was.
    ///
    /// # Errors
    /// When it is not.
    fn check(&self, path: &Path, was: &FileIdentity, file: &File, bytes: u64) -> Result<()>;

    /// Whether a file of this path may be written.
    ///
    /// # Errors
    /// Why not.
    fn may_write(&self, path: &Path) -> Result<()>;

    /// Begins a file. It appears once it is finished.
    ///
    /// # Errors
    /// Why there can be none.
    fn write(&self, path: &Path) -> Result<Box<dyn ClientFile>>;
}

/// A file that is being written; dropped before its end, nothing is left of it.
pub trait ClientFile: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// It is whole, and gets its name.
    ///
    /// # Errors
    /// When it cannot.
    fn finish(self: Box<Self>) -> Result<()>;
}

impl Connection {
    /// Hears what the worker asks.
    ///
    /// # Errors
    /// `Incomplete` for what it may not ask.
    pub(super) fn asked(self: &Arc<Connection>, request: u32, ask: ClientAsk) -> Result<()> {
        if request & OF_WORKER == 0 {
            return Err(broken("a request of the worker under a number of ours"));
        }
        if ask == ClientAsk::Drop {
            if let Some(open) = self.state().requests.get_mut(&request) {
                open.reply = Some(Reply::Client(ask));
            }
            self.changed.notify_all();
            return Ok(());
        }
        let mut state = self.state();
        let open = state.requests.keys().filter(|number| *number & OF_WORKER != 0).count();
        let twice = state.requests.insert(request, Request::default()).is_some();
        drop(state);
        if twice || open >= REQUESTS_MAX {
            return Err(broken("too many requests of the worker, or one twice"));
        }
        let connection = Arc::clone(self);
        std::thread::Builder::new()
            .spawn(move || connection.serve(request, ask))
            .map(drop)
            .map_err(|e| Error::io("start", "a thread", &e))
    }

    fn serve(&self, request: u32, ask: ClientAsk) {
        let answer = self.answer_to(request, ask).unwrap_or_else(|error| {
            if error.kind() == ErrorKind::Usage {
                (self.explain)(&format!("{}: {error}", self.shown()));
            }
            ClientReply::Failed(Failed::of(&error))
        });
        self.close(request);
        // A worker that is lost needs no answer.
        let _ = self.tell_client(request, answer);
    }

    fn tell_client(&self, request: u32, reply: ClientReply) -> Result<()> {
        self.frame(FrameKind::Control, request, &message::encode(&Ask::Client(reply)))
    }

    fn answer_to(&self, request: u32, ask: ClientAsk) -> Result<ClientReply> {
        let path = |bytes: Bytes| PathBuf::from(std::ffi::OsString::from(bytes));
        if let ClientAsk::Shipped(hash) = &ask {
            let shipment = Arc::clone(&lock(&self.shipment));
            let (path, file, identity) = shipment.open(hash)?;
            self.tell_client(request, ClientReply::Opened(identity))?;
            let (hash, _) = self.send_file(request, path, &file)?;
            return is_unchanged(path, &identity, &file).map(|()| ClientReply::Sent(hash));
        }
        let Some(files) = &self.client else {
            return Err(Error::usage("nothing of this machine is shared: say --share DIR"));
        };
        match ask {
            ClientAsk::Read { path: bytes, known } => {
                let path = path(bytes);
                let (file, identity) = files.read(&path)?;
                if known == Some(identity) {
                    return Ok(ClientReply::Unchanged);
                }
                self.tell_client(request, ClientReply::Opened(identity))?;
                let (hash, bytes) = self.send_file(request, &path, &file)?;
                files.check(&path, &identity, &file, bytes)?;
                Ok(ClientReply::Sent(hash))
            }
            ClientAsk::MayWrite(bytes) => files.may_write(&path(bytes)).map(|()| ClientReply::Done),
            ClientAsk::Write { path: name, bytes } => {
                let mut file = files.write(&path(name))?;
                self.receive_file(request, file.as_mut(), bytes)?;
                file.finish().map(|()| ClientReply::Done)
            }
            ClientAsk::Shipped(_) | ClientAsk::Drop => Err(broken("nothing to drop")),
        }
    }

    /// Sends the content of a file; its hash, and how much it was.
    fn send_file(&self, request: u32, path: &Path, file: &File) -> Result<(String, u64)> {
        let (mut hash, mut at, mut buffer) = (Xxh3::new(), 0, vec![0; READ_BYTES]);
        loop {
            let count = file.read_at(&mut buffer, at).map_err(|e| Error::path("read", path, &e))?;
            if count == 0 {
                return Ok((format!("{:032x}", hash.digest128()), at));
            }
            hash.update(&buffer[..count]);
            self.send(request, &buffer[..count])?;
            at += count as u64;
            let state = self.state();
            if state.requests.get(&request).is_none_or(|open| open.reply.is_some()) {
                return Err(Error::incomplete("not wanted any more"));
            }
        }
    }

    /// Takes the content of a file, which is so many `bytes`.
    fn receive_file(&self, request: u32, file: &mut dyn ClientFile, bytes: u64) -> Result<()> {
        let mut left = bytes;
        loop {
            let came = self.wait(|state| {
                let open = state.requests.get_mut(&request)?;
                if open.reply.is_some() {
                    return Some(Err(Error::incomplete("not wanted any more")));
                }
                let Some(data) = open.data.pop_front() else {
                    return open.whole.then_some(Ok(None));
                };
                let credit = open.debt.dealt_with(data.len() as u64);
                Some(Ok(Some((data, credit))))
            })??;
            let (data, credit) = match came {
                Some(came) => came,
                None if left == 0 => return Ok(()),
                None => return Err(Error::incomplete("not all of a file has come")),
            };
            let rest = left.checked_sub(data.len() as u64);
            left = rest.ok_or_else(|| broken("more of a file than there is"))?;
            file.write(&data)?;
            if let Some(credit) = credit {
                self.frame(FrameKind::Credit, request, &credit.to_le_bytes())?;
            }
        }
    }
}
