//! The client's record of a run: what made it, of what, and where its shards lie.
//!
//! It is `runs/<run>/run.json` in the user's state directory. A manifest names a run and nothing
//! else, so that no data can make a tool reach a host or run a command that the user did not name:
//! what is not known here is refused.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

use crate::dataset::RunId;
use crate::dataset::lineage::RecordedLineage;
use crate::dataset::ownership::Locks;
use crate::error::{Error, Result};
use crate::pipe::runtime_dir;
use crate::record::bytes::Bytes;
use crate::record::stream::Facts;

/// The file of a record, in the directory of its run.
const FILE: &str = "run.json";

/// The largest record that is read.
const RECORD_MAX: u64 = 64 << 20;

/// What the name of a directory begins with that gets that of a run when it is whole: a directory of
/// a run without a record is one that is being removed.
const UNFINISHED: &str = ".new-";

/// How many runs one sweep looks at.
const SWEEP_MAX: usize = 256;

/// Records that are younger stay: their owner may be between two steps.
const SWEEP_AGE: Duration = Duration::from_secs(60);

/// After how long the record of a run that another machine, or an earlier boot of this one, has
/// made counts as left behind. The home directory may be shared by many.
const FOREIGN_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is known of a run. Words and paths are bytes, as they need not be text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The tool that made it.
    pub tool: String,
    /// The words of its command line, the tool's name first.
    pub argv: Vec<Bytes>,
    /// The directory that it was started in.
    pub cwd: Bytes,
    /// When, in seconds since 1970.
    pub started: u64,
    /// What is known of its output.
    pub facts: Facts,
    /// The hosts that its shards lie on.
    pub hosts: Vec<RunHost>,
    /// The runs whose shards it read.
    pub inputs: Vec<RunId>,
    /// The parts of local files that the shards are, where they are such: the first is shard 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<Split>,
    /// Where shards lie that were made again, after their manifest's line was written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moved: BTreeMap<u64, Vec<String>>,
    /// How they came to be, where they are kept and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<RecordedLineage>,
    /// The file with its manifest, where the shards are kept; otherwise they go with their owner.
    pub kept: Option<Bytes>,
    /// Whether that file was not there yet when this was written.
    #[serde(default)]
    pub unpublished: bool,
}

impl RunRecord {
    /// The file with the manifest, where the shards are kept.
    pub fn manifest(&self) -> Option<PathBuf> {
        let words = [self.cwd.clone(), self.kept.clone()?].map(OsString::from);
        let [directory, file] = words;
        Some(Path::new(&directory).join(file))
    }
}

/// A part of a local file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The format with its options.
    pub format: String,
    /// The file.
    pub path: Bytes,
    /// How many bytes at the beginning of the file belong to every part.
    pub head: u64,
    /// Where the part begins and ends, in bytes; none is the whole file.
    pub range: Option<(u64, u64)>,
    /// The file's size in bytes.
    pub size: u64,
    /// When the file was changed, in nanoseconds since 1970.
    pub modified: u64,
    /// Whether bad records are dropped.
    pub lenient: bool,
    /// The longest record in bytes.
    pub max_record: u64,
}

/// A host of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHost {
    /// Its name in the manifest.
    pub name: String,
    /// The host as the user named it: `bob@n1:2222`, or `:`.
    pub word: String,
    /// The words of the ssh program that reaches it, where the user named one.
    pub ssh: Option<Vec<Bytes>>,
    /// The file of ssh's configuration, where the user named one.
    pub ssh_config: Option<Bytes>,
    /// The directory on the host that holds the worker's files.
    pub directory: Bytes,
}

/// A record as it is kept.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Which machine's processes can tell whether the owner lives: see [`place`].
    place: String,
    run: RunRecord,
}

/// The records of this user's runs.
#[derive(Clone, Debug)]
pub struct Runs {
    directory: PathBuf,
    place: String,
}

impl Runs {
    /// The records below `state`, the user's directory for state: `$XDG_STATE_HOME`.
    pub fn new(state: &Path) -> Runs {
        Runs { directory: state.join("mycloud/runs"), place: place() }
    }

