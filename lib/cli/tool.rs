//! The life of a tool: options, work, last words, exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::DecimalBytes;

use crate::cli::command::{self, Asked};
use crate::cli::explaining::{self, Explaining, noted};
use crate::cli::options::Common;
use crate::cli::stats::Stats;
use crate::cli::stdout::Mark;
use crate::cli::{Session, guard, message, process, surroundings};
use crate::cluster::StartWorker;
use crate::engine::observer::Observer;
use crate::error::{Error, ErrorKind, Result};
use crate::explain::schema::StagePlan;
use crate::record::counters::Counters;
use crate::record::stream::{Output, Summary};
use crate::store::OpenStores;

/// The exit status of a tool that broke: what it wrote counts for nothing.
const INTERNAL_ERROR: ErrorKind = ErrorKind::Incomplete;

/// The variable that stands in for `--stats`.
pub(super) const STATS_VARIABLE: &str = "MC_STATS";

/// The name of the program that is sent to hosts.
const WORKER: &[u8] = b"mc-worker";

/// A tool: made by [`tool!`](crate::tool) in the program that is it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its road to hosts beside the ssh program.
    pub library: Option<StartWorker>,
    /// Its way to stores of objects.
    pub stores: Option<OpenStores>,
}

/// Whether a program of this name is the one that is sent to hosts.
#[doc(hidden)]
pub const fn is_worker(program: Option<&str>) -> bool {
    match program {
        Some(name) => matches!(name.as_bytes(), WORKER),
        None => false,
    }
}

/// The tool of this name. The worker, which is some of the tools as well, is sent to hosts, and is
/// to be small: in it they reach others by the ssh program alone, and nothing of libssh2 is linked, nor
/// what reaches stores of objects.
#[macro_export]
macro_rules! tool {
    ($name:literal) => {
        $crate::cli::Tool {
            name: $name,
            library: const {
                if $crate::cli::is_worker(option_env!("CARGO_BIN_NAME")) {
                    None
                } else {
                    $crate::cluster::LIBRARY
                }
            },
            stores: const {
                if $crate::cli::is_worker(option_env!("CARGO_BIN_NAME")) {
                    None
                } else {
                    $crate::store::OPEN
                }
            },
        }
    };
}

