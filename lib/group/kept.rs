//! Records that are kept until they are added to their groups, as bytes: of each where it stands, its key, and its
//! operands, which are numbers already where that is all that is needed of them. Most are short rows, all of one width:
//! those have a short key of one part, and integers.

use std::array;

use super::reader::{GroupReader, NULL};
use super::spelled::{SHORT_KEY, Spelled};
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

/// The first byte of a row says how long the spelling of a short one is, or that it is another; the number of its line
/// takes the next ones: there are not as many lines.
const OTHER: u8 = u8::MAX;
const NUMBER: usize = 7;

/// The bytes of a short row of one operand.
pub(super) const SHORT_ROW: usize = 8 + SHORT_KEY + 8;

/// The bytes before the operands of another one: the first, the line's number, the hash, and how long the spelling is.
const HEAD: usize = 1 + NUMBER + size_of::<u64>() + size_of::<u32>();

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
    head[..8].copy_from_slice(&first_word(OTHER, line.number));
    head[8..16].copy_from_slice(&hash.to_le_bytes());
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

/// The same of a record whose key is of one part, and whose operands are integers; whether its spelling is short
/// enough.
#[inline]
pub(super) fn keep_short(
    number: u64,
    spelled: &Spelled<'_>,
    integers: impl Iterator<Item = i64>,
    out: &mut Vec<u8>,
) -> bool {
    if spelled.len() > SHORT_KEY {
        return false;
    }
    let mut head = [0; 8 + SHORT_KEY];
    head[..8].copy_from_slice(&first_word(spelled.len() as u8, number));
    head[8..16].copy_from_slice(&spelled.head[0].to_le_bytes());
    head[16..].copy_from_slice(&spelled.head[1].to_le_bytes());
    out.extend_from_slice(&head);
    integers.for_each(|integer| out.extend_from_slice(&integer.to_le_bytes()));
    true
}

/// How a row begins.
#[inline]
fn first_word(what: u8, number: u64) -> [u8; 8] {
    (number << 8 | u64::from(what)).to_le_bytes()
}

/// A short row.
#[derive(Clone, Copy)]
pub(super) struct ShortRow<'a> {
    /// The number of its line.
    pub(super) number: u64,
    pub(super) spelled: Spelled<'a>,
    pub(super) integers: &'a [[u8; 8]],
}

impl<'a> ShortRow<'a> {
    /// Appends the short rows at the beginning of `bytes`, up to so many, which it takes away: they have so many
    /// operands.
    #[inline]
    pub(super) fn take(
        bytes: &mut &'a [u8],
        operands: usize,
        count: usize,
        rows: &mut Vec<ShortRow<'a>>,
    ) {
        let width = 8 + SHORT_KEY + 8 * operands;
        for row in bytes.chunks_exact(width).take(count) {
            let (words, _) = row.as_chunks();
            let ([first, low, high], integers) = (array::from_fn(|at| words[at]), &words[3..]);
            if first[0] == OTHER {
                break;
            }
            let head = [low, high].map(u64::from_le_bytes);
            let spelled = Spelled::short(&row[8..][..usize::from(first[0])], head);
            rows.push(ShortRow { number: u64::from_le_bytes(first) >> 8, spelled, integers });
        }
        *bytes = &bytes[rows.len() * width..];
    }

    /// Makes it record 0 of `reader`, without its operands.
    pub(super) fn recall(&self, reader: &mut GroupReader) {
        reader.recall([Some(0..self.spelled.len())].into_iter(), [].into_iter());
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
    /// The first of those that are kept in `bytes`, if it is no short row, which it takes away: `widths` are those of
    /// their reader.
    #[inline]
    pub(super) fn next(
        bytes: &mut &'a [u8],
        (parts, operands): (usize, usize),
    ) -> Option<Kept<'a>> {
        let (first, rest) = bytes.split_first_chunk().filter(|(first, _)| first[0] == OTHER)?;
        let (hash, rest) = rest.split_first_chunk()?;
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
        Some(Kept {
            hash: u64::from_le_bytes(*hash),
            number: u64::from_le_bytes(*first) >> 8,
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
