//! Who owns the data of a run: the process that made it, for as long as others read it.
//!
//! The owner makes a file for the run, in a private directory of this machine, before anybody can
//! know the run's name. A reader takes a shared lock on the file and notes that it came; the owner,
//! once its manifest is written, waits until it gets the lock for itself, which is when all readers
//! have let go, and notes that the data is gone. Whether the owner lives is another lock (of the
//! kind that belongs to an open file and to a range of it), which it holds from the beginning: the
//! kernel takes it back however the owner ends.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, OFlag, fcntl};
use nix::libc;

use crate::dataset::RunId;
use crate::error::{Error, ErrorKind, Result};
use crate::pipe::record_lock::whole;
use crate::pipe::runtime_dir;

/// How long an owner waits for a first reader.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// How often the owner looks whether its readers have let go.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// The directory of the files, in the private directory of this user.
const LOCKS: &str = "locks";

/// What begins the name of a file that is not there yet.
const DRAFT: &str = "draft.";

/// How the name of an owner's socket ends.
const SOCKET: &str = "ask";

/// What a file holds: whether the data is there, and whether any reader came.
const LIVE: &[u8] = b"LIVE\n-\n";
const GONE: &[u8] = b"GONE\n";
const CLAIMED_AT: u64 = 5;
const CLAIMED: &[u8] = b"c";

/// Files that an owner left behind stay for so long: it may be between two steps.
const SWEEP_AGE: Duration = Duration::from_secs(60);

/// How many files one sweep looks at.
const SWEEP_MAX: usize = 256;

/// Where the files of this user's runs lie.
#[derive(Clone, Debug)]
pub struct Locks {
    directories: Vec<PathBuf>,
}

impl Locks {
    /// The files in `directories`, as [`runtime_dir::candidates`] has them: an owner's lies in the
    /// first that serves.
    pub fn new(directories: Vec<PathBuf>) -> Locks {
        Locks { directories }
    }

    /// Makes this process the owner of `run`; before anybody else can know of the run.
    ///
    /// # Errors
    /// `Storage` where no directory serves.
    pub fn own(&self, run: RunId) -> Result<Owner> {
        let mut reasons = Vec::new();
        for directory in &self.directories {
            match create(directory, run) {
                Ok(owner) => return Ok(owner),
                Err(e) => reasons.push(Error::path("use", directory, &e).to_string()),
            }
        }
        Err(Error::new(
            ErrorKind::Storage,
            format!("no private directory for the locks of a run: {}", reasons.join("; ")),
        ))
    }

    /// Takes part in the data of `run`: until the claim is dropped, its owner keeps it.
    ///
    /// # Errors
    /// `Incomplete` when the owner is gone, or was never here.
    pub fn claim(&self, run: RunId) -> Result<Claim> {
        let gone = |how: &str| Error::incomplete(format!("the data of run {run} is gone: {how}"));
        let Some(path) = self.find(run) else {
            return Err(gone("its owner has ended, or runs on another machine or as another user"));
        };
        match claim(&path) {
            Ok(Some(claim)) => Ok(claim),
            Ok(None) => Err(gone("its owner has ended (was it killed?)")),
            Err(e) => Err(Error::path("lock", &path, &e)),
        }
    }

    /// Where the owner of `run` may listen.
    pub(crate) fn socket_of(&self, run: RunId) -> Option<PathBuf> {
        self.find(run).map(|path| socket(&path))
    }

    /// Whether the owner of `run` is alive, here.
    pub fn is_owned(&self, run: RunId) -> bool {
        let file = self.find(run).and_then(|path| open(&path).ok());
        file.is_some_and(|file| owner_lives(&file))
    }

    /// Removes what killed owners left behind, a bounded number of files.
    pub fn sweep(&self) {
        for directory in self.places() {
            let listed = fs::read_dir(&directory).into_iter().flatten().flatten().take(SWEEP_MAX);
            for path in listed.map(|entry| entry.path()) {
                sweep(&path);
            }
        }
    }

    /// The directories that can be trusted.
    fn places(&self) -> impl Iterator<Item = PathBuf> {
        let trusted = |path: &PathBuf| runtime_dir::check(path).is_ok();
        let bases = self.directories.iter().filter(move |path| trusted(path));
        bases.map(|base| base.join(LOCKS)).filter(move |path| trusted(path))
    }

    fn find(&self, run: RunId) -> Option<PathBuf> {
        self.places().map(|place| place.join(run.to_string())).find(|path| path.exists())
    }
}

/// How the wait for readers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum WaitOutcome {
    /// Readers came, and all have let go.
    LetGo,
    /// Nobody came within the grace.
    NeverClaimed,
    /// The owner was told to stop waiting.
    Stopped,
}

