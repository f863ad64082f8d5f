//! `mc-join` on the shards of hosts: a right side that is small is sent to each host, and joined with
//! each shard where that lies, by the very same tool.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::JoinOptions;
use crate::cluster::Shipped;
use crate::command::{Command, CommandEnd, Given};
use crate::engine::consumer::{Consumer, ConsumerInput};
use crate::engine::producer::Producer;
use crate::engine::quarantine::Quarantine;
use crate::engine::shard_job::{ShardJob, ShippedCommand};
use crate::engine::{CommandPlan, Form, Halt};
use crate::error::{Error, ErrorKind, Result};
use crate::explain::schema::StagePlan;
use crate::group::join::JoinKind;
use crate::record::block::{Blocks, flaw_error};
use crate::record::scan;
use crate::record::stream::{Input, Output, Summary};
use crate::spool::{Reading, Spool};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 1 << 20;

/// How many times its bytes a right side takes where it is held, about.
const HELD_TIMES: u64 = 8;

/// What the right side is called where it was sent to.
const THERE: &str = "right.ndjson";

/// Whether each shard can be joined by itself: right records without a match are those of none of
/// them.
pub fn is_possible(options: &JoinOptions) -> bool {
    options.join.kind != JoinKind::Outer
}

/// Says in `stage` that shards of hosts are joined where they lie, if the right side is small; what is
/// `right` is known of it.
pub fn explain(stage: &mut StagePlan) {
    let Some(join) = &mut stage.join else { return };
    join.sends_right = true;
    let each = stage.place.hosts.len() as u64;
    let sent = join.bytes.map(|bytes| bytes.saturating_mul(each));
    stage.crosses("to-hosts", sent, "the right records, to each host");
    stage.notes.push(
        "right records that take more than an eighth of the memory of a slot are not sent: then the \
         left ones are brought here, and joined here"
            .into(),
    );
}

/// The memory of a task in bytes, of hosts that have `memory` each, where those of `shards` do not say
/// how many slots they have: `slots` then.
pub fn task_memory(shards: &Consumer, memory: u64, slots: usize) -> u64 {
    let said = shards.origin.hosts.iter().map(|(host, _)| host.slots.unwrap_or(0));
    let most = said.max().filter(|&slots| slots > 0);
    memory / most.map_or(slots as u64, u64::from).max(1)
}

/// The right side, as it was read.
pub enum RightRead {
    /// All of it, few bytes enough to be sent and held there.
    Small(SmallSide),
    /// Too much for that: what was read, and what is still to be.
    Large(Box<dyn Input>),
}

/// A right side to be sent.
pub struct SmallSide {
    /// Its records; none where it is empty.
    file: Option<File>,
    /// The hash of them, as [`checked`] takes it.
    hash: String,
    /// The memory that a task has for it, in bytes.
    memory: u64,
}

/// Reads the right side, and checks its records; it is small where it can be held in `memory` bytes.
///
/// # Errors
/// `BadInput` for a bad record; `Storage` when there is no room for it; what the stream says.
pub fn read(options: &JoinOptions, right: Box<dyn Input>, memory: u64) -> Result<RightRead> {
    let JoinOptions { limits, bad, note, .. } = options;
    let name = right.name().to_string();
    let mut blocks = Blocks::new(right, limits.max_record);
    let mut spool = Spool::new(Vec::new(), BLOCK_BYTES, &limits.directory);
    let mut hash = Xxh3::new();
    while let Some(block) = blocks.next(BLOCK_BYTES, Vec::new(), bad)? {
        for line in block.lines() {
            scan::check(line.text).map_err(|flaw| flaw_error(&name, line, flaw))?;
        }
        hash.update(&block.bytes);
        spool.push(&block.bytes)?;
        if spool.len() > memory / HELD_TIMES {
            note(&format!("{name}: too large to be sent to the hosts and held there"));
            let kept = Some(spool.into_reading());
            let (bad, block) = (Arc::clone(bad), Vec::new());
            return Ok(RightRead::Large(Box::new(Resumed {
                name,
                kept,
                blocks,
                bad,
                block,
                at: 0,
            })));
        }
    }
    let bytes = spool.len();
    note(&format!("{name}: {bytes} bytes, sent to each host and joined where the shards lie"));
    let file = spool.into_file()?.map(|(file, _)| file);
    Ok(RightRead::Small(SmallSide { file, hash: hash_of(&hash), memory }))
}

