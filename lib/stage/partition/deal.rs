//! Records on their way to the partitions of the next stage: dealt by their keys, as they are or reduced to
//! parts of groups; and the samples of keys by which these are cut.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Result;
use crate::group::combiner;
use crate::group::order::{Judge, Limits};
use crate::record::bad::Bad;
use crate::record::block::Blocks;
use crate::record::stream::{Facts, Input, Output, Summary};
use crate::stage::partition::{DATA, END, PartitionJob, Sum};

/// Bytes of all parcels that are held at once, about, and of one of them at least and at most.
const HELD_BYTES: usize = 32 << 20;
const PARCEL_MIN: usize = 4 << 10;
const PARCEL_MAX: usize = 512 << 10;

/// How much is read at once.
const BLOCK_BYTES: usize = 512 << 10;

/// How many bytes of records lie between two samples, about, and how much of a key one holds.
const SAMPLE_EVERY: usize = 16 << 10;
const SAMPLE_BYTES: usize = 4 << 10;

/// Parcels in the making.
struct Parcels<'a, O> {
    output: &'a mut O,
    size: usize,
    open: Vec<(Vec<u8>, Sum)>,
}

impl<'a, O: Output> Parcels<'a, O> {
    /// For so many partitions.
    fn new(output: &'a mut O, partitions: usize) -> Result<Parcels<'a, O>> {
        output.declare(&Facts::default())?;
        let size = (HELD_BYTES / partitions).clamp(PARCEL_MIN, PARCEL_MAX);
        Ok(Parcels { output, size, open: vec![Default::default(); partitions] })
    }

    /// The parcel that is filled for a partition; to be followed by [`Parcels::sent_if_full`].
    fn parcel(&mut self, partition: usize) -> &mut Vec<u8> {
        &mut self.open[partition].0
    }

    fn sent_if_full(&mut self, partition: usize) -> Result<()> {
        if self.open[partition].0.len() >= self.size { self.send(partition) } else { Ok(()) }
    }

    fn send(&mut self, partition: usize) -> Result<()> {
        let (held, sum) = &mut self.open[partition];
        if held.is_empty() {
            return Ok(());
        }
        sum.push(held);
        self.output.write(&head(DATA, partition, held.len()))?;
        self.output.write(held)?;
        held.clear();
        Ok(())
    }

    /// Sends what is left, and the ends.
    fn finish(mut self) -> Result<()> {
        for partition in 0..self.open.len() {
            self.send(partition)?;
            let sum = self.open[partition].1.encoded();
            self.output.write(&head(END, partition, sum.len()))?;
            self.output.write(&sum)?;
        }
        self.output.flush()
    }
}

/// What stands before the bytes of a parcel.
fn head(letter: u8, partition: usize, length: usize) -> Vec<u8> {
    let mut head = vec![letter];
    head.extend_from_slice(&(partition as u32).to_le_bytes());
    head.extend_from_slice(&(length as u32).to_le_bytes());
    head
}

/// Sends all bytes of `input` to one partition, as they are.
///
/// # Errors
/// What the streams say.
pub fn send(mut input: impl Input, output: &mut impl Output) -> Result<Summary> {
    let mut parcels = Parcels::new(output, 1)?;
    let (mut summary, mut buffer) = (Summary::default(), vec![0; BLOCK_BYTES]);
    loop {
        let got = input.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        summary.bytes_out += got as u64;
        parcels.parcel(0).extend_from_slice(&buffer[..got]);
        parcels.sent_if_full(0)?;
    }
    parcels.finish()?;
    Ok(summary)
}

/// Deals the records of `input` to the partitions that their keys belong to.
///
/// # Errors
/// `BadInput` for a record that is bad or has no key, where `bad` and the job say so; what the streams say.
pub fn deal(
    job: &PartitionJob,
    limits: &Limits,
    bad: &Arc<Bad>,
    input: impl Input,
    output: &mut impl Output,
) -> Result<Summary> {
    let (judge, mut keyer) = (Judge::new(input.name(), Arc::clone(bad)), job.dealt_by()?);
    let mut whole = job.order()?.keyer();
    // The whole key is looked for only where it is more than what is dealt by.
    let is_part = job.deal_by.is_some() || !job.order_by.is_empty();
    let mut parcels = Parcels::new(output, job.cuts.len() + 1)?;
    let mut blocks = Blocks::new(input, limits.max_record);
    let (mut memory, mut key, mut all) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(block) = blocks.next(BLOCK_BYTES, memory, bad)? {
        let (mut records, mut kept) = (0, 0);
        for line in block.lines() {
            records += 1;
            key.clear();
            let mut found = keyer.key(line.text, &mut key).map(drop);
            if found.is_ok() && is_part {
                all.clear();
                found = whole.key(line.text, &mut all).map(drop);
            }
            if let Err(fault) = found {
                judge.fault(line, fault)?;
                continue;
            }
            kept += 1;
            let partition = job.target(&key);
            let parcel = parcels.parcel(partition);
            parcel.extend_from_slice(line.text);
            parcel.push(b'\n');
            parcels.sent_if_full(partition)?;
        }
        judge.count(records, kept, block.bytes.len());
        memory = block.bytes;
    }
    parcels.finish()?;
    Ok(judge.summary())
}

/// Reduces the records of `input` to parts of groups, and deals these to the partitions that their keys
/// belong to.
///
/// # Errors
/// As [`deal`]; `BadInput` for an operand that is none.
pub fn combine(
    job: &PartitionJob,
    limits: &Limits,
    bad: &Arc<Bad>,
    input: impl Input,
    output: &mut impl Output,
) -> Result<Summary> {
    let grouping = Arc::new(job.grouping(limits.max_record)?);
    let mut parcels = Parcels::new(output, job.cuts.len() + 1)?;
    let from = (job.partition, input);
    let summary = combiner::combine(&grouping, limits, bad, from, |key, text| {
        let partition = job.target(key);
        combiner::push_part(parcels.parcel(partition), key, text);
        parcels.sent_if_full(partition)
    })?;
    parcels.finish()?;
    Ok(summary)
}

/// Writes keys of the records of `input` for their cuts, a JSON string of base64 each, and by the way how
/// much there is of it. What has no key gives no sample.
///
/// # Errors
/// What the streams say.
pub fn sample(
    job: &PartitionJob,
    limits: &Limits,
    bad: &Arc<Bad>,
    input: impl Input,
    output: &mut impl Output,
) -> Result<Summary> {
    output.declare(&Facts::default())?;
    let mut keyer = job.dealt_by()?;
    let mut blocks = Blocks::new(input, limits.max_record);
    let (mut memory, mut key, mut passed) = (Vec::new(), Vec::new(), SAMPLE_EVERY);
    let mut summary = Summary::default();
    while let Some(block) = blocks.next(BLOCK_BYTES, memory, bad)? {
        for line in block.lines() {
            passed += line.text.len() + 1;
            if passed < SAMPLE_EVERY {
                continue;
            }
            key.clear();
            if keyer.key(line.text, &mut key).is_ok() {
                key.truncate(SAMPLE_BYTES);
                output.write(format!("\"{}\"\n", STANDARD.encode(&key)).as_bytes())?;
                (summary.records_out, passed) = (summary.records_out + 1, 0);
            }
        }
        summary.bytes_in += block.bytes.len() as u64;
        memory = block.bytes;
    }
    output.flush()?;
    Ok(summary)
}