/// The owner of a run's data. Dropped, it says that the data is gone.
#[derive(Debug)]
pub struct Owner {
    /// Holds the lock that says that the owner lives.
    file: File,
    path: PathBuf,
}

impl Owner {
    /// Where it may listen to its readers: what lies there goes with it.
    pub(crate) fn socket(&self) -> PathBuf {
        socket(&self.path)
    }

    /// Waits until all readers have let go, or `grace` is over and none has come, or `stop` says
    /// so. After that no reader can come. To be called when the last line of the manifest is
    /// written and standard output is closed.
    ///
    /// # Errors
    /// When the lock cannot be used.
    pub fn wait_for_readers(self, grace: Duration, stop: &dyn Fn() -> bool) -> Result<WaitOutcome> {
        let failed = |e: io::Error| Error::path("lock", &self.path, &e);
        let began = Instant::now();
        while !stop() {
            // A descriptor of its own: what is dropped here is this lock and not the other one.
            let file = open(&self.path).map_err(failed)?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => {
                    let mut claimed = [0];
                    lock.read_exact_at(&mut claimed, CLAIMED_AT).map_err(failed)?;
                    let claimed = claimed == CLAIMED;
                    if claimed || began.elapsed() >= grace {
                        end(&lock, &self.path);
                        return Ok(if claimed {
                            WaitOutcome::LetGo
                        } else {
                            WaitOutcome::NeverClaimed
                        });
                    }
                }
                Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => (),
                Err((_, errno)) => return Err(failed(errno.into())),
            }
            thread::sleep(POLL_EVERY);
        }
        Ok(WaitOutcome::Stopped)
    }
}

impl Drop for Owner {
    /// Readers that hold a claim now find the data gone; no other can come.
    fn drop(&mut self) {
        end(&self.file, &self.path);
    }
}

/// A reader's hold on the data of a run: while it is there, the owner stays.
#[derive(Debug)]
pub struct Claim {
    lock: Flock<File>,
}

impl Claim {
    /// Whether the data is there, as far as is known here: its owner may end for all that it is
    /// held on to, when it is killed or cannot go on.
    pub fn holds(&self) -> bool {
        is_live(&self.lock).unwrap_or(true)
    }
}

/// Notes that the data is gone. The name goes too (no other run ever has it), so nothing is to be
/// done where one of both fails.
fn end(file: &File, path: &Path) {
    let _ = file.write_all_at(GONE, 0);
    let _ = fs::remove_file(socket(path));
    let _ = fs::remove_file(path);
}

/// The socket beside the file at `path`.
fn socket(path: &Path) -> PathBuf {
    path.with_extension(SOCKET)
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW.bits();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// Makes the file of an owner, so that it never has its name without its lock.
fn create(directory: &Path, run: RunId) -> io::Result<Owner> {
    runtime_dir::make(directory)?;
    let place = directory.join(LOCKS);
    runtime_dir::make(&place)?;
    let (draft, path) = (place.join(format!("{DRAFT}{run}")), place.join(run.to_string()));
    let options = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).clone();
    let mut file = options.open(&draft)?;
    let made = file
        .write_all(LIVE)
        .and_then(|()| {
            fcntl(&file, FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK))).map_err(Into::into)
        })
        .and_then(|_| fs::rename(&draft, &path));
    match made {
        Ok(()) => Ok(Owner { file, path }),
        Err(error) => {
            let _ = fs::remove_file(&draft);
            Err(error)
        }
    }
}

/// A claim on the file at `path`, or `None` when its data is gone.
fn claim(path: &Path) -> io::Result<Option<Claim>> {
    let mut file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    // An owner holds the lock against readers only while it looks who came.
    let lock = loop {
        match Flock::lock(file, FlockArg::LockShared) {
            Ok(lock) => break lock,
            Err((again, Errno::EINTR)) => file = again,
            Err((_, errno)) => return Err(errno.into()),
        }
    };
    let named = fs::metadata(path).is_ok_and(|found| {
        lock.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
    });
    if !named || !is_live(&lock)? {
        return Ok(None);
    }
    lock.write_all_at(CLAIMED, CLAIMED_AT)?;
    Ok(Some(Claim { lock }))
}

/// Whether the owner lives, and has not said that the data is gone.
fn is_live(file: &File) -> io::Result<bool> {
    let mut state = [0; LIVE.len()];
    file.read_exact_at(&mut state, 0)?;
    Ok(state.starts_with(&LIVE[..CLAIMED_AT as usize]) && owner_lives(file))
}

