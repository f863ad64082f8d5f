//! A task on a host: it is tried there, and again as its [`trial`](super::trial) says.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::cluster::OnBad;
use crate::cluster::host::shown;
use crate::cluster::{Done, Failed, Task, TaskReply, TaskSource as InputAt};
use crate::command::relay::LastWords;
use crate::command::{CommandEnd, Rejects, relay};
use crate::engine::attempt::{Bringing, attempt};
use crate::engine::fleet::Lease;
use crate::engine::kept::INPUT_MAX;
use crate::engine::notes::{TaskNotes, Went};
use crate::engine::plan::Hosts;
use crate::engine::slot::{AttemptsResult, Slot, TaskAttempts};
use crate::engine::task_queue::{Product, ShardResult, TaskFailure, TaskQueue};
use crate::engine::trial::{Copied, NoPlace, Trial};
use crate::engine::work::TaskInput;
use crate::engine::{HostFile, HostedShard};
use crate::error::{Error, ErrorKind, Result};
use crate::format::place::without_signature;
use crate::spool::Spool;

/// How an attempt on a host went.
enum AttemptResult {
    Done(Done, Option<Rejects>),
    Failed(Failed),
    /// It is not wanted any more.
    Stopped,
    Lost(Error),
}

/// An attempt's stay on a host, or that of what it made: no other attempt at its task is there.
struct Stay<'a> {
    queue: &'a TaskQueue,
    task: u64,
    host: String,
}

impl<'a> Stay<'a> {
    /// With the attempt's number. None where another attempt is there: two of a task cannot be on one host.
    fn begin(queue: &'a TaskQueue, which: TaskAttempts, host: &str) -> Option<(Stay<'a>, u32)> {
        let TaskAttempts { task, first } = which;
        let number = queue.goes_to(task, host, first)?;
        Some((Stay { queue, task, host: host.to_string() }, number))
    }

    /// What was made stays for good.
    fn settle(mut self) {
        drop(std::mem::take(&mut self.host));
        std::mem::forget(self);
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.queue.has_left(self.task, &self.host);
    }
}

