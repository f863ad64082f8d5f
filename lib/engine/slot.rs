//! A slot: one thread that takes a piece, runs the command on it until it ends well or for good,
//! and hands over what came of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::handover::{Failure, Handover, Made, Outcome, Product};
use crate::engine::remote::Source;
use crate::engine::run::{Place, Plan};
use crate::engine::{Piece, Shard, budget::Budget};
use crate::error::{Error, Kind, Result};
use crate::record::digest::Contents;
use crate::worker::form::{Fed, Form, Printed};
use crate::worker::{Attempt, Children, Ended, How, Spool};

/// What the slots count together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) spilled: AtomicU64,
}

/// What a slot works with.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a> {
    pub(crate) plan: &'a Plan<'a>,
    pub(crate) budget: Budget,
    pub(crate) handover: &'a Handover,
    pub(crate) children: &'a Children,
    pub(crate) tally: &'a Tally,
}

/// A piece in the form in which the command reads it.
struct Prepared {
    task: u64,
    lines: (u64, u64),
    records: u64,
    input: Spool,
}

impl Slot<'_> {
    /// Works until there are no more pieces.
    pub(crate) fn work(&self) {
        while let Some((task, piece)) = self.handover.take() {
            let duty = Duty { task, handover: self.handover };
            let outcome = self.task(task, piece);
            std::mem::forget(duty);
            self.handover.finish(outcome);
        }
    }

    fn task(&self, task: u64, piece: Piece) -> Outcome {
        let (prepared, rejects) = match piece {
            Piece::Ready { input, lines, records } => {
                self.count(input.len(), records);
                (Prepared { task, lines, records, input }, Vec::new())
            }
            Piece::Lines(block) => {
                let lines = (block.first_line, block.line_count);
                let bytes = block.bytes.len() as u64;
                let Fed { bytes: fed, records, mut rejects } =
                    self.plan
                        .form
                        .feed(block, &self.plan.input_name, |memory| self.handover.give(memory));
                self.count(bytes, records);
                if self.plan.bad.is_strict() && !rejects.is_empty() {
                    let (error, _) = rejects.swap_remove(0);
                    return Outcome { task, lines, rejects: Vec::new(), result: Err(error.into()) };
                }
                let input = Spool::holding(fed, self.budget.task, self.plan.folder);
                if records == 0 {
                    // Nothing but blank lines, or bad ones: there is nothing to run a command on.
                    return Outcome { task, lines, rejects, result: Ok(self.nothing()) };
                }
                (Prepared { task, lines, records, input }, rejects)
            }
            Piece::Shard(shard) => return self.task_on_shard(task, shard),
            Piece::File(file) => {
                let result = match self.plan.place {
                    Place::Hosts(hosts) => self.remotely(hosts, task, Source::Resource(&file)),
                    Place::Here => Err(Error::incomplete("a file of no host").into()),
                };
                return Outcome { task, lines: (0, 0), rejects: Vec::new(), result };
            }
        };
        let lines = prepared.lines;
        let result = match self.plan.place {
            Place::Here => self.attempts(&prepared).map(Product::Here),
            Place::Hosts(hosts) => self.remotely(hosts, task, Source::Here(&prepared.input)),
        };
        self.tally.spilled.fetch_add(prepared.input.spilled(), Ordering::Relaxed);
        self.handover.give(prepared.input.into_memory());
        Outcome { task, lines, rejects, result }
    }

    /// What is made of no records.
    fn nothing(&self) -> Product {
        match self.plan.place {
            Place::Here => {
                Product::Here(Printed::Records(Spool::new(Vec::new(), 0, self.plan.folder), 0))
            }
            Place::Hosts(_) => Product::Shard(Made::default()),
        }
    }

    /// Runs a task on a shard that lies on a host.
    fn task_on_shard(&self, task: u64, shard: Shard) -> Outcome {
        let Contents { bytes, records, .. } = shard.contents;
        self.count(bytes, records);
        let result = match self.plan.place {
            _ if records == 0 => Ok(self.nothing()),
            Place::Hosts(hosts) => self.remotely(hosts, task, Source::Shard(Box::new(shard))),
            Place::Here => Err(Error::incomplete("a shard, and no host to work on").into()),
        };
        Outcome { task, lines: (0, 0), rejects: Vec::new(), result }
    }

    fn count(&self, bytes: u64, records: u64) {
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tally.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Tries until an attempt ends well.
    fn attempts(&self, prepared: &Prepared) -> std::result::Result<Printed, Failure> {
        let task = prepared.task;
        for number in 1.. {
            let ended = self.attempt(prepared, number)?;
            if !ended.killed.is_empty() {
                self.say(
                    task,
                    number,
                    &format!(
                        "killed what the command left behind with its output open: {}",
                        ended.killed.join(", ")
                    ),
                );
            }
            match ended.how {
                How::Stopped => return Err(Error::incomplete("stopped").into()),
                How::Status(status) if self.plan.ok_exit.contains(&status) => {
                    return Ok(self.printed(prepared, ended.output)?);
                }
                how if self.handover.again(task, number) => {
                    self.say(task, number, &format!("{how}: trying again"));
                    self.tally.retries.fetch_add(1, Ordering::Relaxed);
                    self.handover.give(ended.output.into_memory());
                }
                _ => return Err(self.failure(task, number, ended)),
            }
        }
        Err(Error::incomplete("stopped").into())
    }

    fn attempt(&self, prepared: &Prepared, number: u32) -> Result<Ended> {
        let task = prepared.task;
        let attempt = Attempt {
            command: self.plan.command,
            input: &prepared.input,
            task,
            number,
            timeout: self.plan.timeout,
            stop: &|| !self.handover.wanted(task),
            children: self.children,
            prefix: self.prefix(task, number),
            pass_on: self.plan.pass_on,
        };
        attempt.run(Spool::new(self.handover.memory(), self.budget.task, self.plan.folder))
    }

    fn printed(&self, prepared: &Prepared, output: Spool) -> Result<Printed> {
        self.tally.spilled.fetch_add(output.spilled(), Ordering::Relaxed);
        let unchanged = output.in_memory().is_some_and(|o| Some(o) == prepared.input.in_memory());
        if unchanged && self.plan.form == Form::Records {
            // The input was checked.
            return Ok(Printed::Records(output, prepared.records));
        }
        let spare = || Spool::new(self.handover.memory(), self.budget.task, self.plan.folder);
        let mut printed = self
            .plan
            .form
            .look(output, self.plan.max_record, spare, |memory| self.handover.give(memory))?;
        let (Printed::Records(spool, _) | Printed::Flawed(spool)) = &mut printed;
        if let Some(memory) = spool.shrink() {
            self.handover.give(memory);
        }
        Ok(printed)
    }

    fn failure(&self, task: u64, attempts: u32, ended: Ended) -> Failure {
        let kind = if ended.how == How::Timeout { Kind::Timeout } else { Kind::Command };
        let tries = if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() };
        let text = format!("task {task}: {}: {}{tries}", self.plan.command.shown(), ended.how);
        let error = Error::new(kind, text);
        Failure { error, by_command: true, last_words: ended.last_words }
    }

    pub(super) fn prefix(&self, task: u64, attempt: u32) -> String {
        match attempt {
            1 => format!("{}: task {task}: ", self.plan.tool),
            _ => format!("{}: task {task}, attempt {attempt}: ", self.plan.tool),
        }
    }

    pub(super) fn say(&self, task: u64, attempt: u32, text: &str) {
        (self.plan.pass_on)(&format!("{}{text}\n", self.prefix(task, attempt)));
    }
}

/// A task whose outcome is owed. Dropped, for the slot has panicked, it is a failure: the writer
/// would wait for it for ever.
struct Duty<'a> {
    task: u64,
    handover: &'a Handover,
}

impl Drop for Duty<'_> {
    fn drop(&mut self) {
        let error = Error::incomplete(format!("task {}: internal error", self.task));
        let result = Err(error.into());
        let (task, lines, rejects) = (self.task, (0, 0), Vec::new());
        self.handover.finish(Outcome { task, lines, rejects, result });
    }
}
