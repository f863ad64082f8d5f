//! Blocks of a table: entries in key order, each key without what it shares with the one before.
//!
//! An entry is three varints (bytes shared with the key before, bytes of the key's rest, bytes of
//! the value), the rest of the key, the value. Behind the entries lie the places of those that
//! share nothing (4 bytes each), for searching, and their number. (LevelDB, doc/table_format.md.)

use std::ops::Range;

use super::coding::FieldDecoder;

/// A block, and an entry of it.
#[derive(Default)]
pub(super) struct TableBlock {
    data: Vec<u8>,
    /// Where the entries end.
    end: usize,
    /// Where the next entry begins.
    at: usize,
    key: Vec<u8>,
    value: Range<usize>,
}

impl TableBlock {
    /// Puts the block in `data` in place of the old one, and gives that one's memory in exchange.
    ///
    /// # Errors
    /// What is wrong with the block.
    pub(super) fn replace(&mut self, data: &mut Vec<u8>) -> Result<(), &'static str> {
        std::mem::swap(&mut self.data, data);
        self.key.clear();
        self.value = 0..0;
        self.at = 0;
        self.end = 0;
        let (entries, count) = self.data.split_last_chunk().ok_or("a block is too short")?;
        let restarts = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
        let end = restarts.checked_mul(4).and_then(|bytes| entries.len().checked_sub(bytes));
        match end {
            Some(end) if restarts > 0 || end == 0 => self.end = end,
            _ => return Err("a block's restart points do not fit"),
        }
        Ok(())
    }

    /// Goes to the next entry; `false` behind the last.
    ///
    /// # Errors
    /// What is wrong with the entry.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<bool, &'static str> {
        const WRONG: &str = "an entry of a block does not fit";
        let mut fields = FieldDecoder(&self.data[self.at..self.end]);
        if fields.is_empty() {
            return Ok(false);
        }
        let shared = fields.varint32().ok_or(WRONG)? as usize;
        let rest = fields.varint32().ok_or(WRONG)? as usize;
        let value = fields.varint32().ok_or(WRONG)? as usize;
        let rest = fields.bytes(rest).ok_or(WRONG)?;
        fields.bytes(value).ok_or(WRONG)?;
        if shared > self.key.len() {
            return Err("a key of a block shares more than there is");
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(rest);
        self.at = self.end - fields.0.len();
        self.value = self.at - value..self.at;
        Ok(true)
    }

    /// Leaves out the entries that are left.
    pub(super) fn close(&mut self) {
        self.at = self.end;
    }

    /// The key of the entry at hand.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The value of the entry at hand.
    pub(super) fn value(&self) -> &[u8] {
        &self.data[self.value.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entries = Vec<(Vec<u8>, Vec<u8>)>;

    fn entries(data: &[u8]) -> Result<Entries, &'static str> {
        let mut block = TableBlock::default();
        block.replace(&mut data.to_vec())?;
        let mut found = Vec::new();
        while block.advance()? {
            found.push((block.key().to_vec(), block.value().to_vec()));
        }
        Ok(found)
    }

    const TWO: &[u8] = b"\0\x03\x01abc1\x02\x01\x02x22\0\0\0\0\x01\0\0\0";

    #[test]
    fn keys_share_their_beginnings() {
        let want = vec![(b"abc".to_vec(), b"1".to_vec()), (b"abx".to_vec(), b"22".to_vec())];
        assert_eq!(entries(TWO).unwrap(), want);
        assert_eq!(entries(b"\0\0\0\0\x01\0\0\0").unwrap(), vec![]);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for place in 0..TWO.len() {
            for byte in 0..=255 {
                let mut data = TWO.to_vec();
                data[place] = byte;
                let _ = entries(&data);
                let _ = entries(&data[..place]);
            }
        }
        assert!(entries(b"abc").is_err());
        assert!(entries(b"\0\x01\x01ab\0\0\0\0").is_err());
    }
}
