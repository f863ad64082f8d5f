//! The tools read and write databases.

use std::os::unix::ffi::OsStrExt;

use super::{oracle, snapshot};
use crate::support::{dir, mc, names, rows};

#[test]
fn mc_cat_reads_a_database_and_leaves_it_alone() {
    let dir = dir();
    let database = dir.path().join("db");
    let expected = oracle(&["make", database.to_str().unwrap(), "levels"]);
    let tables = names(&database).iter().filter(|name| name.ends_with(".ldb")).count();
    // How many depends on when the library finds the time to merge some.
    assert!(tables > 1, "only {tables} tables");
    let before = snapshot(&database);
    mc("cat").arg("leveldb:db").current_dir(dir.path()).stdout(expected).succeeds();
    assert_eq!(before, snapshot(&database));
}

#[test]
fn mc_gather_writes_what_mc_cat_reads() {
    let dir = dir();
    let gather = |args: &[&str], records: String| {
        mc("gather").args(args).stdin(records).current_dir(dir.path())
    };
    let cat = || mc("cat").arg("leveldb:db").current_dir(dir.path());
    gather(&["-o", "leveldb:db"], rows![["b", "2"], ["a", {"$base64": "/w=="}]]).succeeds();
    let expected = rows![["a", {"$base64": "/w=="}], ["b", "2"]];
    cat().stdout(&expected).succeeds();
    gather(&["-o", "leveldb:db"], rows![["c", "3"]]).stderr_has("--replace").fails(2);
    gather(&["--replace", "-o", "leveldb:db"], rows![["c", 3]])
        .stderr_has("record 1: the value is not a string")
        .fails(3);
    cat().stdout(&expected).succeeds();
    gather(&["--replace", "-o", "leveldb:db"], rows![["c", "3"]]).succeeds();
    cat().stdout(rows![["c", "3"]]).succeeds();
    assert_eq!(names(dir.path()), ["db"]);
}

#[test]
fn a_database_may_be_called_anything() {
    let dir = dir();
    let resource = std::ffi::OsStr::from_bytes(b"leveldb:d\xff/b\xfe");
    std::fs::create_dir(dir.path().join(std::ffi::OsStr::from_bytes(b"d\xff"))).unwrap();
    let records = rows![["a", "1"], ["b", "2"]];
    let gather = mc("gather").current_dir(dir.path()).arg("-o").arg(resource);
    gather.stdin(&records).stderr_has("under a path that is not UTF-8: move it there").fails(2);
    mc("gather").current_dir(dir.path()).args(["-o", "leveldb:db"]).stdin(&records).succeeds();
    let name = std::ffi::OsStr::from_bytes(b"d\xff/b\xfe");
    std::fs::rename(dir.path().join("db"), dir.path().join(name)).unwrap();
    mc("cat").current_dir(dir.path()).arg(resource).stdout(&records).succeeds();
    let pattern = std::ffi::OsStr::from_bytes(b"leveldb:*/b*");
    mc("cat").current_dir(dir.path()).arg(pattern).stdout(&records).succeeds();
}
