//! Locks that the workers of a user on a host share: files in its directory.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result};

/// How often a lock is tried that somebody else holds.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Locks the file at `path`, which is made where there is none; `None` when somebody else holds it.
///
/// # Errors
/// `Storage` or `Usage` when there can be no such file.
pub(super) fn try_lock(path: &Path) -> Result<Option<Flock<File>>> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|e| Error::path("lock", path, &e))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => Ok(None),
        Err((_, e)) => Err(Error::path("lock", path, &e.into())),
    }
}

/// The same, but waits for whoever holds it, until `stop` says to give up.
///
/// # Errors
/// As [`try_lock`]; `Incomplete` when it was given up.
pub(super) fn wait_for(path: &Path, stop: &dyn Fn() -> bool) -> Result<Flock<File>> {
    loop {
        if let Some(lock) = try_lock(path)? {
            return Ok(lock);
        }
        if stop() {
            return Err(Error::incomplete("stopped"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
