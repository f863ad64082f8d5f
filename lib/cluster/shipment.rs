//! What is sent with a command: files of this machine, measured once for all hosts, and opened when a
//! worker asks for the content of one.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result, broken};
use crate::record::bytes::Bytes;
use crate::wire::client::FileIdentity;
use crate::wire::message;
use crate::wire::shipped::{ContentHash, EntryKind, LIST_BYTES, ShippedEntry};

/// What of a mode is sent: who may read, write and execute.
const MODE: u32 = 0o777;

/// How much of a file is read at once.
const READ_BYTES: usize = 256 * 1024;

/// How many bytes an entry takes in a message, beside its paths.
const ENTRY_BYTES: usize = 256;

/// Something that is to be sent to where commands start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its path here.
    pub from: PathBuf,
    /// Its path there.
    pub to: PathBuf,
    /// For a link, what it says; the others are what is found here.
    pub link: Option<PathBuf>,
}

/// Files that are sent, as they were when they were measured.
#[derive(Debug, Default)]
pub struct Shipment {
    entries: Vec<ShippedEntry>,
    sources: HashMap<ContentHash, (PathBuf, FileIdentity)>,
}

impl Shipment {
    /// Measures `files`, in which a folder stands before what lies in it.
    ///
    /// # Errors
    /// As [`Error::path`] for a file that cannot be read; `Incomplete` for one that is changed meanwhile.
    pub fn measure(files: &[Shipped]) -> Result<Shipment> {
        let mut shipment = Shipment::default();
        for Shipped { from, to, link } in files {
            let is = match link {
                Some(target) => EntryKind::Link(target.as_os_str().into()),
                None => shipment.measure_one(from)?,
            };
            shipment.entries.push(ShippedEntry { path: to.as_os_str().into(), is });
        }
        Ok(shipment)
    }

    fn measure_one(&mut self, from: &Path) -> Result<EntryKind> {
        let failed = |e: std::io::Error| Error::path("send", from, &e);
        let mut file = File::open(from).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let mode = found.mode() & MODE;
        if found.is_dir() {
            return Ok(EntryKind::Folder(mode));
        }
        let (identity, mut hash) = (FileIdentity::of(&found), Sha256::new());
        let (mut buffer, mut bytes) = (vec![0; READ_BYTES], 0);
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
            bytes = identity.size;
        }
        is_unchanged(from, &identity, &file)?;
        let hash = ContentHash::of(hash);
        self.sources.insert(hash.clone(), (from.to_path_buf(), identity));
        Ok(EntryKind::File { mode, bytes, hash })
    }

    /// The hash of what a line is to make ready for commands: of `line`, of the first `count` of the
    /// files, and of what the user says of its environment.
    pub fn hash_of_setup(
        &self,
        (line, count): (&OsStr, usize),
        environment: &[(Bytes, Bytes)],
    ) -> ContentHash {
        let files = &self.entries[..count.min(self.entries.len())];
        let all = (Bytes::from(line), files, environment);
        ContentHash::of(Sha256::new_with_prefix(message::encode(&all)))
    }

    /// The entries, in lists that fit into messages.
    pub(super) fn lists(&self) -> impl Iterator<Item = &[ShippedEntry]> {
        let mut bytes = 0;
        self.entries.chunk_by(move |_, next| {
            let link = match &next.is {
                EntryKind::Link(target) => target.0.len(),
                _ => 0,
            };
            bytes += 2 * (next.path.0.len() + link) + ENTRY_BYTES;
            let fits = bytes < LIST_BYTES;
            if !fits {
                bytes = 0;
            }
            fits
        })
    }

    /// Opens the file of this content: its path, and what it was.
    ///
    /// # Errors
    /// `Incomplete` for content that is none of these, or that has changed; as [`Error::path`].
    pub(super) fn open(&self, hash: &ContentHash) -> Result<(&Path, File, FileIdentity)> {
        let source = self.sources.get(hash);
        let (path, identity) = source.ok_or_else(|| broken("content that is not sent"))?;
        let file = File::open(path).map_err(|e| Error::path("send", path, &e))?;
        is_unchanged(path, identity, &file)?;
        Ok((path, file, *identity))
    }
}

/// Sees that a file is what it was.
///
/// # Errors
/// `Incomplete` when it is not.
pub(super) fn is_unchanged(path: &Path, was: &FileIdentity, file: &File) -> Result<()> {
    let found = file.metadata().map_err(|e| Error::path("send", path, &e))?;
    match FileIdentity::of(&found) == *was {
        true => Ok(()),
        false => {
            let path = path.display();
            Err(Error::incomplete(format!("{path} was changed while it was sent: run it again")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn shipped(from: &Path, to: &str) -> Shipped {
        Shipped { from: from.into(), to: to.into(), link: None }
    }

    #[test]
    fn what_has_changed_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "abc").unwrap();
        let shipment = Shipment::measure(&[shipped(&path, "a")]).unwrap();
        let EntryKind::File { hash, bytes, .. } = &shipment.entries[0].is else { panic!() };
        assert_eq!((*bytes, &hash.digits()[..8]), (3, "ba7816bf"));
        assert!(shipment.open(hash).is_ok());
        fs::write(&path, "abcd").unwrap();
        let error = shipment.open(hash).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains("was changed while it was sent"), "{error}");
        let other = ContentHash::of(Sha256::new());
        assert!(shipment.open(&other).is_err());
    }

    #[test]
    fn long_lists_are_cut_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let name = |n: usize| format!("{n:0200}");
        let files: Vec<_> = (0..3000).map(|n| shipped(folder.path(), &name(n))).collect();
        let shipment = Shipment::measure(&files).unwrap();
        let lists: Vec<_> = shipment.lists().collect();
        assert!(lists.len() > 3, "{}", lists.len());
        assert_eq!(lists.concat(), shipment.entries);
        let longest = lists.iter().map(|list| crate::wire::message::encode(list).len()).max();
        assert!(longest.unwrap() < crate::wire::frame::PAYLOAD_MAX);
        assert_eq!(Shipment::default().lists().count(), 0);
    }
}
