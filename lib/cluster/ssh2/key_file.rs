//! A file of one of the user's keys: whether it can be used without asking, and which key it is.
//!
//! It decrypts nothing and signs nothing.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cluster::ssh2::known_hosts::kind_of;

/// The longest file that is taken for a key.
const FILE_BYTES: u64 = 64 * 1024;

/// How OpenSSH's own format begins, once it is decoded.
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyFileState {
    /// A private key that anyone who may read the file can use.
    Open,
    /// A private key behind a passphrase.
    Locked,
    /// Only the public half: its private half is elsewhere, in an agent say.
    Public,
}

/// A file of a key.
#[derive(Debug)]
pub(super) struct KeyFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub state: KeyFileState,
    /// The public key, where it can be told.
    pub public: Option<Vec<u8>>,
}

impl KeyFile {
    /// Looks at the file at `path`; none when it is not there or is no key.
    pub(super) fn look(path: &Path) -> Option<KeyFile> {
        let beside = || {
            let mut name = path.as_os_str().to_os_string();
            name.push(".pub");
            public_line(&read(Path::new(&name))?)
        };
        let Some(text) = read(path) else {
            let public = Some(beside()?);
            return Some(KeyFile { path: path.to_path_buf(), state: KeyFileState::Public, public });
        };
        if let Some((locked, public)) = openssh(&text) {
            let state = if locked { KeyFileState::Locked } else { KeyFileState::Open };
            return Some(KeyFile { path: path.to_path_buf(), state, public: Some(public) });
        }
        if text.contains("-----BEGIN ") {
            let state =
                if text.contains("ENCRYPTED") { KeyFileState::Locked } else { KeyFileState::Open };
            return Some(KeyFile { path: path.to_path_buf(), state, public: beside() });
        }
        let public = Some(public_line(&text)?);
        Some(KeyFile { path: path.to_path_buf(), state: KeyFileState::Public, public })
    }
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(FILE_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The key of a line like those of `authorized_keys`.
fn public_line(text: &str) -> Option<Vec<u8>> {
    let mut words = text.split_ascii_whitespace();
    let (kind, key) = (words.next()?, words.next()?);
    STANDARD.decode(key).ok().filter(|blob| kind_of(blob) == Some(kind))
}

/// Whether a private key of OpenSSH's own format is locked, and its public half.
fn openssh(text: &str) -> Option<(bool, Vec<u8>)> {
    let body = text.split("-----BEGIN OPENSSH PRIVATE KEY-----").nth(1)?;
    let body = body.split("-----END ").next()?;
    let body: String = body.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(body).ok()?;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let cipher = field(&mut rest)?;
    let (_derivation, _options) = (field(&mut rest)?, field(&mut rest)?);
    rest = rest.get(4..)?;
    Some((cipher != b"none", field(&mut rest)?.to_vec()))
}

/// The next field: 4 bytes of length, then so many bytes.
fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
    let (field, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn locked_keys_are_told_from_open_ones_in_every_format() {
        let directory = tempfile::tempdir().unwrap();
        for (name, words, passphrase, state) in [
            ("a", "-t ed25519", "", KeyFileState::Open),
            ("b", "-t ed25519", "secret", KeyFileState::Locked),
            ("c", "-t ecdsa -m PEM", "", KeyFileState::Open),
            ("d", "-t ecdsa -m PEM", "secret", KeyFileState::Locked),
            ("e", "-t ecdsa -m PKCS8", "secret", KeyFileState::Locked),
        ] {
            let path = directory.path().join(name);
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(words.split(' ')).args(["-q", "-N", passphrase, "-f"]).arg(&path);
            assert!(keygen.status().unwrap().success());
            let file = KeyFile::look(&path).unwrap();
            let public = KeyFile::look(&path.with_extension("pub")).unwrap();
            assert_eq!((file.state, public.state), (state, KeyFileState::Public), "{words}");
            assert!(file.public.is_some() && file.public == public.public, "{words}");
        }
        std::fs::remove_file(directory.path().join("a")).unwrap();
        let only = KeyFile::look(&directory.path().join("a")).unwrap();
        assert_eq!(only.state, KeyFileState::Public);
    }

    #[test]
    fn what_is_no_key_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        assert!(KeyFile::look(directory.path()).is_none());
        let path = directory.path().join("key");
        assert!(KeyFile::look(&path).is_none());
        for text in ["", "hello there", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"] {
            std::fs::write(&path, text).unwrap();
            let looked = KeyFile::look(&path);
            assert!(looked.is_none_or(|key| key.public.is_none()), "{text}");
        }
    }
}
