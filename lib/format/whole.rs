//! A file that appears under its name whole or not at all: written without a name beside it where
//! the file system can do that (else under a temporary one), synced, then renamed.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::linkat;
use tempfile::TempPath;

use super::ledger::Ledger;
use crate::error::{Error, Result};

/// How many symbolic links one name may go through.
const MOST_LINKS: usize = 40;

/// A file on its way to its name. Dropped before [`WholeFile::publish`], it leaves nothing behind.
pub struct WholeFile {
    file: File,
    /// The name it shall have, symbolic links followed.
    path: PathBuf,
    /// The temporary name that it has until then, if it has one.
    temporary: Option<TempPath>,
    ledger: Ledger,
}

impl WholeFile {
    /// Begins a file that shall be called `path`, with the permissions that the umask gives.
    ///
    /// # Errors
    /// When there can be no file of that name.
    pub fn create(path: &Path, ledger: &Ledger) -> Result<WholeFile> {
        let failed = |e: io::Error| Error::path("write", path, &e);
        let path = follow(path).map_err(failed)?;
        if path.is_dir() {
            return Err(Error::usage(format!("{} is a directory", path.display())));
        }
        if path.file_name().is_none() {
            return Err(Error::usage(format!("{} names no file", path.display())));
        }
        let (file, temporary) = match nameless(directory(&path)) {
            Ok(file) => (file, None),
            Err(e) if lacks_nameless(&e) => {
                let (file, name) = named(&path, ledger)?;
                (file, Some(name))
            }
            Err(e) => return Err(failed(e)),
        };
        Ok(WholeFile { file, path, temporary, ledger: ledger.clone() })
    }

    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// The name it shall have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gets what was written to the disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sync(&mut self) -> Result<()> {
        self.file.sync_all().map_err(|e| Error::path("write", &self.path, &e))
    }

    /// Gives the synced file its name, in place of any that has it.
    ///
    /// # Errors
    /// When the directory does not take it.
    pub fn publish(mut self) -> Result<()> {
        let failed = |e: io::Error| Error::path("write", &self.path, &e);
        let temporary = match self.temporary.take() {
            Some(temporary) => temporary,
            None => match link(&self.file, &self.path) {
                Ok(()) => return sync_directory(&self.path),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    let made = beside(&self.path, |name| {
                        self.ledger.promise(name).map_err(io::Error::other)?;
                        link(&self.file, name)
                    });
                    made.map_err(failed)?.into_temp_path()
                }
                Err(e) => return Err(failed(e)),
            },
        };
        let name = temporary.to_path_buf();
        temporary.persist(&self.path).map_err(|e| failed(e.error))?;
        self.ledger.settle(&name);
        sync_directory(&self.path)
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            let name = temporary.to_path_buf();
            if temporary.close().is_ok() {
                self.ledger.settle(&name);
            }
        }
    }
}

/// Makes something under a new name of its own in the directory of `path`: `.NAME.mc-RANDOM`.
///
/// # Errors
/// What `make` says, but that a name is taken.
pub fn beside<T>(
    path: &Path,
    make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<tempfile::NamedTempFile<T>> {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".mc-");
    tempfile::Builder::new().prefix(&prefix).rand_bytes(8).make_in(directory(path), make)
}

/// Gets a change of the directory that holds `path` to the disk.
///
/// # Errors
/// When the disk does not take it.
pub fn sync_directory(path: &Path) -> Result<()> {
    let directory = directory(path);
    match File::open(directory).and_then(|d| d.sync_all()) {
        // Some file systems cannot sync a directory; there is nothing more to be done there.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        // A directory may be written to and not read: then it cannot be opened for this.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result.map_err(|e| Error::path("write", directory, &e)),
    }
}

/// The directory that holds `path`.
pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Where a name leads: through symbolic links, whether or not there is something at the end.
///
/// # Errors
/// When there are too many.
pub fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = directory(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(nix::errno::Errno::ELOOP.into())
}

fn nameless(directory: &Path) -> io::Result<File> {
    if !Path::new("/proc/self/fd").is_dir() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    fs::OpenOptions::new()
        .write(true)
        .mode(0o666)
        .custom_flags(OFlag::O_TMPFILE.bits())
        .open(directory)
}

/// Whether an error means that files without a name cannot be had here.
fn lacks_nameless(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(error.kind(), E::Unsupported | E::IsADirectory | E::InvalidInput)
        || error.raw_os_error() == Some(nix::errno::Errno::EOPNOTSUPP as i32)
}

fn named(path: &Path, ledger: &Ledger) -> Result<(File, TempPath)> {
    let made = beside(path, |name| {
        ledger.promise(name).map_err(io::Error::other)?;
        fs::OpenOptions::new().write(true).create_new(true).mode(0o666).open(name)
    });
    let made = made.map_err(|e| Error::path("write", path, &e))?;
    Ok(made.into_parts())
}

/// Gives an open file without a name a name.
fn link(file: &File, name: &Path) -> io::Result<()> {
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(AT_FDCWD, descriptor.as_str(), AT_FDCWD, name, AtFlags::AT_SYMLINK_FOLLOW)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all_and_replaces_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        for text in ["one", "two"] {
            let mut file = WholeFile::create(&path, &Ledger::none()).unwrap();
            file.file().write_all(text.as_bytes()).unwrap();
            file.sync().unwrap();
            assert_ne!(fs::read_to_string(&path).unwrap_or_default(), text);
            file.publish().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let mut dropped = WholeFile::create(&path, &Ledger::none()).unwrap();
            dropped.file().write_all(b"never").unwrap();
        }
        assert_eq!(names(dir.path()), ["out"]);
    }

    #[test]
    fn a_named_temporary_does_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let make = || {
            let (file, name) = named(&path, &Ledger::none()).unwrap();
            let temporary = Some(name);
            WholeFile { file, path: path.clone(), temporary, ledger: Ledger::none() }
        };
        drop(make());
        assert!(names(dir.path()).is_empty());
        make().publish().unwrap();
        assert_eq!(names(dir.path()), ["out"]);
    }

    #[test]
    fn a_symbolic_link_stays_and_its_target_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("target", dir.path().join("link")).unwrap();
        let file = WholeFile::create(&dir.path().join("link"), &Ledger::none()).unwrap();
        file.publish().unwrap();
        assert!(dir.path().join("target").is_file());
        assert!(dir.path().join("link").is_symlink());
        assert!(WholeFile::create(dir.path(), &Ledger::none()).is_err());
        assert!(WholeFile::create(&dir.path().join("no/out"), &Ledger::none()).is_err());
    }
}
