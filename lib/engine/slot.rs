//! A slot: one thread that takes a piece, runs the command on it until it ends well or for good,
//! and hands over what came of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::command::form::{Fed, TaskOutput};
use crate::command::{Children, CommandEnd, Ended, Finished, Rejects, Seen, TaskRunner};
use crate::engine::duty::Duty;
use crate::engine::heard::Heard;
use crate::engine::notes::{TaskNotes, Went, handed};
use crate::engine::plan::{CommandPlan, Plan, WorkPlace};
use crate::engine::remember::key_of;
use crate::engine::task_queue::{
    Assignment, Product, ShardResult, TaskFailure, TaskOutcome, TaskQueue,
};
use crate::engine::work::{RecordsHere, TaskInput, Work};
use crate::engine::{Piece, budget::TaskBudget};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;
use crate::record::bad::Bad;
use crate::record::counters::Counters;
use crate::record::digest::Contents;
use crate::spool::Spool;

/// How this machine is called where hosts are.
const HERE: &str = ":";

/// What the slots count together.
#[derive(Debug, Default)]
pub(crate) struct SlotTally {
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) spilled: AtomicU64,
    /// What was said of failures.
    pub(crate) heard: Heard,
}

/// What a slot works with.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a> {
    pub(crate) plan: &'a Plan<'a>,
    pub(crate) budget: TaskBudget,
    pub(crate) queue: &'a TaskQueue,
    pub(crate) children: &'a Children,
    pub(crate) tally: &'a SlotTally,
}

/// What came of all attempts, or of a second one.
pub(super) type AttemptsResult = std::result::Result<Product, TaskFailure>;

/// Which attempts of a task these are.
#[derive(Clone, Copy, Debug)]
pub(super) struct TaskAttempts {
    pub(super) task: u64,
    /// The number of the first.
    pub(super) first: u32,
}

