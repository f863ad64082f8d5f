//! Files of the client for the commands here: a command asks on a socket ([`listener`]), the tool
//! sends the file ([`transfer`]), and a copy of it stays as long as the run: what all commands read
//! comes once.
//!
//! Of each path there is one copy, which those who ask while it comes read with the first one. Who
//! asks later has the tool look whether the file is still the same. A transfer that nobody reads any
//! more is dropped with what came of it.

mod listener;
mod transfer;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::client::ClientAccess;
use crate::error::{Error, ErrorKind, Result, broken};
use crate::parallel::lock;
use crate::record::bytes::Bytes;
use crate::wire::client::{ClientAsk, ClientReply, OF_WORKER, OPEN_MAX};
use crate::wire::message::Reply;
use crate::worker::base;
use crate::worker::client::transfer::Transfer;
pub(crate) use crate::worker::client::transfer::{CopyProgress, CopyReader};
use crate::worker::state::WorkerState;

/// The name of the socket.
const SOCKET: &str = "socket";

/// The most copies whose paths are kept in mind.
const COPIES_MAX: usize = 1 << 20;

/// The copy of a path, if there is one: who holds it asks for one.
type Slot = Arc<Mutex<Option<Arc<Transfer>>>>;

/// The files of the client, as far as they are wanted here.
pub(crate) struct ClientCopies {
    /// Where copies lie, and the socket.
    directory: PathBuf,
    /// Whether commands may ask for any.
    shared: bool,
    last: AtomicU32,
    /// What was asked of the tool and is not answered in full.
    open: Mutex<HashMap<u32, Arc<Transfer>>>,
    /// An open request has ended.
    ended: Condvar,
    copies: Mutex<HashMap<Vec<u8>, Slot>>,
}

impl ClientCopies {
    /// None yet; they are to lie in `directory`, which is made. Commands may ask for them if they are
    /// `shared`.
    ///
    /// # Errors
    /// `Storage` when it cannot be made.
    pub(crate) fn create(directory: PathBuf, shared: bool) -> Result<ClientCopies> {
        base::make_private(&directory).map_err(|e| {
            Error::new(ErrorKind::Storage, Error::path("make", &directory, &e).to_string())
        })?;
        Ok(ClientCopies {
            directory,
            shared,
            last: AtomicU32::new(0),
            open: Mutex::default(),
            ended: Condvar::new(),
            copies: Mutex::default(),
        })
    }

    /// Whether commands may ask for any.
    pub(crate) fn are_shared(&self) -> bool {
        self.shared
    }

    /// What the environment of a command says of where to ask: nowhere, if nothing is shared.
    pub(crate) fn variable(&self) -> OsString {
        match self.shared {
            true => ClientAccess::worker(&self.directory.join(SOCKET)),
            false => ClientAccess::here(Vec::new()),
        }
    }

    /// Has a file come that the tool sends for no command; where it lies, for the caller to take.
    ///
    /// # Errors
    /// As [`ClientCopies::read`].
    pub(super) fn bring(&self, worker: &Arc<WorkerState>, ask: ClientAsk) -> Result<PathBuf> {
        let asked = self.ask(worker, ask)?;
        asked.first_answer()?;
        let copy = CopyReader::join(worker, &asked, false);
        let copy = copy.ok_or_else(|| broken("a file that was never sent"))?;
        copy.progress(u64::MAX)?;
        Ok(copy.path().to_path_buf())
    }

