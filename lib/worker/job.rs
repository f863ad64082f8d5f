//! Jobs, the commands that tasks run, and tasks: an input comes, a slot is taken, the command runs,
//! and what it printed becomes a shard.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::format::{Once, ReadOptions, zip};
use crate::record::bad::{Bad, Policy};
use crate::record::block::Blocks;
use crate::record::digest::Contents;
use crate::run::runtime_dir;
use crate::wire::exchange::Deliver;
use crate::wire::flow::Debt;
use crate::wire::frame::broken;
use crate::wire::message::{self, Done, Failed, Fetch, OnBad, Resource, Source, Task};
use crate::worker::attempt::{Attempt, Ended, How};
use crate::worker::bisect::{self, Search};
use crate::worker::command::{Command, Given};
use crate::worker::form::{Form, Printed};
use crate::worker::rejects::Rejects;
use crate::worker::relay::LastWords;
use crate::worker::resource;
use crate::worker::serve::{Refusal, Shared};
use crate::worker::shard_file;
use crate::worker::spool::Spool;

/// The most jobs of a tool.
const JOBS_MAX: usize = 64;

/// How much of a shard is brought into form at once.
const BLOCK_BYTES: usize = 1 << 20;

/// What an input is for.
#[derive(Debug)]
pub(crate) enum Arrival {
    File(message::File),
    Task(Task),
    Part(Deliver),
}

/// An input that arrives.
struct Incoming {
    arrival: Arrival,
    spool: Result<Spool>,
    debt: Debt,
}

