//! What groups of options say of a stage: where it works, with what memory, what becomes of shards.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::Path;

use crate::cli::explaining::resources::{self, PART_BYTES};
use crate::cli::explaining::{Explaining, records};
use crate::cli::hosts::file_hosts::FileHosts;
use crate::cli::hosts::shards;
use crate::cli::options::{MemoryOptions, Records};
use crate::cluster::Host;
use crate::engine::fleet;
use crate::engine::need::Need;
use crate::error::{Error, Result};
use crate::explain::convert::policy;
use crate::explain::estimate;
use crate::explain::schema::{
    HostPlan, PlanWord, ResourcePlan, StagePlan, StreamKind, StreamPlan, WherePlan,
};
use crate::format::resource::Resource;
use crate::format::spec::Spec;

impl Records {
    /// Says in `stage` what a record is, and what becomes of what is none.
    ///
    /// # Errors
    /// When the file to keep bad records in could not be made.
    pub fn explain(&self, stage: &mut StagePlan) -> Result<()> {
        self.bad.check()?;
        stage.bad = Some(policy(&self.bad));
        stage.max_record = Some(self.max_record);
        Ok(())
    }
}

impl MemoryOptions {
    /// Says in `stage` that it works here, on all cores that it may use.
    pub fn explain_here(&self, stage: &mut StagePlan) {
        let cores = Some(self.jobs() as u64);
        stage.place = WherePlan { here: true, cores, ..WherePlan::default() };
        stage.memory = Some(self.bytes() as u64);
    }

    /// Says in `stage` that it works on `hosts`.
    ///
    /// # Errors
    /// `Usage` for what is about this machine.
    pub fn explain_there(&self, stage: &mut StagePlan, hosts: Vec<HostPlan>) -> Result<()> {
        self.refuse_jobs()?;
        stage.place = WherePlan { hosts, ..WherePlan::default() };
        stage.memory = self.given_bytes()?;
        Ok(())
    }
}

/// That a stage works here, on one core or two.
pub fn works_here(stage: &mut StagePlan) {
    stage.place = WherePlan { here: true, ..WherePlan::default() };
}

/// The hosts as a plan has them.
pub fn hosts(hosts: &[Host]) -> Vec<HostPlan> {
    let names = fleet::names(hosts).into_iter();
    let with = |(name, host): (String, &Host)| HostPlan { name, slots: host.slots.map(u64::from) };
    names.zip(hosts).map(with).collect()
}

/// Shards that are made on hosts, and kept in a file if they are kept.
pub fn shards_on(hosts: &[HostPlan], keep: Option<&Path>) -> StreamPlan {
    StreamPlan {
        hosts: hosts.to_vec(),
        keep: keep.map(|path| PlanWord::of(path.as_os_str())),
        ..StreamPlan::of_kind(StreamKind::Shards)
    }
}

/// How many blocks of `block` bytes there are.
pub fn blocks(bytes: Option<u64>, block: Option<u64>) -> Option<u64> {
    let block = block.filter(|&block| block > 0)?;
    bytes.map(|bytes| bytes.div_ceil(block).max(1))
}

/// Checks that `least` hosts are enough to have `copies` of each shard, and says it in `stage`.
///
/// # Errors
/// `Usage` when there are fewer hosts.
pub fn enough(
    least: Option<NonZeroUsize>,
    copies: NonZeroUsize,
    stage: &mut StagePlan,
) -> Result<()> {
    let (hosts, copies) = (stage.place.hosts.len(), copies.get());
    if copies > hosts {
        let text = format!("--replicas {copies} needs as many hosts, not {hosts}");
        return Err(Error::usage(text));
    }
    let least = least.map(NonZeroUsize::get);
    Need::among(least, copies, hosts)?;
    stage.place.min_hosts = least.map(|least| least as u64);
    Ok(())
}

