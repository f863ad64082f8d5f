//! Streams of records by their keys: their order ([`order`]), the parts of groups that are in
//! memory ([`table`]) and how whole groups come of them ([`assemble`]), results per group
//! ([`mod@reduce`]), streams that are in order already ([`cursor`]), and two streams as one
//! ([`mod@join`]).
//!
//! It spreads its work over threads, but knows no processes, hosts or options.

pub mod assemble;
pub mod cursor;
pub mod fill;
pub mod grouping;
pub mod join;
mod kept;
pub mod order;
mod piece;
pub mod reader;
pub mod reduce;
mod spread;
pub mod table;

#[cfg(test)]
mod tests;
