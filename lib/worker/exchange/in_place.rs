//! The reducing of a shard of whole groups, where it lies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::group::reduce;
use crate::record::bad::{Bad, Policy};
use crate::record::block::Blocks;
use crate::record::stream::{Facts, Output};
use crate::wire::exchange::{Merged, Reduce};
use crate::worker::exchange::ExchangeState;
use crate::worker::shard_file;
use crate::worker::state::WorkerState;
use crate::worker::store::NewShard;

impl ExchangeState {
    /// Reduces a shard.
    pub(crate) fn reduce(
        &self,
        state: &Arc<WorkerState>,
        ask: &Reduce,
        stop: &AtomicBool,
    ) -> Result<Merged> {
        let stopped = || stop.load(Ordering::SeqCst) || state.ending.load(Ordering::SeqCst);
        let (Some(store), Some(grouping)) = (&state.store, &self.grouping) else {
            return Err(Error::incomplete("nothing to reduce with"));
        };
        let Some(_slot) = state.slots.take(ask.shard.number, &stopped)? else {
            return Err(Error::incomplete("stopped"));
        };
        let limits = self.limits(state);
        let (bad, grouping) = (Arc::new(Bad::new(Policy::Fail)?), (**grouping).clone());
        let mut results =
            Results { shard: store.begin(ask.shard.number, ask.exchange)?, stopped: &stopped };
        let summary = shard_file::read(state, &ask.shard.fetch, &ask.shard.contents, |input| {
            let blocks = Blocks::new(input, limits.max_record);
            reduce::in_order(grouping, &limits, &bad, None, blocks, &mut results)
        })?;
        let contents = results.shard.finish()?;
        Ok(Merged {
            contents,
            missing: summary.missing,
            lacking: summary.lacking,
            spilled: summary.spilled_bytes,
            ..Merged::default()
        })
    }
}

/// Results on their way into a shard.
struct Results<'a> {
    shard: NewShard,
    stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Output for Results<'_> {
    fn declare(&mut self, _: &Facts) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, records: &[u8]) -> Result<()> {
        if (self.stopped)() {
            return Err(Error::incomplete("stopped"));
        }
        self.shard.write(records)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
