//! Files of the client, for the commands that it runs here or on hosts (`client://`): what is shared
//! ([`share`]), and how a command asks for it.
//!
//! A command finds in [`VARIABLE`] where to ask. On this machine that is nobody: it opens what is
//! shared itself, by the same rules. On a host it is the worker ([`call`]), which asks the tool
//! and keeps what it got. Nothing here knows formats or hosts.

pub mod call;
pub mod share;
pub(crate) mod talk;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::client::call::ClientUpload;
use crate::client::share::{SharedPath, Shares};
use crate::error::{Error, Result};
use crate::record::bytes::Bytes;
use crate::record::stream::Input;
use crate::wire::client::FileIdentity;

/// The variable of a command's environment that says where to ask for files of the client.
pub const VARIABLE: &str = "MC_CLIENT";

/// A path of the client as people write it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client://{}", self.0.display())
    }
}

/// Where a command asks for files of the client, as its environment says.
#[derive(Clone, Debug, Default)]
pub struct ClientAccess(Option<OsString>);

/// What the variable holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Place {
    /// What is shared lies on this machine.
    Here(Vec<SharedPath>),
    /// The socket of the worker.
    Worker(Bytes),
}

/// Where a file of the client is to be written.
#[derive(Debug)]
pub enum ClientTarget {
    /// Here, under this path.
    Here(PathBuf),
    /// There.
    Client(ClientUpload),
}

impl ClientAccess {
    /// What the variable says, where it is set.
    pub fn from_variable(value: Option<OsString>) -> ClientAccess {
        ClientAccess(value)
    }

    /// The variable for commands on this machine, which share `paths`.
    pub fn here(paths: Vec<SharedPath>) -> OsString {
        ClientAccess::spelled(&Place::Here(paths))
    }

    /// The variable for commands that ask the worker at `socket`.
    pub(crate) fn worker(socket: &Path) -> OsString {
        ClientAccess::spelled(&Place::Worker(socket.as_os_str().into()))
    }

    fn spelled(place: &Place) -> OsString {
        serde_json::to_string(place).unwrap_or_default().into()
    }

    fn place(&self, shown: Shown<'_>) -> Result<Place> {
        let Some(value) = &self.0 else {
            return Err(Error::usage(format!(
                "{shown}: nobody shares files here: client:// is for commands of mc-map and \
                 mc-reduce: say --share DIR there; elsewhere name the path itself"
            )));
        };
        let text = value.to_str().unwrap_or_default();
        serde_json::from_str(text).map_err(|_| {
            Error::usage(format!("{shown}: {VARIABLE} says nothing of where to ask for it"))
        })
    }

    /// Opens a file of the client.
    ///
    /// # Errors
    /// `Usage` for what is not shared, is not there, or is no regular file; `Incomplete` when the worker
    /// or the tool has gone.
    pub fn read(&self, path: &Path) -> Result<Box<dyn Input>> {
        match self.place(Shown(path))? {
            Place::Here(shared) => {
                let (file, identity) = Shares::open(&shared)?.read(path)?;
                let name = Shown(path).to_string();
                Ok(Box::new(Local { file, identity, at: 0, name }))
            }
            Place::Worker(socket) => {
                let socket = PathBuf::from(OsString::from(socket));
                Ok(Box::new(call::read(&socket, path)?))
            }
        }
    }

    /// Begins a file of the client. What is to be written there is kept in `directory` until it is
    /// whole.
    ///
    /// # Errors
    /// `Usage` for what is not shared for writing, or cannot be a file.
    pub fn write(&self, path: &Path, directory: &Path) -> Result<ClientTarget> {
        match self.place(Shown(path))? {
            Place::Here(shared) => Shares::open(&shared)?.target(path).map(ClientTarget::Here),
            Place::Worker(socket) => {
                let socket = PathBuf::from(OsString::from(socket));
                ClientUpload::begin(socket, path, directory).map(ClientTarget::Client)
            }
        }
    }
}

/// A shared file of this machine.
struct Local {
    file: File,
    /// What it was when it was opened.
    identity: FileIdentity,
    at: u64,
    name: String,
}

impl Input for Local {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let failed = |e: std::io::Error| Error::io("read", &self.name, &e);
        let count = self.file.read_at(buffer, self.at).map_err(failed)?;
        self.at += count as u64;
        if count == 0 && !buffer.is_empty() {
            let found = self.file.metadata().map_err(failed)?;
            unchanged(&self.name, &self.identity, &found, self.at)?;
        }
        Ok(count)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Sees that a file, all of whose `bytes` were read, is still what it was.
///
/// # Errors
/// `Incomplete` when it has changed.
pub(crate) fn unchanged(
    name: &dyn fmt::Display,
    was: &FileIdentity,
    found: &std::fs::Metadata,
    bytes: u64,
) -> Result<()> {
    match FileIdentity::of(found) == *was && bytes == was.size {
        true => Ok(()),
        false => Err(Error::incomplete(format!("{name} was changed while it was read"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_place_to_ask_the_flag_is_named() {
        let refused =
            |access: ClientAccess| access.read(Path::new("/a")).err().unwrap().to_string();
        assert!(refused(ClientAccess::default()).contains("client:///a: nobody shares"));
        assert!(refused(ClientAccess::default()).contains("--share DIR"));
        let access = ClientAccess::from_variable(Some(ClientAccess::here(Vec::new())));
        assert!(refused(access).contains("say --share DIR"));
        let access = ClientAccess::from_variable(Some("{}".into()));
        assert!(refused(access).contains(VARIABLE));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let shared = SharedPath { names: vec![Bytes::from(dir.path().as_os_str())], write: false };
        let access = ClientAccess::from_variable(Some(ClientAccess::here(vec![shared])));
        for (changed, said) in [(false, None), (true, Some("changed while it was read"))] {
            let mut input = access.read(&path).unwrap();
            let mut buffer = [0; 10];
            assert_eq!(input.read(&mut buffer).unwrap(), 3);
            if changed {
                std::fs::write(&path, "three").unwrap();
                assert_eq!(input.read(&mut buffer).unwrap(), 2);
            }
            let end = input.read(&mut buffer);
            match said {
                None => assert_eq!(end.unwrap(), 0),
                Some(said) => assert!(end.unwrap_err().to_string().contains(said)),
            }
        }
        // However fast it was: there was another number of bytes to be read.
        let found = std::fs::metadata(&path).unwrap();
        let was = FileIdentity::of(&found);
        assert!(unchanged(&"a", &was, &found, was.size).is_ok());
        for bytes in [was.size - 1, was.size + 1] {
            assert_eq!(unchanged(&"a", &was, &found, bytes).unwrap_err().exit_code(), 4);
        }
    }
}
