//! What a command and the worker of its host say to each other about files of the client: lines of
//! JSON on a socket that lies in a directory of the user's own.

use std::io::{self, BufRead, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, broken};
use crate::record::bytes::Bytes;
use crate::wire::message::Failed;

/// The longest line: a path, and the words around it; or why something failed.
const LINE_MAX: u64 = 64 * 1024;

/// How long the path of a socket may be, for the system.
const SOCKET_PATH_MAX: usize = 100;

/// What a command asks.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CommandAsk {
    /// A file to read: `copy`, then `came` while it comes, then `whole`; or `failed`.
    Read(Bytes),
    /// Whether a file may be written: `done` or `failed`.
    MayWrite(Bytes),
    /// A file, whose bytes follow: `done` or `failed`.
    Write {
        /// Its path.
        path: Bytes,
        /// How many bytes follow.
        bytes: u64,
    },
}

/// What the worker answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum WorkerAnswer {
    /// The path of a copy of the file, which may still be growing.
    Copy(Bytes),
    /// So many bytes of it are there.
    Came(u64),
    /// All of it is there.
    Whole {
        /// How many bytes it is.
        bytes: u64,
        /// The hash of them, XXH3 of 128 bits: 32 hexadecimal digits.
        hash: String,
    },
    /// It went well.
    Done,
    /// It went wrong.
    Failed(Failed),
}

/// Says `message`.
///
/// # Errors
/// When the other side has gone.
pub(crate) fn say(mut to: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// The next message; none at the end.
///
/// # Errors
/// `Incomplete` for what is none, or is cut short.
pub(crate) fn hear<M: DeserializeOwned>(from: &mut impl BufRead) -> Result<Option<M>> {
    let mut line = Vec::new();
    let came = from.take(LINE_MAX).read_until(b'\n', &mut line);
    came.map_err(|e| Error::incomplete(format!("cannot hear: {}", crate::error::reason(&e))))?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(broken("a line without its end"));
    }
    let message = serde_json::from_slice(&line);
    message.map(Some).map_err(|e| broken(format!("a line that is none: {e}")))
}

/// Listens at `path`, in a directory that others cannot enter.
///
/// # Errors
/// When there can be no socket.
pub(crate) fn listen(path: &Path) -> io::Result<UnixListener> {
    through_directory(path, |path| UnixListener::bind(path))
}

/// Calls who listens at `path`.
///
/// # Errors
/// When nobody does.
pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    through_directory(path, |path| UnixStream::connect(path))
}

/// Calls `work` with a path of the socket that is short enough: by way of its open directory.
fn through_directory<T>(path: &Path, work: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if path.as_os_str().len() > SOCKET_PATH_MAX => {
            let directory = std::fs::File::open(parent)?;
            work(&PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name))
        }
        _ => work(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    #[test]
    fn messages_come_back() {
        let (one, other) = UnixStream::pair().unwrap();
        let request = || CommandAsk::Write { path: Bytes(b"/a\n".to_vec()), bytes: 3 };
        say(&one, &request()).unwrap();
        let whole = || WorkerAnswer::Whole { bytes: 7, hash: "0f".into() };
        say(&one, &whole()).unwrap();
        drop(one);
        let mut reader = BufReader::new(other);
        assert_eq!(hear::<CommandAsk>(&mut reader).unwrap(), Some(request()));
        assert_eq!(hear::<WorkerAnswer>(&mut reader).unwrap(), Some(whole()));
        assert_eq!(hear::<WorkerAnswer>(&mut reader).unwrap(), None);
        assert!(hear::<WorkerAnswer>(&mut &b"{\"whole\""[..]).is_err());
        assert!(hear::<WorkerAnswer>(&mut &vec![b'x'; 1 << 20][..]).is_err());
    }

    #[test]
    fn a_socket_may_lie_deep() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("x".repeat(100)).join("y".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let _listener = listen(&deep.join("socket")).unwrap();
        assert!(deep.join("socket").exists());
        connect(&deep.join("socket")).unwrap();
        assert!(connect(&deep.join("none")).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = hear::<CommandAsk>(&mut bytes.as_slice());
            let _ = hear::<WorkerAnswer>(&mut bytes.as_slice());
        }
    }
}
