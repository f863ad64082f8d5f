//! What the options of `mc-map` say of the stage: the command, what it gets, and where it runs.

use std::fs;

use crate::cli::explaining::{Explaining, records, stages};
use crate::cli::hosts::command_hosts::CommandHosts;
use crate::cli::hosts::{shards, shipping};
use crate::cli::options::{MemoryOptions, Records};
use crate::cli::pieces::Pieces;
use crate::cli::running::{self, Attempts, CommandLine, Sent};
use crate::cluster::Shipped;
use crate::command::Given;
use crate::engine::need::Need;
use crate::engine::shard_job::ShippedCommand;
use crate::error::{Error, Result};
use crate::explain::outline::{CommandOutline, ShipOutline};
use crate::explain::schema::{PlanWord, StagePlan, StreamKind, TemporaryPlan};

/// A call of `mc-map`.
pub struct MapCall<'a> {
    /// The command.
    pub command: &'a CommandLine,
    /// What one process of it gets.
    pub pieces: &'a Pieces,
    /// How it is run.
    pub attempts: &'a Attempts,
    /// On which hosts.
    pub there: &'a CommandHosts,
    /// What a record is.
    pub records: &'a Records,
    /// What it may use.
    pub memory: &'a MemoryOptions,
    /// What is said of output that is no JSON.
    pub plain_lines: &'static str,
}

impl Explaining<'_> {
    /// The stage that `mc-map` is.
    ///
    /// # Errors
    /// As for a run.
    pub fn map(&mut self, call: &MapCall<'_>) -> Result<StagePlan> {
        let given = call.command.given()?;
        let hosts = call.there.hosts.hosts()?;
        let keep = call.there.output.as_deref();
        if hosts.is_some() {
            shards::check_output(self.session, keep)?;
        }
        let mut stage = self.stage();
        stage.reads = self.input()?;
        call.records.explain(&mut stage)?;
        let is_shards = match stage.reads.kind {
            StreamKind::Shards => true,
            // Only of shards can anything be kept.
            StreamKind::Unknown => hosts.is_none() && keep.is_some(),
            _ => false,
        };
        if is_shards {
            call.pieces.refuse()?;
            shards::check_output(self.session, keep)?;
        }
        match (hosts, is_shards) {
            (None, false) => self.map_here(call, &given, &mut stage)?,
            (hosts, _) => {
                let hosts = match hosts {
                    Some(hosts) => stages::hosts(&hosts),
                    None if stage.reads.is_parts_of_files() => return Err(stages::no_hosts()),
                    None => stage.reads.hosts.clone(),
                };
                call.memory.explain_there(&mut stage, hosts)?;
                self.map_there(call, &given, &mut stage)?;
            }
        }
        Ok(stage)
    }

    /// On this machine.
    fn map_here(&mut self, call: &MapCall<'_>, given: &Given, stage: &mut StagePlan) -> Result<()> {
        let ship = &call.there.ship;
        if call.there.output.is_some() || ship.is_for_hosts() {
            return Err(Error::usage("-o and --ship are for hosts (-h), or for shards"));
        }
        let about = (call.records, &*self.session);
        let plan =
            call.attempts.plan((given, Sent::Here(ship)), call.pieces, call.plain_lines, about)?;
        running::check_here(&plan, given, ship)?;
        let limits = call.memory.limits(call.records)?;
        call.memory.explain_here(stage);
        let block = call.pieces.block(call.memory)?.map(|bytes| bytes as u64);
        let mut command = plan.outline(given);
        command.setup = ship.setup_line().map(PlanWord::of);
        if call.pieces.are_one() {
            (command.per, command.tasks, stage.place.cores) = ("all".into(), Some(1), Some(1));
            let dir = Some(PlanWord::of(limits.directory.as_os_str()));
            stage.temporary = Some(TemporaryPlan { dir, bytes: None });
        } else if command.per != "record" {
            (command.block, command.tasks) = (block, stages::blocks(stage.reads.bytes, block));
        }
        stage.command = Some(command);
        stage.writes = records();
        Ok(())
    }

    /// On hosts, which `stage` names.
    fn map_there(
        &mut self,
        call: &MapCall<'_>,
        given: &Given,
        stage: &mut StagePlan,
    ) -> Result<()> {
        let there = call.there;
        let shipped = shipping::pack(given.clone(), &there.ship, self.session)?;
        let about = (call.records, &*self.session);
        let sent = Sent::There(&shipped);
        let plan = call.attempts.plan((given, sent), call.pieces, call.plain_lines, about)?;
        there.hosts.reach(self.session)?;
        call.memory.limits(call.records)?;
        let block = call.pieces.block(call.memory)?.map(|bytes| bytes as u64);
        if let Some(least) = there.min_hosts {
            Need::among(Some(least.get()), 1, stage.place.hosts.len())?;
            stage.place.min_hosts = Some(least.get() as u64);
        }
        let mut command = plan.outline(given);
        sends(&mut command, &shipped);
        let bytes = stage.reads.bytes;
        match stage.reads.kind {
            StreamKind::Shards => {
                if command.per != "record" {
                    command.per = "shard".into();
                }
                command.tasks = stage.reads.shards;
                if stage.reads.is_parts_of_files() {
                    stage.crosses("to-hosts", bytes, "the parts of the files");
                }
            }
            _ => {
                if command.per != "record" {
                    command.block = block;
                }
                command.tasks = stages::blocks(bytes, block);
                stage.crosses("to-hosts", bytes, "the records");
            }
        }
        stage.writes = stages::shards_on(&stage.place.hosts, there.output.as_deref());
        stage.writes.shards = command.tasks;
        stage.command = Some(command);
        Ok(())
    }
}

/// Says which files are sent with a command.
pub fn sends(command: &mut CommandOutline, shipped: &ShippedCommand) {
    let outline = |file: &Shipped| ShipOutline {
        from: PlanWord::of(file.from.as_os_str()),
        to: PlanWord::of(file.to.as_os_str()),
        bytes: fs::metadata(&file.from)
            .ok()
            .filter(|found| found.is_file() && file.link.is_none())
            .map(|found| found.len()),
    };
    command.ship = shipped.files.iter().map(outline).collect();
    command.setup = shipped.setup.as_ref().map(|setup| PlanWord::of(&setup.line));
}