    /// Asks the tool, once it owes less than [`OPEN_MAX`] answers.
    fn ask(&self, worker: &WorkerState, ask: ClientAsk) -> Result<Arc<Transfer>> {
        let number = OF_WORKER | (self.last.fetch_add(1, Ordering::SeqCst) & !OF_WORKER);
        let place = self.directory.join(number.to_string());
        let transfer = Arc::new(match &ask {
            ClientAsk::Read { path, .. } => Transfer::named(number, place, path),
            _ => Transfer::new(number, place),
        });
        let mut open = lock(&self.open);
        while open.len() >= OPEN_MAX {
            open = self.ended.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        if worker.ending.load(Ordering::SeqCst) {
            return Err(Error::incomplete("the tool has gone"));
        }
        open.insert(number, Arc::clone(&transfer));
        drop(open);
        worker.to_tool.open(number);
        worker.to_tool.message(number, &Reply::Client(ask)).inspect_err(|_| self.end(number))?;
        Ok(transfer)
    }

    fn end(&self, number: u32) {
        lock(&self.open).remove(&number);
        self.ended.notify_one();
    }

    /// Nothing more of a request is wanted.
    fn drop_request(&self, worker: &WorkerState, number: u32) {
        let was_open = lock(&self.open).remove(&number).is_some();
        self.ended.notify_one();
        worker.to_tool.end(number);
        if was_open {
            let _ = worker.to_tool.message(number, &Reply::Client(ClientAsk::Drop));
        }
    }

    /// Forgets a copy that is on its way, which nobody reads any more.
    fn forget(&self, worker: &WorkerState, copy: &Transfer) {
        copy.fail(&Error::incomplete("nobody reads it any more"));
        self.drop_request(worker, copy.number());
    }

    /// Hears an answer of the tool.
    pub(crate) fn answered(&self, worker: &WorkerState, number: u32, reply: ClientReply) {
        // It may have been dropped meanwhile.
        let Some(transfer) = lock(&self.open).get(&number).cloned() else { return };
        if transfer.answered(reply) {
            worker.to_tool.end(number);
            self.end(number);
        }
    }

    /// Takes data; gives the credit that is due.
    ///
    /// # Errors
    /// `Incomplete` for more than was allowed.
    pub(crate) fn arrived(
        &self,
        worker: &WorkerState,
        number: u32,
        bytes: &[u8],
    ) -> Result<Option<u32>> {
        let Some(transfer) = lock(&self.open).get(&number).cloned() else { return Ok(None) };
        match transfer.arrived(bytes) {
            Ok(credit) => Ok(credit),
            Err(error) if error.kind() == ErrorKind::Storage => {
                transfer.fail(&error);
                self.drop_request(worker, number);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The tool has gone.
    pub(crate) fn end_all(&self) {
        let open: Vec<_> = lock(&self.open).drain().collect();
        let gone = Error::incomplete("the tool that shares it has gone");
        open.iter().for_each(|(_, transfer)| transfer.fail(&gone));
        self.ended.notify_all();
    }

    /// A copy of a file of the client, which is there or on its way.
    ///
    /// # Errors
    /// What the tool says; `Incomplete` when it has gone.
    pub(crate) fn read(&self, worker: &Arc<WorkerState>, path: &Bytes) -> Result<CopyReader> {
        let mut copies = lock(&self.copies);
        if copies.len() >= COPIES_MAX && !copies.contains_key(&path.0) {
            return Err(Error::usage("too many files of the client in one run: pack them"));
        }
        let slot = Arc::clone(copies.entry(path.0.clone()).or_default());
        drop(copies);
        let mut copy = lock(&slot);
        if let Some(reader) = copy.as_ref().and_then(|copy| CopyReader::join(worker, copy, true)) {
            return Ok(reader);
        }
        let known = copy.as_ref().and_then(|copy| copy.identity());
        let asked = self.ask(worker, ClientAsk::Read { path: path.clone(), known })?;
        if asked.first_answer()? {
            *copy = Some(asked);
        }
        let reader = copy.as_ref().and_then(|copy| CopyReader::join(worker, copy, false));
        reader.ok_or_else(|| broken("a file that is unchanged, and was never sent"))
    }

    /// Whether a file may be written.
    ///
    /// # Errors
    /// As [`ClientCopies::read`].
    pub(crate) fn may_write(&self, worker: &WorkerState, path: &Bytes) -> Result<()> {
        self.ask(worker, ClientAsk::MayWrite(path.clone()))?.done()
    }
}
