//! What tasks on a host do.

use serde::{Deserialize, Serialize};

use crate::record::bad::Bad;
use crate::record::bytes::Bytes;
use crate::record::notation::Notation;
use crate::wire::shipped::ContentHash;

/// What tasks do: they run a command, or store records as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its number, which tasks name.
    pub number: u32,
    /// The longest record in bytes.
    pub max_record: u64,
    /// What happens to bad records.
    pub bad: OnBad,
    /// The command, where one is run.
    pub command: Option<JobCommand>,
}

/// A command that tasks run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobCommand {
    /// What is run.
    pub run: JobProgram,
    /// How it reads records.
    pub input: Notation,
    /// How it prints them.
    pub output: Notation,
    /// Whether records stay JSON until an attempt at them.
    pub late: bool,
    /// What is done with each record by itself, where each is a run of the command.
    pub each: Option<EachRecord>,
    /// The host, as the tool calls it.
    pub host: String,
    /// What the user says of the environment: names and values.
    pub environment: Vec<(Bytes, Bytes)>,
    /// What it is told of its task as by Hadoop, if it is.
    pub hadoop: Option<HadoopNames>,
    /// The exit statuses that mean success.
    pub ok_exit: Vec<i32>,
    /// How long an attempt may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// How many more attempts a record gets that the command fails on, where it is looked for.
    pub retries: u32,
    /// What to say of output that is no JSON and looks like plain lines.
    pub plain_lines: String,
}

/// What a command is told of its tasks as by Hadoop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HadoopNames {
    /// The number of the job.
    pub number: String,
    /// Whether it is a mapper, or else a reducer.
    pub is_map: bool,
}

/// What is to be made ready for commands before they run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUp {
    /// The hash of all that it is made of.
    pub hash: ContentHash,
    /// A line for the shell.
    pub line: Bytes,
    /// The files and folders of the directory that commands start in that it needs.
    pub names: Vec<Bytes>,
    /// What the user says of the environment: names and values.
    pub environment: Vec<(Bytes, Bytes)>,
    /// The host, as the tool calls it.
    pub host: String,
}

/// What is done with each record by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EachRecord {
    /// The name of the data behind the command, as it is made of the one before.
    pub rename: Option<String>,
    /// Whether each run is a record, and failures are data.
    pub outcome: bool,
    /// How many more attempts a record gets.
    pub retries: u32,
}

/// What a command is, as its user gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobProgram {
    /// A program and its arguments.
    Words(Vec<Bytes>),
    /// A line for the shell.
    Line(Bytes),
}

/// What a worker does with bad records: those that a command printed, or that lie in its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBad {
    /// The first fails the task.
    Fail,
    /// They are dropped and counted.
    Count,
    /// They are dropped, counted, and sent, for the tool to judge.
    Send,
}

impl OnBad {
    /// What a worker does where the tool judges by `bad`.
    pub fn under(bad: &Bad) -> OnBad {
        match bad {
            _ if bad.is_strict() => OnBad::Fail,
            _ if bad.only_counts() => OnBad::Count,
            _ => OnBad::Send,
        }
    }
}
