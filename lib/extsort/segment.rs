//! A segment: a sorted run on disk that can be read from any key on, for it knows at some places,
//! the marks, which key is there. Unlike other runs it is read in parts, and more than once.

use std::path::Path;

use super::merge::Cursor;
use super::spill::{Items, LENGTHS, Spill, SpillReader, SpillWriter};
use crate::error::Result;

/// How many bytes of items lie between two marks, at least.
const MARK_EVERY: u64 = 64 << 10;

/// How much of a key a mark holds.
const MARK_BYTES: usize = 4 << 10;

/// How many bytes of items lie between two marks for each byte of the key that a mark holds, so
/// that marks are few bytes beside what they are of.
const MARK_SHARE: u64 = 64;

/// What is known of a place in a segment.
#[derive(Clone, Debug)]
struct Mark {
    /// The first bytes of the key there.
    key: Vec<u8>,
    /// How long the key is.
    key_len: usize,
    /// Where it is, in bytes.
    at: u64,
}

impl Mark {
    /// Whether the key is certainly before `bound`.
    fn is_before(&self, bound: &[u8]) -> bool {
        let is_cut = self.key.len() < self.key_len;
        self.key.as_slice() < bound && !(is_cut && bound.starts_with(&self.key))
    }
}

/// A segment that is being written.
#[derive(Debug)]
pub struct SegmentWriter {
    file: SpillWriter,
    marks: Vec<Mark>,
    /// How many so far.
    items: u64,
}

impl SegmentWriter {
    /// A new one, in an unlinked file in `directory`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(directory: &Path) -> Result<SegmentWriter> {
        let file = SpillWriter::new(directory)?;
        Ok(SegmentWriter { file, marks: Vec::new(), items: 0 })
    }

    /// Writes the next item.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn push(&mut self, key: &[u8], text: &[u8]) -> Result<()> {
        self.mark(key, self.file.bytes());
        self.items += 1;
        self.file.push(key, text)
    }

    /// Writes the next items, which are in the form of a spilled run; `seen` gets to see the key and
    /// the text of each.
    ///
    /// # Errors
    /// `Incomplete` when they are damaged; when the disk is full.
    pub fn write(&mut self, items: &[u8], mut seen: impl FnMut(&[u8], &[u8])) -> Result<()> {
        let mut each = Items::new(items);
        while each.advance()? {
            self.mark(each.key(), self.file.bytes() + each.place() as u64);
            self.items += 1;
            seen(each.key(), each.text());
        }
        self.file.write(items)
    }

    /// Takes note of a key where that is due.
    fn mark(&mut self, key: &[u8], at: u64) {
        let is_due =
            |mark: &Mark| mark.at + MARK_EVERY.max(mark.key.len() as u64 * MARK_SHARE) <= at;
        if self.marks.last().is_none_or(is_due) {
            let first = key[..key.len().min(MARK_BYTES)].to_vec();
            self.marks.push(Mark { key: first, key_len: key.len(), at });
        }
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(self) -> Result<Segment> {
        Ok(Segment { spill: self.file.finish()?, marks: self.marks, items: self.items })
    }
}

/// A sorted run on disk that can be read from any key on.
#[derive(Clone, Debug)]
pub struct Segment {
    spill: Spill,
    marks: Vec<Mark>,
    items: u64,
}

impl Segment {
    /// How many bytes its items are.
    pub fn bytes(&self) -> u64 {
        self.spill.bytes()
    }

    /// How many items it holds.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Where the items begin whose keys are not before `bound`, in bytes.
    ///
    /// # Errors
    /// When the items cannot be read.
    pub fn place_of(&self, bound: &[u8]) -> Result<u64> {
        let behind = self.marks.partition_point(|mark| mark.is_before(bound));
        let Some(before) = behind.checked_sub(1) else { return Ok(0) };
        let mut at = self.marks[before].at;
        let mut items = self.spill.read_part(at, self.bytes(), MARK_EVERY as usize);
        while items.advance()? && items.key() < bound {
            at += (LENGTHS + items.key().len() + items.text().len()) as u64;
        }
        items.ascertain()?;
        Ok(at)
    }