    /// Keeps the record of `run`, in place of an older one. That of a run whose shards are kept is on the disk then:
    /// without it they cannot be found, and what has their manifest's name is of no use.
    ///
    /// # Errors
    /// When it cannot be written, or others than this user may write where it lies.
    pub fn keep(&self, run: RunId, record: &RunRecord) -> Result<()> {
        self.check()?;
        let directory = self.directory_of(run);
        let stored = Stored { place: self.place.clone(), run: record.clone() };
        let write = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
            let bytes = serde_json::to_vec(&stored)?;
            let sync = |path: &Path| if record.kept.is_some() { sync(path) } else { Ok(()) };
            if directory.is_dir() {
                let mut file = tempfile::NamedTempFile::new_in(&directory)?;
                file.write_all(&bytes)?;
                sync(file.path())?;
                file.persist(directory.join(FILE)).map_err(|e| e.error)?;
                return sync(&directory);
            }
            let made = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.directory)?;
            fs::write(made.path().join(FILE), bytes)?;
            sync(&made.path().join(FILE))?;
            sync(made.path())?;
            fs::rename(made.path(), &directory)?;
            // It has another name now.
            drop(made.keep());
            sync(&self.directory)
        };
        write().map_err(|e| Error::path("keep the record of a run in", &directory, &e))
    }

    /// The record of `run`.
    ///
    /// # Errors
    /// `Incomplete` when there is none.
    pub fn load(&self, run: RunId) -> Result<RunRecord> {
        self.check()?;
        let path = self.directory_of(run).join(FILE);
        match read(&path) {
            Ok(stored) => Ok(stored.run),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(Error::incomplete(format!(
                "the run {run} is not known here: it has ended, and its data is gone, or it was \
                 made by another user or on another machine"
            ))),
            Err(e) => Err(Error::path("read", &path, &e)),
        }
    }

    /// Forgets `run`.
    ///
    /// # Errors
    /// When its record is there and cannot be removed.
    pub fn remove(&self, run: RunId) -> Result<()> {
        let directory = self.directory_of(run);
        match fs::remove_dir_all(&directory) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::path("remove", &directory, &e))
            }
            _ => Ok(()),
        }
    }

    /// All runs whose record can be read, the oldest first.
    ///
    /// # Errors
    /// When others than this user may write where the records lie.
    pub fn list(&self) -> Result<Vec<(RunId, RunRecord)>> {
        self.check()?;
        let records = self.ids().filter_map(|run| {
            let stored = read(&self.directory_of(run).join(FILE)).ok()?;
            Some((run, stored.run))
        });
        let mut records: Vec<_> = records.collect();
        records.sort_by_key(|(run, record)| (record.started, *run));
        Ok(records)
    }

    /// Forgets runs that are not kept and whose owner is dead; a bounded number of them. Gives those
    /// that are kept, and whose owner died before it could say that their manifest is there.
    pub fn sweep(&self, locks: &Locks) -> Vec<(RunId, RunRecord)> {
        let mut unpublished = Vec::new();
        for directory in self.unfinished().take(SWEEP_MAX) {
            if age(&directory).is_some_and(|age| age > SWEEP_AGE) {
                let _ = fs::remove_dir_all(&directory);
            }
        }
        for run in self.ids().take(SWEEP_MAX) {
            let directory = self.directory_of(run);
            let Some(age) = age(&directory) else { continue };
            let left = match read(&directory.join(FILE)) {
                Ok(stored) if stored.run.kept.is_some() => {
                    let ours = stored.place == self.place || age > FOREIGN_AGE;
                    if stored.run.unpublished && ours && !locks.is_owned(run) {
                        unpublished.push((run, stored.run));
                    }
                    false
                }
                Ok(stored) if stored.place == self.place => age > SWEEP_AGE && !locks.is_owned(run),
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                // One of another machine, or one that cannot be read.
                _ => age > FOREIGN_AGE,
            };
            if left {
                let _ = fs::remove_dir_all(&directory);
            }
        }
        unpublished
    }

    fn directory_of(&self, run: RunId) -> PathBuf {
        self.directory.join(run.to_string())
    }

    fn ids(&self) -> impl Iterator<Item = RunId> {
        self.entries().filter_map(|path| path.file_name()?.to_str()?.parse().ok())
    }

    fn unfinished(&self) -> impl Iterator<Item = PathBuf> {
        let is_one =
            |path: &Path| path.file_name()?.to_str().map(|name| name.starts_with(UNFINISHED));
        self.entries().filter(move |path| is_one(path).unwrap_or(false))
    }

    fn entries(&self) -> impl Iterator<Item = PathBuf> {
        let listed = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        listed.map(|entry| entry.path())
    }

    /// Refuses records that somebody else may have written.
    fn check(&self) -> Result<()> {
        let Ok(found) = fs::metadata(&self.directory) else { return Ok(()) };
        if found.uid() == Uid::effective().as_raw() && found.mode() & 0o022 == 0 {
            return Ok(());
        }
        Err(Error::usage(format!(
            "{}: others may write there, so what it says of runs cannot be trusted (chmod 700 it)",
            self.directory.display()
        )))
    }
}

