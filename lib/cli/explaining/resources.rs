//! What resources are, as far as it can be told without reading them.

use std::fs::File;

use crate::cli::Session;
use crate::cli::explaining::{Explaining, directory};
use crate::cli::hosts::access;
use crate::cluster::Host;
use crate::dataset::manifest::ManifestReader;
use crate::dataset::run_dir::RunHost;
use crate::error::{Error, Result};
use crate::explain::estimate;
use crate::explain::schema::{HostPlan, PartsPlan, PlanWord, ResourcePlan, StreamKind, StreamPlan};
use crate::format::measure::{self, Measure};
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::format::{ReadOptions, read};
use crate::pipe::pipe_input::PipeInput;

/// How large the parts of files are where nothing says, in bytes.
pub const PART_BYTES: u64 = 64 << 20;

/// The format of data on hosts.
const DATASET: &str = "shards";

impl Explaining<'_> {
    /// What is read that is named: each file of each pattern, measured; `options` are those of a run, by
    /// which formats are checked as there.
    ///
    /// # Errors
    /// As for a run: for what is no resource, or is not there.
    pub fn resources(
        &mut self,
        resources: &[Resource],
        options: &ReadOptions,
    ) -> Result<StreamPlan> {
        read::open(resources, options)?;
        let mut found = Vec::new();
        for resource in resources {
            for one in resource.expand(&|_| ())? {
                found.push(self.resource(&one)?);
            }
        }
        Ok(of_resources(found))
    }

    /// What is read as it is, in no format.
    ///
    /// # Errors
    /// As for a run.
    pub fn places(&mut self, places: &[ResourcePlace]) -> Result<StreamPlan> {
        let cwd = directory();
        let mut found = Vec::new();
        for place in places {
            let about = match place {
                ResourcePlace::Path(path) => measure::place(path)?,
                _ => Measure::default(),
            };
            found.push(with(ResourcePlan::of_place(place, &cwd), about));
        }
        Ok(of_resources(found))
    }

    /// One resource, measured.
    fn resource(&mut self, resource: &Resource) -> Result<ResourcePlan> {
        let plan = ResourcePlan::of(resource, &directory());
        if let (DATASET, ResourcePlace::Path(path)) = (resource.spec.name(), &resource.place) {
            let file = File::open(path).map_err(|e| Error::path("read", path, &e))?;
            let shards = dataset(self.session, &file, &resource.place.to_string())?;
            return Ok(ResourcePlan { unpacked_bytes: shards.bytes, ..plan });
        }
        Ok(with(plan, measure::measure(resource)?))
    }
}

/// The stream of all of these.
fn of_resources(resources: Vec<ResourcePlan>) -> StreamPlan {
    let bytes = estimate::of_resources(&resources);
    let based_on = bytes.map(|_| "the bytes of the files".to_string());
    StreamPlan { bytes, based_on, resources, ..StreamPlan::of_kind(StreamKind::Resources) }
}

/// The resource with what was found out about it.
fn with(plan: ResourcePlan, about: Measure) -> ResourcePlan {
    let parts = |cut_at: &str| PartsPlan {
        count: parts_of(about.bytes, PART_BYTES),
        bytes: PART_BYTES,
        cut_at: cut_at.into(),
    };
    ResourcePlan {
        bytes: about.bytes,
        members: about.members,
        unpacked_bytes: about.unpacked,
        parts: about.cuts.map(parts),
        shared_by: about.shared_by.map(Into::into),
        ..plan
    }
}

/// How many parts of about `size` bytes there are.
fn parts_of(bytes: Option<u64>, size: u64) -> u64 {
    bytes.unwrap_or_default().div_ceil(size.max(1)).max(1)
}

/// Says of each of the files into how many parts of about `size` bytes it is cut.
pub fn cut(stream: &mut StreamPlan, size: u64) {
    for resource in &mut stream.resources {
        if let Some(parts) = &mut resource.parts {
            (parts.count, parts.bytes) = (parts_of(resource.bytes, size), size);
        }
    }
}

/// The shards whose manifest `file` is, which is called `name`: of them nothing is read.
///
/// # Errors
/// As for a run: when the run is not known here, or the manifest is not whole.
pub(super) fn dataset(session: &Session, file: &File, name: &str) -> Result<StreamPlan> {
    let reach = access::access(session, None, None)?;
    let copy = file.try_clone().map_err(|e| Error::io("read", name, &e))?;
    let mut manifest = ManifestReader::new(PipeInput::new(copy, name));
    let record = reach.runs.load(manifest.run()?)?;
    while manifest.next_shard()?.is_some() {}
    let totals = manifest.totals();
    let mut stream = StreamPlan {
        bytes: Some(totals.bytes),
        based_on: Some("their manifest".into()),
        shards: Some(totals.shards),
        hosts: record.hosts.iter().map(host_of_run).collect(),
        ..StreamPlan::of_kind(StreamKind::Shards)
    };
    let mut paths: Vec<PlanWord> = Vec::new();
    for split in &record.splits {
        let path = PlanWord::of(&std::ffi::OsString::from(split.path.clone()));
        if paths.last() != Some(&path) {
            paths.push(path.clone());
            let (format, spec) = (split.format.split(',').next(), split.format.clone());
            stream.resources.push(ResourcePlan {
                format: format.unwrap_or_default().into(),
                spec,
                place: "path".into(),
                shown: path.shown(),
                path,
                bytes: Some(split.size),
                ..ResourcePlan::default()
            });
        }
    }
    stream.declare(&record.facts);
    Ok(stream)
}

/// A host of a run.
fn host_of_run(host: &RunHost) -> HostPlan {
    let slots = host.word.parse::<Host>().ok().and_then(|host| host.slots).map(u64::from);
    HostPlan { name: host.name.clone(), slots }
}
