//! Reducing in two places: where records are, to parts of groups, and where these come together, to
//! results. How the records were spread over the places changes no result.

use std::sync::Arc;

use super::assemble::Assembly;
use super::fill::fill;
use super::grouping::Grouping;
use super::order::{Judge, Limits};
use super::piece::GroupPiece;
use super::reader::GroupReader;
use super::reduce::finish;
use super::table::Table;
use crate::error::{Error, Result};
use crate::extsort::run::RunBuilder;
use crate::extsort::sorter::Sorter;
use crate::record::bad::Bad;
use crate::record::block::Blocks;
use crate::record::rows::StreamBlock;
use crate::record::stream::{Input, Output, Summary};

/// Blocks need not be larger than this for one thread.
const BLOCK_MAX: usize = 512 << 10;

/// The part of the memory that the table of groups may take: one in so many.
const TABLE_SHARE: usize = 4;

/// Bytes of items that become a run together, about.
const RUN_BYTES: usize = 8 << 20;

/// The bytes before the key of an item: its length, and that of the text.
const LENGTHS: usize = 8;

/// Reduces the records of `input`, partition number `partition` of its stream, to parts of groups, and gives
/// them to `take` in the order of their keys: key and text. There may be several of a group.
///
/// # Errors
/// `BadInput` for a record that gives no key, or an operand that is none; `Storage` when there is no room to
/// spill; what `take` says.
pub fn combine(
    grouping: &Arc<Grouping>,
    limits: &Limits,
    bad: &Arc<Bad>,
    (partition, input): (u64, impl Input),
    take: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<Summary> {
    let judge = Judge::new(input.name(), Arc::clone(bad));
    let settings = limits.settings(false);
    let size = settings.budget.block.min(BLOCK_MAX);
    let mut blocks = Blocks::new(input, limits.max_record);
    let mut sorter = Sorter::new(settings);
    let (mut reader, mut table) = (GroupReader::new(grouping), Table::new());
    let share = limits.memory / TABLE_SHARE;
    let mut memory = Vec::new();
    while let Some(block) = blocks.next(size, memory, bad)? {
        let block = StreamBlock::Lines(block);
        let runs = fill(&mut reader, &mut table, &block, partition, share, &judge, None)?;
        runs.into_iter().try_for_each(|run| sorter.add(run))?;
        memory = block.into_bytes();
    }
    sorter.add(table.into_run(grouping.plan())?)?;
    let spilled_bytes = sorter.finish_items(take)?;
    Ok(Summary { spilled_bytes, ..judge.summary() })
}

/// Appends a part of a group as [`merge`] takes it.
pub fn push_part(out: &mut Vec<u8>, key: &[u8], text: &[u8]) {
    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(text);
}

/// Puts parts of groups together, which `next` gives some at a time and in any order, and writes the results
/// in the order of the keys.
///
/// # Errors
/// `BadInput` for a result that cannot be told; `Incomplete` when the parts are damaged; `Storage` when there
/// is no room to spill; what `next` and the output say.
pub fn merge(
    grouping: &Arc<Grouping>,
    limits: &Limits,
    mut next: impl FnMut() -> Result<Option<Vec<u8>>>,
    output: &mut impl Output,
) -> Result<Summary> {
    let settings = limits.settings(false);
    let mut sorter = Sorter::new(settings.clone());
    let mut parts = Vec::new();
    while let Some(some) = next()? {
        parts.extend_from_slice(&some);
        if parts.len() >= RUN_BYTES {
            add_run(&mut sorter, std::mem::take(&mut parts))?;
        }
    }
    add_run(&mut sorter, parts)?;
    let mut bytes_out = 0;
    let mut assembly = Assembly::new(grouping, settings, |results: &[u8]| {
        bytes_out += results.len() as u64;
        output.write(results)
    });
    let parts_of = Arc::clone(grouping);
    let spilled = sorter.finish_with(
        move |parts| GroupPiece::of_parts(&parts_of, parts),
        |piece| assembly.add_piece(piece),
    )?;
    let (records_out, spilled_bytes) = finish(grouping, assembly)?;
    output.flush()?;
    let spilled_bytes = spilled_bytes + spilled;
    Ok(Summary { records_out, bytes_out, spilled_bytes, ..Summary::default() })
}

/// Makes a run of parts that stand one behind the other.
fn add_run(sorter: &mut Sorter, parts: Vec<u8>) -> Result<()> {
    let damaged = || Error::incomplete("parts of groups are damaged");
    let (mut run, mut at) = (RunBuilder::default(), 0);
    while at < parts.len() {
        let lengths = parts.get(at..at + LENGTHS).ok_or_else(damaged)?;
        let length = |from: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&lengths[from..from + 4]);
            u32::from_le_bytes(bytes) as usize
        };
        let text = at + LENGTHS + length(0);
        let end = text + length(4);
        let key = parts.get(at + LENGTHS..text).filter(|_| end <= parts.len());
        let key = key.ok_or_else(damaged)?;
        run.push::<Error>(text, end - text, |out| {
            out.extend_from_slice(key);
            Ok(())
        })?;
        at = end;
    }
    sorter.add(run.finish(parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Op;
    use crate::record::bad::Policy;
    use crate::record::key::{Keys, Missing};
    use crate::record::stream::tests::OutputBuffer;

    struct Text(&'static [u8]);

    impl Input for Text {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let count = buffer.len().min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }

        fn name(&self) -> &str {
            "text"
        }
    }

    fn limits() -> Limits {
        let directory = std::env::temp_dir();
        Limits { memory: 1 << 24, jobs: 1, directory, max_record: 1 << 20 }
    }

    fn results(texts: &[&'static [u8]]) -> String {
        let ops = vec![Op::parse("count").unwrap(), Op::parse("first").unwrap()];
        let keys = Some(Keys::parse("").unwrap());
        let grouping = Arc::new(Grouping::new(keys, ops, Missing::Fail, 1 << 20).unwrap());
        let bad = Arc::new(Bad::new(Policy::Fail).unwrap());
        let mut parts = Vec::new();
        for (number, text) in texts.iter().enumerate().rev() {
            let mut some = Vec::new();
            let from = (number as u64, Text(text));
            combine(&grouping, &limits(), &bad, from, |key, text| {
                push_part(&mut some, key, text);
                Ok(())
            })
            .unwrap();
            parts.push(some);
        }
        let mut output = OutputBuffer::default();
        let mut parts = parts.into_iter();
        merge(&grouping, &limits(), || Ok(parts.next()), &mut output).unwrap();
        String::from_utf8(output.0).unwrap()
    }

    #[test]
    fn parts_of_groups_from_anywhere_give_the_same_results() {
        let whole = results(&[b"[\"b\",1]\n[\"a\",2]\n[\"b\",3]\n[\"a\",4]\n"]);
        assert_eq!(whole, "[\"a\",{\"count\":2,\"first\":2}]\n[\"b\",{\"count\":2,\"first\":1}]\n");
        assert_eq!(results(&[b"[\"b\",1]\n[\"a\",2]\n[\"b\",3]\n", b"", b"[\"a\",4]\n"]), whole);
        assert_eq!(results(&[b"", b""]), "");
    }

    #[test]
    fn damaged_parts_are_an_error() {
        let mut whole = Vec::new();
        push_part(&mut whole, b"key", b"text");
        let settings = limits().settings(false);
        for length in 1..whole.len() {
            let cut = whole[..length].to_vec();
            let error = add_run(&mut Sorter::new(settings.clone()), cut).unwrap_err();
            assert_eq!(error.exit_code(), 4);
        }
    }
}
