//! The reducers: what becomes of the records of a group.
//!
//! A [`ReductionPlan`] is made of [`Op`]s, `[NAME=]OP[:FIELD]`. Each group has its [`OpState`]s: records are
//! added to them, parts of a group are merged, and a finished group gives one JSON value for each
//! op. Results depend neither on the order of additions nor on how a group was partitioned: sums
//! are exact and rounded once, and ties go by [`RecordPosition`]. This room reads and writes nothing, and
//! knows nothing of keys; who groups and who spills is `stage`'s affair.
//!
//! # The ops
//!
//! | op | operands | result | of no operand |
//! | --- | --- | --- | --- |
//! | `count` | without FIELD: records; else values | their number | 0 |
//! | `sum` | numbers | the sum: an integer in full if all are integers, else a double | null |
//! | `mean`, `avg` | numbers | a double | null |
//! | `var`, `stddev` | numbers | a double: those of a sample | null, as of one |
//! | `p50`, `p99.9`, `median`, `quantile=Q` | numbers | the quantile of type 7 | null |
//! | `min`, `max` | ordered values | the value; the first of equal ones | null |
//! | `minby`, `firstby`, `maxby` | ordered values | the whole record; the first of equal ones | null |
//! | `lastby` | ordered values | the whole record of the greatest; the last of equal ones | null |
//! | `top=N`, `bottom=N` | ordered values | an array of the N greatest, greatest first, or the N least, least first; equal ones in input order | `[]` |
//! | `topby=N`, `bottomby=N` | ordered values | an array of their whole records | `[]` |
//! | `first`, `last` | any values | the value | null |
//! | `ndistinct` | any values | how many differ as keys (`1` and `1.0` do not) | 0 |
//! | `collect` | any values | an array of them in input order, at most as long as a record | `[]` |
//! | `sample=N` | any values | an array of N of them, in the order of their records' hashes | `[]` |
//!
//! - **Numbers** are JSON numbers and numeric strings (`" +5"`, `"5."`, `".5e3"`); anything else is
//!   an error. An integer is a number written without point and exponent, and exact; any other is
//!   the nearest double. An operand or result beyond the range of doubles is an error.
//! - **Ordered values** are all values in jq's order, but numeric strings count as the numbers that
//!   they spell. They compare exactly and are not rounded: a result has the digits of its record.
//!   Numbers and text in one group are an error.
//! - **Any values** are taken as they are, numeric strings, `null` and `""` included.
//! - **Missing** operands: no such field; for all but the ops of any values also `null`, blank
//!   strings, and text that was named as null. `fail` (the default): an error. `skip`: left out, as
//!   is what is no number where one is due, and the record is counted as one that lacks something.
//!   `null`: left out without a word, but for the ops of any values a field that is not there is
//!   the value `null`.
//! - **Doubles** print as ECMAScript prints them.
//!
//! # Names
//!
//! A result is named NAME, else after the last name on FIELD's path and the op, with its parameter:
//! `amount_sum`, `ms_p95`, `ms_q0.5`, `ms_top3`; without such a name after the op alone.

mod add;
mod collect;
mod columns;
mod distinct;
mod draw;
mod edge;
mod encoding;
mod exact;
mod extreme;
mod finish;
mod kinds;
mod moments;
mod number;
mod op;
mod operand;
mod plan;
mod print;
mod quantile;
mod round;
mod sample;
mod state;
mod sum;
mod top;

#[cfg(test)]
mod tests;

pub use add::{Added, Scratch};
pub use columns::{BATCH, Grouped, OperandColumn, WholeRow};
pub use encoding::StateDecoder;
pub use number::Plain;
pub use op::{OPS, Op, Reducer};
pub use plan::ReductionPlan;
pub use print::{push_double, push_spelling};
pub use quantile::Quantile;
pub use state::OpState;

use crate::error::Result;

/// Where a record stands in the input: ties, `first`, `last` and `collect` go by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordPosition {
    /// The number of the shard, block or file: the more significant part.
    pub shard: u64,
    /// The number of the record within that.
    pub index: u64,
}

impl RecordPosition {
    fn encode(self, out: &mut Vec<u8>) {
        encoding::push_count(out, self.shard);
        encoding::push_count(out, self.index);
    }

    fn decode(decoder: &mut StateDecoder) -> Result<RecordPosition> {
        Ok(RecordPosition { shard: decoder.count()?, index: decoder.count()? })
    }
}
