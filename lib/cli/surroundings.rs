//! What a tool may want to know of where it was started: where programs are looked for, and which
//! file its standard input is.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::unistd::{Whence, lseek};

/// `$PATH`.
pub fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// The path of the regular file that standard input is, if it is one, stands at its beginning, and
/// still has that name.
pub fn stdin_path() -> Option<PathBuf> {
    let stdin = std::io::stdin();
    if lseek(&stdin, 0, Whence::SeekCur) != Ok(0) {
        return None;
    }
    let path = std::fs::read_link("/proc/self/fd/0").ok()?;
    let named = std::fs::metadata(&path).ok()?;
    let open = nix::sys::stat::fstat(&stdin).ok()?;
    let same = named.is_file() && (named.dev(), named.ino()) == (open.st_dev, open.st_ino);
    if same { Some(path) } else { None }
}
