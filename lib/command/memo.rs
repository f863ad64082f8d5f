//! What a command printed, kept by content (`--memo`): for a block of records, a shard, or one record,
//! under the hash of the command and of what it read. What is read again later is not run again.
//!
//! A directory holds a directory for each command, and that a file for each input. A file appears
//! whole, by a rename, and says how long it is and what its hash is: one that is damaged counts as
//! none. Any number of runs may use a directory at once. Which files go when there are too many is
//! told by when they were last of use.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::record::digest::{Contents, hex_of};
use crate::spool::Spool;

/// What an entry begins with; another version is no entry.
const MAGIC: &str = "mycloud memo 1";

/// How long the first line of an entry may be, in bytes.
const HEADER_MAX: usize = 200;

/// How much of an entry is read at once, in bytes.
const READ_BYTES: usize = 256 << 10;

/// What the names of entries for blocks, and of those that are being written, begin with.
const BLOCK: &str = "block-";
const NEW: &str = ".new-";

/// After how much of the size that is allowed it is looked again how much is used.
const LOOKS: u64 = 16;

/// The hash of what a command is and depends on.
#[derive(Clone, Default)]
pub struct CommandHash(Sha256);

impl CommandHash {
    /// Adds a part: what it is, and its bytes.
    pub fn part(&mut self, what: &str, bytes: &[u8]) {
        for part in [what.as_bytes(), bytes] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    /// Adds the content of the file `path`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        let failed = |e: std::io::Error| Error::path("read", path, &e);
        let (mut file, mut hash) = (File::open(path).map_err(failed)?, Sha256::new());
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
        }
        self.part("file", &hash.finalize());
        Ok(())
    }

    fn name(self) -> String {
        hex_of(&self.0.finalize()[..16])
    }
}

/// The name of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoKey(String);

impl MemoKey {
    /// Of a block, by its lines.
    pub fn of_block(lines: &[u8]) -> MemoKey {
        let (start, length) = (start_of(lines), lines.len());
        MemoKey(format!("{BLOCK}{start:016x}-{length}-{}", hex_of(&Sha256::digest(lines))))
    }

    /// Of all that one process gets.
    ///
    /// # Errors
    /// `Storage` when it cannot be read.
    pub fn of_input(input: &Spool) -> Result<MemoKey> {
        let mut hash = Sha256::new();
        input.pour(|bytes| {
            hash.update(bytes);
            Ok(())
        })?;
        Ok(MemoKey(format!("input-{}", hex_of(&hash.finalize()))))
    }

    /// Of one record.
    pub fn of_record(record: &[u8]) -> MemoKey {
        MemoKey(format!("record-{}", hex_of(&Sha256::digest(record))))
    }

    /// Of a shard.
    pub fn of_shard(contents: &Contents) -> MemoKey {
        let Contents { records, bytes, sum, hash } = contents;
        MemoKey(format!("shard-{records}-{bytes}-{sum:032x}{hash:032x}"))
    }
}

/// What tells where a block begins: the hash of its first line.
fn start_of(lines: &[u8]) -> u64 {
    let end = memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
    xxh3_64(&lines[..end])
}

/// Files that a command names, which were not there or empty when it began: what it has written itself
/// is nothing that it depends on. Which these are stands in a file, a path and a NUL byte each.
#[derive(Debug, Default)]
pub struct WrittenFiles {
    list: PathBuf,
    known: BTreeSet<PathBuf>,
    /// Those that are not there, or empty.
    watched: Mutex<Vec<PathBuf>>,
}

impl WrittenFiles {
    /// Those of the command that the words of `command` tell, by what is known in the directory `root`.
    pub fn of(root: &Path, command: CommandHash) -> WrittenFiles {
        let list = root.join(format!("written-{}", command.name()));
        let bytes = fs::read(&list).unwrap_or_default();
        let paths = bytes.split(|&byte| byte == 0).filter(|path| !path.is_empty());
        let known = paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect();
        WrittenFiles { list, known, watched: Mutex::default() }
    }

    /// Whether the command depends on the file `path`, which may not be there: not if it has written it.
    pub fn depends_on(&self, path: &Path) -> bool {
        if self.known.contains(path) {
            return false;
        }
        let has_content = has_content(path);
        if !has_content {
            self.watched().push(path.into());
        }
        has_content
    }

    fn watched(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes which of the files are there now, when the command has run.
    fn look(&self) {
        let mut watched = self.watched();
        for path in watched.extract_if(.., |path| has_content(path)) {
            // Where it cannot be noted, the next run depends on it, and does more than it must.
            let list = File::options().append(true).create(true).open(&self.list);
            let line = [path.as_os_str().as_bytes(), b"\0"].concat();
            let _ = list.and_then(|mut list| list.write_all(&line));
        }
    }
}

fn has_content(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.len() > 0)
}

