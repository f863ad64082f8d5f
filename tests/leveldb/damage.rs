//! A damaged database is an error or the very same answer: never fewer records, never others.

use std::path::{Path, PathBuf};

use super::{all, oracle};
use crate::support::{dir, mc, names};

/// A small database with several blocks, tables, levels and a log; its directory and its records.
#[track_caller]
fn small() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let dir = dir();
    let database = dir.path().join("db");
    let expected = oracle(&["make_damageable", database.to_str().unwrap()]);
    assert!(all(&database).unwrap() == expected);
    let files = names(&database);
    let kinds = |ending: &str| files.iter().filter(|name| name.ends_with(ending)).count();
    assert!(kinds(".ldb") >= 2 && kinds(".log") == 1, "{files:?}");
    (dir, database, expected)
}

/// What reading gives is `expected` or an error of bad input that names a file of the database.
#[track_caller]
fn same_or_refused(database: &Path, expected: &[u8], how: &str) -> bool {
    match all(database) {
        Ok(got) => {
            assert!(got == expected, "{how}: other records:\n{}", String::from_utf8_lossy(&got))
        }
        Err(error) => {
            assert_eq!(error.exit_code(), 3, "{how}: {error}");
            assert!(error.to_string().contains(database.to_str().unwrap()), "{how}: {error}");
            return true;
        }
    }
    false
}

#[test]
fn a_byte_that_changed_is_found_wherever_it_lies() {
    let (_dir, database, expected) = small();
    for name in names(&database) {
        let path = database.join(&name);
        let sound = std::fs::read(&path).unwrap();
        let mut refused = 0;
        for place in 0..sound.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut bytes = sound.clone();
                bytes[place] ^= mask;
                std::fs::write(&path, bytes).unwrap();
                let how = format!("{name}: byte {place} ^ {mask:#x}");
                refused += u64::from(same_or_refused(&database, &expected, &how));
            }
        }
        std::fs::write(&path, &sound).unwrap();
        // What the library writes for people, and the filters and filler of tables, do not matter.
        if !name.starts_with("LO") {
            let share = refused as f64 / (3 * sound.len()) as f64;
            assert!(share > 0.6, "{name}: only {share:.2} of the changes were found");
        }
    }
    assert!(all(&database).unwrap() == expected);
}

#[test]
fn a_damaged_block_is_passed_over_where_bad_records_are() {
    let (dir, database, expected) = small();
    let expected: Vec<&[u8]> = expected.split_inclusive(|&b| b == b'\n').collect();
    let cat =
        |policy: &str| mc("cat").current_dir(dir.path()).args(["--bad", policy, "leveldb:db"]);
    let tables = names(&database).into_iter().filter(|name| name.ends_with(".ldb"));
    for name in tables {
        let path = database.join(&name);
        let sound = std::fs::read(&path).unwrap();
        let mut hurt = sound.clone();
        hurt[3] ^= 0x10;
        std::fs::write(&path, hurt).unwrap();
        cat("fail").stderr_has(format!("db/{name}: byte 0: the database is damaged")).fails(3);
        let skip = cat("skip").stderr_has(format!("db/{name}: byte 0: the database is damaged"));
        let skip = skip.stderr_has("; passed over, with keys from \"").stderr_has(" dropped");
        let got = skip.succeeds().stdout;
        let got: Vec<&[u8]> = got.split_inclusive(|&b| b == b'\n').collect();
        assert!(got.iter().all(|record| expected.contains(record)), "{name}");
        assert!(!got.is_empty() && got.len() < expected.len(), "{name}: {}", got.len());
        cat("limit=0").stderr_has("more than 0 bad records").fails(3);
        std::fs::write(&path, &sound).unwrap();
    }
    // What a log held may have replaced anything.
    let log = names(&database).into_iter().find(|name| name.ends_with(".log")).unwrap();
    let mut hurt = std::fs::read(database.join(&log)).unwrap();
    hurt[9] ^= 0x10;
    std::fs::write(database.join(&log), hurt).unwrap();
    cat("skip").stderr_has(format!("db/{log}: byte 0: the database is damaged")).fails(3);
}

#[test]
fn a_table_or_manifest_that_is_cut_is_found() {
    let (_dir, database, expected) = small();
    for name in names(&database) {
        let path = database.join(&name);
        let sound = std::fs::read(&path).unwrap();
        if name.starts_with("LO") || name.ends_with(".log") {
            continue;
        }
        for length in 0..sound.len() {
            std::fs::write(&path, &sound[..length]).unwrap();
            let how = format!("{name}: cut to {length} bytes");
            let refused = same_or_refused(&database, &expected, &how);
            assert!(refused || name.starts_with("MANIFEST"), "{how}: not found");
        }
        std::fs::write(&path, &sound).unwrap();
    }
}

#[test]
fn a_file_that_is_missing_is_found() {
    let (_dir, database, expected) = small();
    for name in names(&database).iter().filter(|name| !name.starts_with("LO")) {
        let path = database.join(name);
        let sound = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(same_or_refused(&database, &expected, name), "{name} is not missed");
        std::fs::write(&path, &sound).unwrap();
    }
}

#[test]
fn a_log_that_a_crash_cut_gives_what_the_library_gives() {
    let (_dir, database, expected) = small();
    let name = names(&database).into_iter().find(|name| name.ends_with(".log")).unwrap();
    let counts = oracle(&["truncated", database.to_str().unwrap(), &name]);
    let path = database.join(&name);
    let sound = std::fs::read(&path).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for (length, count) in String::from_utf8(counts).unwrap().lines().enumerate() {
        std::fs::write(&path, &sound[..length]).unwrap();
        let got = all(&database).unwrap();
        let records = got.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(records.to_string(), count, "{name}: cut to {length} bytes");
        kinds.insert(records);
    }
    assert!(all(&database).unwrap() == expected);
    assert!(kinds.len() > 3, "the log does not matter: {kinds:?}");
}
