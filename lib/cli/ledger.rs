//! The ledger: the temporary names that a tool has now, for whoever cleans up behind it.
//!
//! The child of the guard writes each name into a pipe before it makes it, and again when it is
//! gone; the parent keeps what it reads there. Each of the two can remove what is noted. Renames are
//! noted too, all of them before the first: if the child ends among them, the parent does the rest.
//! And so are uploads to a store of objects, which are given up there.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use nix::errno::Errno;
use nix::poll::PollFlags;

use crate::error::{Error, Result};
use crate::format::ledger::{Notes, rename_all};
use crate::format::objects::ObjectStores;
use crate::format::rename::{Rename, Way};
use crate::parallel::lock;
use crate::pipe::pipe_input;

/// What begins the note of a name that is about to be made.
const MADE: u8 = b'+';

/// What begins the note of a name that is gone.
const GONE: u8 = b'-';

/// What begins the notes of a rename that is to come: how, and of which inode; from where; to where.
const WAY: u8 = b'=';
const FROM: u8 = b'<';
const TO: u8 = b'>';

/// The note that all renames before it are due, whatever happens, and that none is any more.
const DUE: u8 = b'!';
const DONE: u8 = b'.';

/// What begins the notes of an upload that was begun, and of one that is no more.
const UPLOAD: u8 = b'^';
const UPLOADED: u8 = b'_';

/// How often the removal of a tree begins anew when something appears in it.
const REMOVE_TRIES: u32 = 100;

/// What ends a note; no name holds it.
const END: u8 = 0;

/// The child's side: it notes.
#[derive(Debug)]
pub(super) struct Names {
    names: Mutex<BTreeSet<PathBuf>>,
    uploads: Mutex<BTreeSet<String>>,
    guard: OwnedFd,
    stores: Stores,
}

/// Where uploads are given up.
#[derive(Clone)]
pub(super) struct Stores(pub(super) Option<Arc<dyn ObjectStores>>);

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}

impl Stores {
    /// Gives the uploads up. Where a store is out of reach nothing can be done, and nobody is left to
    /// be told.
    fn give_up(&self, uploads: &BTreeSet<String>) {
        if let Some(stores) = &self.0 {
            for note in uploads {
                let _ = stores.give_up(note);
            }
        }
    }
}

impl Names {
    /// To note into `guard`, a pipe.
    pub(super) fn new(guard: OwnedFd, stores: Stores) -> Names {
        Names { names: Mutex::default(), uploads: Mutex::default(), guard, stores }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        lock(&self.names)
    }

    fn note(&self, what: u8, path: &Path) -> nix::Result<()> {
        self.note_bytes(what, path.as_os_str().as_bytes())
    }

