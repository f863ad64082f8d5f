//! The making of shards: the run that they belong to, the workers that make them, the manifest that
//! tells of them, and the wait for those who read them.
//!
//! What is to be kept is kept in steps, so that a tool that is killed between two of them leaves all
//! of a dataset, or nothing that stays: first the run's record says that data is to be kept and its
//! manifest is not there yet; then the workers keep it; then the manifest gets its name, which is
//! what counts; then the record says so. A tool that finds such a record whose owner is dead looks
//! for the manifest, and removes the data where there is none (see `unpublished`).

mod keeping;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cluster::Job;
use crate::cluster::host::shown;
use crate::cluster::{Connection, Greeting, Host, JobCommand, SetUp, Shipment};
use crate::dataset::manifest::ManifestWriter;
use crate::dataset::ownership::{Claim, GRACE, Owner, WaitOutcome};
use crate::dataset::run_dir::{RunRecord, Split};
use crate::dataset::run_id::RunId;
use crate::engine::fleet::{Fleet, Member};
use crate::engine::host_access::HostAccess;
use crate::engine::lineage::{Rebuild, RebuildRequests};
use crate::engine::need::Need;
use crate::engine::observer::RunEvent;
use crate::engine::shard_job::{SetUpLine, ShippedCommand};
use crate::engine::unpublished;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::{self, lock};
use crate::record::bytes::Bytes;
use crate::record::digest::Contents;
use crate::record::stream::{Facts, Output};

/// Makes shards on hosts.
pub struct Producer {
    reach: HostAccess,
    run: RunId,
    record: RunRecord,
    fleet: Arc<Fleet>,
    owner: Option<Owner>,
    /// Makes lost shards again, and answers those who ask for that.
    rebuild: Option<Arc<dyn Rebuild>>,
    requests: Option<RebuildRequests>,
    writer: Mutex<Option<ManifestWriter>>,
    /// Holds on what the shards are made of.
    inputs: Vec<Claim>,
}

impl Producer {
    /// Begins a run with a worker on each of `hosts`, as far as they are there and as `need` says, and
    /// writes the first line of its manifest to `output`. `greeting` is for the workers, but for the run;
    /// `keep` is where the manifest is to stay, for data that is to be kept; `facts` is what will be known
    /// of the records.
    ///
    /// # Errors
    /// As [`Fleet::open`]; `Storage`; what `output` says.
    pub fn begin(
        reach: &HostAccess,
        (hosts, need): (&[(Host, String)], Need),
        greeting: &Greeting,
        keep: Option<&Path>,
        facts: Facts,
        output: &mut dyn Output,
    ) -> Result<Producer> {
        let greeting = |run: RunId| Greeting { run: Some(run.to_string()), ..greeting.clone() };
        let open = |run| Fleet::open(hosts, &reach.settings, &greeting(run), need);
        Producer::begin_with(reach, (hosts, open), keep, Vec::new(), facts, output)
    }

    /// The same without hosts, for shards that are parts of local files, `splits`.
    ///
    /// # Errors
    /// As [`Producer::begin`].
    pub fn begin_splits(
        reach: &HostAccess,
        keep: Option<&Path>,
        splits: Vec<Split>,
        output: &mut dyn Output,
    ) -> Result<Producer> {
        let open = |_| Fleet::open(&[], &reach.settings, &Greeting::default(), Need::each(0));
        Producer::begin_with(reach, (&[], open), keep, splits, Facts::default(), output)
    }

