//! Running one task: the command on one input, or on ever smaller parts of it where the records are
//! looked for that it fails on, and a look at what it printed. The same here and on a host: when to
//! try again, and what becomes of the output, is for the caller to say.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::command::attempt::{Attempt, CommandEnd, Ended};
use crate::command::bisect::{self, CommandFault, Search};
use crate::command::children::Children;
use crate::command::each::{Each, OpenClient, RunOfRecord};
use crate::command::form::{self, Form, TaskOutput};
use crate::command::memo::{Memo, MemoKey};
use crate::command::program::Command;
use crate::command::relay::LastWords;
use crate::error::{Error, Result};
use crate::record::bad::{Bad, Policy};
use crate::record::counters::Counters;
use crate::record::notation::Notation;
use crate::spool::Spool;

/// What is needed to run a task.
pub(crate) struct TaskRunner<'a> {
    /// The number of the task, from 1.
    pub(crate) task: u64,
    /// The command.
    pub(crate) command: &'a Command,
    /// What it reads and prints.
    pub(crate) form: &'a Form,
    /// The exit statuses with which it says that all is well.
    pub(crate) ok_exit: &'a [i32],
    /// How long an attempt may take.
    pub(crate) timeout: Option<Duration>,
    /// Has a file of the client here that the words for a record name.
    pub(crate) client: OpenClient<'a>,
    /// What was printed before for records that are runs of their own.
    pub(crate) memo: Option<&'a Memo>,
    /// How many more attempts a single record gets, where the records are looked for that the command
    /// fails on.
    pub(crate) search: Option<u32>,
    /// The longest record that it may print, in bytes.
    pub(crate) max_record: usize,
    /// How it is told that it prints plain lines.
    pub(crate) plain_lines: &'a str,
    /// Whether to give up.
    pub(crate) stop: &'a dyn Fn() -> bool,
    /// The commands that run now.
    pub(crate) children: &'a Children,
    /// What is put before each line of its standard error, by the number of the attempt.
    pub(crate) prefix: &'a dyn Fn(u32) -> String,
    /// Takes those lines, whole ones, several at once.
    pub(crate) pass_on: &'a (dyn Fn(&str) + Sync),
    /// Makes an empty spool, of memory that was used before where there is some.
    pub(crate) spool: &'a dyn Fn() -> Spool,
    /// Takes memory back.
    pub(crate) give: &'a dyn Fn(Vec<u8>),
}

/// A task that ran.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What the command printed, or how it failed.
    pub(crate) output: std::result::Result<Spool, Ended>,
    /// What it has counted in the attempts that printed that.
    pub(crate) counters: Counters,
    /// The number of the last attempt.
    pub(crate) attempts: u32,
    /// The record that the command failed on, where each is a run of its own.
    pub(crate) record: Option<Vec<u8>>,
    /// Whether records were looked for that the command fails on, so that trying again is of no use.
    pub(crate) searched: bool,
}

/// What was seen in the output of a task.
#[derive(Debug)]
pub(crate) enum Seen {
    /// It is the input, which was checked.
    Unchanged(Spool),
    /// It is something else.
    Changed(TaskOutput),
}