/// The jobs of a tool, and the inputs that arrive.
#[derive(Clone, Default)]
pub(crate) struct Jobs {
    jobs: Arc<Mutex<HashMap<u32, Arc<message::Job>>>>,
    incoming: Arc<Mutex<HashMap<u32, Incoming>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Jobs {
    /// Takes note of a job.
    pub(crate) fn add(&self, job: message::Job) -> Result<()> {
        let mut jobs = lock(&self.jobs);
        if jobs.len() >= JOBS_MAX {
            return Err(broken("too many jobs"));
        }
        jobs.insert(job.number, Arc::new(job));
        Ok(())
    }

    /// The input of `request` is about to arrive.
    pub(crate) fn open(&self, request: u32, arrival: Arrival, to: (Spool, Debt)) -> Result<()> {
        let incoming = Incoming { arrival, spool: Ok(to.0), debt: to.1 };
        match lock(&self.incoming).insert(request, incoming) {
            None => Ok(()),
            Some(_) => Err(broken("a request twice")),
        }
    }

    /// Takes some of the input of `request`; gives the credit that is due.
    pub(crate) fn take(&self, request: u32, bytes: &[u8]) -> Result<Option<u32>> {
        let mut all = lock(&self.incoming);
        // What was cancelled may still be on its way.
        let Some(incoming) = all.get_mut(&request) else { return Ok(None) };
        if !incoming.debt.came(bytes.len() as u64) {
            return Err(broken("more data than it was allowed to send"));
        }
        if let Ok(spool) = &mut incoming.spool
            && let Err(error) = spool.push(bytes)
        {
            // Only this request fails; its data is let pass by.
            incoming.spool = Err(error);
        }
        Ok(incoming.debt.dealt_with(bytes.len() as u64))
    }

    /// All of the input of `request` is here.
    pub(crate) fn close(&self, request: u32) -> Option<(Arrival, Result<Spool>)> {
        lock(&self.incoming).remove(&request).map(|incoming| (incoming.arrival, incoming.spool))
    }

    /// The input of `request` is not wanted any more.
    pub(crate) fn forget(&self, request: u32) {
        lock(&self.incoming).remove(&request);
    }

    /// Puts a file where commands start.
    pub(crate) fn keep_file(
        &self,
        shared: &Shared,
        file: &message::File,
        content: &Spool,
    ) -> std::result::Result<(), Refusal> {
        let Some(store) = &shared.store else { return Err(broken("a file without a run").into()) };
        let path = OsString::from(file.path.clone());
        let path = Path::new(&path);
        if path.as_os_str().is_empty()
            || !path.components().all(|c| matches!(c, Component::Normal(_)))
        {
            return Err(broken("a file whose path leads elsewhere").into());
        }
        let path = store.work().join(path);
        let failed = |e: std::io::Error| {
            Error::new(Kind::Storage, Error::path("write", &path, &e).to_string())
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut to = File::create(&path).map_err(failed)?;
        content.pour(|bytes| to.write_all(bytes).map_err(failed))?;
        let mode = if file.executable { 0o700 } else { 0o600 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(failed)?;
        Ok(())
    }

    /// Runs a task on `input`, or on the shard that it names. Records that are left out, and are to
    /// be sent, are added to `rejects`.
    pub(crate) fn run(
        &self,
        shared: &Arc<Shared>,
        task: &Task,
        input: Option<Spool>,
        rejects: &Arc<Mutex<Rejects>>,
        stop: &AtomicBool,
    ) -> std::result::Result<Done, Refusal> {
        let job = lock(&self.jobs).get(&task.job).cloned();
        let (Some(job), Some(store)) = (job, &shared.store) else {
            return Err(broken("a task without its job").into());
        };
        let stopped = || stop.load(Ordering::SeqCst) || shared.ending.load(Ordering::SeqCst);
        let bad = Arc::new(bad(&job, rejects)?);
        let work = Work { shared, job: &job, task, stopped: &stopped, bad, rejects };
        let input = match (input, &task.input) {
            (Some(input), _) => input,
            (None, Source::Shard(shard, contents)) => work.shard(shard, contents)?,
            (None, Source::Resource(resource)) => work.resource(resource)?,
            (None, Source::Stream) => return Err(broken("a task without its input").into()),
        };
        let Some(_slot) = shared.slots.take(task.task, &stopped)? else {
            return Err(Error::incomplete("stopped").into());
        };
        let records = work.printed(input)?;
        let spilled = records.spilled();
        let contents = store.put(task.task, task.attempt, &records)?;
        Ok(Done { contents, rejected: work.bad.count(), spilled })
    }
}

/// What judges the bad records of a task here.
fn bad(job: &message::Job, rejects: &Arc<Mutex<Rejects>>) -> Result<Bad> {
    let rejects = Arc::clone(rejects);
    match job.bad {
        OnBad::Fail => Bad::new(Policy::Fail),
        OnBad::Count => Bad::new(Policy::Skip),
        OnBad::Send => Ok(Bad::judged_by(Box::new(move |error, text| {
            lock(&rejects).push(&error.to_string(), text)
        }))),
    }
}

/// A task at work.
struct Work<'a> {
    shared: &'a Arc<Shared>,
    job: &'a message::Job,
    task: &'a Task,
    stopped: &'a dyn Fn() -> bool,
    bad: Arc<Bad>,
    rejects: &'a Mutex<Rejects>,
}

impl Work<'_> {
    fn form(&self) -> Form {
        if self.job.text { Form::Text } else { Form::Records }
    }

    fn max_record(&self) -> usize {
        usize::try_from(self.job.max_record).unwrap_or(usize::MAX)
    }

    fn spool(&self) -> Spool {
        Spool::new(Vec::new(), self.shared.spool_memory, self.shared.base.path())
    }

    /// A shard that lies here, in the form that the command reads.
    fn shard(&self, shard: &Fetch, contents: &Contents) -> Result<Spool> {
        shard_file::read(self.shared, shard, contents, |input| {
            let mut spool = self.spool();
            let mut blocks = Blocks::new(input, usize::MAX >> 1);
            while let Some(block) = blocks.next(BLOCK_BYTES, Vec::new(), &self.bad)? {
                if self.form() == Form::Records || self.job.words.is_empty() {
                    // A shard holds sound records.
                    spool.push(&block.bytes)?;
                    continue;
                }
                let fed = self.form().feed(block, blocks.name(), drop);
                for (error, text) in fed.rejects {
                    self.bad.reject(error, &text)?;
                }
                spool.push(&fed.bytes)?;
            }
            Ok(spool)
        })
    }

    /// The records of a resource of this host.
    fn resource(&self, resource: &Resource) -> Result<Spool> {
        let mut spool = self.spool();
        let (saying, task) = (Arc::clone(self.shared), self.task.task);
        let warn = move |text: &str| {
            saying.outbox.said(&format!("{}: task {task}: {text}\n", saying.name));
        };
        let options = ReadOptions {
            max_record: self.max_record(),
            bad: Arc::clone(&self.bad),
            stdin: Once::none(),
            warn: Arc::new(warn),
            note: Arc::new(|_| ()),
            directory: self.shared.base.path().into(),
            shards: None,
            zip_password: zip::Password::Withheld,
        };
        let mut source = resource::open(&self.shared.login, resource, &options)?;
        let mut records = Vec::new();
        let mut more = true;
        while more {
            if (self.stopped)() {
                return Err(Error::incomplete("stopped"));
            }
            records.clear();
            more = source.fill(&mut records)?;
            spool.push(&records)?;
        }
        Ok(spool)
    }

    /// What the command prints for `input`: sound records.
    fn printed(&self, input: Spool) -> std::result::Result<Spool, Refusal> {
        if self.job.words.is_empty() || (self.task.input != Source::Stream && input.is_empty()) {
            return Ok(input);
        }
        let mut words: Vec<OsString> = self.job.words.iter().cloned().map(Into::into).collect();
        let given = if self.job.line { Given::Line(words.remove(0)) } else { Given::Words(words) };
        let path = self.shared.search_path.as_deref();
        let mut command = Command::find(given, &self.job.ok_exit, path)?;
        if let Some(store) = &self.shared.store {
            command = command.setting(runtime_dir::VARIABLE, store.runtime().into());
        }
        let output = self.output(&command, &input)?;
        let unchanged = output.in_memory().is_some_and(|bytes| Some(bytes) == input.in_memory());
        if unchanged && self.form() == Form::Records {
            return Ok(output);
        }
        let printed = self.form().look(output, self.max_record(), || self.spool(), drop)?;
        match printed {
            Printed::Records(records, _) => Ok(records),
            Printed::Flawed(printed) => {
                let name = format!("task {}: output of {}", self.task.task, command.shown());
                let (max, spool) = (self.max_record(), self.spool());
                let named = (name.as_str(), self.job.plain_lines.as_str());
                let records = self.form().rewrite(&printed, named, max, &self.bad, spool);
                records
                    .map(|(records, _)| records)
                    .map_err(|error| Refusal(Failed { by_command: true, ..Failed::of(&error) }))
            }
        }
    }

    /// What the command prints once all went well, but for records that it fails on, where these
    /// are to be left out.
    fn output(&self, command: &Command, input: &Spool) -> std::result::Result<Spool, Refusal> {
        let is_well = |how| matches!(how, How::Status(s) if self.job.ok_exit.contains(&s));
        let mut number = self.task.attempt;
        let mut ended = self.attempt(command, input, number)?;
        if self.task.bisect && !is_well(ended.how) && bisect::is_fault(ended.how) {
            let search = Search {
                form: self.form(),
                retries: self.job.retries,
                spare: &|| self.spool(),
                is_well: &is_well,
            };
            let attempt = |part: &Spool| {
                number = number.saturating_add(1);
                self.attempt(command, part, number)
            };
            let found = |fault, record: &[u8]| lock(self.rejects).push_failed(&fault, record);
            match search.run(input, ended, attempt, found)? {
                Ok(output) => return Ok(output),
                Err(given_up) => ended = given_up,
            }
        }
        match ended.how {
            How::Stopped => Err(Error::incomplete("stopped").into()),
            how if is_well(how) => Ok(ended.output),
            how => Err(self.failed(command, how, ended.last_words)),
        }
    }

    /// Runs the command; where it ends well, what it said is passed on.
    fn attempt(&self, command: &Command, input: &Spool, number: u32) -> Result<Ended> {
        let task = self.task.task;
        let prefix = match number {
            1 => format!("{}: task {task}: ", self.shared.name),
            _ => format!("{}: task {task}, attempt {number}: ", self.shared.name),
        };
        let say = |lines: &str| self.shared.outbox.said(lines);
        let attempt = Attempt {
            command,
            input,
            task,
            number,
            timeout: self.job.timeout_ms.map(Duration::from_millis),
            stop: self.stopped,
            children: &self.shared.children,
            prefix: prefix.clone(),
            pass_on: &say,
        };
        let ended = attempt.run(self.spool())?;
        if matches!(ended.how, How::Status(status) if self.job.ok_exit.contains(&status)) {
            ended.last_words.pass_on(&prefix, &say);
        }
        if !ended.killed.is_empty() {
            say(&format!(
                "{prefix}killed what the command left behind with its output open: {}\n",
                ended.killed.join(", ")
            ));
        }
        Ok(ended)
    }

    fn failed(&self, command: &Command, how: How, last_words: LastWords) -> Refusal {
        let kind = if how == How::Timeout { Kind::Timeout } else { Kind::Command };
        let error =
            Error::new(kind, format!("task {}: {}: {how}", self.task.task, command.shown()));
        let (last_words, passed) = (last_words.lines, last_words.passed as u64);
        Refusal(Failed { by_command: true, last_words, passed, ..Failed::of(&error) })
    }
}