/// Runs `body`, the work of `program`, with the options of the command line, and returns the exit
/// code. Says the error, or what was dropped.
pub fn run<A: Parser>(
    program: Tool,
    body: impl FnOnce(A, &mut Session) -> Result<Summary>,
) -> ExitCode {
    live(program, |args, _: &Asking<'_>, session| body(args, session).map(Some))
}

/// As [`run`], for a tool that is a stage of pipelines: `stage` says what `body` would do, where that is
/// to be explained and nothing is to be done.
pub fn run_stage<A: Parser>(
    program: Tool,
    stage: impl FnOnce(A, &mut Explaining<'_>) -> Result<StagePlan>,
    body: impl FnOnce(A, &mut Session) -> Result<Summary>,
) -> ExitCode {
    live(program, |args, asking, session| {
        if explaining::is_on() {
            let stage = |explaining: &mut Explaining<'_>| stage(args, explaining);
            return explaining::explain(session, asking.common, stage).map(|()| None);
        }
        // The options are taken apart once more, for the work is given those that there are.
        if let Some(stats) = asking.stats
            && let Ok(Asked::Work(args, _)) = command::parse::<A>(program.name, std::env::args_os())
            && let Some(plan) = noted(session, asking.common, |explaining| stage(args, explaining))
        {
            stats.plan(plan);
        }
        body(args, session).map(Some)
    })
}

/// What is asked of a tool beside its work.
struct Asking<'a> {
    common: &'a Common,
    stats: Option<&'a Stats>,
}

/// The whole life.
fn live<A: Parser>(
    program: Tool,
    body: impl FnOnce(A, &Asking<'_>, &mut Session) -> Result<Option<Summary>>,
) -> ExitCode {
    let (tool, mark) = (program.name, Mark::make());
    process::listen_to_signals();
    let started = Instant::now();
    message::hook_panics(tool);
    let asked = catch_unwind(|| asked::<A>(tool));
    let (directories, unusable) = match surroundings::runtime_directories() {
        Ok(directories) => (directories, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut session = Session::new(program, mark, directories);
    let mut wishes = Wishes { unusable, ..Wishes::default() };
    let outcome = asked.and_then(|asked| {
        catch_unwind(AssertUnwindSafe(|| work(asked?, body, &mut session, &mut wishes)))
    });
    session.end_progress();
    let (mut kind, summary) = judge(tool, outcome);
    if let (true, Some(summary)) = (wishes.verbose, &summary) {
        message::say(tool, &numbers(summary, started.elapsed()));
    }
    session.end_stdout(code(kind));
    if let Some(stats) = wishes.stats
        && let Err(error) = stats.append(code(kind), summary.as_ref(), started.elapsed())
    {
        message::say(tool, &error.to_string());
        kind = kind.or(Some(error.kind()));
    }
    guard::await_cleaning();
    if let Some(ErrorKind::Signal(signal)) = kind {
        process::die_by(signal);
    }
    ExitCode::from(code(kind))
}

/// What is to be said of the work, before it or when it is done.
#[derive(Default)]
struct Wishes {
    /// Why no work can be done here.
    unusable: Option<Error>,
    verbose: bool,
    stats: Option<Stats>,
}

/// What the command line asks of `tool`. From here on it is known whether it is to explain.
fn asked<A: Parser>(tool: &'static str) -> Result<Asked<A>> {
    let asked = command::parse::<A>(tool, std::env::args_os())?;
    if let Asked::Work(_, common) = &asked {
        explaining::begin(tool, common)?;
    }
    Ok(asked)
}

fn work<A: Parser>(
    asked: Asked<A>,
    body: impl FnOnce(A, &Asking<'_>, &mut Session) -> Result<Option<Summary>>,
    session: &mut Session,
    wishes: &mut Wishes,
) -> Result<Option<Summary>> {
    let summary = match asked {
        Asked::Text(text) => {
            session.stdout().write(&text)?;
            None
        }
        Asked::Work(args, common) => {
            wishes.verbose = common.verbose;
            session.set(&common);
            let mut sinks = Vec::from_iter(session.progress_sink());
            if let Some(error) = wishes.unusable.take() {
                return Err(error);
            }
            let variable = std::env::var_os(STATS_VARIABLE).filter(|v| !v.is_empty());
            let stats = common.stats.clone().or(variable.map(PathBuf::from));
            // Where nothing runs there are no numbers, and what is made again was counted when it was made.
            let is_first = session.again().is_none();
            if let Some(path) = stats.filter(|_| is_first && !explaining::is_on()) {
                let stats = wishes.stats.insert(Stats::open(&path, session.tool())?);
                sinks.push(stats.sink());
            }
            if !sinks.is_empty() {
                session.set_observer(Observer::new(sinks));
            }
            body(args, &Asking { common: &common, stats: wishes.stats.as_ref() }, session)?
        }
    };
    session.finish_stdout()?;
    Ok(summary)
}

/// Says how the work ended, and returns what is left of it: the kind of its failure, its numbers.
fn judge(
    tool: &str,
    outcome: std::thread::Result<Result<Option<Summary>>>,
) -> (Option<ErrorKind>, Option<Summary>) {
    let outcome: Result<Option<Summary>> = match outcome {
        // The hook has said why.
        _ if message::lacked_threads() => return (Some(ErrorKind::Storage), None),
        Err(_) => return (Some(INTERNAL_ERROR), None),
        Ok(_) if message::panicked() => return (Some(INTERNAL_ERROR), None),
        Ok(outcome) => outcome,
    };
    match outcome {
        Ok(summary) => {
            if let Some(summary) = &summary {
                say_counters(tool, &summary.counters);
                say_dropped(tool, summary);
            }
            (None, summary)
        }
        Err(error) => {
            say_error(tool, &error);
            (Some(error.kind()), None)
        }
    }
}

fn numbers(summary: &Summary, took: Duration) -> String {
    let stream = |records, bytes| format!("{} ({})", counted(records), DecimalBytes(bytes));
    let known = match summary.memo_hits {
        0 => String::new(),
        1 => ", 1 run spared by --memo".to_string(),
        runs => format!(", {runs} runs spared by --memo"),
    };
    let again = match summary.retries {
        0 => String::new(),
        1 => ", tried again once".to_string(),
        times => format!(", tried again {times} times"),
    };
    format!(
        "{} read, {} written{known}{again}, {:.3} s",
        stream(summary.records_in, summary.bytes_in),
        stream(summary.records_out, summary.bytes_out),
        took.as_secs_f64()
    )
}

fn counted(records: u64) -> String {
    format!("{records} record{}", if records == 1 { "" } else { "s" })
}

fn say_error(tool: &str, error: &Error) {
    // Whoever closed our output knows, and `head` expects no word.
    if error.kind() != ErrorKind::StdoutClosed {
        message::say(tool, &error.to_string());
    }
}

fn say_dropped(tool: &str, summary: &Summary) {
    if summary.bad > 0 {
        let what = if summary.bad == 1 { "bad record" } else { "bad records" };
        message::say(tool, &format!("{} {what} dropped", summary.bad));
    }
    if summary.failed > 0 {
        let what = counted(summary.failed);
        message::say(tool, &format!("{what} dropped, on which the command failed"));
    }
    if summary.missing > 0 {
        let what = counted(summary.missing);
        message::say(tool, &format!("{what} without the key dropped"));
    }
    if summary.lacking > 0 {
        let what = counted(summary.lacking);
        message::say(
            tool,
            &format!("{what} lacking a value or a number, which is left out of the results"),
        );
    }
}

/// Says what commands have counted.
fn say_counters(tool: &str, counters: &Counters) {
    for (group, name, sum) in counters.each() {
        message::say(tool, &format!("counter {group},{name}: {sum}"));
    }
}

fn code(kind: Option<ErrorKind>) -> u8 {
    kind.map_or(0, ErrorKind::exit_code)
}
