//! `collect`: all values of the group as an array, in input order.

use super::RecordPosition;
use super::encoding::{StateDecoder, push_bytes};
use crate::error::{Error, Result};

/// The values so far, in input order.
#[derive(Clone, Debug, Default)]
pub struct Collect {
    /// Each value behind its position and its length.
    entries: Vec<u8>,
    /// The place of the last one.
    last: RecordPosition,
    /// The length of the array in JSON, without its closing bracket.
    length: usize,
}

impl Collect {
    /// Adds a value. Returns the memory that it took.
    ///
    /// # Errors
    /// `BadInput` when the array becomes longer than a record of `max_record` bytes may be.
    #[inline]
    pub fn add(&mut self, value: &[u8], at: RecordPosition, max_record: usize) -> Result<usize> {
        let before = self.entries.capacity();
        if !self.entries.is_empty() && at < self.last {
            let mut one = Collect::default();
            one.add(value, at, max_record)?;
            self.merge(one, max_record)?;
        } else {
            self.grow(value.len() + 1, max_record)?;
            at.encode(&mut self.entries);
            push_bytes(&mut self.entries, value);
            self.last = at;
        }
        Ok(self.entries.capacity().saturating_sub(before))
    }

    fn grow(&mut self, length: usize, max_record: usize) -> Result<()> {
        self.length += length;
        match self.length < max_record {
            true => Ok(()),
            false => Err(Error::input(format!(
                "what it collects of one group is longer than a record may be ({max_record} \
                 bytes; see --max-record)"
            ))),
        }
    }

    /// Takes in another part of the group.
    ///
    /// # Errors
    /// As [`Collect::add`].
    pub fn merge(&mut self, other: Collect, max_record: usize) -> Result<()> {
        self.grow(other.length, max_record)?;
        if other.entries.is_empty() {
            return Ok(());
        }
        let mut theirs = StateDecoder::new(&other.entries);
        let mut their = entry(&mut theirs)?;
        if self.entries.is_empty() || their.is_some_and(|their| their.at > self.last) {
            self.entries.extend_from_slice(&other.entries);
            self.last = other.last;
            return Ok(());
        }
        let mut merged = Vec::with_capacity(self.entries.len() + other.entries.len());
        let mut ours = StateDecoder::new(&self.entries);
        let mut our = entry(&mut ours)?;
        loop {
            let next = match (our, their) {
                (Some(a), Some(b)) if b.at < a.at => &mut their,
                (None, Some(_)) => &mut their,
                (Some(_), _) => &mut our,
                (None, None) => break,
            };
            if let Some(entry) = next.take() {
                entry.at.encode(&mut merged);
                push_bytes(&mut merged, entry.value);
            }
            if our.is_none() {
                our = entry(&mut ours)?;
            }
            if their.is_none() {
                their = entry(&mut theirs)?;
            }
        }
        self.entries = merged;
        self.last = self.last.max(other.last);
        Ok(())
    }

    /// Appends the values as an array.
    ///
    /// # Errors
    /// When a decoded part is damaged.
    pub fn push_array(&self, out: &mut Vec<u8>) -> Result<()> {
        let mut entries = StateDecoder::new(&self.entries);
        let mut open = b'[';
        while let Some(entry) = entry(&mut entries)? {
            out.push(open);
            out.extend_from_slice(entry.value);
            open = b',';
        }
        if open == b'[' {
            out.push(open);
        }
        out.push(b']');
        Ok(())
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        self.entries.capacity()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_bytes(out, &self.entries);
    }

    pub(super) fn decode(decoder: &mut StateDecoder) -> Result<Collect> {
        let entries = decoder.bytes()?.to_vec();
        let (mut last, mut length) = (RecordPosition::default(), 0);
        let mut walk = StateDecoder::new(&entries);
        while let Some(entry) = entry(&mut walk)? {
            last = entry.at;
            length += entry.value.len() + 1;
        }
        Ok(Collect { entries, last, length })
    }
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    at: RecordPosition,
    value: &'a [u8],
}

fn entry<'a>(entries: &mut StateDecoder<'a>) -> Result<Option<Entry<'a>>> {
    if entries.is_empty() {
        return Ok(None);
    }
    Ok(Some(Entry { at: RecordPosition::decode(entries)?, value: entries.bytes()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_array_is_longer_than_a_record() {
        let at = |index| RecordPosition { shard: 0, index };
        let mut collect = Collect::default();
        collect.add(b"123", at(0), 9).unwrap();
        collect.add(b"456", at(1), 9).unwrap();
        let mut out = Vec::new();
        collect.push_array(&mut out).unwrap();
        assert_eq!(out, b"[123,456]");
        assert_eq!(collect.add(b"7", at(2), 9).unwrap_err().exit_code(), 3);
    }
}
