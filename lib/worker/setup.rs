//! What a line makes ready for commands (`--setup`): once on a machine for the same line and the same
//! files, in a directory that stays for later runs.
//!
//! A directory is made under the name that it keeps, for there are things that cannot be moved (a
//! virtual environment of Python); no two have one name. A link, named by the hash of all that it is made of, leads to it once it
//! is whole. One worker makes it, others wait; who uses it holds a lock, and so it stays.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::fcntl::{Flock, FlockArg};

use crate::command::attempt::{Attempt, CommandEnd};
use crate::command::children::{Children, HOST_VARIABLE, SETUP_VARIABLE};
use crate::command::program::{Command, Given};
use crate::error::{Error, ErrorKind, Result, broken};
use crate::format::ledger::Ledger;
use crate::pipe::runtime_dir;
use crate::spool::Spool;
use crate::wire::job::SetUp;
use crate::wire::shipped::ContentHash;
use crate::worker::base::{self, Base};
use crate::worker::file_lock;
use crate::worker::state::WorkerState;

/// How long a directory stays that no run has used.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many stay; those that are longest unused go.
const KEPT_MAX: usize = 16;

/// The ending of the locks.
const LOCK: &str = "lock";

/// How long to wait before it is looked again whether somebody else has made it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How many bytes of what the line prints are held in memory.
const PRINTED_BYTES: usize = 64 * 1024;

/// How many digits a hash has.
const DIGITS: usize = 64;

fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Storage, Error::path(doing, path, error).to_string())
}

/// A directory that a line has made ready; it stays at least as long as this.
#[derive(Debug)]
pub(crate) struct MadeReady {
    /// Where it is.
    pub(crate) directory: PathBuf,
    _used: Flock<File>,
}

/// What is needed to make a directory ready.
struct Maker<'a> {
    base: &'a Base,
    hash: &'a ContentHash,
    /// What is run there.
    command: Command,
    /// Puts the files there that go with it.
    fill: &'a dyn Fn(&Path) -> Result<()>,
    ledger: &'a Ledger,
    children: &'a Children,
    stop: &'a dyn Fn() -> bool,
    /// What is put before each line that is said.
    prefix: &'a str,
    pass_on: &'a (dyn Fn(&str) + Sync),
}

/// Has `setup` made ready on this host, for the commands of `worker`.
///
/// # Errors
/// `Command` when the line fails; `Usage` when it cannot be run; `Storage` when there is no room.
pub(super) fn on_host(worker: &Arc<WorkerState>, setup: &SetUp) -> Result<()> {
    let Some(store) = &worker.store else { return Err(broken("a set-up without a run")) };
    let fill = |to: &Path| {
        let names =
            setup.names.iter().map(|name| PathBuf::from(std::ffi::OsString::from(name.clone())));
        names.into_iter().try_for_each(|name| copy_tree(&store.work().join(&name), &to.join(&name)))
    };
    let environment = setup.environment.iter().cloned();
    let environment = environment.map(|(name, value)| (name.into(), value.into()));
    let line = Given::Line(setup.line.clone().into());
    let command = worker.command(line, &[0], environment)?;
    let command = command.setting(HOST_VARIABLE, setup.host.clone().into());
    let made = Maker {
        base: &worker.base,
        hash: &setup.hash,
        command: command.setting(runtime_dir::VARIABLE, store.runtime().into()),
        fill: &fill,
        ledger: store.ledger(),
        children: &worker.children,
        stop: &|| worker.ending.load(Ordering::SeqCst),
        prefix: &format!("{}: setup: ", worker.name),
        pass_on: &|lines| worker.to_tool.said(lines),
    }
    .get()?;
    worker.setup.set(made).map_err(|_| broken("a second set-up"))
}

/// Has `command` make ready what has this `hash`, on this machine; `fill` puts the files there that go
/// with it. `prefix` stands before each line that is said.
///
/// # Errors
/// As [`on_host`]; `Hosts` when there is no place for it.
pub(crate) fn here(
    home: Option<&Path>,
    (hash, command): (&ContentHash, Command),
    fill: &dyn Fn(&Path) -> Result<()>,
    ledger: &Ledger,
    (prefix, pass_on): (&str, &(dyn Fn(&str) + Sync)),
) -> Result<MadeReady> {
    let base = Base::open(None, home)?;
    let (children, stop) = (Children::default(), || false);
    let (base, children, stop) = (&base, &children, &stop);
    Maker { base, hash, command, fill, ledger, children, stop, prefix, pass_on }.get()
}

