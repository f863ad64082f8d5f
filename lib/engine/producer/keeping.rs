//! What becomes of shards that are to be kept: see the steps of [`producer`](super).

use std::sync::Arc;

use super::Producer;
use crate::cluster::Connection;
use crate::cluster::host::shown;
use crate::dataset::run_dir::RunRecord;
use crate::dataset::run_id::RunId;
use crate::engine::unpublished;
use crate::error::{Error, Result};
use crate::parallel;

impl Producer {
    /// Has the hosts keep the shards, once each has answered that it is there: what lay on another is made again
    /// elsewhere first, for whoever keeps what it has makes no more. What is lost while it is kept is made again by
    /// whoever reads it, as what is lost thereafter is.
    ///
    /// # Errors
    /// As [`Producer::restore`]; `Storage` when they cannot be kept; `Hosts` when one is lost meanwhile, and it is
    /// not known how to make again what lies there, or all are.
    pub(super) fn keep(&mut self) -> Result<()> {
        self.record.lineage = self.reach.lineage.recorded();
        let there = loop {
            self.restore()?;
            let all = self.fleet.connections().filter(|c| c.lost().is_none());
            let all: Vec<Arc<Connection>> = all.cloned().collect();
            let answers = parallel::each(&all, all.len(), |connection| connection.list());
            if answers.iter().all(Result::is_ok) || all.iter().all(|c| c.lost().is_none()) {
                break all;
            }
        };
        // First the record, so that whatever is kept can be found and removed.
        self.reach.runs.keep(self.run, &self.record)?;
        let mut lost = Vec::new();
        for connection in &there {
            match connection.keep() {
                Err(error) if connection.lost().is_some() => lost.push(error),
                kept => kept?,
            }
        }
        let all_is_known = self.record.lineage.is_some() && lost.len() < there.len();
        match self.fleet.check() {
            Err(_) if all_is_known => lost.iter().for_each(|error| {
                self.say(&format!("{error}; what lies there is made again by who reads it"));
            }),
            // What lay on one that is lost may lie on others too.
            kept => kept?,
        }
        Ok(())
    }

    /// Makes the shards again that are lost with their hosts.
    ///
    /// # Errors
    /// `Hosts`, naming the shards, when nothing is known of what they were made of; why one cannot be made.
    fn restore(&mut self) -> Result<()> {
        let Some(rebuild) = &self.rebuild else { return self.fleet.check() };
        loop {
            let lost = rebuild.lost();
            if lost.is_empty() {
                return self.fleet.check();
            }
            for shard in lost {
                let again = |error: Error| error.at(format!("shard {}", shard.shard));
                let hosts = rebuild.rebuild(&shard).map_err(again)?;
                self.record.moved.insert(shard.shard, hosts);
            }
        }
    }

    /// The manifest of what is kept is about to get the name of that of the run `before`, which counts
    /// until then, and not from then on: whoever dies in between leaves one of them to be removed.
    pub fn replaces(&self, before: Option<RunId>) {
        let Some(run) = before else { return };
        if let Ok(record) = self.reach.runs.load(run) {
            let _ = self.reach.runs.keep(run, &RunRecord { unpublished: true, ..record });
        }
    }

    /// The manifest of what is kept has its name, and that of the run `before` has none any more: the
    /// one stays, and the other is removed, as far as the hosts at work have it.
    pub fn published(mut self, before: Option<RunId>) {
        self.record.unpublished = false;
        // Where this cannot be written, the next tool sees that the manifest is there.
        let _ = self.reach.runs.keep(self.run, &self.record);
        let Some(run) = before else { return };
        let Ok(record) = self.reach.runs.load(run) else { return };
        unpublished::settle(vec![(run, record)], &self.reach, &self.fleet);
        if let Ok(left) = self.reach.runs.load(run) {
            let hosts: Vec<String> = left.hosts.iter().map(|host| shown(&host.name)).collect();
            self.say(&format!(
                "what was replaced lies on {} still, until a tool works there again, or: mc-hosts \
                 --rm {run}",
                hosts.join(", ")
            ));
        }
    }

    /// Removes what is kept of the run after all: its manifest could not be written, say. What lies
    /// on a host that is lost stays known, for `mc-hosts` to remove.
    pub fn forget(&self) {
        let mut all_gone = true;
        for connection in self.fleet.connections() {
            all_gone &= connection.remove(&self.run.to_string()).is_ok();
        }
        if all_gone {
            let _ = self.reach.runs.remove(self.run);
        }
    }
}
