//! Removing entries of the registry whose pipe is gone.
//!
//! An entry that is removed too early hides a failure; one that stays costs a little space. So an
//! entry goes only when it is of an earlier boot, or old, of a writer among the processes that
//! this one can see, and of a pipe that none of them was found to hold, twice.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{Flock, FlockArg};

use crate::pipe::registry::{DRAFT, Name, names};

/// Entries that changed less long ago stay: their pipelines may be anywhere between two processes.
const MIN_AGE: Duration = Duration::from_secs(60);

/// Fewer entries are not worth a look at all processes.
const WORTHWHILE: usize = 64;

/// How many entries one sweep looks at.
const MAX_ENTRIES: usize = 4096;

/// How many open files one sweep looks at, at most; with more, it cannot tell, and leaves all.
const MAX_OPEN_FILES: usize = 200_000;

const LOCK_NAME: &str = "lock";

/// Sweeps `directory`, for the boot and the process space of this process.
pub(crate) fn sweep(directory: &Path, boot: &str, space: &str) {
    let Some(_lock) = lock(directory) else { return };
    let mut stale = Vec::new();
    for file in names(directory).take(MAX_ENTRIES) {
        let Some(name) = Name::parse(file.strip_prefix(DRAFT).unwrap_or(&file)) else { continue };
        let path = directory.join(&file);
        if name.boot != boot {
            let _ = fs::remove_file(&path);
        } else if name.space == space && is_old(&path) {
            stale.push((name.pipe.inode, path));
        }
    }
    if stale.len() < WORTHWHILE {
        return;
    }
    // A pipe can pass from one process to another behind the look's back, but hardly twice.
    for _ in 0..2 {
        let Some(open) = open_pipes(Path::new("/proc")) else { return };
        stale.retain(|(inode, _)| !open.contains(inode));
    }
    for (_, path) in stale {
        let _ = fs::remove_file(path);
    }
}

fn lock(directory: &Path) -> Option<Flock<File>> {
    let path: PathBuf = directory.join(LOCK_NAME);
    let options = OpenOptions::new().write(true).create(true).mode(0o600).clone();
    Flock::lock(options.open(path).ok()?, FlockArg::LockExclusiveNonblock).ok()
}

fn is_old(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|found| found.modified());
    let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
    age.is_some_and(|age| age > MIN_AGE)
}

/// The inodes of the pipes that the processes of this user hold; `None` when there are too many to
/// look at, or processes cannot be seen at all.
fn open_pipes(proc: &Path) -> Option<HashSet<u64>> {
    let mut open = HashSet::new();
    let mut looked_at = 0;
    let processes = fs::read_dir(proc).ok()?.flatten();
    for process in processes {
        let is_process = process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if !is_process {
            continue;
        }
        // Those of other users cannot be read.
        for file in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            looked_at += 1;
            if looked_at > MAX_OPEN_FILES {
                return None;
            }
            if let Some(inode) = fs::read_link(file.path()).ok().and_then(|link| {
                link.to_str()?.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok()
            }) {
                open.insert(inode);
            }
        }
    }
    // This process holds at least its own directory open.
    (looked_at > 0).then_some(open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::pipe_id::PipeId;
    use crate::pipe::registry::Registry;

    fn aged(directory: &Path) {
        let then = SystemTime::now() - MIN_AGE * 2;
        for name in names(directory) {
            let file = File::options().write(true).open(directory.join(name)).unwrap();
            file.set_modified(then).unwrap();
        }
    }

    fn entries(directory: &Path) -> usize {
        names(directory).filter(|name| name != LOCK_NAME).count()
    }

    #[test]
    fn entries_of_pipes_that_are_gone_go_and_those_of_open_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("mycloud");
        let registry = Registry::new(vec![directory.clone()]);
        let (reader, _writer) = std::io::pipe().unwrap();
        let open = PipeId::of(&reader).unwrap();
        registry.enter(&open, "mc-x").unwrap();
        for _ in 0..WORTHWHILE {
            let (reader, _writer) = std::io::pipe().unwrap();
            registry.enter(&PipeId::of(&reader).unwrap(), "mc-x").unwrap();
        }
        registry.sweep();
        assert_eq!(entries(&directory), WORTHWHILE + 1, "all are young");
        aged(&directory);
        let held = lock(&directory).unwrap();
        registry.sweep();
        assert_eq!(entries(&directory), WORTHWHILE + 1, "another one sweeps");
        drop(held);
        registry.sweep();
        assert_eq!((entries(&directory), registry.look_up(&open).len()), (1, 1));
    }

    #[test]
    fn what_cannot_be_judged_stays_and_what_an_earlier_boot_left_goes() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..WORTHWHILE * 2 {
            fs::write(dir.path().join(format!("now.1.{n}.1.elsewhere.{n}")), "").unwrap();
        }
        fs::write(dir.path().join("then.1.1.1.here.1"), "").unwrap();
        fs::write(dir.path().join("draft.then.1.1.1.here.1"), "").unwrap();
        fs::write(dir.path().join("a file of somebody else"), "").unwrap();
        aged(dir.path());
        sweep(dir.path(), "now", "here");
        assert_eq!(entries(dir.path()), WORTHWHILE * 2 + 1);
    }
}
