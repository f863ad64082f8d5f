//! The threads of a stage: a reader that cuts, slots that run the command, and a writer, which is
//! the caller's own thread.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use crate::cluster::OnBad;
use crate::cluster::host::shown;
use crate::command::form::TaskOutput;
use crate::command::rejects::{RejectReason, Rejects};
use crate::command::relay::{self, LastWords};
use crate::command::{Children, Memo, quote};
use crate::engine::Cut;
use crate::engine::budget::{TaskBudget, within_descriptors};
use crate::engine::kept;
use crate::engine::notes::tell_command;
use crate::engine::observer::{Observer, RunEvent};
use crate::engine::pace::{Pace, Sizes};
use crate::engine::plan::{CommandPlan, Hosts, Plan, Setting, WorkPlace};
use crate::engine::schedule::{Halt, Schedule};
use crate::engine::slot::{Slot, SlotTally};
use crate::engine::task_queue::{Product, ShardResult, TaskFailure, TaskOutcome, TaskQueue};
use crate::error::broken;
use crate::error::{Error, Result};
use crate::record::counters::Counters;
use crate::record::digest::Contents;
use crate::record::stream::{Output, Summary};
use crate::spool::Spool;

/// How a worker on this machine is called.
const HERE: &str = ":";

/// How many bytes of a record a message shows.
const SHOWN_BYTES: usize = 200;

/// The most tasks that are under way on hosts at once: each has a thread that waits for it.
const TASKS_MAX: usize = 512;

/// Runs a command of this machine on each piece that `cut` gives, and writes the output of whole
/// tasks in their order. At the end nothing that the commands started is left.
///
/// # Errors
/// `Command` or `Timeout` for the first task that failed for good, `BadInput` for what it printed
/// or was to read, `StdoutClosed` and `Storage`. What came before it is written.
pub fn here(
    command: &CommandPlan,
    setting: Setting<'_>,
    cut: impl Cut,
    output: &mut dyn Output,
) -> Result<Summary> {
    let children = Children::default();
    let plan = Plan { place: WorkPlace::Here(command), setting };
    let result = work(&plan, &children, cut, output);
    let left = children.end_all();
    if !left.is_empty() {
        let names = left.join(", ");
        plan.say(&format!("{}: ended what commands left behind: {names}\n", plan.tool()));
    }
    result
}

/// Has each piece that `cut` gives made a shard on one of `hosts`, as it is or by `command`, and
/// writes the manifest's lines in the order of the pieces.
///
/// # Errors
/// As [`here`], and `Hosts` where no host is left to work on.
pub fn on_hosts(
    hosts: &Hosts<'_>,
    command: Option<&CommandPlan>,
    setting: Setting<'_>,
    cut: impl Cut,
    output: &mut dyn Output,
) -> Result<Summary> {
    let plan = Plan { place: WorkPlace::Hosts(hosts, command), setting };
    plan.setting.voice.observer.has_hosts(hosts.fleet.slots());
    // Workers on this machine are children too, and have their own way to end.
    work(&plan, &Children::default(), cut, output)
}

fn work(
    plan: &Plan<'_>,
    children: &Children,
    cut: impl Cut,
    output: &mut dyn Output,
) -> Result<Summary> {
    let (slots, files) = match plan.place {
        WorkPlace::Here(_) => within_descriptors(plan.setting.limits.jobs),
        WorkPlace::Hosts(hosts, _) => (hosts.fleet.width().min(TASKS_MAX), within_descriptors(1).1),
    };
    // Where the records are found that fail, small blocks save nothing but time to --timeout.
    let grows = plan.searches() && plan.command().is_none_or(|command| command.timeout.is_none());
    let setting = &plan.setting;
    let budget = TaskBudget::new(setting.limits.memory, slots, setting.block, grows);
    let sizes = match setting.block {
        None if plan.command().is_some() => Sizes::Timed,
        Some(_) if !grows => Sizes::Fixed,
        _ => Sizes::Doubling,
    };
    let pace = Pace::new(slots, budget.first, budget.largest, sizes);
    let (halt, speculates) = plan
        .command()
        .map_or((Halt::default(), false), |command| (command.halt, command.speculates));
    let schedule = Schedule::new(plan.retries(), budget.waiting, files).halting(halt);
    // All memory that goes round is kept: given back to the allocator, it would be held in as many
    // places as there are threads.
    let queue = Arc::new(TaskQueue::new(schedule, pace, setting.limits.memory, speculates));
    let tally = SlotTally::default();
    let (reader, observer) = (Arc::clone(&queue), plan.setting.voice.observer.clone());
    tell_command(plan);
    start(thread::Builder::new().spawn(move || read(cut, &reader, &observer)))?;
    let slot = Slot { plan, budget, queue: &queue, children, tally: &tally };
    let result = thread::scope(|scope| {
        for _ in 0..slots {
            let started = thread::Builder::new().spawn_scoped(scope, move || slot.work());
            if let Err(error) = start(started) {
                queue.abandon();
                return Err(error);
            }
        }
        write(&slot, output)
    });
    let mut summary = result?;
    if let Some(path) = plan.command().and_then(|command| command.kept.as_deref()) {
        kept::remove(path);
    }
    summary.records_in = tally.records.load(Ordering::Relaxed);
    summary.bytes_in = tally.bytes.load(Ordering::Relaxed);
    summary.retries = tally.retries.load(Ordering::Relaxed);
    summary.spilled_bytes += tally.spilled.load(Ordering::Relaxed);
    summary.bad = plan.bad().count();
    let memo = plan.command().and_then(|command| command.memo.as_deref());
    summary.memo_hits = memo.map_or(0, Memo::found);
    summary.failed = plan.command().map_or(0, |command| command.failed.count());
    Ok(summary)
}

