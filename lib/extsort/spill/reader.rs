//! Reading a run on disk, item by item. An item that is larger than the read buffer can be left where
//! it lies: then how its key begins is all that is in memory.

use std::cell::RefCell;

use xxhash_rust::xxh3::xxh3_64;

use super::super::merge::Cursor;
use super::{LENGTHS, Spill, cut_short, lengths};
use crate::blocks::{BlockCheck, changed};
use crate::error::Result;

/// Smaller buffers do not hold what a key begins with.
const BUFFER_MIN: usize = 256;

/// Reads a run item by item. Damage is noticed at the end of its block at the latest, and so before the
/// end of the run.
#[derive(Debug)]
pub struct SpillReader {
    spill: Spill,
    /// None before the first bytes are read.
    check: Option<BlockCheck>,
    /// Where in the run the next bytes are.
    next: u64,
    /// Bytes of the run that were not read yet.
    left: u64,
    buffer: Vec<u8>,
    chunk: usize,
    /// Where the current item's key starts in the buffer.
    at: usize,
    key_end: usize,
    end: usize,
    /// The current item, where it is larger than the buffer and was left in the file.
    large: Option<Large>,
    /// What was read of it to be compared: that is not checked before all of it is.
    compared: RefCell<Vec<ComparedPart>>,
}

/// Bytes of an item: where they begin, how many they are, and their hash.
#[derive(Debug)]
struct ComparedPart {
    from: usize,
    count: usize,
    hash: u64,
}

/// An item in a file: where its key begins, how long that is, and its text.
#[derive(Clone, Copy, Debug)]
struct Large {
    place: u64,
    key: usize,
    text: usize,
}

impl SpillReader {
    /// For the bytes of `spill` from byte `from` to `to`, through a buffer of so many bytes.
    pub(super) fn new(spill: Spill, from: u64, to: u64, buffer_bytes: usize) -> SpillReader {
        SpillReader {
            spill,
            check: None,
            next: from,
            left: to.saturating_sub(from),
            buffer: Vec::new(),
            chunk: buffer_bytes.max(BUFFER_MIN),
            at: 0,
            key_end: 0,
            end: 0,
            large: None,
            compared: RefCell::default(),
        }
    }

    /// Makes sure of what was read so far: the rest of its block is checked.
    ///
    /// # Errors
    /// `Incomplete` where it has changed; when it cannot be read.
    pub fn ascertain(&mut self) -> Result<()> {
        match &mut self.check {
            Some(check) => self.spill.check_on(check, None),
            None => Ok(()),
        }
    }

    /// What checks the next bytes.
    fn check(&mut self) -> Result<&mut BlockCheck> {
        let check = match self.check.take() {
            Some(check) => check,
            None => self.spill.check(self.next)?,
        };
        Ok(self.check.insert(check))
    }

    /// Sees to it that `wanted` bytes behind the current item are in the buffer.
    fn ahead(&mut self, wanted: usize) -> Result<()> {
        if self.buffer.len() - self.end >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.end);
        (self.at, self.key_end, self.end) = (0, 0, 0);
        let have = self.buffer.len();
        let room = wanted.max(self.chunk) - have;
        let part = usize::try_from(self.left).unwrap_or(room).min(room);
        if have + part < wanted {
            return Err(cut_short());
        }
        self.buffer.reserve_exact(part);
        self.buffer.resize(have + part, 0);
        self.spill.read_at(&mut self.buffer[have..], self.next)?;
        self.check()?;
        if let Some(check) = &mut self.check {
            check.push(&self.buffer[have..], &self.spill.blocks)?;
        }
        self.next += part as u64;
        self.left -= part as u64;
        Ok(())
    }

    /// Steps over the current item, if it was left in the file.
    fn pass_large(&mut self) -> Result<()> {
        let Some(Large { key, text, .. }) = self.large.take() else { return Ok(()) };
        self.compared.get_mut().clear();
        // Its beginning is all that the buffer holds.
        let behind = (key + text - (self.buffer.len() - self.at)) as u64;
        self.left = self.left.checked_sub(behind).ok_or_else(cut_short)?;
        self.next += behind;
        if let Some(check) = &mut self.check {
            self.spill.check_on(check, Some(self.next))?;
        }
        self.buffer.clear();
        (self.at, self.key_end, self.end) = (0, 0, 0);
        Ok(())
    }

    /// Reads bytes of the item that was left in the file, from byte `from` of it on, into all of `part`.
    fn read(&self, from: usize, part: &mut [u8]) -> Result<()> {
        let Some(item) = self.large else { return Ok(()) };
        let held = self.buffer.get(self.at + from..).unwrap_or_default();
        let (held, count) = (&held[..held.len().min(part.len())], held.len().min(part.len()));
        part[..count].copy_from_slice(held);
        self.spill.read_at(&mut part[count..], item.place + (from + count) as u64)
    }

    /// Goes to the next item. One that is larger than `most` stays in the file.
    fn step(&mut self, most: usize) -> Result<bool> {
        self.pass_large()?;
        if self.end == self.buffer.len() && self.left == 0 {
            self.ascertain()?;
            return Ok(false);
        }
        self.ahead(LENGTHS)?;
        let (key, text) = lengths(&self.buffer[self.end..]).ok_or_else(cut_short)?;
        let size = LENGTHS + key + text;
        let is_large = size > most.max(self.buffer.len() - self.end);
        self.ahead(if is_large { self.chunk } else { size })?;
        self.at = self.end + LENGTHS;
        if is_large {
            let ahead = (self.buffer.len() - self.at) as u64;
            self.large = Some(Large { place: self.next - ahead, key, text });
            (self.key_end, self.end) = (self.buffer.len().min(self.at + key), self.buffer.len());
            return Ok(true);
        }
        self.key_end = self.at + key;
        self.end = self.key_end + text;
        Ok(true)
    }
}

