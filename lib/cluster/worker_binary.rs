//! The workers that can be sent to hosts: files beside this program, one for each kind of machine.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::parallel::lock;
use crate::record::digest::hex_of;

/// How much of a worker is read at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// How much of a worker tells how it is linked.
const HEADER_BYTES: u64 = 4096;

/// How messages of a worker begin: one that says something runs.
const SAYS: &str = "mc-worker: ";

/// What is said of a worker that did not run and is no file that runs anywhere.
const NEEDS_LIBRARIES: &str = "; the worker needs libraries that the host may not have: \
                                          scripts/install makes one that needs none";

/// A worker that is sent to hosts: an executable file, which is measured once.
#[derive(Debug)]
pub struct WorkerBinary {
    path: PathBuf,
    is_told: bool,
    measured: Mutex<Option<Measured>>,
    others: Mutex<HashMap<String, Arc<WorkerBinary>>>,
}

/// What a host has to know of a worker.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl WorkerBinary {
    /// The worker that lies at `path`, whatever build it is of.
    pub fn new(path: PathBuf) -> WorkerBinary {
        let (measured, others) = (Mutex::default(), Mutex::default());
        WorkerBinary { path, is_told: true, measured, others }
    }

    /// The worker that was installed with this program: it is to be of the same build.
    pub fn installed(path: PathBuf) -> WorkerBinary {
        WorkerBinary { is_told: false, ..WorkerBinary::new(path) }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it may be of any build that speaks the same protocol.
    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// Where the worker lies for another kind of machine, as `uname -m` names it: beside this one.
    pub(super) fn path_of(&self, machine: &str) -> PathBuf {
        let mut path = OsString::from(&self.path);
        path.push(format!("-{machine}"));
        path.into()
    }

    /// The worker for another kind of machine, if there is one.
    pub(super) fn of_machine(&self, machine: &str) -> Option<Arc<WorkerBinary>> {
        let mut others = lock(&self.others);
        if let Some(known) = others.get(machine) {
            return Some(Arc::clone(known));
        }
        let path = self.path_of(machine);
        let found = path.is_file().then(|| Arc::new(WorkerBinary::new(path)))?;
        others.insert(machine.into(), Arc::clone(&found));
        Some(found)
    }

    /// Measures it, or says again what it measured; whoever asks meanwhile waits.
    ///
    /// # Errors
    /// As [`Error::path`], when it cannot be read.
    pub(super) fn measured(&self) -> Result<Measured> {
        let mut measured = lock(&self.measured);
        if let Some(measured) = &*measured {
            return Ok(measured.clone());
        }
        let mut file = self.open()?;
        let (mut hash, mut block) = (Sha256::new(), vec![0; BLOCK_BYTES]);
        let mut bytes = 0;
        loop {
            match file.read(&mut block).map_err(|e| self.unread(&e))? {
                0 => break,
                read => {
                    hash.update(&block[..read]);
                    bytes += read as u64;
                }
            }
        }
        Ok(measured.insert(Measured { bytes, sha256: hex_of(&hash.finalize()) }).clone())
    }

    pub(super) fn open(&self) -> Result<File> {
        File::open(&self.path).map_err(|e| self.unread(&e))
    }

    pub(super) fn unread(&self, e: &io::Error) -> Error {
        Error::path("read the worker", &self.path, e)
    }

    /// What is to be said of it where it did not run on a host, `said` being what was said there.
    pub(super) fn what_it_lacks(&self, said: &str) -> &'static str {
        if !said.contains(SAYS) && self.needs_libraries() { NEEDS_LIBRARIES } else { "" }
    }

    /// Whether it needs libraries of the host, as what `cargo install` makes does.
    fn needs_libraries(&self) -> bool {
        let mut head = Vec::new();
        let read = self.open().map(|file| file.take(HEADER_BYTES).read_to_end(&mut head));
        read.is_ok_and(|read| read.is_ok()) && has_interpreter(&head)
    }
}

/// Whether an ELF program of 64 bits, least byte first, that begins with `head` names what is to load
/// its libraries: one of its program headers is of the type `PT_INTERP`.
fn has_interpreter(head: &[u8]) -> bool {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, width: usize| {
        let bytes = head.get(at..at.checked_add(width)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let is_elf = head.starts_with(b"\x7fELF\x02\x01");
    let (Some(table), Some(size), Some(count), true) =
        (number(32, 8), number(54, 2), number(56, 2), is_elf)
    else {
        return false;
    };
    let type_of = |index: u64| {
        let at = usize::try_from(table.checked_add(index * size)?).ok()?;
        number(at, 4)
    };
    (0..count).any(|index| type_of(index) == Some(PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_tell_whether_they_need_libraries() {
        // The tests are a program that does, on whatever is linked dynamically.
        let tests = WorkerBinary::new(std::env::current_exe().unwrap());
        assert_eq!(tests.needs_libraries(), !cfg!(target_feature = "crt-static"));
        let mut head = std::fs::read("/proc/self/exe").unwrap();
        head.truncate(HEADER_BYTES as usize);
        for length in 0..200 {
            assert!(!has_interpreter(&head[..length.min(64)]), "{length}");
        }
        // Numbers that lead nowhere.
        head[32..40].fill(0xff);
        head[54..58].fill(0xff);
        assert!(!has_interpreter(&head));
        assert!(!WorkerBinary::new("/bin/no-such".into()).needs_libraries());
    }

    #[test]
    fn workers_for_other_machines_lie_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let own = WorkerBinary::new(dir.path().join("mc-worker"));
        assert!(own.of_machine("aarch64").is_none());
        std::fs::write(dir.path().join("mc-worker-aarch64"), "x").unwrap();
        let other = own.of_machine("aarch64").unwrap();
        assert_eq!(other.measured().unwrap().bytes, 1);
        assert!(Arc::ptr_eq(&other, &own.of_machine("aarch64").unwrap()));
    }
}