/// Gets a file, or what a directory names, to the disk.
fn sync(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some file systems cannot sync a directory.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

fn read(path: &Path) -> io::Result<Stored> {
    if fs::metadata(path)?.len() > RECORD_MAX {
        return Err(io::Error::other("it is larger than any record of a run"));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// How long ago the record in `directory` was written, or the directory made.
fn age(directory: &Path) -> Option<Duration> {
    let changed = fs::metadata(directory).ok()?.modified().ok()?;
    SystemTime::now().duration_since(changed).ok()
}

/// What tells the processes that this one shares locks with from others: the boot of a machine, and
/// the processes seen there.
fn place() -> String {
    let word = |word: Option<String>| word.unwrap_or_default();
    format!("{}.{}", word(runtime_dir::boot()), word(runtime_dir::process_space()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::error::ErrorKind;

    fn record(tool: &str) -> RunRecord {
        let host = RunHost {
            name: "n1".into(),
            word: "bob@n1:2222".into(),
            ssh: Some(vec![Bytes(b"ssh".to_vec())]),
            ssh_config: Some(Bytes(b"/a/\xff".to_vec())),
            directory: Bytes(b"/d".to_vec()),
        };
        RunRecord {
            tool: tool.into(),
            argv: vec![Bytes(b"mc-map".to_vec()), Bytes(vec![0xff])],
            facts: Facts { key: Some("a".into()), ..Facts::default() },
            hosts: vec![host],
            inputs: vec![RunId::random().unwrap()],
            ..RunRecord::default()
        }
    }

    /// Makes the record of `run` look old.
    fn age_by(runs: &Runs, run: RunId, age: Duration) {
        let directory = File::open(runs.directory_of(run)).unwrap();
        directory.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn records_come_back_until_they_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::new(&dir.path().join("state"));
        assert_eq!(runs.list().unwrap(), []);
        let run = RunId::random().unwrap();
        assert_eq!(runs.load(run).unwrap_err().kind(), ErrorKind::Incomplete);
        runs.keep(run, &record("mc-x")).unwrap();
        let mut changed = record("mc-map");
        changed.kept = Some(Bytes(b"x.mc".to_vec()));
        runs.keep(run, &changed).unwrap();
        assert_eq!(runs.load(run).unwrap(), changed);
        assert_eq!(runs.list().unwrap(), [(run, changed)]);
        assert_eq!(fs::read_dir(runs.directory_of(run)).unwrap().count(), 1);
        runs.remove(run).unwrap();
        runs.remove(run).unwrap();
        let error = runs.load(run).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the run {run} is not known here")), "{error}");
    }

    #[test]
    fn nobody_else_can_read_or_write_them() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::new(dir.path());
        let run = RunId::random().unwrap();
        runs.keep(run, &record("mc-x")).unwrap();
        for path in ["mycloud", "mycloud/runs"] {
            assert_eq!(fs::metadata(dir.path().join(path)).unwrap().mode() & 0o777, 0o700);
        }
        fs::set_permissions(&runs.directory, Permissions::from_mode(0o770)).unwrap();
        assert_eq!(runs.load(run).unwrap_err().kind(), ErrorKind::Usage);
        assert!(runs.list().is_err() && runs.keep(run, &record("mc-x")).is_err());
    }

    #[test]
    fn those_of_another_user_are_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (mut runs, run) = (Runs::new(dir.path()), RunId::random().unwrap());
        runs.keep(run, &record("mc-x")).unwrap();
        // Of the superuser's, others are for anybody to see; who is that gives one away.
        match Uid::effective().is_root() {
            true => std::os::unix::fs::chown(&runs.directory, Some(54_321), None).unwrap(),
            false => runs.directory = "/".into(),
        }
        assert_eq!(runs.load(run).unwrap_err().kind(), ErrorKind::Usage);
        assert!(runs.list().is_err() && runs.keep(run, &record("mc-x")).is_err());
    }

    #[test]
    fn a_sweep_forgets_what_dead_owners_left_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Runs::new(dir.path());
        let locks = Locks::new(vec![dir.path().join("locks")]);
        let ids: Vec<RunId> = (0..6).map(|_| RunId::random().unwrap()).collect();
        let [young, owned, kept, dead, foreign, old] = ids[..] else { panic!() };
        let elsewhere = Runs { place: "elsewhere".into(), ..runs.clone() };
        for run in [young, owned, dead] {
            runs.keep(run, &record("mc-x")).unwrap();
        }
        let published = RunRecord { kept: Some(Bytes::default()), ..record("mc-x") };
        runs.keep(kept, &published).unwrap();
        elsewhere.keep(foreign, &record("mc-x")).unwrap();
        elsewhere.keep(old, &record("mc-x")).unwrap();
        for run in [owned, kept, dead, foreign] {
            age_by(&runs, run, SWEEP_AGE * 2);
        }
        age_by(&runs, old, FOREIGN_AGE * 2);
        let begun = [".new-a", ".new-b"].map(|name| runs.directory.join(name));
        begun.iter().for_each(|path| fs::create_dir(path).unwrap());
        File::open(&begun[0]).unwrap().set_modified(SystemTime::now() - SWEEP_AGE * 2).unwrap();
        let removed = RunId::random().unwrap();
        fs::create_dir(runs.directory_of(removed)).unwrap();
        let _owner = locks.own(owned).unwrap();
        assert_eq!(runs.sweep(&locks), []);
        let unpublished = RunRecord { unpublished: true, ..published };
        runs.keep(kept, &unpublished).unwrap();
        runs.keep(owned, &unpublished).unwrap();
        assert_eq!(runs.sweep(&locks), [(kept, unpublished)]);
        assert_eq!(begun.map(|path| path.exists()), [false, true]);
        let mut left: Vec<RunId> = runs.ids().collect();
        let mut want = vec![young, owned, kept, foreign];
        left.sort();
        want.sort();
        assert_eq!(left, want);
    }
}
