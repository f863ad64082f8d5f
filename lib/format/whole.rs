//! A file that appears under its name whole or not at all: written without a name beside it where
//! the file system can do that (else under a temporary one), synced, then renamed. It takes the mode of
//! the file that it replaces.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::{AccessFlags, access, linkat};
use tempfile::TempPath;

use super::ledger::Ledger;
use super::rename::{Rename, Way};
use super::replaced::{follow, may_replace, resemble};
use crate::error::{Error, Result};

/// The mode of a file that is written under a temporary name: what it is to be, it is at its end.
const CLOSED: u32 = 0o600;

/// A file on its way to its name. Dropped before [`WholeFile::publish`], it leaves nothing behind.
pub struct WholeFile {
    file: File,
    /// The name it shall have, symbolic links followed.
    path: PathBuf,
    /// The temporary name that it has until then, if it has one.
    temporary: Option<TempPath>,
    /// The permissions that the umask gives, where it does not have them yet.
    permissions: Option<fs::Permissions>,
    ledger: Ledger,
}

impl WholeFile {
    /// Begins a file that shall be called `path`, with the permissions of the file that has that name,
    /// or else those that the umask gives.
    ///
    /// # Errors
    /// When there can be no file of that name.
    pub fn create(path: &Path, ledger: &Ledger) -> Result<WholeFile> {
        let failed = |e: io::Error| Error::path("write", path, &e);
        let path = WholeFile::name(path)?;
        match nameless(directory(&path)) {
            Ok(file) => {
                let ledger = ledger.clone();
                Ok(WholeFile { file, path, temporary: None, permissions: None, ledger })
            }
            Err(e) if lacks_nameless(&e) => WholeFile::named(path, ledger),
            Err(e) => Err(failed(e)),
        }
    }

    /// Checks, where nothing is to be written, that a file of this name could begin.
    ///
    /// # Errors
    /// As [`WholeFile::create`].
    pub fn check(path: &Path) -> Result<()> {
        let name = WholeFile::name(path)?;
        may_write_in(directory(&name)).map_err(|e| Error::path("write", path, &e))
    }

    /// The name that a file shall have that is called `path`.
    fn name(path: &Path) -> Result<PathBuf> {
        let failed = |e: io::Error| Error::path("write", path, &e);
        let path = follow(path).map_err(failed)?;
        if path.is_dir() {
            return Err(Error::usage(format!("{} is a directory", path.display())));
        }
        if path.file_name().is_none() {
            return Err(Error::usage(format!("{} names no file", path.display())));
        }
        may_replace(&path).map_err(failed)?;
        Ok(path)
    }

    /// Begins it under a temporary name.
    fn named(path: PathBuf, ledger: &Ledger) -> Result<WholeFile> {
        let failed = |e: io::Error| Error::path("write", &path, &e);
        let made = beside(&path, |name| {
            ledger.promise(name).map_err(io::Error::other)?;
            fs::OpenOptions::new().write(true).create_new(true).mode(0o666).open(name)
        });
        let (file, name) = made.map_err(failed)?.into_parts();
        let permissions = file.metadata().map_err(failed)?.permissions();
        file.set_permissions(fs::Permissions::from_mode(CLOSED)).map_err(failed)?;
        let (temporary, permissions) = (Some(name), Some(permissions));
        Ok(WholeFile { file, path, temporary, permissions, ledger: ledger.clone() })
    }

    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
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
        let temporary = self.ready()?;
        let failed = |e: io::Error| Error::path("write", &self.path, &e);
        let name = temporary.keep().map_err(|e| failed(e.error))?;
        let rename = Rename::new(name, self.path.clone(), Way::Replace).map_err(failed)?;
        self.ledger.publish(rename, None)
    }

    /// Has `claim` give the synced file its name, which it gets with the temporary one, and may refuse.
    ///
    /// # Errors
    /// What `claim` says: nothing is left of the file then; when the directory does not take it.
    pub fn publish_by(mut self, claim: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<()> {
        let temporary = self.ready()?;
        let name = temporary.to_path_buf();
        // Claimed, the temporary name is gone, or is one more for the same file.
        let claimed = claim(&name, &self.path).and_then(|()| sync_directory(directory(&self.path)));
        drop(temporary);
        self.ledger.settle(&name);
        claimed
    }

    /// Gives the file the mode that it is to have, and a temporary name.
    fn ready(&mut self) -> Result<TempPath> {
        let failed = |e: io::Error| Error::path("write", &self.path, &e);
        if self.path.is_dir() {
            return Err(Error::usage(format!("{} is a directory", self.path.display())));
        }
        may_replace(&self.path).map_err(failed)?;
        if let Some(permissions) = self.permissions.take() {
            self.file.set_permissions(permissions).map_err(failed)?;
        }
        resemble(&self.file, &self.path).map_err(failed)?;
        if let Some(temporary) = self.temporary.take() {
            return Ok(temporary);
        }
        let made = beside(&self.path, |name| {
            self.ledger.promise(name).map_err(io::Error::other)?;
            link(&self.file, name)
        });
        Ok(made.map_err(failed)?.into_temp_path())
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

/// Gets the names in a directory to the disk.
///
/// # Errors
/// When the disk does not take them.
pub fn sync_directory(directory: &Path) -> Result<()> {
    match File::open(directory).and_then(|d| d.sync_all()) {
        // Some file systems cannot sync a directory; there is nothing more to be done there.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        // A directory may be written to and not read: then it cannot be opened for this.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result.map_err(|e| {
            let error = Error::path("sync the directory", directory, &e);
            error.hint(
                "(what was written has its name, which may not outlast a crash of the machine)",
            )
        }),
    }
}

/// The directory that holds `path`.
pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// That files can be made in a directory.
pub(super) fn may_write_in(directory: &Path) -> io::Result<()> {
    if !fs::metadata(directory)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    access(directory, AccessFlags::W_OK.union(AccessFlags::X_OK)).map_err(Into::into)
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
        let make = || WholeFile::named(path.clone(), &Ledger::none()).unwrap();
        drop(make());
        assert!(names(dir.path()).is_empty());
        let file = make();
        assert_eq!(file.file.metadata().unwrap().permissions().mode() & 0o777, CLOSED);
        file.publish().unwrap();
        assert_eq!(names(dir.path()), ["out"]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        make().publish().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o604);
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
