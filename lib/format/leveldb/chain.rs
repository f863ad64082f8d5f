//! Chains: tables whose ranges of keys follow one another, read as one.
//!
//! LevelDB keeps the tables of a level (but the first) disjoint, so that a level is a chain. We
//! look at the ranges alone: however the tables lie, this makes the fewest chains, and as a chain
//! has one table open at a time, the fewest open files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::vec;

use super::damage::{Age, Damage};
use super::key::InternalKey;
use super::manifest::TableFile;
use super::table::{TableHandle, TableReader};
use crate::error::Result;

/// Reads a chain.
pub(super) struct Chain {
    ahead: vec::IntoIter<TableHandle>,
    table: TableReader,
    limit: usize,
}

/// Sorts tables into chains. `path` says where a table lies.
///
/// # Errors
/// What `path` says.
pub(super) fn chains(
    tables: &[TableFile],
    path: impl Fn(u64) -> Result<PathBuf>,
) -> Result<Vec<Vec<TableHandle>>> {
    let mut sorted: Vec<_> = tables.iter().map(|t| (range(t), t)).collect();
    sorted.sort_by_key(|(range, table)| (range.0, table.number));
    let mut chains: Vec<Vec<TableHandle>> = Vec::new();
    // The last key of each chain, the least first.
    let mut ends = BinaryHeap::new();
    for ((smallest, largest), table) in sorted {
        let link = link(table, path(table.number)?);
        let chain = match ends.peek() {
            Some(&Reverse((end, chain))) if end < smallest => {
                ends.pop();
                chain
            }
            _ => {
                chains.push(Vec::new());
                chains.len() - 1
            }
        };
        chains[chain].push(link);
        ends.push(Reverse((largest, chain)));
    }
    Ok(chains)
}

/// What the manifest says of a table, whose file lies at `path`.
pub(super) fn link(table: &TableFile, path: PathBuf) -> TableHandle {
    let (first, last) = range(table);
    let age = Age { level: table.level, number: table.number };
    TableHandle { path, size: table.size, range: (first.user.to_vec(), last.user.to_vec()), age }
}

/// The first and the last key of a table. The manifest's reader has checked their form.
fn range(table: &TableFile) -> (InternalKey<'_>, InternalKey<'_>) {
    let key = |bytes| InternalKey::parse(bytes).unwrap_or(InternalKey { user: bytes, tag: 0 });
    (key(&table.smallest), key(&table.largest))
}

impl Chain {
    /// Opens a chain at its first table; `None` if it has none.
    ///
    /// # Errors
    /// As [`TableReader::open`].
    pub(super) fn open(
        links: Vec<TableHandle>,
        limit: usize,
        damage: &mut Damage,
    ) -> Result<Option<Chain>> {
        let mut ahead = links.into_iter();
        let first = open_next(&mut ahead, limit, damage)?;
        Ok(first.map(|table| Chain { ahead, table, limit }))
    }

    /// Goes to the next entry; `false` behind the last.
    ///
    /// # Errors
    /// As [`TableReader::advance`] and [`TableReader::open`].
    #[inline]
    pub(super) fn advance(&mut self, damage: &mut Damage) -> Result<bool> {
        while !self.table.advance(damage)? {
            match open_next(&mut self.ahead, self.limit, damage)? {
                None => return Ok(false),
                Some(table) => self.table = table,
            }
        }
        Ok(true)
    }

    /// The table that is being read.
    #[inline]
    pub(super) fn table(&self) -> &TableReader {
        &self.table
    }
}

/// Opens the next table that can be opened.
fn open_next(
    ahead: &mut vec::IntoIter<TableHandle>,
    limit: usize,
    damage: &mut Damage,
) -> Result<Option<TableReader>> {
    for link in ahead {
        let ((first, last), age) = (link.range.clone(), link.age);
        match TableReader::open(link, limit) {
            Ok(table) => return Ok(Some(table)),
            Err(error) => damage.pass(error, &first, &last, age)?,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::key::tag;
    use super::*;

    fn table(number: u64, smallest: &str, largest: &str) -> TableFile {
        let key = |user: &str| [user.as_bytes(), &tag(number, 1).to_le_bytes()].concat();
        TableFile { number, level: 1, size: 0, smallest: key(smallest), largest: key(largest) }
    }

    fn numbers(tables: &[TableFile]) -> Vec<Vec<String>> {
        let links = chains(tables, |number| Ok(number.to_string().into())).unwrap();
        let name = |link: TableHandle| link.path.display().to_string();
        links.into_iter().map(|chain| chain.into_iter().map(name).collect()).collect()
    }

    #[test]
    fn there_are_as_many_chains_as_tables_overlap() {
        let tables =
            [table(1, "a", "c"), table(2, "b", "f"), table(3, "d", "e"), table(4, "g", "g")];
        assert_eq!(numbers(&tables), [vec!["1", "3", "4"], vec!["2"]]);
        let disjoint: Vec<_> =
            (0..1000).map(|n| table(n, &format!("{n:04}a"), &format!("{n:04}b"))).collect();
        assert_eq!(numbers(&disjoint).len(), 1);
        assert!(numbers(&[]).is_empty());
    }

    #[test]
    fn a_newer_table_that_ends_where_an_older_begins_comes_first() {
        assert_eq!(numbers(&[table(2, "a", "b"), table(1, "b", "c")]), [["2", "1"]]);
        assert_eq!(numbers(&[table(1, "a", "b"), table(2, "b", "c")]).len(), 2);
    }
}
