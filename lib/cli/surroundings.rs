//! What a tool may want to know of where it was started: where programs are looked for, and which
//! file its standard input is.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Whence, lseek};

use crate::run::runtime_dir;

/// Where the private directory of small files may be that the tools of this user share.
pub fn runtime_directories() -> Vec<PathBuf> {
    let path = |name| std::env::var_os(name).map(PathBuf::from);
    match path(runtime_dir::VARIABLE).filter(|path| path.is_absolute()) {
        Some(only) => vec![only],
        None => runtime_dir::candidates(path("XDG_RUNTIME_DIR")),
    }
}

/// `$PATH`, for commands: behind it the directory of the tools, so that commands find them here as
/// they do on hosts.
pub fn search_path() -> Option<OsString> {
    let mut path = std::env::var_os("PATH")?;
    let tool = std::env::current_exe().unwrap_or_default();
    let directory = tool.parent().unwrap_or(Path::new("/"));
    let has_tools = directory.join("mc-cat").is_file();
    if has_tools && !std::env::split_paths(&path).any(|place| place == directory) {
        path.push(":");
        path.push(directory);
    }
    Some(path)
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