impl Slot<'_> {
    /// Runs a task on one of the hosts, until an attempt goes well.
    pub(crate) fn remotely(
        &self,
        hosts: &Hosts<'_>,
        which: TaskAttempts,
        mut source: TaskInput<'_>,
        notes: &mut TaskNotes<'_>,
    ) -> AttemptsResult {
        let TaskAttempts { task, first } = which;
        let mut trial = Trial::new(hosts.replicas, first > 1);
        // Where copies of the shard are, no other attempt goes until they are given up.
        let mut stays = Vec::new();
        loop {
            let taken = self.queue.hosts_of(task);
            let lease = match self.lease(hosts, &source, &taken, &mut trial)? {
                Ok(lease) => lease,
                Err(NoPlace::Taken) => match trial.is_second() {
                    false if self.queue.is_free(task, &taken) => continue,
                    _ => break,
                },
                Err(NoPlace::Nowhere) => {
                    return Err(hosts.fleet.exhausted("no host is left to work on").into());
                }
                Err(NoPlace::TooFew) => return Err(too_few(hosts).into()),
            };
            let member = lease.0;
            let name = member.connection.name().to_string();
            let Some((stay, number)) = Stay::begin(self.queue, which, &name) else { continue };
            let bisect = self.looks_for_records(hosts, &name, trial.failures());
            let under_way = notes.begin(&name, number);
            let result = self.attempt_on(hosts, &lease, (task, number, bisect), &mut source);
            notes.end(under_way, went(&result));
            match result? {
                AttemptResult::Done(done, rejects) => {
                    let copied = trial.made(&name, done.contents);
                    if let Copied::Unlike(other) = copied {
                        return Err(unlike(task, &other, &name).into());
                    }
                    self.blame(hosts, &name, trial.failed_on());
                    stays.push(stay);
                    if copied == Copied::Enough {
                        stays.into_iter().for_each(Stay::settle);
                        return Ok(made(task, trial.copies(), done, rejects));
                    }
                }
                AttemptResult::Stopped => break,
                AttemptResult::Lost(error) => {
                    member.mourn(|| self.say_plainly(&format!("{error}; its tasks go elsewhere")));
                    self.retried();
                }
                AttemptResult::Failed(failed) if is_about_copy(&failed, &source, &name) => {
                    pass_over(hosts, &mut source, &name, failed)?;
                    self.retried();
                }
                AttemptResult::Failed(failed) if failed.code == ErrorKind::Storage.exit_code() => {
                    let why = failed.error().at(shown(&name));
                    hosts.fleet.set_aside(member, &why, |text| self.say_plainly(text));
                    self.retried();
                }
                AttemptResult::Failed(failed) => {
                    let may_pass = may_pass(&failed);
                    if !trial.failed(&name, may_pass, |failures| self.queue.again(task, failures)) {
                        let attempts = (task, trial.failures());
                        return Err(self.failed_on(hosts, &name, attempts, failed, source));
                    }
                    self.failed_once(hosts, &name, task, &failed);
                }
            }
        }
        Err(TaskFailure::given_up())
    }

    /// A place for the next attempt at a task, or why there is none.
    fn lease<'a>(
        &self,
        hosts: &Hosts<'a>,
        source: &TaskInput<'_>,
        taken: &[String],
        trial: &mut Trial,
    ) -> Result<std::result::Result<Lease<'a>, NoPlace>> {
        let near = source.near();
        let lease =
            hosts.fleet.lease_by(|roster, is_lost| trial.place(roster, is_lost, near, taken));
        if let TaskInput::Resource(file) = source
            && let Ok(lease) = &lease
            && !file.hosts.iter().any(|host| host == lease.0.connection.name())
        {
            let full = hosts.fleet.full(&file.hosts);
            return Err(full.unwrap_or_else(|| unreachable_file(file)));
        }
        Ok(lease)
    }

    /// A task went well on `name`, and had not on `failed_on`: such a host is the worse for it.
    fn blame(&self, hosts: &Hosts<'_>, name: &str, failed_on: &[String]) {
        for failed in hosts.fleet.went_well(name, failed_on) {
            let failed = shown(failed);
            self.say_plainly(&format!(
                "{failed}: tasks fail there that go well elsewhere; it gets no more of them"
            ));
        }
    }

    /// Whether the records are to be looked for that the command fails on, where it failed so often
    /// elsewhere: elsewhere it may go well, but for where there is no elsewhere.
    fn looks_for_records(&self, hosts: &Hosts<'_>, name: &str, failures: u32) -> bool {
        let is_last = failures > 0 || self.plan.retries() == 0;
        self.plan.searches() && (is_last || !hosts.fleet.has_other(name))
    }

    pub(super) fn say_plainly(&self, text: &str) {
        relay::pass_on(
            &format!("{}: ", self.plan.tool()),
            &[text.into()],
            self.plan.setting.voice.pass_on,
        );
    }

    /// Says that a command failed, and is tried again.
    fn failed_once(&self, hosts: &Hosts<'_>, host: &str, task: u64, failed: &Failed) {
        hosts.fleet.went_wrong(host);
        self.tell(&self.prefix_on(host, task), &last_words(failed));
        self.say_plainly(&format!("{}: {}: trying again", shown(host), failed.text));
        self.retried();
    }

    /// Counts an attempt more.
    fn retried(&self) {
        self.tally.retries.fetch_add(1, Ordering::Relaxed);
    }

    fn failed_on(
        &self,
        hosts: &Hosts<'_>,
        host: &str,
        (task, attempts): (u64, u32),
        failed: Failed,
        source: TaskInput<'_>,
    ) -> TaskFailure {
        hosts.fleet.went_wrong(host);
        self.tell_last(task, &self.prefix_on(host, task), &last_words(&failed));
        // A shard that the command failed on is brought here, if it can be had.
        let input = match source {
            TaskInput::Shard(mut shard)
                if failed.by_command && shard.contents.bytes <= INPUT_MAX =>
            {
                self.fetched(hosts, &mut shard).ok().map(Arc::new)
            }
            _ => None,
        };
        let tries = if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() };
        let error = failed.error();
        let error = Error::new(error.kind(), format!("{}: {error}{tries}", shown(host)));
        let record = failed.record.map(|record| record.0);
        TaskFailure { error, by_command: failed.by_command, input, record, given_up: false }
    }

    fn attempt_on(
        &self,
        hosts: &Hosts<'_>,
        lease: &Lease<'_>,
        (task, number, bisect): (u64, u32, bool),
        source: &mut TaskInput<'_>,
    ) -> Result<AttemptResult> {
        let connection = &lease.0.connection;
        let (there, fetched) = match source {
            TaskInput::Here(_) => (InputAt::Stream, None),
            TaskInput::Printed(_) => (InputAt::Printed, None),
            TaskInput::Resource(file) => (InputAt::Resource(file.resource.clone()), None),
            TaskInput::Shard(shard) if shard.hosts.iter().any(|host| host == connection.name()) => {
                (InputAt::Shard(shard.fetch(), shard.contents), None)
            }
            TaskInput::Shard(shard) => (InputAt::Stream, Some(self.fetched(hosts, shard)?)),
        };
        let part = self.plan.command().and_then(|command| command.command.hadoop());
        let part = part.and_then(|_| source.part());
        let asked = Task { job: hosts.job, task, attempt: number, input: there, part, bisect };
        let mut rejects =
            Rejects::new(Spool::new(Vec::new(), self.budget.task, self.plan.folder()));
        let input = match (&*source, &fetched) {
            (TaskInput::Here(spool) | TaskInput::Printed(spool), _) => Some(*spool),
            (_, spool) => spool.as_ref(),
        };
        let unwanted = || self.queue.stops(task);
        let take = &mut |bytes: &[u8]| rejects.arrived(bytes);
        let sent = attempt(connection, asked, input, &unwanted, take);
        match sent {
            Ok(Some(TaskReply::Done(done))) => {
                if let TaskInput::Here(input) = &*source {
                    self.queue.took(input.len(), Duration::from_micros(done.took_us));
                }
                let judged = OnBad::under(self.plan.bad()) == OnBad::Send;
                Ok(AttemptResult::Done(done, (judged || bisect).then_some(rejects)))
            }
            Ok(Some(TaskReply::Failed(failed))) => Ok(AttemptResult::Failed(failed)),
            Ok(None) => Ok(AttemptResult::Stopped),
            Err(error) if error.kind() == ErrorKind::Hosts => Ok(AttemptResult::Lost(error)),
            Err(error) => Err(error),
        }
    }

    /// A shard that is brought here, to be sent on to where it does not lie.
    fn fetched(&self, hosts: &Hosts<'_>, shard: &mut HostedShard) -> Result<Spool> {
        let bringing = Bringing {
            origin: hosts.origin.as_deref(),
            form: &self.plan.form(),
            max_record: self.plan.max_record(),
            bad: self.plan.bad(),
            spool: &|| self.spool(),
        };
        bringing.bring(shard)
    }
}

