//! Lineage: what the shards of a run were made of. One that is lost with its hosts is made again of that,
//! elsewhere, when whoever reads it asks for it, and must be what it was.
//!
//! The tool that made the shards is there as long as anybody reads them, and holds on to the shards that it
//! made them of; what it read from a stream it keeps ([`inputs`]). So a shard is made again by the very tool
//! that made it, which asks the one before it where its own inputs are lost.

mod inputs;
mod recovery;
mod requests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cluster::host::shown;
use crate::cluster::{Connection, Done, Failed, Task, TaskReply, TaskSource};
use crate::command::Form;
use crate::engine::attempt::{Bringing, attempt};
use crate::engine::fleet::Fleet;
use crate::engine::lineage::inputs::{KeptInput, KeptInputs};
use crate::engine::observer::{AttemptOutcome, Observer, TaskFed, TaskWork};
use crate::engine::shard_hosts::ShardHosts;
use crate::engine::work::{TaskInput, Work};
use crate::engine::{HostFile, HostedShard};
use crate::error::{Error, ErrorKind, Result};
use crate::format::place::without_signature;
use crate::parallel::lock;
use crate::record::bad::{Bad, Policy};
use crate::record::digest::Contents;
use crate::spool::Spool;

pub(crate) use recovery::Recovery;
pub(crate) use requests::{LostShard, Rebuild, RebuildRequests, ask};

/// The numbers of attempts to make a shard again begin here: no other attempt at its task has one.
const FIRST_ATTEMPT: u32 = 1 << 20;

/// How many bytes of an input are held in memory.
const SPOOL_BYTES: usize = 1 << 20;

/// What the shards of a job are made of, and by what.
pub(crate) struct Lineage {
    job: LineageJob,
    bad: Bad,
    inputs: KeptInputs,
    made: Mutex<BTreeMap<u64, Made>>,
    attempts: AtomicU32,
}

/// What makes them.
pub(crate) struct LineageJob {
    pub(crate) fleet: Arc<Fleet>,
    /// The number that the workers know it by.
    pub(crate) job: u32,
    /// Where shards lie that it reads, if it does.
    pub(crate) origin: Option<Arc<ShardHosts>>,
    /// The command, for messages.
    pub(crate) command: String,
    /// What that reads.
    pub(crate) form: Form,
    /// Whether it is told of the part of a file that it reads.
    pub(crate) tells_part: bool,
    /// Whether records are left out that it fails on.
    pub(crate) searches: bool,
    /// How many more attempts a task gets.
    pub(crate) retries: u32,
    /// The longest record in bytes.
    pub(crate) max_record: usize,
    /// Where temporary files are made.
    pub(crate) folder: PathBuf,
    /// Says something to the user.
    pub(crate) say: Arc<dyn Fn(&str) + Send + Sync>,
    /// Is told of attempts.
    pub(crate) observer: Observer,
}

/// A shard that was made.
struct Made {
    of: Source,
    contents: Contents,
}

/// What a shard was made of.
#[derive(Clone)]
enum Source {
    /// Records of a stream, which are kept here, unless there was no room.
    Kept(Option<KeptInput>),
    Shard(HostedShard),
    File(HostFile),
}

/// The same in our hands.
enum Recalled {
    Here(Spool),
    Shard(Box<HostedShard>),
    File(HostFile),
}

impl Recalled {
    fn near(&self) -> &[String] {
        match self {
            Recalled::Here(_) => &[],
            Recalled::Shard(shard) => &shard.hosts,
            Recalled::File(file) => &file.hosts,
        }
    }
}

impl Lineage {
    /// Of shards that `job` makes.
    ///
    /// # Errors
    /// None in practice: that nothing can be made which takes bad records.
    pub(crate) fn new(job: LineageJob) -> Result<Lineage> {
        // What was bad was judged when the shard was made first.
        let bad = Bad::new(Policy::Skip)?;
        let (inputs, made) = (KeptInputs::new(&job.folder), Mutex::default());
        Ok(Lineage { job, bad, inputs, made, attempts: AtomicU32::new(FIRST_ATTEMPT) })
    }

