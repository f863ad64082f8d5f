//! The options of the tools that exchange the shards of hosts, and what becomes of the shards.
// The texts of options are for a terminal: their brackets are no links.
#![allow(rustdoc::broken_intra_doc_links)]

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::options::{Memory, Records};
use crate::cli::resources::{Reading, Resources};
use crate::cli::{Session, feed, reach, shards};
use crate::engine::consumer::{Consumer, Feed};
use crate::engine::exchange::{Remote, Roads};
use crate::engine::producer::Producer;
use crate::error::{Error, Result};
use crate::record::stream::{Output, Summary};

/// How shards are exchanged between hosts.
#[derive(Args, Clone, Debug)]
pub struct Exchange {
    /// Of shards: keep what is made on the hosts, and its manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Of shards: make N shards [default: as many as their size asks for]
    #[arg(short = 'n', long, value_name = "N")]
    ranges: Option<NonZeroU64>,

    /// Of shards: how they go from host to host: directly where that is possible, or not at all, or
    /// by way of this machine
    #[arg(long, value_name = "ROAD", value_enum, default_value_t = Road::Auto)]
    exchange: Road,
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

impl Exchange {
    /// What is to be read: shards to be worked on where they lie, or records.
    ///
    /// # Errors
    /// `Usage` for what is no resource, and for options that are for shards alone.
    pub fn read(
        &self,
        resources: &Resources,
        records: &Records,
        session: &mut Session,
    ) -> Result<Reading> {
        if self.output.is_some() {
            session.guard()?;
        }
        let reading = resources.read_or_shards(records, session)?;
        if matches!(reading, Reading::Records(..)) {
            self.refuse()?;
        }
        Ok(reading)
    }

    /// Standard input: shards to be worked on where they lie, or records.
    ///
    /// # Errors
    /// As [`Exchange::read`].
    pub fn stdin(&self, records: &Records, session: &mut Session) -> Result<Feed> {
        if self.output.is_some() {
            session.guard()?;
        }
        let strict = records.bad()?.is_strict();
        match feed::told(session, |session| reach::reach(session, None, None))? {
            Feed::Shards(consumer) if strict && !consumer.origin.hosts.is_empty() => {
                Ok(Feed::Shards(consumer))
            }
            fed => {
                self.refuse()?;
                feed::brought(session, fed).map(Feed::Records)
            }
        }
    }

    /// Refuses what is for shards alone.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse(&self) -> Result<()> {
        match self.output.is_some() || self.ranges.is_some() {
            true => Err(Error::usage(
                "-o and -n are for shards that are worked on where they lie: these are not",
            )),
            false => Ok(()),
        }
    }

    /// Whether the user says how many shards to make.
    pub fn has_ranges(&self) -> bool {
        self.ranges.is_some()
    }

    /// Calls `work` with what it takes to exchange shards, and publishes those that it makes.
    ///
    /// # Errors
    /// `Usage` for options that are about this machine; what `work` says.
    pub fn publish(
        &self,
        session: &Session,
        memory: &Memory,
        consumer: Box<Consumer>,
        work: impl FnOnce(&Remote<'_>, Box<Consumer>, &mut dyn Output) -> Result<(Summary, Producer)>,
    ) -> Result<Summary> {
        memory.refuse_jobs()?;
        memory.refuse_directory()?;
        let keep = self.output.as_deref();
        shards::check_output(session, keep)?;
        let reach = reach::reach(session, None, None)?;
        let remote = Remote {
            reach: &reach,
            memory: memory.given_bytes()?,
            keep,
            ranges: self.ranges.map(NonZeroU64::get),
            roads: match self.exchange {
                Road::Auto => Roads::Auto,
                Road::Direct => Roads::Direct,
                Road::Relay => Roads::Relay,
            },
        };
        shards::publish(session, &reach, keep, |output| work(&remote, consumer, output))
    }
}