    fn begin_with(
        reach: &HostAccess,
        (hosts, open): (&[(Host, String)], impl FnOnce(RunId) -> Result<Fleet>),
        keep: Option<&Path>,
        splits: Vec<Split>,
        facts: Facts,
        output: &mut dyn Output,
    ) -> Result<Producer> {
        // What is made again is read at once, by who wants it.
        let keep = keep.filter(|_| reach.again.is_none());
        let left = reach.runs.sweep(&reach.locks);
        reach.locks.sweep();
        let run = RunId::random()?;
        reach.observer.tell(&RunEvent::MakesRun(&run.to_string()));
        let owner = Some(reach.locks.own(run)?);
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |at| at.as_secs());
        let host = |(host, name): &(Host, String)| reach.record_of(host, name, Bytes::default());
        let mut record = RunRecord {
            tool: reach.tool.into(),
            argv: reach.lineage.argv().to_vec(),
            cwd: reach.lineage.cwd().clone(),
            started,
            facts,
            hosts: hosts.iter().map(host).collect(),
            inputs: Vec::new(),
            splits,
            moved: BTreeMap::new(),
            lineage: None,
            kept: keep.map(|path| path.as_os_str().into()),
            unpublished: keep.is_some(),
        };
        let (writer, first) = ManifestWriter::begin(run);
        let mut begun = Begun { reach, run, is_owned: false };
        if keep.is_none() {
            // Before the hosts are connected to: whoever reads the manifest connects meanwhile.
            reach.runs.keep(run, &record)?;
            output.write(first.as_bytes())?;
            output.flush()?;
        }
        let fleet = open(run)?;
        unpublished::settle(left, reach, &fleet);
        if keep.is_some() {
            let of = |c: &Arc<Connection>| {
                reach.record_of(c.host(), c.name(), c.welcome().directory.clone())
            };
            record.hosts = fleet.connections().map(of).collect();
            output.write(first.as_bytes())?;
            output.flush()?;
        }
        begun.is_owned = true;
        Ok(Producer {
            reach: reach.clone(),
            run,
            record,
            fleet: Arc::new(fleet),
            owner,
            rebuild: None,
            requests: None,
            writer: Mutex::new(Some(writer)),
            inputs: Vec::new(),
        })
    }

    /// The workers.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// From now on lost shards are made again by `rebuild`, when those who read them ask for it.
    pub(crate) fn recover_by(&mut self, rebuild: Arc<dyn Rebuild>) {
        if let Some(owner) = self.owner.as_ref().filter(|_| self.record.kept.is_none()) {
            match RebuildRequests::listen(&owner.socket(), Arc::clone(&rebuild)) {
                Ok(requests) => self.requests = Some(requests),
                Err(error) => self.say(&format!("{error}; lost shards cannot be made again")),
            }
        }
        self.rebuild = Some(rebuild);
    }

    /// The run.
    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// Says something to the user.
    pub(crate) fn say(&self, text: &str) {
        (self.reach.settings.say)(text);
    }

    /// Holds on to what the shards are made of, until they are gone themselves.
    pub fn hold(&mut self, input: Option<Claim>) {
        self.inputs.extend(input);
    }

    /// Whether all is there that the shards are made of, as far as is known here.
    pub fn has_inputs(&self) -> bool {
        self.inputs.iter().all(Claim::holds)
    }

    /// Makes `job` known to all workers, with what its command needs; one that is lost, or has no room
    /// for that, gets no tasks.
    ///
    /// # Errors
    /// `Hosts` when all workers are lost, `Usage` when a file cannot be read, `Storage` when no worker
    /// has room, `Command` when a line fails that is to make things ready.
    pub fn job(&self, job: &Job, shipped: Option<&ShippedCommand>) -> Result<()> {
        let members = self.fleet.members();
        let files = shipped.map_or(&[][..], |shipped| &shipped.files);
        let shipment = Arc::new(Shipment::measure(files)?);
        let line = shipped.and_then(|shipped| shipped.setup.as_ref());
        let setup = line.zip(job.command.as_ref()).map(|(line, job)| set_up(line, &shipment, job));
        let setup = setup.as_ref();
        let equip = |member: &Member| equip(&member.connection, job, &shipment, setup);
        let results = parallel::each(members, members.len(), equip);
        for (member, result) in members.iter().zip(results) {
            match result {
                Err(error) if error.kind() == ErrorKind::Storage => {
                    self.fleet.set_aside(member, &error, |text| self.say(text));
                }
                Err(error) if member.connection.lost().is_some() => {
                    member.mourn(|| self.say(&format!("{error}; its tasks go elsewhere")));
                }
                result => result?,
            }
        }
        match self.fleet.is_usable() {
            true => Ok(()),
            false => Err(self.fleet.exhausted("no host is left to work on")),
        }
    }

    /// The manifest's line for the next shard.
    ///
    /// # Errors
    /// When there are more shards, or larger ones, than can be counted.
    pub fn line(&self, hosts: &[String], contents: &Contents) -> Result<Vec<u8>> {
        let mut writer = lock(&self.writer);
        let Some(writer) = writer.as_mut() else {
            return Err(Error::incomplete("a shard after the manifest's end"));
        };
        let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let line = writer.shard(&names, *contents)?;
        self.reach.observer.tell(&RunEvent::Shard { number: writer.count(), hosts, contents });
        Ok(line.into_bytes())
    }

    /// Ends the manifest: all shards are made, and lie where it says.
    ///
    /// # Errors
    /// `Hosts` when one is lost with its host; `Storage` when they cannot be kept; what `output`
    /// says.
    pub fn end(&mut self, output: &mut dyn Output) -> Result<()> {
        if self.record.kept.is_some() {
            self.keep().inspect_err(|_| self.forget())?;
        } else if self.rebuild.is_none() {
            self.fleet.check()?;
        }
        // Else whoever reads them asks for those that are lost.
        let writer = lock(&self.writer).take();
        if let Some(writer) = writer {
            output.write(writer.end().as_bytes())?;
        }
        output.flush()
    }

    /// Stays until those who read the shards have let go; then nothing is left of them. To be called when the manifest is out and nobody waits for its end.
    ///
    /// # Errors
    /// `Incomplete` when nobody came; `Hosts` when shards were lost meanwhile.
    pub fn stay(mut self) -> Result<()> {
        let Some(owner) = self.owner.take() else { return Ok(()) };
        let is_lost = || self.rebuild.is_none() && self.fleet.check().is_err();
        let outcome = owner.wait_for_readers(GRACE, &is_lost)?;
        match outcome {
            WaitOutcome::LetGo => Ok(()),
            WaitOutcome::Stopped => self.fleet.check(),
            WaitOutcome::NeverClaimed => Err(Error::incomplete(
                "nobody has read the shards, which are gone now: end the pipeline in mc-gather, or \
                 say -o FILE.mc to keep them",
            )),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        drop(self.requests.take());
        // First the data is said to be gone, then it goes, then what is known of it.
        drop(self.owner.take());
        self.fleet.close();
        if self.record.kept.is_none() {
            let _ = self.reach.runs.remove(self.run);
        }
    }
}

/// The record of a run that has no producer yet; without one, it goes.
struct Begun<'a> {
    reach: &'a HostAccess,
    run: RunId,
    is_owned: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.is_owned {
            let _ = self.reach.runs.remove(self.run);
        }
    }
}

/// Makes a job known to a worker.
fn equip(
    connection: &Connection,
    job: &Job,
    shipment: &Arc<Shipment>,
    setup: Option<&SetUp>,
) -> Result<()> {
    let mut job = job.clone();
    if let Some(command) = &mut job.command {
        command.host = shown(connection.name());
    }
    connection.begin_job(&job)?;
    connection.ship(shipment)?;
    setup.map_or(Ok(()), |setup| {
        connection.set_up(SetUp { host: shown(connection.name()), ..setup.clone() })
    })
}

/// What is to be made ready for the command of `job`, but for the host.
fn set_up(of: &SetUpLine, shipment: &Shipment, job: &JobCommand) -> SetUp {
    let SetUpLine { line, files, names } = of;
    SetUp {
        hash: shipment.hash_of_setup((line, *files), &job.environment),
        line: line.as_os_str().into(),
        names: names.iter().map(|name| name.as_os_str().into()).collect(),
        environment: job.environment.clone(),
        host: String::new(),
    }
}
