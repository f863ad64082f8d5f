//! Whether another process has a database open.
//!
//! A process that opens a database locks its file `LOCK`: the C++ library by `fcntl`, the Rust and
//! Go ones by `flock`. We ask after the first kind, which creates and changes nothing, and take
//! the second one shared while we read: readers do not disturb each other.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};
use nix::libc;

use super::directory;
use crate::error::{Error, Result};

/// Knows the lock file, and keeps those out that would write.
pub(super) struct Lock {
    file: Option<Flock<File>>,
    database: PathBuf,
}

impl Lock {
    /// Of the database in this directory. One without a lock file was never opened where it lies.
    ///
    /// # Errors
    /// `BadInput` when another process has it open.
    pub(super) fn new(database: &Path) -> Result<Lock> {
        let path = database.join("LOCK");
        let file = match directory::open_at(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::path("open", &path, &e)),
            Ok(file) => Some(file),
        };
        if let Some(file) = &file {
            ask(file, database)?;
        }
        let file = match file.map(|file| Flock::lock(file, FlockArg::LockSharedNonblock)) {
            Some(Err((_, Errno::EWOULDBLOCK))) => return Err(held(database, 0)),
            // A file system without flock has no holders of it either.
            Some(Err(_)) | None => None,
            Some(Ok(file)) => Some(file),
        };
        Ok(Lock { file, database: database.to_path_buf() })
    }

    /// Asks again.
    ///
    /// # Errors
    /// As [`Lock::new`].
    pub(super) fn check(&self) -> Result<()> {
        match &self.file {
            Some(file) => ask(file, &self.database),
            None => Lock::new(&self.database).map(|_| ()),
        }
    }
}

/// An error if a process holds a lock that excludes readers.
fn ask(file: &File, database: &Path) -> Result<()> {
    let mut lock = libc::flock {
        l_type: libc::F_RDLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_GETLK(&mut lock)) {
        Ok(_) if i32::from(lock.l_type) != libc::F_UNLCK => Err(held(database, lock.l_pid)),
        // A file system without locks has no holders of them either.
        _ => Ok(()),
    }
}

fn held(database: &Path, pid: i32) -> Error {
    let pid = if pid > 0 { format!(" (pid {pid})") } else { String::new() };
    let database = database.display();
    Error::input(format!("{database}: is open in another process{pid}; close it there first"))
}
