//! The operands of many records at once, as columns of ordinary numbers, which most are: each op then goes
//! through its column, and nothing is asked for each record that is the same for all.

use std::borrow::Cow;
use std::ops::Range;

use super::RecordPosition;
use super::add::{ReadRecord, Scratch};
use super::encoding::damaged;
use super::number::Plain;
use super::plan::ReductionPlan;
use super::state::{Held, OpState};
use crate::error::{Error, Result};
use crate::record::key::KeyPlace;
use crate::record::number::Short;

/// How many records a batch has.
pub const BATCH: usize = 64;

/// An operand of each record of a batch.
pub type OperandColumn = [Plain; BATCH];

/// A record of a batch, and the number of its group.
#[derive(Clone, Copy, Debug)]
pub struct Grouped {
    /// The number of the record in the batch.
    pub row: u32,
    /// The number of the group, whose states lie where those of so many groups end.
    pub group: u32,
}

/// A record of a batch as it is looked at where its numbers are not enough.
pub struct WholeRow<'a> {
    /// The record.
    pub record: Cow<'a, [u8]>,
    /// Where the operands lie in it.
    pub places: Vec<KeyPlace>,
    /// Where it stands in the input.
    pub at: RecordPosition,
}

/// Reads the numbers that are spelled at `places` of `text`; whether all are ordinary ones.
#[inline(always)]
fn read_numbers(
    text: &[u8],
    places: impl Fn(usize) -> Range<usize>,
    column: &mut OperandColumn,
) -> bool {
    column.iter_mut().enumerate().all(|(row, number)| {
        let short = Short::plain_in(text, places(row));
        let read = short.as_ref().and_then(Plain::of);
        *number = read.unwrap_or(Plain::Integer(0));
        read.is_some()
    })
}

impl ReductionPlan {
    /// Whether batches of records can be added as columns.
    pub fn takes_columns(&self) -> bool {
        let held = |held| matches!(held, Held::Count | Held::Sum | Held::Extreme(_));
        self.lacking.nulls.is_empty()
            && self.fields.iter().all(|field| !field.literal)
            && self.slots.iter().all(|slot| held(slot.held))
    }

    /// Whether integers are all that is needed of a record whose operands are such.
    pub fn takes_integers(&self) -> bool {
        self.takes_numbers
    }

    /// Reads the operands that the records of a batch hold for field number `field`, which lie at `places` in
    /// `text`. Whether all of them are ordinary numbers; if not, nothing is known of any.
    #[inline]
    pub fn read_column(
        &self,
        field: usize,
        text: &[u8],
        places: impl Fn(usize) -> Range<usize>,
        column: &mut OperandColumn,
    ) -> bool {
        let strict = self.fields[field].strict;
        let inside = |row| {
            let place = places(row);
            let quote = usize::from(strict && text[place.start] == b'"');
            place.start + quote..place.end - quote
        };
        read_numbers(text, inside, column)
    }

    /// The same of operands that are strings, of which the insides lie at `places`.
    #[inline]
    pub fn read_string_column(
        &self,
        field: usize,
        text: &[u8],
        places: impl Fn(usize) -> Range<usize>,
        column: &mut OperandColumn,
    ) -> bool {
        // Who takes anything takes a string for what it is.
        self.fields[field].strict && read_numbers(text, places, column)
    }

    /// Adds records of a batch to the states of their groups, which all groups have in `states`, one after the
    /// other. `row` gives one as it is. Returns by how many bytes the states grew beside themselves, about.
    ///
    /// # Errors
    /// As [`ReductionPlan::add`], with the number of the record.
    pub fn add_columns<'a>(
        &self,
        scratch: &mut Scratch,
        states: &mut [OpState],
        records: &[Grouped],
        columns: &[OperandColumn],
        row: impl Fn(usize) -> WholeRow<'a>,
    ) -> std::result::Result<usize, (usize, Error)> {
        let (width, mut grown) = (self.width(), 0);
        for (slot_number, slot) in self.slots.iter().enumerate() {
            let column = slot.field.and_then(|field| columns.get(field));
            for Grouped { row: number, group } in records {
                let number = *number as usize;
                let Some(state) = states.get_mut(*group as usize * width + slot_number) else {
                    return Err((number, damaged()));
                };
                match (state, column, slot.held) {
                    (OpState::Count(count), ..) => *count += 1,
                    (OpState::Sum(sum), Some(column), _) => sum.add_plain(column[number]),
                    (OpState::Extreme(extreme), Some(column), Held::Extreme(wanted)) => {
                        if !extreme.surpasses(wanted, column[number].nearest()) {
                            let state = &mut states[*group as usize * width + slot_number];
                            grown += self
                                .offer(scratch, slot_number, state, &row(number))
                                .map_err(|error| (number, error))?;
                        }
                    }
                    _ => return Err((number, damaged())),
                }
            }
        }
        Ok(grown)
    }

    /// The same of records of which no more than integers is needed.
    ///
    /// # Errors
    /// `Incomplete`, when those are no states of this plan.
    #[inline]
    pub fn add_integer_columns(
        &self,
        states: &mut [OpState],
        records: &[Grouped],
        columns: &[OperandColumn],
    ) -> Result<()> {
        let row = |_| WholeRow {
            record: Cow::default(),
            places: Vec::new(),
            at: RecordPosition::default(),
        };
        let added = self.add_columns(&mut Scratch::default(), states, records, columns, row);
        added.map(drop).map_err(|(_, error)| error)
    }

    /// Adds the operand of a record to one state, as if it came alone. Returns by how many bytes that grew.
    #[cold]
    fn offer(
        &self,
        scratch: &mut Scratch,
        slot: usize,
        state: &mut OpState,
        row: &WholeRow<'_>,
    ) -> Result<usize> {
        self.read_operands(scratch, &row.record, &row.places)?;
        let slot = &self.slots[slot];
        let Scratch { operands, texts } = scratch;
        let operand = slot.field.and_then(|field| operands.get(field)).ok_or_else(damaged)?;
        let one = ReadRecord { record: &row.record, at: row.at, operands, texts };
        self.add_ordered(slot, state, operand, &one)
    }
}
