//! LevelDB databases against plyvel, the C++ library in Python.

mod damage;
mod read;
mod tools;
mod write;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mycloud::format::leveldb::LevelDbReader;
use mycloud::format::{ReadOptions, Source};
use mycloud::record::bad::Policy;

use crate::support::{Call, python_program, repository};

/// A call of `oracle.py`.
fn oracle_call(args: &[&str]) -> Call {
    let script = repository("tests/leveldb/oracle.py");
    Call::new(python_program()).env("PYTHONUTF8", "1").arg(script).args(args)
}

/// What `oracle.py` prints.
#[track_caller]
fn oracle(args: &[&str]) -> Vec<u8> {
    oracle_call(args).succeeds().stdout
}

/// All records of the database.
fn records(database: &Path, max_record: usize, policy: Policy) -> mycloud::Result<Vec<u8>> {
    let options = ReadOptions { max_record, ..ReadOptions::new(policy)? };
    let mut reader = LevelDbReader::open(database, false, &options)?;
    let mut out = Vec::new();
    while reader.fill(&mut out)? {}
    Ok(out)
}

/// All records of the database, however long.
fn all(database: &Path) -> mycloud::Result<Vec<u8>> {
    records(database, 1 << 30, Policy::Fail)
}

/// Names, bytes and times of all that lies in a directory, and of the directory.
#[track_caller]
fn snapshot(dir: &Path) -> BTreeMap<String, (Vec<u8>, i64, i64)> {
    let mut files = BTreeMap::new();
    let mut add = |name: String, path: &Path| {
        let facts = path.metadata().unwrap();
        let bytes = if facts.is_file() { std::fs::read(path).unwrap() } else { Vec::new() };
        let changed = facts.ctime() * 1_000_000_000 + facts.ctime_nsec();
        files.insert(name, (bytes, facts.mtime() * 1_000_000_000 + facts.mtime_nsec(), changed));
    };
    add(".".into(), dir);
    for entry in dir.read_dir().unwrap() {
        let entry = entry.unwrap();
        add(entry.file_name().into_string().unwrap(), &entry.path());
    }
    files
}
