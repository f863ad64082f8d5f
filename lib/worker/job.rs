//! Jobs, the commands that tasks run, and tasks: an input comes, a slot is taken, the command runs,
//! and what it printed becomes a shard.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::{self, ClientAccess};
use crate::command::attempt::{CommandEnd, Ended};
use crate::command::children::{HOST_VARIABLE, SETUP_VARIABLE, SHARD_VARIABLE};
use crate::command::each::{Each, LocalFile, Words};
use crate::command::form::{Form, TaskOutput};
use crate::command::hadoop::{HadoopJob, InputPart};
use crate::command::program::{Command, Given};
use crate::command::rejects::Rejects;
use crate::command::runner::{Seen, TaskRunner};
use crate::error::broken;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Once, ReadOptions, zip};
use crate::parallel::lock;
use crate::pipe::runtime_dir;
use crate::record::bad::{Bad, Policy};
use crate::record::block::Blocks;
use crate::record::bytes::Bytes;
use crate::record::counters::Counters;
use crate::record::digest::Contents;
use crate::spool::Spool;
use crate::wire::job::{EachRecord, HadoopNames, Job, JobCommand, JobProgram, OnBad};
use crate::wire::message::{ClientPart, Done, Failed, HostResource, Task, TaskSource};
use crate::wire::shard::Fetch;
use crate::worker::client::CopyProgress;
use crate::worker::resource;
use crate::worker::shard_file;
use crate::worker::state::{JobError, WorkerState};

/// The most jobs of a tool.
const JOBS_MAX: usize = 64;

/// The longest record that is sent back when the command failed on it, in bytes.
const RECORD_MAX: usize = 64 << 10;

/// How much of a shard is brought into form at once.
const BLOCK_BYTES: usize = 1 << 20;

/// The jobs of a tool.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<HashMap<u32, Arc<Job>>>>);

impl Jobs {
    /// Takes note of a job.
    pub(crate) fn add(&self, job: Job) -> Result<()> {
        let mut jobs = lock(&self.0);
        if jobs.len() >= JOBS_MAX {
            return Err(broken("too many jobs"));
        }
        jobs.insert(job.number, Arc::new(job));
        Ok(())
    }

    /// Runs a task on `input`, or on the shard that it names. Records that are left out, and are to
    /// be sent, are added to `rejects`.
    pub(crate) fn run(
        &self,
        state: &Arc<WorkerState>,
        task: &Task,
        input: Option<Spool>,
        rejects: &Arc<Mutex<Rejects>>,
        stop: &AtomicBool,
    ) -> std::result::Result<Done, JobError> {
        let job = lock(&self.0).get(&task.job).cloned();
        let (Some(job), Some(store)) = (job, &state.store) else {
            return Err(broken("a task without its job").into());
        };
        let stopped = || stop.load(Ordering::SeqCst) || state.ending.load(Ordering::SeqCst);
        let bad = Arc::new(bad(&job, rejects)?);
        let work = Work { state, job: &job, task, stopped: &stopped, bad, rejects };
        let input = match (input, &task.input) {
            (Some(input), _) => input,
            (None, TaskSource::Shard(shard, contents)) => work.shard(shard, contents)?,
            (None, TaskSource::Resource(resource)) => work.resource(resource)?,
            (None, TaskSource::Stream | TaskSource::Printed) => {
                return Err(broken("a task without its input").into());
            }
        };
        let Some(_slot) = state.slots.take(task.task, &stopped)? else {
            return Err(Error::incomplete("stopped").into());
        };
        let begin = Instant::now();
        let (records, counters) = work.printed(input)?;
        let took_us = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let spilled = records.spilled();
        let contents = store.put(task.task, task.attempt, &records)?;
        Ok(Done { contents, rejected: work.bad.count(), spilled, took_us, counters })
    }
}

/// What judges the bad records of a task here.
fn bad(job: &Job, rejects: &Arc<Mutex<Rejects>>) -> Result<Bad> {
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
    state: &'a Arc<WorkerState>,
    job: &'a Job,
    task: &'a Task,
    stopped: &'a dyn Fn() -> bool,
    bad: Arc<Bad>,
    rejects: &'a Mutex<Rejects>,
}

