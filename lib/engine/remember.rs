//! What a task's command printed before (`--memo`), and what it prints now, for later.

use crate::cluster::Fetch;
use crate::command::Rejects;
use crate::command::form::TaskOutput;
use crate::command::memo::MemoKey;
use crate::engine::Piece;
use crate::engine::notes::TaskNotes;
use crate::engine::plan::{Hosts, WorkPlace};
use crate::engine::slot::{AttemptsResult, Slot, TaskAttempts};
use crate::engine::task_queue::{Product, ShardResult};
use crate::engine::work::{TaskInput, Work};
use crate::error::{Error, Result};
use crate::record::counters::Counters;
use crate::record::digest::Check;
use crate::spool::Spool;

/// What a piece is known by; that of a shard is told by what it holds.
///
/// # Errors
/// `Storage` when it cannot be read.
pub(super) fn key_of(piece: &Piece) -> Result<Option<MemoKey>> {
    Ok(match piece {
        Piece::Lines(block) => Some(MemoKey::of_block(&block.bytes)),
        Piece::Ready { input, .. } => Some(MemoKey::of_input(input)?),
        Piece::Shard(_) | Piece::File(_) => None,
    })
}

impl Slot<'_> {
    /// What was printed before for a piece, if that is known.
    pub(super) fn remembered(
        &self,
        which: TaskAttempts,
        work: &Work,
        notes: &mut TaskNotes<'_>,
    ) -> Option<AttemptsResult> {
        let (memo, key) = (self.plan.memo()?, key(work)?);
        let (printed, records) = match memo.find(&key, self.spool()).transpose()? {
            Ok(found) => found,
            Err(error) => return Some(Err(error.into())),
        };
        Some(match self.plan.place {
            WorkPlace::Here(_) => {
                let printed = TaskOutput::Records(printed, records);
                Ok(Product::Here(printed, None, Counters::default()))
            }
            WorkPlace::Hosts(hosts, _) => {
                self.remotely(hosts, which, TaskInput::Printed(&printed), notes)
            }
        })
    }

    /// Keeps what was printed for a piece, unless that is not all that there is to it.
    pub(super) fn remember(&self, work: &Work, product: &Product) {
        let (Some(memo), Some(key)) = (self.plan.memo(), key(work)) else { return };
        let kept = match (product, self.plan.place) {
            (Product::Here(TaskOutput::Records(printed, records), None, counters), _)
                if counters.is_empty() =>
            {
                memo.keep(&key, printed, *records)
            }
            (Product::Shard(made), WorkPlace::Hosts(hosts, _)) if is_all(made) => {
                // One that cannot be had is made again next time.
                let Ok(printed) = self.shard(hosts, made) else { return };
                memo.keep(&key, &printed, made.contents.records)
            }
            _ => return,
        };
        if let Err(error) = kept {
            self.say_plainly(&format!("{error}; no more is kept"));
        }
    }

    /// A shard that was made, brought here.
    fn shard(&self, hosts: &Hosts<'_>, made: &ShardResult) -> Result<Spool> {
        let (mut spool, mut check) = (self.spool(), Check::default());
        let Some(name) = made.hosts.first() else { return Ok(spool) };
        let Some(member) = hosts.fleet.member(name) else {
            return Err(Error::incomplete("a shard of no host"));
        };
        let shard = Fetch { run: hosts.run.clone(), shard: made.number };
        let request = member.connection.fetch(shard, made.contents, false)?;
        while let Some(data) = member.connection.data(request)? {
            check.push(&data);
            spool.push(&data)?;
        }
        match check.is(&made.contents) {
            true => Ok(spool),
            false => Err(Error::incomplete("another shard than was made")),
        }
    }
}

/// What the work of a task is known by.
fn key(work: &Work) -> Option<MemoKey> {
    match work {
        Work::Here(records) => records.key.clone(),
        Work::Shard(shard) => Some(MemoKey::of_shard(&shard.contents)),
        Work::File(_) => None,
    }
}

/// Whether nothing was left out of a shard, and nothing counted beside it.
fn is_all(made: &ShardResult) -> bool {
    made.counters.is_empty()
        && made.rejected == 0
        && made.rejects.as_ref().is_none_or(Rejects::is_empty)
}
