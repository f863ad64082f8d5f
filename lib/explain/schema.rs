//! The fields of a plan, as its JSON has them. `mycloud(7)` says under PLANS what each of them means; a
//! field that is not there is not known, or means nothing for the stage.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::{Deserialize, Serialize};

use crate::explain::outline::{CommandOutline, JoinOutline, KeyOutline, OpOutline};
use crate::record::bytes::Bytes;

/// The version of the schema.
pub const VERSION: u32 = 1;

/// A plan: the stages of a pipeline, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanDocument {
    /// The version of the schema.
    pub version: u32,
    /// The stages.
    pub stages: Vec<StagePlan>,
}

impl Default for PlanDocument {
    fn default() -> PlanDocument {
        PlanDocument { version: VERSION, stages: Vec::new() }
    }
}

/// A word: text, or the bytes of what is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PlanWord {
    /// Text.
    Text(String),
    /// Bytes that are no UTF-8.
    Bytes {
        /// The bytes, as base64.
        #[serde(rename = "$base64")]
        base64: Bytes,
    },
}

impl PlanWord {
    /// The word for what the system knows as this.
    pub fn of(word: &OsStr) -> PlanWord {
        match word.to_str() {
            Some(text) => PlanWord::Text(text.into()),
            None => PlanWord::Bytes { base64: Bytes(word.as_bytes().to_vec()) },
        }
    }

    /// The word for people.
    pub fn shown(&self) -> String {
        match self {
            PlanWord::Text(text) => text.clone(),
            PlanWord::Bytes { base64 } => String::from_utf8_lossy(&base64.0).into_owned(),
        }
    }
}

impl Default for PlanWord {
    fn default() -> PlanWord {
        PlanWord::Text(String::new())
    }
}

impl From<&OsStr> for PlanWord {
    fn from(word: &OsStr) -> PlanWord {
        PlanWord::of(word)
    }
}

/// Whether a number or a flag says nothing.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A stage: what one tool does with a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StagePlan {
    /// The tool's name; of a program that is none of ours, its own.
    pub tool: String,
    /// Whether the program is none of ours, of which nothing is known but the line it is called by.
    #[serde(skip_serializing_if = "is_default")]
    pub foreign: bool,
    /// The words of its command line, its name first; of a foreign program, the text of its call.
    pub argv: Vec<PlanWord>,
    /// The directory that it works in.
    pub cwd: PlanWord,
    /// The options that were given, by their long names, each with its values; what is no option is
    /// there by the name that the usage gives it.
    #[serde(skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, Vec<PlanWord>>,
    /// What it reads.
    pub reads: StreamPlan,
    /// What it writes.
    pub writes: StreamPlan,
    /// Where it works.
    #[serde(rename = "where")]
    pub place: WherePlan,
    /// The command that it runs.
    #[serde(skip_serializing_if = "is_default")]
    pub command: Option<CommandOutline>,
    /// What is done to sort or group.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: Option<String>,
    /// The key, most significant part first; empty is the key that holds without -k.
    #[serde(skip_serializing_if = "is_default")]
    pub key: Option<Vec<KeyOutline>>,
    /// Where the key comes from.
    #[serde(skip_serializing_if = "is_default")]
    pub key_from: Option<String>,
    /// What orders the records of one key.
    #[serde(skip_serializing_if = "is_default")]
    pub order_by: Vec<KeyOutline>,
    /// Whether the whole order is turned round.
    #[serde(skip_serializing_if = "is_default")]
    pub reverse: bool,
    /// Whether only the first record of each key is kept.
    #[serde(skip_serializing_if = "is_default")]
    pub unique: bool,
    /// What becomes of records without the key: fail, null or skip.
    #[serde(skip_serializing_if = "is_default")]
    pub missing: Option<String>,
    /// The results that are computed of each group.
    #[serde(skip_serializing_if = "is_default")]
    pub ops: Vec<OpOutline>,
    /// The texts that count as a missing operand.
    #[serde(skip_serializing_if = "is_default")]
    pub nulls: Vec<String>,
    /// How records are joined, and with what.
    #[serde(skip_serializing_if = "is_default")]
    pub join: Option<JoinOutline>,
    /// Which record goes to which of several outputs: contiguous, round-robin or key.
    #[serde(skip_serializing_if = "is_default")]
    pub split_by: Option<String>,
    /// What becomes of bad records: fail, skip, file or limit.
    #[serde(skip_serializing_if = "is_default")]
    pub bad: Option<String>,
    /// The longest record in bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub max_record: Option<u64>,
    /// The memory to stay within, in bytes; on hosts, of each.
    #[serde(skip_serializing_if = "is_default")]
    pub memory: Option<u64>,
    /// Temporary files.
    #[serde(skip_serializing_if = "is_default")]
    pub temporary: Option<TemporaryPlan>,
    /// What crosses the network.
    #[serde(skip_serializing_if = "is_default")]
    pub network: Vec<NetworkPlan>,
    /// What one should know.
    #[serde(skip_serializing_if = "is_default")]
    pub notes: Vec<String>,
    /// What could be done better.
    #[serde(skip_serializing_if = "is_default")]
    pub advice: Vec<String>,
}

/// What a stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Not known.
    #[default]
    Unknown,
    /// Nothing at all.
    Nothing,
    /// Files and other resources.
    Resources,
    /// Records, on a pipe.
    Records,
    /// Bytes that are no records.
    Bytes,
    /// Shards: records that lie on hosts, or parts of files.
    Shards,
}

