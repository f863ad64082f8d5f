//! `mc-map` on hosts: the records go there by blocks, or lie there as shards, and what the command
//! prints stays there as shards.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Options;
use crate::cluster::Host;
use crate::command::Given;
use crate::engine::consumer::{Consumer, Feed, UPSTREAM_MAX};
use crate::engine::fleet::{self, Need};
use crate::engine::producer::{Producer, Shipped};
use crate::engine::reach::Reach;
use crate::engine::{self, Cut, Form, Hosts, Piece, Place};
use crate::error::{Error, Kind, Result};
use crate::record::stream::{Facts, Output, Summary};
use crate::run::ownership::Claim;
use crate::wire::bytes::Bytes;
use crate::wire::message::{Job, OnBad};

/// The job that the command is, on the hosts.
const JOB: u32 = 1;

/// Where and how.
pub struct Remote<'a> {
    /// How hosts are reached.
    pub reach: &'a Reach,
    /// The hosts; none works where the shards lie.
    pub hosts: Option<Vec<Host>>,
    /// How many of them are enough, where the user says so.
    pub least: Option<usize>,
    /// The memory to stay within on each host, in bytes, where the user says so.
    pub memory: Option<u64>,
    /// The command, as it is to be there.
    pub given: Given,
    /// The files that it needs there.
    pub files: Vec<Shipped>,
    /// On how many hosts each shard is made.
    pub replicas: usize,
    /// Where the manifest is to stay, when the shards are to be kept.
    pub keep: Option<&'a Path>,
}

/// Runs the command on hosts and writes the manifest of what it printed to `output`. The shards are
/// there until the producer ends: see [`Producer::stay`].
///
/// # Errors
/// As [`super::run`]; `Hosts` when hosts cannot be reached, or are lost with shards.
pub fn run(
    options: &Options,
    remote: &Remote<'_>,
    mut feed: Feed,
    output: &mut dyn Output,
    pass_on: &(dyn Fn(&str) + Sync),
) -> Result<(Summary, Producer)> {
    let hosts: Vec<(Host, String)> = match (&remote.hosts, &feed) {
        (Some(hosts), _) => {
            let names = fleet::names(hosts);
            hosts.iter().cloned().zip(names).collect()
        }
        (None, Feed::Shards(consumer)) => consumer.origin.hosts.clone(),
        (None, Feed::Records(_)) => return Err(Error::usage("no hosts to work on")),
    };
    if hosts.is_empty() {
        let text = "these shards are parts of files of this machine: say with -h where to work";
        return Err(Error::usage(text));
    }
    if remote.replicas > hosts.len() {
        let (replicas, hosts) = (remote.replicas, hosts.len());
        return Err(Error::usage(format!(
            "--replicas {replicas} needs as many hosts, not {hosts}"
        )));
    }
    let (reach, memory, keep) = (remote.reach, remote.memory, remote.keep);
    let need = match remote.hosts {
        Some(_) => Need::among(remote.least, remote.replicas, hosts.len())?,
        None => Need::those_there(),
    };
    let (hosts, facts) = ((hosts.as_slice(), need), Facts::default());
    let mut producer = Producer::begin(reach, hosts, memory, keep, facts, output)?;
    producer.hold(claim(&mut feed));
    producer.job(&job(options, remote), &remote.files)?;
    let origin = match &feed {
        Feed::Shards(consumer) => Some(Arc::clone(&consumer.origin)),
        Feed::Records(_) => None,
    };
    let on = Hosts {
        fleet: producer.fleet(),
        job: JOB,
        origin: origin.as_deref(),
        replicas: remote.replicas,
        line: &|hosts, contents| producer.line(hosts, contents),
    };
    let input_name = match &feed {
        Feed::Records(input) => input.name().to_string(),
        Feed::Shards(_) => "the shards".to_string(),
    };
    let (tool, place) = (remote.reach.tool, Place::Hosts(&on));
    let plan = super::plan(options, tool, place, &input_name, pass_on);
    let summary = match feed {
        Feed::Records(input) => super::work(options, &plan, input, output)?,
        Feed::Shards(consumer) => {
            let (back, given_back) = sync_channel(1);
            let cut = ShardsCut { consumer: Some(consumer), back };
            engine::run(&plan, cut, output)
                .map_err(|error| blame(&given_back, error, || producer.has_inputs()))?
        }
    };
    producer.end(output)?;
    let client_bytes = producer.fleet().crossed();
    Ok((Summary { client_bytes, ..summary }, producer))
}

fn claim(feed: &mut Feed) -> Option<Claim> {
    match feed {
        Feed::Shards(consumer) => consumer.claim.take(),
        Feed::Records(_) => None,
    }
}

fn job(options: &Options, remote: &Remote<'_>) -> Job {
    let words = match &remote.given {
        Given::Words(words) => words.as_slice(),
        Given::Line(line) => std::slice::from_ref(line),
    };
    Job {
        number: JOB,
        words: words.iter().map(|word| Bytes::from(word.as_os_str())).collect(),
        line: matches!(remote.given, Given::Line(_)),
        text: options.form == Form::Text,
        ok_exit: options.ok_exit.clone(),
        timeout_ms: options.timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)),
        max_record: options.max_record as u64,
        bad: OnBad::under(&options.bad),
        retries: options.retries,
        plain_lines: options.plain_lines.into(),
    }
}

/// Gives the shards of a manifest, one by one.
struct ShardsCut {
    consumer: Option<Box<Consumer>>,
    /// Takes the manifest when no more shards are wanted.
    back: SyncSender<Box<Consumer>>,
}

impl Cut for ShardsCut {
    fn next(&mut self, _: usize, _: Vec<u8>) -> Result<Option<Piece>> {
        let next = self.consumer.as_mut().map(|consumer| consumer.next_shard());
        Ok(next.transpose()?.flatten().map(Piece::Shard))
    }
}

impl Drop for ShardsCut {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            let _ = self.back.try_send(consumer);
        }
    }
}

/// Why shards could not be had, as the end of their manifest tells.
fn blame(
    given_back: &Receiver<Box<Consumer>>,
    error: Error,
    holds: impl FnOnce() -> bool,
) -> Error {
    if error.kind() != Kind::Incomplete {
        return error;
    }
    match given_back.recv_timeout(UPSTREAM_MAX) {
        Ok(consumer) => consumer.blame(error, holds),
        Err(_) => error,
    }
}
