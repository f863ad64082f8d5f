//! Rows of text that stand for records: each is a line of fields between delimiters, which are the strings of a
//! record, as they stand. What is asked of such records can be told from the rows, and most are never written down.

use std::ops::Range;

use super::block::Block;
use super::wide;
use crate::error::Result;

/// How the records look that rows stand for.
#[derive(Clone, Debug)]
pub struct RowForm {
    delimiter: u8,
    /// What stands before the text of each field, its quote included, and behind that of the last.
    before: Vec<Vec<u8>>,
    behind: Vec<u8>,
    /// How many bytes longer than its row a record is, and how long both may be.
    longer: usize,
    max_record: usize,
}

/// Where the fields of rows lie that were read.
#[derive(Clone, Debug, Default)]
pub struct FieldPlaces {
    /// Where the fields of all rows begin, one after the other, and where the next would: a byte stands between any two.
    starts: Vec<u32>,
    width: usize,
}

impl FieldPlaces {
    /// Where field `field` of a row lies, in bytes of the text that was read, by the number of the row.
    #[inline(always)]
    pub fn field(&self, field: usize) -> impl Fn(usize) -> Range<usize> {
        move |row| {
            let at = row * self.width + field;
            self.starts[at] as usize..self.starts[at + 1] as usize - 1
        }
    }

    /// Where a row lies, without its line end.
    pub fn row(&self, row: usize) -> Range<usize> {
        let of = &self.starts[row * self.width..][..=self.width];
        of[0] as usize..of[self.width] as usize - 1
    }

    /// Finds the fields of at most `count` rows in `text` from byte `at` on: each ends before the next `delimiter`, or
    /// before what cannot stand in a string as it is. How many rows have all their fields.
    #[inline(always)]
    fn find(&mut self, text: &[u8], at: usize, count: usize, delimiter: u8) -> usize {
        let wanted = count * self.width;
        // All bytes that are looked at together may be ends, and some more are written than there are.
        self.starts.resize(1 + wanted + u64::BITS as usize + AT_ONCE, 0);
        self.starts[0] = at as u32;
        let mut found = 0;
        for from in (at..text.len()).step_by(u64::BITS as usize) {
            let mut ends = wide::ends_in(text, from, delimiter);
            let mut next = 1 + found;
            found += ends.count_ones() as usize;
            while ends != 0 {
                // So many are written as if they were there: how many there are is as good as random.
                for start in &mut self.starts[next..next + AT_ONCE] {
                    *start = (from + 1) as u32 + ends.trailing_zeros();
                    ends &= ends.wrapping_sub(1);
                }
                next += AT_ONCE;
            }
            if found >= wanted {
                return count;
            }
        }
        found / self.width
    }
}

/// So many ends are written down at once.
const AT_ONCE: usize = 8;

/// In longer texts no rows are read, for places beyond their ends must be counted, too.
const TEXT_MAX: usize = u32::MAX as usize >> 1;

impl RowForm {
    /// Of rows of so many fields as texts in `before`: what stands before each in its record, its opening quote
    /// included. `behind` stands behind the quote of the last, with the line end. Rows and records are at most
    /// `max_record` bytes long.
    pub fn new(delimiter: u8, before: &[Vec<u8>], behind: &[u8], max_record: usize) -> RowForm {
        let closed = |(number, before): (usize, &Vec<u8>)| match number {
            0 => before.clone(),
            _ => [b"\"", before.as_slice()].concat(),
        };
        let before: Vec<Vec<u8>> = before.iter().enumerate().map(closed).collect();
        let behind = [b"\"", behind].concat();
        let around = before.iter().map(Vec::len).sum::<usize>() + behind.len();
        // A delimiter or line end stands behind each field of a row.
        let longer = around.saturating_sub(before.len());
        RowForm { delimiter, before, behind, longer, max_record }
    }

    /// How many fields a row has.
    pub fn width(&self) -> usize {
        self.before.len()
    }

    /// How many bytes longer than its row a record is.
    pub fn longer(&self) -> usize {
        self.longer
    }

    /// Reads the rows that begin at byte `at` of `text`, which is UTF-8, at most `count`, up to one that does not stand for a
    /// record as it is. How many those are, and where the next begins.
    #[inline]
    pub fn read(
        &self,
        text: &[u8],
        mut at: usize,
        count: usize,
        places: &mut FieldPlaces,
    ) -> (usize, usize) {
        if self.before.is_empty() || text.len() > TEXT_MAX {
            return (0, at);
        }
        places.width = self.before.len();
        let found = places.find(text, at, count, self.delimiter);
        let rows = places.starts.windows(places.width + 1).step_by(places.width).take(found);
        let mut number = 0;
        for row in rows {
            let Some(end) = self.end_of(text, row) else { break };
            (number, at) = (number + 1, end);
        }
        (number, at)
    }

