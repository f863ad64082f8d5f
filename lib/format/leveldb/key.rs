//! Internal keys: the user's key, then eight bytes that hold a sequence number and what the entry
//! says, a value or a deletion.

use std::cmp::Ordering;

/// The highest sequence number: they have 56 bits.
pub(super) const MAX_SEQUENCE: u64 = (1 << 56) - 1;

/// What an entry says: the low byte of its tag.
pub(super) const DELETION: u8 = 0;
/// See [`DELETION`].
pub(super) const VALUE: u8 = 1;

/// A key as tables hold it, in parts. Order: by user key, bytewise; of equal ones the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InternalKey<'a> {
    /// The key that the user gave.
    pub(super) user: &'a [u8],
    /// The sequence number, shifted left by 8, and the kind of entry.
    pub(super) tag: u64,
}

impl<'a> InternalKey<'a> {
    /// The parts of an encoded key; `None` if it is too short or says neither value nor deletion.
    #[inline]
    pub(super) fn parse(bytes: &'a [u8]) -> Option<InternalKey<'a>> {
        let (user, tag) = bytes.split_last_chunk()?;
        let tag = u64::from_le_bytes(*tag);
        (tag as u8 <= VALUE).then_some(InternalKey { user, tag })
    }

    /// Whether the entry deletes its key.
    pub(super) fn deletes(&self) -> bool {
        self.tag as u8 == DELETION
    }
}

/// A key as it may be shown: not too long, and with no character that a terminal obeys.
pub(super) fn excerpt(key: &[u8]) -> String {
    const MOST: usize = 40;
    let shown = key[..key.len().min(MOST)].escape_ascii();
    format!("\"{shown}{}\"", if key.len() > MOST { "..." } else { "" })
}

/// The tag of an entry.
pub(super) fn tag(sequence: u64, kind: u8) -> u64 {
    sequence << 8 | u64::from(kind)
}

impl Ord for InternalKey<'_> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.user.cmp(other.user).then(other.tag.cmp(&self.tag))
    }
}

impl PartialOrd for InternalKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
