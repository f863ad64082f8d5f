//! Streams of records by their keys: their order ([`order`]), the parts of groups that are in
//! memory ([`table`]) and how whole groups come of them ([`assemble`]), results per group
//! ([`mod@reduce`]), streams that are in order already ([`cursor`]), and two streams as one
//! ([`mod@join`]).
//!
//! # How records become groups
//!
//! 1. *Blocks of records to a table*, on every thread (`batch`, [`mod@fill`]): records are looked up some at once, by the
//!    very bytes that spell their keys, so that the canonical key is made for a group and not for a record.
//!    Where 64 that follow one another are built alike and their operands are ordinary numbers, which is most of most
//!    streams, they are read as columns (`columns`), and each op goes through its own. The rows of a CSV file are read so
//!    without being written down as records.
//! 2. *Where there are more groups than fit into a core's cache*, a thread keeps those that it has in its table
//!    and deals the other records to partitions, by their hash (`spread`). Of a record no more is kept than
//!    where it stands, its key, and its operands (`kept`). Whoever has filled a partition adds all of it to the
//!    partition's own table: each group is in memory once, however many threads there are.
//! 3. *Tables that outgrow their memory* become sorted runs of parts of groups, as all do at the end; those are
//!    merged by their canonical keys, in ranges. Parts that follow one another are of one group, and the thread
//!    that merges them tells its result (`piece`); what may go on in the next range, [`assemble`] puts together.
//!
//! It spreads its work over threads, but knows no processes, hosts or options.

pub mod assemble;
mod batch;
mod columns;
pub mod combiner;
pub mod cursor;
pub mod fill;
pub mod grouping;
pub mod join;
mod kept;
pub mod order;
mod piece;
pub mod reader;
pub mod reduce;
mod spelled;
mod spread;
pub mod table;

#[cfg(test)]
mod tests;