impl Maker<'_> {
    fn get(&self) -> Result<MadeReady> {
        let lock = self.base.setups().join(format!("{}.{LOCK}", self.hash.digits()));
        loop {
            let used = file_lock::wait_for(&lock, FlockArg::LockShared, self.stop)?;
            if let Some(directory) = whole(self.base, self.hash.digits()) {
                let _ = used.set_modified(SystemTime::now());
                return Ok(MadeReady { directory, _used: used });
            }
            drop(used);
            let Some(_turn) = file_lock::try_lock(&lock, FlockArg::LockExclusive)? else {
                std::thread::sleep(LOOK_EVERY);
                continue;
            };
            if whole(self.base, self.hash.digits()).is_none() {
                self.make()?;
            }
        }
    }

    /// Makes it, under a new name.
    fn make(&self) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |at| at.as_nanos());
        let name = format!("{}.{}-{now:x}", self.hash.digits(), std::process::id());
        let directory = self.base.setups().join(&name);
        self.ledger.promise(&directory)?;
        let made = self.make_in(&directory).and_then(|()| {
            let (link, to) = (directory.with_extension("link"), self.base.setups());
            let _ = fs::remove_file(&link);
            symlink(&name, &link)
                .and_then(|()| fs::rename(&link, to.join(self.hash.digits())))
                .map_err(|e| failed("keep", &directory, &e))
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(&directory);
        }
        self.ledger.settle(&directory);
        made
    }

    fn make_in(&self, directory: &Path) -> Result<()> {
        base::make_private(directory).map_err(|e| failed("make", directory, &e))?;
        (self.fill)(directory)?;
        let command = self.command.clone().within(directory);
        let command = command.setting(SETUP_VARIABLE, directory.into());
        let spool = |memory| Spool::new(Vec::new(), memory, self.base.path());
        let ended = Attempt {
            command: &command,
            input: &spool(0),
            task: 0,
            number: 1,
            timeout: None,
            may_report: false,
            stop: self.stop,
            children: self.children,
            prefix: self.prefix.into(),
            pass_on: self.pass_on,
        }
        .run(spool(PRINTED_BYTES))?;
        ended.last_words.pass_on(self.prefix, self.pass_on);
        match ended.how {
            CommandEnd::Status(0) => {
                // The name that says that it is whole must not reach the disk before it does.
                let opened = File::open(directory).map_err(|e| failed("read", directory, &e))?;
                nix::unistd::syncfs(&opened).map_err(|e| failed("sync", directory, &e.into()))
            }
            CommandEnd::Stopped => Err(Error::incomplete("stopped")),
            how => {
                let text = format!("--setup: {}: {how}", command.shown());
                Err(Error::new(ErrorKind::Command, text))
            }
        }
    }
}

/// The directory that is made of what has this hash, once it is whole.
fn whole(base: &Base, digits: &str) -> Option<PathBuf> {
    let target = fs::read_link(base.setups().join(digits)).ok()?;
    let directory = base.setups().join(target);
    directory.is_dir().then_some(directory)
}

