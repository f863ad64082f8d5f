//! `--explain` and `MC_EXPLAIN`: nothing runs; the tool reads the plan of the one before it on standard
//! input, adds its stage, and hands it on, or shows it.
//!
//! - [`before`]: what comes on standard input, of which no more is read than a plan.
//! - [`reader`]: who reads standard output: a tool of ours goes on with the plan, all others see it.
//! - [`mod@line`]: a pipeline as text (`mc-explain`), whose members are called one after the other.
//! - The others: what the options of tools say of a stage.
//!
//! What would have an effect asks [`is_on`] first: no file is made, no process is put under guard, no
//! entry is made for a pipe. The options are checked by the code that checks them for a run.

pub mod before;
pub mod command;
pub mod line;
mod reader;
pub mod resources;
pub mod stages;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum};

use crate::cli::explaining::before::Before;
use crate::cli::explaining::reader::StdoutReader;
use crate::cli::options::Common;
use crate::cli::stdout::StdoutKind;
use crate::cli::{Session, message, surroundings};
use crate::error::{Error, Result};
use crate::explain::schema::{PlanDocument, PlanWord, StagePlan, StreamKind, StreamPlan};
use crate::explain::{advice, text};
use crate::record::stream::Output;

/// The tools that are stages of pipelines.
pub(super) const STAGES: [&str; 9] = [
    "mc-cat",
    "mc-split",
    "mc-scatter",
    "mc-map",
    "mc-shuffle",
    "mc-sort",
    "mc-reduce",
    "mc-join",
    "mc-gather",
];

/// The variable that stands in for `--explain`, for a whole pipeline.
pub(super) const VARIABLE: &str = "MC_EXPLAIN";

/// The name of the option.
const OPTION: &str = "explain";

/// How a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainForm {
    /// As text.
    Text,
    /// As JSON.
    Json,
    /// As it is, to go on down the pipe.
    Line,
}

impl ValueEnum for ExplainForm {
    fn value_variants<'a>() -> &'a [ExplainForm] {
        &[ExplainForm::Text, ExplainForm::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            ExplainForm::Text => Some(PossibleValue::new("text")),
            ExplainForm::Json => Some(PossibleValue::new("json")),
            ExplainForm::Line => None,
        }
    }
}

static FORM: OnceLock<ExplainForm> = OnceLock::new();

/// Whether this process explains, and does nothing.
pub(super) fn is_on() -> bool {
    FORM.get().is_some()
}

/// Whether a tool is a stage.
pub(super) fn is_stage(tool: &str) -> bool {
    STAGES.contains(&tool)
}

/// The option, which all stages have.
pub(super) fn option() -> Arg {
    Arg::new(OPTION)
        .long(OPTION)
        .value_name("FORM")
        .help(
            "Run nothing, and print what would be done, where, and what could be done better, for all of \
             a pipeline when all tools are told: as text, or json [default: $MC_EXPLAIN]",
        )
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("text")
        .hide_possible_values(true)
        .value_parser(clap::value_parser!(ExplainForm))
        .display_order(899)
}

/// What the command line says: whether and how to explain, and which options were given.
pub(super) fn told(command: &Command, matches: &ArgMatches) -> (Option<ExplainForm>, GivenOptions) {
    let form = matches.try_get_one::<ExplainForm>(OPTION).ok().flatten().copied();
    let mut given = GivenOptions::new();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let is_said = matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
        if !is_said || id == OPTION {
            continue;
        }
        let usage = || Some(arg.get_value_names()?.first()?.to_string());
        let name = arg.get_long().map(str::to_string).or_else(usage).unwrap_or_else(|| id.into());
        let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        let values = matches.get_raw(id).filter(|_| takes_value).into_iter().flatten();
        given.insert(name, values.map(PlanWord::of).collect());
    }
    (form, given)
}

/// The options that were given, by their long names or as the usage calls them, with their values.
pub(super) type GivenOptions = BTreeMap<String, Vec<PlanWord>>;

/// Begins to explain, if that is asked for: before anything else is begun.
///
/// # Errors
/// `Usage` for a form that is none, and for tools that are no stages.
pub(super) fn begin(tool: &'static str, common: &Common) -> Result<()> {
    let form = match (common.explain, surroundings::variable(VARIABLE)) {
        (Some(form), _) => Some(form),
        (None, Some(value)) => named(&value)?,
        (None, None) => None,
    };
    if tool == line::TOOL {
        let _ = FORM.set(ExplainForm::Text);
        return Ok(());
    }
    let Some(form) = form else { return Ok(()) };
    if !is_stage(tool) {
        return Err(Error::usage(format!(
            "{VARIABLE} is set, and {tool} is no stage of a pipeline: unset it to run {tool}"
        )));
    }
    let _ = FORM.set(form);
    Ok(())
}