impl Cursor for SpillReader {
    fn advance(&mut self) -> Result<bool> {
        self.step(usize::MAX)
    }

    fn key(&self) -> &[u8] {
        &self.buffer[self.at..self.key_end]
    }

    fn text(&self) -> &[u8] {
        &self.buffer[self.key_end..self.end]
    }

    fn advance_head(&mut self) -> Result<bool> {
        self.step(self.chunk)
    }

    fn left(&self) -> Option<(usize, usize)> {
        self.large.map(|item| (item.key, item.text))
    }

    fn fetch(&self, from: usize, part: &mut [u8]) -> Result<()> {
        self.read(from, part)?;
        let (count, hash) = (part.len(), xxh3_64(part));
        self.compared.borrow_mut().push(ComparedPart { from, count, hash });
        Ok(())
    }

    fn bring(&mut self, item: &mut [u8]) -> Result<()> {
        self.read(0, item)?;
        // What was compared decided where the item comes.
        for ComparedPart { from, count, hash } in self.compared.get_mut().drain(..) {
            if xxh3_64(&item[from..from + count]) != hash {
                return Err(changed());
            }
        }
        let behind = item.get(self.buffer.len() - self.at..).unwrap_or_default();
        // Not read once more to be checked: what is used might be something else.
        match &mut self.check {
            Some(check) if self.large.is_some() && check.at() == self.next => {
                check.push(behind, &self.spill.blocks)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::merge::Merge;
    use super::super::{Items, Spill, SpillWriter};
    use super::*;
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    type Pair = (Vec<u8>, Vec<u8>);

    /// Two runs one behind the other in a file, of items of any size.
    fn two_runs(sizes: &[usize]) -> (Vec<Spill>, Vec<Pair>) {
        let folder = std::env::temp_dir();
        let (mut spills, mut model): (Vec<Spill>, Vec<_>) = (Vec::new(), Vec::new());
        for run in 0..2 {
            let mut items: Vec<Pair> = Vec::new();
            for (n, size) in sizes.iter().enumerate() {
                // Long keys that differ only at their ends; some are in both runs.
                let mut key = vec![b'k'; *size];
                key.extend_from_slice(format!("{:03}", (n * 2 + run) / 3).as_bytes());
                key.push(0);
                items.push((key, format!("{run} {n} {}", "t".repeat(size / 2)).into_bytes()));
            }
            items.sort_by(|a, b| a.0.cmp(&b.0));
            let mut writer = match spills.last() {
                None => SpillWriter::new(&folder).unwrap(),
                Some(last) => SpillWriter::behind(last, &folder),
            };
            for (key, text) in &items {
                writer.push(key, text).unwrap();
            }
            spills.push(writer.finish().unwrap());
            model.extend(items);
        }
        model.sort_by(|a, b| a.0.cmp(&b.0));
        (spills, model)
    }

    #[test]
    fn large_items_are_merged_as_small_ones_are_whatever_the_buffer() {
        for sizes in [
            vec![0, 1, 300, 300, 300, 9000, 9000],
            vec![100_000, 100_000, 7, 70_000, 255, 256, 257],
            vec![200_000],
        ] {
            let (spills, model) = two_runs(&sizes);
            for buffer in [1, 256, 300, 4096, 1 << 20] {
                let readers = spills.iter().map(|spill| spill.read(buffer)).collect();
                let mut merged = Merge::new(readers);
                for (key, text) in &model {
                    assert!(merged.advance().unwrap());
                    assert!(merged.key() == key && merged.text() == text);
                    if let Some(line) = merged.large_line() {
                        assert!(line.strip_suffix(b"\n") == Some(text.as_slice()));
                        let mut items = Items::new(merged.large_item().unwrap());
                        assert!(items.advance().unwrap() && items.key() == key);
                        assert!(items.text() == text && !items.advance().unwrap());
                    }
                }
                assert!(!merged.advance().unwrap());
                let mut reader = spills[1].read(buffer);
                while reader.advance().unwrap() {
                    assert!(model.contains(&(reader.key().to_vec(), reader.text().to_vec())));
                }
            }
        }
    }

    #[test]
    fn what_is_compared_of_an_item_must_be_what_is_used_of_it() {
        let (spills, model) = two_runs(&[100_000]);
        let (file, key) = (Arc::clone(&spills[1].file), &model[1].0);
        for at in [70_000, key.len() - 1] {
            for is_misread in [false, true] {
                let mut reader = spills[1].read(4096);
                assert!(reader.advance_head().unwrap());
                let place = spills[1].start + reader.large.unwrap().place + at as u64;
                let misread = key[at] ^ u8::from(is_misread);
                file.write_all_at(&[misread], place).unwrap();
                let mut part = vec![0; key.len() - 60_000];
                reader.fetch(60_000, &mut part).unwrap();
                assert_eq!(part == key[60_000..], !is_misread);
                file.write_all_at(&key[at..=at], place).unwrap();
                let mut item = [key.as_slice(), &model[1].1].concat();
                let brought = reader.bring(&mut item);
                assert_eq!(brought.map_err(|e| e.exit_code()).err(), is_misread.then_some(4));
                assert!(item.starts_with(key));
                assert!(!reader.advance().unwrap());
            }
        }
    }

    #[test]
    fn a_merge_holds_its_buffers_and_one_item_however_large_the_items_are() {
        let (spills, _) = two_runs(&[300_000; 20]);
        let readers = spills.iter().map(|spill| spill.read(4096)).collect();
        let mut merged = Merge::new(readers);
        while merged.advance().unwrap() {
            assert!(merged.memory(|reader| reader.buffer.capacity()) < 500_000 + 2 * 4096);
        }
    }
}
