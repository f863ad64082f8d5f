//! What is lost of data that was kept, made again: the tools that made it are called once more, as its record
//! has it, to cut their input where it was cut, and to make those shards alone that are wanted. What they make
//! must be what was lost; it is theirs, and goes when whoever asked for it has read it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{PipeReader, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::cluster::Host;
use crate::command::quote;
use crate::dataset::RunId;
use crate::dataset::lineage::{
    AGAIN_VARIABLE, MadeAgain, RecordedLineage, RecordedStage, StageAgain,
};
use crate::dataset::manifest::{self, ManifestReader};
use crate::dataset::run_dir::RunRecord;
use crate::engine::HostedShard;
use crate::engine::consumer::Consumer;
use crate::engine::host_access::HostAccess;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;

/// How often tools are called again: when other hosts are lost, or turn out to have damaged shards, while what
/// lay on the first is read.
const CALLS_MAX: usize = 16;

/// How long the tools have to end when what they made is not wanted any more.
const END_MAX: Duration = Duration::from_secs(30);

/// How often it is looked whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Makes shards of a kept run again.
pub(crate) struct Replay {
    reach: HostAccess,
    run: RunId,
    manifest: Option<PathBuf>,
    moved: BTreeMap<u64, Vec<String>>,
    lineage: RecordedLineage,
    state: Mutex<ReplayState>,
}

#[derive(Default)]
struct ReplayState {
    calls: Vec<ReplayCall>,
    /// Hosts that had a shard which was no good: another one, and all that lie there are made again.
    suspects: BTreeSet<String>,
}

/// Shards that are made again, or will be.
struct ReplayCall {
    /// Those that are made, by the numbers that they had, in order.
    wanted: Vec<u64>,
    made: MadeAgain,
    /// Those that came, by the numbers that they had.
    came: BTreeMap<u64, HostedShard>,
    /// How many came.
    count: usize,
    /// Why no more come.
    failed: Option<String>,
    /// Their manifest, and a hold on them. It goes before the tools, which wait for that.
    consumer: Option<Consumer>,
    tools: Vec<Child>,
    /// What each tool is told.
    _told: Vec<NamedTempFile>,
}

/// A shard that was made again.
pub(crate) struct Replayed {
    pub(crate) shard: HostedShard,
    /// The hosts of its run, with their names in its manifest.
    pub(crate) hosts: Vec<(Host, String)>,
    /// Where whoever made it listens.
    pub(crate) owner: Option<PathBuf>,
}

impl Replay {
    /// Of the run whose record this is, if it is kept, and known how it came to be.
    pub(crate) fn new(reach: &HostAccess, run: RunId, record: &RunRecord) -> Option<Replay> {
        let lineage = record.lineage.clone().filter(|_| record.kept.is_some())?;
        let (manifest, moved) = (record.manifest(), record.moved.clone());
        Some(Replay {
            reach: reach.clone(),
            run,
            manifest,
            moved,
            lineage,
            state: Mutex::default(),
        })
    }

    /// Makes a shard again that was no good on `hosts`, and those that lie nowhere else than where `is_away` says,
    /// when they are wanted.
    ///
    /// # Errors
    /// `Hosts`, and why it cannot be made; `Incomplete` when it is not what it was.
    pub(crate) fn remake(
        &self,
        lost: &HostedShard,
        hosts: &[String],
        is_away: &dyn Fn(&[String]) -> bool,
    ) -> Result<Replayed> {
        let mut state = lock(&self.state);
        let ReplayState { calls, suspects } = &mut *state;
        let known = calls.iter().position(|call| call.makes(lost.number));
        let at = match known {
            Some(at) => at,
            None if calls.len() == CALLS_MAX => {
                return Err(Error::new(ErrorKind::Hosts, "too many hosts are lost one by one"));
            }
            None => {
                let is_gone = |names: &[String]| {
                    is_away(names) || names.iter().all(|name| suspects.contains(name))
                };
                let call = self.call(lost, &is_gone);
                suspects.extend(hosts.iter().cloned());
                calls.push(call.map_err(|error| Error::new(ErrorKind::Hosts, error.to_string()))?);
                calls.len() - 1
            }
        };
        let call = &mut calls[at];
        let shard = call.shard(lost.number)?;
        if shard.contents != lost.contents {
            return Err(Error::incomplete(format!(
                "made again, shard {} is not what it was: {} is not repeatable",
                lost.number,
                self.shown()
            )));
        }
        let origin = call.consumer.as_ref().map(|consumer| &consumer.origin);
        let hosts = origin.map_or_else(Vec::new, |origin| origin.hosts.clone());
        let owner = origin.and_then(|origin| origin.owner());
        Ok(Replayed { shard, hosts, owner })
    }

