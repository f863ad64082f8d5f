//! A request for a file of the client, and the copy that comes of it.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::Xxh3;

use crate::client::call::hash_of;
use crate::command::each::LocalFile;
use crate::error::{Error, ErrorKind, Result, broken};
use crate::parallel::lock;
use crate::record::bytes::Bytes;
use crate::wire::client::{ClientReply, FileIdentity};
use crate::wire::flow::Debt;
use crate::wire::message::Failed;
use crate::worker::base;
use crate::worker::state::WorkerState;

/// A request of this worker to the tool.
pub(super) struct Transfer {
    number: u32,
    /// Where the copy lies, once there is one.
    path: PathBuf,
    /// The directory that it has for itself, where it keeps its name.
    own: Option<PathBuf>,
    state: Mutex<TransferState>,
    changed: Condvar,
}

#[derive(Default)]
struct TransferState {
    step: Step,
    file: Option<File>,
    came: u64,
    hash: Xxh3,
    debt: Debt,
    readers: usize,
}

/// How far a request has come.
#[derive(Clone, Debug, Default)]
enum Step {
    #[default]
    Asked,
    /// The copy that is there is right.
    Unchanged,
    Arriving(FileIdentity),
    Whole(FileIdentity),
    /// It went well, where nothing was to come.
    Done,
    Failed(Failed),
}

/// How much of a copy is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CopyProgress {
    /// So many bytes.
    Came(u64),
    /// All of them, so many, and their hash.
    Whole(u64, String),
}

impl Transfer {
    /// A request of this number, whose copy is to lie at `path`.
    pub(super) fn new(number: u32, path: PathBuf) -> Transfer {
        Transfer { number, path, own: None, state: Mutex::default(), changed: Condvar::new() }
    }

    /// A request of this number, whose copy is to lie in a directory at `own`, which is made with it,
    /// under the name that it has as `path`: programs go by the endings of names.
    pub(super) fn named(number: u32, own: PathBuf, path: &Bytes) -> Transfer {
        match Path::new(OsStr::from_bytes(&path.0)).file_name() {
            Some(name) => {
                Transfer { own: Some(own.clone()), ..Transfer::new(number, own.join(name)) }
            }
            None => Transfer::new(number, own),
        }
    }

