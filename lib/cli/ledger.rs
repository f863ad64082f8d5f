//! The ledger: the temporary names that a tool has now, for whoever cleans up behind it.
//!
//! The child of the guard writes each name into a pipe before it makes it, and again when it is
//! gone; the parent keeps what it reads there. Each of the two can remove what is noted.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::poll::PollFlags;

use crate::error::{Error, Result};
use crate::format::ledger::Notes;
use crate::run::pipe;

/// What begins the note of a name that is about to be made.
const MADE: u8 = b'+';

/// What begins the note of a name that is gone.
const GONE: u8 = b'-';

/// How often the removal of a tree begins anew when something appears in it.
const REMOVE_TRIES: u32 = 100;

/// What ends a note; no name holds it.
const END: u8 = 0;

/// The child's side: it notes.
#[derive(Debug)]
pub(super) struct Names {
    names: Mutex<BTreeSet<PathBuf>>,
    guard: OwnedFd,
}

impl Names {
    /// To note into `guard`, a pipe.
    pub(super) fn new(guard: OwnedFd) -> Names {
        Names { names: Mutex::default(), guard }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, what: u8, path: &Path) -> nix::Result<()> {
        let mut note = vec![what];
        note.extend_from_slice(path.as_os_str().as_bytes());
        note.push(END);
        let mut rest = note.as_slice();
        while !rest.is_empty() {
            match nix::unistd::write(&self.guard, rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(Errno::EINTR) => (),
                Err(Errno::EAGAIN) => pipe::wait(&self.guard, PollFlags::POLLOUT),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes all that is noted, and lets nobody note anything any more.
    pub(super) fn remove_all(&self) {
        let names = self.lock();
        names.iter().for_each(|name| remove(name));
        std::mem::forget(names);
    }
}

impl Notes for Names {
    fn promise(&self, path: &Path) -> Result<()> {
        let failed = |error: io::Error| Error::path("note", path, &error);
        let full = std::path::absolute(path).map_err(failed)?;
        let mut names = self.lock();
        self.note(MADE, &full).map_err(|e| failed(e.into()))?;
        names.insert(full);
        Ok(())
    }

    fn pass(&self) {
        drop(self.lock());
    }

    fn settle(&self, path: &Path) {
        let Ok(full) = std::path::absolute(path) else { return };
        let mut names = self.lock();
        // A guard that does not hear of it finds nothing to remove.
        let _ = self.note(GONE, &full);
        names.remove(&full);
    }
}

/// The parent's side: it keeps what is noted.
#[derive(Debug)]
pub(super) struct Kept {
    names: BTreeSet<PathBuf>,
    /// `None` once the child has closed its side.
    notes: Option<OwnedFd>,
    /// The beginning of a note whose end was not read yet.
    rest: Vec<u8>,
}

impl Kept {
    /// To read from `notes`, a pipe that does not block.
    pub(super) fn new(notes: OwnedFd) -> Kept {
        Kept { names: BTreeSet::new(), notes: Some(notes), rest: Vec::new() }
    }

    /// What to wait for before [`Kept::read`].
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.notes.as_ref().map(AsFd::as_fd)
    }

    /// Reads what was noted so far.
    pub(super) fn read(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(notes) = &self.notes {
            match nix::unistd::read(notes, &mut buffer) {
                Ok(0) => self.notes = None,
                Ok(got) => self.take(&buffer[..got]),
                Err(Errno::EINTR) => (),
                Err(Errno::EAGAIN) => return,
                Err(_) => self.notes = None,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|&byte| byte == END) {
            let note: Vec<u8> = self.rest.drain(..=end).collect();
            let name = PathBuf::from(OsStr::from_bytes(&note[1..end]));
            match note[0] {
                MADE => self.names.insert(name),
                _ => self.names.remove(&name),
            };
        }
    }

    /// Removes all that is noted.
    pub(super) fn remove_all(&self) {
        self.names.iter().for_each(|name| remove(name));
    }
}

/// Removes a file or a tree. What is not there any more, or cannot be removed, is left.
fn remove(path: &Path) {
    for _ in 0..REMOVE_TRIES {
        let is_tree = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        let removed = if is_tree { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        // What a thread of ours had begun to make when we came may appear while we remove.
        if !removed.is_err_and(|e| e.kind() == io::ErrorKind::DirectoryNotEmpty) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::OFlag;

    use super::*;

    fn ledger() -> (Names, Kept) {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_NONBLOCK).unwrap();
        (Names::new(writer), Kept::new(reader))
    }

    #[test]
    fn either_side_removes_what_is_noted_and_nothing_else() {
        for by_parent in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (names, mut kept) = ledger();
            for name in ["file", "tree", "published", "never made"] {
                names.promise(&dir.path().join(name)).unwrap();
            }
            fs::create_dir_all(dir.path().join("tree/deep")).unwrap();
            for name in ["file", "tree/deep/file", "published", "other"] {
                fs::write(dir.path().join(name), "").unwrap();
            }
            names.settle(&dir.path().join("published"));
            if by_parent {
                drop(names);
                kept.read();
                kept.remove_all();
            } else {
                names.remove_all();
            }
            let mut left: Vec<_> =
                fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            left.sort();
            assert_eq!(left, ["other", "published"]);
        }
    }

    #[test]
    fn notes_that_come_in_pieces_are_put_together() {
        let (_names, mut kept) = ledger();
        for byte in b"+/a\n\0+/b\0-/a\n\0+/half" {
            kept.take(&[*byte]);
        }
        assert_eq!(kept.names, BTreeSet::from(["/b".into()]));
    }

    #[test]
    fn without_a_guard_nothing_is_promised() {
        let (names, kept) = ledger();
        drop(kept);
        assert!(names.promise(Path::new("x")).is_err());
    }
}
