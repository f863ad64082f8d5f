//! `mc-cat` on hosts: each host's own files, or files that all hosts see, become shards there.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cluster::{Connection, Greeting, Host};
use crate::cluster::{FileCut, FilePart, HostResource};
use crate::cluster::{Job, OnBad};
use crate::engine::fleet;
use crate::engine::host_access::HostAccess;
use crate::engine::lineage::{Lineage, LineageJob, Recovery};
use crate::engine::need::Need;
use crate::engine::producer::Producer;
use crate::engine::{self, Cut, Form, HostFile, Hosts, Piece, Setting, Voice};
use crate::error::broken;
use crate::error::{Error, ErrorKind, Result};
use crate::format::foreign_parts::is_of;
use crate::format::spec::Spec;
use crate::group::order::Limits;
use crate::record::bad::Bad;
use crate::record::stream::{Facts, Output, Summary};

/// The job that reading is, on the hosts.
const JOB: u32 = 1;

/// What `mc-cat` is to do on hosts.
pub struct CatOnHostsOptions<'a> {
    /// How hosts are reached.
    pub reach: &'a HostAccess,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The format of all resources, where `-f` says it.
    pub format: Option<String>,
    /// What to read there, as it was named.
    pub resources: Vec<OsString>,
    /// Where all hosts see the same files, each of which is to be read once: about how large the
    /// parts are that they are cut into, in bytes.
    pub shared: Option<u64>,
    /// With that: how many hosts are enough, where the user says so.
    pub least: Option<usize>,
    /// What happens to bad records.
    pub bad: Arc<Bad>,
    /// The longest record in bytes.
    pub max_record: usize,
    /// Where temporary files are made here.
    pub directory: PathBuf,
    /// Where the manifest is to stay, when the shards are to be kept.
    pub keep: Option<&'a Path>,
}

/// Makes shards of the files of hosts, a shard of each, in the order of the hosts and of the
/// resources; or, of files that all hosts see, a shard of each part. Writes their manifest to
/// `output`.
///
/// # Errors
/// `Usage` when a file is not there, `BadInput` for what is in it, `Hosts` when a host cannot be
/// reached or is lost.
pub fn run(
    options: &CatOnHostsOptions<'_>,
    output: &mut dyn Output,
    pass_on: &(dyn Fn(&str) + Sync),
) -> Result<(Summary, Producer)> {
    let names = fleet::names(&options.hosts);
    let hosts: Vec<(Host, String)> = options.hosts.iter().cloned().zip(names).collect();
    let need = match (options.shared, options.least) {
        (None, _) => Need::each(hosts.len()),
        (Some(_), least) => Need::among(least, 1, hosts.len())?,
    };
    let (hosts, facts) = ((hosts.as_slice(), need), Facts::default());
    let mut producer =
        Producer::begin(options.reach, hosts, &Greeting::default(), options.keep, facts, output)?;
    let (max_record, bad) = (options.max_record as u64, OnBad::under(&options.bad));
    producer.job(&Job { number: JOB, max_record, bad, command: None }, None)?;
    let files = files(options, producer.fleet().connections())?;
    let lineage = Arc::new(Lineage::new(LineageJob {
        fleet: Arc::clone(producer.fleet()),
        job: JOB,
        origin: None,
        command: String::new(),
        form: Form::default(),
        tells_part: false,
        searches: false,
        retries: 0,
        max_record: options.max_record,
        folder: options.directory.clone(),
        say: Arc::clone(&options.reach.settings.say),
        observer: options.reach.observer.clone(),
    })?);
    producer.recover_by(Arc::new(Recovery::new(Arc::clone(&lineage))));
    let on = Hosts {
        fleet: producer.fleet(),
        job: JOB,
        origin: None,
        replicas: 1,
        run: producer.run().to_string(),
        lineage,
        line: &|hosts, contents| producer.line(hosts, contents),
    };
    let limits = Limits {
        memory: 0, // Nothing of the files comes here.
        jobs: 1,
        directory: options.directory.clone(),
        max_record: options.max_record,
    };
    let setting = Setting {
        limits: &limits,
        block: None,
        bad: &options.bad,
        input_name: "the files",
        voice: Voice { tool: options.reach.tool, pass_on, observer: &options.reach.observer },
    };
    let connections = producer.fleet().connections().cloned().collect();
    let cut = Files { waiting: files.into(), connections };
    let mut summary = engine::on_hosts(&on, None, setting, cut, output)?;
    summary.records_in = summary.records_out;
    summary.bytes_in = summary.bytes_out;
    producer.end(output)?;
    Ok((summary, producer))
}