/// What one command printed.
#[derive(Debug)]
pub struct Memo {
    root: PathBuf,
    /// That of the command.
    directory: PathBuf,
    /// How many bytes may be kept in all.
    most: u64,
    /// How many were written since it was looked last how many there are.
    written: AtomicU64,
    /// One looks at a time.
    looking: Mutex<()>,
    /// The blocks that were known at first: how long they are, by where they begin, and their names.
    blocks: HashMap<u64, Vec<(usize, MemoKey)>>,
    longest: usize,
    found: AtomicU64,
    files: WrittenFiles,
    /// Whether nothing more is kept, for it could not be.
    is_full: AtomicBool,
}

impl Memo {
    /// What is kept in the directory `root`, which is made where it is not there, of the command that
    /// `command` tells, which may write `files`; of all commands no more than `most` bytes.
    ///
    /// # Errors
    /// When it cannot be made, or written.
    pub fn open(root: &Path, most: u64, command: CommandHash, files: WrittenFiles) -> Result<Memo> {
        let directory = root.join(command.name());
        fs::create_dir_all(&directory).map_err(|e| Error::path("make", &directory, &e))?;
        tempfile::tempfile_in(&directory).map_err(|e| Error::path("write in", &directory, &e))?;
        let mut memo = Memo {
            root: root.into(),
            directory,
            most,
            written: AtomicU64::new(0),
            looking: Mutex::new(()),
            blocks: HashMap::new(),
            longest: 0,
            found: AtomicU64::new(0),
            files,
            is_full: AtomicBool::new(false),
        };
        memo.make_room();
        let entries = fs::read_dir(&memo.directory);
        let entries = entries.map_err(|e| Error::path("read", &memo.directory, &e))?;
        for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            if let Some((start, length)) = block_of(&name) {
                memo.blocks.entry(start).or_default().push((length, MemoKey(name)));
                memo.longest = memo.longest.max(length);
            }
        }
        // The longest first: the fewest files.
        memo.blocks.values_mut().for_each(|all| all.sort_by_key(|(length, _)| usize::MAX - length));
        Ok(memo)
    }

    /// The length of the longest block that is known, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// How long the known block is that `lines` begin with; none when they begin with none. Of blocks
    /// that begin so and go on otherwise no more than `tries` are looked at, which are counted down.
    pub fn known_block(&self, lines: &[u8], tries: &mut u32) -> Option<usize> {
        let candidates = self.blocks.get(&start_of(lines))?;
        for (length, key) in candidates {
            if *tries == 0 {
                return None;
            }
            let Some(block) = lines.get(..*length) else { continue };
            if MemoKey::of_block(block) == *key {
                return Some(*length);
            }
            *tries -= 1;
        }
        None
    }

    /// How often something was found.
    pub fn found(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    /// What was printed for `key`, in `spool`, and how many records that is; none when it is not known.
    ///
    /// # Errors
    /// `Storage` when `spool` takes no more.
    pub fn find(&self, key: &MemoKey, mut spool: Spool) -> Result<Option<(Spool, u64)>> {
        let path = self.directory.join(&key.0);
        let Ok(mut file) = File::open(&path) else { return Ok(None) };
        let Some(header) = Header::read(&mut file) else {
            return Ok(self.forget(&path));
        };
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; READ_BYTES]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hash.update(&buffer[..count]);
                    spool.push(&buffer[..count])?;
                }
                Err(_) => return Ok(None),
            }
        }
        hash.update(header.records.to_le_bytes());
        if spool.len() != header.bytes || hex_of(&hash.finalize()) != header.hash {
            return Ok(self.forget(&path));
        }
        // Where that cannot be, it only goes sooner.
        let _ = file.set_modified(SystemTime::now());
        self.found.fetch_add(1, Ordering::Relaxed);
        Ok(Some((spool, header.records)))
    }

    /// Removes an entry that is damaged.
    fn forget<T>(&self, path: &Path) -> Option<T> {
        let _ = fs::remove_file(path);
        None
    }

    /// Keeps what was printed for `key`: `records` records. Once that fails no more is kept.
    ///
    /// # Errors
    /// When it cannot be written, the first time; what was printed is none the worse.
    pub fn keep(&self, key: &MemoKey, printed: &Spool, records: u64) -> Result<()> {
        self.files.look();
        if self.is_full.load(Ordering::Relaxed) || printed.len() > self.most {
            return Ok(());
        }
        let kept = self.write(key, printed, records);
        if kept.is_err() && self.is_full.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        kept?;
        let before = self.written.fetch_add(printed.len(), Ordering::Relaxed);
        if before + printed.len() > self.most / LOOKS {
            self.make_room();
        }
        Ok(())
    }

    fn write(&self, key: &MemoKey, printed: &Spool, records: u64) -> Result<()> {
        let mut hash = Sha256::new();
        printed.pour(|bytes| {
            hash.update(bytes);
            Ok(())
        })?;
        hash.update(records.to_le_bytes());
        let header = Header { records, bytes: printed.len(), hash: hex_of(&hash.finalize()) };
        let failed = |e: &std::io::Error| Error::path("write", &self.directory, e);
        let mut file = tempfile::Builder::new()
            .prefix(NEW)
            .tempfile_in(&self.directory)
            .map_err(|e| failed(&e))?;
        file.write_all(header.line().as_bytes()).map_err(|e| failed(&e))?;
        printed.pour(|bytes| file.write_all(bytes).map_err(|e| failed(&e)))?;
        file.persist(self.directory.join(&key.0)).map_err(|e| failed(&e.error))?;
        Ok(())
    }

    /// Removes what was of no use for the longest time, until the rest is no more than is allowed.
    fn make_room(&self) {
        let _one = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        self.written.store(0, Ordering::Relaxed);
        let within = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, u64, PathBuf)> = within(&self.root)
            .flat_map(|command| within(&command.path()))
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, length, path) in files {
            if bytes <= self.most {
                break;
            }
            // Another run may have removed it.
            let _ = fs::remove_file(path);
            bytes -= length;
        }
    }
}

