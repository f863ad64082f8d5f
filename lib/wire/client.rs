//! Files of the client, which commands on hosts ask for: the worker asks, and the tool answers.
//!
//! These are the only requests that a worker opens. Their numbers are its own, and have a bit that
//! those of the tool lack.

use serde::{Deserialize, Serialize};

use crate::record::bytes::Bytes;
use crate::wire::message::Failed;
use crate::wire::shipped::ContentHash;

/// The bit that the numbers of a worker's requests have.
pub(crate) const OF_WORKER: u32 = 1 << 31;

/// The most requests that a worker has open at once.
pub(crate) const OPEN_MAX: usize = 64;

/// The longest path in bytes.
pub(crate) const PATH_MAX: usize = 4096;

/// What a worker asks of the tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ClientAsk {
    /// The content of a file, unless it is still what is known of it: `unchanged`; or `opened`, data,
    /// and `sent`; or, at any time, `failed`.
    Read {
        /// Its path, from the root.
        path: Bytes,
        /// What it was when the worker got it.
        known: Option<FileIdentity>,
    },
    /// Content that is sent with the command: as for `read`.
    Shipped(ContentHash),
    /// Whether a file of this path may be written: `done` or `failed`.
    MayWrite(Bytes),
    /// Write a file, whose content follows as data: `done` or `failed`.
    Write {
        /// Its path, from the root.
        path: Bytes,
        /// How many bytes follow.
        bytes: u64,
    },
    /// Nothing more of the request is wanted. No reply.
    Drop,
}

/// What the tool answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ClientReply {
    /// The file is this; its content follows as data.
    Opened(FileIdentity),
    /// The file is what is known of it.
    Unchanged,
    /// All of the content was sent, which has this hash (XXH3, 128 bits, in hexadecimal digits).
    Sent(String),
    /// The request went well.
    Done,
    /// It went wrong.
    Failed(Failed),
}

/// What tells a file from others, and from itself when it has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileIdentity {
    /// The device that it lies on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: i64,
}

impl FileIdentity {
    /// What an open file is.
    pub fn of(found: &std::fs::Metadata) -> FileIdentity {
        use std::os::unix::fs::MetadataExt;
        let seconds = found.mtime().saturating_mul(1_000_000_000);
        FileIdentity {
            device: found.dev(),
            inode: found.ino(),
            size: found.len(),
            modified: seconds.saturating_add(found.mtime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::{Ask, Reply, decode, encode};
    use proptest::prelude::*;

    #[test]
    fn messages_come_back() {
        let identity = FileIdentity { device: 1, inode: u64::MAX, size: 3, modified: -4 };
        let path = Bytes(b"/a/\xff".to_vec());
        let known = Some(identity);
        for ask in [
            ClientAsk::Read { path: path.clone(), known },
            ClientAsk::MayWrite(path.clone()),
            ClientAsk::Write { path, bytes: 7 },
            ClientAsk::Drop,
        ] {
            let reply = Reply::Client(ask);
            assert_eq!(decode::<Reply>(&encode(&reply)).unwrap(), reply);
        }
        for reply in
            [ClientReply::Opened(identity), ClientReply::Unchanged, ClientReply::Sent("ab".into())]
        {
            let ask = Ask::Client(reply);
            assert_eq!(decode::<Ask>(&encode(&ask)).unwrap(), ask);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<ClientAsk>(&bytes);
            let _ = decode::<ClientReply>(&bytes);
        }
    }
}
