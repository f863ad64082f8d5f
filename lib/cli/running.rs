//! The options of how a command is run over records.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::cli::environment::Environment;
use crate::cli::explaining;
use crate::cli::hadoop_env::HadoopEnv;
use crate::cli::hosts::shipping::Ship;
use crate::cli::memo::MemoOptions;
use crate::cli::options::Records;
use crate::cli::pieces::{HERE, Pieces};
use crate::cli::share::Share;
use crate::cli::tool::STATS_VARIABLE;
use crate::cli::{Session, duration, surroundings};
use crate::client;
use crate::command::children::{HOST_VARIABLE, SETUP_VARIABLE, SHARD_VARIABLE};
use crate::command::{Command, Given, program};
use crate::engine::quarantine::Quarantine;
use crate::engine::shard_job::ShippedCommand;
use crate::engine::{CommandPlan, Halt};
use crate::error::{Error, Result};
use crate::record::bad::Policy;
use crate::record::notation::Notation;

/// A command that stands on its own.
#[derive(Args, Clone, Debug)]
pub struct CommandLine {
    /// The command and its arguments, given to it as they are: no shell sees them
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    command: Vec<OsString>,

    /// Run LINE with bash instead, or /bin/sh where there is none; it fails when any member of a
    /// pipe in it fails
    #[arg(short = 'c', value_name = "LINE", allow_hyphen_values = true)]
    line: Option<OsString>,
}

impl CommandLine {
    /// The command.
    ///
    /// # Errors
    /// `Usage` when there is none, or two.
    pub fn given(&self) -> Result<Given> {
        match (&self.line, self.command.first()) {
            (Some(line), None) => Ok(Given::Line(line.clone())),
            (Some(_), Some(word)) => Err(Error::usage(format!(
                "'{}': -c takes one LINE and no command behind it",
                word.display()
            ))),
            (None, None) => Err(Error::usage("no command: say CMD [ARG]... or -c LINE")),
            (None, Some(_)) => Ok(Given::Words(self.command.clone())),
        }
    }
}

/// What becomes of tasks when one fails, and of those that lag behind.
#[derive(Args, Clone, Debug)]
pub(super) struct TaskOptions {
    /// When a task fails for good: end all others now, or soon, when those that run are done [default:
    /// those before it are done, those behind it are ended]
    #[arg(long, value_name = "WHEN")]
    pub(super) halt: Option<HaltWhen>,

    /// Begin a second attempt at tasks that lag behind at the end; what is done first counts
    #[arg(long)]
    pub(super) speculate: bool,
}

/// The values of --halt.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum HaltWhen {
    Now,
    Soon,
}

impl TaskOptions {
    /// What becomes of other tasks.
    pub(super) fn halt(&self) -> Halt {
        match self.halt {
            None => Halt::Behind,
            Some(HaltWhen::Soon) => Halt::Soon,
            Some(HaltWhen::Now) => Halt::Now,
        }
    }
}

