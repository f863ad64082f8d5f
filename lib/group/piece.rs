//! What some records, or parts of groups, that are in key order give: whole groups, but for those at the ends.

use super::grouping::{Group, Grouping};
use super::table::decode_into;
use crate::error::Result;
use crate::extsort::spill::each_item;

/// The parts of the first and the last group, which may go on in other pieces, and the results of
/// those between.
#[derive(Debug, Default)]
pub struct GroupPiece {
    /// The first group; none if there is no group.
    pub first: Option<Group>,
    /// The results of the groups between, as lines, and how many those are.
    pub results: Vec<u8>,
    /// How many groups the results are of.
    pub groups: u64,
    /// The last group, if it is not the first.
    pub last: Option<Group>,
    /// The number of the first line it comes from, for messages.
    pub line: u64,
}

impl GroupPiece {
    /// Of parts in the form of a spilled run, whose texts are those of
    /// [`encode`](super::table::encode).
    ///
    /// # Errors
    /// `BadInput`, when a result cannot be told; `Incomplete`, when the bytes are damaged.
    pub fn of_parts(grouping: &Grouping, parts: &[u8]) -> Result<GroupPiece> {
        let (mut piece, mut open) = (GroupPiece::default(), None::<Group>);
        let mut part = Group::default();
        each_item(parts, &mut |key, text| {
            if let Some(open) = &mut open
                && open.key == key
            {
                decode_into(grouping.plan(), key, text, &mut part)?;
                return open.take(grouping, std::mem::take(&mut part));
            }
            let mut next = piece.close(open.take(), grouping)?;
            decode_into(grouping.plan(), key, text, &mut next)?;
            open = Some(next);
            Ok(())
        })?;
        piece.end(open);
        Ok(piece)
    }

    /// Takes the next group, if there is one, after which others follow. Gives memory for one of them.
    ///
    /// # Errors
    /// `BadInput`, when its result cannot be told.
    pub fn close(&mut self, group: Option<Group>, grouping: &Grouping) -> Result<Group> {
        let Some(mut group) = group else { return Ok(Group::default()) };
        if self.first.is_none() {
            self.first = Some(group);
            return Ok(Group::default());
        }
        grouping.push_result(&mut group, &mut self.results)?;
        self.groups += 1;
        Ok(group)
    }

    /// Takes the last group, if there is one.
    pub fn end(&mut self, group: Option<Group>) {
        match self.first.is_none() {
            true => self.first = group,
            false => self.last = group,
        }
    }
}
