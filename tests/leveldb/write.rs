//! Databases that we wrote: the C++ library reads them back, and so do we.

use std::path::Path;
use std::sync::Arc;

use mycloud::Result;
use mycloud::format::ledger::Ledger;
use mycloud::format::leveldb::LevelDbWriter;
use mycloud::format::{Once, Sink, Warn, WriteOptions};
use proptest::prelude::*;

use super::{all, oracle, oracle_call};
use crate::support::{Random, dir, names, until};

fn options(replace: bool) -> WriteOptions {
    let (stdout, ledger) = (Once::none(), Ledger::none());
    let (warn, directory): (Warn, _) = (Arc::new(|_| ()), std::env::temp_dir());
    WriteOptions {
        replace,
        stdout,
        ledger,
        warn,
        directory,
        terminal: None,
        client: Default::default(),
        objects: None,
    }
}

/// Writes `records`, a piece at a time.
fn write_pieces(path: &Path, replace: bool, records: &[u8], piece: usize) -> Result<()> {
    let mut writer = Box::new(LevelDbWriter::create(path, &options(replace))?);
    let mut piece_of = Vec::new();
    for line in records.split_inclusive(|&byte| byte == b'\n') {
        piece_of.extend_from_slice(line);
        if piece_of.len() >= piece {
            writer.write(&piece_of)?;
            piece_of.clear();
        }
    }
    writer.write(&piece_of)?;
    writer.finish()
}

fn write(path: &Path, records: impl AsRef<[u8]>) -> Result<()> {
    write_pieces(path, false, records.as_ref(), 1 << 16)
}

#[track_caller]
fn comes_back(records: &[u8]) {
    let dir = dir();
    let path = dir.path().join("db");
    write(&path, records).unwrap();
    assert_eq!(names(dir.path()), ["db"]);
    let mut lines: Vec<_> = records.split_inclusive(|&byte| byte == b'\n').collect();
    // Here all keys begin alike as text and as bytes.
    lines.sort();
    let sorted = lines.concat();
    assert!(all(&path).unwrap() == sorted, "we read something else");
    assert!(oracle(&["dump", path.to_str().unwrap()]) == sorted, "plyvel reads something else");
}

#[test]
fn records_come_back_in_key_order() {
    let mut random = Random::seeded(1);
    let mut records = Vec::new();
    for number in 0..30_000u64 {
        let key = number * 7919 % 30_011;
        let value = "value ".repeat(random.below(40) as usize);
        records.extend_from_slice(format!("[\"key {key:06}\",\"{value}\"]\n").as_bytes());
    }
    comes_back(&records);
}

#[test]
fn empty_and_large_keys_and_values_come_back() {
    let large = "x".repeat(10 << 20);
    let long = "k".repeat(100_000);
    comes_back(
        format!("[\"\",\"\"]\n[\"a\",\"{large}\"]\n[\"b\",\"\"]\n[\"{long}\",\"\\u0000\"]\n")
            .as_bytes(),
    );
    comes_back(b"");
    comes_back(b"[\"\",\"x\"]\n");
}

#[test]
fn every_key_is_found_where_one_begins_as_another_ends() {
    // Blocks of 4 KiB end after most of these keys.
    let value = "v".repeat(4500);
    let mut records = String::new();
    for length in 0..300 {
        records += &format!("[\"{}\",\"{value}\"]\n", "\\u0000".repeat(length));
    }
    comes_back(records.as_bytes());
}

#[test]
fn a_million_records_come_back() {
    let records: String = (0..1_000_000).map(|n| format!("[\"{n:08}\",\"{}\"]\n", n * 3)).collect();
    comes_back(records.as_bytes());
}

#[test]
fn bytes_that_are_no_text_come_back() {
    let dir = dir();
    let path = dir.path().join("db");
    let records = "[\"a\",{\"$base64\":\"/wA=\"}]\n[{\"$base64\":\"/w==\"},\"\"]\n";
    write(&path, " [ \"a\" , {\"$base64\":\"/wA=\"} ] \n[{\"$base64\":\"/w==\"},\"\"]\n").unwrap();
    assert_eq!(String::from_utf8(all(&path).unwrap()).unwrap(), records);
    assert_eq!(oracle(&["dump", path.to_str().unwrap()]), records.as_bytes());
}

