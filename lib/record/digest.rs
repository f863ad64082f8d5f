//! Digests: what tells the records of a shard from all others, whatever their order, and in it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// What a sequence of records is, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// How many records.
    pub records: u64,
    /// How many bytes, with a line end for each record.
    pub bytes: u64,
    /// The sum, modulo 2^128, of the records' XXH3 (128 bits, without line ends): the same in every
    /// order.
    #[serde(with = "hex")]
    pub sum: u128,
    /// XXH3 (128 bits) of all the bytes: the same in this order only.
    #[serde(with = "hex")]
    pub hash: u128,
}

/// Bytes as hexadecimal digits, two each.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 128 bits as 32 hexadecimal digits: JSON's numbers are not read so exactly everywhere.
pub(crate) mod hex {
    use super::*;

    /// How many digits.
    const DIGITS: usize = 32;

    pub(crate) fn serialize<S: Serializer>(bits: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{bits:032x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).ok_or_else(|| serde::de::Error::custom("not 32 hexadecimal digits"))
    }

    /// Reads what is written here, and no other spelling of it.
    pub(crate) fn parse(text: &str) -> Option<u128> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let spelled = text.len() == DIGITS && text.as_bytes().iter().all(is_digit);
        spelled.then(|| u128::from_str_radix(text, 16).ok()).flatten()
    }
}

/// Tells whether bytes are those of some [`Contents`], by their number and the hash of all: for who
/// needs no more of it.
#[derive(Clone, Default)]
pub struct Check {
    bytes: u64,
    hash: Xxh3,
}

impl Check {
    /// Takes the next bytes, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    /// Whether it was these.
    pub fn is(&self, contents: &Contents) -> bool {
        self.bytes == contents.bytes && self.hash.digest128() == contents.hash
    }
}

/// Takes the digest of records as they come.
#[derive(Clone, Default)]
pub struct Digest {
    contents: Contents,
    hash: Xxh3,
    /// The beginning of a record whose end has not come.
    open: Vec<u8>,
}

impl Digest {
    /// Takes the next bytes of the records, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.contents.bytes += bytes.len() as u64;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let sum = if self.open.is_empty() {
                xxh3_128(&bytes[start..end])
            } else {
                self.open.extend_from_slice(&bytes[start..end]);
                let sum = xxh3_128(&self.open);
                self.open.clear();
                sum
            };
            self.contents.sum = self.contents.sum.wrapping_add(sum);
            self.contents.records += 1;
            start = end + 1;
        }
        self.open.extend_from_slice(&bytes[start..]);
    }

    /// What came so far; records whose end has not come do not count.
    pub fn contents(&self) -> Contents {
        Contents { hash: self.hash.digest128(), ..self.contents }
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.contents().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&[u8]]) -> Contents {
        let mut digest = Digest::default();
        parts.iter().for_each(|part| digest.push(part));
        digest.contents()
    }

    #[test]
    fn cuts_do_not_matter_and_order_only_to_the_hash() {
        let whole = of(&[b"1\n22\n333\n"]);
        assert_eq!((whole.records, whole.bytes), (3, 9));
        assert_eq!(of(&[b"1", b"\n2", b"2\n33", b"", b"3\n"]), whole);
        let turned = of(&[b"22\n333\n1\n"]);
        assert_eq!(turned.sum, whole.sum);
        assert_ne!(turned.hash, whole.hash);
        let parts = of(&[b"1\n"]).sum.wrapping_add(of(&[b"22\n333\n"]).sum);
        assert_eq!(parts, whole.sum);
        assert_ne!(of(&[b"1\n22\n33\n"]).sum, whole.sum);
    }

    #[test]
    fn other_bytes_are_noticed() {
        let contents = of(&[b"1\n22\n"]);
        for (bytes, same) in [(&b"1\n22\n"[..], true), (b"22\n1\n", false), (b"1\n22", false)] {
            let mut check = Check::default();
            bytes.chunks(2).for_each(|part| check.push(part));
            assert_eq!(check.is(&contents), same);
        }
    }

    #[test]
    fn survives_json() {
        let contents = of(&[b"{}\n"]);
        let text = serde_json::to_string(&contents).unwrap();
        assert_eq!(serde_json::from_str::<Contents>(&text).unwrap(), contents);
    }
}
