//! A slot: one thread that takes a piece, runs the command on it until it ends well or for good,
//! and hands over what came of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::cluster::host::shown;
use crate::command::form::{Fed, TaskOutput};
use crate::command::relay::LastWords;
use crate::command::{Children, CommandEnd, Ended, Rejects, Seen, TaskRunner};
use crate::engine::heard::Heard;
use crate::engine::plan::{CommandPlan, Plan, WorkPlace};
use crate::engine::task_queue::{Product, ShardResult, TaskFailure, TaskOutcome, TaskQueue};
use crate::engine::{HostFile, HostedShard, Piece, budget::TaskBudget};
use crate::error::{Error, ErrorKind};
use crate::record::bad::Bad;
use crate::record::digest::Contents;
use crate::spool::Spool;

/// Where the input of a task is.
pub(crate) enum TaskInput<'a> {
    /// In our hands.
    Here(&'a Spool),
    /// On hosts.
    Shard(Box<HostedShard>),
    /// A file of hosts.
    Resource(&'a HostFile),
}

impl TaskInput<'_> {
    /// The hosts that it lies on.
    pub(super) fn near(&self) -> &[String] {
        match self {
            TaskInput::Here(_) => &[],
            TaskInput::Shard(shard) => &shard.hosts,
            TaskInput::Resource(file) => &file.hosts,
        }
    }
}

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

/// A piece in the form in which the command reads it.
struct Prepared {
    task: u64,
    records: u64,
    input: Spool,
}

