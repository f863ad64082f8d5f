//! The records of a stream, checked, and taken apart: where in each of them the values at some paths
//! lie. What is built as the ones before is not read again as JSON ([`layout`](super::layout)).

use std::ops::Range;

use super::layout::Layouts;
pub use super::layout::Lines;
use super::scan::{
    Scan, Step, array, check, check_utf8, elements, expect_end, members, object, skip_space, value,
};
use super::text::string_bytes;

/// Checks the records of a stream, as [`check`] does: the faster, the more they are alike.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    layouts: Layouts,
}

impl Checker {
    /// Checks the next record.
    ///
    /// # Errors
    /// As [`check`].
    #[inline]
    pub fn check(&mut self, record: &[u8]) -> Scan<()> {
        if self.layouts.locate(record, &mut []) {
            return Ok(());
        }
        check(record)?;
        if self.layouts.is_learning() {
            self.layouts.learn(record, &[]);
        }
        Ok(())
    }

    /// How many lines from byte `at` of `text` on, of at most `most` bytes each, are built as the last one was: then
    /// they are checked. And where the one behind them begins, of which nothing is known.
    #[inline]
    pub fn check_lines(&mut self, text: &[u8], at: usize, most: usize) -> (usize, usize) {
        self.layouts.check_lines(text, at, most)
    }
}

/// Finds the values at some paths of a record while it checks the whole record.
#[derive(Clone, Debug)]
pub struct Fields {
    paths: Vec<Vec<Step>>,
    found: Vec<Option<Range<usize>>>,
    layouts: Layouts,
}

impl Fields {
    /// To look for the values at `paths`; an empty path is the whole record.
    pub fn new(paths: Vec<Vec<Step>>) -> Fields {
        let found = vec![None; paths.len()];
        Fields { paths, found, layouts: Layouts::default() }
    }

    /// How many values are looked for.
    pub fn width(&self) -> usize {
        self.paths.len()
    }

    /// Checks `record` and finds the values: where each path's value lies in it, without white
    /// space around, or `None` where the record has no such part.
    ///
    /// # Errors
    /// The first flaw and its place.
    #[inline]
    pub fn locate(&mut self, record: &[u8]) -> Scan<&[Option<Range<usize>>]> {
        if !self.layouts.locate(record, &mut self.found) {
            self.read(record)?;
            if self.layouts.is_learning() {
                self.layouts.learn(record, &self.found);
            }
        }
        Ok(&self.found)
    }

    /// Where the record ends that begins at byte `at` of `text`, if it is built as the last one was and a line end
    /// follows it: then it is checked, and where its values lie is appended to `places`. Else nothing is known of it.
    #[inline(always)]
    pub fn locate_line(
        &mut self,
        text: &[u8],
        at: usize,
        places: &mut Vec<Option<Range<usize>>>,
    ) -> Option<usize> {
        self.layouts.locate_line(text, at, places)
    }

    /// Checks the lines that begin at byte `at` of `text`, at most `count`, up to one that is not built as the last
    /// one was, and finds their values. How many those are, and where the next begins, of which nothing is known.
    #[inline]
    pub fn locate_lines(
        &mut self,
        text: &[u8],
        at: usize,
        count: usize,
        lines: &mut Lines,
    ) -> (usize, usize) {
        self.layouts.locate_lines(text, at, count, lines)
    }

    /// As [`Fields::locate`], of a record that is built in no way that is known.
    fn read(&mut self, record: &[u8]) -> Scan<()> {
        check_utf8(record)?;
        self.found.fill(None);
        let start = skip_space(record, 0);
        let (paths, found) = (&self.paths, &mut self.found);
        let end = match record.get(start) {
            Some(b'{') => object::<false>(record, start, 0, |name, value| {
                for (path, found) in paths.iter().zip(found.iter_mut()) {
                    if let Some(Step::Name(wanted)) = path.first()
                        && same_name(&record[name.clone()], wanted)
                    {
                        *found = descend(record, value.clone(), &path[1..]);
                    }
                }
            })?,
            Some(b'[') => array::<false>(record, start, 0, |index, value| {
                for (path, found) in paths.iter().zip(found.iter_mut()) {
                    if path.first() == Some(&Step::Index(index)) {
                        *found = descend(record, value.clone(), &path[1..]);
                    }
                }
            })?,
            _ => value::<false>(record, start, 0)?,
        };
        expect_end(record, end)?;
        for (path, found) in self.paths.iter().zip(self.found.iter_mut()) {
            if path.is_empty() {
                *found = Some(start..end);
            }
        }
        Ok(())
    }
}

/// Where the value at `path` within the valid value at `place` lies.
fn descend(record: &[u8], place: Range<usize>, path: &[Step]) -> Option<Range<usize>> {
    let Some(step) = path.first() else { return Some(place) };
    let text = &record[place];
    let found = match step {
        Step::Name(wanted) => {
            members(text).filter(|(name, _)| same_name(name, wanted)).last().map(|(_, v)| v)
        }
        Step::Index(index) => elements(text).nth(*index),
    }?;
    // Where `found` lies in `record`: both are slices of the same text.
    let start = found.as_ptr() as usize - record.as_ptr() as usize;
    descend(record, start..start + found.len(), &path[1..])
}

/// Whether a name literal stands for `wanted`.
fn same_name(literal: &[u8], wanted: &[u8]) -> bool {
    let inner = &literal[1..literal.len() - 1];
    inner == wanted && !wanted.contains(&b'\\')
        || literal.contains(&b'\\') && string_bytes(literal).as_ref() == wanted
}