fn start<T>(thread: std::io::Result<T>) -> Result<T> {
    thread.map_err(|e| Error::io("start", "a thread", &e))
}

/// The reader's life.
fn read(mut cut: impl Cut, queue: &TaskQueue, observer: &Observer) {
    let duty = Reading(queue);
    loop {
        let piece = cut.next(&|rest| queue.size(rest), queue.memory.take());
        let goes_on = matches!(piece, Ok(Some(_)));
        if !queue.wants_more() {
            break;
        }
        if let Ok(Some(piece)) = &piece {
            observer.has_read(piece.lines());
        }
        if let Ok(None) = &piece {
            observer.has_read_all();
        }
        queue.offer(piece);
        if !goes_on {
            break;
        }
    }
    std::mem::forget(duty);
}

/// A stream whose end is owed. Dropped, for the reader has panicked, it fails the stage.
struct Reading<'a>(&'a TaskQueue);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.0.wants_more() {
            self.0.offer(Err(Error::incomplete("internal error: the reader broke")));
        }
    }
}

/// The writer's life.
fn write(slot: &Slot<'_>, output: &mut dyn Output) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut failed = None;
    while let Some(mut outcome) = slot.queue.next() {
        let written = match settle(slot, &mut outcome, &mut summary.counters) {
            Ok(settled) => put(slot.queue, settled, output, &mut summary),
            Err(failure) => {
                failed = Some((outcome.task, failure));
                break;
            }
        };
        if written.is_err() {
            slot.queue.abandon();
        }
        written?;
    }
    if let Some((task, _)) = &failed {
        slot.queue.halt(*task);
    }
    // What came before a failure counts: it is to be there whatever becomes of that one.
    if let Err(error) = output.flush() {
        slot.queue.abandon();
        return Err(error);
    }
    match failed {
        Some((task, failure)) => Err(explain(slot.plan, task, failure)),
        None => Ok(summary),
    }
}

/// Writes what is to be written of an outcome.
fn put(
    queue: &TaskQueue,
    settled: Settled,
    output: &mut dyn Output,
    summary: &mut Summary,
) -> Result<()> {
    match settled {
        Settled::Records(spool, records) => {
            summary.records_out += records;
            summary.bytes_out += spool.len();
            spool.pour(|bytes| output.write(bytes))?;
            queue.out(spool.into_memory());
        }
        Settled::Shard { line, contents } => {
            summary.records_out += contents.records;
            summary.bytes_out += contents.bytes;
            output.write(&line)?;
            queue.out(Vec::new());
        }
    }
    Ok(())
}

