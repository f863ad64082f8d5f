//! Shards on a host: files in the directory of their run, each of which appears whole.
//!
//! Each worker of a run has a directory of its own, `RUN.PID`: a host may have several, under other
//! names. The directory of a run whose tool still runs has a lease, a lock that its worker holds; one
//! whose lease is free is nobody's, and the next worker removes it. What is kept for good lies in
//! another directory and has none.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::command::program::SEARCH_PATH;
use crate::error::{Error, ErrorKind, Result};
use crate::format::ledger::Ledger;
use crate::record::digest::{Contents, Digest};
use crate::spool::Spool;
use crate::wire::message::KeptDataset;
use crate::worker::base::{self, Base};

/// The file whose lock says that a run's worker lives.
const LEASE: &str = "lease";
const LEASE_UNNAMED: &str = "lease.new";

/// How old what has no lease has to be before it is swept: it may be in the making.
const SWEEP_AGE: Duration = Duration::from_secs(10);

/// How many runs are looked at when what is nobody's is swept.
const SWEEP_MAX: usize = 64;

/// The shards that this worker makes.
pub(super) struct Store {
    base: Base,
    /// The name of the directory.
    name: String,
    ledger: Ledger,
    _lease: Flock<File>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("name", &self.name).finish_non_exhaustive()
    }
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    // Whatever it is, it is this host's storage, and no mistake of the call.
    Error::new(ErrorKind::Storage, Error::path(doing, path, error).to_string())
}

/// Whether `run` is the name of a run, and so safe as the name of a directory.
fn check(run: &str) -> Result<()> {
    let sound = run.len() == 32 && run.bytes().all(|b| b.is_ascii_hexdigit());
    if sound { Ok(()) } else { Err(Error::incomplete("a run whose name is none")) }
}

impl Store {
    /// Makes the directory of `run`, which `ledger` has noted until it is gone or kept.
    ///
    /// # Errors
    /// `Storage` when it cannot be made, or is there.
    pub(super) fn create(base: &Base, run: &str, ledger: Ledger) -> Result<Store> {
        check(run)?;
        let name = of_this_worker(run);
        let directory = base.runs().join(&name);
        let error = |e: io::Error| failed("make", &directory, &e);
        ledger.promise(&directory)?;
        base::make_private(&directory).map_err(error)?;
        // It has its name only when it is locked: a worker that sweeps finds none, or a lease that
        // is held.
        let unnamed = directory.join(LEASE_UNNAMED);
        let lease = File::create_new(&unnamed).map_err(error)?;
        let lock = Flock::lock(lease, FlockArg::LockExclusiveNonblock);
        let lease = lock.map_err(|(_, e)| error(e.into()))?;
        fs::rename(&unnamed, directory.join(LEASE)).map_err(error)?;
        Ok(Store { base: base.clone(), name, ledger, _lease: lease })
    }

    /// What takes note of names that are to go.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Its directory.
    pub(super) fn directory(&self) -> PathBuf {
        self.base.runs().join(&self.name)
    }

    /// Where the files of commands lie, and commands start.
    pub(super) fn work(&self) -> PathBuf {
        self.directory().join("work")
    }

    /// Goes there: this process, and so every command that it starts.
    ///
    /// # Errors
    /// `Storage` when that is not possible.
    pub(super) fn enter(&self) -> Result<()> {
        let work = self.work();
        base::make_private(&work).map_err(|e| failed("make", &work, &e))?;
        nix::unistd::chdir(&work).map_err(|e| failed("enter", &work, &e.into()))
    }

    /// Makes links to `program` under `names`, and gives a `$PATH` that has them before what is in
    /// `search_path`.
    ///
    /// # Errors
    /// `Storage` when they cannot be made.
    pub(super) fn link(
        &self,
        program: &Path,
        names: &[&str],
        search_path: Option<OsString>,
    ) -> Result<OsString> {
        let tools = self.tools();
        base::make_private(&tools).map_err(|e| failed("make", &tools, &e))?;
        for path in names.iter().map(|name| tools.join(name)) {
            symlink(program, &path).map_err(|e| failed("make", &path, &e))?;
        }
        Ok(self.search_path(search_path.unwrap_or_else(|| SEARCH_PATH.into())))
    }

    /// A `$PATH` that has the links before what is in `search_path`.
    pub(super) fn search_path(&self, search_path: OsString) -> OsString {
        let mut path = self.tools().into_os_string();
        path.push(":");
        path.push(search_path);
        path
    }

