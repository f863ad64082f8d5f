//! What a build is of: a hash of the sources and of the versions of what they use, for the tools and the
//! workers to know one another by, whatever machine each was built for. Called by cargo.
#![allow(clippy::print_stdout)] // That is how cargo is told.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What programs are made of.
const SOURCES: [&str; 3] = ["Cargo.lock", "bins", "lib"];

/// The files at and below `path`, in an order that is the same everywhere.
fn files(path: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        found.push(path.into());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| files(entry, found))
}

fn main() -> io::Result<()> {
    let mut found = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        files(Path::new(source), &mut found)?;
    }
    // FNV-1a: that nobody makes another build of the same hash by accident is all that is asked.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for path in found {
        let text = fs::read(&path)?;
        add(path.as_os_str().as_encoded_bytes());
        add(&(text.len() as u64).to_le_bytes());
        add(&text);
    }
    println!("cargo::rustc-env=MYCLOUD_BUILD={hash:016x}");
    Ok(())
}