/// What goes with a command.
#[derive(Clone, Copy)]
pub enum Sent<'a> {
    /// It is run here: what is made ready for it.
    Here(&'a Ship),
    /// It is run on hosts: what is sent there.
    There(&'a ShippedCommand),
}

/// How often and how long a command is run, and what its ends mean.
#[derive(Args, Clone, Debug)]
pub struct Attempts {
    /// The exit statuses that mean success
    #[arg(long, value_name = "STATUS", value_delimiter = ',', default_value = "0")]
    ok_exit: Vec<u8>,

    /// How often a failed command is tried again on the same block [default: 1; with --each 0]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    /// What to do with the records that the command fails on, which are found by halving blocks:
    /// fail, skip (drop and count them), file=PATH (keep them there, with how it failed) or limit=N
    /// (drop no more than N)
    #[arg(long, value_name = "POLICY", default_value = "fail")]
    failed: Policy,

    /// End a command that takes longer than TIME, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    timeout: Option<Duration>,

    #[command(flatten)]
    tasks: TaskOptions,

    #[command(flatten)]
    memo: MemoOptions,

    #[command(flatten)]
    environment: Environment,

    #[command(flatten)]
    hadoop_env: HadoopEnv,

    #[command(flatten)]
    share: Share,
}

impl Attempts {
    /// How the command that was `given` is run on `pieces`, elsewhere, and what is `sent` with it
    /// where that is to hosts. `plain_lines` is what is said of such output that is no JSON; what
    /// else keeps records is told by `records`.
    ///
    /// # Errors
    /// `Usage` when records are to be left out and one process gets them all; when the file to keep
    /// failed records in cannot be made, or is that for bad ones; what [`MemoOptions::open`] says.
    pub fn plan(
        &self,
        (given, sent): (&Given, Sent<'_>),
        pieces: &Pieces,
        plain_lines: &'static str,
        (records, session): (&Records, &Session),
    ) -> Result<CommandPlan> {
        if pieces.outcome && self.failed != Policy::Fail {
            return Err(Error::usage(
                "--failed: with --outcome failures are records, not failures",
            ));
        }
        if pieces.are_one() && self.failed != Policy::Fail {
            return Err(Error::usage(
                "--failed is for commands that treat each record by itself, not for --per shard",
            ));
        }
        let failed = Arc::new(match explaining::is_on() {
            true => {
                self.failed.check()?;
                Quarantine::unopened(self.failed.clone())
            }
            false => Quarantine::new(self.failed.clone())?,
        });
        if records.bad.shares_file_with(&self.failed) {
            return Err(Error::usage(
                "--bad and --failed keep what they drop in two files, not in one",
            ));
        }
        let retries = self.retries.unwrap_or(if pieces.are_records() { 0 } else { 1 });
        let form = pieces.form(given, retries, self.failed != Policy::Fail)?;
        self.share.serves(&form)?;
        let plan = CommandPlan {
            command: self
                .environment
                .of(Command::elsewhere(given.clone())?)?
                .told_by_hadoop(self.hadoop_env.job(true)),
            ok_exit: self.ok_exit.iter().copied().map(i32::from).collect(),
            retries,
            timeout: self.timeout,
            halt: self.tasks.halt(),
            speculates: self.tasks.speculate,
            failed,
            plain_lines: if form.output == Notation::Json { plain_lines } else { "" },
            kept: surroundings::kept_input(session.tool(), given, &form),
            form,
            memo: None,
            shared: self.share.shared(session)?,
        };
        let memo = self.memo.open(given, &plan, sent)?;
        Ok(CommandPlan { memo, ..plan })
    }
}

/// Has `plan` run the command that was `given` as it is found here, and what `ship` says made ready for
/// it.
///
/// # Errors
/// `Usage` when there is no such program; as [`Ship::set_up_here`].
pub fn find(plan: &mut CommandPlan, given: &Given, ship: &Ship, session: &Session) -> Result<()> {
    let told = plan.command.clone();
    let command = found(&told, given.clone(), &plan.ok_exit)?;
    plan.command = command.told_by_hadoop(told.hadoop().cloned());
    let directory = ship.set_up_here(&told, |line| found(&told, line, &[0]), session)?;
    let variable = plan.shared.as_ref().map(|shared| shared.variable.clone());
    for (name, value) in [(SETUP_VARIABLE, directory), (client::VARIABLE, variable)] {
        if let Some(value) = value {
            plan.command = plan.command.clone().setting(name, value);
        }
    }
    Ok(())
}

/// Checks, where nothing is to run, that [`find`] would find the command that was `given`, and all that
/// `ship` names.
///
/// # Errors
/// As [`find`], but for what runs.
pub fn check_here(plan: &CommandPlan, given: &Given, ship: &Ship) -> Result<()> {
    found(&plan.command, given.clone(), &plan.ok_exit)?;
    ship.for_setup().map(drop)
}

/// A command as it is found here, with the environment that the user has `told`.
fn found(told: &Command, given: Given, ok_exit: &[i32]) -> Result<Command> {
    let path = surroundings::search_path(told.value_of(program::PATH));
    let mut command = Command::find(given, ok_exit, path.as_deref())?;
    for (name, value) in told.environment().filter(|(name, _)| *name != program::PATH) {
        command = command.setting(name, value.into());
    }
    // A shard's number, or the pipeline's stats, would be of a command or stage that runs this tool.
    let command = command.setting(HOST_VARIABLE, HERE.into()).without(SHARD_VARIABLE);
    Ok(command.without(STATS_VARIABLE))
}