/// The files that the resources stand for.
fn files<'a>(
    options: &CatOnHostsOptions<'_>,
    connections: impl Iterator<Item = &'a Arc<Connection>>,
) -> Result<Vec<HostFile>> {
    let connections: Vec<&Arc<Connection>> = connections.collect();
    let all: Vec<String> = connections.iter().map(|c| c.name().to_string()).collect();
    let max_record = options.max_record as u64;
    let cut = options.shared.map(|bytes| FileCut { bytes, max_record });
    let asked = if cut.is_some() { &connections[..1.min(connections.len())] } else { &connections };
    let mut files = Vec::new();
    for connection in asked {
        let hosts = if cut.is_some() { all.clone() } else { vec![connection.name().to_string()] };
        for word in &options.resources {
            let (format, path) = (options.format.clone(), word.as_os_str().into());
            for found in connection.expand(HostResource { format, path, part: None, cut: None })? {
                let resource = HostResource { part: None, cut, ..found };
                files.push(HostFile { hosts: hosts.clone(), resource });
            }
        }
    }
    Ok(files)
}

/// Gives the files, one by one; of those that are to be cut the parts, each found while those
/// before it are being read.
struct Files {
    waiting: VecDeque<HostFile>,
    /// Who can be asked where a file is to be cut: any host, for all see it.
    connections: Vec<Arc<Connection>>,
}

impl Files {
    /// The first part of a file, and what is left of it.
    fn parts(&self, file: &HostFile) -> Result<Vec<HostFile>> {
        let mut lost = Error::new(ErrorKind::Hosts, "all hosts are lost");
        for connection in &self.connections {
            match connection.expand(file.resource.clone()) {
                Err(error) if error.kind() == ErrorKind::Hosts => lost = error,
                Err(error) => return Err(error),
                Ok(found) if !follow(&file.resource, &found) => {
                    let text = "parts that are not those of the file";
                    return Err(broken(text).at(connection.shown()));
                }
                Ok(found) => {
                    // A host says where to cut, not what the others are to read.
                    let is_foreign = is_foreign(&file.resource);
                    let of = |HostResource { part, cut, format, .. }| {
                        let mut resource = HostResource { part, cut, ..file.resource.clone() };
                        if is_foreign {
                            resource.format = format;
                        }
                        HostFile { hosts: file.hosts.clone(), resource }
                    };
                    return Ok(found.into_iter().map(of).collect());
                }
            }
        }
        Err(lost)
    }
}

/// Whether a file is of a format of others.
fn is_foreign(file: &HostResource) -> bool {
    let spec = file.format.as_deref().and_then(|format| Spec::parse(format).ok());
    spec.is_some_and(|spec| !spec.is_built_in())
}

/// Whether `found` is what a host may make of `whole`, which is to be cut: its first part and the
/// rest, which is still to be cut, or all of it; or the parts that the program of a format of others tells.
fn follow(whole: &HostResource, found: &[HostResource]) -> bool {
    let before = whole.part;
    match found {
        _ if is_foreign(whole) && !found.is_empty() && found[0].format != whole.format => {
            let text = |resource: &HostResource| resource.format.clone().unwrap_or_default();
            found.iter().all(|one| {
                (one.part.is_none() && one.cut.is_none() && one.path == whole.path)
                    && is_of(&text(whole), &text(one))
            })
        }
        [all] => all.part == before && all.cut.is_none(),
        [
            HostResource { part: Some(first), cut: None, .. },
            HostResource { part: Some(rest), cut, .. },
        ] => {
            let (head, from, to, file) = match before {
                Some(part) => (part.head, part.from, part.to, (part.size, part.modified)),
                None => (0, 0, first.size, (first.size, first.modified)),
            };
            let of_file = |part: &FilePart| (part.size, part.modified) == file;
            (of_file(first) && of_file(rest) && *cut == whole.cut)
                && (first.head == head && first.from == from && rest.to == to)
                && (first.from < first.to && first.to == rest.from && rest.from < rest.to)
        }
        _ => false,
    }
}

impl Cut for Files {
    fn next(&mut self, _: &dyn Fn(Option<usize>) -> usize, _: Vec<u8>) -> Result<Option<Piece>> {
        while let Some(file) = self.waiting.pop_front() {
            if file.resource.cut.is_none() {
                return Ok(Some(Piece::File(file)));
            }
            for part in self.parts(&file)?.into_iter().rev() {
                self.waiting.push_front(part);
            }
        }
        Ok(None)
    }
}