/// The form that the variable names, if it asks for any.
fn named(value: &OsString) -> Result<Option<ExplainForm>> {
    match value.to_str() {
        Some("0") => Ok(None),
        Some("1" | "text") => Ok(Some(ExplainForm::Text)),
        Some("json") => Ok(Some(ExplainForm::Json)),
        Some("line") => Ok(Some(ExplainForm::Line)),
        _ => Err(Error::usage(format!(
            "{VARIABLE}={}: say 1 or text, json, line (the plan as it goes down a pipe), or 0 to run",
            value.display()
        ))),
    }
}

/// A call that is explained: what is known of it, and what comes before it.
pub struct Explaining<'a> {
    session: &'a mut Session,
    given: GivenOptions,
    before: Option<Before>,
}

impl Explaining<'_> {
    /// The session, of which nothing is to be read or written.
    pub fn session(&mut self) -> &mut Session {
        self.session
    }

    /// The stage that this call is, of which no more is known than how it is called.
    pub fn stage(&self) -> StagePlan {
        StagePlan {
            tool: self.session.tool().into(),
            argv: std::env::args_os().map(|word| PlanWord::of(&word)).collect(),
            cwd: PlanWord::of(directory().as_os_str()),
            options: self.given.clone(),
            ..StagePlan::default()
        }
    }

    /// What comes on standard input.
    ///
    /// # Errors
    /// As for a run: when it cannot be read, or the tool before this one failed.
    pub fn input(&mut self) -> Result<StreamPlan> {
        let before = match self.before.take() {
            Some(before) => before,
            None => before::read(self.session)?,
        };
        Ok(self.before.insert(before).stream.clone())
    }
}

/// The directory that this process works in.
fn directory() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

/// Explains: `stage` says what this call does, and the plan with it is handed on, or shown.
///
/// # Errors
/// What `stage` says; what standard output says.
pub(super) fn explain(
    session: &mut Session,
    common: &Common,
    stage: impl FnOnce(&mut Explaining<'_>) -> Result<StagePlan>,
) -> Result<()> {
    let mut explaining = Explaining { session, given: common.given.clone(), before: None };
    let mut stage = stage(&mut explaining)?;
    let before = explaining.before.take().unwrap_or_default();
    stage.notes.extend(before.notes);
    stage.fetches();
    stage.advice.extend(advice::advise(&before.stages, &stage));
    let mut plan = PlanDocument { stages: before.stages, ..PlanDocument::default() };
    plan.stages.push(stage);
    let mut form = FORM.get().copied().unwrap_or(ExplainForm::Text);
    if session.stdout_sort() == StdoutKind::Pipe && reader::of_stdout() == StdoutReader::Stage {
        form = ExplainForm::Line;
    }
    let columns = session.terminal_width().unwrap_or(text::COLUMNS);
    session.stdout().write(shown(&plan, form, columns)?.as_bytes())
}

/// What `stage` says of this call, which runs: of what comes down a pipe no more is known. The words of the
/// call are left out, and variables of commands, for they may hold what nobody is to see. None where nothing
/// can be said; the run says why.
pub(super) fn noted(
    session: &mut Session,
    common: &Common,
    stage: impl FnOnce(&mut Explaining<'_>) -> Result<StagePlan>,
) -> Option<StagePlan> {
    let before = Some(before::of_stdin_file(session));
    let mut given = common.given.clone();
    given.remove("env");
    let mut explaining = Explaining { session, given, before };
    let mut stage = stage(&mut explaining).ok()?;
    stage.fetches();
    (stage.argv, stage.cwd) = Default::default();
    Some(stage)
}

/// The plan in this form.
///
/// # Errors
/// `Incomplete` when it cannot be written.
pub(super) fn shown(plan: &PlanDocument, form: ExplainForm, columns: usize) -> Result<String> {
    Ok(match form {
        ExplainForm::Line => plan.encode()?,
        ExplainForm::Json => plan.json()? + "\n",
        ExplainForm::Text => {
            let text = text::text(plan, columns);
            text.lines().map(|line| message::printable(line) + "\n").collect()
        }
    })
}

/// A stream of records of which no more is known.
pub(super) fn records() -> StreamPlan {
    StreamPlan::of_kind(StreamKind::Records)
}
