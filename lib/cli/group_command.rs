//! The options of a command that gets whole groups.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::cli::environment::Environment;
use crate::cli::explaining::Explaining;
use crate::cli::explaining::command::sends;
use crate::cli::hadoop_env::HadoopEnv;
use crate::cli::hosts::feed;
use crate::cli::hosts::shipping::{self, Ship};
use crate::cli::options::MemoryOptions;
use crate::cli::pieces::Forms;
use crate::cli::running::{TaskOptions, check_here, find};
use crate::cli::share::Share;
use crate::cli::{Session, duration, size, surroundings};
use crate::command::{Command, Form, Given};
use crate::engine::CommandPlan;
use crate::engine::consumer::ConsumerInput;
use crate::engine::quarantine::Quarantine;
use crate::engine::shard_job::ShippedCommand;
use crate::error::{Error, Result};
use crate::explain::schema::StagePlan;
use crate::record::notation::Notation;
use crate::record::stream::Input;

/// Why files are not sent.
const SHIPS_HERE: &str =
    "--ship is for shards, which lie on hosts: here the command sees the files";

/// A command that gets whole groups.
#[derive(Args, Clone, Debug)]
pub struct GroupCommand {
    /// Run LINE over whole groups, with bash, or /bin/sh where there is none; it fails when any
    /// member of a pipe in it fails
    #[arg(short = 'c', value_name = "LINE", allow_hyphen_values = true)]
    line: Option<OsString>,

    /// The command to run over whole groups, and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,

    #[command(flatten)]
    forms: Forms,

    /// Give a command groups of about SIZE in all [default: they grow from 256K to 6M]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes)]
    block: Option<u64>,

    /// The exit statuses of a command that mean success [default: 0]
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    ok_exit: Vec<u8>,

    /// How often a failed command is tried again on the same groups [default: 1]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// End a command that takes longer than TIME, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    timeout: Option<Duration>,

    #[command(flatten)]
    tasks: TaskOptions,

    #[command(flatten)]
    environment: Environment,

    #[command(flatten)]
    hadoop_env: HadoopEnv,

    #[command(flatten)]
    share: Share,

    #[command(flatten)]
    ship: Ship,
}

impl GroupCommand {
    /// The command, if there is one.
    ///
    /// # Errors
    /// `Usage` when there are two, or none and something about it.
    pub fn given(&self) -> Result<Option<Given>> {
        match (&self.line, self.command.is_empty()) {
            (Some(_), false) => Err(Error::usage("say -c LINE or -- CMD, not both")),
            (Some(line), true) => Ok(Some(Given::Line(line.clone()))),
            (None, false) => Ok(Some(Given::Words(self.command.clone()))),
            (None, true) => self.refuse().map(|()| None),
        }
    }

    /// Refuses what is about a command, where there is none.
    fn refuse(&self) -> Result<()> {
        let of_commands = [
            ("-t, --kv, --raw, --in or --out", self.forms.are_given()),
            ("--block", self.block.is_some()),
            ("--ok-exit", !self.ok_exit.is_empty()),
            ("--retries", self.retries.is_some()),
            ("--timeout", self.timeout.is_some()),
            ("--halt", self.tasks.halt.is_some()),
            ("--speculate", self.tasks.speculate),
            ("--env", self.environment.is_given()),
            ("--hadoop-env", self.hadoop_env.is_given()),
            ("--share", self.share.is_given()),
        ];
        let mut of_commands = of_commands.into_iter().chain(self.ship.given());
        match of_commands.find(|(_, said)| *said) {
            Some((name, _)) => {
                Err(Error::usage(format!("{name} is for a command (-c LINE or -- CMD)")))
            }
            None => Ok(()),
        }
    }

