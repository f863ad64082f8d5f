//! Parcels that came to a partition: their bytes as one stream, checked against the ends; sorted, or merged
//! to the results of groups.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::group::combiner;
use crate::group::order::{self, Limits};
use crate::record::bad::Bad;
use crate::record::stream::{Facts, Input, Output, Summary};
use crate::stage::partition::{DATA, END, HEAD_BYTES, PartitionJob, SUM_BYTES, Sum};

/// The longest parcel: one record may be one.
const PARCEL_MAX: usize = 1 << 31;

/// A stream of bytes under the name that the job has for it.
pub struct Named<I>(I, String);

impl<I: Input> Named<I> {
    /// The stream `input`.
    pub fn new(job: &PartitionJob, input: I) -> Named<I> {
        Named(input, job.name.clone())
    }
}

impl<I: Input> Input for Named<I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(buffer)
    }

    fn name(&self) -> &str {
        &self.1
    }

    fn is_ready(&self) -> bool {
        self.0.is_ready()
    }
}

/// What was taken, in the order of the partitions that it came from.
pub struct Taken<I> {
    input: I,
    name: String,
    /// How many partitions there are, and how many have come to their end.
    sources: u32,
    ended: u32,
    /// What came from the one that has not.
    sum: Sum,
    parcel: Vec<u8>,
    at: usize,
}

impl<I: Input> Taken<I> {
    /// Of the parcels that `input` has.
    pub fn new(job: &PartitionJob, input: I) -> Taken<I> {
        let (name, sources) = (job.name.clone(), job.sources);
        Taken { input, name, sources, ended: 0, sum: Sum::default(), parcel: Vec::new(), at: 0 }
    }

    fn damaged(&self, what: &str) -> Error {
        let text = format!("{}: what came from partition {} {what}", self.name, self.ended);
        Error::incomplete(text)
    }

    /// Fills `to` from the input; `false` at its end.
    fn fill(&mut self, to: &mut [u8]) -> Result<bool> {
        let mut filled = 0;
        while filled < to.len() {
            match self.input.read(&mut to[filled..])? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(self.damaged("breaks off")),
                got => filled += got,
            }
        }
        Ok(true)
    }

    /// Reads the next parcel of data; `false` when there are no more.
    ///
    /// # Errors
    /// `Incomplete` when it is not what was sent.
    fn advance(&mut self) -> Result<bool> {
        loop {
            let mut head = [0; HEAD_BYTES];
            if !self.fill(&mut head)? {
                let (ended, sources) = (self.ended, self.sources);
                return match ended == sources && self.sum.bytes == 0 {
                    true => Ok(false),
                    false => {
                        let text = format!("ends after {ended} of {sources} partitions");
                        Err(Error::incomplete(text).at(self.name.clone()))
                    }
                };
            }
            let number = |at: usize| {
                let mut bytes = [0; 4];
                bytes.copy_from_slice(&head[at..at + 4]);
                u32::from_le_bytes(bytes)
            };
            let length = number(5) as usize;
            let is_due = number(1) == self.ended && self.ended < self.sources;
            match (head[0], is_due) {
                (DATA, true) if length <= PARCEL_MAX => {
                    let mut parcel = std::mem::take(&mut self.parcel);
                    parcel.resize(length, 0);
                    if !self.fill(&mut parcel)? && length > 0 {
                        return Err(self.damaged("breaks off"));
                    }
                    self.sum.push(&parcel);
                    (self.parcel, self.at) = (parcel, 0);
                    return Ok(true);
                }
                (END, true) if length == SUM_BYTES => {
                    let mut sum = [0; SUM_BYTES];
                    if !self.fill(&mut sum)? || sum != self.sum.encoded() {
                        return Err(self.damaged("is not what was sent"));
                    }
                    (self.sum, self.ended) = (Sum::default(), self.ended + 1);
                }
                _ => return Err(self.damaged("is no parcel that is due")),
            }
        }
    }
}