impl Explaining<'_> {
    /// The stage that passes on what it reads, here.
    ///
    /// # Errors
    /// As [`Records::explain`].
    pub fn passed_on(
        &mut self,
        reads: StreamPlan,
        kind: StreamKind,
        records: &Records,
    ) -> Result<StagePlan> {
        let mut stage = self.stage();
        records.explain(&mut stage)?;
        works_here(&mut stage);
        stage.writes = StreamPlan::of_kind(kind).as_large_as(&reads);
        stage.reads = reads;
        Ok(stage)
    }

    /// Files of hosts, of which nothing is known here, as shards there.
    ///
    /// # Errors
    /// As for a run.
    pub fn host_files(
        &mut self,
        hosts: &[Host],
        (files, format): (&[OsString], Option<&str>),
        there: &FileHosts,
        records: &Records,
    ) -> Result<StagePlan> {
        let keep = there.output.as_deref();
        shards::check_output(self.session, keep)?;
        let mut stage = self.stage();
        records.explain(&mut stage)?;
        let spec = format.map(Spec::parse).transpose()?;
        let resource = |word: &OsString| ResourcePlan {
            format: spec.as_ref().map(|spec| spec.name().into()).unwrap_or_default(),
            spec: spec.as_ref().map(Spec::text).unwrap_or_default(),
            place: "hosts".into(),
            path: PlanWord::of(word),
            shown: word.to_string_lossy().into_owned(),
            ..ResourcePlan::default()
        };
        let resources = files.iter().map(resource).collect();
        stage.reads = StreamPlan { resources, ..StreamPlan::of_kind(StreamKind::Resources) };
        stage.place.hosts = self::hosts(hosts);
        stage.writes = shards_on(&stage.place.hosts, keep);
        match there.parts() {
            Some(_) => enough(there.min_hosts, NonZeroUsize::MIN, &mut stage)?,
            None => stage.notes.push(
                "each host makes a shard of each of its files; which these are only the hosts know, \
                 and they are not asked"
                    .into(),
            ),
        }
        Ok(stage)
    }

    /// Files of this machine as shards: `count` parts in all, or parts of `block` bytes each.
    ///
    /// # Errors
    /// As for a run.
    pub fn split_files(
        &mut self,
        mut reads: StreamPlan,
        (count, block): (Option<usize>, Option<u64>),
        keep: Option<&Path>,
    ) -> Result<StagePlan> {
        let disk = estimate::on_disk(&reads.resources);
        let size = match (count, disk) {
            (Some(count), Some(bytes)) => bytes.div_ceil(count.max(1) as u64).max(1),
            _ => block.unwrap_or(PART_BYTES).max(1),
        };
        resources::cut(&mut reads, size);
        let mut stage = self.stage();
        works_here(&mut stage);
        let mut writes = shards_on(&[], keep);
        writes.shards = Some(estimate::parts(&reads.resources));
        writes.resources = reads.resources.clone();
        writes.bytes = disk;
        writes.based_on = disk.map(|_| "the bytes of the files".into());
        (stage.reads, stage.writes) = (reads, writes);
        Ok(stage)
    }

    /// Says in `stage` that its output is the resource `output`, `count` times if it is numbered.
    pub fn written(
        &mut self,
        stage: &mut StagePlan,
        output: &Resource,
        (count, replace): (Option<usize>, bool),
    ) {
        let plan = ResourcePlan::of(output, &super::directory());
        let is_standard = plan.place == "standard";
        let input = &stage.reads;
        stage.writes = match (is_standard, output.spec.name()) {
            // Records go on as they are.
            (true, "ndjson") => {
                let mut writes = records().as_large_as(input);
                writes.declare(&input.facts());
                writes
            }
            (true, _) => {
                StreamPlan { resources: vec![plan], ..StreamPlan::of_kind(StreamKind::Bytes) }
            }
            (false, _) => StreamPlan {
                resources: vec![plan],
                count: count.map(|count| count as u64),
                replace,
                ..StreamPlan::of_kind(StreamKind::Resources)
            },
        };
    }
}

/// The error for parts of files that no hosts are named for.
pub(super) fn no_hosts() -> Error {
    Error::usage("these shards are parts of files of this machine: say with -h where to work")
}
