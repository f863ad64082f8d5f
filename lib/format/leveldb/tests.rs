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
    let mut reader = LevelDbReader::open(path, false, &ReadOptions::new(Policy::Fail)?)?;
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
    let reader =
        LevelDbReader::open(dir.path(), false, &ReadOptions::new(Policy::Fail).unwrap()).unwrap();
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
    let mut reader =
        LevelDbReader::open(dir.path(), false, &ReadOptions::new(Policy::Fail).unwrap()).unwrap();
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter(|e| in_there(fs::read_link(e.as_ref().unwrap().path()))).count();
    assert!(open < 15, "{open} files are open");
    let mut out = Vec::new();
    while reader.fill(&mut out).unwrap() {}
    let mut lines: Vec<String> = numbers.map(|n| expected(n..n + 1)).collect();
    lines.sort();
    assert!(String::from_utf8(out).unwrap() == lines.concat());
}

/// A small database with old and new values on several levels, and its records.
fn layered(path: &Path) -> Vec<String> {
    let small = Options {
        write_buffer_size: 1 << 12,
        max_file_size: 1 << 12,
        block_size: 256,
        ..options()
    };
    let mut database = DB::open(path, small).unwrap();
    let mut want = std::collections::BTreeMap::new();
    for round in 0..4u32 {
        for number in (0..400u32).filter(|n| n % (round + 1) == 0) {
            let key = format!("{number:04}");
            if round > 0 && number % 7 == round {
                database.delete(key.as_bytes()).unwrap();
                want.remove(&key);
            } else {
                let value = format!("{number} of round {round}");
                database.put(key.as_bytes(), value.as_bytes()).unwrap();
                want.insert(key, value);
            }
        }
        if round == 0 {
            database.compact_range(b"", b"~").unwrap();
        }
    }
    database.flush().unwrap();
    database.close().unwrap();
    want.into_iter().map(|(key, value)| format!("[\"{key}\",\"{value}\"]")).collect()
}

/// The records of a database, what is damaged passed over, and how many bad records there were.
fn read_skipping(path: &Path) -> Result<(Vec<String>, u64)> {
    let options = ReadOptions::new(Policy::Skip)?;
    let mut reader = LevelDbReader::open(path, false, &options)?;
    let mut out = Vec::new();
    while reader.fill(&mut out)? {}
    let records = String::from_utf8(out).unwrap().lines().map(str::to_string).collect();
    Ok((records, options.bad.count()))
}

/// The tables of a database.
fn tables(path: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut tables: Vec<_> =
        entries.filter(|path| path.extension() == Some("ldb".as_ref())).collect();
    tables.sort();
    tables
}

/// What is read under damage is true: none but records that are there, and those that are not read
/// are counted.
fn check_skipping(path: &Path, want: &[String], how: &str) -> u64 {
    let (got, bad) = read_skipping(path).unwrap_or_else(|error| panic!("{how}: {error}"));
    let made_up = got.iter().find(|record| !want.contains(record));
    assert_eq!(made_up, None, "{how}");
    assert!(got.windows(2).all(|pair| pair[0] < pair[1]), "{how}: order");
    assert!(
        got.len() == want.len() || bad > 0,
        "{how}: {} of {} and none bad",
        got.len(),
        want.len()
    );
    bad
}

#[test]
fn a_damaged_block_is_passed_over_and_nothing_old_comes_to_light() {
    let dir = tempfile::tempdir().unwrap();
    let want = layered(dir.path());
    assert_eq!(read_skipping(dir.path()).unwrap(), (want.clone(), 0));
    assert!(tables(dir.path()).len() > 3, "{:?}", tables(dir.path()));
    let (mut bad, mut most) = (0, 0);
    for table in tables(dir.path()) {
        let sound = fs::read(&table).unwrap();
        for place in (0..sound.len()).step_by(11) {
            let mut hurt = sound.clone();
            hurt[place] ^= 0x20;
            fs::write(&table, hurt).unwrap();
            let here = check_skipping(dir.path(), &want, &format!("{}: {place}", table.display()));
            (bad, most) = (bad + here, most.max(here));
        }
        for length in [0, 1, sound.len() / 2, sound.len() - 1] {
            fs::write(&table, &sound[..length]).unwrap();
            check_skipping(dir.path(), &want, &format!("{}: cut {length}", table.display()));
        }
        fs::write(&table, &sound).unwrap();
    }
    assert!(bad > 100 && most > 1, "{bad} {most}");
    let first = &tables(dir.path())[0];
    fs::remove_file(first).unwrap();
    assert_eq!(read_skipping(dir.path()).unwrap_err().exit_code(), 3);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_blocks_are_hurt_no_record_is_made_up(
        hits in proptest::collection::vec((0usize..100, 0usize..100_000, 1u8..=255), 1..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let want = layered(dir.path());
        let tables = tables(dir.path());
        for (table, place, mask) in hits {
            let table = &tables[table % tables.len()];
            let mut bytes = fs::read(table).unwrap();
            let length = bytes.len();
            bytes[place % length] ^= mask;
            fs::write(table, bytes).unwrap();
        }
        check_skipping(dir.path(), &want, "hit");
    }
}

#[test]
fn a_torn_manifest_is_said_and_read() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), options(), 0..10).close().unwrap();
    let current = fs::read_to_string(dir.path().join("CURRENT")).unwrap();
    let manifest = dir.path().join(current.trim_end());
    let sound = fs::read(&manifest).unwrap();
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let read = || {
        let said = said.clone();
        let warn = move |text: &str| said.lock().unwrap().push(text.to_string());
        let options = ReadOptions {
            warn: std::sync::Arc::new(warn),
            ..ReadOptions::new(Policy::Fail).unwrap()
        };
        let mut reader = LevelDbReader::open(dir.path(), false, &options)?;
        let mut out = Vec::new();
        while reader.fill(&mut out)? {}
        Result::Ok(String::from_utf8(out).unwrap())
    };
    assert_eq!(read().unwrap(), expected(0..10));
    assert!(said.lock().unwrap().is_empty());
    // An edit of 50 bytes whose first 3 were written; its header alone; zeros alone.
    let edit = b"\x01\x02\x03\x04\x32\x00\x01abc";
    for torn in [edit.as_slice(), &edit[..7], &edit[..3], &[0; 20]] {
        fs::write(&manifest, [&sound, torn].concat()).unwrap();
        assert_eq!(read().unwrap(), expected(0..10));
        let said = std::mem::take(&mut *said.lock().unwrap());
        assert!(said.len() == 1 && said[0].contains("its last edit is torn"), "{said:?}");
    }
    fs::write(&manifest, [&sound[..], &edit[..], &[1; 60]].concat()).unwrap();
    assert_eq!(read().unwrap_err().exit_code(), 3);
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
