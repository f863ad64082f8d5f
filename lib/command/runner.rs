//! Running one task: the command on one input, or on ever smaller parts of it where the records are
//! looked for that it fails on, and a look at what it printed. The same here and on a host: when to
//! try again, and what becomes of the output, is for the caller to say.

use std::time::Duration;

use crate::command::attempt::{Attempt, CommandEnd, Ended};
use crate::command::bisect::{self, CommandFault, Search};
use crate::command::children::Children;
use crate::command::form::{Form, TaskOutput};
use crate::command::program::Command;
use crate::error::Result;
use crate::record::bad::Bad;
use crate::spool::Spool;

/// What is needed to run a task.
pub(crate) struct TaskRunner<'a> {
    /// The number of the task, from 1.
    pub(crate) task: u64,
    /// The command.
    pub(crate) command: &'a Command,
    /// What it reads and prints.
    pub(crate) form: Form,
    /// The exit statuses with which it says that all is well.
    pub(crate) ok_exit: &'a [i32],
    /// How long an attempt may take.
    pub(crate) timeout: Option<Duration>,
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
    /// The number of the last attempt.
    pub(crate) attempts: u32,
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
        let ended = self.attempt(input, number)?;
        let (how, mut attempts) = (ended.how, number);
        let Some(retries) = self.search.filter(|_| !self.is_well(how) && bisect::is_fault(how))
        else {
            let output = if self.is_well(how) { Ok(ended.output) } else { Err(ended) };
            return Ok(Finished { output, attempts, searched: false });
        };
        let search = Search {
            form: self.form,
            retries,
            spare: self.spool,
            is_well: &|how| self.is_well(how),
        };
        let attempt = |part: &Spool| {
            attempts = attempts.saturating_add(1);
            self.attempt(part, attempts)
        };
        let output = search.run(input, ended, attempt, found)?;
        Ok(Finished { output, attempts, searched: true })
    }

    fn is_well(&self, how: CommandEnd) -> bool {
        matches!(how, CommandEnd::Status(status) if self.ok_exit.contains(&status))
    }

    /// Runs the command once. What it said at its end is passed on where it ended well.
    fn attempt(&self, input: &Spool, number: u32) -> Result<Ended> {
        let prefix = (self.prefix)(number);
        let attempt = Attempt {
            command: self.command,
            input,
            task: self.task,
            number,
            timeout: self.timeout,
            stop: self.stop,
            children: self.children,
            prefix: prefix.clone(),
            pass_on: self.pass_on,
        };
        let ended = attempt.run((self.spool)())?;
        if self.is_well(ended.how) {
            ended.last_words.pass_on(&prefix, self.pass_on);
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
        if unchanged && self.form == Form::Records {
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
