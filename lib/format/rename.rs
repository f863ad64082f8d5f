//! Giving outputs their names: each has a temporary one, and one rename gives it its own.
//!
//! Several outputs get theirs one behind the other, after everything else that can fail. Whoever is
//! interrupted at that can be followed by another that carries the rest out.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What ends the name of a directory that is on its way out, where two names cannot be exchanged.
const ASIDE: &str = ".old";

/// In the place of what an output comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Of nothing, or of a file.
    Replace,
    /// Of nothing.
    New,
    /// Of a directory, which gets the temporary name.
    Exchange,
}

/// A rename that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The temporary name.
    pub from: PathBuf,
    /// The name that it shall have.
    pub to: PathBuf,
    /// In the place of what it comes.
    pub way: Way,
    /// The inode of what has the temporary name.
    pub inode: u64,
}

impl Rename {
    /// The rename of what is called `from` now.
    ///
    /// # Errors
    /// When nothing is called so.
    pub fn new(from: PathBuf, to: PathBuf, way: Way) -> io::Result<Rename> {
        let inode = fs::symlink_metadata(&from)?.ino();
        Ok(Rename { from, to, way, inode })
    }

    /// Renames; does nothing when that was done before. After an exchange what was there before has
    /// the temporary name.
    ///
    /// # Errors
    /// When something came in the way, or the file system does not take it.
    pub fn carry_out(&self) -> io::Result<()> {
        let (from, to) = (self.from.as_path(), self.to.as_path());
        if !fs::symlink_metadata(from).is_ok_and(|found| found.ino() == self.inode) {
            return if self.way == Way::Exchange { self.put_aside_back() } else { Ok(()) };
        }
        let renamed = match self.way {
            Way::Replace => return fs::rename(from, to),
            Way::New => rename_new(from, to),
            Way::Exchange => exchange(from, to),
        };
        match renamed {
            Err(e) if lacks_flags(&e) && self.way == Way::Exchange => self.exchange_in_steps(),
            Err(e) if lacks_flags(&e) => fs::rename(from, to),
            renamed => renamed,
        }
    }

    /// The exchange where the file system knows none: the old directory goes aside first.
    fn exchange_in_steps(&self) -> io::Result<()> {
        let aside = self.aside();
        match fs::rename(&self.to, &aside) {
            // Somebody who was interrupted had come so far.
            Err(e) if e.kind() == io::ErrorKind::NotFound && aside.is_dir() => (),
            renamed => renamed?,
        }
        if let Err(e) = fs::rename(&self.from, &self.to) {
            fs::rename(&aside, &self.to)?;
            return Err(e);
        }
        self.put_aside_back()
    }

    fn put_aside_back(&self) -> io::Result<()> {
        match fs::rename(self.aside(), &self.from) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    fn aside(&self) -> PathBuf {
        let mut name = OsString::from(&self.from);
        name.push(ASIDE);
        name.into()
    }
}

/// Renames to a name that nothing has.
#[cfg(target_env = "gnu")]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    Ok(renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)?)
}

/// Exchanges two names.
#[cfg(target_env = "gnu")]
fn exchange(from: &Path, to: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    Ok(renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_EXCHANGE)?)
}

#[cfg(not(target_env = "gnu"))]
fn rename_new(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_env = "gnu"))]
fn exchange(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether an error means that the kernel or the file system knows no such rename.
fn lacks_flags(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(path: &Path, file: &str) {
        fs::create_dir(path).unwrap();
        fs::write(path.join(file), "").unwrap();
    }

    #[test]
    fn what_was_carried_out_is_not_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for way in [Way::Replace, Way::New] {
            fs::write(at("new"), "new").unwrap();
            let rename = Rename::new(at("new"), at("out"), way).unwrap();
            rename.carry_out().unwrap();
            fs::write(at("new"), "of somebody else").unwrap();
            rename.carry_out().unwrap();
            assert_eq!(fs::read_to_string(at("out")).unwrap(), "new");
            fs::remove_file(at("out")).unwrap();
            fs::remove_file(at("new")).unwrap();
        }
        tree(&at("new"), "n");
        tree(&at("out"), "o");
        let rename = Rename::new(at("new"), at("out"), Way::Exchange).unwrap();
        for _ in 0..2 {
            rename.carry_out().unwrap();
            assert!(at("out/n").exists() && at("new/o").exists());
        }
    }

    #[test]
    fn what_came_in_the_way_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        tree(&at("new"), "n");
        tree(&at("out"), "o");
        let rename = Rename::new(at("new"), at("out"), Way::New).unwrap();
        assert!(rename.carry_out().is_err());
        assert!(at("out/o").exists() && at("new/n").exists());
    }

    #[test]
    fn an_exchange_in_steps_goes_on_wherever_it_was_interrupted() {
        for done in 0..=3 {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            tree(&at("new"), "n");
            tree(&at("out"), "o");
            let rename = Rename::new(at("new"), at("out"), Way::Exchange).unwrap();
            let steps = [("out", "new.old"), ("new", "out"), ("new.old", "new")];
            for (from, to) in &steps[..done] {
                fs::rename(at(from), at(to)).unwrap();
            }
            match done {
                0 | 1 => rename.exchange_in_steps().unwrap(),
                _ => rename.carry_out().unwrap(),
            }
            assert!(at("out/n").exists() && at("new/o").exists(), "{done}");
            assert!(!at("new.old").exists());
        }
    }
}
