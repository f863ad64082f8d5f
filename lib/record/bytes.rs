//! Bytes that need not be UTF-8 (paths, arguments) inside of JSON: as base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that a message carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Bytes).map_err(serde::de::Error::custom)
    }
}

impl From<&std::ffi::OsStr> for Bytes {
    fn from(word: &std::ffi::OsStr) -> Bytes {
        Bytes(std::os::unix::ffi::OsStrExt::as_bytes(word).to_vec())
    }
}

impl From<Bytes> for std::ffi::OsString {
    fn from(bytes: Bytes) -> std::ffi::OsString {
        std::os::unix::ffi::OsStringExt::from_vec(bytes.0)
    }
}