    fn note_bytes(&self, what: u8, bytes: &[u8]) -> nix::Result<()> {
        let mut note = vec![what];
        note.extend_from_slice(bytes);
        note.push(END);
        let mut rest = note.as_slice();
        while !rest.is_empty() {
            match nix::unistd::write(&self.guard, rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(Errno::EINTR) => (),
                Err(Errno::EAGAIN) => pipe_input::wait(&self.guard, PollFlags::POLLOUT),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes all that is noted, and lets nobody note anything any more.
    pub(super) fn remove_all(&self) {
        let (names, uploads) = (self.lock(), lock(&self.uploads));
        names.iter().for_each(|name| remove(name));
        self.stores.give_up(&uploads);
        std::mem::forget((names, uploads));
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

    fn promise_upload(&self, note: &str) -> Result<()> {
        let mut uploads = lock(&self.uploads);
        let noted = self.note_bytes(UPLOAD, note.as_bytes());
        noted.map_err(|e| Error::io("note", "an upload", &e.into()))?;
        uploads.insert(note.into());
        Ok(())
    }

    fn settle_upload(&self, note: &str) {
        let mut uploads = lock(&self.uploads);
        // A guard that does not hear of it finds nothing to give up.
        let _ = self.note_bytes(UPLOADED, note.as_bytes());
        uploads.remove(note);
    }

    fn rename(&self, renames: &[Rename]) -> Result<()> {
        // Whoever removes what is noted waits until all have their names.
        let _names = self.lock();
        for rename in renames {
            let failed = |error: io::Error| Error::path("note", &rename.to, &error);
            let full = |path: &Path| std::path::absolute(path).map_err(failed);
            let (from, to) = (full(&rename.from)?, full(&rename.to)?);
            self.note_bytes(WAY, &way_note(rename))
                .and_then(|()| self.note(FROM, &from))
                .and_then(|()| self.note(TO, &to))
                .map_err(|e| failed(e.into()))?;
        }
        let failed = |e: Errno| Error::io("note", "the names of the outputs", &e.into());
        self.note_bytes(DUE, b"").map_err(failed)?;
        let renamed = rename_all(renames);
        // A guard that does not hear of it finds nothing to do.
        let _ = self.note_bytes(DONE, b"");
        renamed
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
pub(super) struct KeptNames {
    names: BTreeSet<PathBuf>,
    uploads: BTreeSet<String>,
    stores: Stores,
    /// `None` once the child has closed its side.
    notes: Option<OwnedFd>,
    /// The beginning of a note whose end was not read yet.
    rest: Vec<u8>,
    /// The renames that were noted, and whether they are due.
    renames: Vec<Rename>,
    due: bool,
}

impl KeptNames {
    /// To read from `notes`, a pipe that does not block.
    pub(super) fn new(notes: OwnedFd, stores: Stores) -> KeptNames {
        let (names, uploads, renames) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let (notes, rest) = (Some(notes), Vec::new());
        KeptNames { names, uploads, stores, notes, rest, renames, due: false }
    }

    /// What to wait for before [`KeptNames::read`].
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
            let text = &note[1..end];
            let name = PathBuf::from(OsStr::from_bytes(text));
            match (note[0], self.renames.last_mut()) {
                (MADE, _) => drop(self.names.insert(name)),
                (GONE, _) => drop(self.names.remove(&name)),
                (UPLOAD, _) => drop(self.uploads.insert(String::from_utf8_lossy(text).into())),
                (UPLOADED, _) => drop(self.uploads.remove(&*String::from_utf8_lossy(text))),
                (WAY, _) => self.renames.extend(noted_way(text)),
                (FROM, Some(rename)) => rename.from = name,
                (TO, Some(rename)) => rename.to = name,
                (DUE, _) => self.due = true,
                (DONE, _) => {
                    self.renames.clear();
                    self.due = false;
                }
                _ => (),
            }
        }
    }

    /// Carries the renames out that are due, and removes all that is noted.
    pub(super) fn clean_up(&self) {
        if self.due {
            // Nobody is left to be told: the child was ended, and that is what its end says.
            let _ = rename_all(&self.renames);
        }
        self.names.iter().for_each(|name| remove(name));
        self.stores.give_up(&self.uploads);
    }
}

/// How and of which inode a rename is, as a note.
fn way_note(rename: &Rename) -> Vec<u8> {
    let way = match rename.way {
        Way::Replace => 'r',
        Way::New => 'n',
        Way::Exchange => 'x',
    };
    format!("{way}{}", rename.inode).into_bytes()
}

/// The rename whose first note this is; its names are not known yet.
fn noted_way(note: &[u8]) -> Option<Rename> {
    let way = match note.first()? {
        b'r' => Way::Replace,
        b'n' => Way::New,
        _ => Way::Exchange,
    };
    let inode = std::str::from_utf8(&note[1..]).ok()?.parse().ok()?;
    Some(Rename { from: PathBuf::new(), to: PathBuf::new(), way, inode })
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
    use crate::format::ledger::Ledger;
    use crate::format::objects::{KeyPattern, ObjectAddress, ObjectUpload};
    use crate::record::stream::Input;

    fn ledger() -> (Names, KeptNames) {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_NONBLOCK).unwrap();
        (Names::new(writer, Stores(None)), KeptNames::new(reader, Stores(None)))
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
                kept.clean_up();
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
    fn renames_that_are_due_are_carried_out_by_whoever_is_left() {
        for due in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            let (names, mut kept) = ledger();
            let renames = ["one", "two"].map(|name| {
                fs::write(at(&format!(".{name}")), name).unwrap();
                names.promise(&at(&format!(".{name}"))).unwrap();
                Rename::new(at(&format!(".{name}")), at(name), Way::Replace).unwrap()
            });
            for rename in &renames {
                names.note_bytes(WAY, &way_note(rename)).unwrap();
                names.note(FROM, &rename.from).unwrap();
                names.note(TO, &rename.to).unwrap();
            }
            if due {
                // The child ends between the first and the second.
                names.note_bytes(DUE, b"").unwrap();
                renames[0].carry_out().unwrap();
            }
            drop(names);
            kept.read();
            assert_eq!(kept.renames, renames);
            kept.clean_up();
            let want: &[&str] = if due { &["one", "two"] } else { &[] };
            let listed = fs::read_dir(dir.path()).unwrap();
            let mut left: Vec<_> = listed.map(|e| e.unwrap().file_name()).collect();
            left.sort();
            assert_eq!(left, want);
        }
    }

    /// Hears which uploads are given up.
    struct Heard(Mutex<Vec<String>>);

    impl ObjectStores for Heard {
        fn list(&self, _: &ObjectAddress, _: &KeyPattern) -> Result<Vec<String>> {
            Ok(Vec::new())
        }

        fn read(&self, address: &ObjectAddress) -> Result<Box<dyn Input>> {
            Err(Error::usage(address.to_string()))
        }

        fn write(&self, address: &ObjectAddress, _: &Ledger) -> Result<Box<dyn ObjectUpload>> {
            Err(Error::usage(address.to_string()))
        }

        fn sign(&self, address: &ObjectAddress) -> Result<String> {
            Ok(address.to_string())
        }

        fn give_up(&self, note: &str) -> Result<()> {
            lock(&self.0).push(note.into());
            Ok(())
        }
    }

    #[test]
    fn uploads_that_are_left_are_given_up_by_either_side() {
        for by_parent in [false, true] {
            let heard = Arc::new(Heard(Mutex::default()));
            let stores = Stores(Some(heard.clone()));
            let (reader, writer) = nix::unistd::pipe2(OFlag::O_NONBLOCK).unwrap();
            let names = Names::new(writer, stores.clone());
            let mut kept = KeptNames::new(reader, stores);
            for note in ["s3://b/left 1", "s3://b/done 2"] {
                names.promise_upload(note).unwrap();
            }
            names.settle_upload("s3://b/done 2");
            if by_parent {
                drop(names);
                kept.read();
                kept.clean_up();
            } else {
                names.remove_all();
            }
            assert_eq!(*lock(&heard.0), ["s3://b/left 1"]);
        }
    }

    #[test]
    fn renames_leave_nothing_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join(".out"), dir.path().join("out"));
        let (names, mut kept) = ledger();
        for text in ["one", "two"] {
            fs::write(&from, text).unwrap();
            let rename = Rename::new(from.clone(), to.clone(), Way::Replace).unwrap();
            names.rename(&[rename]).unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), text);
        }
        kept.read();
        assert!(!kept.due && kept.renames.is_empty());
    }

    #[test]
    fn without_a_guard_nothing_is_promised() {
        let (names, kept) = ledger();
        drop(kept);
        assert!(names.promise(Path::new("x")).is_err());
    }
}
