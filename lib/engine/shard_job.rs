//! A job on hosts that makes shards: of records, which go there by blocks, or of shards, which lie
//! there. What is printed there stays there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cluster::{ClientFiles, Greeting, Host, Shipped};
use crate::cluster::{EachRecord, HadoopNames, Job, JobCommand, JobProgram, OnBad};
use crate::command::{Form, Given};
use crate::dataset::lineage::StageCuts;
use crate::dataset::ownership::Claim;
use crate::engine::consumer::ConsumerInput;
use crate::engine::cuts::{self, CutAgain, NotedCut, ShardCut};
use crate::engine::exchange::Remote;
use crate::engine::fleet::{self, Fleet};
use crate::engine::host_access::HostAccess;
use crate::engine::lineage::{Lineage, LineageJob, Recovery};
use crate::engine::need::Need;
use crate::engine::plan::{CommandPlan, Hosts, Setting, Voice};
use crate::engine::producer::Producer;
use crate::engine::run::on_hosts;
use crate::engine::shard_hosts::ShardHosts;
use crate::error::{Error, Result};
use crate::group::order::Limits;
use crate::parallel::lock;
use crate::record::bad::Bad;
use crate::record::block::Blocks;
use crate::record::bytes::Bytes;
use crate::record::stream::{Facts, Output, Summary};

/// The number of the job, on the hosts.
const JOB: u32 = 1;

/// Where shards are made, and how.
pub struct ShardJob<'a> {
    /// How hosts are reached.
    pub reach: &'a HostAccess,
    /// The hosts; none works where the shards lie.
    pub hosts: Option<Vec<Host>>,
    /// How many of them are enough, where the user says so.
    pub least: Option<usize>,
    /// The memory to stay within on each host, in bytes, where the user says so.
    pub memory: Option<u64>,
    /// On how many hosts each shard is made.
    pub replicas: usize,
    /// Where the manifest is to stay, when the shards are to be kept.
    pub keep: Option<&'a Path>,
    /// What this machine gives.
    pub limits: &'a Limits,
    /// The size of the blocks that records go there by, where it is given.
    pub block: Option<usize>,
    /// What happens to bad records.
    pub bad: &'a Arc<Bad>,
    /// Takes lines for standard error, each with the tool's name in front.
    pub pass_on: &'a (dyn Fn(&str) + Sync),
}

/// A command as it is on hosts, and what it needs there.
pub struct ShippedCommand {
    /// The command, as it is to be there.
    pub given: Given,
    /// The files.
    pub files: Vec<Shipped>,
    /// What is to be made ready for it first.
    pub setup: Option<SetUpLine>,
}

/// A line that makes things ready for a command, once on a machine.
#[derive(Clone, Debug)]
pub struct SetUpLine {
    /// The line, for the shell.
    pub line: OsString,
    /// How many of the files, the first ones, it needs.
    pub files: usize,
    /// What they are called there: each is a file, or a folder with all that is in it.
    pub names: Vec<PathBuf>,
}