/// The first line of an entry.
struct Header {
    records: u64,
    bytes: u64,
    hash: String,
}

impl Header {
    fn line(&self) -> String {
        format!("{MAGIC} {} {} {}\n", self.records, self.bytes, self.hash)
    }

    /// Reads it, and nothing behind it.
    fn read(file: &mut File) -> Option<Header> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while line.len() < HEADER_MAX && byte[0] != b'\n' {
            file.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        let line = String::from_utf8(line).ok()?;
        let fields = line.strip_suffix('\n')?.strip_prefix(MAGIC)?;
        let mut fields = fields.split_ascii_whitespace();
        let mut next = || fields.next();
        Some(Header {
            records: next()?.parse().ok()?,
            bytes: next()?.parse().ok()?,
            hash: next()?.to_string(),
        })
    }
}

/// Where the block begins that an entry is for, and how long it is.
fn block_of(name: &str) -> Option<(u64, usize)> {
    let (start, rest) = name.strip_prefix(BLOCK)?.split_once('-')?;
    let (length, _) = rest.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, length.parse().ok().filter(|&length| length > 0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(bytes: &[u8]) -> Spool {
        Spool::holding(bytes.to_vec(), usize::MAX, Path::new("/tmp"))
    }

    fn command(name: &str) -> CommandHash {
        let mut hash = CommandHash::default();
        hash.part("word", name.as_bytes());
        hash
    }

    fn found(memo: &Memo, key: &MemoKey) -> Option<(Vec<u8>, u64)> {
        let (spool, records) = memo.find(key, spool(b"")).unwrap()?;
        Some((spool.in_memory().unwrap().to_vec(), records))
    }

    fn entries(memo: &Memo) -> Vec<PathBuf> {
        fs::read_dir(&memo.directory).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn what_was_printed_is_found_by_the_same_command_alone() {
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            Memo::open(&dir.path().join("a/b"), 1 << 20, command(name), WrittenFiles::default())
                .unwrap()
        };
        let (memo, key) = (open("one"), MemoKey::of_block(b"1\n2\n"));
        assert_eq!(found(&memo, &key), None);
        memo.keep(&key, &spool(b"x\n"), 1).unwrap();
        memo.keep(&MemoKey::of_record(b"1"), &spool(b""), 0).unwrap();
        assert_eq!(found(&memo, &key), Some((b"x\n".to_vec(), 1)));
        assert_eq!(found(&open("one"), &MemoKey::of_record(b"1")), Some((Vec::new(), 0)));
        assert_eq!(found(&open("other"), &key), None);
        assert_eq!(memo.found(), 1);
        let mut parts = [command("ab"), command("a"), CommandHash::default()];
        parts[1].part("word", b"b");
        parts[2].part("wor", b"dab");
        let names = parts.map(CommandHash::name);
        assert!(names[0] != names[1] && names[0] != names[2]);
    }

    #[test]
    fn a_damaged_entry_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let memo =
            Memo::open(dir.path(), 1 << 20, command("one"), WrittenFiles::default()).unwrap();
        let key = MemoKey::of_input(&spool(b"7\n")).unwrap();
        memo.keep(&key, &spool(b"result\n"), 1).unwrap();
        let path = entries(&memo).remove(0);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            for damaged in [&whole[..at], &flipped, &[&whole[..], b"x"].concat()] {
                fs::write(&path, damaged).unwrap();
                assert_eq!(found(&memo, &key), None, "{at}");
            }
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(found(&memo, &key).is_none() && !path.exists());
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let memo = Memo::open(dir.path(), 4000, command("one"), WrittenFiles::default()).unwrap();
        let key = |number: u32| MemoKey::of_record(&number.to_le_bytes());
        for number in 0..20 {
            memo.keep(&key(number), &spool(&[b'x'; 500]), 1).unwrap();
            let path = memo.directory.join(&key(number).0);
            let past = SystemTime::now() - std::time::Duration::from_secs(100 - u64::from(number));
            File::options().append(true).open(path).unwrap().set_modified(past).unwrap();
            if number > 2 {
                // Of use all the time.
                assert!(found(&memo, &key(0)).is_some(), "{number}");
            }
        }
        let left: Vec<u32> =
            (0..20).filter(|number| found(&memo, &key(*number)).is_some()).collect();
        assert!(left.len() < 8 && left.contains(&0) && left.contains(&19), "{left:?}");
        memo.keep(&key(99), &spool(&[b'x'; 5000]), 1).unwrap();
        assert!(found(&memo, &key(99)).is_none());
        let bytes: u64 = entries(&memo).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(bytes <= 4000, "{bytes}");
    }

    #[test]
    fn known_blocks_are_found_where_they_begin() {
        let dir = tempfile::tempdir().unwrap();
        let open =
            || Memo::open(dir.path(), 1 << 20, command("one"), WrittenFiles::default()).unwrap();
        let memo = open();
        for block in [b"1\n2\n".as_slice(), b"1\n2\n3\n", b"9\n"] {
            memo.keep(&MemoKey::of_block(block), &spool(b""), 0).unwrap();
        }
        memo.keep(&MemoKey::of_record(b"5"), &spool(b""), 0).unwrap();
        let known = |memo: &Memo, lines: &[u8]| memo.known_block(lines, &mut 9);
        assert_eq!(known(&memo, b"9\n"), None, "what is new is not needed to cut by");
        let memo = open();
        assert_eq!(memo.longest(), 6);
        assert_eq!(known(&memo, b"1\n2\n3\n4\n"), Some(6));
        assert_eq!(known(&memo, b"1\n2\n4\n"), Some(4));
        assert_eq!(known(&memo, b"1\n3\n"), None);
        assert_eq!((known(&memo, b"5\n"), known(&memo, b"9\n9\n")), (None, Some(2)));
        let mut tries = 1;
        assert_eq!((memo.known_block(b"1\n2\n5\n4\n", &mut tries), tries), (None, 0));
    }

    #[test]
    fn what_cannot_be_kept_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let memo =
            Memo::open(dir.path(), 1 << 20, command("one"), WrittenFiles::default()).unwrap();
        fs::remove_dir(&memo.directory).unwrap();
        let key = MemoKey::of_record(b"1");
        assert!(memo.keep(&key, &spool(b"x"), 1).is_err());
        assert!(memo.keep(&key, &spool(b"x"), 1).is_ok());
        assert!(
            Memo::open(Path::new("/proc/no"), 1, command("one"), WrittenFiles::default()).is_err()
        );
    }

    #[test]
    fn what_a_command_wrote_it_does_not_depend_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let files = || WrittenFiles::of(dir.path(), command("one"));
        fs::write(path("table"), "1").unwrap();
        fs::write(path("log"), "").unwrap();
        let first = files();
        let depends =
            |files: &WrittenFiles| ["table", "log", "new"].map(|f| files.depends_on(&path(f)));
        assert_eq!(depends(&first), [true, false, false]);
        let memo = Memo::open(dir.path(), 1 << 20, command("one"), first).unwrap();
        fs::write(path("log"), "x").unwrap();
        memo.keep(&MemoKey::of_record(b"1"), &spool(b"1\n"), 1).unwrap();
        fs::write(path("new"), "made by another").unwrap();
        assert_eq!(depends(&files()), [true, false, true]);
        assert_eq!(depends(&WrittenFiles::of(dir.path(), command("two"))), [true, true, true]);
    }
}