/// What a stage reads or writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamPlan {
    /// What it is.
    pub kind: StreamKind,
    /// How many bytes there are, about.
    #[serde(skip_serializing_if = "is_default")]
    pub bytes: Option<u64>,
    /// What that number comes from.
    #[serde(skip_serializing_if = "is_default")]
    pub based_on: Option<String>,
    /// The resources that are read, or written; of shards that are parts of files, those files.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Vec<ResourcePlan>,
    /// How many numbered outputs are written.
    #[serde(skip_serializing_if = "is_default")]
    pub count: Option<u64>,
    /// Whether an existing directory or database is replaced.
    #[serde(skip_serializing_if = "is_default")]
    pub replace: bool,
    /// How many shards there are, about.
    #[serde(skip_serializing_if = "is_default")]
    pub shards: Option<u64>,
    /// The hosts that the shards lie on; none of those that are parts of files of this machine.
    #[serde(skip_serializing_if = "is_default")]
    pub hosts: Vec<HostPlan>,
    /// The file for the manifest of shards that are kept.
    #[serde(skip_serializing_if = "is_default")]
    pub keep: Option<PlanWord>,
    /// The key that the records are in order of.
    #[serde(skip_serializing_if = "is_default")]
    pub sorted_by: Option<KeyFact>,
    /// The key whose equals are adjacent and lie in one shard.
    #[serde(skip_serializing_if = "is_default")]
    pub grouped_by: Option<KeyFact>,
}

impl StreamPlan {
    /// A stream of this kind, of which no more is known.
    pub fn of_kind(kind: StreamKind) -> StreamPlan {
        StreamPlan { kind, ..StreamPlan::default() }
    }
}

/// What is known of the order of records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyFact {
    /// The key, as -k spells it; empty for the one that holds without.
    pub key: String,
    /// Whether the order is the reverse of it.
    #[serde(skip_serializing_if = "is_default")]
    pub reverse: bool,
    /// Whether there may be records without the key, which counts as null.
    #[serde(skip_serializing_if = "is_default")]
    pub lacking: bool,
}

/// A file, or another place that records are read from or written to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourcePlan {
    /// The format's name; none where no format matters.
    pub format: String,
    /// The format with its options, as a resource says it.
    pub spec: String,
    /// What kind of place it is: path, url, client, standard, or range.
    pub place: String,
    /// The path from the root, the URL, or the range.
    #[serde(skip_serializing_if = "is_default")]
    pub path: PlanWord,
    /// As the user named it, for people.
    pub shown: String,
    /// Bytes on the disk.
    #[serde(skip_serializing_if = "is_default")]
    pub bytes: Option<u64>,
    /// How it is packed, as its name tells: gzip, zstd, bzip2, xz.
    #[serde(skip_serializing_if = "is_default")]
    pub packed: Option<String>,
    /// Whether the format lies in the members of a Zip.
    #[serde(skip_serializing_if = "is_default")]
    pub zipped: bool,
    /// How many members a Zip has, or files a tree.
    #[serde(skip_serializing_if = "is_default")]
    pub members: Option<u64>,
    /// Bytes when it is unpacked, where that can be told.
    #[serde(skip_serializing_if = "is_default")]
    pub unpacked_bytes: Option<u64>,
    /// Where it can be cut into parts.
    #[serde(skip_serializing_if = "is_default")]
    pub parts: Option<PartsPlan>,
    /// The file system, where it is one that several machines see.
    #[serde(skip_serializing_if = "is_default")]
    pub shared_by: Option<String>,
}

/// The parts of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartsPlan {
    /// How many there are, about.
    pub count: u64,
    /// How long each is, in bytes: a part ends behind the first record that ends there or further on.
    pub bytes: u64,
    /// Where it can be cut: lines, or records.
    pub cut_at: String,
}

/// Where a stage works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WherePlan {
    /// Whether that is this machine.
    #[serde(skip_serializing_if = "is_default")]
    pub here: bool,
    /// On how many of its cores.
    #[serde(skip_serializing_if = "is_default")]
    pub cores: Option<u64>,
    /// The hosts.
    #[serde(skip_serializing_if = "is_default")]
    pub hosts: Vec<HostPlan>,
    /// How many of them are enough.
    #[serde(skip_serializing_if = "is_default")]
    pub min_hosts: Option<u64>,
    /// On how many hosts each shard is put.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: Option<u64>,
}

/// A host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostPlan {
    /// Its name in the list of hosts.
    pub name: String,
    /// How many slots it has; by default the cores that the login may use, which only it knows.
    #[serde(skip_serializing_if = "is_default")]
    pub slots: Option<u64>,
}

/// Temporary files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemporaryPlan {
    /// Where they are, of those on this machine.
    #[serde(skip_serializing_if = "is_default")]
    pub dir: Option<PlanWord>,
    /// How many bytes they hold, about.
    #[serde(skip_serializing_if = "is_default")]
    pub bytes: Option<u64>,
}

/// What crosses the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkPlan {
    /// Which way: to-hosts, from-hosts, between-hosts or from-url.
    pub way: String,
    /// How many bytes, about, before they are packed.
    #[serde(skip_serializing_if = "is_default")]
    pub bytes: Option<u64>,
    /// What it is.
    pub what: String,
}