#[test]
fn what_a_database_cannot_hold_is_refused_and_leaves_nothing() {
    let dir = dir();
    let path = dir.path().join("db");
    let refused = [
        ("[\"a\",\"1\"]\n[\"a\",\"2\"]\n", "record 2: key \"a\" came before"),
        (
            "[\"b\",\"1\"]\n[\"a\",\"1\"]\n[\"c\",\"\"]\n[\"a\",\"2\"]\n",
            "record 4: key \"a\" came before",
        ),
        ("[\"a\",\"1\"]\n[\"b\",\"2\",3]\n", "record 2: LevelDB holds [key, value]"),
        ("[\"a\"]\n", "record 1: LevelDB holds [key, value]"),
        ("{\"a\":\"b\"}\n", "record 1: LevelDB holds [key, value]"),
        ("[\"a\",1]\n", "record 1: the value is not a string"),
        ("[null,\"\"]\n", "record 1: the key is not a string"),
    ];
    for (records, said) in refused {
        let error = write(&path, records).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(names(dir.path()).is_empty());
    }
}

#[test]
fn a_key_that_went_to_a_table_long_ago_is_found() {
    let dir = dir();
    let path = dir.path().join("db");
    let value = "0123456789".repeat(100);
    let mut records: String =
        (0..60_000).rev().map(|n| format!("[\"{n:08}\",\"{value}{n}\"]\n")).collect();
    records += "[\"00059998\",\"again\"]\n";
    let error = write(&path, records).unwrap_err();
    assert!(error.to_string().contains("record 60001: key \"00059998\" came before"), "{error}");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_writer_that_is_given_up_leaves_nothing() {
    let dir = dir();
    let mut writer = LevelDbWriter::create(&dir.path().join("db"), &options(false)).unwrap();
    writer.write(b"[\"a\",\"1\"]\n").unwrap();
    assert_eq!(names(dir.path()).len(), 1);
    drop(writer);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn only_a_database_that_nobody_uses_is_replaced_and_only_if_asked() {
    let dir = dir();
    let path = dir.path().join("db");
    write(&path, "[\"a\",\"1\"]\n").unwrap();
    let error = write(&path, "[\"b\",\"1\"]\n").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--replace"), "{error}");
    write_pieces(&path, true, b"[\"b\",\"1\"]\n", 1).unwrap();
    assert_eq!(all(&path).unwrap(), b"[\"b\",\"1\"]\n");
    assert_eq!(names(dir.path()), ["db"]);
    std::fs::create_dir(dir.path().join("other")).unwrap();
    std::fs::write(dir.path().join("other/precious"), "").unwrap();
    assert!(write_pieces(&dir.path().join("other"), true, b"", 1).is_err());
    assert_eq!(names(dir.path().join("other")), ["precious"]);
    let marker = dir.path().join("open");
    let holder = oracle_call(&["hold", path.to_str().unwrap(), marker.to_str().unwrap()]).spawn();
    until("plyvel opens the database", || marker.exists());
    let error = write_pieces(&path, true, b"", 1).unwrap_err();
    assert!(error.to_string().contains("is open in another process"), "{error}");
    std::fs::remove_file(&marker).unwrap();
    holder.exits(0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        pairs in prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 0..20),
            prop::collection::vec(any::<u8>(), 0..2000),
            0..50,
        ),
        empty in any::<bool>(),
        piece in 1usize..5000,
    ) {
        let mut pairs = pairs;
        if empty {
            pairs.insert(Vec::new(), vec![0xff; 5000]);
        }
        let mut records = Vec::new();
        for (key, value) in &pairs {
            records.push(b'[');
            mycloud::record::text::push_bytes(&mut records, key);
            records.push(b',');
            mycloud::record::text::push_bytes(&mut records, value);
            records.extend_from_slice(b"]\n");
        }
        let dir = dir();
        let path = dir.path().join("db");
        write_pieces(&path, false, &records, piece).unwrap();
        prop_assert_eq!(all(&path).unwrap(), records);
    }
}