impl<I: Input> Input for Taken<I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.at == self.parcel.len() && !buffer.is_empty() && !self.advance()? {
            return Ok(0);
        }
        let left = &self.parcel[self.at..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(count)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Writes what was taken as it is.
///
/// # Errors
/// `Incomplete` when it is not what was sent; what the output says.
pub fn take(mut taken: Taken<impl Input>, output: &mut impl Output) -> Result<Summary> {
    output.declare(&Facts::default())?;
    let mut summary = Summary::default();
    while taken.advance()? {
        summary.bytes_out += taken.parcel.len() as u64;
        output.write(&taken.parcel)?;
    }
    output.flush()?;
    Ok(summary)
}

/// Sorts the records that were taken.
///
/// # Errors
/// As [`take`]; `Storage` when there is no room to spill.
pub fn sort(
    job: &PartitionJob,
    limits: &Limits,
    bad: &Arc<Bad>,
    taken: Taken<impl Input + 'static>,
    output: &mut impl Output,
) -> Result<Summary> {
    order::sort(&job.order()?, limits, bad, taken, output)
}

/// Puts the parts of groups together that were taken, and writes the results.
///
/// # Errors
/// As [`take`] and [`combiner::merge`].
pub fn merge(
    job: &PartitionJob,
    limits: &Limits,
    mut taken: Taken<impl Input>,
    output: &mut impl Output,
) -> Result<Summary> {
    let grouping = Arc::new(job.grouping(limits.max_record)?);
    output.declare(&Facts::default())?;
    let next = || Ok(taken.advance()?.then(|| std::mem::take(&mut taken.parcel)));
    combiner::merge(&grouping, limits, next, output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::stream::tests::OutputBuffer;
    use crate::stage::partition::deal;

    struct Text(Vec<u8>, usize);

    impl Input for Text {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let count = (self.0.len() - self.1).min(buffer.len()).min(7);
            buffer[..count].copy_from_slice(&self.0[self.1..][..count]);
            self.1 += count;
            Ok(count)
        }

        fn name(&self) -> &str {
            "text"
        }
    }

    fn sent(text: &[u8]) -> Vec<u8> {
        let mut output = OutputBuffer::default();
        deal::send(Text(text.to_vec(), 0), &mut output).unwrap();
        output.0
    }

    fn taken(parcels: Vec<u8>, sources: u32) -> Result<Vec<u8>> {
        let job = PartitionJob { name: "here".into(), sources, ..PartitionJob::default() };
        let mut output = OutputBuffer::default();
        take(Taken::new(&job, Text(parcels, 0)), &mut output)?;
        Ok(output.0)
    }

    #[test]
    fn what_was_sent_is_taken() {
        assert_eq!(taken(sent(b"1\n2\n"), 1).unwrap(), b"1\n2\n");
        assert_eq!(taken(sent(b""), 1).unwrap(), b"");
        assert_eq!(taken(Vec::new(), 0).unwrap(), b"");
        let mut second = sent(b"3\n");
        let end = second.len() - SUM_BYTES - HEAD_BYTES;
        (second[1], second[end + 1]) = (1, 1);
        assert_eq!(taken([sent(b"1\n"), second].concat(), 2).unwrap(), b"1\n3\n");
    }

    #[test]
    fn what_was_lost_damaged_or_doubled_is_noticed() {
        let whole = sent(b"12\n");
        let mut wrong: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
        wrong.extend((0..whole.len()).map(|at| {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            changed
        }));
        wrong.push([whole.clone(), whole.clone()].concat());
        wrong.push(whole[HEAD_BYTES + 3..].to_vec());
        for parcels in wrong {
            assert_eq!(taken(parcels, 1).unwrap_err().exit_code(), 4);
        }
        assert_eq!(taken(whole, 2).unwrap_err().exit_code(), 4);
    }
}
