//! What a reduction would do, as a plan tells it.

use super::{GroupBy, ReduceOptions, With};
use crate::error::Result;
use crate::explain::estimate::STATES;
use crate::explain::outline::{KeyOutline, OpOutline};
use crate::explain::schema::StagePlan;
use crate::record::key::Keys;
use crate::stage::reduce::on_hosts::{self, OnHosts};

impl ReduceOptions {
    /// Says in `stage`, which knows what is read, what would be done there; whether that is done where
    /// the shards lie, if it is `shards` of hosts that are read.
    ///
    /// # Errors
    /// As for a run: when a key is none, or ops do not go together.
    pub fn explain(&self, stage: &mut StagePlan, shards: bool) -> Result<bool> {
        let facts = stage.reads.facts();
        let (from, keys) = match (&self.by, &facts.key) {
            (GroupBy::Nothing, _) => ("all", None),
            (GroupBy::Key(keys), _) => ("given", Some(keys.clone())),
            (GroupBy::Stream, Some(key)) => ("stream", Some(Keys::parse(key)?)),
            (GroupBy::Stream, None) => ("pairs", None),
        };
        stage.key_from = Some(from.into());
        stage.key = keys.map(|keys| KeyOutline::of(&keys.parts));
        stage.reverse = from == "stream" && facts.reverse;
        stage.missing(self.missing);
        stage.nulls.clone_from(&self.nulls);
        match &self.with {
            With::Ops(ops) => stage.ops = OpOutline::of(ops),
            With::Command(over) => {
                let mut command = over.plan.outline(&over.given);
                command.per = "groups".into();
                command.block = over.block.map(|bytes| bytes as u64);
                stage.command = Some(command);
            }
        }
        if from == "pairs" && stage.command.is_none() {
            let note =
                "the key is not known: say -k KEY, unless the records are [key, value] pairs";
            stage.notes.push(note.into());
        }
        if !shards {
            return Ok(false);
        }
        Ok(match on_hosts::way(self, &facts)? {
            OnHosts::Ops(ops) => {
                if !ops.is_in_place() {
                    stage.crosses("between-hosts", None, STATES);
                }
                true
            }
            OnHosts::Command => {
                if let Some(command) = &mut stage.command {
                    (command.per, command.tasks) = ("shard".into(), stage.reads.shards);
                }
                true
            }
            OnHosts::No => false,
        })
    }
}
