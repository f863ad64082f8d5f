//! Records that are kept until they are added to their groups, as bytes: of each where it stands, its key, and its
//! operands, which are numbers already where that is all that is needed of them.

use super::reader::{GroupReader, NULL};
use super::table::Spelled;
use crate::error::Result;
use crate::record::block::Line;

/// A record as it was kept.
pub(super) struct Kept<'a> {
    pub(super) hash: u64,
    /// The number of its line.
    pub(super) number: u64,
    pub(super) spelling: &'a [u8],
    /// The operands, if they are integers: of 8 bytes each, the lowest first.
    pub(super) integers: Option<&'a [[u8; 8]]>,
    /// The lengths of the parts of its key, and of its operands if those are no integers.
    part_lengths: &'a [[u8; 4]],
    operand_lengths: &'a [[u8; 4]],
    /// The spelling, and the operands if they are no integers.
    text: &'a [u8],
}

/// The length of a value that is not there. No record is as long.
const NOT_THERE: u32 = u32::MAX;

/// Says beside the length of the spelling that the operands are integers.
const INTEGERS: u32 = 1 << 31;

/// The longest key, as it is spelled, that can be kept.
const SPELLING_MAX: usize = INTEGERS as usize - 1;

/// Whether all records can be kept, none of which is longer than `record_max`, by a key of so many parts.
pub(super) fn can_keep(record_max: usize, parts: usize) -> bool {
    // Each part may be all of the record, and there is a comma between any two.
    record_max.saturating_add(1).saturating_mul(parts) <= SPELLING_MAX
}

/// How many bytes a line's number takes: there are not as many lines.
const NUMBER: usize = 6;

/// The bytes before the operands: the hash, the line's number, and how long the spelling is.
const HEAD: usize = size_of::<u64>() + NUMBER + size_of::<u32>();

/// Keeps record `number`, whose key hashes to `hash`, at the end of `out`.
///
/// # Errors
/// `BadInput`, when an operand is not what its op needs.
#[inline]
pub(super) fn keep(
    reader: &mut GroupReader,
    number: usize,
    line: Line<'_>,
    (spelling, hash): (&[u8], u64),
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&hash.to_le_bytes());
    head[8..8 + NUMBER].copy_from_slice(&line.number.to_le_bytes()[..NUMBER]);
    let start = out.len();
    out.extend_from_slice(&head);
    let push = |integer: i64| out.extend_from_slice(&integer.to_le_bytes());
    let are_integers = reader.check(number, line.text, push)?;
    let length = spelling.len() as u32 | if are_integers { INTEGERS } else { 0 };
    out[start + HEAD - 4..][..4].copy_from_slice(&length.to_le_bytes());
    let operands = if are_integers { &[] } else { reader.operands(number) };
    for place in reader.parts(number).iter().chain(operands) {
        let length = place.as_ref().map_or(NOT_THERE, |place| place.len() as u32);
        out.extend_from_slice(&length.to_le_bytes());
    }
    out.extend_from_slice(spelling);
    for place in operands.iter().flatten() {
        out.extend_from_slice(&line.text[place.clone()]);
    }
    Ok(())
}

/// The same of a record whose operands are integers, and whose key is of one part.
#[inline]
pub(super) fn keep_integers(
    number: u64,
    spelled: &Spelled<'_>,
    integers: impl Iterator<Item = i64>,
    out: &mut Vec<u8>,
) {
    let length = spelled.len() as u32;
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&spelled.hash.to_le_bytes());
    head[8..8 + NUMBER].copy_from_slice(&number.to_le_bytes()[..NUMBER]);
    head[8 + NUMBER..].copy_from_slice(&(length | INTEGERS).to_le_bytes());
    out.extend_from_slice(&head);
    integers.for_each(|integer| out.extend_from_slice(&integer.to_le_bytes()));
    out.extend_from_slice(&length.to_le_bytes());
    match spelled.short() {
        // As many bytes for each: that is faster than to see how many there are.
        Some(bytes) => {
            let end = out.len() + spelled.len();
            out.extend_from_slice(&bytes);
            out.truncate(end);
        }
        None => spelled.push(out),
    }
}

/// The length that some bytes say, if what it is of is there.
fn length_of(bytes: &[u8; 4]) -> Option<usize> {
    match u32::from_le_bytes(*bytes) {
        NOT_THERE => None,
        length => Some(length as usize),
    }
}

impl<'a> Kept<'a> {
    /// The first of those that are kept in `bytes`, which it takes away: `widths` are those of their reader.
    #[inline]
    pub(super) fn next(
        bytes: &mut &'a [u8],
        (parts, operands): (usize, usize),
    ) -> Option<Kept<'a>> {
        let (hash, rest) = bytes.split_first_chunk()?;
        let (line, rest) = rest.split_first_chunk::<NUMBER>()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        let are_integers = length & INTEGERS != 0;
        let (integers, rest) =
            rest.split_at_checked(if are_integers { operands * 8 } else { 0 })?;
        let (part_lengths, rest) = rest.split_at_checked(parts * 4)?;
        let (operand_lengths, rest) =
            rest.split_at_checked(if are_integers { 0 } else { operands * 4 })?;
        let (part_lengths, operand_lengths) =
            (part_lengths.as_chunks().0, operand_lengths.as_chunks().0);
        let operands: usize = operand_lengths.iter().filter_map(length_of).sum();
        let spelling = (length & !INTEGERS) as usize;
        let (text, rest) = rest.split_at_checked(spelling + operands)?;
        *bytes = rest;
        let mut number = [0; 8];
        number[..NUMBER].copy_from_slice(line);
        Some(Kept {
            hash: u64::from_le_bytes(*hash),
            number: u64::from_le_bytes(number),
            spelling: &text[..spelling],
            integers: are_integers.then_some(integers.as_chunks().0),
            part_lengths,
            operand_lengths,
            text,
        })
    }

    /// Its text, and where it stands.
    pub(super) fn line(&self) -> Line<'a> {
        Line { text: self.text, number: self.number, at: 0 }
    }

    /// Makes it record 0 of `reader`. Operands that are integers are not there then.
    pub(super) fn recall(&self, reader: &mut GroupReader) {
        // A part that is not there is spelled, too, and there is a comma between any two.
        let mut at = 0;
        let parts = self.part_lengths.iter().map(|bytes| {
            let (start, length) = (at, length_of(bytes));
            at += length.unwrap_or(NULL.len()) + 1;
            length.map(|length| start..start + length)
        });
        let mut at = self.spelling.len();
        let operands = self.operand_lengths.iter().map(|bytes| {
            let start = at;
            at += length_of(bytes)?;
            Some(start..at)
        });
        reader.recall(parts, operands);
    }
}
