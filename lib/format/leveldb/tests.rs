//! Databases that no C++ library at hand can write: in other compressions, left by a crash, or
//! open in a program of another kind.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use nix::fcntl::{Flock, FlockArg};
use rusty_leveldb::infolog::Logger;
use rusty_leveldb::{Compressor, CompressorList, DB, Options};

use super::*;
use crate::error::Result;
use crate::format::{ReadOptions, Source};
use crate::record::bad::Policy;

/// Compresses with the function alone; these databases are not read through the library.
struct Packed(Pack);

impl Compressor for Packed {
    fn encode(&self, block: Vec<u8>) -> rusty_leveldb::Result<Vec<u8>> {
        Ok((self.0)(&block))
    }

    fn decode(&self, block: Vec<u8>) -> rusty_leveldb::Result<Vec<u8>> {
        // Asked for indexes, when a new table is opened.
        let mut out = Vec::new();
        [2, 4]
            .iter()
            .find(|&&kind| compression::decompress(kind, &block, 1 << 20, &mut out).is_ok());
        Ok(out)
    }
}

type Pack = fn(&[u8]) -> Vec<u8>;

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let level = flate2::Compression::default();
    flate2::bufread::ZlibEncoder::new(plain, level).read_to_end(&mut out).unwrap();
    out
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let level = flate2::Compression::default();
    flate2::bufread::DeflateEncoder::new(plain, level).read_to_end(&mut out).unwrap();
    out
}

fn zstandard(plain: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(plain, 1).unwrap()
}

fn options() -> Options {
    let log = Some(Rc::new(RefCell::new(Logger(Box::new(io::sink())))));
    Options { log, ..Options::default() }
}

fn record(number: u32) -> (String, String) {
    (format!("{number:04}"), format!("value {number}"))
}

fn make(path: &Path, options: Options, numbers: std::ops::Range<u32>) -> DB {
    let mut database = DB::open(path, options).unwrap();
    for (key, value) in numbers.map(record) {
        database.put(key.as_bytes(), value.as_bytes()).unwrap();
    }
    database
}

fn expected(numbers: std::ops::Range<u32>) -> String {
    numbers.map(record).map(|(key, value)| format!("[\"{key}\",\"{value}\"]\n")).collect()
}

fn read(path: &Path) -> Result<String> {
    let mut reader = Reader::open(path, &ReadOptions::new(Policy::Fail)?)?;
    let mut out = Vec::new();
    while reader.fill(&mut out)? {}
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn other_compressions_are_read_and_unknown_ones_refused() {
    let kinds: [(u8, Pack); 4] = [(2, zlib), (2, zstandard), (4, deflate), (9, zlib)];
    for (kind, pack) in kinds {
        let dir = tempfile::tempdir().unwrap();
        let mut list = CompressorList::new();
        list.set_with_id(kind, Packed(pack));
        let options = Options { compressor: kind, compressor_list: Rc::new(list), ..options() };
        let mut database = make(dir.path(), options, 0..1000);
        database.compact_range(b"x", b"x").unwrap();
        database.close().unwrap();
        match kind {
            9 => assert!(read(dir.path()).unwrap_err().to_string().contains("unknown way")),
            _ => assert_eq!(read(dir.path()).unwrap(), expected(0..1000), "{kind}"),
        }
    }
}

#[test]
fn a_torn_log_is_the_newest_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), options(), 0..10).close().unwrap();
    let name = |number: u32| dir.path().join(format!("{number:06}.log"));
    let first = (0..10).find(|&number| name(number).exists()).unwrap();
    let (whole, next) = (fs::read(name(first)).unwrap(), name(first + 1));
    let cut = &whole[..whole.len() - 3];
    // As a writer would leave it that was killed when it had just begun another log.
    fs::write(&next, &whole).unwrap();
    assert_eq!(read(dir.path()).unwrap(), expected(0..10));
    fs::write(&next, cut).unwrap();
    assert_eq!(read(dir.path()).unwrap(), expected(0..10));
    fs::write(name(first), cut).unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(error.to_string().contains("it is cut, but"), "{error}");
    fs::write(&next, b"").unwrap();
    assert_eq!(read(dir.path()).unwrap(), expected(0..9));
    // Zeros that a file system left behind the last record.
    let zeros = [cut, &[0; 100_000]].concat();
    fs::write(name(first), [&whole[..], &zeros[cut.len()..]].concat()).unwrap();
    assert_eq!(read(dir.path()).unwrap(), expected(0..10));
    let followed = [&whole[..], &[0; 50], &whole[..]].concat();
    fs::write(name(first), followed).unwrap();
    assert_eq!(read(dir.path()).unwrap_err().exit_code(), 3);
}

#[test]
fn a_lock_of_the_other_kind_is_seen_and_readers_share() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), options(), 0..3).close().unwrap();
    let lock = || fs::File::open(dir.path().join("LOCK")).unwrap();
    let writer = Flock::lock(lock(), FlockArg::LockExclusiveNonblock).unwrap();
    let error = read(dir.path()).unwrap_err();
    assert!(error.to_string().contains("is open in another process"), "{error}");
    drop(writer);
    let reader = Reader::open(dir.path(), &ReadOptions::new(Policy::Fail).unwrap()).unwrap();
    assert_eq!(read(dir.path()).unwrap(), expected(0..3));
    assert!(Flock::lock(lock(), FlockArg::LockExclusiveNonblock).is_err());
    drop(reader);
    fs::remove_file(dir.path().join("LOCK")).unwrap();
    assert_eq!(read(dir.path()).unwrap(), expected(0..3));
    assert!(!dir.path().join("LOCK").exists());
}

#[test]
fn many_tables_are_read_with_few_files() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options { write_buffer_size: 1 << 15, max_file_size: 1 << 12, ..options() };
    let numbers = (0..20_000u32).map(|n| n * 7919 % 20_011);
    let mut database = DB::open(dir.path(), small).unwrap();
    for (key, value) in numbers.clone().map(record) {
        database.put(key.as_bytes(), value.as_bytes()).unwrap();
    }
    database.compact_range(b"", b"~").unwrap();
    database.close().unwrap();
    drop(database);
    let in_there =
        |path: io::Result<std::path::PathBuf>| path.is_ok_and(|p| p.starts_with(dir.path()));
    let tables = fs::read_dir(dir.path()).unwrap();
    let tables =
        tables.filter(|e| e.as_ref().is_ok_and(|e| e.path().extension() == Some("ldb".as_ref())));
    assert!(tables.count() > 50);
    let mut reader = Reader::open(dir.path(), &ReadOptions::new(Policy::Fail).unwrap()).unwrap();
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter(|e| in_there(fs::read_link(e.as_ref().unwrap().path()))).count();
    assert!(open < 15, "{open} files are open");
    let mut out = Vec::new();
    while reader.fill(&mut out).unwrap() {}
    let mut lines: Vec<String> = numbers.map(|n| expected(n..n + 1)).collect();
    lines.sort();
    assert!(String::from_utf8(out).unwrap() == lines.concat());
}

#[test]
fn what_waits_forever_when_opened_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), options(), 0..3).close().unwrap();
    let current = dir.path().join("CURRENT");
    fs::remove_file(&current).unwrap();
    nix::unistd::mkfifo(&current, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(read(dir.path()).is_err());
}
