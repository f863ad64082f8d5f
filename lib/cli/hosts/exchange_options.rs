//! The options of the tools that exchange the shards of hosts, and what becomes of the shards.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::Session;
use crate::cli::hosts::{access, feed, shards};
use crate::cli::options::{MemoryOptions, Pipes, Records};
use crate::cli::resources::Resources;
use crate::engine::consumer::{Consumer, ConsumerInput};
use crate::engine::exchange::{Remote, Roads};
use crate::engine::producer::Producer;
use crate::error::{Error, Result};
use crate::format::ReadOptions;
use crate::format::resource::Resource;
use crate::record::bad::Policy;
use crate::record::stream::{Output, Summary};

/// How shards are exchanged between hosts.
#[derive(Args, Clone, Debug)]
pub struct ExchangeOptions {
    /// Of shards: keep what is made on the hosts, and its manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Of shards: make N shards [default: as many as their size asks for]
    #[arg(short = 'n', long, value_name = "N")]
    ranges: Option<NonZeroU64>,

    /// Of shards: how they go from host to host: directly where that is possible, or not at all, or
    /// by way of this machine [default: auto]
    #[arg(long, value_name = "ROAD", value_enum)]
    exchange: Option<Road>,

    #[command(flatten)]
    pipes: Pipes,
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

    /// Standard input: shards to be worked on where they lie, which are those of hosts unless bad
    /// records are to be judged, of which they hold none but what is bad for this tool; or records.
    ///
    /// # Errors
    /// `Usage` for options that are for shards alone, where it is records.
    pub fn stdin(&self, records: &Records, session: &mut Session) -> Result<ConsumerInput> {
        if self.output.is_some() {
            session.guard()?;
            self.pipes.insist();
        }
        match feed::told(session, |session| access::access(session, None, None))? {
            ConsumerInput::Shards(consumer)
                if records.bad == Policy::Fail && !consumer.origin.hosts.is_empty() =>
            {
                Ok(ConsumerInput::Shards(consumer))
            }
            ConsumerInput::Records(mut input) => {
                if let Err(error) = self.refuse() {
                    return Err(feed::no_shards(&mut *input, error));
                }
                Ok(ConsumerInput::Records(input))
            }
            fed => {
                self.refuse()?;
                feed::brought(session, fed).map(ConsumerInput::Records)
            }
        }
    }

    /// Refuses what is for shards alone.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse(&self) -> Result<()> {
        let given = [
            ("-o", self.output.is_some()),
            ("-n", self.ranges.is_some()),
            ("--exchange", self.exchange.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Error::usage(format!(
                "{name} is for shards that are worked on where they lie, on hosts; here it is \
                 records: leave it out"
            ))),
            None => Ok(()),
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
        memory.refuse_jobs()?;
        memory.refuse_directory()?;
        let keep = self.output.as_deref();
        shards::check_output(session, keep)?;
        let reach = access::access(session, None, None)?;
        let remote = Remote {
            reach: &reach,
            memory: memory.given_bytes()?,
            keep,
            ranges: self.ranges.map(NonZeroU64::get),
            roads: match self.exchange {
                None | Some(Road::Auto) => Roads::Auto,
                Some(Road::Direct) => Roads::Direct,
                Some(Road::Relay) => Roads::Relay,
            },
        };
        shards::publish(session, &reach, keep, |output| work(&remote, consumer, output))
    }
}
