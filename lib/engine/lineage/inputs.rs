//! The inputs of tasks, kept as long as the shards that are made of them: in an unlinked file, which is gone
//! however the process ends. What is read of it is held against what was written.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nix::sys::statvfs::fstatvfs;
use xxhash_rust::xxh3::Xxh3;

use crate::blocks::changed;
use crate::error::{Error, ErrorKind, Result, reason};
use crate::parallel::lock;
use crate::spool::Spool;

/// How many bytes of a disk of so many are left to others.
fn reserved(disk: u64) -> u64 {
    (disk / 20).min(1 << 30)
}

/// How many bytes are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Inputs of tasks, one after the other in a file.
pub(super) struct KeptInputs {
    folder: PathBuf,
    reserved: fn(u64) -> u64,
    state: Mutex<State>,
}

/// An input that is kept: where it lies, and the sum of its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeptInput {
    place: Range<u64>,
    sum: u64,
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
        KeptInputs { folder: folder.into(), reserved, state: Mutex::new(state) }
    }

    /// Keeps an input. `None` once there is no room, and what is to be said the first time: all that was kept
    /// is given up then.
    pub(super) fn keep(&self, input: &Spool) -> (Option<KeptInput>, Option<String>) {
        match self.room(input.len()) {
            Ok(None) => (None, None),
            Ok(Some(Room { file, place })) => match write(&file, place.start, input) {
                Ok(sum) => (Some(KeptInput { place, sum }), None),
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
            let reserved = (self.reserved)(disk.blocks() * unit);
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
    /// `Storage`, when it is not kept any more, or cannot be read; `Incomplete`, when it is not what was kept.
    pub(super) fn read(&self, input: &KeptInput, mut to: Spool) -> Result<Spool> {
        let KeptInput { place, sum } = input;
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
        let (mut buffer, mut hash) = (vec![0; CHUNK_BYTES], Xxh3::new());
        while at < place.end {
            let count = (place.end - at).min(CHUNK_BYTES as u64) as usize;
            file.read_exact_at(&mut buffer[..count], at)
                .map_err(|e| Error::path("read a temporary file in", &self.folder, &e))?;
            hash.update(&buffer[..count]);
            to.push(&buffer[..count])?;
            at += count as u64;
        }
        if hash.digest() == *sum { Ok(to) } else { Err(changed()) }
    }
}

/// Writes an input; the sum of its bytes.
fn write(file: &File, mut at: u64, input: &Spool) -> Result<u64> {
    let mut hash = Xxh3::new();
    input.pour(|bytes| {
        hash.update(bytes);
        file.write_all_at(bytes, at)
            .map_err(|e| Error::new(ErrorKind::Storage, reason(&e).to_string()))?;
        at += bytes.len() as u64;
        Ok(())
    })?;
    Ok(hash.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(bytes: &[u8]) -> Spool {
        Spool::holding(bytes.to_vec(), usize::MAX, Path::new("/tmp"))
    }

    /// Whatever the disk has left.
    fn kept_in(folder: &Path) -> KeptInputs {
        KeptInputs { reserved: |_| 0, ..KeptInputs::new(folder) }
    }

    fn read(inputs: &KeptInputs, input: &KeptInput) -> Vec<u8> {
        inputs.read(input, spool(b"")).unwrap().into_bytes().unwrap()
    }

    #[test]
    fn what_is_kept_is_read_from_many_threads() {
        let directory = tempfile::tempdir().unwrap();
        let inputs = kept_in(directory.path());
        let texts: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; 70_000 * usize::from(n % 5)]).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                let inputs = &inputs;
                scope.spawn(move || {
                    let (kept, said) = inputs.keep(&spool(text));
                    assert_eq!(said, None);
                    assert!(read(inputs, &kept.unwrap()) == *text);
                });
            }
        });
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_has_changed_is_not_given_out() {
        let directory = tempfile::tempdir().unwrap();
        let inputs = kept_in(directory.path());
        let texts = [vec![b'a'; 300_000], vec![b'b'; 300_000], vec![b'c'; 3]];
        let kept = texts.each_ref().map(|text| inputs.keep(&spool(text)).0.unwrap());
        let flip = |at: u64, byte: u8| {
            let file = lock(&inputs.state).file.clone().unwrap();
            file.write_all_at(&[byte], at).unwrap();
        };
        for at in [300_000, 420_000, 599_999] {
            flip(at, b'B');
            assert_eq!(inputs.read(&kept[1], spool(b"")).unwrap_err().exit_code(), 4);
            assert!(read(&inputs, &kept[0]) == texts[0] && read(&inputs, &kept[2]) == texts[2]);
            flip(at, b'b');
        }
        assert!(read(&inputs, &kept[1]) == texts[1]);
    }

    #[test]
    fn where_nothing_can_be_kept_it_is_said_once() {
        let inputs = KeptInputs::new(Path::new("/nowhere"));
        let (kept, said) = inputs.keep(&spool(b"1\n"));
        assert_eq!(kept, None);
        let said = said.unwrap();
        assert!(said.contains("/nowhere") && said.ends_with("cannot be made again"), "{said}");
        assert_eq!(inputs.keep(&spool(b"1\n")), (None, None));
        let error = inputs.read(&KeptInput { place: 0..2, sum: 0 }, spool(b"")).unwrap_err();
        assert_eq!(error.exit_code(), 6);
    }

    #[test]
    fn some_of_the_disk_is_left_to_others() {
        let directory = tempfile::tempdir().unwrap();
        let inputs = KeptInputs { reserved: |_| u64::MAX, ..kept_in(directory.path()) };
        let (kept, said) = inputs.keep(&spool(b"1\n"));
        assert!(kept.is_none() && said.unwrap().contains("little room"));
        assert_eq!((reserved(1 << 30), reserved(1 << 40)), ((1 << 30) / 20, 1 << 30));
    }

    #[test]
    fn a_full_disk_gives_up_what_was_kept() {
        let inputs = kept_in(Path::new("/tmp"));
        let (first, said) = inputs.keep(&spool(b"12\n"));
        let first = first.unwrap();
        assert_eq!((read(&inputs, &first), said), (b"12\n".to_vec(), None));
        lock(&inputs.state).file =
            Some(Arc::new(File::options().write(true).open("/dev/full").unwrap()));
        let (kept, said) = inputs.keep(&spool(b"3\n"));
        assert!(kept.is_none() && said.unwrap().contains("No space left"));
        assert_eq!(inputs.read(&first, spool(b"")).unwrap_err().exit_code(), 6);
    }
}
