//! The runs of records of which only the first of each key counts.

use super::{Judge, Limits, sorted_run};
use crate::error::Result;
use crate::extsort::run::{Run, RunBuilder};
use crate::extsort::seen::{AT_ONCE, SeenTexts};
use crate::record::block::Block;
use crate::record::key::Keyer;

/// One part in so many of the memory is for records that were seen.
const MEMORY_PART: usize = 64;

/// More than this is out of every cache, and finds little more.
const MEMORY_MAX: usize = 16 << 20;

/// What a thread that makes such runs knows of the records that it has seen.
pub(super) fn seen(limits: &Limits) -> SeenTexts {
    SeenTexts::new((limits.memory / MEMORY_PART / limits.jobs.max(1)).min(MEMORY_MAX))
}

/// Records that are longer, on average, are sorted where they lie: there are few of them.
const RECORD_MAX: u64 = 4 << 10;

/// The sorted run of a block, with the first record of each key alone; without those that were `seen` in this
/// block or one before it, as they are: of their key there is an earlier one. `give` gets memory that is not
/// needed any more.
///
/// # Errors
/// When a record gives no key and may not be dropped.
pub(super) fn unique_run(
    keyer: &mut Keyer,
    seen: &mut SeenTexts,
    block: Block,
    judge: &Judge,
    give: impl FnOnce(Vec<u8>),
) -> Result<Run> {
    if seen.is_given_up() || block.bytes.len() as u64 / RECORD_MAX > block.line_count {
        return Ok(sorted_run(keyer, block, judge, give)?.unique());
    }
    let (mut run, mut text) = (RunBuilder::default(), Vec::new());
    let (mut lines, mut some) = (block.lines(), Vec::with_capacity(AT_ONCE));
    let mut records = 0;
    loop {
        some.clear();
        some.extend(lines.by_ref().take(AT_ONCE));
        if some.is_empty() {
            break;
        }
        records += some.len() as u64;
        let hashes = seen.hashes(some.iter().map(|line| line.text));
        for (&line, hash) in some.iter().zip(hashes) {
            if seen.has(hash, line.text) {
                continue;
            }
            let key = |out: &mut Vec<u8>| keyer.key(line.text, out).map(|_| ());
            match run.push(text.len(), line.text.len(), key) {
                Ok(()) => {
                    text.extend_from_slice(line.text);
                    seen.add(hash, line.text);
                }
                // It stays unknown: the next one is judged, too.
                Err(fault) => judge.fault(line, fault)?,
            }
        }
    }
    judge.count(records, run.len() as u64, block.bytes.len());
    drop(lines);
    give(block.bytes);
    text.shrink_to_fit();
    Ok(run.finish(text)?.unique())
}