impl Slot<'_> {
    /// Works until there are no more pieces.
    pub(crate) fn work(&self) {
        while let Some(assigned) = self.queue.take() {
            let (Assignment::Piece(task, _) | Assignment::Straggler(task, _)) = assigned;
            let duty = Duty { task, queue: self.queue };
            let is_second = matches!(assigned, Assignment::Straggler(..));
            let mut notes = TaskNotes::new(self.plan, task, is_second);
            let (result, work) = match assigned {
                Assignment::Piece(_, piece) => self.first(task, *piece, &mut notes),
                Assignment::Straggler(_, work) => {
                    self.say(task, 1, "it takes long: a second attempt begins");
                    self.tally.retries.fetch_add(1, Ordering::Relaxed);
                    // Numbers that the first one has no use for.
                    let retries = self.plan.command().map_or(0, |command| command.retries);
                    let first = retries.saturating_add(2);
                    notes.fed(&work);
                    let result = self.attempts(TaskAttempts { task, first }, &work, &mut notes);
                    let silent = |failure| TaskFailure { given_up: true, ..failure };
                    (result.map_err(silent), Some(work))
                }
            };
            std::mem::forget(duty);
            self.hand_over(task, result, work, notes);
        }
    }

    /// Hands over what came of an attempt.
    fn hand_over(
        &self,
        task: u64,
        result: AttemptsResult,
        work: Option<Arc<Work>>,
        notes: TaskNotes<'_>,
    ) {
        let rejects = || match work.as_deref() {
            Some(Work::Here(records)) => std::mem::take(&mut *lock(&records.rejects)),
            _ => Vec::new(),
        };
        let hosts = result.as_ref().map(Product::hosts).unwrap_or_default();
        if let (WorkPlace::Hosts(at, _), Ok(product), Some(work)) =
            (self.plan.place, &result, &work)
        {
            at.made(task, product, work);
        }
        let handed = handed(&result);
        let counts = self.queue.finish(TaskOutcome { task, rejects: Vec::new(), result }, rejects);
        notes.settle(&handed, counts, || self.queue.is_failing());
        if let (WorkPlace::Hosts(at, _), true) = (self.plan.place, counts) {
            // Not before: what another attempt has made lies there too, and is nothing that can be lost.
            hosts.iter().for_each(|name| at.fleet.has_made(name, task));
        }
        // Nobody else works on it any more, or another slot gives its memory back.
        if let Some(Work::Here(records)) = work.and_then(Arc::into_inner)
            && let Some(input) = Arc::into_inner(records.input)
        {
            self.tally.spilled.fetch_add(input.spilled(), Ordering::Relaxed);
            self.queue.memory.give(input.into_memory());
        }
    }

    /// Works on a piece that nobody worked on before.
    fn first(
        &self,
        task: u64,
        piece: Piece,
        notes: &mut TaskNotes<'_>,
    ) -> (AttemptsResult, Option<Arc<Work>>) {
        let work = match self.prepared(piece) {
            Ok(work) => Arc::new(work),
            Err(error) => return (Err(error.into()), None),
        };
        self.queue.begun(task, &work);
        notes.fed(&work);
        let nothing = match &*work {
            Work::Here(records) => records.is_nothing,
            Work::Shard(shard) => shard.contents.records == 0,
            Work::File(_) => false,
        };
        let which = TaskAttempts { task, first: 1 };
        let result = match nothing {
            true => Ok(self.nothing()),
            false => match self.remembered(which, &work, notes) {
                Some(result) => result,
                None => self.attempts(which, &work, notes),
            },
        };
        (result, Some(work))
    }

    /// A piece as attempts work on it.
    ///
    /// # Errors
    /// The first bad record, where these are not left out.
    fn prepared(&self, piece: Piece) -> Result<Work> {
        let is_lines = matches!(piece, Piece::Lines(_));
        let key = self.plan.memo().map(|_| key_of(&piece)).transpose()?.flatten();
        let (count, input, mut rejects) = match piece {
            Piece::Ready { input, records } => {
                self.count(input.len(), records);
                (records, input, Vec::new())
            }
            Piece::Lines(block) => {
                let bytes = block.bytes.len() as u64;
                let (name, memory) = (self.plan.setting.input_name, &self.queue.memory);
                let Fed { bytes: fed, records, rejects, free } =
                    self.plan.form().feed(block, name, memory.take());
                memory.give(free);
                self.count(bytes, records);
                (records, Spool::holding(fed, self.budget.task, self.plan.folder()), rejects)
            }
            Piece::Shard(shard) => {
                let Contents { bytes, records, .. } = shard.contents;
                self.count(bytes, records);
                return Ok(Work::Shard(shard));
            }
            Piece::File(file) => return Ok(Work::File(file)),
        };
        if self.plan.bad().is_strict() && !rejects.is_empty() {
            return Err(rejects.swap_remove(0).0);
        }
        let (is_nothing, input) = (is_lines && count == 0, Arc::new(input));
        Ok(Work::Here(RecordsHere { count, is_nothing, key, input, rejects: Mutex::new(rejects) }))
    }

    /// Tries until an attempt ends well, or the task has failed for good.
    fn attempts(
        &self,
        which: TaskAttempts,
        work: &Work,
        notes: &mut TaskNotes<'_>,
    ) -> AttemptsResult {
        let result = match (self.plan.place, work) {
            (WorkPlace::Here(command), Work::Here(records)) => {
                self.here(command, which, records, notes)
            }
            (WorkPlace::Here(_), _) => {
                Err(Error::incomplete("what lies on hosts, and no host to work on").into())
            }
            (WorkPlace::Hosts(hosts, _), work) => self.remotely(
                hosts,
                which,
                match work {
                    Work::Here(records) => TaskInput::Here(&records.input),
                    Work::Shard(shard) => TaskInput::Shard(Box::new(shard.clone())),
                    Work::File(file) => TaskInput::Resource(file),
                },
                notes,
            ),
        };
        if let Ok(product) = &result {
            self.remember(work, product);
        }
        match (result, work) {
            // What it failed on is for its user to have.
            (Err(failure), Work::Here(records)) if failure.by_command => {
                Err(TaskFailure { input: Some(Arc::clone(&records.input)), ..failure })
            }
            (result, _) => result,
        }
    }

    /// What is made of no records.
    fn nothing(&self) -> Product {
        match self.plan.place {
            WorkPlace::Here(_) => {
                let nothing = Spool::new(Vec::new(), 0, self.plan.folder());
                Product::Here(TaskOutput::Records(nothing, 0), None, Counters::default())
            }
            WorkPlace::Hosts(..) => Product::Shard(ShardResult::default()),
        }
    }

    fn count(&self, bytes: u64, records: u64) {
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tally.records.fetch_add(records, Ordering::Relaxed);
    }

    /// The same, on this machine.
    fn here(
        &self,
        command: &CommandPlan,
        which: TaskAttempts,
        records: &RecordsHere,
        notes: &mut TaskNotes<'_>,
    ) -> AttemptsResult {
        let TaskAttempts { task, first } = which;
        self.runner(command, task, |runner| {
            let mut rejects = None;
            for number in first.. {
                let (begin, attempt) = (Instant::now(), notes.begin(HERE, number));
                let finished = runner.run(&records.input, number, |fault, record| {
                    rejects
                        .get_or_insert_with(|| Rejects::new(self.spool()))
                        .push_failed(&fault, record)
                });
                notes.end(attempt, went(&finished));
                let finished = finished?;
                let searches = u64::from(finished.attempts - number);
                self.tally.retries.fetch_add(searches, Ordering::Relaxed);
                if finished.output.is_ok() {
                    self.queue.took(records.input.len(), begin.elapsed());
                }
                match finished.output {
                    Ok(output) => {
                        let noted = (rejects, finished.counters);
                        return self.printed(runner, records, output, noted);
                    }
                    Err(ended) if ended.how == CommandEnd::Stopped => break,
                    Err(ended) if !finished.searched && self.queue.again(task, number) => {
                        self.tell(&self.prefix(task, number), &ended.last_words);
                        self.say(task, number, &format!("{}: trying again", ended.how));
                        self.tally.retries.fetch_add(1, Ordering::Relaxed);
                        self.queue.memory.give(ended.output.into_memory());
                    }
                    Err(ended) => {
                        let last = (finished.attempts, finished.record);
                        return Err(self.failure(runner, last, ended));
                    }
                }
            }
            Err(TaskFailure::given_up())
        })
    }

    /// Has `work` use what runs task `task` on this machine.
    fn runner<T>(
        &self,
        plan: &CommandPlan,
        task: u64,
        work: impl FnOnce(&TaskRunner<'_>) -> T,
    ) -> T {
        work(&TaskRunner {
            task,
            command: &plan.command,
            form: &plan.form,
            ok_exit: &plan.ok_exit,
            timeout: plan.timeout,
            client: &|path| plan.client_file(path),
            memo: plan.memo.as_deref().filter(|_| plan.form.each.is_some()),
            search: plan.failed.is_on().then_some(plan.retries),
            max_record: self.plan.max_record(),
            plain_lines: plan.plain_lines,
            stop: &|| self.queue.stops(task),
            children: self.children,
            prefix: &|number| self.prefix(task, number),
            pass_on: self.plan.setting.voice.pass_on,
            spool: &|| Spool::new(self.queue.memory.take(), self.budget.task, self.plan.folder()),
            give: &|memory| self.queue.memory.give(memory),
        })
    }

    pub(super) fn spool(&self) -> Spool {
        Spool::new(Vec::new(), self.budget.task, self.plan.folder())
    }

    fn printed(
        &self,
        runner: &TaskRunner<'_>,
        records: &RecordsHere,
        output: Spool,
        (rejects, counters): (Option<Rejects>, Counters),
    ) -> AttemptsResult {
        self.tally.spilled.fetch_add(output.spilled(), Ordering::Relaxed);
        let mut printed = match runner.look(&records.input, output)? {
            Seen::Unchanged(output) => {
                let output = TaskOutput::Records(output, records.count);
                return Ok(Product::Here(output, rejects, counters));
            }
            Seen::Changed(printed) => printed,
        };
        if let TaskOutput::Flawed(spool) = &printed
            && self.plan.bad().is_strict()
        {
            let (spool, records) = sound(runner, spool, self.plan.bad())?;
            printed = TaskOutput::Records(spool, records);
        }
        let (TaskOutput::Records(spool, _) | TaskOutput::Flawed(spool)) = &mut printed;
        if let Some(memory) = spool.shrink() {
            self.queue.memory.give(memory);
        }
        Ok(Product::Here(printed, rejects, counters))
    }

    /// The sound records of what the command of this machine printed, the others judged.
    pub(super) fn sound(
        &self,
        task: u64,
        printed: &Spool,
    ) -> std::result::Result<(Spool, u64), TaskFailure> {
        let WorkPlace::Here(command) = self.plan.place else {
            return Err(Error::incomplete("output of a command, and none was run here").into());
        };
        self.runner(command, task, |runner| sound(runner, printed, self.plan.bad()))
    }

    fn failure(
        &self,
        runner: &TaskRunner<'_>,
        (attempts, record): (u32, Option<Vec<u8>>),
        ended: Ended,
    ) -> TaskFailure {
        let task = runner.task;
        self.tell_last(task, &self.prefix(task, attempts), &ended.last_words);
        let kind =
            if ended.how == CommandEnd::Timeout { ErrorKind::Timeout } else { ErrorKind::Command };
        let tries = if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() };
        let shown = runner.shown(record.as_deref());
        let text = format!("task {task}: {shown}: {}{tries}", ended.how);
        TaskFailure { by_command: true, record, ..Error::new(kind, text).into() }
    }
}

/// How an attempt on this machine went.
fn went(finished: &Result<Finished>) -> Went {
    match finished.as_ref().map(|finished| &finished.output) {
        Ok(Ok(_)) => Went::Well(None),
        Ok(Err(ended)) if ended.how == CommandEnd::Stopped => Went::Stopped,
        Ok(Err(ended)) => Went::Badly(ended.how.to_string(), ended.how.status()),
        Err(error) => Went::Badly(error.to_string(), None),
    }
}

/// The sound records of what a command printed; what `bad` does not let pass is the command's.
fn sound(
    runner: &TaskRunner<'_>,
    printed: &Spool,
    bad: &Bad,
) -> std::result::Result<(Spool, u64), TaskFailure> {
    runner.sound(printed, bad).map_err(|error| TaskFailure { by_command: true, ..error.into() })
}
