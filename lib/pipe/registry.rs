//! The pipe registry: how the writers of a pipe ended, and what they say of their stream.
//!
//! A writer makes its entry before its first byte, under a name that tells the pipe, and notes its
//! end in it before it closes the pipe. So whoever reads the end of the pipe finds every writer's
//! status there, and an entry without one is that of a writer that vanished. Readers change
//! nothing. Where there is no place for entries, the [mark](pipe_mark) on the pipe still says whether
//! all ended well.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};

use crate::error::reason;
use crate::pipe::entry::{self, Entry, Status};
use crate::pipe::gauge::{self, Gauge};
use crate::pipe::pipe_id::PipeId;
use crate::pipe::{pipe_mark, runtime_dir, sweep};
use crate::record::stream::Facts;

/// What begins the name of an entry that is not there yet.
pub(crate) const DRAFT: &str = "draft.";

/// One of so many writers sweeps at its end.
const SWEEP_ONE_IN: u64 = 16;

/// How long the end of a writer is waited for by who has all that it wrote, and how often that is looked at.
const END_MAX: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The registry of the tools of this user.
#[derive(Debug, Default)]
pub struct Registry {
    directories: Vec<PathBuf>,
    insists: AtomicBool,
    boot: Option<String>,
    space: Option<String>,
}

static OF_PROCESS: OnceLock<Registry> = OnceLock::new();

/// Makes `registry` the one that the streams of this process ask. The first call counts.
pub fn install(registry: Registry) {
    let _ = OF_PROCESS.set(registry);
}

/// The registry of this process; without [`install`] it knows nothing.
pub fn of_process() -> &'static Registry {
    OF_PROCESS.get_or_init(Registry::default)
}

impl Registry {
    /// The registry whose entries lie in `directories`: a writer's in the first that serves, which
    /// is made where only its last part lacks.
    pub fn new(directories: Vec<PathBuf>) -> Registry {
        let (boot, space) = (runtime_dir::boot(), runtime_dir::process_space());
        Registry { directories, insists: AtomicBool::new(false), boot, space }
    }

    /// From now on, a pipe whose writers could not have said how they ended is not read at all.
    pub fn insist(&self) {
        self.insists.store(true, Ordering::Relaxed);
    }

    /// Whether to refuse such pipes.
    pub(crate) fn insists(&self) -> bool {
        self.insists.load(Ordering::Relaxed)
    }

