//! What a slot notes of the attempts at one task. Each is told of when it is known what becomes of it: that of a
//! failure is known by the next attempt, and that of a success when it was handed over.

use std::time::Duration;

use crate::command::form::TaskOutput;
use crate::engine::observer::{
    AttemptOutcome, AttemptOver, Observer, RunEvent, TaskFed, TaskWork, UnderWay,
};
use crate::engine::plan::Plan;
use crate::engine::task_queue::{Product, TaskFailure};
use crate::engine::work::Work;

/// The attempts at a task by one slot.
pub(super) struct TaskNotes<'a> {
    observer: &'a Observer,
    work: TaskWork,
    task: u64,
    /// Whether they are second ones, of a task that lags behind.
    speculated: bool,
    fed: TaskFed,
    /// Those that are over.
    ended: Vec<AttemptOver>,
}

/// How an attempt went, as far as its slot knows by then.
pub(super) enum Went {
    /// Well; how long the command ran, where that is told.
    Well(Option<Duration>),
    /// Badly, for this reason; the exit status of the command, where there is one.
    Badly(String, Option<i32>),
    /// The host was lost, for this reason.
    Lost(String),
    /// It was ended.
    Stopped,
}

impl<'a> TaskNotes<'a> {
    /// None yet at `task`.
    pub(super) fn new(plan: &Plan<'a>, task: u64, speculated: bool) -> TaskNotes<'a> {
        let work = match plan.command() {
            Some(_) => TaskWork::Command,
            None => TaskWork::Store,
        };
        let observer = plan.setting.voice.observer;
        TaskNotes { observer, work, task, speculated, fed: TaskFed::default(), ended: Vec::new() }
    }

    /// This is what they work on.
    pub(super) fn fed(&mut self, work: &Work) {
        self.fed = match work {
            Work::Here(records) => TaskFed {
                records: Some(records.count),
                bytes: Some(records.input.len()),
                lines: self.observer.lines(self.task),
                shard: None,
            },
            Work::Shard(shard) => {
                TaskFed { shard: Some(shard.number), ..TaskFed::of(&shard.contents) }
            }
            Work::File(_) => TaskFed::default(),
        };
    }

    /// An attempt of this number begins on `host`.
    pub(super) fn begin(&self, host: &str, number: u32) -> UnderWay {
        self.observer.begin((self.work, self.task, Some(number)), host, self.fed)
    }

    /// It is over.
    pub(super) fn end(&mut self, attempt: UnderWay, went: Went) {
        let (outcome, ran, why, exit) = match went {
            Went::Well(ran) => (AttemptOutcome::Done, ran, None, None),
            Went::Badly(why, exit) => (AttemptOutcome::Again, None, Some(why), exit),
            Went::Lost(why) => (AttemptOutcome::Lost, None, Some(why), None),
            Went::Stopped => (AttemptOutcome::Stopped, None, None, None),
        };
        let speculated = self.speculated;
        let ended = attempt.end(outcome, |note| {
            (note.ran, note.why, note.exit, note.speculated) = (ran, why, exit, speculated);
        });
        // Of several that went well each has made a copy.
        self.ended.push(ended);
    }

    /// The task was handed over with this result, which `counts` or does not; `is_failing` says whether the stage
    /// is.
    pub(super) fn settle(self, result: &Handed, counts: bool, is_failing: impl FnOnce() -> bool) {
        let mut ended = self.ended;
        let Some(last) = ended.last_mut().and_then(AttemptOver::note) else { return };
        let others_won =
            || if is_failing() { AttemptOutcome::Stopped } else { AttemptOutcome::Superseded };
        match (result, last.outcome) {
            (Err(_), AttemptOutcome::Stopped) => last.outcome = others_won(),
            (Err(why), AttemptOutcome::Again | AttemptOutcome::Done) => {
                last.outcome = AttemptOutcome::Failed;
                last.why.get_or_insert_with(|| why.clone());
            }
            (Ok(_), AttemptOutcome::Done) if !counts => {
                let outcome = others_won();
                let notes = ended.iter_mut().filter_map(AttemptOver::note);
                notes
                    .filter(|n| n.outcome == AttemptOutcome::Done)
                    .for_each(|n| n.outcome = outcome);
            }
            _ => (),
        }
        if let Ok(made) = result {
            let notes = ended.iter_mut().filter_map(AttemptOver::note);
            notes
                .filter(|note| note.outcome == AttemptOutcome::Done || !counts)
                .for_each(|note| note.made = *made);
        }
        ended.into_iter().for_each(AttemptOver::tell);
    }
}

/// What was handed over: how many records and bytes, as far as that is known by then, or why nothing.
pub(super) type Handed = std::result::Result<(Option<u64>, Option<u64>), String>;

/// What `result` hands over.
pub(super) fn handed(result: &std::result::Result<Product, TaskFailure>) -> Handed {
    match result {
        Ok(Product::Here(TaskOutput::Records(spool, records), ..)) => {
            Ok((Some(*records), Some(spool.len())))
        }
        Ok(Product::Here(TaskOutput::Flawed(spool), ..)) => Ok((None, Some(spool.len()))),
        Ok(Product::Shard(made)) => Ok((Some(made.contents.records), Some(made.contents.bytes))),
        Err(failure) => Err(failure.error.to_string()),
    }
}

/// Tells which command a stage runs, if it does.
pub(super) fn tell_command(plan: &Plan<'_>) {
    if let Some(command) = plan.command() {
        let (line, form) = (command.command.shown(), &command.form);
        let event = RunEvent::Command { line, input: form.input, each: form.each.is_some() };
        plan.setting.voice.observer.tell(&event);
    }
}