    /// Takes note of a shard that is made of `work`. To be told before anybody can read it.
    pub(crate) fn made(&self, shard: u64, work: &Work, contents: Contents) {
        // A second attempt at a task that lags behind is of the same.
        if lock(&self.made).contains_key(&shard) {
            return;
        }
        let of = match work {
            Work::Here(records) => {
                let (kept, said) = self.inputs.keep(&records.input);
                said.iter().for_each(|text| (self.job.say)(text));
                Source::Kept(kept)
            }
            Work::Shard(shard) => Source::Shard(shard.clone()),
            Work::File(file) => Source::File(file.clone()),
        };
        lock(&self.made).entry(shard).or_insert(Made { of, contents });
    }

    /// How many shards can be made at once.
    fn width(&self) -> usize {
        self.job.fleet.width()
    }

    /// The shards behind number `shard` that are lost with their hosts.
    fn lost_behind(&self, shard: u64) -> Vec<LostShard> {
        let made = lock(&self.made);
        let lost = self.job.fleet.lost_shards().into_iter().filter(|lost| *lost > shard);
        lost.filter_map(|shard| {
            let contents = made.get(&shard)?.contents;
            // Which also tells those that were made again, and are lost again.
            Some(LostShard { shard, hosts: self.job.fleet.hosts_of(shard), contents })
        })
        .collect()
    }

    /// Makes a shard again, elsewhere than where it could not be had. Returns the hosts that it lies on.
    ///
    /// # Errors
    /// `Hosts` when no host is left; `Incomplete` when it is not what it was; why what it is made of cannot
    /// be had, or the command fails.
    fn remake(&self, lost: &LostShard) -> Result<Vec<String>> {
        let fleet = &self.job.fleet;
        let mut source = self.recall(lost.shard)?;
        let (mut avoid, mut failures) = (lost.hosts.clone(), 0);
        loop {
            self.tell_lost();
            let Some(lease) = fleet.lease(source.near(), &avoid) else {
                return Err(fleet.exhausted("no host is left to make it on"));
            };
            let name = lease.0.connection.name().to_string();
            match self.observed(&lease.0.connection, lost, &mut source) {
                Ok(TaskReply::Done(done)) => {
                    self.check_same(lost, &name, &done)?;
                    fleet.has_made(&name, lost.shard);
                    return Ok(vec![name]);
                }
                Ok(TaskReply::Failed(failed)) if failed.code == ErrorKind::Storage.exit_code() => {
                    let why = failed.error().at(shown(&name));
                    fleet.set_aside(lease.0, &why, |text| (self.job.say)(text));
                }
                Ok(TaskReply::Failed(failed)) => {
                    self.failed(&mut source, &name, failed, &mut failures)?;
                    avoid.push(name);
                }
                Err(error) if lease.0.connection.lost().is_some() => drop(error),
                Err(error) => return Err(error),
            }
        }
    }

    /// Says of each host that is lost that it is, once.
    fn tell_lost(&self) {
        for member in self.job.fleet.members() {
            if let Some(why) = member.connection.lost() {
                let host = member.connection.shown();
                member.mourn(|| {
                    (self.job.say)(&format!(
                        "{host} is lost: {why}; what it made is made again elsewhere"
                    ));
                });
            }
        }
    }

    /// What a shard was made of.
    fn recall(&self, shard: u64) -> Result<Recalled> {
        let of = lock(&self.made).get(&shard).map(|made| made.of.clone());
        match of {
            Some(Source::Kept(Some(kept))) => {
                self.inputs.read(&kept, self.spool()).map(Recalled::Here)
            }
            Some(Source::Kept(None)) => {
                let text = "what it was made of is not kept, for there was no room";
                Err(Error::new(ErrorKind::Hosts, text))
            }
            Some(Source::Shard(shard)) => Ok(Recalled::Shard(Box::new(shard))),
            Some(Source::File(file)) => Ok(Recalled::File(file)),
            None => Err(Error::incomplete("it is not known what it was made of")),
        }
    }

    fn spool(&self) -> Spool {
        Spool::new(Vec::new(), SPOOL_BYTES, &self.job.folder)
    }

