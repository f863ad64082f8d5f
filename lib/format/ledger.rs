//! Temporary names that must go however the process ends: who takes note of them.
//!
//! This room only says which names there are, and when they are gone; what is done after a kill is
//! the caller's.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;

/// Takes note of temporary names.
pub trait Notes: Send + Sync {
    /// `path`, a file or a tree, is about to be made under a temporary name.
    ///
    /// # Errors
    /// When it cannot be noted; then it is not made.
    fn promise(&self, path: &Path) -> Result<()>;

    /// `path` is gone, or has its real name now.
    fn settle(&self, path: &Path);

    /// Returns as long as nobody cleans up; once somebody does, never. Who makes much under one
    /// temporary name asks each time, so that it can be removed while he is at it.
    fn pass(&self);
}

/// The notes of temporary names, shared by all that make such.
#[derive(Clone)]
pub struct Ledger(Option<Arc<dyn Notes>>);

impl Ledger {
    /// Keeps its notes with `notes`.
    pub fn new(notes: Arc<dyn Notes>) -> Ledger {
        Ledger(Some(notes))
    }

    /// Takes no note of anything.
    pub fn none() -> Ledger {
        Ledger(None)
    }

    /// As [`Notes::promise`].
    ///
    /// # Errors
    /// As [`Notes::promise`].
    pub fn promise(&self, path: &Path) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |notes| notes.promise(path))
    }

    /// As [`Notes::pass`].
    pub fn pass(&self) {
        if let Some(notes) = &self.0 {
            notes.pass();
        }
    }

    /// As [`Notes::settle`].
    pub fn settle(&self, path: &Path) {
        if let Some(notes) = &self.0 {
            notes.settle(path);
        }
    }
}