impl Slot<'_> {
    /// Works until there are no more pieces.
    pub(crate) fn work(&self) {
        while let Some((task, piece)) = self.queue.take() {
            let duty = Duty { task, queue: self.queue };
            let outcome = self.task(task, piece);
            std::mem::forget(duty);
            self.queue.finish(outcome);
        }
    }

    fn task(&self, task: u64, piece: Piece) -> TaskOutcome {
        let (prepared, rejects) = match piece {
            Piece::Ready { input, records } => {
                self.count(input.len(), records);
                (Prepared { task, records, input }, Vec::new())
            }
            Piece::Lines(block) => {
                let bytes = block.bytes.len() as u64;
                let Fed { bytes: fed, records, mut rejects } =
                    self.plan.form().feed(block, self.plan.setting.input_name, |memory| {
                        self.queue.memory.give(memory)
                    });
                self.count(bytes, records);
                if self.plan.bad().is_strict() && !rejects.is_empty() {
                    let (error, _) = rejects.swap_remove(0);
                    return TaskOutcome { task, rejects: Vec::new(), result: Err(error.into()) };
                }
                let input = Spool::holding(fed, self.budget.task, self.plan.folder());
                if records == 0 {
                    // Nothing but blank lines, or bad ones: there is nothing to run a command on.
                    return TaskOutcome { task, rejects, result: Ok(self.nothing()) };
                }
                (Prepared { task, records, input }, rejects)
            }
            Piece::Shard(shard) => return self.task_on_shard(task, shard),
            Piece::File(file) => {
                let result = match self.plan.place {
                    WorkPlace::Hosts(hosts, _) => {
                        self.remotely(hosts, task, TaskInput::Resource(&file))
                    }
                    WorkPlace::Here(_) => Err(Error::incomplete("a file of no host").into()),
                };
                return TaskOutcome { task, rejects: Vec::new(), result };
            }
        };
        let result = match self.plan.place {
            WorkPlace::Here(command) => self.attempts(command, &prepared),
            WorkPlace::Hosts(hosts, _) => {
                self.remotely(hosts, task, TaskInput::Here(&prepared.input))
            }
        };
        self.tally.spilled.fetch_add(prepared.input.spilled(), Ordering::Relaxed);
        let result = match result {
            // What it failed on is for its user to have.
            Err(failure) if failure.by_command => {
                Err(TaskFailure { input: Some(prepared.input), ..failure })
            }
            result => {
                self.queue.memory.give(prepared.input.into_memory());
                result
            }
        };
        TaskOutcome { task, rejects, result }
    }

    /// What is made of no records.
    fn nothing(&self) -> Product {
        match self.plan.place {
            WorkPlace::Here(_) => {
                let nothing = Spool::new(Vec::new(), 0, self.plan.folder());
                Product::Here(TaskOutput::Records(nothing, 0), None)
            }
            WorkPlace::Hosts(..) => Product::Shard(ShardResult::default()),
        }
    }

    /// Runs a task on a shard that lies on a host.
    fn task_on_shard(&self, task: u64, shard: HostedShard) -> TaskOutcome {
        let Contents { bytes, records, .. } = shard.contents;
        self.count(bytes, records);
        let result = match self.plan.place {
            _ if records == 0 => Ok(self.nothing()),
            WorkPlace::Hosts(hosts, _) => {
                self.remotely(hosts, task, TaskInput::Shard(Box::new(shard)))
            }
            WorkPlace::Here(_) => Err(Error::incomplete("a shard, and no host to work on").into()),
        };
        TaskOutcome { task, rejects: Vec::new(), result }
    }

    fn count(&self, bytes: u64, records: u64) {
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tally.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Tries until an attempt ends well, or the task has failed for good.
    fn attempts(
        &self,
        command: &CommandPlan,
        prepared: &Prepared,
    ) -> std::result::Result<Product, TaskFailure> {
        let task = prepared.task;
        self.runner(command, task, |runner| {
            let mut rejects = None;
            for number in 1.. {
                let begin = Instant::now();
                let finished = runner.run(&prepared.input, number, |fault, record| {
                    rejects
                        .get_or_insert_with(|| Rejects::new(self.spool()))
                        .push_failed(&fault, record)
                })?;
                let searches = u64::from(finished.attempts - number);
                self.tally.retries.fetch_add(searches, Ordering::Relaxed);
                if finished.output.is_ok() {
                    self.queue.took(prepared.input.len(), begin.elapsed());
                }
                match finished.output {
                    Ok(output) => return self.printed(runner, prepared, output, rejects),
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
            Err(Error::incomplete("stopped").into())
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
            search: plan.failed.is_on().then_some(plan.retries),
            max_record: self.plan.max_record(),
            plain_lines: plan.plain_lines,
            stop: &|| !self.queue.wanted(task),
            children: self.children,
            prefix: &|number| self.prefix(task, number),
            pass_on: self.plan.setting.voice.pass_on,
            spool: &|| Spool::new(self.queue.memory.take(), self.budget.task, self.plan.folder()),
            give: &|memory| self.queue.memory.give(memory),
        })
    }

    fn spool(&self) -> Spool {
        Spool::new(Vec::new(), self.budget.task, self.plan.folder())
    }

    fn printed(
        &self,
        runner: &TaskRunner<'_>,
        prepared: &Prepared,
        output: Spool,
        rejects: Option<Rejects>,
    ) -> std::result::Result<Product, TaskFailure> {
        self.tally.spilled.fetch_add(output.spilled(), Ordering::Relaxed);
        let mut printed = match runner.look(&prepared.input, output)? {
            Seen::Unchanged(output) => {
                return Ok(Product::Here(TaskOutput::Records(output, prepared.records), rejects));
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
        Ok(Product::Here(printed, rejects))
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

    /// Passes on the last words of a command that failed, unless they were heard before.
    pub(super) fn tell(&self, prefix: &str, words: &LastWords) {
        if !words.lines.is_empty() && self.tally.heard.is_new(&words.lines) {
            words.pass_on(prefix, self.plan.setting.voice.pass_on);
        }
    }

    /// The same, where the task has failed for good.
    pub(super) fn tell_last(&self, task: u64, prefix: &str, words: &LastWords) {
        if self.queue.wanted(task) && self.tally.heard.is_unheard(&words.lines) {
            words.pass_on(prefix, self.plan.setting.voice.pass_on);
        }
    }

    /// What stands before a line about a task on `host`.
    pub(super) fn prefix_on(&self, host: &str, task: u64) -> String {
        match self.plan.place {
            WorkPlace::Here(_) => self.prefix(task, 1),
            WorkPlace::Hosts(..) => format!("{}: {}: task {task}: ", self.plan.tool(), shown(host)),
        }
    }

    pub(super) fn prefix(&self, task: u64, attempt: u32) -> String {
        match attempt {
            1 => format!("{}: task {task}: ", self.plan.tool()),
            _ => format!("{}: task {task}, attempt {attempt}: ", self.plan.tool()),
        }
    }

    pub(super) fn say(&self, task: u64, attempt: u32, text: &str) {
        self.plan.say(&format!("{}{text}\n", self.prefix(task, attempt)));
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

/// A task whose outcome is owed. Dropped, for the slot has panicked, it is a failure: the writer
/// would wait for it for ever.
struct Duty<'a> {
    task: u64,
    queue: &'a TaskQueue,
}

impl Drop for Duty<'_> {
    fn drop(&mut self) {
        let error = Error::incomplete(format!("task {}: internal error", self.task));
        let result = Err(error.into());
        let (task, rejects) = (self.task, Vec::new());
        self.queue.finish(TaskOutcome { task, rejects, result });
    }
}
