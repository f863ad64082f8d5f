//! The files of this machine that the commands of a run may read and write (`client://`): beneath
//! what is shared, and each the same throughout the run.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use xxhash_rust::xxh3::xxh3_128;

use crate::client::share::Shares;
use crate::client::{Shown, unchanged};
use crate::cluster::{ClientFile, ClientFiles, FileIdentity};
use crate::error::{Error, Result};
use crate::format::ledger::Ledger;
use crate::format::whole::WholeFile;
use crate::parallel::lock;

/// The most paths that are read in a run: what each was is kept in mind.
const PATHS_MAX: usize = 1 << 20;

/// What is shared with a command, wherever it runs.
#[derive(Clone)]
pub struct Shared {
    /// What it finds in its environment where it runs on this machine.
    pub variable: OsString,
    /// Serves it on hosts.
    pub files: Arc<SharedFiles>,
}

/// The files that are shared with the commands of a run.
pub struct SharedFiles {
    shares: Shares,
    /// What the files were when they were read first, by hashes of their paths.
    seen: Arc<Mutex<HashMap<u128, FileIdentity>>>,
    ledger: Ledger,
}

impl SharedFiles {
    /// Those of `shares`. `ledger` takes note of the temporary names of what is written.
    pub fn new(shares: Shares, ledger: Ledger) -> SharedFiles {
        SharedFiles { shares, seen: Arc::default(), ledger }
    }

    /// Sees that a command on this machine may read a file, where it finds it itself.
    ///
    /// # Errors
    /// As [`Shares::read`].
    pub(crate) fn may_read(&self, path: &Path) -> Result<()> {
        self.shares.read(path).map(drop)
    }
}

fn key(path: &Path) -> u128 {
    xxh3_128(path.as_os_str().as_bytes())
}

impl ClientFiles for SharedFiles {
    fn read(&self, path: &Path) -> Result<(File, FileIdentity)> {
        let (file, identity) = self.shares.read(path)?;
        let mut seen = lock(&self.seen);
        let full = seen.len() >= PATHS_MAX;
        match seen.get(&key(path)) {
            Some(then) if *then != identity => Err(Error::incomplete(format!(
                "{} was changed after other commands of this run had read it",
                Shown(path)
            ))),
            Some(_) => Ok((file, identity)),
            None if full => Err(Error::usage(format!(
                "{}: more than {PATHS_MAX} files are read in one run: pack them",
                Shown(path)
            ))),
            None => {
                seen.insert(key(path), identity);
                Ok((file, identity))
            }
        }
    }

    fn check(&self, path: &Path, was: &FileIdentity, file: &File, bytes: u64) -> Result<()> {
        let found = file.metadata().map_err(|e| Error::io("read", Shown(path), &e))?;
        unchanged(&Shown(path), was, &found, bytes)
    }

    fn may_write(&self, path: &Path) -> Result<()> {
        self.shares.target(path).map(drop)
    }

    fn write(&self, path: &Path) -> Result<Box<dyn ClientFile>> {
        let target = self.shares.target(path)?;
        let file = WholeFile::create(&target, &self.ledger)?;
        let (path, seen) = (path.to_path_buf(), Arc::clone(&self.seen));
        Ok(Box::new(Writing { file, path, seen }))
    }
}

/// A file that a command writes.
struct Writing {
    file: WholeFile,
    path: PathBuf,
    seen: Arc<Mutex<HashMap<u128, FileIdentity>>>,
}

impl ClientFile for Writing {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.file().write_all(bytes).map_err(|e| Error::io("write", Shown(&self.path), &e))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.file.sync()?;
        self.file.publish()?;
        // From now on it is another one, as everybody knows.
        lock(&self.seen).remove(&key(&self.path));
        Ok(())
    }
}
