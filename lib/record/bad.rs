//! What happens to bad records (`--bad`): fail, skip and count, or keep in a file.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use crate::error::{Error, Result};

/// What `--bad` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The first bad record ends the tool (exit 3).
    Fail,
    /// Bad records are dropped and counted.
    Skip,
    /// Bad records are dropped, counted, and kept as they came, a line each.
    File(PathBuf),
    /// Bad records are dropped and counted, but no more than so many.
    Limit(u64),
}

impl Policy {
    /// Whether what is kept by this policy and by `other` would go into one file, where each would
    /// write over the other. To be asked once both files are there.
    pub fn shares_file_with(&self, other: &Policy) -> bool {
        let (Policy::File(one), Policy::File(other)) = (self, other) else { return false };
        let place =
            |path| std::fs::metadata(path).map(|file| (file.dev(), file.ino(), file.is_file()));
        matches!((place(one), place(other)), (Ok(one), Ok(other)) if one == other && one.2)
    }
}

impl Policy {
    /// Checks, where nothing is to be written, that the file to keep records in could be made.
    ///
    /// # Errors
    /// When it could not.
    pub fn check(&self) -> Result<()> {
        let Policy::File(path) = self else { return Ok(()) };
        let within = path.parent().filter(|within| !within.as_os_str().is_empty());
        let (place, how) = match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(Error::path("write", path, &Errno::EISDIR.into()));
            }
            Ok(_) => (path.as_path(), AccessFlags::W_OK),
            Err(_) => (within.unwrap_or(".".as_ref()), AccessFlags::W_OK.union(AccessFlags::X_OK)),
        };
        access(place, how).map_err(|e| Error::path("write", path, &e.into()))
    }
}

impl std::str::FromStr for Policy {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Policy, String> {
        match word.split_once('=') {
            None if word == "fail" => Ok(Policy::Fail),
            None if word == "skip" => Ok(Policy::Skip),
            Some(("file", path)) if !path.is_empty() => Ok(Policy::File(path.into())),
            Some(("limit", count)) => match count.parse() {
                Ok(count) => Ok(Policy::Limit(count)),
                Err(_) => Err(format!("'{count}' is not a number of records")),
            },
            _ => Err("say fail, skip, file=PATH or limit=N".into()),
        }
    }
}

/// Takes what is dropped: what is wrong with it, and its text.
pub type Take = Box<dyn FnMut(&Error, &[u8]) -> Result<()> + Send>;

/// The policy at work: shared by the threads of a tool, it counts what it drops.
pub struct Bad {
    policy: Policy,
    count: AtomicU64,
    kept: Mutex<Option<File>>,
    /// Who judges instead.
    judge: Option<Mutex<Take>>,
}

impl std::fmt::Debug for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bad").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Bad {
    /// Drops bad records, and hands each to somebody else to judge.
    pub fn judged_by(judge: Take) -> Bad {
        let judge = Some(Mutex::new(judge));
        Bad { policy: Policy::Skip, count: AtomicU64::new(0), kept: Mutex::new(None), judge }
    }

    /// Ready to judge by `policy`.
    ///
    /// # Errors
    /// When the file to keep bad records in cannot be made.
    pub fn new(policy: Policy) -> Result<Bad> {
        let kept = match &policy {
            Policy::File(path) => {
                Some(File::create(path).map_err(|e| Error::path("write", path, &e))?)
            }
            _ => None,
        };
        Ok(Bad { policy, count: AtomicU64::new(0), kept: Mutex::new(kept), judge: None })
    }

    /// As by `policy`, where nothing is read and no file is made.
    pub fn unopened(policy: Policy) -> Bad {
        Bad { policy, count: AtomicU64::new(0), kept: Mutex::new(None), judge: None }
    }

    /// Judges one bad record: `error` says what is wrong with it, `raw` is its text.
    ///
    /// # Errors
    /// `error` itself when bad records are not to be dropped, or are too many.
    pub fn reject(&self, error: Error, raw: &[u8]) -> Result<()> {
        let before = match self.policy {
            Policy::Fail => return Err(error),
            _ => self.count.fetch_add(1, Ordering::Relaxed),
        };
        if let Some(judge) = &self.judge {
            return judge.lock().unwrap_or_else(PoisonError::into_inner)(&error, raw);
        }
        match &self.policy {
            Policy::Limit(most) if before >= *most => {
                Err(error.at(format!("more than {most} bad records")))
            }
            Policy::File(path) => {
                let mut kept = self.kept.lock().unwrap_or_else(|poison| poison.into_inner());
                let Some(file) = kept.as_mut() else { return Ok(()) };
                let mut line = raw.to_vec();
                line.push(b'\n');
                file.write_all(&line).map_err(|e| Error::path("write", path, &e))
            }
            _ => Ok(()),
        }
    }

    /// Whether the first bad record ends the tool.
    pub fn is_strict(&self) -> bool {
        self.policy == Policy::Fail
    }

    /// Whether no more than the number of bad records matters.
    pub fn only_counts(&self) -> bool {
        self.policy == Policy::Skip
    }

    /// Counts bad records that were dropped elsewhere.
    pub fn dropped(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    /// How many records were dropped.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