    /// Calls the tools again.
    fn call(&self, lost: &HostedShard, is_away: &dyn Fn(&[String]) -> bool) -> Result<ReplayCall> {
        self.lineage.check()?;
        let mut wanted = self.lost(is_away).unwrap_or_default();
        wanted.insert(lost.number);
        let (told, made) = self.lineage.again(&wanted);
        let what = match (made, wanted.len()) {
            (MadeAgain::All, _) => "all shards are".to_string(),
            (_, 1) => format!("shard {} is", lost.number),
            (_, count) => format!("{count} shards are"),
        };
        (self.reach.settings.say)(&format!("{what} made again: {}", self.shown()));
        let mut call = ReplayCall {
            wanted: wanted.into_iter().collect(),
            made,
            came: BTreeMap::new(),
            count: 0,
            failed: None,
            consumer: None,
            tools: Vec::new(),
            _told: Vec::new(),
        };
        let mut input = Stdio::null();
        if let Some(path) = &self.lineage.stdin {
            let path = PathBuf::from(OsString::from(path.clone()));
            input = File::open(&path).map_err(|e| Error::path("read", &path, &e))?.into();
        }
        let mut last = None;
        for (stage, told) in self.lineage.stages.iter().zip(told) {
            let input = last
                .take()
                .map_or_else(|| std::mem::replace(&mut input, Stdio::null()), OwnedFd::into);
            last = Some(OwnedFd::from(self.start(stage, &told, input, &mut call)?));
        }
        let Some(manifest) = last else { return Err(Error::incomplete("it has no stages")) };
        let input = manifest::input(File::from(manifest), "the shards that are made again");
        call.consumer = Some(Consumer::open(input, &self.reach)?);
        Ok(call)
    }

    /// Starts a tool. What it writes.
    fn start(
        &self,
        stage: &RecordedStage,
        told: &StageAgain,
        input: Stdio,
        call: &mut ReplayCall,
    ) -> Result<PipeReader> {
        let failed = |e: std::io::Error| Error::io("start", &stage.tool, &e);
        let mut file = NamedTempFile::new_in(&self.reach.directory).map_err(failed)?;
        serde_json::to_writer(&mut file, told).map_err(|e| failed(e.into()))?;
        file.flush().map_err(failed)?;
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let beside = self.reach.tools.as_ref().map(|tools| tools.join(&stage.tool));
        let program =
            beside.filter(|path| path.is_file()).unwrap_or_else(|| stage.tool.clone().into());
        let words = |bytes: &[crate::record::bytes::Bytes]| -> Vec<OsString> {
            bytes.iter().cloned().map(OsString::from).collect()
        };
        let mut command = Command::new(program);
        command.args(words(stage.argv.get(1..).unwrap_or_default()));
        command.current_dir(OsString::from(stage.cwd.clone()));
        for (name, value) in &stage.environment {
            command.env(OsString::from(name.clone()), OsString::from(value.clone()));
        }
        command.env(AGAIN_VARIABLE, file.path()).stdin(input).stdout(writer);
        call.tools.push(command.spawn().map_err(failed)?);
        call._told.push(file);
        Ok(reader)
    }

    /// The shards that lie nowhere else than where `is_away` says, by the manifest; none where it cannot be read.
    fn lost(&self, is_away: &dyn Fn(&[String]) -> bool) -> Option<BTreeSet<u64>> {
        let path = self.manifest.as_ref()?;
        let input = manifest::input(File::open(path).ok()?, "the manifest");
        let mut manifest = ManifestReader::new(input);
        let mut lost = BTreeSet::new();
        if manifest.run().ok()? != self.run {
            return None;
        }
        while let Some(shard) = manifest.next_shard().ok()? {
            let hosts = self.moved.get(&shard.number).unwrap_or(&shard.hosts);
            if !hosts.is_empty() && is_away(hosts) {
                lost.insert(shard.number);
            }
        }
        Some(lost)
    }

    /// The pipeline, as a line for the shell.
    fn shown(&self) -> String {
        let stage = |stage: &RecordedStage| {
            let words: Vec<OsString> =
                stage.argv.iter().skip(1).cloned().map(OsString::from).collect();
            let words = quote::words(words.iter().map(OsString::as_os_str));
            format!("{} {words}", stage.tool).trim_end().to_string()
        };
        let mut stages: Vec<String> = self.lineage.stages.iter().map(stage).collect();
        if let (Some(path), Some(first)) = (&self.lineage.stdin, stages.first_mut()) {
            *first += &format!(" < {}", quote::word(&OsString::from(path.clone())));
        }
        stages.join(" | ")
    }
}

impl ReplayCall {
    /// Whether the shard that had this number comes, or came.
    fn makes(&self, number: u64) -> bool {
        self.made == MadeAgain::All || self.wanted.binary_search(&number).is_ok()
    }

    /// The shard that had this number; it is waited for.
    fn shard(&mut self, number: u64) -> Result<HostedShard> {
        loop {
            if let Some(shard) = self.came.get(&number) {
                return Ok(shard.clone());
            }
            if let Some(text) = &self.failed {
                return Err(Error::new(ErrorKind::Hosts, text.clone()));
            }
            let next = match &mut self.consumer {
                Some(consumer) => consumer.next_shard(),
                None => Ok(None),
            };
            match next {
                Ok(Some(shard)) => {
                    let had = match self.made {
                        MadeAgain::WantedAlone => self.wanted.get(self.count).copied(),
                        MadeAgain::All | MadeAgain::WantedInPlace => Some(shard.number),
                    };
                    self.count += 1;
                    self.came.insert(had.unwrap_or(u64::MAX), shard);
                }
                Ok(None) => {
                    let text = format!("shard {number} does not come of what it was made of");
                    self.failed = Some(text);
                }
                Err(error) => self.failed = Some(error.to_string()),
            }
        }
    }
}

impl Drop for ReplayCall {
    /// What was made goes, and the tools end by themselves; if not, by us.
    fn drop(&mut self) {
        drop(self.consumer.take());
        let until = Instant::now() + END_MAX;
        for tool in &mut self.tools {
            while matches!(tool.try_wait(), Ok(None)) {
                if Instant::now() > until {
                    let _ = tool.kill();
                    let _ = tool.wait();
                    break;
                }
                thread::sleep(LOOK_EVERY);
            }
        }
    }
}