/// How an attempt on a host went.
fn went(result: &Result<AttemptResult>) -> Went {
    match result {
        Ok(AttemptResult::Done(done, _)) => Went::Well(Some(Duration::from_micros(done.took_us))),
        Ok(AttemptResult::Failed(failed)) => {
            let exit = failed.by_command.then(|| CommandEnd::status_in(&failed.text)).flatten();
            Went::Badly(failed.text.clone(), exit)
        }
        Ok(AttemptResult::Stopped) => Went::Stopped,
        Ok(AttemptResult::Lost(error)) => Went::Lost(error.to_string()),
        Err(error) => Went::Badly(error.to_string(), None),
    }
}

fn last_words(failed: &Failed) -> LastWords {
    let passed = usize::try_from(failed.passed).unwrap_or(usize::MAX);
    LastWords { lines: failed.last_words.clone(), passed }
}

fn too_few(hosts: &Hosts<'_>) -> Error {
    hosts.fleet.exhausted(&format!("no {} hosts are left to keep copies on", hosts.replicas))
}

fn unreachable_file(file: &HostFile) -> Error {
    let path = String::from_utf8_lossy(&file.resource.path.0);
    let path = without_signature(&path);
    Error::new(ErrorKind::Hosts, format!("{path} on {}: its host is lost", file.hosts.join(", ")))
}

/// Whether what failed on `host` is but its copy of a shard, which is not there or is damaged.
fn is_about_copy(failed: &Failed, source: &TaskInput<'_>, host: &str) -> bool {
    let missing = !failed.by_command && failed.code == ErrorKind::Incomplete.exit_code();
    let TaskInput::Shard(shard) = source else { return false };
    missing && shard.hosts.iter().any(|name| name == host)
}

/// Whether what failed may go better another time.
fn may_pass(failed: &Failed) -> bool {
    failed.by_command && failed.code != ErrorKind::BadInput.exit_code()
}

/// Leaves the copy of a shard on `host` aside, which is no good.
fn pass_over(
    hosts: &Hosts<'_>,
    source: &mut TaskInput<'_>,
    host: &str,
    failed: Failed,
) -> Result<()> {
    let why = failed.error().at(shown(host));
    match (&hosts.origin, source) {
        (Some(origin), TaskInput::Shard(shard)) => origin.pass_over(shard, host, &why),
        _ => Err(why),
    }
}

/// That what was made on a host is not what was made on another one.
fn unlike(task: u64, other: &str, name: &str) -> Error {
    let (one, other) = (shown(other), shown(name));
    Error::incomplete(format!(
        "task {task} printed one thing on {one} and another on {other}: it is not repeatable"
    ))
}

fn made(number: u64, hosts: Vec<String>, done: Done, rejects: Option<Rejects>) -> Product {
    let Done { contents, rejected, counters, .. } = done;
    Product::Shard(ShardResult { number, hosts, contents, rejected, rejects, counters })
}