impl<'a> ShardJob<'a> {
    /// A job where the shards lie, reached as `remote` says.
    pub fn in_place(
        remote: &Remote<'a>,
        limits: &'a Limits,
        bad: &'a Arc<Bad>,
        pass_on: &'a (dyn Fn(&str) + Sync),
    ) -> ShardJob<'a> {
        let Remote { reach, memory, keep, .. } = *remote;
        let (hosts, least, replicas, block) = (None, None, 1, None);
        ShardJob { reach, hosts, least, memory, replicas, keep, limits, block, bad, pass_on }
    }

    /// Has hosts make shards of what `feed` gives, as it is or by `command`, and writes their
    /// manifest to `output`. The shards are there until the producer ends: see [`Producer::stay`].
    ///
    /// # Errors
    /// As [`on_hosts`]; `Hosts` when hosts cannot be reached, or are lost with shards.
    pub fn run(
        &self,
        command: Option<(&CommandPlan, &ShippedCommand)>,
        mut feed: ConsumerInput,
        output: &mut dyn Output,
    ) -> Result<(Summary, Producer)> {
        let hosts = self.hosts(&feed)?;
        let need = match self.hosts {
            Some(_) => Need::among(self.least, self.replicas, hosts.len())?,
            None => Need::those_there(),
        };
        let facts = Facts::default();
        let hosts = (hosts.as_slice(), need);
        let shared = command.as_ref().and_then(|(plan, _)| plan.shared.as_ref());
        let client = shared.map(|shared| Arc::clone(&shared.files) as Arc<dyn ClientFiles>);
        let greeting = Greeting { run: None, memory: self.memory, client };
        let mut producer = Producer::begin(self.reach, hosts, &greeting, self.keep, facts, output)?;
        producer.hold(claim(&mut feed));
        let shipped = command.map(|(_, shipped)| shipped);
        let plan = command.map(|(plan, _)| plan);
        let command = command.map(|(plan, shipped)| there(plan, &shipped.given));
        let max_record = self.limits.max_record as u64;
        let bad = OnBad::under(self.bad);
        producer.job(&Job { number: JOB, max_record, bad, command }, shipped)?;
        let origin = match &feed {
            ConsumerInput::Shards(consumer) => Some(Arc::clone(&consumer.origin)),
            ConsumerInput::Records(_) => None,
        };
        let lineage = self.lineage(plan, producer.fleet(), origin.clone())?;
        producer.recover_by(Arc::new(Recovery::new(Arc::clone(&lineage))));
        let on = Hosts {
            fleet: producer.fleet(),
            job: JOB,
            origin,
            replicas: self.replicas,
            run: producer.run().to_string(),
            lineage,
            line: &|hosts, contents| producer.line(hosts, contents),
        };
        let again = self.reach.again.as_deref();
        let wanted = again.and_then(|again| again.wanted.clone());
        let summary = match feed {
            ConsumerInput::Records(input) => {
                let name = input.name().to_string();
                let blocks = Blocks::new(input, self.limits.max_record);
                let memo = plan.and_then(|plan| plan.memo.as_ref());
                let (cut, lengths) = NotedCut::new(match again.map(|again| &again.cuts) {
                    Some(StageCuts::Pieces(lengths)) => {
                        Box::new(CutAgain::new(blocks, self.bad, lengths.clone(), wanted))
                    }
                    _ => cuts::blocks(blocks, self.bad, memo),
                });
                let summary = on_hosts(&on, plan, self.setting(&name), cut, output)?;
                self.reach.lineage.cut(StageCuts::Pieces(std::mem::take(&mut *lock(&lengths))));
                summary
            }
            ConsumerInput::Shards(consumer) => {
                self.reach.lineage.cut(StageCuts::Shards);
                let (cut, given_back) = ShardCut::new(consumer, wanted);
                on_hosts(&on, plan, self.setting("the shards"), cut, output)
                    .map_err(|error| given_back.blame(error, || producer.has_inputs()))?
            }
        };
        producer.end(output)?;
        let client_bytes = producer.fleet().crossed();
        Ok((Summary { client_bytes, ..summary }, producer))
    }

    /// What the shards are made of, and by what.
    fn lineage(
        &self,
        plan: Option<&CommandPlan>,
        fleet: &Arc<Fleet>,
        origin: Option<Arc<ShardHosts>>,
    ) -> Result<Arc<Lineage>> {
        let job = LineageJob {
            fleet: Arc::clone(fleet),
            job: JOB,
            origin,
            command: plan.map_or_else(String::new, |plan| plan.command.shown().to_string()),
            form: plan.map_or_else(Form::default, |plan| plan.form.clone()),
            tells_part: plan.is_some_and(|plan| plan.command.hadoop().is_some()),
            searches: plan.is_some_and(|plan| plan.failed.is_on()),
            retries: plan.map_or(0, |plan| plan.retries),
            max_record: self.limits.max_record,
            folder: self.limits.directory.clone(),
            say: Arc::clone(&self.reach.settings.say),
            observer: self.reach.observer.clone(),
        };
        Lineage::new(job).map(Arc::new)
    }

    fn setting<'s>(&'s self, input_name: &'s str) -> Setting<'s> {
        Setting {
            limits: self.limits,
            block: self.block,
            bad: self.bad,
            input_name,
            voice: Voice {
                tool: self.reach.tool,
                pass_on: self.pass_on,
                observer: &self.reach.observer,
            },
        }
    }

    /// The hosts, each with its name.
    fn hosts(&self, feed: &ConsumerInput) -> Result<Vec<(Host, String)>> {
        let hosts: Vec<(Host, String)> = match (&self.hosts, feed) {
            (Some(hosts), _) => hosts.iter().cloned().zip(fleet::names(hosts)).collect(),
            (None, ConsumerInput::Shards(consumer)) => consumer.origin.hosts.clone(),
            (None, ConsumerInput::Records(_)) => return Err(Error::usage("no hosts to work on")),
        };
        if hosts.is_empty() {
            let text = "these shards are parts of files of this machine: say with -h where to work";
            return Err(Error::usage(text));
        }
        if self.replicas > hosts.len() {
            let (replicas, hosts) = (self.replicas, hosts.len());
            let text = format!("--replicas {replicas} needs as many hosts, not {hosts}");
            return Err(Error::usage(text));
        }
        Ok(hosts)
    }
}

fn claim(feed: &mut ConsumerInput) -> Option<Claim> {
    match feed {
        ConsumerInput::Shards(consumer) => consumer.claim.take(),
        ConsumerInput::Records(_) => None,
    }
}

/// The command as the workers are told it.
fn there(plan: &CommandPlan, given: &Given) -> JobCommand {
    let run = match given {
        Given::Words(words) => {
            JobProgram::Words(words.iter().map(|word| Bytes::from(word.as_os_str())).collect())
        }
        Given::Line(line) => JobProgram::Line(Bytes::from(line.as_os_str())),
    };
    JobCommand {
        run,
        input: plan.form.input,
        output: plan.form.output,
        late: plan.form.late,
        each: plan.form.each.as_ref().map(|each| EachRecord {
            rename: each.rename.clone(),
            outcome: each.outcome,
            retries: each.retries,
        }),
        host: String::new(),
        environment: plan.command.environment().map(|(n, v)| (n.into(), v.into())).collect(),
        hadoop: plan
            .command
            .hadoop()
            .map(|job| HadoopNames { number: job.number.clone(), is_map: job.is_map }),
        ok_exit: plan.ok_exit.clone(),
        timeout_ms: plan.timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)),
        retries: plan.retries,
        plain_lines: plan.plain_lines.into(),
    }
}