    /// Where the small files lie that the tools share which commands start.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.directory().join("runtime")
    }

    /// Where copies of files of the client lie.
    pub(super) fn client(&self) -> PathBuf {
        self.directory().join("client")
    }

    /// Where the links lie under which commands find the tools.
    fn tools(&self) -> PathBuf {
        self.directory().join("tools")
    }

    /// Makes shard `number` of `records`; an older one of that number is replaced.
    ///
    /// # Errors
    /// `Storage` when there is no room.
    pub(super) fn put(&self, number: u64, attempt: u32, records: &Spool) -> Result<Contents> {
        let mut shard = self.begin(number, attempt)?;
        let mut reading = records.read();
        loop {
            let next = reading.chunk()?;
            let count = next.len();
            if count == 0 {
                return shard.finish();
            }
            shard.write(next)?;
            reading.consume(count);
        }
    }

    /// Begins shard `number`, which appears once it is whole.
    ///
    /// # Errors
    /// `Storage` when it cannot be made.
    pub(super) fn begin(&self, number: u64, attempt: u32) -> Result<NewShard> {
        let directory = self.directory();
        let temporary = directory.join(format!("{number}.{attempt}.part"));
        let file = File::create_new(&temporary).map_err(|e| failed("write", &temporary, &e))?;
        let path = directory.join(number.to_string());
        Ok(NewShard { file, temporary, path, digest: Digest::default(), whole: false })
    }

    /// Keeps the shards for good: they are in another directory then.
    ///
    /// # Errors
    /// `Storage` when they cannot be moved.
    pub(super) fn keep(&self) -> Result<()> {
        let (from, to) = (self.directory(), self.base.kept().join(&self.name));
        for place in [self.work(), self.tools(), self.runtime(), self.client()] {
            let _ = fs::remove_dir_all(place);
        }
        sync(&from).map_err(|e| failed("sync", &from, &e))?;
        fs::rename(&from, &to).map_err(|e| failed("keep", &from, &e))?;
        self.ledger.settle(&from);
        // So that it is there after a crash of the machine, too, and not among what is swept.
        let kept = self.base.kept();
        let synced = File::open(&kept).and_then(|directory| directory.sync_all());
        synced.map_err(|e| failed("sync", &kept, &e))?;
        let _ = fs::remove_file(to.join(LEASE));
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.directory());
        self.ledger.settle(&self.directory());
    }
}

/// A shard that is being written; dropped before its end, nothing is left of it.
#[derive(Debug)]
pub(super) struct NewShard {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    digest: Digest,
    whole: bool,
}

impl NewShard {
    /// Writes the next bytes of it.
    ///
    /// # Errors
    /// `Storage` when there is no room.
    pub(super) fn write(&mut self, records: &[u8]) -> Result<()> {
        self.digest.push(records);
        self.file.write_all(records).map_err(|e| failed("write", &self.temporary, &e))
    }

    /// It is whole; an older one of its number is replaced.
    ///
    /// # Errors
    /// `Storage` when it cannot be given its name.
    pub(super) fn finish(mut self) -> Result<Contents> {
        fs::rename(&self.temporary, &self.path).map_err(|e| failed("write", &self.path, &e))?;
        self.whole = true;
        Ok(self.digest.contents())
    }
}