/// Puts a copy of the file or folder `from` to `to`; or a link, where `link` says what is in it.
///
/// # Errors
/// `Storage` when there is no room.
pub(crate) fn put(from: &Path, to: &Path, link: Option<&Path>) -> Result<()> {
    let put = || {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        if let Some(target) = link {
            return symlink(target, to);
        }
        let found = fs::metadata(from)?;
        if !found.is_dir() {
            return fs::copy(from, to).map(|_| ());
        }
        fs::create_dir_all(to)?;
        fs::set_permissions(to, Permissions::from_mode(found.permissions().mode() & 0o777 | 0o700))
    };
    put().map_err(|e| failed("copy", from, &e))
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let error = |e: io::Error| failed("copy", from, &e);
    let found = fs::symlink_metadata(from).map_err(error)?;
    let link = found.is_symlink().then(|| fs::read_link(from)).transpose().map_err(error)?;
    put(from, to, link.as_deref())?;
    if found.is_dir() {
        for entry in fs::read_dir(from).map_err(error)? {
            let name = entry.map_err(error)?.file_name();
            copy_tree(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// Removes what was not used for long, what is too much, and what was never whole, unless somebody uses
/// or makes it.
pub(super) fn sweep(base: &Base) {
    let mut all: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(base.setups()).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.is_char_boundary(DIGITS) && name.len() >= DIGITS {
            all.entry(name[..DIGITS].into()).or_default().push(entry.path());
        }
    }
    let lock_of = |digits: &str| base.setups().join(format!("{digits}.{LOCK}"));
    let age = |path: &Path| {
        let modified = fs::metadata(path).and_then(|found| found.modified());
        modified.ok().and_then(|at| at.elapsed().ok()).unwrap_or_default()
    };
    let mut by_age: Vec<_> =
        all.into_iter().map(|(digits, paths)| (age(&lock_of(&digits)), digits, paths)).collect();
    by_age.sort();
    for (place, (age, digits, paths)) in by_age.into_iter().enumerate() {
        let goes = place >= KEPT_MAX || age > KEPT_FOR;
        let lock = lock_of(&digits);
        let keep = [base.setups().join(&digits), lock.clone()];
        let is_left =
            |path: &PathBuf| !keep.contains(path) && whole(base, &digits).as_ref() != Some(path);
        if !goes && !paths.iter().any(is_left) {
            continue;
        }
        let Ok(Some(_held)) = file_lock::try_lock(&lock, FlockArg::LockExclusive) else { continue };
        for path in paths.iter().filter(|path| is_left(path)) {
            let _ = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
        }
        if goes {
            let directory = whole(base, &digits);
            let _ = fs::remove_file(&keep[0]);
            directory.iter().for_each(|directory| drop(fs::remove_dir_all(directory)));
            let _ = fs::remove_file(&lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::sync::Mutex;

    fn base() -> (tempfile::TempDir, Base) {
        let folder = tempfile::tempdir().unwrap();
        let base = Base::open(Some(folder.path().join("b")), None).unwrap();
        (folder, base)
    }

    fn hash(of: &str) -> ContentHash {
        ContentHash::of(Sha256::new_with_prefix(of))
    }

    fn get(base: &Base, hash: &ContentHash, line: &str) -> (Result<MadeReady>, String) {
        let heard = Mutex::new(String::new());
        let pass_on = |lines: &str| heard.lock().unwrap().push_str(lines);
        let made = Maker {
            base,
            hash,
            command: Command::shell(line.into(), &[0], None).unwrap(),
            fill: &|to| fs::write(to.join("file"), "x").map_err(|e| failed("write", to, &e)),
            ledger: &Ledger::none(),
            children: &Children::default(),
            stop: &|| false,
            prefix: "p: ",
            pass_on: &pass_on,
        }
        .get();
        (made, heard.into_inner().unwrap())
    }

    #[test]
    fn it_is_made_once_and_what_failed_is_not_there() {
        let (_folder, base) = base();
        let of = hash("a");
        let line = "echo said >&2; pwd > here; [ \"$PWD\" = \"$MC_SETUP\" ] && cat file";
        let (failure, said) = get(&base, &of, "echo half > half; echo why >&2; exit 3");
        let failure = failure.unwrap_err();
        assert_eq!((failure.kind(), said.as_str()), (ErrorKind::Command, "p: why\n"));
        assert!(failure.to_string().ends_with("exit 3': exit status 3"), "{failure}");
        let names = || fs::read_dir(base.setups()).unwrap().count();
        assert_eq!(names(), 1, "but the lock");
        let (made, said) = get(&base, &of, line);
        let made = made.unwrap();
        assert_eq!(said, "p: said\n");
        let here = fs::read_to_string(made.directory.join("here")).unwrap();
        assert_eq!(Path::new(here.trim_end()), made.directory.canonicalize().unwrap());
        let (again, said) = get(&base, &of, line);
        assert_eq!((again.unwrap().directory, said.as_str()), (made.directory.clone(), ""));
        assert_ne!(get(&base, &hash("b"), line).0.unwrap().directory, made.directory);
    }

    #[test]
    fn who_comes_at_once_waits_and_has_the_same() {
        let (_folder, base) = base();
        let of = hash("a");
        let base = &base;
        let line = "echo $$ > once; sleep 0.1; echo made >&2";
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| get(base, &of, line))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let first = &all[0].0.as_ref().unwrap().directory;
        assert!(all.iter().all(|(made, _)| made.as_ref().unwrap().directory == *first));
        assert_eq!(all.iter().filter(|(_, said)| said == "p: made\n").count(), 1);
    }

    #[test]
    fn what_is_unused_or_was_never_whole_goes() {
        let (_folder, base) = base();
        let old = SystemTime::now() - 2 * KEPT_FOR;
        let (one, two) = (hash("a"), hash("b"));
        let used = get(&base, &one, "true").0.unwrap();
        let unused = get(&base, &two, "true").0.unwrap().directory;
        let half = base.setups().join(format!("{}.1-2", one.digits()));
        fs::create_dir(&half).unwrap();
        for of in [&one, &two] {
            let lock = base.setups().join(format!("{}.{LOCK}", of.digits()));
            File::open(lock).unwrap().set_modified(old).unwrap();
        }
        sweep(&base);
        assert!(used.directory.exists() && half.exists(), "somebody uses it");
        assert!(!unused.exists() && whole(&base, two.digits()).is_none());
        let directory = used.directory.clone();
        drop(used);
        File::open(base.setups().join(format!("{}.{LOCK}", one.digits())))
            .unwrap()
            .set_modified(SystemTime::now())
            .unwrap();
        sweep(&base);
        assert!(directory.exists() && !half.exists());
        for n in 0..KEPT_MAX {
            get(&base, &hash(&n.to_string()), "true").0.unwrap();
        }
        sweep(&base);
        assert!(!directory.exists());
        assert_eq!(fs::read_dir(base.setups()).unwrap().count(), 3 * KEPT_MAX);
    }
}
