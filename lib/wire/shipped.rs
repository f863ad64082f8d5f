//! Files that go with a command: what each is, and which content it has. The content itself goes only
//! to a host that lacks it: the worker asks for it by its hash.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::record::bytes::Bytes;

/// How many bytes of a message a list of files takes, about, before the next one begins.
pub(crate) const LIST_BYTES: usize = 256 * 1024;

/// A file, a folder or a link for the directory that commands start in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShippedEntry {
    /// Its path below that directory. A folder stands before what lies in it.
    pub path: Bytes,
    /// What it is.
    pub is: EntryKind,
}

/// What is sent under one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum EntryKind {
    /// A folder of this mode.
    Folder(u32),
    /// A file.
    File {
        /// Its mode: who may read, write and execute it.
        mode: u32,
        /// Its size in bytes.
        bytes: u64,
        /// The hash of its content.
        hash: ContentHash,
    },
    /// A link to this path.
    Link(Bytes),
}

/// What tells content from other content: SHA-256, as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ContentHash(String);

impl ContentHash {
    /// The hash of all that `hash` was given.
    pub(crate) fn of(hash: Sha256) -> ContentHash {
        ContentHash(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits, which are safe as the name of a file.
    pub(crate) fn digits(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContentHash {
    type Error = &'static str;

    fn try_from(digits: String) -> Result<ContentHash, &'static str> {
        let sound = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match digits.len() == 64 && digits.bytes().all(sound) {
            true => Ok(ContentHash(digits)),
            false => Err("not 64 hexadecimal digits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::{decode, encode};

    #[test]
    fn a_hash_is_the_name_of_a_file_and_nothing_else() {
        let hash = ContentHash::of(Sha256::new_with_prefix("abc"));
        assert!(hash.digits().starts_with("ba7816bf8f01cfea"));
        assert_eq!(decode::<ContentHash>(&encode(&hash)).unwrap(), hash);
        for odd in ["", "..", "../../etc/passwd", &"g".repeat(64), &"A".repeat(64)] {
            assert!(decode::<ContentHash>(&encode(&odd)).is_err());
        }
    }
}