    /// Where the items lie whose keys are not before `from` and before `to`, in bytes.
    ///
    /// # Errors
    /// When the items cannot be read.
    pub fn places(&self, from: Option<&[u8]>, to: Option<&[u8]>) -> Result<(u64, u64)> {
        let from = from.map_or(Ok(0), |bound| self.place_of(bound))?;
        let to = to.map_or(Ok(self.bytes()), |bound| self.place_of(bound))?;
        Ok((from, to.max(from)))
    }

    /// To read the items between two places.
    pub fn read(&self, (from, to): (u64, u64), buffer_bytes: usize) -> SpillReader {
        self.spill.read_part(from, to, buffer_bytes)
    }

    /// Gives the items between two places to `take`, as bytes.
    ///
    /// # Errors
    /// When they cannot be read; what `take` says.
    pub fn copy(
        &self,
        (from, to): (u64, u64),
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.spill.copy(from, to, take)
    }
}

#[cfg(test)]
mod tests {
    use super::super::spill::push_parts;
    use super::*;

    fn segment(keys: &[Vec<u8>]) -> Segment {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = SegmentWriter::new(folder.path()).unwrap();
        for (number, key) in keys.iter().enumerate() {
            writer.push(key, format!("text {number:4000}").as_bytes()).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn items_that_are_written_together_are_those_that_are_written_one_by_one() {
        let keys: Vec<Vec<u8>> = (0..300u32).map(|n| format!("{n:05}").into_bytes()).collect();
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, mut items) = (SegmentWriter::new(folder.path()).unwrap(), Vec::new());
        for (number, key) in keys.iter().enumerate() {
            push_parts(&mut items, key, format!("text {number:4000}").as_bytes());
        }
        let mut seen = 0;
        writer.write(&items, |_, text| seen += text.len()).unwrap();
        writer.push(b"99999", b"last").unwrap();
        let (written, mut pushed) = (writer.finish().unwrap(), segment(&keys));
        assert_eq!((written.items(), seen), (301, 300 * 4005));
        pushed.marks.truncate(written.marks.len());
        assert_eq!(format!("{:?}", written.marks), format!("{:?}", pushed.marks));
        assert_eq!(keys_between(&written, Some(b"00299"), None), [&keys[299][..], b"99999"]);
    }

    fn keys_between(segment: &Segment, from: Option<&[u8]>, to: Option<&[u8]>) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        let places = segment.places(from, to).unwrap();
        segment
            .copy(places, &mut |part| {
                bytes.extend_from_slice(part);
                Ok(())
            })
            .unwrap();
        let (mut items, mut keys) = (Items::new(&bytes), Vec::new());
        while items.advance().unwrap() {
            keys.push(items.key().to_vec());
        }
        keys
    }

    #[test]
    fn any_range_of_keys_is_found_long_ones_too() {
        let mut keys: Vec<Vec<u8>> = (0..400u32).map(|n| format!("{n:05}").into_bytes()).collect();
        keys.extend((0..400u32).map(|n| format!("{}{n:05}", "x".repeat(300)).into_bytes()));
        let segment = segment(&keys);
        assert!(segment.marks.len() > 20 && segment.items() == 800);
        let mut bounds: Vec<Vec<u8>> = keys.iter().step_by(7).cloned().collect();
        bounds.extend([
            b"".to_vec(),
            b"0003".to_vec(),
            vec![b'x'; 256],
            vec![b'x'; 299],
            b"z".to_vec(),
        ]);
        bounds.sort();
        for pair in bounds.windows(2) {
            let due: Vec<_> =
                keys.iter().filter(|k| **k >= pair[0] && **k < pair[1]).cloned().collect();
            assert_eq!(keys_between(&segment, Some(&pair[0]), Some(&pair[1])), due);
        }
        assert_eq!(keys_between(&segment, None, None), keys);
        assert_eq!(keys_between(&segment, Some(b"9"), Some(b"1")), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn damaged_items_are_an_error() {
        let mut bytes = Vec::new();
        push_parts(&mut bytes, b"key", b"text");
        for end in 1..bytes.len() {
            assert!(Items::new(&bytes[..end]).advance().is_err());
        }
    }
}