impl Drop for NewShard {
    fn drop(&mut self) {
        if !self.whole {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(directory)?.sync_all()
}

/// The directories of a run, wherever they lie here.
fn directories(base: &Base, run: &str) -> Vec<PathBuf> {
    let places = [base.all_runs(), base.all_kept()].concat();
    let entries = places.into_iter().filter_map(|place| fs::read_dir(place).ok());
    let paths = entries.flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| run_of(path) == Some(run.to_string())).collect()
}

/// What this worker calls its directory of `run`.
fn of_this_worker(run: &str) -> String {
    format!("{run}.{}", std::process::id())
}

/// The run that a directory is of.
fn run_of(directory: &Path) -> Option<String> {
    let (run, _) = directory.file_name()?.to_str()?.split_once('.')?;
    check(run).ok().map(|()| run.to_string())
}

/// The files of a shard, wherever they lie here: two workers of one machine may each have made one.
///
/// # Errors
/// `Incomplete` when there is none.
pub(super) fn files(base: &Base, run: &str, shard: u64) -> Result<Vec<PathBuf>> {
    check(run)?;
    let places = directories(base, run);
    let found = places.iter().map(|place| place.join(shard.to_string()));
    let found: Vec<PathBuf> = found.filter(|path| path.exists()).collect();
    if found.is_empty() {
        return Err(Error::incomplete(format!("shard {shard} of run {run} is not here any more")));
    }
    Ok(found)
}

/// Removes what is kept of `run`; whether there was anything.
///
/// # Errors
/// `Storage` when it cannot be removed, `Usage` when a tool still works with it.
pub(super) fn remove(base: &Base, run: &str) -> Result<bool> {
    check(run)?;
    let (mut found, runs) = (directories(base, run), base.all_runs());
    // What this worker has not kept goes with it.
    found.retain(|path| *path != base.runs().join(of_this_worker(run)));
    let is_run = |path: &Path| runs.iter().any(|runs| path.starts_with(runs));
    if found.iter().any(|path| is_run(path) && !is_free(path)) {
        return Err(Error::usage(format!("run {run} belongs to a tool that still runs")));
    }
    for path in &found {
        match fs::remove_dir_all(path) {
            // Another worker of this machine was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => (),
            removed => removed.map_err(|e| failed("remove", path, &e))?,
        }
    }
    Ok(!found.is_empty())
}

/// What lies here.
pub(super) fn list(base: &Base) -> Vec<KeptDataset> {
    let mut all: Vec<KeptDataset> = Vec::new();
    let kept = base.all_kept().into_iter().map(|place| (place, true));
    let runs = base.all_runs().into_iter().map(|place| (place, false));
    for (place, for_good) in kept.chain(runs) {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let Some(run) = run_of(&entry.path()) else { continue };
            let files = fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let is_shard =
                |f: &fs::DirEntry| f.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
            let sizes = files.filter(is_shard).filter_map(|f| f.metadata().ok()).map(|m| m.len());
            let sizes: Vec<u64> = sizes.collect();
            let (shards, bytes) = (sizes.len() as u64, sizes.iter().sum::<u64>());
            match all.iter_mut().find(|kept| kept.run == run && kept.for_good == for_good) {
                Some(kept) => {
                    kept.shards += shards;
                    kept.bytes += bytes;
                }
                None => all.push(KeptDataset { run, shards, bytes, for_good }),
            }
        }
    }
    all.sort_by(|a, b| a.run.cmp(&b.run));
    all
}

/// Whether the lease of a run's directory is nobody's.
fn is_free(directory: &Path) -> bool {
    match File::open(directory.join(LEASE)) {
        Ok(lease) => Flock::lock(lease, FlockArg::LockExclusiveNonblock).is_ok(),
        // It is being made just now, or is damaged: age decides.
        Err(_) => {
            let changed = fs::metadata(directory).and_then(|found| found.modified());
            changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > SWEEP_AGE))
        }
    }
}

