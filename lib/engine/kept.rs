//! The input of a task that failed, kept in a file of its user, so that its command can be run on
//! the very same bytes by hand. The next success of the same call removes it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::spool::Spool;

/// The largest input that is kept, in bytes.
pub(crate) const INPUT_MAX: u64 = 256 << 20;

/// How many inputs are kept: of calls that are never made again, the oldest go.
const FILES_MAX: usize = 8;

/// Keeps `input` in the file `path`, which only its user can read, in a directory of such files.
///
/// # Errors
/// When it is too large, or cannot be written; then nothing of it is left.
pub(crate) fn keep(path: &Path, input: &Spool) -> Result<()> {
    if input.len() > INPUT_MAX {
        let (bytes, most) = (input.len(), INPUT_MAX);
        return Err(Error::usage(format!("it is {bytes} bytes long, over {most}")));
    }
    let failed = |e: &std::io::Error| Error::path("write", path, e);
    let directory = path.parent().unwrap_or(Path::new("/"));
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|e| failed(&e))?;
    remove(path);
    make_room(directory);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = file.as_mut().map_err(|e| failed(e))?;
    let written = input.pour(|bytes| file.write_all(bytes).map_err(|e| failed(&e)));
    if written.is_err() {
        remove(path);
    }
    written
}

/// Removes what was kept in the file `path`, if anything was.
pub(crate) fn remove(path: &Path) {
    // What cannot be removed harms nobody, and is written over next time.
    let _ = fs::remove_file(path);
}

/// Removes the oldest files of `directory` until there is room for one more.
fn make_room(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let aged = |entry: fs::DirEntry| -> Option<(SystemTime, PathBuf)> {
        Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
    };
    let mut files: Vec<_> = entries.filter_map(aged).collect();
    files.sort();
    let over = (files.len() + 1).saturating_sub(FILES_MAX);
    files[..over].iter().for_each(|(_, path)| remove(path));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn spool(bytes: &[u8]) -> Spool {
        Spool::holding(bytes.to_vec(), usize::MAX, Path::new("/tmp"))
    }

    #[test]
    fn only_the_last_are_kept_and_only_for_their_user() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("a/failed");
        for number in 0..12 {
            let path = place.join(format!("{number}"));
            keep(&path, &spool(b"old\n")).unwrap();
            keep(&path, &spool(format!("{number}\n").as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{number}\n"));
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&place)), (0o600, 0o700));
            // Times of files may be coarse.
            let past = SystemTime::now() - std::time::Duration::from_secs(100 - number);
            fs::File::open(&path).unwrap().set_modified(past).unwrap();
        }
        let mut left: Vec<u32> = fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        left.sort_unstable();
        assert_eq!(left, [4, 5, 6, 7, 8, 9, 10, 11]);
        remove(&place.join("11"));
        remove(&place.join("11"));
        assert_eq!(fs::read_dir(&place).unwrap().count(), FILES_MAX - 1);
    }

    #[test]
    fn where_nothing_can_be_written_it_is_said() {
        assert!(keep(Path::new("/proc/no/file"), &spool(b"1")).is_err());
    }
}