    /// An attempt, which is told of.
    fn observed(
        &self,
        connection: &Connection,
        lost: &LostShard,
        source: &mut Recalled,
    ) -> Result<TaskReply> {
        let which = (TaskWork::Rebuild, lost.shard, None);
        let attempt = self.job.observer.begin(which, connection.name(), TaskFed::default());
        let reply = self.attempt(connection, lost.shard, source);
        let outcome = match &reply {
            Ok(TaskReply::Done(_)) => AttemptOutcome::Done,
            Ok(TaskReply::Failed(_)) => AttemptOutcome::Again,
            Err(_) if connection.lost().is_some() => AttemptOutcome::Lost,
            Err(_) => AttemptOutcome::Failed,
        };
        let ended = attempt.end(outcome, |note| match &reply {
            Ok(TaskReply::Done(Done { contents, took_us, .. })) => {
                note.made = (Some(contents.records), Some(contents.bytes));
                note.ran = Some(Duration::from_micros(*took_us));
            }
            Ok(TaskReply::Failed(failed)) => note.why = Some(failed.text.clone()),
            Err(error) => note.why = Some(error.to_string()),
        });
        ended.tell();
        reply
    }

    fn attempt(
        &self,
        connection: &Connection,
        shard: u64,
        source: &mut Recalled,
    ) -> Result<TaskReply> {
        let LineageJob { form, origin, max_record, .. } = &self.job;
        let mut part = None;
        let brought;
        let (there, input) = match source {
            Recalled::Here(spool) => (TaskSource::Stream, Some(&*spool)),
            Recalled::File(file) => {
                if !file.hosts.iter().any(|host| host == connection.name()) {
                    let (path, hosts) =
                        (String::from_utf8_lossy(&file.resource.path.0), file.hosts.join(", "));
                    let path = without_signature(&path);
                    let text = format!("{path} on {hosts}: its host is lost");
                    return Err(Error::new(ErrorKind::Hosts, text));
                }
                (TaskSource::Resource(file.resource.clone()), None)
            }
            Recalled::Shard(of) => {
                part = TaskInput::Shard(of.clone()).part().filter(|_| self.job.tells_part);
                if of.hosts.iter().any(|host| host == connection.name()) {
                    (TaskSource::Shard(of.fetch(), of.contents), None)
                } else {
                    let bringing = Bringing {
                        origin: origin.as_deref(),
                        form,
                        max_record: *max_record,
                        bad: &self.bad,
                        spool: &|| self.spool(),
                    };
                    brought = bringing.bring(of)?;
                    (TaskSource::Stream, Some(&brought))
                }
            }
        };
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        let (job, bisect) = (self.job.job, self.job.searches);
        let task = Task { job, task: shard, attempt: number, input: there, part, bisect };
        // Rejects were judged when the shard was made first.
        let reply = attempt(connection, task, input, &|| false, &mut |_| Ok(()))?;
        reply.ok_or_else(|| Error::incomplete("stopped"))
    }

    /// An attempt failed on `host`: whether there may be another.
    fn failed(
        &self,
        source: &mut Recalled,
        host: &str,
        failed: Failed,
        failures: &mut u32,
    ) -> Result<()> {
        let why = failed.error().at(shown(host));
        let missing = !failed.by_command && failed.code == ErrorKind::Incomplete.exit_code();
        if let (Recalled::Shard(shard), Some(origin), true) = (source, &self.job.origin, missing)
            && shard.hosts.iter().any(|name| name == host)
        {
            return origin.pass_over(shard, host, &why);
        }
        *failures += 1;
        if *failures > self.job.retries { Err(why) } else { Ok(()) }
    }

    /// That what was made again is what was lost.
    fn check_same(&self, lost: &LostShard, host: &str, done: &Done) -> Result<()> {
        if done.contents == lost.contents {
            return Ok(());
        }
        let (command, host) = (&self.job.command, shown(host));
        Err(Error::incomplete(format!(
            "made again on {host}, it is not what it was: {command} is not repeatable"
        )))
    }
}
