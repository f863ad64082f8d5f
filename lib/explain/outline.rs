//! The parts of a stage that say what it does with records: its key, its ops, its command, its join.

use serde::{Deserialize, Serialize};

use crate::explain::schema::{PlanWord, ResourcePlan};

/// Whether a number or a flag says nothing.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A part of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyOutline {
    /// The path of the value in a record.
    pub path: String,
    /// Its modifiers, such as nr.
    #[serde(skip_serializing_if = "is_default")]
    pub mods: String,
}

/// A result of each group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpOutline {
    /// What the result is called.
    pub name: String,
    /// The reduction with its parameter, such as sum or top=3.
    pub op: String,
    /// The path of the operand.
    #[serde(skip_serializing_if = "is_default")]
    pub field: Option<String>,
}

/// A command that a stage runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandOutline {
    /// Whether it is words (a program and its arguments) or a line for the shell.
    pub kind: String,
    /// The words.
    #[serde(skip_serializing_if = "is_default")]
    pub words: Vec<PlanWord>,
    /// The line.
    #[serde(skip_serializing_if = "is_default")]
    pub line: Option<PlanWord>,
    /// What one process of it gets: block, shard (all there is), record, or groups.
    pub per: String,
    /// Bytes of a block, where that is said.
    #[serde(skip_serializing_if = "is_default")]
    pub block: Option<u64>,
    /// How many runs of it there are, about.
    #[serde(skip_serializing_if = "is_default")]
    pub tasks: Option<u64>,
    /// How it reads records: json, text, kv or raw.
    #[serde(rename = "in")]
    pub input: String,
    /// How it prints them.
    #[serde(rename = "out")]
    pub output: String,
    /// The template of the new name of data.
    #[serde(skip_serializing_if = "is_default")]
    pub rename: Option<String>,
    /// Whether each run is a record, and failures are data.
    #[serde(skip_serializing_if = "is_default")]
    pub outcome: bool,
    /// The files that are sent to the hosts.
    #[serde(skip_serializing_if = "is_default")]
    pub ship: Vec<ShipOutline>,
    /// The line that makes things ready for it.
    #[serde(skip_serializing_if = "is_default")]
    pub setup: Option<PlanWord>,
    /// The names of the variables that are set in its environment.
    #[serde(skip_serializing_if = "is_default")]
    pub env: Vec<PlanWord>,
    /// The exit statuses that mean success.
    pub ok_exit: Vec<i32>,
    /// How many more attempts a task gets.
    pub retries: u32,
    /// How long an attempt may take, in seconds.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: Option<f64>,
    /// Whether tasks that lag behind are tried a second time.
    #[serde(skip_serializing_if = "is_default")]
    pub speculate: bool,
    /// What becomes of other tasks when one failed for good: behind, soon or now.
    pub halt: String,
    /// What becomes of records that it fails on: fail, skip, file or limit.
    pub failed: String,
}

/// A file that is sent to hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShipOutline {
    /// Where it lies here.
    pub from: PlanWord,
    /// What it is called there, from where the command starts.
    pub to: PlanWord,
    /// Its bytes; none of a directory or a link.
    #[serde(skip_serializing_if = "is_default")]
    pub bytes: Option<u64>,
}

/// How records are joined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JoinOutline {
    /// Which records come out: inner, left, outer, semi or anti.
    pub kind: String,
    /// The key of the left records.
    pub left: Vec<KeyOutline>,
    /// The key of the right records.
    pub right: Vec<KeyOutline>,
    /// What stands before the names of fields of the right.
    #[serde(skip_serializing_if = "is_default")]
    pub prefix: String,
    /// The right records.
    pub resources: Vec<ResourcePlan>,
    /// How many bytes these are, about.
    #[serde(skip_serializing_if = "is_default")]
    pub bytes: Option<u64>,
    /// Whether the right side, if it is small, is sent to each host, and the left stays where it lies.
    #[serde(skip_serializing_if = "is_default")]
    pub sends_right: bool,
}
