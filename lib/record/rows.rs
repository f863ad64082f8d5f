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
    /// Of each row where its fields begin, and where the next row does.
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
        let of = &self.starts[row * self.width..][..self.width];
        of[0] as usize..of[self.width - 1] as usize - 1
    }
}

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
        if text.len() > u32::MAX as usize {
            return (0, at);
        }
        places.width = self.before.len() + 1;
        places.starts.resize(count * places.width, 0);
        for (number, row) in places.starts.chunks_exact_mut(places.width).enumerate() {
            match self.read_row(text, at, row) {
                Some(end) => at = end,
                None => return (number, at),
            }
        }
        (count, at)
    }

    /// Where the row ends that begins at byte `at`, if it stands for a record as it is.
    #[inline(always)]
    fn read_row(&self, text: &[u8], at: usize, starts: &mut [u32]) -> Option<usize> {
        let (mut from, mut left) = (at, self.before.len());
        let (next, starts) = starts.split_last_mut()?;
        for start in starts {
            *start = from as u32;
            left -= 1;
            let end = wide::field_end(text, from, self.delimiter);
            let due = if left > 0 { self.delimiter } else { b'\n' };
            if text.get(end) != Some(&due) {
                return None;
            }
            from = end + 1;
        }
        *next = from as u32;
        // A blank line is no row.
        let fits = from - at > 1 && from - at + self.longer <= self.max_record;
        fits.then_some(from)
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