/// Whether any process holds the owner's lock on `file`.
fn owner_lives(file: &File) -> bool {
    let mut found = whole(libc::F_RDLCK);
    // In doubt it lives: the worst is a message that comes later.
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)).is_err()
        || i32::from(found.l_type) != libc::F_UNLCK
}

/// Removes the file at `path` when it is old, its owner is dead, and no reader holds it.
fn sweep(path: &Path) {
    let Ok(file) = open(path) else { return };
    let changed = file.metadata().and_then(|found| found.modified());
    let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
    if age.is_none_or(|age| age < SWEEP_AGE) || owner_lives(&file) {
        return;
    }
    if let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        end(&lock, path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Where a process of these tests is told its directory.
    const VARIABLE: &str = "MC_TEST_OWNERSHIP";

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(60);

    fn locks() -> (tempfile::TempDir, Locks) {
        let dir = tempfile::tempdir().unwrap();
        let locks = Locks::new(vec![dir.path().join("no/parent"), dir.path().join("private")]);
        (dir, locks)
    }

    fn own(locks: &Locks) -> (RunId, Owner) {
        let run = RunId::random().unwrap();
        (run, locks.own(run).unwrap())
    }

    fn never() -> bool {
        false
    }

    /// How often an owner has looked at its readers.
    #[derive(Default)]
    struct Looks(AtomicUsize);

    impl Looks {
        /// For the owner, which asks it before each look whether to stop.
        fn on(&self) -> bool {
            self.0.fetch_add(1, Ordering::SeqCst);
            false
        }

        /// Waits until the owner has looked once more, from the beginning to the end.
        #[track_caller]
        fn wait(&self) {
            let (before, began) = (self.0.load(Ordering::SeqCst), Instant::now());
            while self.0.load(Ordering::SeqCst) < before + 2 {
                assert!(began.elapsed() < LONG, "it looks no more");
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn files(locks: &Locks) -> usize {
        locks.places().map(|place| fs::read_dir(place).unwrap().count()).sum()
    }

    #[track_caller]
    fn gone(locks: &Locks, run: RunId) {
        let error = locks.claim(run).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
        assert!(error.to_string().contains("is gone: its owner"), "{error}");
    }

    #[test]
    fn the_owner_stays_until_every_reader_has_let_go() {
        let (_dir, locks) = locks();
        let (run, owner) = own(&locks);
        let (first, second) = (locks.claim(run).unwrap(), locks.claim(run).unwrap());
        let looks = Looks::default();
        thread::scope(|scope| {
            let wait =
                scope.spawn(|| owner.wait_for_readers(Duration::ZERO, &|| looks.on()).unwrap());
            drop(first);
            looks.wait();
            let third = locks.claim(run).unwrap();
            drop(second);
            looks.wait();
            assert!(!wait.is_finished());
            drop(third);
            assert_eq!(wait.join().unwrap(), WaitOutcome::LetGo);
        });
        gone(&locks, run);
        assert_eq!(files(&locks), 0);
    }

    #[test]
    fn readers_that_came_and_went_before_the_wait_count() {
        let (_dir, locks) = locks();
        let (run, owner) = own(&locks);
        drop(locks.claim(run).unwrap());
        assert_eq!(owner.wait_for_readers(LONG, &never).unwrap(), WaitOutcome::LetGo);
    }

    #[test]
    fn without_a_reader_the_wait_ends_with_the_grace_or_when_told() {
        let (_dir, locks) = locks();
        let (run, owner) = own(&locks);
        assert_eq!(owner.wait_for_readers(SHORT, &never).unwrap(), WaitOutcome::NeverClaimed);
        gone(&locks, run);
        let (run, owner) = own(&locks);
        let _claim = locks.claim(run).unwrap();
        assert_eq!(owner.wait_for_readers(LONG, &|| true).unwrap(), WaitOutcome::Stopped);
        gone(&locks, run);
        assert_eq!(files(&locks), 0);
    }

    #[test]
    fn an_owner_that_fails_takes_the_data_with_it() {
        let (_dir, locks) = locks();
        let (run, owner) = own(&locks);
        assert!(locks.is_owned(run));
        let _claim = locks.claim(run).unwrap();
        drop(owner);
        gone(&locks, run);
        gone(&locks, RunId::random().unwrap());
        assert!(!locks.is_owned(run));
    }

    #[test]
    fn a_link_that_was_planted_is_nobodys_data() {
        let (_dir, locks) = locks();
        let (run, _owner) = own(&locks);
        let other = RunId::random().unwrap();
        let path = locks.find(run).unwrap();
        std::os::unix::fs::symlink(&path, path.with_file_name(other.to_string())).unwrap();
        assert!(locks.claim(other).is_err() && !locks.is_owned(other));
        assert!(locks.claim(run).is_ok());
    }

    #[test]
    fn a_reader_that_is_late_finds_the_data_gone_or_keeps_it() {
        let (_dir, locks) = locks();
        let (mut kept, mut gone) = (0, 0);
        // Later and later, up to twice the grace, until some were late and some were not.
        for delay in (0..60).cycle().take(600) {
            let (run, owner) = own(&locks);
            let (claim, outcome) = thread::scope(|scope| {
                let reader = scope.spawn(|| {
                    thread::sleep(Duration::from_micros(delay * 500));
                    locks.claim(run).map(drop)
                });
                let outcome = owner.wait_for_readers(Duration::from_millis(10), &never).unwrap();
                (reader.join().unwrap(), outcome)
            });
            let want = if claim.is_ok() { WaitOutcome::LetGo } else { WaitOutcome::NeverClaimed };
            assert_eq!(outcome, want, "after {delay} steps");
            (kept, gone) = (kept + u32::from(claim.is_ok()), gone + u32::from(claim.is_err()));
            if delay == 59 && kept > 0 && gone > 0 {
                return;
            }
        }
        panic!("{kept} readers came in time and {gone} too late");
    }

    /// Not a test of its own: the owner or reader that other processes are to be.
    #[test]
    #[ignore = "what other tests start in a process of its own"]
    fn in_a_process_of_its_own() {
        let told = std::env::var(VARIABLE).unwrap();
        let (base, run) = told.split_once(' ').unwrap();
        let locks = Locks::new(vec![base.into()]);
        let _held: (Option<Owner>, Option<Claim>) = match run {
            "" => {
                let (run, owner) = own(&locks);
                fs::write(Path::new(base).join("run"), run.to_string()).unwrap();
                (Some(owner), None)
            }
            run => (None, Some(locks.claim(run.parse().unwrap()).unwrap())),
        };
        fs::write(Path::new(base).join("ready"), "").unwrap();
        // Until whoever started this has ended.
        let _ = io::stdin().read_line(&mut String::new());
    }

    struct Other(Child);

    impl Other {
        fn new(base: &Path, run: &str) -> Other {
            let ready = base.join("ready");
            let _ = fs::remove_file(&ready);
            let (_, module) = module_path!().split_once("::").unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--nocapture", "--exact"])
                .arg(format!("{module}::in_a_process_of_its_own"))
                .env(VARIABLE, format!("{} {run}", base.display()))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let began = Instant::now();
            while !ready.exists() {
                if child.try_wait().unwrap().is_some() || began.elapsed() > LONG {
                    let said = BufReader::new(child.stdout.take().unwrap()).lines();
                    panic!("{:?}", said.collect::<Vec<_>>());
                }
                thread::sleep(Duration::from_millis(5));
            }
            Other(child)
        }

        fn kill(mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn what_a_killed_owner_left_is_gone_and_swept() {
        let (dir, _) = locks();
        let base = dir.path().join("private");
        runtime_dir::make(&base).unwrap();
        let locks = Locks::new(vec![base.clone()]);
        let owner = Other::new(&base, "");
        let run: RunId = fs::read_to_string(base.join("run")).unwrap().parse().unwrap();
        let path = locks.find(run).unwrap();
        let age = || open(&path).unwrap().set_modified(SystemTime::now() - SWEEP_AGE * 2).unwrap();
        age();
        locks.sweep();
        assert!(locks.is_owned(run), "its owner lives");
        let claim = locks.claim(run).unwrap();
        age();
        locks.sweep();
        assert!(locks.is_owned(run));
        owner.kill();
        assert!(!locks.is_owned(run));
        gone(&locks, run);
        locks.sweep();
        assert_eq!(files(&locks), 1, "a reader holds it");
        drop(claim);
        locks.sweep();
        assert_eq!(files(&locks), 0);
    }

    #[test]
    fn a_killed_reader_lets_go() {
        let (dir, _) = locks();
        let base = dir.path().join("private");
        runtime_dir::make(&base).unwrap();
        let locks = Locks::new(vec![base.clone()]);
        let (run, owner) = own(&locks);
        let (reader, looks) = (Other::new(&base, &run.to_string()), Looks::default());
        thread::scope(|scope| {
            let wait =
                scope.spawn(|| owner.wait_for_readers(Duration::ZERO, &|| looks.on()).unwrap());
            looks.wait();
            assert!(!wait.is_finished());
            reader.kill();
            assert_eq!(wait.join().unwrap(), WaitOutcome::LetGo);
        });
    }
}