    /// Whether a writer of the pipe `fd` could have said how it ended, so that this reader would know.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn knows(&self, fd: impl AsFd) -> Result<(), String> {
        if pipe_mark::is_kept(fd) {
            return Ok(());
        }
        let mut reasons = Vec::new();
        for directory in &self.directories {
            match runtime_dir::serve(directory) {
                Ok(()) if self.boot.is_some() && self.space.is_some() => return Ok(()),
                Ok(()) => reasons.push("/proc is not there".to_string()),
                Err(e) => reasons.push(format!("{}: {}", directory.display(), reason(&e))),
            }
        }
        Err(reasons.join("; "))
    }

    /// Enters `tool` as a writer of `pipe`; `None` where there is no place for it.
    pub fn enter(&self, pipe: &PipeId, tool: &str) -> Option<RegisteredWriter> {
        let name = Name { boot: self.boot.clone()?, pipe: *pipe, space: self.space.clone()? };
        let name = name.unique();
        let text = Entry::begin(tool);
        self.directories.iter().find_map(|directory| {
            runtime_dir::make(directory).ok()?;
            let file = draft(directory, &name, &text).ok()?;
            // Before anybody sees it: whoever finds it unlocked takes its writer for gone.
            let is_locked = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            publish(directory, &name).ok()?;
            Some(RegisteredWriter { file: Arc::new(file), is_locked })
        })
    }

    /// All entries of `pipe`, each with its name.
    pub fn look_up(&self, pipe: &PipeId) -> Vec<(String, Entry)> {
        let paths = self.entries(pipe).into_iter();
        let read = |(name, path)| Some((name, Entry::read(&File::open::<PathBuf>(path).ok()?)));
        paths.filter_map(read).collect()
    }

    /// The writers of `pipe`, to see how far they are.
    pub fn watch(&self, pipe: &PipeId) -> Vec<WatchedWriter> {
        let open = |path: PathBuf| OpenOptions::new().read(true).write(true).open(path).ok();
        let paths = self.entries(pipe).into_iter();
        paths
            .filter_map(|(name, path)| Some(WatchedWriter { name, file: Arc::new(open(path)?) }))
            .collect()
    }

    /// The first directory that serves, for files of other kinds than entries.
    pub fn directory(&self) -> Option<&Path> {
        let mut serving = self.directories.iter().filter(|d| runtime_dir::make(d).is_ok());
        serving.next().map(PathBuf::as_path)
    }

    /// The names and paths of all entries of `pipe`.
    fn entries(&self, pipe: &PipeId) -> Vec<(String, PathBuf)> {
        let Some(boot) = &self.boot else { return Vec::new() };
        // Most names are told apart without reading them: there may be thousands.
        let prefix = format!("{boot}.{}.{}.", pipe.device, pipe.inode);
        let mut found = Vec::new();
        for directory in self.directories.iter().filter(|d| runtime_dir::check(d).is_ok()) {
            for name in names(directory).filter(|name| name.starts_with(&prefix)) {
                if Name::parse(&name).is_some_and(|parsed| pipe.may_be(&parsed.pipe)) {
                    let path = directory.join(&name);
                    found.push((name, path));
                }
            }
        }
        // One directory may have two names.
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.dedup_by(|(one, _), (other, _)| one == other);
        found
    }

    /// What the only writer of `pipe` has noted at its good end of how its output came to be. Whoever reads
    /// shards knows that they are all there before their writer says how it ended: that is waited for, a while.
    pub fn lineage_of(&self, pipe: &PipeId) -> Option<Vec<u8>> {
        let until = Instant::now() + END_MAX;
        loop {
            let found = self.look_up(pipe);
            let [(name, entry)] = found.as_slice() else { return None };
            match entry.status {
                Status::Ended(0) => {
                    let named = |directory: &PathBuf| File::open(directory.join(name)).ok();
                    return entry::lineage(&self.directories.iter().find_map(named)?);
                }
                Status::Open if Instant::now() < until => thread::sleep(LOOK_EVERY),
                _ => return None,
            }
        }
    }

    /// Removes entries of pipes that are gone; a bounded number of them, unless another tool is
    /// doing so.
    pub fn sweep(&self) {
        let (Some(boot), Some(space)) = (&self.boot, &self.space) else { return };
        for directory in self.directories.iter().filter(|d| runtime_dir::check(d).is_ok()) {
            sweep::sweep(directory, boot, space);
        }
    }

    /// [`Registry::sweep`], but only now and then.
    pub fn sweep_sometimes(&self) {
        if now().is_multiple_of(SWEEP_ONE_IN) {
            self.sweep();
        }
    }
}

/// A writer's hold on its entry. Dropped without [`RegisteredWriter::end`], it leaves the entry open: that
/// of a writer that vanished.
///
/// It locks the file, and that lock goes with the process, however that ends.
#[derive(Debug)]
pub struct RegisteredWriter {
    file: Arc<File>,
    is_locked: bool,
}

impl RegisteredWriter {
    /// What says how far the writer is.
    pub fn publisher(&self) -> Publisher {
        Publisher { file: Arc::clone(&self.file), is_locked: self.is_locked }
    }

    /// Notes what is known of the stream; before the first byte of it is written.
    pub fn declare(&self, facts: &Facts) {
        // An entry without facts is a whole one.
        let _ = entry::note_facts(&self.file, facts);
    }

    /// Notes that the writer wrote `bytes` and ends with `status`, and how what it wrote came to be, where it
    /// says; before it closes the pipe.
    pub fn end(self, status: u8, bytes: u64, lineage: &[u8]) {
        // Without that, what is lost of what is made of it cannot be made again.
        let _ = entry::note_lineage(&self.file, lineage);
        // An entry that cannot be closed speaks of a failure, which is the safe side.
        if entry::note_bytes(&self.file, bytes).is_ok() {
            let _ = entry::note_status(&self.file, status);
        }
    }
}

/// What says how far a writer is, beside its entry.
#[derive(Clone, Debug)]
pub struct Publisher {
    file: Arc<File>,
    is_locked: bool,
}