    /// Its number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    fn state(&self) -> MutexGuard<'_, TransferState> {
        lock(&self.state)
    }

    /// Waits until `found` finds something.
    fn wait<T>(&self, mut found: impl FnMut(&TransferState) -> Option<T>) -> T {
        let mut state = self.state();
        loop {
            if let Some(found) = found(&state) {
                return found;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Hears the tool; whether that was its last answer.
    pub(super) fn answered(&self, reply: ClientReply) -> bool {
        let mut state = self.state();
        let next = match (reply, &state.step) {
            (ClientReply::Failed(failed), _) => Err(failed),
            (ClientReply::Opened(identity), Step::Asked) => match self.create() {
                Ok(file) => {
                    state.file = Some(file);
                    Ok(Step::Arriving(identity))
                }
                Err(error) => Err(Failed::of(&error)),
            },
            (ClientReply::Unchanged, Step::Asked) => Ok(Step::Unchanged),
            (ClientReply::Done, Step::Asked) => Ok(Step::Done),
            (ClientReply::Sent(hash), Step::Arriving(identity)) => {
                match hash_of(&state.hash) == hash && state.came == identity.size {
                    true => Ok(Step::Whole(*identity)),
                    false => Err(Failed::of(&broken("a file is not what was sent"))),
                }
            }
            _ => Err(Failed::of(&broken("an answer to nothing"))),
        };
        state.step = next.unwrap_or_else(Step::Failed);
        let ended = !matches!(state.step, Step::Arriving(_));
        match state.step {
            Step::Failed(_) => self.remove(&mut state),
            // From now on nobody changes it by mistake.
            Step::Whole(_) => {
                state.file = None;
                let _ = fs::set_permissions(&self.path, Permissions::from_mode(0o400));
            }
            _ => (),
        }
        drop(state);
        self.changed.notify_all();
        ended
    }

    fn storage(&self, doing: &str, error: &std::io::Error) -> Error {
        Error::new(ErrorKind::Storage, Error::path(doing, &self.path, error).to_string())
    }

    fn create(&self) -> Result<File> {
        if let Some(own) = &self.own {
            base::make_private(own).map_err(|e| self.storage("write", &e))?;
        }
        File::create_new(&self.path).map_err(|e| self.storage("write", &e))
    }

    fn remove(&self, state: &mut TransferState) {
        if state.file.take().is_some() {
            let _ = fs::remove_file(&self.path);
            self.own.iter().for_each(|own| drop(fs::remove_dir(own)));
        }
    }

    /// Takes data; gives the credit that is due.
    pub(super) fn arrived(&self, bytes: &[u8]) -> Result<Option<u32>> {
        let mut state = self.state();
        if !state.debt.came(bytes.len() as u64) {
            return Err(broken("more data than it was allowed to send"));
        }
        let Some(mut file) = state.file.as_ref() else { return Err(broken("data of no file")) };
        file.write_all(bytes).map_err(|e| self.storage("write", &e))?;
        state.hash.update(bytes);
        state.came += bytes.len() as u64;
        let credit = state.debt.dealt_with(bytes.len() as u64);
        drop(state);
        self.changed.notify_all();
        Ok(credit)
    }

    /// Nothing comes of it, if it has not ended.
    pub(super) fn fail(&self, error: &Error) {
        let mut state = self.state();
        if matches!(state.step, Step::Asked | Step::Arriving(_)) {
            state.step = Step::Failed(Failed::of(error));
            self.remove(&mut state);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// What the copy is of, where all of it is here.
    pub(super) fn identity(&self) -> Option<FileIdentity> {
        match self.state().step {
            Step::Whole(identity) => Some(identity),
            _ => None,
        }
    }

    /// Waits for the first answer: whether a copy comes, and not that which is there is right.
    pub(super) fn first_answer(&self) -> Result<bool> {
        self.wait(|state| match &state.step {
            Step::Asked => None,
            Step::Failed(failed) => Some(Err(failed.error())),
            Step::Unchanged => Some(Ok(false)),
            _ => Some(Ok(true)),
        })
    }

    /// Waits until the tool has done what was asked.
    pub(super) fn done(&self) -> Result<()> {
        self.wait(|state| match &state.step {
            Step::Asked => None,
            Step::Failed(failed) => Some(Err(failed.error())),
            Step::Done => Some(Ok(())),
            _ => Some(Err(broken("a file that was to be written"))),
        })
    }
}

/// Somebody who reads a copy, which stays as long as that.
pub(crate) struct CopyReader {
    worker: Arc<WorkerState>,
    copy: Arc<Transfer>,
}

impl CopyReader {
    /// One more reader of a copy, if it is there or, `only` that, on its way.
    pub(super) fn join(
        worker: &Arc<WorkerState>,
        copy: &Arc<Transfer>,
        only_arriving: bool,
    ) -> Option<CopyReader> {
        let mut state = copy.state();
        match state.step {
            Step::Arriving(_) => (),
            Step::Whole(_) if !only_arriving => (),
            _ => return None,
        }
        state.readers += 1;
        Some(CopyReader { worker: Arc::clone(worker), copy: Arc::clone(copy) })
    }

    /// Where the copy lies.
    pub(crate) fn path(&self) -> &Path {
        &self.copy.path
    }

    /// Waits until more than `seen` bytes are there, or all.
    ///
    /// # Errors
    /// What the tool says; `Storage` when there is no room; `Incomplete` when the tool has gone.
    pub(crate) fn progress(&self, seen: u64) -> Result<CopyProgress> {
        self.copy.wait(|state| match &state.step {
            Step::Whole(_) => Some(Ok(CopyProgress::Whole(state.came, hash_of(&state.hash)))),
            Step::Failed(failed) => Some(Err(failed.error())),
            _ if state.came > seen => Some(Ok(CopyProgress::Came(state.came))),
            _ => None,
        })
    }
}

impl LocalFile for CopyReader {
    fn path(&self) -> &Path {
        CopyReader::path(self)
    }
}

impl Drop for CopyReader {
    fn drop(&mut self) {
        let mut state = self.copy.state();
        state.readers -= 1;
        let unwanted = state.readers == 0 && matches!(state.step, Step::Arriving(_));
        drop(state);
        if unwanted && let Some(client) = &self.worker.client {
            client.forget(&self.worker, &self.copy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"what is sent";

    /// A transfer of a file of so many bytes, all of which have come.
    fn came(directory: &Path, size: u64) -> (Transfer, PathBuf) {
        let path = directory.join("copy");
        let transfer = Transfer::new(1, path.clone());
        let identity = FileIdentity { device: 1, inode: 2, size, modified: 3 };
        assert!(!transfer.answered(ClientReply::Opened(identity)));
        BYTES.chunks(5).for_each(|part| assert_eq!(transfer.arrived(part).unwrap(), None));
        (transfer, path)
    }

    fn hash(bytes: &[u8]) -> String {
        let mut hash = Xxh3::new();
        hash.update(bytes);
        hash_of(&hash)
    }

    #[test]
    fn a_copy_is_what_was_sent_or_none() {
        let size = BYTES.len() as u64;
        for (size, sent, is_good) in [
            (size, hash(BYTES), true),
            (size, hash(b"what is sent!"), false),
            (size + 1, hash(BYTES), false),
            (size - 1, hash(BYTES), false),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let (transfer, path) = came(dir.path(), size);
            assert!(transfer.answered(ClientReply::Sent(sent)));
            assert_eq!((transfer.identity().is_some(), path.exists()), (is_good, is_good));
            let said = |state: &TransferState| match &state.step {
                Step::Failed(failed) => failed.text.clone(),
                _ => String::new(),
            };
            let said = said(&transfer.state());
            assert_eq!(said.ends_with("a file is not what was sent"), !is_good, "{said}");
        }
    }

    #[test]
    fn more_than_may_be_sent_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (transfer, _) = came(dir.path(), u64::MAX);
        let much = vec![b'x'; crate::wire::flow::WINDOW_BYTES as usize + 1];
        assert_eq!(transfer.arrived(&much).unwrap_err().exit_code(), 4);
        assert!(Transfer::new(2, dir.path().join("other")).arrived(b"x").is_err(), "of no file");
    }
}
