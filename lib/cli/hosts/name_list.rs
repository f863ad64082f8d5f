//! Lists of file names with a NUL behind each (`--files0-from`), as `find -print0` writes them.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::cli::Session;
use crate::error::{Error, Result};
use crate::explain;
use crate::pipe::pipe_input::PipeInput;
use crate::record::stream::Input;

/// How much of a list is read at once.
const STEP_BYTES: usize = 64 * 1024;

/// The names in the list `file`, `-` for standard input. The NUL behind the last may be missing.
///
/// # Errors
/// `Usage` when it cannot be read, and for a list without names or with an empty one; `Incomplete`
/// when what writes it did not end well.
pub fn read(file: &OsStr, session: &mut Session) -> Result<Vec<PathBuf>> {
    let mut input: Box<dyn Input> = if file == "-" {
        Box::new(session.stdin()?)
    } else {
        let path = Path::new(file);
        let opened = File::open(path).map_err(|e| Error::path("read", path, &e))?;
        Box::new(PipeInput::new(opened, path.display().to_string()))
    };
    let mut list = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    loop {
        match input.read(&mut step)? {
            0 => break,
            got => list.extend_from_slice(&step[..got]),
        }
    }
    if list.starts_with(explain::PREFIX.as_bytes()) {
        return Err(Error::usage(
            "--files0-from -: a plan comes in the place of the names, for nothing runs: put the names \
             into a file, and name that",
        ));
    }
    names(&list).map_err(|why| Error::usage(format!("--files0-from {}: {why}", file.display())))
}

fn names(list: &[u8]) -> std::result::Result<Vec<PathBuf>, String> {
    let mut names = Vec::new();
    let list = list.strip_suffix(b"\0").unwrap_or(list);
    if list.is_empty() {
        return Err("there is no name in it".into());
    }
    for (number, name) in (1..).zip(list.split(|&byte| byte == 0)) {
        if name.is_empty() {
            return Err(format!("name {number} is empty"));
        }
        names.push(PathBuf::from(OsString::from_vec(name.to_vec())));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_ends_each_name() {
        let read = |list: &str| names(list.as_bytes());
        assert_eq!(read("a\0b\nc\0"), read("a\0b\nc"));
        assert_eq!(read("a\0b\nc\0").unwrap(), [PathBuf::from("a"), PathBuf::from("b\nc")]);
        assert_eq!(read("a\0\0b\0").unwrap_err(), "name 2 is empty");
        assert_eq!(read("a\0\0").unwrap_err(), "name 2 is empty");
        assert!(read("").is_err() && read("\0").is_err());
    }
}
