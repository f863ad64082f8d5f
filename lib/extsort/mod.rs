//! Sorting more than memory holds: sorted runs in memory, spilled runs on disk, and their merge.
//!
//! It sorts *items*: a text (a record's bytes) under a key (bytes). It knows nothing of JSON;
//! keys compare as bytes and must be *prefix-free* (no key begins another, unlike, key). Items with
//! equal keys keep the order in which they came.

pub mod budget;
pub mod integers;
pub mod merge;
pub mod partition;
mod places;
pub mod run;
pub mod segment;
pub mod sorter;
pub mod spill;
