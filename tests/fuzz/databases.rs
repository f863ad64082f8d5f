//! LevelDB databases: their files changed together, with checksums that hold.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use rusty_leveldb::infolog::Logger;
use rusty_leveldb::{DB, Options};

use super::input::read_all;
use super::{Outcome, Target};
use crate::format::leveldb::LevelDbReader;

const WORDS: &[&[u8]] = &[
    b"\x80\x80\x80\x80\x10",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x01",
    b"\x02",
    b"\x06",
    b"\x07",
    b"\x09",
    b"\0\0\0\0\x01\0\0\0",
    b"\x57\xfb\x80\x8b\x24\x75\x47\xdb",
    b"MANIFEST-000001\n",
    b"key",
    b"leveldb.BytewiseComparator",
    b"\0\0\0\0\0\0\0",
    b"\x01\x05\0\0\0\0\0\0",
];

/// The files of a database as one input: of each, the length of its name, its name, the length of what
/// it holds (2 bytes), and that.
fn packed(database: &Path) -> Vec<u8> {
    let mut input = Vec::new();
    let entries = fs::read_dir(database).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    for name in names.iter().filter(|name| *name != "LOG" && *name != "LOCK") {
        let bytes = fs::read(database.join(name)).unwrap();
        input.push(name.len() as u8);
        input.extend_from_slice(name.as_bytes());
        input.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        input.extend_from_slice(&bytes);
    }
    input
}

/// Where in an input the files lie, with their names; a name that leads elsewhere is none.
fn files(input: &[u8]) -> Vec<(String, std::ops::Range<usize>)> {
    let (mut files, mut at) = (Vec::new(), 0);
    while at < input.len() {
        let name = at + 1..(at + 1 + usize::from(input[at])).min(input.len());
        let Some(length) = input.get(name.end..name.end + 2) else { break };
        let start = name.end + 2;
        let end =
            (start + usize::from(u16::from_le_bytes([length[0], length[1]]))).min(input.len());
        let name = String::from_utf8_lossy(&input[name]).into_owned();
        if name.starts_with(char::is_alphanumeric)
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        {
            files.push((name, start..end));
        }
        at = end;
    }
    files
}

fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Makes the checksums hold of logs, manifests and the blocks of tables.
fn mend(input: &mut [u8]) {
    for (name, range) in files(input) {
        let file = &mut input[range];
        if name.ends_with(".ldb") {
            mend_table(file);
        } else if name.ends_with(".log") || name.starts_with("MANIFEST") {
            let mut at = 0;
            while let Some(head) = file.get(at..at + 7) {
                let length = usize::from(u16::from_le_bytes([head[4], head[5]]));
                let Some(rest) = file.get(at + 6..at + 7 + length) else { break };
                let crc = masked(rest);
                file[at..at + 4].copy_from_slice(&crc);
                at += 7 + length;
            }
        }
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..28).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The checksum of the block at `at`, which is so long.
fn mend_block(file: &mut [u8], at: usize, length: usize) -> Option<()> {
    let crc = masked(file.get(at..at.checked_add(length)? + 1)?);
    file.get_mut(at + length + 1..at + length + 5)?.copy_from_slice(&crc);
    Some(())
}

fn mend_table(file: &mut [u8]) -> Option<()> {
    let mut at = file.len().checked_sub(48)?;
    let mut handle = || Some((varint(file, &mut at)?, varint(file, &mut at)?));
    let (_, (start, length)) = (handle()?, handle()?);
    mend_block(file, start, length)?;
    let index = file.get(start..start + length)?.to_vec();
    let mut at = 0;
    while at + 8 < index.len() {
        let (_, rest, value) =
            (varint(&index, &mut at)?, varint(&index, &mut at)?, varint(&index, &mut at)?);
        let mut from = at + rest;
        let (start, length) = (varint(&index, &mut from)?, varint(&index, &mut from)?);
        mend_block(file, start, length)?;
        at += rest + value;
    }
    Some(())
}

fn database(records: usize, compacted: bool) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let log = Some(Rc::new(RefCell::new(Logger(Box::new(std::io::sink())))));
    let options = Options { log, block_size: 128, ..Options::default() };
    let mut database = DB::open(directory.path(), options).unwrap();
    for number in 0..records {
        let key = format!("key {}", number * 7 % 10);
        database.put(key.as_bytes(), format!("value {number}").as_bytes()).unwrap();
        if number == records / 2 && compacted {
            database.flush().unwrap();
            database.compact_range(b"", b"~").unwrap();
        }
    }
    database.delete(b"key 3").unwrap();
    database.flush().unwrap();
    database.close().unwrap();
    packed(directory.path())
}

#[test]
fn databases() {
    let seeds = vec![database(4, false), database(24, true), database(0, false)];
    let directory = tempfile::tempdir().unwrap();
    let mut there: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let target =
        Target { seeds, mend, memory: (1 << 20, 400), ..Target::new("leveldb", &[], WORDS) };
    target.run(|input| {
        let mut wanted: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (name, range) in files(input) {
            wanted.insert(name, input[range].to_vec());
        }
        for name in there.keys().filter(|name| !wanted.contains_key(*name)) {
            fs::remove_file(directory.path().join(name)).unwrap();
        }
        for (name, bytes) in wanted.iter().filter(|(name, bytes)| there.get(*name) != Some(bytes)) {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        there = wanted;
        let read = |strict| {
            let open = |options: &_| {
                Ok(Box::new(LevelDbReader::open(directory.path(), false, options)?) as Box<_>)
            };
            read_all(open, strict)
        };
        let (out, end, _) = read(true);
        let (all, last, bad) = read(false);
        match end {
            // What is sound is the same when damage may be passed over, and else it is told.
            Ok(()) => {
                assert_eq!((all, last, bad), (out, Ok(()), 0));
                Outcome::Taken
            }
            Err(_) => {
                assert!(bad > 0 || last.is_err());
                Outcome::Refused
            }
        }
    });
}
