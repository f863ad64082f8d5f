//! Sound databases give what the C++ library gives, and stay as they are.

use mycloud::record::bad::Policy;

use super::{all, oracle, oracle_call, records, snapshot};
use crate::support::{dir, mc, sh, until};

#[track_caller]
fn gives_what_plyvel_gives(name: &str) {
    let dir = dir();
    let database = dir.path().join("db");
    let expected = oracle(&["make", database.to_str().unwrap(), name]);
    let before = snapshot(&database);
    let got = all(&database).unwrap();
    assert_eq!(before, snapshot(&database), "reading changed the database");
    let same = got == expected;
    let lines = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
    assert!(same, "{name}: {} records, expected {}", lines(&got), lines(&expected));
    assert!(name == "empty" || lines(&got) > 50, "{name}: only {} records", lines(&got));
}

#[test]
fn an_empty_database() {
    gives_what_plyvel_gives("empty");
}

#[test]
fn a_database_with_nothing_but_a_log() {
    gives_what_plyvel_gives("log");
}

#[test]
fn odd_keys_and_large_values() {
    gives_what_plyvel_gives("odd");
}

#[test]
fn many_tables_and_levels_with_overwritten_and_deleted_keys() {
    gives_what_plyvel_gives("levels");
}

#[test]
fn bloom_filters() {
    gives_what_plyvel_gives("bloom");
}

#[test]
fn a_compacted_database() {
    gives_what_plyvel_gives("compacted");
}

#[test]
fn uncompressed_blocks() {
    gives_what_plyvel_gives("raw");
}

#[test]
fn a_table_may_be_called_sst() {
    let dir = dir();
    let database = dir.path().join("db");
    let expected = oracle(&["make", database.to_str().unwrap(), "compacted"]);
    for entry in database.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "ldb") {
            std::fs::rename(&path, path.with_extension("sst")).unwrap();
        }
    }
    assert!(all(&database).unwrap() == expected);
}

#[test]
fn a_long_record_is_refused_or_dropped() {
    let dir = dir();
    let database = dir.path().join("db");
    let expected = oracle(&["make", database.to_str().unwrap(), "odd"]);
    let error = records(&database, 1000, Policy::Fail).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("--max-record"), "{error}");
    let short = expected.split_inclusive(|&b| b == b'\n').filter(|l| l.len() <= 1000);
    assert!(records(&database, 1000, Policy::Skip).unwrap() == short.collect::<Vec<_>>().concat());
}

#[test]
fn another_order_is_refused_by_name() {
    let dir = dir();
    let database = dir.path().join("db");
    oracle(&["foreign", database.to_str().unwrap()]);
    let error = all(&database).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("my.reverse"), "{error}");
    assert!(error.to_string().contains("leveldb,comparator=ignore:"), "{error}");
}

#[test]
fn another_order_may_be_ignored() {
    let dir = dir();
    let database = dir.path().join("db");
    let expected = oracle(&["other_order", database.to_str().unwrap()]);
    assert!(expected.iter().filter(|&&byte| byte == b'\n').count() > 500);
    let before = snapshot(&database);
    let cat = |args: &[&str]| mc("cat").current_dir(dir.path()).args(args);
    let said = "db: its comparator 'my.reverse' is ignored";
    let read = cat(&["leveldb,comparator=ignore:db"]).stderr_has(said).stdout(&expected).succeeds();
    assert_eq!(String::from_utf8(read.stderr).unwrap().lines().count(), 1);
    assert_eq!(before, snapshot(&database));
    cat(&["leveldb,comparator=bytewise:db"]).stderr_has("say comparator=ignore").fails(2);
    let far = "mc-cat -h : \"leveldb,comparator=ignore:$PWD/db\" | mc-gather";
    let far = sh("bash", far).current_dir(dir.path()).stderr_has("'my.reverse' is ignored");
    far.stdout(&expected).succeeds();
    // Where there is nothing to ignore nothing is said.
    let sound = oracle(&["make", dir.path().join("sound").to_str().unwrap(), "log"]);
    cat(&["leveldb,comparator=ignore:sound"]).stdout(sound).succeeds();
    // Which keys damage hides, nobody can say.
    let mut paths = database.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let table = paths.find(|path| path.extension().is_some_and(|e| e == "ldb")).unwrap();
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[5] ^= 0xff;
    std::fs::write(&table, bytes).unwrap();
    let call = cat(&["--bad", "skip", "leveldb,comparator=ignore:db"]).stderr_has("is damaged");
    call.stderr_has(said).fails(3);
}

#[test]
fn a_database_that_is_open_elsewhere_is_refused() {
    let dir = dir();
    let (database, marker) = (dir.path().join("db"), dir.path().join("open"));
    oracle(&["make", database.to_str().unwrap(), "log"]);
    let holder = oracle_call(&["hold", database.to_str().unwrap(), marker.to_str().unwrap()]);
    let holder = holder.spawn();
    until("plyvel opens the database", || marker.exists());
    let before = snapshot(&database);
    let error = all(&database).unwrap_err();
    assert_eq!(before, snapshot(&database));
    assert_eq!(error.exit_code(), 3);
    let said = format!("is open in another process (pid {})", holder.id());
    assert!(error.to_string().contains(&said), "{error}");
    std::fs::remove_file(&marker).unwrap();
    holder.exits(0);
    assert!(!all(&database).unwrap().is_empty());
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let dir = dir();
    let refused = |name: &str, code: u8| {
        let path = dir.path().join(name);
        let error = all(&path).unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    };
    refused("not there", 2);
    std::fs::write(dir.path().join("a file"), "text").unwrap();
    refused("a file", 2);
    std::fs::create_dir(dir.path().join("a directory")).unwrap();
    let before = snapshot(&dir.path().join("a directory"));
    refused("a directory", 3);
    assert_eq!(before, snapshot(&dir.path().join("a directory")));
    for current in ["", "MANIFEST-000001", "MANIFEST-x\n", "../a file\n", "MANIFEST-000001\n"] {
        std::fs::write(dir.path().join("a directory/CURRENT"), current).unwrap();
        refused("a directory", 3);
    }
}
