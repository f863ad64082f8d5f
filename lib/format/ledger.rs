//! Temporary names that must go however the process ends, and those that become real ones: who takes
//! note of them.
//!
//! This room only says which names there are, when they are gone, and which are due to be renamed;
//! what is done after a kill is the caller's.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::rename::{Rename, Way};
use super::whole::{directory, sync_directory};
use crate::error::{Error, Result};
use crate::parallel::lock;

/// Takes note of temporary names.
pub trait Notes: Send + Sync {
    /// `path`, a file or a tree, is about to be made under a temporary name.
    ///
    /// # Errors
    /// When it cannot be noted; then it is not made.
    fn promise(&self, path: &Path) -> Result<()>;

    /// `path` is gone, or has its real name now.
    fn settle(&self, path: &Path);

    /// An upload was begun that `note` is the note of: a store keeps what it got until it is told to
    /// forget it.
    ///
    /// # Errors
    /// When it cannot be noted.
    fn promise_upload(&self, note: &str) -> Result<()>;

    /// The upload is given up, or the object is there.
    fn settle_upload(&self, note: &str);

    /// Carries `renames` out, one behind the other. From the first on all of them will be, even if this
    /// process ends.
    ///
    /// # Errors
    /// When they cannot be noted, and nothing is renamed; or when one of them fails: those before it
    /// were done.
    fn rename(&self, renames: &[Rename]) -> Result<()>;

    /// Returns as long as nobody cleans up; once somebody does, never. Who makes much under one
    /// temporary name asks each time, so that it can be removed while he is at it.
    fn pass(&self);
}

/// The notes of temporary names, shared by all that make such.
#[derive(Clone)]
pub struct Ledger {
    notes: Option<Arc<dyn Notes>>,
    /// What is to be published together, where that is wished.
    together: Option<Arc<Mutex<Vec<Pending>>>>,
}

impl Ledger {
    /// Keeps its notes with `notes`.
    pub fn new(notes: Arc<dyn Notes>) -> Ledger {
        Ledger { notes: Some(notes), together: None }
    }

    /// Takes no note of anything.
    pub fn none() -> Ledger {
        Ledger { notes: None, together: None }
    }

    /// The same notes for several outputs, which are published by [`Ledger::publish_all`] and not
    /// before.
    pub fn together(&self) -> Ledger {
        Ledger { notes: self.notes.clone(), together: Some(Arc::default()) }
    }

    /// As [`Notes::promise`].
    ///
    /// # Errors
    /// As [`Notes::promise`].
    pub fn promise(&self, path: &Path) -> Result<()> {
        self.notes.as_ref().map_or(Ok(()), |notes| notes.promise(path))
    }

    /// As [`Notes::promise_upload`].
    ///
    /// # Errors
    /// As [`Notes::promise_upload`].
    pub fn promise_upload(&self, note: &str) -> Result<()> {
        self.notes.as_ref().map_or(Ok(()), |notes| notes.promise_upload(note))
    }

    /// As [`Notes::settle_upload`].
    pub fn settle_upload(&self, note: &str) {
        if let Some(notes) = &self.notes {
            notes.settle_upload(note);
        }
    }

    /// As [`Notes::pass`].
    pub fn pass(&self) {
        if let Some(notes) = &self.notes {
            notes.pass();
        }
    }

    /// As [`Notes::settle`].
    pub fn settle(&self, path: &Path) {
        if let Some(notes) = &self.notes {
            notes.settle(path);
        }
    }

    /// Gives what has a temporary name its own, now or with others. What it comes in the place of goes,
    /// and so does what is left of `held`, once that is done.
    ///
    /// # Errors
    /// When the directory does not take it.
    pub fn publish(&self, rename: Rename, held: Option<Box<dyn Send>>) -> Result<()> {
        let pending = Pending { rename: Some(rename), held, ledger: self.clone() };
        match &self.together {
            Some(together) => lock(together).push(pending),
            None => self.carry_out(vec![pending])?,
        }
        Ok(())
    }

    /// Publishes what was held back: everything that can be known to fail has been tried.
    ///
    /// # Errors
    /// As [`Ledger::publish`].
    pub fn publish_all(&self) -> Result<()> {
        let pending = self.together.as_ref().map(|together| std::mem::take(&mut *lock(together)));
        self.carry_out(pending.unwrap_or_default())
    }

    fn carry_out(&self, pending: Vec<Pending>) -> Result<()> {
        let renames: Vec<Rename> = pending.iter().filter_map(|p| p.rename.clone()).collect();
        match &self.notes {
            Some(notes) => notes.rename(&renames)?,
            None => rename_all(&renames)?,
        }
        let directories: BTreeSet<&Path> = renames.iter().map(|r| directory(&r.to)).collect();
        directories.into_iter().try_for_each(sync_directory)?;
        pending.into_iter().try_for_each(Pending::done)
    }
}

/// Carries `renames` out, one behind the other.
///
/// # Errors
/// When one of them fails: those before it were done.
pub fn rename_all(renames: &[Rename]) -> Result<()> {
    for (done, rename) in renames.iter().enumerate() {
        rename.carry_out().map_err(|e| {
            let error = Error::path("write", &rename.to, &e);
            match done {
                0 => error,
                _ => Error::new(
                    error.kind(),
                    format!("{error}; {done} of {} outputs are there already", renames.len()),
                ),
            }
        })?;
    }
    Ok(())
}

/// Something with a temporary name that is to be published. Dropped before that, it goes.
struct Pending {
    rename: Option<Rename>,
    /// What lies around it, and is not to go before.
    held: Option<Box<dyn Send>>,
    ledger: Ledger,
}

impl Pending {
    /// It has its name: what it came in the place of goes.
    fn done(mut self) -> Result<()> {
        match self.rename.take() {
            Some(rename) if self.held.is_some() => drop(rename),
            Some(Rename { from, way: Way::Exchange, .. }) => remove(&from, &self.ledger)?,
            Some(rename) => self.ledger.settle(&rename.from),
            None => (),
        }
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(rename) = self.rename.take().filter(|_| self.held.is_none()) {
            // Nobody is left to tell; what stays is in the ledger.
            let _ = remove(&rename.from, &self.ledger);
        }
    }
}

/// Removes what has a temporary name, a file or a tree, if anything has.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(temporary: &Path, ledger: &Ledger) -> Result<()> {
    let is_tree = fs::symlink_metadata(temporary).is_ok_and(|found| found.is_dir());
    let removed = if is_tree { fs::remove_dir_all(temporary) } else { fs::remove_file(temporary) };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::path("remove", temporary, &e)),
        _ => {
            ledger.settle(temporary);
            Ok(())
        }
    }
}
