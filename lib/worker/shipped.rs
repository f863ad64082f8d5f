//! What the tool sends with a command: content by its hash, which comes to a host once and stays there
//! for later runs, and of which each run has a copy of its own.
//!
//! A copy, and no link: what a command writes into it harms nobody. While it is made it is hashed, so
//! that content that was damaged is never used: it is thrown away, and comes again.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use nix::fcntl::FlockArg;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result, broken};
use crate::parallel;
use crate::wire::client::ClientAsk;
use crate::wire::shipped::{ContentHash, EntryKind, ShippedEntry};
use crate::worker::base::Base;
use crate::worker::file_lock;
use crate::worker::state::WorkerState;

/// How many files are dealt with at once: those that come wait for the network.
const AT_ONCE: usize = 8;

/// How often content may come, where it is damaged each time.
const COMES_MAX: u32 = 2;

/// How long content stays that no run has used.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How old the lock of content has to be that nobody comes for.
const LOCK_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The most bytes of content that stay, and at most half of what would be free without them.
const BYTES_MAX: u64 = 32 << 30;

/// The ending of the locks.
const LOCK: &str = "lock";

/// How much of a file is copied at once.
const COPY_BYTES: usize = 256 * 1024;

fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    // Whatever it is, it is this host's storage, and no mistake of the call.
    Error::new(ErrorKind::Storage, Error::path(doing, path, error).to_string())
}

/// Puts `entries` to where commands start.
///
/// # Errors
/// `Storage` when there is no room; what the tool says of a file that it cannot send.
pub(super) fn place(worker: &Arc<WorkerState>, entries: &[ShippedEntry]) -> Result<()> {
    let Some(store) = &worker.store else { return Err(broken("a file without a run")) };
    let work = store.work();
    let (mut files, mut comes) = (Vec::new(), false);
    for entry in entries {
        let path = below(&work, entry)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| failed("make", folder, &e))?;
        }
        match &entry.is {
            // What is to be removed in the end can be written by us.
            EntryKind::Folder(mode) => fs::create_dir_all(&path)
                .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode | 0o700)))
                .map_err(|e| failed("make", &path, &e))?,
            EntryKind::Link(target) => {
                let target = PathBuf::from(std::ffi::OsString::from(target.clone()));
                symlink(target, &path).map_err(|e| failed("make", &path, &e))?;
            }
            EntryKind::File { mode, bytes, hash } => {
                comes |= !cached(&worker.base, hash).exists();
                files.push((path, *mode, *bytes, hash));
            }
        }
    }
    let placed = parallel::each(&files, AT_ONCE, |(path, mode, bytes, hash)| {
        place_file(worker, path, *mode, (hash, *bytes))
    });
    if comes {
        sweep(&worker.base);
    }
    placed.into_iter().collect()
}

/// The path of an entry below `work`.
fn below(work: &Path, entry: &ShippedEntry) -> Result<PathBuf> {
    let path = PathBuf::from(std::ffi::OsString::from(entry.path.clone()));
    let mut parts = path.components();
    match !entry.path.0.is_empty() && parts.all(|part| matches!(part, Component::Normal(_))) {
        true => Ok(work.join(path)),
        false => Err(broken("a file whose path leads elsewhere")),
    }
}

/// Where content of this hash lies, if it does.
fn cached(base: &Base, hash: &ContentHash) -> PathBuf {
    base.shipped().join(hash.digits())
}

/// Makes a copy of content, which comes where it is not here or is damaged.
fn place_file(
    worker: &Arc<WorkerState>,
    to: &Path,
    mode: u32,
    (hash, bytes): (&ContentHash, u64),
) -> Result<()> {
    let from = cached(&worker.base, hash);
    for _ in 0..COMES_MAX {
        if copy(&from, to, mode, (hash, bytes))? {
            return Ok(());
        }
        bring(worker, &from, (hash, bytes))?;
    }
    match copy(&from, to, mode, (hash, bytes))? {
        true => Ok(()),
        false => {
            let to = to.display();
            let text = format!("{to}: what is kept of it here is damaged again and again");
            Err(Error::new(ErrorKind::Storage, text))
        }
    }
}

/// Has content come from the tool, unless it comes for somebody else, who is waited for.
fn bring(worker: &Arc<WorkerState>, to: &Path, (hash, bytes): (&ContentHash, u64)) -> Result<()> {
    let stop = || worker.ending.load(Ordering::SeqCst);
    let _turn = file_lock::wait_for(&to.with_extension(LOCK), FlockArg::LockExclusive, &stop)?;
    if fs::metadata(to).is_ok_and(|found| found.len() == bytes) {
        return Ok(());
    }
    let Some(client) = &worker.client else { return Err(broken("a file without a run")) };
    let came = client.bring(worker, ClientAsk::Shipped(hash.clone()))?;
    fs::rename(&came, to).map_err(|e| failed("keep", to, &e))
}

