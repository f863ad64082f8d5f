//! The options of the tools that exchange the shards of hosts, and what becomes of the shards.

use std::num::NonZeroU64;

use clap::{Args, ValueEnum};

use crate::cli::Session;
use crate::cli::explaining::Explaining;
use crate::cli::hosts::in_place_options::{InPlaceOptions, for_shards};
use crate::cli::options::{MemoryOptions, Records};
use crate::cli::resources::Resources;
use crate::engine::consumer::{Consumer, ConsumerInput};
use crate::engine::exchange::{Remote, Roads};
use crate::engine::producer::Producer;
use crate::error::{Error, Result};
use crate::explain::schema::StagePlan;
use crate::format::ReadOptions;
use crate::format::resource::Resource;
use crate::record::stream::{Output, Summary};

/// How shards are exchanged between hosts.
#[derive(Args, Clone, Debug)]
pub struct ExchangeOptions {
    /// Of shards: make N shards [default: as many as their size asks for]
    #[arg(short = 'n', long, value_name = "N")]
    ranges: Option<NonZeroU64>,

    /// Of shards: how they go from host to host: directly where that is possible, or not at all, or
    /// by way of this machine [default: auto]
    #[arg(long, value_name = "ROAD", value_enum)]
    exchange: Option<Road>,

    #[command(flatten)]
    in_place: InPlaceOptions,
}

/// How shards go from host to host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Road {
    /// Directly where that is possible, and by way of this machine where it is not
    Auto,
    /// Directly, or not at all
    Direct,
    /// By way of this machine
    Relay,
}

/// What is to be read.
pub enum ShardsRead {
    /// Records.
    Records(Vec<Resource>, Box<ReadOptions>),
    /// Shards that lie on hosts.
    Shards(Box<Consumer>),
}

impl ExchangeOptions {
    /// What is to be read: shards to be worked on where they lie, if they are all that is to be read,
    /// or records.
    ///
    /// # Errors
    /// `Usage` for what is no resource; as [`ExchangeOptions::stdin`].
    pub fn read(
        &self,
        resources: &Resources,
        records: &Records,
        session: &mut Session,
    ) -> Result<ShardsRead> {
        let (resources, options) = if resources.is_stdin() {
            match self.stdin(records, session)? {
                ConsumerInput::Shards(consumer) => return Ok(ShardsRead::Shards(consumer)),
                ConsumerInput::Records(input) => resources.stdin(input, records, session)?,
            }
        } else {
            self.refuse()?;
            resources.read(records, session)?
        };
        Ok(ShardsRead::Records(resources, Box::new(options)))
    }

    /// Standard input, as [`InPlaceOptions::stdin`] gives it.
    ///
    /// # Errors
    /// `Usage` for options that are for shards alone, where it is records.
    pub fn stdin(&self, records: &Records, session: &mut Session) -> Result<ConsumerInput> {
        self.in_place.stdin(records, session, || self.refuse())
    }

    /// What [`ExchangeOptions::read`] would give, where nothing is to run: what is read, as `stage` says
    /// then, and whether that is shards to be worked on where they lie.
    ///
    /// # Errors
    /// As [`ExchangeOptions::read`].
    pub fn explain_read(
        &self,
        resources: &Resources,
        records: &Records,
        explaining: &mut Explaining<'_>,
        stage: &mut StagePlan,
    ) -> Result<bool> {
        if resources.is_stdin() {
            return self.explain_stdin(records, explaining, stage);
        }
        self.refuse()?;
        records.explain(stage)?;
        stage.reads = resources.explain(records, explaining)?;
        Ok(false)
    }

    /// As [`InPlaceOptions::explain_stdin`].
    ///
    /// # Errors
    /// As there.
    pub fn explain_stdin(
        &self,
        records: &Records,
        explaining: &mut Explaining<'_>,
        stage: &mut StagePlan,
    ) -> Result<bool> {
        self.in_place.explain_stdin(records, explaining, stage, || self.refuse())
    }

    /// Says in `stage` where it works, `there` being where the shards lie, and what it writes.
    ///
    /// # Errors
    /// As [`ExchangeOptions::publish`]; what [`ExchangeOptions::refuse`] says, where it works here.
    pub fn explain(
        &self,
        there: bool,
        memory: &MemoryOptions,
        explaining: &mut Explaining<'_>,
        stage: &mut StagePlan,
    ) -> Result<()> {
        if !there {
            self.in_place.explain_here(memory, stage)?;
            return self.refuse();
        }
        self.in_place.explain(memory, explaining, stage)?;
        stage.writes.shards = self.ranges.map(NonZeroU64::get);
        if self.exchange == Some(Road::Relay) {
            stage.notes.push("by way of this machine, as --exchange relay says".into());
        }
        Ok(())
    }

    /// Refuses what is for shards alone.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse(&self) -> Result<()> {
        self.in_place.refuse()?;
        match (self.ranges, self.exchange) {
            (Some(_), _) => Err(for_shards("-n")),
            (None, Some(_)) => Err(for_shards("--exchange")),
            (None, None) => Ok(()),
        }
    }

    /// Refuses what is about ranges and their parts, for a command that makes one shard of each.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse_ranges(&self) -> Result<()> {
        match (self.ranges, self.exchange) {
            (Some(_), _) => Err(Error::usage(
                "-n: the command makes one shard of each that there is: leave it out",
            )),
            (None, Some(_)) => Err(Error::usage(
                "--exchange: the command runs where the shards lie, and nothing is exchanged: \
                 leave it out",
            )),
            (None, None) => Ok(()),
        }
    }

    /// Calls `work` with what it takes to exchange shards, and publishes those that it makes.
    ///
    /// # Errors
    /// `Usage` for options that are about this machine; what `work` says.
    pub fn publish(
        &self,
        session: &Session,
        memory: &MemoryOptions,
        consumer: Box<Consumer>,
        work: impl FnOnce(&Remote<'_>, Box<Consumer>, &mut dyn Output) -> Result<(Summary, Producer)>,
    ) -> Result<Summary> {
        let roads = match self.exchange {
            None | Some(Road::Auto) => Roads::Auto,
            Some(Road::Direct) => Roads::Direct,
            Some(Road::Relay) => Roads::Relay,
        };
        let how = (self.ranges.map(NonZeroU64::get), roads);
        let work = |remote: &Remote<'_>, output: &mut dyn Output| work(remote, consumer, output);
        self.in_place.publish(session, memory, how, work)
    }
}