/// The hash of records, as a word.
fn hash_of(hash: &Xxh3) -> String {
    format!("{:032x}", hash.digest128())
}

/// The right side. Where it was sent to, it is held against `hash`, which the tool said that sent it: it lay
/// in files meanwhile, here and there.
pub fn checked(right: Box<dyn Input>, hash: Option<String>) -> Box<dyn Input> {
    match hash {
        Some(want) => Box::new(Checked { right, want, hash: Xxh3::new() }),
        None => right,
    }
}

struct Checked {
    right: Box<dyn Input>,
    want: String,
    hash: Xxh3,
}

impl Input for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.right.read(buffer)?;
        self.hash.update(&buffer[..count]);
        if count == 0 && !buffer.is_empty() && hash_of(&self.hash) != self.want {
            let name = self.right.name();
            return Err(Error::incomplete(format!("{name} is not what the right records were")));
        }
        Ok(count)
    }

    fn name(&self) -> &str {
        self.right.name()
    }
}

/// A stream of which some was kept.
struct Resumed {
    name: String,
    kept: Option<Reading<Spool>>,
    blocks: Blocks<Box<dyn Input>>,
    bad: Arc<crate::record::bad::Bad>,
    block: Vec<u8>,
    at: usize,
}

impl Input for Resumed {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some(kept) = &mut self.kept {
            match kept.fill(buffer)? {
                0 => self.kept = None,
                count => return Ok(count),
            }
        }
        if self.at == self.block.len() {
            let memory = std::mem::take(&mut self.block);
            self.at = 0;
            match self.blocks.next(BLOCK_BYTES, memory, &self.bad)? {
                Some(block) => self.block = block.bytes,
                None => return Ok(0),
            }
        }
        let rest = &self.block[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Joins the shards where they lie, as `job` says, with the right side, and writes the manifest of the
/// results to `output`. `key` is what `-k` says.
///
/// # Errors
/// As [`super::run`]; `Hosts` when hosts cannot be reached, or are lost with shards.
pub fn run(
    options: &JoinOptions,
    key: &str,
    right: &SmallSide,
    job: &ShardJob<'_>,
    shards: Box<Consumer>,
    output: &mut dyn Output,
) -> Result<(Summary, Producer)> {
    // It has no name, and is gone with this process.
    let from = match &right.file {
        Some(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
        None => PathBuf::from("/dev/null"),
    };
    let given = Given::Words(words(options, key, right));
    let plan = CommandPlan {
        command: Command::elsewhere(given.clone())?,
        form: Form::default(),
        ok_exit: vec![0],
        retries: 1,
        timeout: None,
        halt: Halt::default(),
        speculates: false,
        memo: None,
        failed: Arc::new(Quarantine::none()),
        plain_lines: "",
        kept: None,
        shared: None,
    };
    let files = vec![Shipped { from, to: PathBuf::from(THERE), link: None }];
    let shipped = ShippedCommand { given, files, setup: None };
    job.run(Some((&plan, &shipped)), ConsumerInput::Shards(shards), output).map_err(meant)
}

/// The call of this tool on a host.
fn words(options: &JoinOptions, key: &str, right: &SmallSide) -> Vec<OsString> {
    let JoinOptions { join, limits, .. } = options;
    let mut words = vec!["mc-join".to_string(), format!("--key={key}")];
    let kind = match join.kind {
        JoinKind::Inner => None,
        JoinKind::Left => Some("--left"),
        JoinKind::Outer => Some("--outer"),
        JoinKind::Semi => Some("--semi"),
        JoinKind::Anti => Some("--anti"),
    };
    words.extend(kind.map(String::from));
    if !join.prefix.is_empty() {
        words.push(format!("--prefix={}", join.prefix));
    }
    let SmallSide { memory, hash, .. } = right;
    words.extend(["-j".into(), "1".into(), format!("--memory={memory}")]);
    words.push(format!("--right-hash={hash}"));
    words.push(format!("--max-record={}", limits.max_record));
    words.push(format!("ndjson:{THERE}"));
    words.into_iter().map(OsString::from).collect()
}

/// The failure of our own tool there is of the kind that its exit status says.
fn meant(error: Error) -> Error {
    let text = error.to_string();
    let ended =
        |kind: &ErrorKind| text.contains(&CommandEnd::Status(kind.exit_code().into()).to_string());
    let kinds = [ErrorKind::BadInput, ErrorKind::Incomplete, ErrorKind::Storage, ErrorKind::Usage];
    match (error.kind(), kinds.iter().find(|kind| ended(kind))) {
        (ErrorKind::Command, Some(kind)) => Error::new(*kind, text),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::Memory;
    use crate::format::resource::Resource;
    use crate::format::{ReadOptions, stream};
    use crate::group::join::Join;
    use crate::group::order::Limits;
    use crate::record::bad::{Bad, Policy};
    use crate::record::key_pair::KeyPair;
    use std::os::unix::fs::FileExt;

    fn small(text: &[u8]) -> SmallSide {
        let join = Join {
            keys: KeyPair::parse("k").unwrap(),
            kind: JoinKind::Inner,
            prefix: String::new(),
        };
        let limits = Limits {
            memory: 1 << 24,
            jobs: 1,
            directory: std::env::temp_dir(),
            max_record: 1 << 20,
        };
        let bad = Arc::new(Bad::new(Policy::Fail).unwrap());
        let (warn, note) = (Arc::new(|_: &str| ()), Arc::new(|_: &str| ()));
        let options = JoinOptions { join, limits, bad, warn, note };
        match read(&options, Box::new(Memory::new("r", text)), 1 << 24).unwrap() {
            RightRead::Small(small) => small,
            RightRead::Large(_) => panic!("large"),
        }
    }

    /// Reads it as it is read where it was sent to.
    fn there(side: &SmallSide) -> Result<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(THERE);
        let fd = side.file.as_ref().unwrap().as_raw_fd();
        std::fs::copy(format!("/proc/self/fd/{fd}"), &path).unwrap();
        let name = OsString::from(format!("ndjson:{}", path.display()));
        let resource = Resource::parse(&name, None).unwrap();
        let right = stream::open(&[resource], &ReadOptions::new(Policy::Fail).unwrap()).unwrap();
        let mut right = checked(right, Some(side.hash.clone()));
        let (mut all, mut buffer) = (Vec::new(), [0; 7]);
        loop {
            match right.read(&mut buffer)? {
                0 => return Ok(all),
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn what_is_sent_is_held_against_what_was_read_here() {
        for text in ["{\"k\":1}\n", "\n\r\n {\"k\": 1}\r\n\n{\"k\":2}", "[1]\n\t[2]\n\n"] {
            let side = small(text.as_bytes());
            assert!(there(&side).unwrap().len() >= text.trim_end().len() - 4, "{text:?}");
        }
        let side = small(b"{\"k\":1,\"a\":10}\n{\"k\":2}\n");
        let file = side.file.as_ref().unwrap();
        file.write_all_at(b"3", 5).unwrap();
        let error = there(&side).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains("is not what the right records were"), "{error}");
        file.write_all_at(b"1", 5).unwrap();
        assert!(there(&side).is_ok());
        file.set_len(17).unwrap();
        assert!(there(&side).is_err(), "a record that lacks");
    }
}