impl TaskRunner<'_> {
    /// Runs the command on `input`, in attempt `number`; the records that it fails on, where these are
    /// looked for, go to `found`, in order.
    ///
    /// # Errors
    /// `Usage` when the command cannot be started, `Storage` when there is no room, and what `found`
    /// says. How badly the command ended is no error here.
    pub(crate) fn run(
        &self,
        input: &Spool,
        number: u32,
        found: impl FnMut(CommandFault, &[u8]) -> Result<()>,
    ) -> Result<Finished> {
        if let Some(each) = &self.form.each {
            return self.run_each(each, input, number, found);
        }
        let attempt = |part: &Spool, number: u32| match self.form.is_late() {
            true => {
                self.attempt(self.command, &self.form.for_attempt(part, (self.spool)())?, number)
            }
            false => self.attempt(self.command, part, number),
        };
        let ended = attempt(input, number)?;
        let (how, mut attempts) = (ended.how, number);
        let Some(retries) = self.search.filter(|_| !self.is_well(how) && bisect::is_fault(how))
        else {
            let (output, counters) = match self.is_well(how) {
                true => (Ok(ended.output), ended.counted.counters),
                false => (Err(ended), Counters::default()),
            };
            return Ok(Finished { output, counters, attempts, record: None, searched: false });
        };
        let search = Search { retries, spare: self.spool, is_well: &|how| self.is_well(how) };
        let next = |part: &Spool| {
            attempts = attempts.saturating_add(1);
            attempt(part, attempts)
        };
        let (output, counters) = match search.run(input, ended, next, found)? {
            Ok((output, counters)) => (Ok(output), counters),
            Err(ended) => (Err(ended), Counters::default()),
        };
        Ok(Finished { output, counters, attempts, record: None, searched: true })
    }

    /// Runs the command on each record of `input` by itself, as often as it may be, with attempts from
    /// number `first` on.
    fn run_each(
        &self,
        each: &Each,
        input: &Spool,
        first: u32,
        mut found: impl FnMut(CommandFault, &[u8]) -> Result<()>,
    ) -> Result<Finished> {
        let (mut output, mut failed) = ((self.spool)(), None);
        let mut counters = Counters::default();
        form::each_record(input, |record| {
            if failed.is_some() || self.remembered(record, &mut output)? {
                return Ok(());
            }
            // The files that its words name stay until all attempts are done.
            let mut files = Vec::new();
            let command = match &each.words {
                Some(words) => {
                    let words = words.with_files(record, self.client, &mut files)?;
                    &self.command.with_words(words)
                }
                None => self.command,
            };
            let mut fed = Vec::with_capacity(record.len() + 1);
            self.form.input.push(&mut fed, record).map_err(Error::input)?;
            let fed = Spool::holding(fed, usize::MAX, Path::new(""));
            for number in first.. {
                let begin = Instant::now();
                let mut ended = self.attempt(command, &fed, number)?;
                let is_over = self.is_well(ended.how) || ended.how == CommandEnd::Stopped;
                if !is_over && number - first < each.retries {
                    continue;
                }
                let is_well = self.is_well(ended.how);
                if is_well || (each.outcome && ended.how != CommandEnd::Stopped) {
                    let counted = std::mem::take(&mut ended.counted.counters);
                    let printed = self.printed(each, record, ended, begin.elapsed())?;
                    // What it has counted is not kept.
                    if is_well && counted.is_empty() {
                        self.remember(record, &printed)?;
                    }
                    counters.merge(&counted)?;
                    return printed.pour(|bytes| output.push(bytes));
                }
                if self.search.is_some() && bisect::is_fault(ended.how) {
                    let fault = CommandFault::new(ended.how, ended.last_words.lines);
                    return found(fault, record);
                }
                failed = Some((ended, number, record.to_vec()));
                return Ok(());
            }
            Ok(())
        })?;
        let (output, attempts, record) = match failed {
            Some((ended, attempts, record)) => (Err(ended), attempts, Some(record)),
            None => (Ok(output), first, None),
        };
        Ok(Finished { output, counters, attempts, record, searched: true })
    }

    /// The command as a shell would take it, for `record` where each is a run of its own.
    pub(crate) fn shown(&self, record: Option<&[u8]>) -> String {
        let words = self.form.each.as_ref().and_then(|each| each.words.as_ref());
        match words.zip(record).and_then(|(words, record)| words.of(record).ok()) {
            Some(words) => self.command.with_words(words).shown().to_string(),
            None => self.command.shown().to_string(),
        }
    }

    /// What the command printed for one record, in whole lines.
    fn printed(
        &self,
        each: &Each,
        record: &[u8],
        mut ended: Ended,
        took: Duration,
    ) -> Result<Spool> {
        let mut line = Vec::new();
        if each.outcome {
            push_run(each, record, &ended, took, &mut line)?;
        } else if self.form.output == Notation::Raw {
            each.push_data(&mut line, record, &bytes_of(&ended.output)?)?;
        } else {
            ended.output.end_line()?;
            return Ok(ended.output);
        }
        Ok(Spool::holding(line, usize::MAX, Path::new("")))
    }

    /// Adds what was printed before for a record to `output`, if it is known.
    fn remembered(&self, record: &[u8], output: &mut Spool) -> Result<bool> {
        let Some(memo) = self.memo else { return Ok(false) };
        let Some((printed, _)) = memo.find(&MemoKey::of_record(record), (self.spool)())? else {
            return Ok(false);
        };
        printed.pour(|bytes| output.push(bytes))?;
        (self.give)(printed.into_memory());
        Ok(true)
    }

    /// Keeps what was printed for a record, unless that is none.
    fn remember(&self, record: &[u8], printed: &Spool) -> Result<()> {
        let Some(memo) = self.memo else { return Ok(()) };
        let flaws = Bad::new(Policy::Skip)?;
        if self.form.prints_records() {
            form::look_through(printed, self.max_record, &flaws)?;
        }
        if flaws.count() > 0 {
            return Ok(());
        }
        if let Err(error) = memo.keep(&MemoKey::of_record(record), printed, 0) {
            let prefix = (self.prefix)(1);
            (self.pass_on)(&format!("{prefix}{error}; no more is kept\n"));
        }
        Ok(())
    }

    fn is_well(&self, how: CommandEnd) -> bool {
        matches!(how, CommandEnd::Status(status) if self.ok_exit.contains(&status))
    }

    /// Runs the command once. What it said at its end is passed on where it ended well.
    fn attempt(&self, command: &Command, input: &Spool, number: u32) -> Result<Ended> {
        let prefix = (self.prefix)(number);
        let is_data = self.form.each.as_ref().is_some_and(|each| each.outcome);
        let attempt = Attempt {
            command,
            input,
            task: self.task,
            number,
            timeout: self.timeout,
            stop: self.stop,
            children: self.children,
            may_report: !is_data,
            prefix: prefix.clone(),
            pass_on: self.pass_on,
        };
        let mut ended = attempt.run((self.spool)())?;
        if self.is_well(ended.how) && !is_data {
            ended.last_words.pass_on(&prefix, self.pass_on);
            if let Some(error) = ended.counted.refused.take() {
                return Err(error.at(format!("task {}: {}", self.task, command.shown())));
            }
        }
        if !ended.killed.is_empty() {
            let killed = ended.killed.join(", ");
            let what = "killed what the command left behind with its output open";
            (self.pass_on)(&format!("{prefix}{what}: {killed}\n"));
        }
        Ok(ended)
    }

    /// Looks at what the command printed for `input`.
    ///
    /// # Errors
    /// `Storage` when there is no room, and what [`Form::look`] says.
    pub(crate) fn look(&self, input: &Spool, output: Spool) -> Result<Seen> {
        let unchanged = output.in_memory().is_some_and(|bytes| Some(bytes) == input.in_memory());
        if unchanged && self.form.reads_records() && self.form.prints_records() {
            return Ok(Seen::Unchanged(output));
        }
        let printed = self.form.look(output, self.max_record, self.spool, self.give)?;
        Ok(Seen::Changed(printed))
    }

    /// The sound records of what the command printed, and how many; the others are judged by `bad`.
    ///
    /// # Errors
    /// What `bad` says of them, and `Storage`.
    pub(crate) fn sound(&self, printed: &Spool, bad: &Bad) -> Result<(Spool, u64)> {
        let place = format!("task {}: output of {}", self.task, self.command.shown());
        let named = (place.as_str(), self.plain_lines);
        self.form.rewrite(printed, named, self.max_record, bad, (self.spool)())
    }
}

/// Adds a run to `line`, as a record.
fn push_run(
    each: &Each,
    record: &[u8],
    ended: &Ended,
    took: Duration,
    line: &mut Vec<u8>,
) -> Result<()> {
    let LastWords { lines, .. } = &ended.last_words;
    let (printed, how) = (bytes_of(&ended.output)?, ended.how);
    let run = RunOfRecord { record, printed: &printed, errors: lines, how, host: &each.host, took };
    run.push(line);
    Ok(())
}

fn bytes_of(spool: &Spool) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    spool.pour(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(bytes)
}
