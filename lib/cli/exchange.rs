//! The options of the tools that exchange the shards of hosts, and what becomes of the shards.
// The texts of options are for a terminal: their brackets are no links.
#![allow(rustdoc::broken_intra_doc_links)]

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;

use crate::cli::options::{Memory, Records};
use crate::cli::resources::{Reading, Resources};
use crate::cli::{Session, reach, shards};
use crate::engine::consumer::Consumer;
use crate::engine::exchange::Remote;
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
        if matches!(reading, Reading::Records(..))
            && (self.output.is_some() || self.ranges.is_some())
        {
            return Err(Error::usage(
                "-o and -n are for the shards of hosts, on standard input: these are records",
            ));
        }
        Ok(reading)
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
        let keep = self.output.as_deref();
        shards::check_output(session, keep)?;
        let reach = reach::reach(session, None, None)?;
        let remote = Remote {
            reach: &reach,
            memory: memory.given_bytes(),
            keep,
            ranges: self.ranges.map(NonZeroU64::get),
        };
        shards::publish(session, &reach, keep, |output| work(&remote, consumer, output))
    }
}
