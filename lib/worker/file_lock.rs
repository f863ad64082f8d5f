//! Locks that the workers of a user on a host share: files in its directory.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result};

/// How often a lock is tried that somebody else holds.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Locks the file at `path`, which is made where there is none, without waiting; `None` when somebody
/// else holds it, or removes it just now.
///
/// # Errors
/// As [`Error::path`] when there can be no such file.
pub(super) fn try_lock(path: &Path, how: FlockArg) -> Result<Option<Flock<File>>> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|e| Error::path("lock", path, &e))?;
    let how = match how {
        FlockArg::LockShared => FlockArg::LockSharedNonblock,
        FlockArg::LockExclusive => FlockArg::LockExclusiveNonblock,
        how => how,
    };
    match Flock::lock(file, how) {
        Ok(lock) => {
            // A lock on what has lost its name locks nobody else out.
            let has_name =
                |of: &fs::Metadata| fs::metadata(path).is_ok_and(|at| at.ino() == of.ino());
            Ok(lock.metadata().is_ok_and(|of| has_name(&of)).then_some(lock))
        }
        Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(None),
        Err((_, e)) => Err(Error::path("lock", path, &e.into())),
    }
}

/// The same, but waits for whoever holds it, until `stop` says to give up.
///
/// # Errors
/// As [`try_lock`]; `Incomplete` when it was given up.
pub(super) fn wait_for(path: &Path, how: FlockArg, stop: &dyn Fn() -> bool) -> Result<Flock<File>> {
    loop {
        if let Some(lock) = try_lock(path, how)? {
            return Ok(lock);
        }
        if stop() {
            return Err(Error::incomplete("stopped"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
