//! The directory of a user's workers on a host: private, local, and not emptied while it is used; and
//! those where workers before may have had theirs.
//!
//! Below it lie `bin` (workers, named by their content), `runs` (shards of tools that run), `kept`
//! (shards that are kept for good), `slots` (locks), `shipped` (files that go with commands, named by
//! their content) and `setup` (what lines have made ready for commands).

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{Uid, gethostname};

use crate::error::{Error, ErrorKind, Result};
use crate::pipe::runtime_dir;

/// Where the directory of user `user` may be, best first: what survives a restart before what
/// does not.
fn candidates(home: Option<&Path>, runtime: Option<&Path>) -> Vec<PathBuf> {
    let user = Uid::effective();
    let mut found: Vec<PathBuf> =
        ["/var/tmp", "/tmp"].iter().map(|base| format!("{base}/mycloud-{user}").into()).collect();
    if let Some(home) = home {
        // A login's is named by the machine, for others may have the same home.
        let node = gethostname().unwrap_or_default();
        found.extend(
            [".cache/mycloud/here".into(), Path::new(".cache/mycloud").join(node)]
                .map(|below| home.join(below)),
        );
    }
    found.extend(runtime.map(|runtime| runtime.join("mycloud")));
    found.push(format!("/dev/shm/mycloud-{user}").into());
    found
}

/// The directory.
#[derive(Clone, Debug)]
pub(super) struct Base {
    path: PathBuf,
    /// The other directories where files of this user's workers may lie: which one is the best that
    /// can be had changes with what may be run there, and with what is full.
    others: Vec<PathBuf>,
}

impl Base {
    /// The directory `given`, or the first that can be had.
    ///
    /// # Errors
    /// `Hosts` when there is none.
    pub(super) fn open(given: Option<PathBuf>, home: Option<&Path>) -> Result<Base> {
        let candidates = given.map_or_else(|| candidates(home, None), |given| vec![given]);
        let mut reasons = Vec::new();
        for candidate in candidates {
            match runtime_dir::make(&candidate).and_then(|()| prepare(&candidate)) {
                Ok(()) => return Ok(Base { path: candidate, others: Vec::new() }),
                Err(e) => {
                    reasons.push(format!("{}: {}", candidate.display(), crate::error::reason(&e)))
                }
            }
        }
        let why = reasons.join("; ");
        Err(Error::new(ErrorKind::Hosts, format!("no private directory to work in: {why}")))
    }

    /// The same, beside all others where this user's workers may have been, but for those that
    /// cannot be trusted.
    pub(super) fn among_others(self, home: Option<&Path>, runtime: Option<&Path>) -> Base {
        let mut others = candidates(home, runtime);
        let is_sound = |path: &PathBuf| match runtime_dir::check(path) {
            Err(e) => e.kind() == io::ErrorKind::NotFound,
            Ok(()) => true,
        };
        others.retain(|path| *path != self.path && is_sound(path));
        Base { others, ..self }
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The other directories where files may lie; there need not be any.
    pub(super) fn others(&self) -> &[PathBuf] {
        &self.others
    }

    /// The directory, and the others.
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.path).chain(&self.others)
    }

    /// Wherever the shards of tools that run may lie.
    pub(super) fn all_runs(&self) -> Vec<PathBuf> {
        self.all().map(|base| base.join("runs")).collect()
    }

    /// Wherever shards may be kept for good.
    pub(super) fn all_kept(&self) -> Vec<PathBuf> {
        self.all().map(|base| base.join("kept")).collect()
    }

    /// Where the shards of tools that run lie.
    pub(super) fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// Where shards are kept for good.
    pub(super) fn kept(&self) -> PathBuf {
        self.path.join("kept")
    }

    /// Where the locks of the slots lie.
    pub(super) fn slots(&self) -> PathBuf {
        self.path.join("slots")
    }

    /// Where files lie that go with commands.
    pub(super) fn shipped(&self) -> PathBuf {
        self.path.join("shipped")
    }

    /// Where directories lie that lines have made ready for commands.
    pub(super) fn setups(&self) -> PathBuf {
        self.path.join("setup")
    }

    /// Whether what lies there can be run.
    ///
    /// # Errors
    /// `Storage` when the file system forbids it, which it need not have done when the worker began.
    pub(super) fn runs_programs(&self) -> Result<()> {
        let flags = statvfs(&self.path).map_or(FsFlags::empty(), |found| found.flags());
        if !flags.contains(FsFlags::ST_NOEXEC) {
            return Ok(());
        }
        let text = format!("nothing may be run in {} any more (noexec)", self.path.display());
        Err(Error::new(ErrorKind::Storage, text))
    }

    /// The bytes free there.
    pub(super) fn free(&self) -> u64 {
        statvfs(&self.path).map_or(0, |found| found.blocks_available() * found.fragment_size())
    }
}

/// Makes what lies below.
fn prepare(base: &Path) -> io::Result<()> {
    for name in ["runs", "kept", "slots", "shipped", "setup"] {
        make_private(&base.join(name))?;
    }
    Ok(())
}

/// Makes a private directory where there is none.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e)
            if e.kind() == io::ErrorKind::AlreadyExists && fs::symlink_metadata(path)?.is_dir() =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_place_of_a_directory_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        make_private(&at("made")).unwrap();
        make_private(&at("made")).unwrap();
        std::os::unix::fs::symlink(at("made"), at("link")).unwrap();
        fs::write(at("file"), "").unwrap();
        for name in ["link", "file"] {
            assert!(make_private(&at(name)).is_err(), "{name}");
        }
        fs::remove_dir(at("made")).unwrap();
        std::os::unix::fs::symlink(dir.path(), at("runs")).unwrap();
        assert!(prepare(dir.path()).is_err());
    }
}
