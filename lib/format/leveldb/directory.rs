//! The directory of a database: the names in it, and how its files are opened.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc;

use crate::error::{Error, Result};

/// The longest `CURRENT` that makes sense: a manifest's name and a line end.
const MAX_CURRENT_BYTES: u64 = 64;

/// What lies in the directory.
pub(super) struct Listing {
    /// The numbers of the tables, and how the name of each ends.
    pub(super) tables: HashMap<u64, &'static str>,
    /// The numbers of the write-ahead logs.
    pub(super) logs: BTreeSet<u64>,
}

impl Listing {
    /// Reads the directory.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(super) fn of(database: &Path) -> Result<Listing> {
        let failed = |e: &io::Error| Error::path("list", database, e);
        let mut listing = Listing { tables: HashMap::new(), logs: BTreeSet::new() };
        for entry in std::fs::read_dir(database).map_err(|e| failed(&e))? {
            let name = entry.map_err(|e| failed(&e))?.file_name();
            let Some((number, ending)) = name.to_str().and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Some(number) = file_number(number) else { continue };
            match ending {
                "log" => drop(listing.logs.insert(number)),
                "ldb" => drop(listing.tables.insert(number, "ldb")),
                "sst" => drop(listing.tables.entry(number).or_insert("sst")),
                _ => (),
            }
        }
        Ok(listing)
    }

    /// The path of a table.
    ///
    /// # Errors
    /// `BadInput` if there is no such file.
    pub(super) fn table(&self, database: &Path, number: u64) -> Result<PathBuf> {
        match self.tables.get(&number) {
            Some(ending) => Ok(numbered(database, number, ending)),
            None => Err(missing(&numbered(database, number, "ldb"))),
        }
    }
}

/// The path of a numbered file.
pub(super) fn numbered(database: &Path, number: u64, ending: &str) -> PathBuf {
    database.join(format!("{number:06}.{ending}"))
}

/// The number in a file's name: digits alone.
fn file_number(digits: &str) -> Option<u64> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The path of the manifest that `CURRENT` names.
///
/// # Errors
/// `Usage` if `database` is no directory, `BadInput` if it holds no database.
pub(super) fn manifest_path(database: &Path) -> Result<PathBuf> {
    let kind = std::fs::metadata(database).map_err(|e| Error::path("open", database, &e))?;
    if !kind.is_dir() {
        let shown = database.display();
        return Err(Error::usage(format!("{shown}: a LevelDB database is a directory")));
    }
    let path = database.join("CURRENT");
    let file = match open_at(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let text = "not a LevelDB database: it has no file CURRENT";
            return Err(Error::input(text).at(database.display()));
        }
        opened => opened.map_err(|e| Error::path("open", &path, &e))?,
    };
    let mut name = String::new();
    let read = file.take(MAX_CURRENT_BYTES).read_to_string(&mut name);
    match read {
        Err(e) if e.kind() != io::ErrorKind::InvalidData => {
            return Err(Error::path("read", &path, &e));
        }
        _ => (),
    }
    let named = name
        .strip_suffix('\n')
        .filter(|line| line.strip_prefix("MANIFEST-").and_then(file_number).is_some());
    match named {
        Some(line) => Ok(database.join(line)),
        None => Err(corrupt(&path, 0, "it does not name a manifest")),
    }
}

/// Opens a file that the database cannot be without.
///
/// # Errors
/// `BadInput` if it is not there, or not a file.
pub(super) fn open(path: &Path) -> Result<File> {
    open_at(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => missing(path),
        io::ErrorKind::InvalidInput => corrupt(path, 0, e),
        _ => Error::path("open", path, &e),
    })
}

/// Opens a regular file for reading; never waits, whatever lies there.
pub(super) fn open_at(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

fn missing(path: &Path) -> Error {
    let text = "is missing, but the database needs it";
    Error::input(format!("{} {text}", path.display()))
}

/// A file that is not what LevelDB wrote, from about this byte on.
pub(super) fn corrupt(path: &Path, offset: u64, what: impl std::fmt::Display) -> Error {
    let path = path.display();
    Error::input(format!("{path}: byte {offset}: the database is damaged: {what}"))
}
