//! The inputs of tasks, kept as long as the shards that are made of them: in an unlinked file, which is gone
//! however the process ends.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nix::sys::statvfs::fstatvfs;

use crate::error::{Error, ErrorKind, Result, reason};
use crate::parallel::lock;
use crate::spool::Spool;

/// How much room the disk must have beside what is kept: a share of it, and so many bytes at most.
const RESERVED_SHARE: u64 = 20;
const RESERVED_MAX: u64 = 1 << 30;

/// How many bytes are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Inputs of tasks, one after the other in a file.
pub(super) struct KeptInputs {
    folder: PathBuf,
    state: Mutex<State>,
}

/// Room for an input.
struct Room {
    file: Arc<File>,
    place: Range<u64>,
}

struct State {
    /// Made when first needed.
    file: Option<Arc<File>>,
    /// Where the next input begins.
    end: u64,
    /// Why nothing is kept any more.
    dropped: Option<String>,
}

impl KeptInputs {
    /// Whose file is made in `folder`.
    pub(super) fn new(folder: &Path) -> KeptInputs {
        let state = State { file: None, end: 0, dropped: None };
        KeptInputs { folder: folder.into(), state: Mutex::new(state) }
    }

    /// Keeps an input. Where it lies; `None` once there is no room, and what is to be said the first time: all
    /// that was kept is given up then.
    pub(super) fn keep(&self, input: &Spool) -> (Option<Range<u64>>, Option<String>) {
        match self.room(input.len()) {
            Ok(None) => (None, None),
            Ok(Some(Room { file, place })) => match write(&file, place.start, input) {
                Ok(()) => (Some(place), None),
                Err(error) => (None, self.give_up(&error.to_string())),
            },
            Err(why) => (None, self.give_up(&why)),
        }
    }

    /// Room for so many bytes, or why there is none. `None` when nothing is kept any more.
    fn room(&self, bytes: u64) -> std::result::Result<Option<Room>, String> {
        let mut state = lock(&self.state);
        if state.dropped.is_some() {
            return Ok(None);
        }
        let file = match &state.file {
            Some(file) => Arc::clone(file),
            None => {
                let made = tempfile::tempfile_in(&self.folder);
                let file = Arc::new(made.map_err(|e| reason(&e).to_string())?);
                state.file = Some(Arc::clone(&file));
                file
            }
        };
        if let Ok(disk) = fstatvfs(&*file) {
            let unit = disk.fragment_size();
            let reserved = (disk.blocks() * unit / RESERVED_SHARE).min(RESERVED_MAX);
            if disk.blocks_available() * unit < bytes.saturating_add(reserved) {
                return Err("little room is left there".into());
            }
        }
        let start = state.end;
        state.end += bytes;
        Ok(Some(Room { file, place: start..start + bytes }))
    }

    /// Keeps nothing any more, nor what it kept. What is to be said of it, once.
    fn give_up(&self, why: &str) -> Option<String> {
        let mut state = lock(&self.state);
        // Who reads it has it until then.
        state.file = None;
        let folder = self.folder.display();
        let text = format!("what shards are made of is not kept in {folder}: {why}");
        match state.dropped.replace(text.clone()) {
            None => Some(format!("{text}; shards that are lost with a host cannot be made again")),
            Some(_) => None,
        }
    }

    /// Reads an input, to a spool.
    ///
    /// # Errors
    /// `Storage`, when it is not kept any more, or cannot be read.
    pub(super) fn read(&self, place: Range<u64>, mut to: Spool) -> Result<Spool> {
        let file = {
            let state = lock(&self.state);
            match (&state.file, &state.dropped) {
                (Some(file), None) => Arc::clone(file),
                (_, why) => {
                    let why = why.clone().unwrap_or_else(|| "nothing is kept".into());
                    return Err(Error::new(ErrorKind::Storage, why));
                }
            }
        };
        let mut at = place.start;
        let mut buffer = vec![0; CHUNK_BYTES];
        while at < place.end {
            let count = (place.end - at).min(CHUNK_BYTES as u64) as usize;
            file.read_exact_at(&mut buffer[..count], at)
                .map_err(|e| Error::path("read a temporary file in", &self.folder, &e))?;
            to.push(&buffer[..count])?;
            at += count as u64;
        }
        Ok(to)
    }
}

fn write(file: &File, mut at: u64, input: &Spool) -> Result<()> {
    input.pour(|bytes| {
        file.write_all_at(bytes, at)
            .map_err(|e| Error::new(ErrorKind::Storage, reason(&e).to_string()))?;
        at += bytes.len() as u64;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(bytes: &[u8]) -> Spool {
        Spool::holding(bytes.to_vec(), usize::MAX, Path::new("/tmp"))
    }

    fn read(inputs: &KeptInputs, place: Range<u64>) -> Vec<u8> {
        inputs.read(place, spool(b"")).unwrap().into_bytes().unwrap()
    }

    #[test]
    fn what_is_kept_is_read_from_many_threads() {
        let directory = tempfile::tempdir().unwrap();
        let inputs = KeptInputs::new(directory.path());
        let texts: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; 70_000 * usize::from(n % 5)]).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                let inputs = &inputs;
                scope.spawn(move || {
                    let (place, said) = inputs.keep(&spool(text));
                    assert_eq!(said, None);
                    assert!(read(inputs, place.unwrap()) == *text);
                });
            }
        });
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_nothing_can_be_kept_it_is_said_once() {
        let inputs = KeptInputs::new(Path::new("/nowhere"));
        let (place, said) = inputs.keep(&spool(b"1\n"));
        assert_eq!(place, None);
        let said = said.unwrap();
        assert!(said.contains("/nowhere") && said.ends_with("cannot be made again"), "{said}");
        assert_eq!(inputs.keep(&spool(b"1\n")), (None, None));
        let error = inputs.read(0..2, spool(b"")).unwrap_err();
        assert_eq!(error.exit_code(), 6);
    }

    #[test]
    fn a_full_disk_gives_up_what_was_kept() {
        let inputs = KeptInputs::new(Path::new("/tmp"));
        let (place, said) = inputs.keep(&spool(b"12\n"));
        assert_eq!((read(&inputs, place.clone().unwrap()), said), (b"12\n".to_vec(), None));
        lock(&inputs.state).file =
            Some(Arc::new(File::options().write(true).open("/dev/full").unwrap()));
        let (place, said) = inputs.keep(&spool(b"3\n"));
        assert!(place.is_none() && said.unwrap().contains("No space left"));
        assert!(inputs.read(0..3, spool(b"")).is_err());
    }
}