/// Copies content to a new file of this mode; whether it is what it should be. What is not is removed,
/// so that it can come.
fn copy(from: &Path, to: &Path, mode: u32, (hash, bytes): (&ContentHash, u64)) -> Result<bool> {
    let mut source = match File::open(from) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        source => source.map_err(|e| failed("read", from, &e))?,
    };
    let _ = source.set_modified(SystemTime::now());
    let _ = fs::remove_file(to);
    let mut file = File::create_new(to).map_err(|e| failed("write", to, &e))?;
    let (mut found, mut count, mut buffer) = (Sha256::new(), 0, vec![0; COPY_BYTES]);
    loop {
        // A disk that cannot read it has damaged it.
        let read = source.read(&mut buffer).unwrap_or(0);
        if read == 0 {
            break;
        }
        found.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(|e| failed("write", to, &e))?;
        count += read as u64;
    }
    if count != bytes || ContentHash::of(found) != *hash {
        let _ = (fs::remove_file(from), fs::remove_file(to));
        return Ok(false);
    }
    file.set_permissions(Permissions::from_mode(mode)).map_err(|e| failed("write", to, &e))?;
    Ok(true)
}

/// Removes content that was not used for long, and what is too much, the longest unused first. Whoever
/// copies it just now has it open.
pub(super) fn sweep(base: &Base) {
    let age = |modified: SystemTime| modified.elapsed().unwrap_or_default();
    let mut all = Vec::new();
    for entry in fs::read_dir(base.shipped()).into_iter().flatten().flatten() {
        let (path, Ok(found)) = (entry.path(), entry.metadata()) else { continue };
        let age = found.modified().map(age).unwrap_or_default();
        if path.extension().is_none() {
            all.push((age, found.len(), path));
        } else if age > LOCK_AGE
            && matches!(file_lock::try_lock(&path, FlockArg::LockExclusive), Ok(Some(_)))
        {
            let _ = fs::remove_file(&path);
        }
    }
    let total: u64 = all.iter().map(|(_, bytes, _)| bytes).sum();
    sweep_to(all, BYTES_MAX.min((base.free() + total) / 2));
}

fn sweep_to(mut all: Vec<(Duration, u64, PathBuf)>, most: u64) {
    all.sort();
    let mut total = 0u64;
    for (age, bytes, path) in all {
        total = total.saturating_add(bytes);
        if age > KEPT_FOR || total > most {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::bytes::Bytes;

    fn hash(bytes: &[u8]) -> ContentHash {
        ContentHash::of(Sha256::new_with_prefix(bytes))
    }

    #[test]
    fn damaged_content_is_thrown_away_and_never_used() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let hash = (&hash(b"content"), 7);
        assert!(!copy(&from, &to, 0o644, hash).unwrap());
        for damaged in ["", "conten", "Content", "content and more"] {
            fs::write(&from, damaged).unwrap();
            assert!(!copy(&from, &to, 0o644, hash).unwrap());
            assert!(!from.exists() && !to.exists(), "{damaged}");
        }
        fs::write(&from, "content").unwrap();
        assert!(copy(&from, &to, 0o751, hash).unwrap());
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o7777, 0o751);
        // What a command does to its copy is its own.
        fs::write(&to, "Content").unwrap();
        assert!(copy(&from, &to, 0o751, hash).unwrap());
        assert_eq!(fs::read(&to).unwrap(), b"content");
    }

    #[test]
    fn what_is_shipped_lies_where_commands_start_and_nowhere_else() {
        let at = |path: &str| {
            let (path, is) = (Bytes(path.as_bytes().to_vec()), EntryKind::Folder(0o700));
            below(Path::new("/work"), &ShippedEntry { path, is })
        };
        for path in ["a", "a/b", "a/...", "..."] {
            assert_eq!(at(path).unwrap(), Path::new("/work").join(path));
        }
        for path in ["", "/", "/etc/passwd", ".", "..", "../a", "a/..", "a/../../b", "./a"] {
            assert_eq!(at(path).unwrap_err().exit_code(), 4, "{path}");
        }
    }

    #[test]
    fn what_was_used_last_stays() {
        let folder = tempfile::tempdir().unwrap();
        let base = Base::open(Some(folder.path().join("b")), None).unwrap();
        let put = |name: &str, bytes: usize, days: u64| {
            let path = base.shipped().join(name);
            fs::write(&path, vec![b'x'; bytes]).unwrap();
            let then = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
            File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
            path
        };
        let (old, new) = (put("a", 10, 31), put("b", 10, 29));
        let (lock, fresh) = (put("a.lock", 0, 2), put("b.lock", 0, 0));
        sweep(&base);
        assert!(!old.exists() && new.exists() && !lock.exists() && fresh.exists());
        let all = |ages: &[u64]| {
            let one = |age: &u64| (Duration::from_secs(*age), 10, put(&format!("c{age}"), 10, 0));
            ages.iter().map(one).collect::<Vec<_>>()
        };
        sweep_to(all(&[30, 10, 20]), 25);
        assert!(base.shipped().join("c10").exists() && base.shipped().join("c20").exists());
        assert!(!base.shipped().join("c30").exists());
    }
}
