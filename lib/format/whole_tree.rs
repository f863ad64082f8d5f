//! A directory that appears under its name whole or not at all: filled under a temporary name
//! beside it, synced, then renamed, in exchange for the old one where there is one.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::ledger::{Ledger, remove};
use super::rename::{Rename, Way};
use super::replaced::{follow, may_replace, resemble};
use super::whole::{beside, directory, may_write_in, sync_directory};
use crate::error::{Error, Result};

/// The mode of a directory that is filled.
const CLOSED: u32 = 0o700;

/// A directory on its way to its name. Dropped before [`WholeTree::publish`], it leaves nothing
/// behind.
pub struct WholeTree {
    /// The name it shall have, symbolic links followed.
    path: PathBuf,
    /// The name that it has until then; `None` when it was published.
    temporary: Option<PathBuf>,
    /// The permissions that the umask gives; until it is published, nobody else may enter.
    permissions: Permissions,
    replace: bool,
    ledger: Ledger,
}

impl WholeTree {
    /// Begins a directory that shall be called `path`. One of that name is in the way, unless it
    /// may be replaced and `replaceable` does not object.
    ///
    /// # Errors
    /// `Usage` when there is something in the way, or there can be no such directory.
    pub fn create(
        path: &Path,
        replace: bool,
        replaceable: impl Fn(&Path) -> Result<()>,
        ledger: &Ledger,
    ) -> Result<WholeTree> {
        let path = WholeTree::name(path, replace, replaceable)?;
        WholeTree::begin(path, replace, ledger)
    }

    /// Checks, where nothing is to be written, that a tree of this name could begin.
    ///
    /// # Errors
    /// As [`WholeTree::create`].
    pub fn check(
        path: &Path,
        replace: bool,
        replaceable: impl Fn(&Path) -> Result<()>,
    ) -> Result<()> {
        let name = WholeTree::name(path, replace, replaceable)?;
        may_write_in(directory(&name)).map_err(|e| Error::path("write", path, &e))
    }

    /// The name that a tree shall have that is called `path`.
    fn name(
        path: &Path,
        replace: bool,
        replaceable: impl Fn(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let failed = |e: io::Error| Error::path("write", path, &e);
        let path = follow(path).map_err(failed)?;
        if path.file_name().is_none() {
            return Err(Error::usage(format!("{} names no directory", path.display())));
        }
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => (),
            Err(e) => return Err(failed(e)),
            Ok(_) if !replace => {
                let text = "exists already; --replace puts the new one in its place";
                return Err(Error::usage(format!("{} {text}", path.display())));
            }
            Ok(about) if !about.is_dir() => {
                return Err(Error::usage(format!("{} is not a directory", path.display())));
            }
            Ok(_) => replaceable(&path)?,
        }
        may_replace(&path).map_err(failed)?;
        Ok(path)
    }

    fn begin(path: PathBuf, replace: bool, ledger: &Ledger) -> Result<WholeTree> {
        let failed = |e: io::Error| Error::path("write", &path, &e);
        let made = beside(&path, |name| {
            ledger.promise(name).map_err(io::Error::other)?;
            fs::create_dir(name)
        });
        let made = made.map_err(failed)?.into_temp_path().keep();
        let temporary = made.map_err(|e| failed(e.error))?;
        let permissions = fs::metadata(&temporary).map_err(failed)?.permissions();
        fs::set_permissions(&temporary, Permissions::from_mode(CLOSED)).map_err(failed)?;
        let (temporary, ledger) = (Some(temporary), ledger.clone());
        Ok(WholeTree { path, temporary, permissions, replace, ledger })
    }

    /// Makes a directory beside `path` that is never to have that name, but to go.
    ///
    /// # Errors
    /// When there can be none.
    pub fn never(path: &Path, ledger: &Ledger) -> Result<WholeTree> {
        WholeTree::begin(path.to_path_buf(), false, ledger)
    }

    /// Lets the next thing be made in the directory, as long as nobody removes it.
    pub fn pass(&self) {
        self.ledger.pass();
    }

    /// The directory to fill.
    pub fn directory(&self) -> &Path {
        self.temporary.as_ref().unwrap_or(&self.path)
    }

