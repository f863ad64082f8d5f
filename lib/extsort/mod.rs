//! Sorting more than memory holds: sorted runs in memory, spilled runs on disk, and their merge.
//!
//! It sorts *items*: a text (a record's bytes) under a key (bytes). It knows nothing of JSON;
//! keys compare as bytes and must be *prefix-free* (no key begins another, unlike, key). Items with
//! equal keys keep the order in which they came.
//!
//! # How the bytes flow
//!
//! 1. *Blocks to runs*, on every thread. Whoever has a block of text gives each item's key
//!    ([`run::RunBuilder`]). An item is 24 bytes: the first eight of its key as a number, and the places of key
//!    and text, which stay where they are. Sorted are not the items but numbers of 128 bits, eight bytes of
//!    key and a place (`places`): most comparisons look at nothing else, and a block is so small that all of it
//!    lies in a core's cache.
//!    Numbers of half their size are sorted first, of the bits in which the keys of a block differ. Texts that are
//!    short are then put in the same order, as long as they are in that cache, too.
//! 2. *Runs in memory to the output*, on every thread. The common order of all runs is cut into ranges
//!    by samples ([`partition`]). A range has a sorted piece of each run: the pieces' places are sorted together.
//!    Then the texts are gathered from all runs: the next ones are looked at before they are copied, so that the
//!    memory is waited for once for some of them.
//! 3. *When runs outgrow the memory* they go to a file, merged as above, with their keys. Files that are too
//!    many for the memory, or for the open files that a process may have, are merged in levels. At the end
//!    a loser tree ([`merge`]) merges the rest.
//! 4. *Where only the first of each key counts*, records that came before in the same words are dropped before
//!    anything else is done with them ([`seen`]): each thread knows some, and what it does not know meets its like
//!    in the block, or in a merge.
//! 5. *Integers alone* are no items: eight bytes each, sorted by digits ([`integers`]).
//!
//! # Where the time goes
//!
//! Of ten million objects of 31 bytes under a key of 12, in memory: a quarter is the system's (pages for the memory,
//! the copy in, and the copy out), a fifth to find and check the keys, a fifth to sort places, and a fifth to
//! put the texts in order and gather them, which took twice as long when they were gathered from anywhere.
//!
//! Tried and left: blocks of 8 MiB (places out of the cache), items sorted as they are by their prefix and then by
//! a look at their keys (twice the time: a branch that nobody can foretell, and keys anywhere in memory where
//! prefixes are equal), arranging the items in place, round by round (each step waits for the one before: three
//! times the time of the sort itself), and knowing more of what was seen than 16 MiB a thread (out of the caches: no
//! fewer seconds where much comes again, and a third more where nothing does).

pub mod budget;
pub mod integers;
pub mod merge;
pub mod partition;
mod places;
pub mod run;
pub mod seen;
pub mod segment;
pub mod sorter;
pub mod spill;