/// Removes directories of runs that are nobody's.
pub(super) fn sweep(base: &Base) {
    let places = base.all_runs().into_iter().filter_map(|runs| fs::read_dir(runs).ok());
    let entries = places.flat_map(|entries| entries.flatten().take(SWEEP_MAX));
    for directory in entries.map(|entry| entry.path()).filter(|path| is_free(path)) {
        let _ = fs::remove_dir_all(directory);
    }
    let _ = base::make_private(&base.runs());
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "00112233445566778899aabbccddeeff";

    fn base() -> (tempfile::TempDir, Base) {
        let folder = tempfile::tempdir().unwrap();
        let base = Base::open(Some(folder.path().join("b")), None).unwrap();
        (folder, base)
    }

    fn spool(bytes: &[u8]) -> Spool {
        Spool::holding(bytes.to_vec(), usize::MAX, Path::new("/tmp"))
    }

    fn text(base: &Base, shard: u64) -> String {
        fs::read_to_string(&files(base, RUN, shard).unwrap()[0]).unwrap()
    }

    #[test]
    fn shards_go_with_their_store_unless_they_are_kept() {
        let (_folder, base) = base();
        let store = Store::create(&base, RUN, Ledger::none()).unwrap();
        let contents = store.put(7, 1, &spool(b"1\n2\n")).unwrap();
        assert_eq!((contents.records, contents.bytes), (2, 4));
        assert_eq!(text(&base, 7), "1\n2\n");
        store.put(7, 2, &spool(b"3\n")).unwrap();
        assert_eq!(text(&base, 7), "3\n");
        sweep(&base);
        assert_eq!(list(&base).len(), 1);
        assert!(!remove(&base, RUN).unwrap() && store.directory().exists(), "its worker lives");
        let other = base.runs().join(format!("{RUN}.1"));
        fs::create_dir(&other).unwrap();
        let lease = File::create(other.join(LEASE)).unwrap();
        let lease = Flock::lock(lease, FlockArg::LockExclusiveNonblock).unwrap();
        assert!(remove(&base, RUN).is_err(), "another's worker lives");
        drop(lease);
        assert!(remove(&base, RUN).unwrap() && !other.exists());
        drop(store);
        assert!(files(&base, RUN, 7).is_err() && list(&base).is_empty());

        let store = Store::create(&base, RUN, Ledger::none()).unwrap();
        store.put(1, 1, &spool(b"1\n")).unwrap();
        store.keep().unwrap();
        drop(store);
        assert_eq!(text(&base, 1), "1\n");
        assert!(list(&base)[0].for_good);
        assert!(remove(&base, RUN).unwrap() && !remove(&base, RUN).unwrap());
    }

    #[test]
    fn two_attempts_at_a_shard_do_not_mix() {
        let (_folder, base) = base();
        let store = Store::create(&base, RUN, Ledger::none()).unwrap();
        let mut attempts = [1, 2].map(|attempt| store.begin(7, attempt).unwrap());
        for records in [b"11\n", b"12\n"] {
            attempts.iter_mut().for_each(|shard| shard.write(records).unwrap());
        }
        let [first, mut second] = attempts;
        assert!(files(&base, RUN, 7).is_err(), "nothing is whole");
        first.finish().unwrap();
        assert_eq!(text(&base, 7), "11\n12\n");
        second.write(b"13\n").unwrap();
        assert_eq!(text(&base, 7), "11\n12\n");
        assert!(store.begin(7, 2).is_err(), "it has the number of another one");
        second.finish().unwrap();
        assert_eq!(text(&base, 7), "11\n12\n13\n");
        let mut left =
            fs::read_dir(store.directory()).unwrap().map(|file| file.unwrap().file_name());
        assert!(left.all(|name| name == "7" || name == LEASE));
    }

    #[test]
    fn what_a_dead_worker_left_is_swept() {
        let (_folder, base) = base();
        let store = Store::create(&base, RUN, Ledger::none()).unwrap();
        let left = base.runs().join(format!("{}.1", RUN.replace('0', "f")));
        fs::create_dir(&left).unwrap();
        sweep(&base);
        assert!(left.exists(), "it may be in the making");
        fs::write(left.join(LEASE), "").unwrap();
        sweep(&base);
        assert!(!left.exists() && store.directory().exists());
        fs::create_dir(&left).unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * SWEEP_AGE;
        File::open(&left).unwrap().set_modified(long_ago).unwrap();
        sweep(&base);
        assert!(!left.exists());
    }

    #[test]
    fn what_lies_in_another_place_is_found_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let before = Base::open(Some(folder.path().join(".cache/mycloud/here")), None);
        assert!(before.is_err(), "its parent is missing");
        let below = folder.path().join(".cache/mycloud");
        fs::create_dir_all(&below).unwrap();
        let before = Base::open(Some(below.join("here")), None).unwrap();
        let store = Store::create(&before, RUN, Ledger::none()).unwrap();
        store.put(1, 1, &spool(b"1\n")).unwrap();
        store.keep().unwrap();
        let dead = before.runs().join(format!("{}.1", RUN.replace('0', "f")));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LEASE), "").unwrap();

        let base = Base::open(Some(folder.path().join("b")), None).unwrap();
        assert!(files(&base, RUN, 1).is_err());
        let base = base.among_others(Some(folder.path()), None);
        assert_eq!(text(&base, 1), "1\n");
        assert!(list(&base).iter().any(|kept| kept.run == RUN && kept.for_good));
        sweep(&base);
        assert!(!dead.exists());
        assert!(remove(&base, RUN).unwrap() && fs::read_dir(before.kept()).unwrap().count() == 0);
    }

    #[test]
    fn names_of_runs_are_no_paths() {
        let (_folder, base) = base();
        for run in ["", "..", "../../etc/passwd", &"g".repeat(32)] {
            assert!(files(&base, run, 1).is_err() && remove(&base, run).is_err());
        }
    }
}