/// Judges what is bad in an outcome, adds what its command has counted to `counters`; gives the
/// records that are to be written.
fn settle(
    slot: &Slot<'_>,
    outcome: &mut TaskOutcome,
    counters: &mut Counters,
) -> std::result::Result<Settled, TaskFailure> {
    let (plan, task) = (slot.plan, outcome.task);
    for (error, text) in outcome.rejects.drain(..) {
        plan.bad().reject(error, &text)?;
    }
    let taken = Product::Shard(ShardResult::default());
    match std::mem::replace(&mut outcome.result, Ok(taken))? {
        Product::Here(printed, rejects, counted) => {
            counters.merge(&counted)?;
            left_out(slot, task, HERE, rejects)?;
            let (spool, records) = match printed {
                TaskOutput::Records(spool, records) => (spool, records),
                TaskOutput::Flawed(printed) => slot.sound(task, &printed)?,
            };
            Ok(Settled::Records(spool, records))
        }
        Product::Shard(ShardResult {
            hosts: lies_on,
            contents,
            rejected,
            rejects,
            counters: counted,
            ..
        }) => {
            counters.merge(&counted)?;
            let host = lies_on.last().map_or(HERE, String::as_str);
            left_out(slot, task, host, rejects)?;
            if OnBad::under(plan.bad()) != OnBad::Send {
                plan.bad().dropped(rejected);
            }
            let WorkPlace::Hosts(hosts, _) = plan.place else {
                return Err(Error::incomplete("a shard where none is made").into());
            };
            let line = (hosts.line)(&lies_on, &contents)?;
            Ok(Settled::Shard { line, contents })
        }
    }
}

/// Judges the records that were left out of a task on `host`; says what the command said of those
/// that it failed on, each thing once.
fn left_out(slot: &Slot<'_>, task: u64, host: &str, rejects: Option<Rejects>) -> Result<()> {
    let Some(rejects) = rejects else { return Ok(()) };
    let plan = slot.plan;
    rejects.each(|reason, text| match reason {
        RejectReason::Bad(error) => plan.bad().reject(error, text),
        RejectReason::Failed(fault) => {
            let prefix = slot.prefix_on(host, task);
            let words = LastWords { lines: fault.stderr.clone(), passed: 0 };
            slot.tell(&prefix, &words);
            if slot.tally.heard.is_new((fault.to_string(), &fault.stderr)) {
                let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN_BYTES)]);
                let more = if text.len() > SHOWN_BYTES { "..." } else { "" };
                let line = format!("{fault}, on this record alone: {shown}{more}");
                relay::pass_on(&prefix, &[line], plan.setting.voice.pass_on);
            }
            let Some(command) = plan.command() else {
                return Err(broken("a record that a command failed on, and there is none"));
            };
            let place = |e: Error| e.at(format!("task {task}: {}", command.command.shown()));
            command.failed.take(&shown(host), task, &fault, text).map_err(place)
        }
    })
}

/// What is to be written of an outcome.
enum Settled {
    Records(Spool, u64),
    Shard { line: Vec<u8>, contents: Contents },
}

/// What was run, and what it was run on.
fn by_hand(command: &CommandPlan, failure: &mut TaskFailure) -> Option<(String, Arc<Spool>)> {
    let form = &command.form;
    let empty = || Spool::new(Vec::new(), usize::MAX, Path::new(""));
    let (records, line) = match &failure.record {
        Some(record) => {
            let mut records = empty();
            records.push(record).and_then(|()| records.end_line()).ok()?;
            let words = form.each.as_ref().and_then(|each| each.words.as_ref());
            let line = words
                .and_then(|words| words.of(record).ok())
                .map(|words| quote::words(words.iter().map(OsString::as_os_str)));
            (Arc::new(records), line)
        }
        None => (failure.input.take()?, None),
    };
    let line = line.unwrap_or_else(|| command.command.shown().to_string());
    let late = form.late || failure.record.is_some();
    Some((line, if late { Arc::new(form.for_attempt(&records, empty()).ok()?) } else { records }))
}

/// Keeps what a command failed on, and says how it is run on that by hand; the error is the last
/// line.
fn explain(plan: &Plan<'_>, task: u64, mut failure: TaskFailure) -> Error {
    let mut kept = None;
    if let Some(command) = plan.command()
        && let Some((line, input)) = by_hand(command, &mut failure)
        && let Some(path) = &command.kept
    {
        let shown = quote::word(path.as_os_str());
        let said = match kept::keep(path, &input) {
            Ok(()) => {
                let by_hand = kept.insert(format!("{line} < {shown}"));
                vec![
                    format!("what it was run on is kept until it succeeds: {shown}"),
                    format!("by hand: {by_hand}"),
                ]
            }
            Err(error) => vec![format!("what it was run on cannot be kept: {error}")],
        };
        let prefix = format!("{}: task {task}: ", plan.tool());
        relay::pass_on(&prefix, &said, plan.setting.voice.pass_on);
    }
    let error = failure.error;
    let mut text = error.to_string();
    let failure = RunEvent::Failure { task, error: &text, by_hand: kept.as_deref() };
    plan.setting.voice.observer.tell(&failure);
    // An upstream that failed has said so.
    if !text.ends_with("not complete") {
        text.push_str("; the output is not complete");
    }
    Error::new(error.kind(), text)
}
