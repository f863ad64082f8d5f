//! The messages of the protocol: what a tool asks of a worker, and what the worker replies.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::record::bytes::Bytes;
use crate::record::counters::Counters;
use crate::record::digest::Contents;
use crate::wire::client::{ClientAsk, ClientReply};
use crate::wire::exchange::{
    Exchange, HostOffer, MergeTask, Merged, Peers, Reduce, RelayRequest, RelayedPart, SortResult,
    SortTask,
};
use crate::wire::job::{Job, SetUp};
pub(crate) use crate::wire::json::{decode, encode};
use crate::wire::shard::Fetch;
use crate::wire::shipped::ShippedEntry;

/// What a tool asks. The request's number is that of the frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Begins: the first frame.
    Hello(Hello),
    /// A command that tasks will run. No reply.
    Job(Job),
    /// Files for the directory that commands start in. The worker asks for the content of those that it
    /// lacks. `done` or `failed`.
    Ship(Vec<ShippedEntry>),
    /// Have things made ready for commands, once they are shipped: `done` or `failed`.
    SetUp(SetUp),
    /// A task: its input follows as data, unless it is named here. Replied to with `done`, which
    /// data comes before where records that are left out are to be sent, or `failed`.
    Task(Task),
    /// The resources of the host that this one stands for: the matches of a pattern; or, of a file
    /// that is to be cut, its first part and what is left. `expanded` or `failed`.
    Expand(HostResource),
    /// A shard to be sent, which must hold this: data, and `sent`, or `failed`. Where it has other
    /// copies it is to be checked before anything is sent.
    Fetch(Fetch, Contents, bool),
    /// The request of this number is not wanted any more: it ends soon, with `failed`.
    Cancel,
    /// Keep the shards of the run that was begun, beyond the end of this connection: `done`.
    Keep,
    /// Remove what is kept of this run: `removed`.
    Remove(String),
    /// What is kept here: `kept`.
    List,
    /// Begins an exchange. No reply.
    Exchange(Exchange),
    /// Sort shards that lie here: `sorted` or `failed`.
    Sort(SortTask),
    /// All shards of an exchange that lie here are sorted: `weighed` or `failed`.
    Weigh(u32),
    /// Make ready to send parts of an exchange to peers: `listening` or `failed`.
    Listen(u32),
    /// Send to these peers from now on, and ask them: `done` or `failed`.
    Peers(Peers),
    /// An exchange is over: nothing of it is kept, and nobody listens for it. No reply.
    Over(u32),
    /// Send what lies here of a range: data, and `sent`, or `failed`.
    Part(Part),
    /// Make a shard of a range: `merged` or `failed`; before that `relay` for each part that the tool
    /// is to bring.
    Merge(MergeTask),
    /// Reduce a shard of whole groups: `merged` or `failed`.
    Reduce(Reduce),
    /// A part that was wanted: its data follows. `done` or `failed`.
    Deliver(RelayedPart),
    /// An answer to the worker, which asked for a file of the client: the request is the worker's.
    Client(ClientReply),
}

/// How a tool begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hello {
    /// The version of the protocol.
    pub protocol: u32,
    /// The version of the program.
    pub version: String,
    /// The run that the worker makes shards for, if it does.
    pub run: Option<String>,
    /// How many tasks run at once, where the user says so.
    pub slots: Option<u32>,
    /// How many bytes of memory it may use, where the user says so.
    pub memory: Option<u64>,
    /// Whether the data that it sends is to be packed.
    pub pack: bool,
    /// What the tool calls the host.
    pub name: String,
    /// Whether it serves files of its machine (`client://`).
    pub client: bool,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The job whose command it runs.
    pub job: u32,
    /// Its number, from 1.
    pub task: u64,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// Where its input is.
    pub input: TaskSource,
    /// The part of a file of the tool's machine that the input is, where the command is told of it.
    pub part: Option<ClientPart>,
    /// Whether the records are to be looked for that the command fails on, and left out, and sent.
    pub bisect: bool,
}

/// A part of a file of the tool's machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientPart {
    /// The file's path.
    pub path: Bytes,
    /// Where the part begins, in bytes.
    pub start: u64,
    /// How long it is.
    pub length: u64,
}

/// Where the input of a task is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TaskSource {
    /// It follows, as data.
    Stream,
    /// It follows, and is what the command printed before: no command runs, it is the shard.
    Printed,
    /// A shard on this host, which must hold this.
    Shard(Fetch, Contents),
    /// The records of a resource of this host.
    Resource(HostResource),
}

impl TaskSource {
    /// Whether it follows, as data.
    pub fn follows(&self) -> bool {
        matches!(self, TaskSource::Stream | TaskSource::Printed)
    }
}

/// A resource of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostResource {
    /// Its format, as it is written; otherwise its name decides.
    pub format: Option<String>,
    /// Its path.
    pub path: Bytes,
    /// The part of the file that it is, if it is not the whole.
    pub part: Option<FilePart>,
    /// How it is still to be cut, if it is.
    pub cut: Option<FileCut>,
}

/// A part of a file of a host: whole records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePart {
    /// How many bytes at the beginning of the file belong to every part.
    pub head: u64,
    /// Where the part begins, in bytes.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// The file's size in bytes.
    pub size: u64,
    /// When the file was changed, in nanoseconds since 1970.
    pub modified: u64,
}

