//! The calls of the system that `rusty-leveldb` makes for a database that is being written, each done whole:
//! the library takes a write or a read that is interrupted, or does less than was asked for, for a failure
//! or for damage. The reason of the first that fails is kept, in words that the library has lost where it
//! says what it could not do for want of it.
//!
//! The directory is a new one that nobody else knows, so there is nothing to lock against.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusty_leveldb::env::{Env, FileLock, Logger, RandomAccess};
use rusty_leveldb::{Result, Status, StatusCode};

use crate::error::reason;
use crate::parallel::lock;

/// The calls for one database.
#[derive(Clone, Default)]
pub(super) struct WholeCalls {
    first: Arc<Mutex<Option<String>>>,
}

impl WholeCalls {
    /// Why the first call failed that did, if the disk was the reason.
    pub(super) fn reason(&self) -> Option<String> {
        lock(&self.first).clone()
    }

    fn failed(&self, error: &io::Error) -> Status {
        let why = reason(error);
        let code = match error.kind() {
            // Looked for and not there: nothing has failed.
            ErrorKind::NotFound => StatusCode::NotFound,
            _ => {
                lock(&self.first).get_or_insert_with(|| why.clone());
                StatusCode::IOError
            }
        };
        Status::new(code, &why)
    }

    fn done<T>(&self, result: io::Result<T>) -> Result<T> {
        result.map_err(|e| self.failed(&e))
    }

    fn file(&self, path: &Path, how: &OpenOptions) -> Result<WholeFileCalls> {
        let file = self.done(how.open(path))?;
        Ok(WholeFileCalls { file, calls: self.clone() })
    }
}

/// A file, all of whose calls do what was asked for, or fail.
struct WholeFileCalls {
    file: File,
    calls: WholeCalls,
}

impl WholeFileCalls {
    /// Fills `buffer` as far as there is something, by `read`, which is told how much there is so far.
    fn fill(
        &self,
        buffer: &mut [u8],
        read: impl Fn(&mut [u8], u64) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut have = 0;
        while have < buffer.len() {
            match read(&mut buffer[have..], have as u64) {
                Ok(0) => break,
                Ok(count) => have += count,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    let _ = self.calls.failed(&e);
                    return Err(e);
                }
            }
        }
        Ok(have)
    }
}

impl Read for WholeFileCalls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill(buffer, |rest, _| (&self.file).read(rest))
    }
}

impl RandomAccess for WholeFileCalls {
    fn read_at(&self, at: usize, buffer: &mut [u8]) -> Result<usize> {
        let filled =
            self.fill(buffer, |rest, have| FileExt::read_at(&self.file, rest, at as u64 + have));
        self.calls.done(filled)
    }
}

impl Write for WholeFileCalls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_all(bytes);
        written.inspect_err(|e| drop(self.calls.failed(e))).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Env for WholeCalls {
    fn open_sequential_file(&self, path: &Path) -> Result<Box<dyn Read>> {
        Ok(Box::new(self.file(path, OpenOptions::new().read(true))?))
    }

    fn open_random_access_file(&self, path: &Path) -> Result<Box<dyn RandomAccess>> {
        Ok(Box::new(self.file(path, OpenOptions::new().read(true))?))
    }

    fn open_writable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        Ok(Box::new(self.file(path, OpenOptions::new().write(true).create(true).truncate(true))?))
    }

    fn open_appendable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        Ok(Box::new(self.file(path, OpenOptions::new().append(true).create(true))?))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.done(path.try_exists())
    }

    fn children(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let entries = self.done(fs::read_dir(path))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().into()));
        self.done(names.collect())
    }

    fn size_of(&self, path: &Path) -> Result<usize> {
        let length = self.done(fs::metadata(path))?.len();
        usize::try_from(length).map_err(|e| self.failed(&io::Error::other(e)))
    }

    fn delete(&self, path: &Path) -> Result<()> {
        self.done(fs::remove_file(path))
    }

    fn mkdir(&self, path: &Path) -> Result<()> {
        self.done(fs::create_dir_all(path))
    }

    fn rmdir(&self, path: &Path) -> Result<()> {
        self.done(fs::remove_dir_all(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.done(fs::rename(from, to))
    }

    fn lock(&self, path: &Path) -> Result<FileLock> {
        self.done(File::create(path))?;
        Ok(FileLock { id: path.display().to_string() })
    }

    fn unlock(&self, _: FileLock) -> Result<()> {
        Ok(())
    }

    fn new_logger(&self, _: &Path) -> Result<Logger> {
        Ok(Logger::new(Box::new(io::sink())))
    }

    fn micros(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
    }

    fn sleep_for(&self, micros: u32) {
        std::thread::sleep(Duration::from_micros(u64::from(micros)));
    }
}
