//! Streams of records between stages: where their bytes come from and go to, and what is known of
//! them beside their bytes.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::record::counters::Counters;
use crate::record::rows::RowBlock;

/// What is known of a stream of records beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The key, as `-k` spells it, that the records are in order of; `Some("")` is the key that
    /// holds without `-k`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether the order is the reverse of what the key says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reverse: bool,
    /// Whether the records of one key may lie in several shards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spread: bool,
    /// Whether there may be records without the key, whose key counts as null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacking: bool,
}

/// A stream of bytes that is read, and knows its name.
pub trait Input: Send {
    /// Reads some bytes, 0 at the end.
    ///
    /// # Errors
    /// When the bytes cannot be read, or the end turns out not to be the whole.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;

    /// The name for messages: a path, or `standard input`.
    fn name(&self) -> &str;

    /// The rows that the next records are made of, where these can be had instead: no more than fit in `size` bytes,
    /// and none if what was read last goes on. `buffer` gives its memory.
    ///
    /// # Errors
    /// As [`Input::read`].
    fn rows(&mut self, _size: usize, _buffer: &mut Vec<u8>) -> Result<Option<RowBlock>> {
        Ok(None)
    }

    /// Whether a read would not wait for a writer.
    fn is_ready(&self) -> bool {
        true
    }

    /// What is known of the stream; not to be asked before its first byte or its end was read. What
    /// is said before the end is relied on: if it does not hold, the end is an error.
    fn facts(&mut self) -> Option<Facts> {
        None
    }

    /// As [`Input::facts`], to pass on and not to rely on: before the end it is but a promise, and
    /// what is said at the end is what held.
    fn promised(&mut self) -> Option<Facts> {
        None
    }
}

/// A stream of bytes that is written.
pub trait Output: Send {
    /// Says what is known of the stream, before anything is written; later only to take it back.
    ///
    /// # Errors
    /// As [`Output::write`].
    fn declare(&mut self, facts: &Facts) -> Result<()>;

    /// Writes whole record lines.
    ///
    /// # Errors
    /// `StdoutClosed` when nobody reads any more, `Storage` when the bytes cannot be kept.
    fn write(&mut self, records: &[u8]) -> Result<()>;

    /// Writes what is held back.
    ///
    /// # Errors
    /// As [`Output::write`].
    fn flush(&mut self) -> Result<()>;
}

impl<I: Input + ?Sized> Input for Box<I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        (**self).read(buffer)
    }

    fn rows(&mut self, size: usize, buffer: &mut Vec<u8>) -> Result<Option<RowBlock>> {
        (**self).rows(size, buffer)
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn is_ready(&self) -> bool {
        (**self).is_ready()
    }

    fn facts(&mut self) -> Option<Facts> {
        (**self).facts()
    }

    fn promised(&mut self) -> Option<Facts> {
        (**self).promised()
    }
}

impl<I: Input + ?Sized> Input for &mut I {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        (**self).read(buffer)
    }

    fn rows(&mut self, size: usize, buffer: &mut Vec<u8>) -> Result<Option<RowBlock>> {
        (**self).rows(size, buffer)
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn is_ready(&self) -> bool {
        (**self).is_ready()
    }

    fn facts(&mut self) -> Option<Facts> {
        (**self).facts()
    }

    fn promised(&mut self) -> Option<Facts> {
        (**self).promised()
    }
}

impl<O: Output + ?Sized> Output for &mut O {
    fn declare(&mut self, facts: &Facts) -> Result<()> {
        (**self).declare(facts)
    }

    fn write(&mut self, records: &[u8]) -> Result<()> {
        (**self).write(records)
    }

    fn flush(&mut self) -> Result<()> {
        (**self).flush()
    }
}

/// What a stage did, in numbers: for `--stats`, and for the last line about what was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Records read.
    pub records_in: u64,
    /// Records written.
    pub records_out: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Bad records that `--bad` let pass by.
    pub bad: u64,
    /// Records that a command failed on, which `--failed` let pass by.
    pub failed: u64,
    /// Records without the key that `--missing=skip` let pass by.
    pub missing: u64,
    /// Records that lack an operand, which `--missing=skip` left out of the results.
    pub lacking: u64,
    /// Bytes of temporary files written.
    pub spilled_bytes: u64,
    /// Attempts of commands beyond the first of each task.
    pub retries: u64,
    /// Tasks, or records that are runs of their own, whose output was known from before.
    pub memo_hits: u64,
    /// Bytes that went between this machine and the hosts, both ways, packed as they were.
    pub client_bytes: u64,
    /// What commands have counted.
    #[serde(skip_serializing_if = "Counters::is_empty")]
    pub counters: Counters,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An output that tests look at.
    #[derive(Default)]
    pub(crate) struct OutputBuffer(pub(crate) Vec<u8>);

    impl Output for OutputBuffer {
        fn declare(&mut self, _: &Facts) -> Result<()> {
            Ok(())
        }

        fn write(&mut self, records: &[u8]) -> Result<()> {
            self.0.extend_from_slice(records);
            Ok(())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }
}