    /// Where the next row begins behind the one whose fields begin at all but the last of `starts`, if it stands for a
    /// record as it is.
    #[inline(always)]
    fn end_of(&self, text: &[u8], starts: &[u32]) -> Option<usize> {
        let [first, between @ .., next] = starts else { return None };
        let (first, next) = (*first as usize, *next as usize);
        let is = |start: usize, byte| text.get(start - 1) == Some(&byte);
        let is_row =
            between.iter().all(|start| is(*start as usize, self.delimiter)) && is(next, b'\n');
        // A blank line is no row.
        let fits = next - first > 1 && next - first + self.longer <= self.max_record;
        (is_row && fits).then_some(next)
    }

    /// Appends the record that a row stands for, which was read, and its line end. Where its values lie in it is
    /// appended to `values`.
    pub fn push_record(&self, row: &[u8], out: &mut Vec<u8>, values: &mut Vec<Range<usize>>) {
        let start = out.len();
        let fields = row.split(|byte| *byte == self.delimiter);
        for (number, (before, field)) in self.before.iter().zip(fields).enumerate() {
            out.extend_from_slice(before);
            // The quote before it belongs to it, and so does the one that closes it, which comes next.
            let from = out.len() - 1 - start;
            out.extend_from_slice(field);
            values.push(from..out.len() + 1 - start);
            if number + 1 == self.before.len() {
                out.extend_from_slice(&self.behind);
            }
        }
    }
}

/// What rows of a file stand for.
pub trait RowRecords: Send + Sync {
    /// How the records look of most of them.
    fn form(&self) -> &RowForm;

    /// Appends the records of `rows`, whatever is in them, of which as many as `before` come before them.
    ///
    /// # Errors
    /// `BadInput` for what is no row.
    fn push_records(&self, rows: &[u8], before: u64, out: &mut Vec<u8>) -> Result<()>;
}

/// Rows of a file, each a line.
pub struct RowBlock {
    /// The rows, each with its LF.
    pub bytes: Vec<u8>,
    /// How many they are.
    pub count: u64,
    /// The number of the first one's record in the stream, from 1.
    pub first_line: u64,
    /// What they stand for.
    pub records: Box<dyn RowRecords>,
}

/// A block of a stream, as it came.
pub enum StreamBlock {
    /// Records.
    Lines(Block),
    /// Rows that stand for records.
    Rows(RowBlock),
}

impl StreamBlock {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            StreamBlock::Lines(block) => &block.bytes,
            StreamBlock::Rows(rows) => &rows.bytes,
        }
    }

    /// Its memory.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            StreamBlock::Lines(block) => block.bytes,
            StreamBlock::Rows(rows) => rows.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::scan::check;

    fn form(width: usize, max_record: usize) -> RowForm {
        let before = |n| format!("{}\"{n}\":\"", if n == 0 { '{' } else { ',' }).into_bytes();
        RowForm::new(b';', &(0..width).map(before).collect::<Vec<_>>(), b"}\n", max_record)
    }

    proptest! {
        #[test]
        fn a_row_that_is_read_stands_for_a_record(
            rows in prop::collection::vec("[a-c;é \"\\\\\r\t\u{1}]{0,20}", 1..20),
            width in 1usize..4,
            max_record in 20usize..80,
        ) {
            let (form, text) = (form(width, max_record), rows.join("\n") + "\n");
            let is_plain = |row: &&String| {
                !row.is_empty()
                    && row.matches(';').count() + 1 == width
                    && !row.contains(|c| c < ' ' || c == '"' || c == '\\')
                    && row.len() + 1 + form.longer() <= max_record
            };
            let due = rows.iter().take_while(is_plain).count();
            let mut places = FieldPlaces::default();
            let (count, end) = form.read(text.as_bytes(), 0, rows.len(), &mut places);
            prop_assert_eq!(count, due);
            prop_assert_eq!(end, rows[..due].iter().map(|row| row.len() + 1).sum::<usize>());
            for (number, row) in rows[..due].iter().enumerate() {
                prop_assert_eq!(&text[places.row(number)], row.as_str());
                let (mut record, mut values) = (b"x".to_vec(), Vec::new());
                form.push_record(row.as_bytes(), &mut record, &mut values);
                let record = &record[1..];
                prop_assert_eq!(record.len(), row.len() + 1 + form.longer());
                prop_assert_eq!(check(&record[..record.len() - 1]), Ok(()));
                for (field, value) in values.iter().enumerate() {
                    let text = format!("\"{}\"", &text[places.field(field)(number)]);
                    prop_assert_eq!(&record[value.clone()], text.as_bytes());
                }
                prop_assert_eq!(values.len(), width);
            }
        }
    }
}