/// How a file is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileCut {
    /// About how large its parts are, in bytes.
    pub bytes: u64,
    /// The longest record in bytes.
    pub max_record: u64,
}

/// What a worker replies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Reply {
    /// Begins: the first frame.
    Hello(Welcome),
    /// The request went well.
    Done(Done),
    /// The request went wrong, or was cancelled.
    Failed(Failed),
    /// All of a shard was sent.
    Sent,
    /// Whole lines of a command's standard error, printable, each with its line end.
    Said(String),
    /// What is kept here.
    Kept(Vec<KeptDataset>),
    /// What a resource stands for.
    Expanded(Vec<HostResource>),
    /// Whether there was something to remove, which is gone now.
    Removed(bool),
    /// Shards were sorted.
    Sorted(SortResult),
    /// What there is to offer in an exchange.
    Weighed(HostOffer),
    /// Where peers can ask for parts.
    Listening(Listening),
    /// A part is to be brought for a merge.
    Relay(RelayRequest),
    /// A range was merged.
    Merged(Merged),
    /// A command wants a file of the client: the request is the worker's own.
    Client(ClientAsk),
}

/// How a worker begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// The version of the protocol.
    pub protocol: u32,
    /// The version of the program.
    pub version: String,
    /// How many tasks it runs at once.
    pub slots: u32,
    /// The cores that it may use.
    pub cores: u32,
    /// The memory that it may use, in bytes.
    pub memory: u64,
    /// The bytes free where its shards lie.
    pub disk: u64,
    /// The machine's architecture.
    pub arch: String,
    /// Where its files lie.
    pub directory: Bytes,
    /// Where else it finds files of workers before it.
    pub others: Vec<Bytes>,
}

/// How a request went well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The shard that a task has made.
    pub contents: Contents,
    /// How many bad records were left out of it.
    pub rejected: u64,
    /// Bytes that went through temporary files.
    pub spilled: u64,
    /// How long the command of a task ran, in microseconds.
    pub took_us: u64,
    /// What it has counted.
    pub counters: Counters,
}

/// How a request went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The exit code of the kind of failure.
    pub code: u8,
    /// What went wrong.
    pub text: String,
    /// Whether the command failed, which may go better elsewhere.
    pub by_command: bool,
    /// The record that it failed on, where each is a run of its own.
    pub record: Option<Bytes>,
    /// The last lines of its standard error.
    pub last_words: Vec<String>,
    /// How many of them, the first ones, were said already.
    pub passed: u64,
}

/// A dataset that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptDataset {
    /// Its run.
    pub run: String,
    /// How many shards lie here.
    pub shards: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Whether it is kept for good, or belongs to a tool that runs.
    pub for_good: bool,
}

/// What a worker of an exchange listens with, for its peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listening {
    /// Where it listens: addresses of sockets, best first.
    pub addresses: Vec<String>,
    /// The public key that it shows, as DER.
    pub public_key: Bytes,
}

/// What one worker asks of another: its items of a range of keys, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The exchange.
    pub exchange: u32,
    /// The first key of the range; none is the beginning.
    pub from: Option<Bytes>,
    /// The key behind the range; none is the end.
    pub to: Option<Bytes>,
    /// That the asker is to merge this range: [`token`](crate::wire::exchange::token). The tool
    /// needs none.
    pub token: Option<String>,
}

impl Failed {
    /// The failure that `error` is, not by a command.
    pub fn of(error: &Error) -> Failed {
        let (code, text) = (error.exit_code(), error.to_string());
        Failed { code, text, by_command: false, record: None, last_words: Vec::new(), passed: 0 }
    }

    /// The failure as an error.
    pub fn error(&self) -> Error {
        let kind = match self.code {
            1 => ErrorKind::Command,
            2 => ErrorKind::Usage,
            3 => ErrorKind::BadInput,
            5 => ErrorKind::Hosts,
            6 => ErrorKind::Storage,
            124 => ErrorKind::Timeout,
            _ => ErrorKind::Incomplete,
        };
        Error::new(kind, self.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_come_back() {
        let part = Some(ClientPart { path: Bytes(b"/a".to_vec()), start: 1, length: 2 });
        let input = TaskSource::Stream;
        let task = Task { job: 1, task: 7, attempt: 2, input, part, bisect: false };
        for ask in [Ask::Task(task), Ask::Cancel, Ask::Remove("x".into())] {
            assert_eq!(decode::<Ask>(&encode(&ask)).unwrap(), ask);
        }
        let failed = Failed::of(&Error::new(ErrorKind::Timeout, "slow"));
        assert_eq!(
            decode::<Reply>(&encode(&Reply::Failed(failed.clone()))).unwrap(),
            Reply::Failed(failed.clone())
        );
        assert_eq!(
            (failed.error().kind(), failed.error().to_string()),
            (ErrorKind::Timeout, "slow".into())
        );
        assert!(decode::<Ask>(b"{\"hello\":{}}").is_err());
        assert!(decode::<Ask>(b"").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Ask>(&bytes);
            let _ = decode::<Reply>(&bytes);
        }
    }
}
