//! `mc-cat` on hosts: each host's own files, or files that all hosts see, become shards there.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cluster::{Connection, Host};
use crate::engine::producer::Producer;
use crate::engine::reach::Reach;
use crate::engine::{self, Cut, Form, HostFile, Hosts, Piece, Place, Plan, fleet};
use crate::error::{Error, Result};
use crate::record::bad::Bad;
use crate::record::stream::{Output, Summary};
use crate::wire::frame::broken;
use crate::wire::message::{Ask, Job, OnBad, Reply, Resource};
use crate::worker::Command;

/// The job that reading is, on the hosts.
const JOB: u32 = 1;

/// What `mc-cat` is to do on hosts.
pub struct Options<'a> {
    /// How hosts are reached.
    pub reach: &'a Reach,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The format of all resources, where `-f` says it.
    pub format: Option<String>,
    /// What to read there, as it was named.
    pub resources: Vec<OsString>,
    /// Whether all hosts see the same files, each of which is to be read once.
    pub shared: bool,
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
/// resources; and writes their manifest to `output`.
///
/// # Errors
/// `Usage` when a file is not there, `BadInput` for what is in it, `Hosts` when a host cannot be
/// reached or is lost.
pub fn run(
    options: &Options<'_>,
    output: &mut dyn Output,
    pass_on: &(dyn Fn(&str) + Sync),
) -> Result<(Summary, Producer)> {
    let names = fleet::names(&options.hosts);
    let hosts: Vec<(Host, String)> = options.hosts.iter().cloned().zip(names).collect();
    let producer = Producer::begin(options.reach, &hosts, None, options.keep, output)?;
    producer.job(&job(options), &[])?;
    let files = files(options, producer.fleet().connections())?;
    let on = Hosts {
        fleet: producer.fleet(),
        job: JOB,
        origin: None,
        replicas: 1,
        line: &|hosts, contents| producer.line(hosts, contents),
    };
    let plan = Plan {
        place: Place::Hosts(&on),
        tool: options.reach.tool,
        command: &Command::elsewhere(Vec::new()),
        form: Form::Records,
        ok_exit: &[0],
        retries: 0,
        timeout: None,
        slots: 1,
        block: None,
        memory: 0,
        folder: &options.directory,
        max_record: options.max_record,
        bad: &options.bad,
        input_name: String::new(),
        by_hand: &|_, _| String::new(),
        pass_on,
    };
    let mut summary = engine::run(&plan, FileCut(files.into()), output)?;
    summary.records_in = summary.records_out;
    summary.bytes_in = summary.bytes_out;
    producer.end(output)?;
    Ok((summary, producer))
}

fn job(options: &Options<'_>) -> Job {
    Job {
        number: JOB,
        words: Vec::new(),
        text: false,
        ok_exit: Vec::new(),
        timeout_ms: None,
        max_record: options.max_record as u64,
        bad: OnBad::under(&options.bad),
    }
}

/// The files that the resources stand for.
fn files<'a>(
    options: &Options<'_>,
    connections: impl Iterator<Item = &'a Arc<Connection>>,
) -> Result<Vec<HostFile>> {
    let connections: Vec<&Arc<Connection>> = connections.collect();
    let all: Vec<String> = connections.iter().map(|c| c.name().to_string()).collect();
    let asked =
        if options.shared { &connections[..1.min(connections.len())] } else { &connections };
    let mut files = Vec::new();
    for connection in asked {
        let hosts = if options.shared { all.clone() } else { vec![connection.name().to_string()] };
        for word in &options.resources {
            let resource =
                Resource { format: options.format.clone(), path: word.as_os_str().into() };
            for resource in expanded(connection, resource)? {
                files.push(HostFile { hosts: hosts.clone(), resource });
            }
        }
    }
    Ok(files)
}

fn expanded(connection: &Connection, resource: Resource) -> Result<Vec<Resource>> {
    let request = connection.ask(&Ask::Expand(resource))?;
    match connection.reply(request)? {
        Reply::Expanded(resources) => Ok(resources),
        Reply::Failed(failed) => Err(failed.error().at(connection.shown())),
        _ => Err(Error::at(broken("an unknown reply"), connection.shown())),
    }
}

/// Gives the files, one by one.
struct FileCut(VecDeque<HostFile>);

impl Cut for FileCut {
    fn next(&mut self, _: usize, _: Vec<u8>) -> Result<Option<Piece>> {
        Ok(self.0.pop_front().map(Piece::File))
    }
}
