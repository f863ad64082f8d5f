//! The directory of a user's workers on a host: private, local, and not emptied while it is used.
//!
//! Below it lie `bin` (workers, named by their content), `runs` (shards of tools that run), `kept`
//! (shards that are kept for good), `slots` (locks), `shipped` (files that go with commands, named by
//! their content) and `setup` (what lines have made ready for commands).

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::Uid;

use crate::error::{Error, ErrorKind, Result};
use crate::pipe::runtime_dir;

/// Where the directory of user `user` may be, best first: what survives a restart before what
/// does not.
fn candidates(home: Option<&Path>) -> Vec<PathBuf> {
    let user = Uid::effective();
    let mut found: Vec<PathBuf> =
        ["/var/tmp", "/tmp"].iter().map(|base| format!("{base}/mycloud-{user}").into()).collect();
    found.extend(home.map(|home| home.join(".cache/mycloud/here")));
    found.push(format!("/dev/shm/mycloud-{user}").into());
    found
}

/// The directory.
#[derive(Clone, Debug)]
pub(super) struct Base(PathBuf);

impl Base {
    /// The directory `given`, or the first that can be had.
    ///
    /// # Errors
    /// `Hosts` when there is none.
    pub(super) fn open(given: Option<PathBuf>, home: Option<&Path>) -> Result<Base> {
        let candidates = given.map_or_else(|| candidates(home), |given| vec![given]);
        let mut reasons = Vec::new();
        for candidate in candidates {
            match runtime_dir::make(&candidate).and_then(|()| prepare(&candidate)) {
                Ok(()) => return Ok(Base(candidate)),
                Err(e) => {
                    reasons.push(format!("{}: {}", candidate.display(), crate::error::reason(&e)))
                }
            }
        }
        let why = reasons.join("; ");
        Err(Error::new(ErrorKind::Hosts, format!("no private directory to work in: {why}")))
    }

    /// The directory itself.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the shards of tools that run lie.
    pub(super) fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// Where shards are kept for good.
    pub(super) fn kept(&self) -> PathBuf {
        self.0.join("kept")
    }

    /// Where the locks of the slots lie.
    pub(super) fn slots(&self) -> PathBuf {
        self.0.join("slots")
    }

    /// Where files lie that go with commands.
    pub(super) fn shipped(&self) -> PathBuf {
        self.0.join("shipped")
    }

    /// Where directories lie that lines have made ready for commands.
    pub(super) fn setups(&self) -> PathBuf {
        self.0.join("setup")
    }

    /// The bytes free there.
    pub(super) fn free(&self) -> u64 {
        statvfs(&self.0).map_or(0, |found| found.blocks_available() * found.fragment_size())
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