    /// Refuses `--block`, for shards.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse_block(&self) -> Result<()> {
        match self.block {
            Some(_) => Err(Error::usage(
                "--block: the command gets whole shards, where they lie: leave it out",
            )),
            None => Ok(()),
        }
    }

    /// What is to be sent for the command that was `given`.
    ///
    /// # Errors
    /// As [`shipping::pack`].
    pub fn pack(&self, given: &Given, session: &Session) -> Result<ShippedCommand> {
        shipping::pack(given.clone(), &self.ship, session)
    }

    /// What is fed, as records that are reduced here, by the command if there is one.
    ///
    /// # Errors
    /// As [`feed::brought`] and [`find`]; `Usage` when `--ship` was given for nothing.
    pub fn begin_here(
        &self,
        fed: ConsumerInput,
        command: Option<(&mut CommandPlan, &Given)>,
        session: &Session,
    ) -> Result<Box<dyn Input>> {
        let mut input = feed::brought(session, fed)?;
        if self.ship.is_for_hosts() {
            return Err(feed::no_shards(&mut *input, Error::usage(SHIPS_HERE)));
        }
        if let Some((plan, given)) = command {
            find(plan, given, &self.ship, session)?;
        }
        Ok(input)
    }

    /// Says in `stage` what `command` needs, if there is one, where the shards lie (`there`) or here.
    ///
    /// # Errors
    /// As for a run: [`GroupCommand::begin_here`], [`GroupCommand::refuse_block`], [`GroupCommand::pack`].
    pub fn explain(
        &self,
        command: Option<(&mut CommandPlan, &Given)>,
        there: bool,
        explaining: &mut Explaining<'_>,
        stage: &mut StagePlan,
    ) -> Result<()> {
        if !there && self.ship.is_for_hosts() {
            return Err(Error::usage(SHIPS_HERE));
        }
        let Some((plan, given)) = command else { return Ok(()) };
        if !there {
            return check_here(plan, given, &self.ship);
        }
        self.refuse_block()?;
        let shipped = self.pack(given, explaining.session())?;
        stage.command.iter_mut().for_each(|command| sends(command, &shipped));
        Ok(())
    }

    /// Bytes of groups that one process of the command gets, where that is given.
    ///
    /// # Errors
    /// `Usage` when it is nothing, or more than there is memory.
    pub fn block(&self, memory: &MemoryOptions) -> Result<Option<usize>> {
        let block = self.block.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if block.is_some_and(|bytes| bytes == 0 || bytes > memory.bytes()) {
            return Err(Error::usage("--block is 0 or more than the memory that may be used (-S)"));
        }
        Ok(block)
    }

    /// How the command that was `given` is run, elsewhere; `plain_lines` is what is said of such output
    /// that is no JSON.
    ///
    /// # Errors
    /// `Usage` for a line of which it cannot be told what is a pipe in it.
    pub fn plan(
        &self,
        given: &Given,
        plain_lines: &'static str,
        session: &Session,
    ) -> Result<CommandPlan> {
        // Groups are cut from records, and made what the command reads when it is run.
        let form = Form { late: true, ..self.forms.form() };
        if form.input == Notation::Raw || form.output == Notation::Raw {
            return Err(Error::usage(
                "bytes have no ends to tell groups by: use --in and --out json, text or kv",
            ));
        }
        let ok_exit = if self.ok_exit.is_empty() { &[0][..] } else { &self.ok_exit };
        Ok(CommandPlan {
            command: self
                .environment
                .of(Command::elsewhere(given.clone())?)?
                .told_by_hadoop(self.hadoop_env.job(false)),
            ok_exit: ok_exit.iter().copied().map(i32::from).collect(),
            retries: self.retries.unwrap_or(1),
            timeout: self.timeout,
            halt: self.tasks.halt(),
            speculates: self.tasks.speculate,
            failed: Arc::new(Quarantine::none()),
            plain_lines: if form.output == Notation::Json { plain_lines } else { "" },
            kept: surroundings::kept_input(session.tool(), given, &form),
            form,
            memo: None,
            shared: self.share.shared(session)?,
        })
    }
}