    /// The name it shall have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gets all that lies in the directory to the disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sync(&self) -> Result<()> {
        sync_tree(self.directory())
    }

    /// Gives the synced directory its name, and removes the one that had it.
    ///
    /// # Errors
    /// When something came in the way, or the file system does not take it.
    pub fn publish(mut self) -> Result<()> {
        let failed = |e: io::Error| Error::path("write", &self.path, &e);
        let replaced = self.replace && fs::symlink_metadata(&self.path).is_ok();
        may_replace(&self.path).map_err(failed)?;
        let directory = File::open(self.directory()).map_err(failed)?;
        directory.set_permissions(self.permissions.clone()).map_err(failed)?;
        if replaced {
            resemble(&directory, &self.path).map_err(failed)?;
        }
        let way = if replaced { Way::Exchange } else { Way::New };
        let rename = Rename::new(self.directory().to_path_buf(), self.path.clone(), way);
        let rename = rename.map_err(failed)?;
        self.temporary = None;
        self.ledger.publish(rename, None)
    }
}

impl Drop for WholeTree {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            // Nobody is left to tell; what stays is in the ledger.
            let _ = remove(&temporary, &self.ledger);
        }
    }
}

/// Gets a directory and all in it to the disk.
fn sync_tree(directory: &Path) -> Result<()> {
    let failed = |e: io::Error| Error::path("read", directory, &e);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (kind, path) = (entry.file_type().map_err(failed)?, entry.path());
        if kind.is_dir() {
            sync_tree(&path)?;
        } else if kind.is_file() {
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|e| Error::path("write", &path, &e))?;
        }
    }
    sync_directory(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::ledger::{Notes, rename_all};
    use std::sync::{Arc, Mutex};

    fn names(directory: &Path) -> Vec<String> {
        let name = |e: io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(name).collect();
        names.sort();
        names
    }

    fn begin(path: &Path, replace: bool) -> Result<WholeTree> {
        let tree = WholeTree::create(path, replace, |_| Ok(()), &Ledger::none())?;
        fs::create_dir(tree.directory().join("dir")).unwrap();
        fs::write(tree.directory().join("dir/file"), "").unwrap();
        tree.sync()?;
        Ok(tree)
    }

    #[test]
    fn a_tree_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        drop(begin(&path, false).unwrap());
        assert!(names(dir.path()).is_empty());
        let tree = begin(&path, false).unwrap();
        assert!(!path.exists());
        tree.publish().unwrap();
        assert_eq!(names(dir.path()), ["out"]);
        assert!(path.join("dir/file").is_file());
    }

    #[test]
    fn what_is_there_is_replaced_only_if_that_was_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("old"), "").unwrap();
        assert_eq!(begin(&path, false).err().unwrap().exit_code(), 2);
        begin(&path, true).unwrap().publish().unwrap();
        assert_eq!((names(dir.path()), names(&path)), (vec!["out".into()], vec!["dir".into()]));
        let refuse = |_: &Path| Err(Error::usage("no"));
        assert!(WholeTree::create(&path, true, refuse, &Ledger::none()).is_err());
        fs::write(dir.path().join("plain"), "").unwrap();
        assert!(begin(&dir.path().join("plain"), true).is_err());
        assert!(begin(&dir.path().join("no/out"), false).is_err());
        assert_eq!(names(dir.path()), ["out", "plain"]);
    }

    #[test]
    fn what_came_in_the_way_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let tree = begin(&path, false).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(tree.publish().is_err());
        assert_eq!((names(dir.path()), names(&path)), (vec!["out".into()], vec![]));
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<(PathBuf, bool)>>);

    impl Notes for Heard {
        fn promise_upload(&self, _: &str) -> Result<()> {
            Ok(())
        }

        fn settle_upload(&self, _: &str) {}

        fn pass(&self) {}

        fn promise(&self, path: &Path) -> Result<()> {
            assert!(!path.exists());
            self.0.lock().unwrap().push((path.into(), true));
            Ok(())
        }

        fn rename(&self, renames: &[Rename]) -> Result<()> {
            rename_all(renames)
        }

        fn settle(&self, path: &Path) {
            assert!(!path.exists());
            self.0.lock().unwrap().push((path.into(), false));
        }
    }

    #[test]
    fn every_temporary_name_is_noted_and_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let heard = Arc::new(Heard::default());
        let ledger = Ledger::new(Arc::clone(&heard) as Arc<dyn Notes>);
        for publish in [true, false, true] {
            let tree = WholeTree::create(&path, true, |_| Ok(()), &ledger).unwrap();
            if publish {
                tree.publish().unwrap();
            }
        }
        let heard = heard.0.lock().unwrap();
        let of = |there: bool| heard.iter().filter(move |n| n.1 == there).map(|n| &n.0);
        assert_eq!(heard.len(), 6);
        assert!(of(true).eq(of(false)));
    }
}