impl Work<'_> {
    /// The form in which records are read.
    fn form(&self) -> Result<Form> {
        let Some(job) = &self.job.command else { return Ok(Form::default()) };
        let each = match &job.each {
            None => None,
            Some(each) => {
                let words = match &job.run {
                    JobProgram::Words(words) => {
                        let words: Vec<OsString> = words.iter().cloned().map(Into::into).collect();
                        Some(Words::parse(&words)?).filter(|words| !words.are_fixed())
                    }
                    JobProgram::Line(_) => None,
                };
                let EachRecord { rename, outcome, retries } = each.clone();
                Some(Arc::new(Each { words, rename, outcome, retries, host: job.host.clone() }))
            }
        };
        Ok(Form { input: job.input, output: job.output, late: job.late, each })
    }

    fn max_record(&self) -> usize {
        usize::try_from(self.job.max_record).unwrap_or(usize::MAX)
    }

    /// A shard that lies here, in the form that the command reads.
    fn shard(&self, shard: &Fetch, contents: &Contents) -> Result<Spool> {
        let form = &self.form()?;
        shard_file::read(self.state, shard, contents, |input| {
            let mut spool = self.state.spool();
            let mut blocks = Blocks::new(input, usize::MAX >> 1);
            let (mut buffer, mut spare) = (Vec::new(), Vec::new());
            while let Some(block) = blocks.next(BLOCK_BYTES, buffer, &self.bad)? {
                if form.reads_records() {
                    // A shard holds sound records.
                    spool.push(&block.bytes)?;
                    buffer = block.bytes;
                    continue;
                }
                let fed = form.feed(block, blocks.name(), spare);
                for (error, text) in fed.rejects {
                    self.bad.reject(error, &text)?;
                }
                spool.push(&fed.bytes)?;
                (buffer, spare) = (fed.bytes, fed.free);
            }
            Ok(spool)
        })
    }

    /// The records of a resource of this host.
    fn resource(&self, resource: &HostResource) -> Result<Spool> {
        let mut spool = self.state.spool();
        let (saying, task) = (Arc::clone(self.state), self.task.task);
        let warn = move |text: &str| {
            saying.to_tool.said(&format!("{}: task {task}: {text}\n", saying.name));
        };
        let options = ReadOptions {
            max_record: self.max_record(),
            bad: Arc::clone(&self.bad),
            stdin: Once::none(),
            warn: Arc::new(warn),
            note: Arc::new(|_| ()),
            directory: self.state.base.path().into(),
            shards: None,
            zip_password: zip::Password::Withheld,
            client: ClientAccess::default(),
            // Those who may read objects give hosts their records.
            objects: None,
        };
        let mut source = resource::open(&self.state.login, resource, &options)?;
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

    /// What the command prints for `input`, sound records, and has counted.
    fn printed(&self, input: Spool) -> std::result::Result<(Spool, Counters), JobError> {
        let Some(job) = &self.job.command else { return Ok((input, Counters::default())) };
        match self.task.input {
            TaskSource::Printed => return Ok((input, Counters::default())),
            TaskSource::Stream => (),
            TaskSource::Shard(..) | TaskSource::Resource(_) if input.is_empty() => {
                return Ok((input, Counters::default()));
            }
            TaskSource::Shard(..) | TaskSource::Resource(_) => (),
        }
        let (command, form) = (self.command(job)?, self.form()?);
        let say = |lines: &str| self.state.to_tool.said(lines);
        let runner = TaskRunner {
            task: self.task.task,
            command: &command,
            form: &form,
            ok_exit: &job.ok_exit,
            timeout: job.timeout_ms.map(Duration::from_millis),
            client: &|path| self.client_file(path),
            memo: None,
            search: self.task.bisect.then_some(job.retries),
            max_record: self.max_record(),
            plain_lines: &job.plain_lines,
            stop: self.stopped,
            children: &self.state.children,
            prefix: &|number| self.prefix(number),
            pass_on: &say,
            spool: &|| self.state.spool(),
            give: &drop,
        };
        let found = |fault, record: &[u8]| lock(self.rejects).push_failed(&fault, record);
        let finished = runner.run(&input, self.task.attempt, found).map_err(|error| {
            // A file of the client that cannot be had is no flaw of the shard that names it.
            let by_command = error.kind() == ErrorKind::Incomplete && !(self.stopped)();
            JobError(Failed { by_command, ..Failed::of(&error) })
        })?;
        let output = match finished.output {
            Ok(output) => output,
            Err(ended) if ended.how == CommandEnd::Stopped => {
                return Err(Error::incomplete("stopped").into());
            }
            Err(ended) => return Err(self.failed(&runner, finished.record, ended)),
        };
        let records = match runner.look(&input, output)? {
            Seen::Unchanged(records) | Seen::Changed(TaskOutput::Records(records, _)) => records,
            Seen::Changed(TaskOutput::Flawed(printed)) => {
                let records = runner.sound(&printed, &self.bad).map(|(records, _)| records);
                records
                    .map_err(|error| JobError(Failed { by_command: true, ..Failed::of(&error) }))?
            }
        };
        Ok((records, finished.counters))
    }

    /// The command of the job.
    fn command(&self, job: &JobCommand) -> Result<Command> {
        let given = match &job.run {
            JobProgram::Words(words) => {
                Given::Words(words.iter().cloned().map(Into::into).collect())
            }
            JobProgram::Line(line) => Given::Line(line.clone().into()),
        };
        let environment = job.environment.iter().cloned();
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let mut command = self.state.command(given, &job.ok_exit, environment)?;
        if let Some(setup) = self.state.setup.get() {
            command = command.setting(SETUP_VARIABLE, setup.directory.clone().into());
        }
        let command = command
            .setting(HOST_VARIABLE, job.host.clone().into())
            .setting(SHARD_VARIABLE, self.task.task.to_string().into())
            .told_by_hadoop(self.hadoop(job));
        Ok(match &self.state.store {
            Some(store) => command.setting(runtime_dir::VARIABLE, store.runtime().into()),
            None => command,
        }
        .setting(client::VARIABLE, self.state.client_variable()))
    }

    /// A copy of a file of the client, all of it.
    fn client_file(&self, path: &Path) -> Result<Box<dyn LocalFile>> {
        let Some(client) = &self.state.client else {
            return Err(broken("a file of the client, and no run"));
        };
        let copy = client.read(self.state, &path.as_os_str().into())?;
        let mut seen = 0;
        while let CopyProgress::Came(came) = copy.progress(seen)? {
            if (self.stopped)() {
                return Err(Error::incomplete("stopped"));
            }
            seen = came;
        }
        Ok(Box::new(copy))
    }

    /// What the command is told of its task as by Hadoop.
    fn hadoop(&self, job: &JobCommand) -> Option<HadoopJob> {
        let HadoopNames { number, is_map } = job.hadoop.clone()?;
        let part = self.task.part.clone().map(|ClientPart { path, start, length }| InputPart {
            path: path.into(),
            start,
            length,
        });
        Some(HadoopJob { number, is_map, part })
    }

    fn prefix(&self, number: u32) -> String {
        let (name, task) = (&self.state.name, self.task.task);
        match number {
            1 => format!("{name}: task {task}: "),
            _ => format!("{name}: task {task}, attempt {number}: "),
        }
    }

    fn failed(&self, runner: &TaskRunner<'_>, record: Option<Vec<u8>>, ended: Ended) -> JobError {
        let how = ended.how;
        let kind = if how == CommandEnd::Timeout { ErrorKind::Timeout } else { ErrorKind::Command };
        let shown = runner.shown(record.as_deref());
        let error = Error::new(kind, format!("task {}: {shown}: {how}", self.task.task));
        let (last_words, passed) = (ended.last_words.lines, ended.last_words.passed as u64);
        let record = record.filter(|record| record.len() <= RECORD_MAX).map(Bytes);
        JobError(Failed { by_command: true, last_words, passed, record, ..Failed::of(&error) })
    }
}
