//! Some rows of one column: values, with the levels that say where in the rows they belong.

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescriptor;

use super::leaf::ColumnValues;

/// Cells of one column.
#[derive(Debug)]
pub(super) struct ColumnCells {
    pub(super) values: ColumnValues,
    /// The levels of each cell; none of a column that is always there, or in no list.
    pub(super) there: Vec<i16>,
    pub(super) again: Vec<i16>,
    /// The deepest level: there a value is.
    pub(super) deepest: i16,
    has_lists: bool,
    /// Where the next cell is, and the next value.
    at: usize,
    value: usize,
    /// How many cells there are.
    count: usize,
}

impl ColumnCells {
    /// None of this column.
    pub(super) fn of(column: &ColumnDescriptor) -> ColumnCells {
        ColumnCells {
            values: ColumnValues::new(column.physical_type()),
            there: Vec::new(),
            again: Vec::new(),
            deepest: column.max_def_level(),
            has_lists: column.max_rep_level() > 0,
            at: 0,
            value: 0,
            count: 0,
        }
    }

    /// Reads the next `rows` rows in the place of those that are there.
    ///
    /// # Errors
    /// When the file is damaged.
    pub(super) fn read(&mut self, reader: &mut ColumnReader, rows: usize) -> Result<()> {
        self.clear();
        let mut left = rows;
        while left > 0 {
            let (read, cells) = self.read_some(reader, left)?;
            if read == 0 {
                return Err(ParquetError::EOF("a column ends before its rows".into()));
            }
            left -= read;
            self.count += cells;
        }
        Ok(())
    }

    /// How many rows were read, and how many cells.
    fn read_some(&mut self, reader: &mut ColumnReader, rows: usize) -> Result<(usize, usize)> {
        let (there, again) = (&mut self.there, &mut self.again);
        let read = match (reader, &mut self.values) {
            (ColumnReader::BoolColumnReader(reader), ColumnValues::Bool(values)) => {
                reader.read_records(rows, Some(there), Some(again), values)?
            }
            (ColumnReader::Int32ColumnReader(reader), ColumnValues::Int32(values)) => {
                reader.read_records(rows, Some(there), Some(again), values)?
            }
            (ColumnReader::Int64ColumnReader(reader), ColumnValues::Int64(values)) => {
                reader.read_records(rows, Some(there), Some(again), values)?
            }
            (ColumnReader::Int96ColumnReader(reader), ColumnValues::Int96(values)) => {
                reader.read_records(rows, Some(there), Some(again), values)?
            }
            (ColumnReader::FloatColumnReader(reader), ColumnValues::Float(values)) => {
                reader.read_records(rows, Some(there), Some(again), values)?
            }
            (ColumnReader::DoubleColumnReader(reader), ColumnValues::Double(values)) => {
                reader.read_records(rows, Some(there), Some(again), values)?
            }
            (ColumnReader::ByteArrayColumnReader(reader), ColumnValues::Bytes(values)) => {
                reader.read_records(rows, Some(there), Some(again), values)?
            }
            (ColumnReader::FixedLenByteArrayColumnReader(reader), ColumnValues::Fixed(values)) => {
                reader.read_records(rows, Some(there), Some(again), values)?
            }
            _ => {
                let why = "a column of another type than its file says";
                return Err(ParquetError::General(why.into()));
            }
        };
        Ok((read.0, read.2))
    }

    /// Forgets all cells.
    pub(super) fn clear(&mut self) {
        self.there.clear();
        self.again.clear();
        (self.at, self.value, self.count) = (0, 0, 0);
        match &mut self.values {
            ColumnValues::Bool(values) => values.clear(),
            ColumnValues::Int32(values) => values.clear(),
            ColumnValues::Int64(values) => values.clear(),
            ColumnValues::Int96(values) => values.clear(),
            ColumnValues::Float(values) => values.clear(),
            ColumnValues::Double(values) => values.clear(),
            ColumnValues::Bytes(values) => values.clear(),
            ColumnValues::Fixed(values) => values.clear(),
        }
    }

    /// How much of the way down to the next cell is there.
    pub(super) fn level(&self) -> Option<i16> {
        match self.deepest {
            0 => (self.at < self.count).then_some(0),
            _ => self.there.get(self.at).copied(),
        }
    }

    /// Whether the next cell goes on with a list of this level.
    pub(super) fn goes_on(&self, again: i16) -> bool {
        self.again.get(self.at) == Some(&again)
    }

    /// Passes over the next cell; the number of its value, where it has one.
    pub(super) fn next(&mut self) -> Option<usize> {
        let has_value = self.level()? == self.deepest;
        self.at += 1;
        self.value += usize::from(has_value);
        has_value.then(|| self.value - 1)
    }

    /// How many bytes its cells take, about.
    pub(super) fn bytes(&self) -> usize {
        let levels = (self.there.len() + self.again.len()) * size_of::<i16>();
        let values = match &self.values {
            ColumnValues::Bytes(values) => values.iter().map(ByteArray::len).sum(),
            ColumnValues::Fixed(values) => values.iter().map(|value| value.len()).sum(),
            values => values.len() * size_of::<u64>(),
        };
        levels + values
    }

    /// Whether all cells and all values were taken.
    pub(super) fn is_done(&self) -> bool {
        self.at == self.count && self.value == self.values.len()
    }

    /// Adds a cell without a value.
    pub(super) fn push_absent(&mut self, there: i16, again: i16) {
        self.there.push(there);
        self.again.push(again);
        self.count += 1;
    }

    /// Adds the levels of a cell whose value was added.
    pub(super) fn push_levels(&mut self, again: i16) {
        self.push_absent(self.deepest, again);
    }

    /// The levels as a file takes them: none where a column has none.
    pub(super) fn levels(&self) -> (Option<&[i16]>, Option<&[i16]>) {
        let there = (self.deepest > 0).then_some(self.there.as_slice());
        (there, self.has_lists.then_some(self.again.as_slice()))
    }
}

impl ColumnValues {
    fn len(&self) -> usize {
        match self {
            ColumnValues::Bool(values) => values.len(),
            ColumnValues::Int32(values) => values.len(),
            ColumnValues::Int64(values) => values.len(),
            ColumnValues::Int96(values) => values.len(),
            ColumnValues::Float(values) => values.len(),
            ColumnValues::Double(values) => values.len(),
            ColumnValues::Bytes(values) => values.len(),
            ColumnValues::Fixed(values) => values.len(),
        }
    }
}
