//! The options of the tools that work on shards where they lie, and what becomes of the shards that
//! they make.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Session;
use crate::cli::explaining::Explaining;
use crate::cli::explaining::stages::shards_on;
use crate::cli::hosts::{access, feed, shards};
use crate::cli::options::{MemoryOptions, Pipes, Records};
use crate::engine::consumer::ConsumerInput;
use crate::engine::exchange::{Remote, Roads};
use crate::engine::producer::Producer;
use crate::error::{Error, Result};
use crate::explain::schema::{StagePlan, StreamKind, StreamPlan};
use crate::record::bad::Policy;
use crate::record::stream::{Output, Summary};

/// What becomes of shards that are made of shards.
#[derive(Args, Clone, Debug)]
pub struct InPlaceOptions {
    /// Of shards: keep what is made on the hosts, and its manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    pipes: Pipes,
}

impl InPlaceOptions {
    /// Standard input: shards to be worked on where they lie, which are those of hosts unless bad
    /// records are to be judged, of which they hold none but what is bad for this tool; or records,
    /// for which `refuse` says whether something was given that is for shards alone.
    ///
    /// # Errors
    /// What `refuse` says, where it is records; what the manifest says.
    pub fn stdin(
        &self,
        records: &Records,
        session: &mut Session,
        refuse: impl Fn() -> Result<()>,
    ) -> Result<ConsumerInput> {
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
                if let Err(error) = refuse() {
                    return Err(feed::no_shards(&mut *input, error));
                }
                Ok(ConsumerInput::Records(input))
            }
            fed => {
                refuse()?;
                feed::brought(session, fed).map(ConsumerInput::Records)
            }
        }
    }

    /// What [`InPlaceOptions::stdin`] would give, where nothing is to run: what is read, as `stage` says
    /// then, and whether it is worked on where it lies. Of what is not known, what was given for shards
    /// alone says that.
    ///
    /// # Errors
    /// As [`InPlaceOptions::stdin`].
    pub fn explain_stdin(
        &self,
        records: &Records,
        explaining: &mut Explaining<'_>,
        stage: &mut StagePlan,
        refuse: impl Fn() -> Result<()>,
    ) -> Result<bool> {
        stage.reads = explaining.input()?;
        records.explain(stage)?;
        match stage.reads.kind {
            StreamKind::Unknown => Ok(refuse().is_err()),
            StreamKind::Shards
                if records.bad == Policy::Fail && !stage.reads.is_parts_of_files() =>
            {
                Ok(true)
            }
            _ => refuse().map(|()| false),
        }
    }

    /// Says in `stage` that it works where the shards lie that it reads, and makes others there.
    ///
    /// # Errors
    /// As [`InPlaceOptions::publish`].
    pub fn explain(
        &self,
        memory: &MemoryOptions,
        explaining: &mut Explaining<'_>,
        stage: &mut StagePlan,
    ) -> Result<()> {
        memory.refuse_directory()?;
        let keep = self.output.as_deref();
        shards::check_output(explaining.session(), keep)?;
        access::access(explaining.session(), None, None)?;
        memory.explain_there(stage, stage.reads.hosts.clone())?;
        stage.writes = shards_on(&stage.place.hosts, keep);
        Ok(())
    }

    /// Says in `stage` that it works here, on records, and writes records.
    ///
    /// # Errors
    /// As [`InPlaceOptions::refuse`].
    pub fn explain_here(&self, memory: &MemoryOptions, stage: &mut StagePlan) -> Result<()> {
        memory.explain_here(stage);
        stage.writes = StreamPlan::of_kind(StreamKind::Records);
        self.refuse()
    }

    /// Refuses `-o`, where it is records that are worked on.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse(&self) -> Result<()> {
        match self.output {
            Some(_) => Err(for_shards("-o")),
            None => Ok(()),
        }
    }

    /// Calls `work` with what it takes to work on shards where they lie, or to exchange them by
    /// `roads` and into so many `ranges`, and publishes those that it makes.
    ///
    /// # Errors
    /// `Usage` for options that are about this machine; what `work` says.
    pub fn publish(
        &self,
        session: &Session,
        memory: &MemoryOptions,
        (ranges, roads): (Option<u64>, Roads),
        work: impl FnOnce(&Remote<'_>, &mut dyn Output) -> Result<(Summary, Producer)>,
    ) -> Result<Summary> {
        memory.refuse_jobs()?;
        memory.refuse_directory()?;
        let keep = self.output.as_deref();
        shards::check_output(session, keep)?;
        let reach = access::access(session, None, None)?;
        let memory = memory.given_bytes()?;
        let remote = Remote { reach: &reach, memory, keep, ranges, roads };
        shards::publish(session, &reach, keep, |output| work(&remote, output))
    }
}

/// The error for an option that is for shards alone.
pub(super) fn for_shards(name: &str) -> Error {
    Error::usage(format!(
        "{name} is for shards that are worked on where they lie, on hosts; here it is records: leave \
         it out"
    ))
}