impl Publisher {
    /// Says how far it is.
    pub fn publish(&self, mut gauge: Gauge) {
        gauge.is_locked = self.is_locked;
        gauge.write(&self.file);
    }

    /// Whether another tool draws for this one.
    pub fn is_claimed(&self) -> bool {
        gauge::is_claimed(&self.file)
    }
}

/// A writer as others see it.
#[derive(Clone, Debug)]
pub struct WatchedWriter {
    /// The name of its entry, which no other has.
    pub name: String,
    file: Arc<File>,
}

impl WatchedWriter {
    /// What it says of itself.
    pub fn entry(&self) -> Entry {
        Entry::read(&self.file)
    }

    /// How far it is, if it says so.
    pub fn gauge(&self) -> Option<Gauge> {
        Gauge::read(&self.file)
    }

    /// Tells it that this process draws for it, for so long from now.
    pub fn claim(&self, how_long: Duration) {
        gauge::claim(&self.file, how_long);
    }

    /// Whether the writer, which said that it locks its entry, does so no more: it has ended.
    pub fn is_gone(&self) -> bool {
        let taken = flock(&self.file, FlockOperation::NonBlockingLockShared).is_ok();
        taken && flock(&self.file, FlockOperation::Unlock).is_ok()
    }
}

/// Writes the entry under a name that no reader looks for.
fn draft(directory: &Path, name: &str, text: &[u8]) -> io::Result<File> {
    let path = directory.join(format!("{DRAFT}{name}"));
    let mut file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    match file.write_all(text) {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

/// Gives the draft the name that readers look for.
fn publish(directory: &Path, name: &str) -> io::Result<()> {
    let draft = directory.join(format!("{DRAFT}{name}"));
    let published = fs::rename(&draft, directory.join(name));
    if published.is_err() {
        let _ = fs::remove_file(&draft);
    }
    published
}

/// The names in `directory`, those of drafts and odd files among them.
pub(crate) fn names(directory: &Path) -> impl Iterator<Item = String> {
    let listed = fs::read_dir(directory).into_iter().flatten();
    listed.filter_map(|item| item.ok()?.file_name().into_string().ok())
}

/// What the name of an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The boot of the machine.
    pub(crate) boot: String,
    /// The pipe, as it was when the entry was made.
    pub(crate) pipe: PipeId,
    /// The processes among which the writer is.
    pub(crate) space: String,
}

impl Name {
    /// As a file name that no other writer has.
    fn unique(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let PipeId { device, inode, changed } = self.pipe;
        let (boot, space) = (&self.boot, &self.space);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        format!("{boot}.{device}.{inode}.{changed}.{space}.{process}-{count}-{}", now())
    }

    /// Reads the name of an entry; `None` when it is that of another file.
    pub(crate) fn parse(name: &str) -> Option<Name> {
        let mut parts = name.split('.');
        let boot = parts.next()?.to_string();
        let device = parts.next()?.parse().ok()?;
        let inode = parts.next()?.parse().ok()?;
        let changed = parts.next()?.parse().ok()?;
        let space = parts.next()?.to_string();
        parts.next()?;
        Some(Name { boot, pipe: PipeId { device, inode, changed }, space })
    }
}

/// Nanoseconds of the clock: with a process number, something that there is once.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter};

    use super::*;

    fn registry() -> (tempfile::TempDir, Registry) {
        let dir = tempfile::tempdir().unwrap();
        let registry =
            Registry::new(vec![dir.path().join("missing/x"), dir.path().join("mycloud")]);
        (dir, registry)
    }

    fn pipe() -> (PipeReader, PipeWriter, PipeId) {
        let (reader, writer) = std::io::pipe().unwrap();
        let id = PipeId::of(&reader).unwrap();
        (reader, writer, id)
    }

    fn statuses(registry: &Registry, id: &PipeId) -> Vec<Status> {
        registry.look_up(id).into_iter().map(|(_, entry)| entry.status).collect()
    }

    #[test]
    fn a_writer_is_seen_from_its_entry_to_its_end() {
        let (_dir, registry) = registry();
        let (_reader, _writer, id) = pipe();
        assert_eq!(statuses(&registry, &id), []);
        let writer = registry.enter(&id, "mc-x").unwrap();
        assert_eq!(statuses(&registry, &id), [Status::Open]);
        let facts = Facts { key: Some("a".into()), ..Facts::default() };
        writer.declare(&facts);
        writer.end(0, 7, b"of this");
        assert_eq!(registry.lineage_of(&id).unwrap(), b"of this");
        let found: Vec<_> = registry.look_up(&id).into_iter().map(|(_, entry)| entry).collect();
        let want = Entry { status: Status::Ended(0), bytes: 7, tool: "mc-x".into(), facts };
        assert_eq!(found, [want]);
    }

    #[test]
    fn every_writer_of_a_pipe_has_its_entry_and_no_other_pipe_sees_it() {
        let (_dir, registry) = registry();
        let (_reader, _writer, id) = pipe();
        let (_reader2, _writer2, other) = pipe();
        registry.enter(&id, "mc-a").unwrap().end(0, 1, b"x");
        registry.enter(&id, "mc-b").unwrap().end(3, 1, b"y");
        assert_eq!(registry.lineage_of(&id), None);
        let mut found = statuses(&registry, &id);
        found.sort_by_key(|status| *status == Status::Ended(3));
        assert_eq!(found, [Status::Ended(0), Status::Ended(3)]);
        assert_eq!(statuses(&registry, &other), []);
    }

    #[test]
    fn a_writer_killed_between_any_two_steps_has_no_entry_or_an_open_one() {
        let (dir, registry) = registry();
        let (_reader, _writer, id) = pipe();
        let directory = dir.path().join("mycloud");
        runtime_dir::make(&directory).unwrap();
        let name = Name { boot: registry.boot.clone().unwrap(), pipe: id, space: "1".into() };
        let name = name.unique();
        let file = draft(&directory, &name, &Entry::begin("mc-x")).unwrap();
        assert_eq!(statuses(&registry, &id), []);
        publish(&directory, &name).unwrap();
        assert_eq!(statuses(&registry, &id), [Status::Open]);
        entry::note_facts(&file, &Facts { key: Some("a".into()), ..Facts::default() }).unwrap();
        assert_eq!(statuses(&registry, &id), [Status::Open]);
        entry::note_bytes(&file, 5).unwrap();
        assert_eq!(statuses(&registry, &id), [Status::Open]);
        entry::note_status(&file, 0).unwrap();
        assert_eq!(statuses(&registry, &id), [Status::Ended(0)]);
    }

    #[test]
    fn entries_of_another_boot_are_of_another_pipe() {
        let (dir, registry) = registry();
        let (_reader, _writer, pipe) = pipe();
        let directory = dir.path().join("mycloud");
        runtime_dir::make(&directory).unwrap();
        for boot in ["0123abcd".to_string(), registry.boot.clone().unwrap()] {
            assert_eq!(statuses(&registry, &pipe), []);
            let name = Name { boot, pipe, space: "1".into() }.unique();
            draft(&directory, &name, &Entry::begin("mc-x")).unwrap();
            publish(&directory, &name).unwrap();
        }
        assert_eq!(statuses(&registry, &pipe), [Status::Open]);
    }

    #[test]
    fn entries_that_others_may_have_written_are_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, registry) = registry();
        let (_reader, _writer, id) = pipe();
        registry.enter(&id, "mc-x").unwrap().end(0, 1, b"x");
        assert_eq!(statuses(&registry, &id), [Status::Ended(0)]);
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path().join("mycloud"), mode(0o770)).unwrap();
        assert_eq!(statuses(&registry, &id), []);
        assert!(registry.watch(&id).is_empty() && registry.lineage_of(&id).is_none());
    }

    #[test]
    fn without_a_place_nothing_is_known() {
        let (_reader, _writer, id) = pipe();
        for directories in [vec![], vec!["/proc/mycloud".into()], vec!["/nowhere/at/all".into()]] {
            let registry = Registry::new(directories);
            assert!(registry.enter(&id, "mc-x").is_none());
            assert_eq!(registry.look_up(&id), []);
            registry.sweep();
        }
    }

    #[test]
    fn a_full_disk_keeps_nobody_from_writing() {
        assert!(draft(Path::new("/proc"), "x", b"x").is_err());
    }
}
