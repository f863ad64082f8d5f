//! The reading of lines. Kinds and fields that are not known here are passed over, as a later mycloud may write
//! more.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::report::model::{
    CommandRun, Numbers, Outcome, Recorded, ShardMade, StageRun, TaskAttempt, TaskFailed,
};

/// The version of the lines that is understood.
const VERSION: u64 = 1;

/// Takes one line.
///
/// # Errors
/// Why it is none.
pub(super) fn read(line: &[u8], recorded: &mut Recorded) -> Result<(), String> {
    let fields: Map<String, Value> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    let word = |name: &str| fields.get(name).and_then(Value::as_str);
    let version = fields.get("v").and_then(Value::as_u64);
    let (Some(kind), Some(VERSION)) = (word("kind"), version) else {
        recorded.unknown += 1;
        return Ok(());
    };
    if !matches!(kind, "begin" | "stage" | "command" | "task" | "shard" | "failure") {
        recorded.unknown += 1;
        return Ok(());
    }
    let id = word("stage").ok_or("the field stage is missing")?.to_string();
    let tool = word("tool").ok_or("the field tool is missing")?.to_string();
    let kind = kind.to_string();
    let stage = recorded.stages.entry(id).or_default();
    stage.tool = tool;
    take(stage, &kind, Value::Object(fields)).map_err(|e| format!("{kind}: {e}"))
}

fn take(stage: &mut StageRun, kind: &str, fields: Value) -> serde_json::Result<()> {
    match kind {
        "begin" => begin(stage, serde_json::from_value(fields)?),
        "stage" => {
            begin(stage, serde_json::from_value(fields.clone())?);
            end(stage, serde_json::from_value(fields)?);
        }
        "command" => {
            let CommandLine { command, input, each } = serde_json::from_value(fields)?;
            stage.command = Some(CommandRun { line: command, input, each });
        }
        "task" => stage.attempts.push(attempt(serde_json::from_value(fields)?)),
        "shard" => {
            let ShardLine { shard, hosts, records, bytes } = serde_json::from_value(fields)?;
            stage.shards.push(ShardMade { shard, hosts, records, bytes });
        }
        _ => {
            let FailureLine { task, error, by_hand } = serde_json::from_value(fields)?;
            stage.failures.push(TaskFailed { task, error, by_hand });
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct BeginLine {
    begin: f64,
    pid: u64,
    #[serde(default)]
    words: String,
    #[serde(default)]
    directory: String,
    #[serde(default)]
    reads: Vec<u64>,
    #[serde(default)]
    writes: Option<u64>,
}

fn begin(stage: &mut StageRun, line: BeginLine) {
    let BeginLine { begin, pid, words, directory, reads, writes } = line;
    (stage.begin, stage.pid, stage.words, stage.directory) = (begin, pid, words, directory);
    (stage.pipes_read, stage.pipe_written) = (reads, writes);
}

#[derive(Deserialize)]
struct EndLine {
    status: u8,
    seconds: f64,
    end: f64,
    peak_rss_bytes: Option<u64>,
    counters: Option<Value>,
    #[serde(default)]
    reads_runs: Vec<String>,
    makes_run: Option<String>,
    plan: Option<Box<Value>>,
    records_in: Option<u64>,
    records_out: Option<u64>,
    bytes_in: Option<u64>,
    bytes_out: Option<u64>,
    bad: Option<u64>,
    failed: Option<u64>,
    missing: Option<u64>,
    lacking: Option<u64>,
    spilled_bytes: Option<u64>,
    retries: Option<u64>,
    memo_hits: Option<u64>,
    client_bytes: Option<u64>,
}

fn end(stage: &mut StageRun, line: EndLine) {
    stage.status = Some(line.status);
    (stage.seconds, stage.end) = (Some(line.seconds), Some(line.end));
    (stage.peak_rss_bytes, stage.counters) = (line.peak_rss_bytes, line.counters);
    (stage.runs_read, stage.run_made) = (line.reads_runs, line.makes_run);
    // One of a later version is passed over, as all that is not known is.
    stage.plan = line.plan.and_then(|plan| serde_json::from_value(*plan).ok());
    stage.numbers = Numbers {
        records_in: line.records_in,
        records_out: line.records_out,
        bytes_in: line.bytes_in,
        bytes_out: line.bytes_out,
        bad: line.bad,
        failed: line.failed,
        missing: line.missing,
        lacking: line.lacking,
        spilled_bytes: line.spilled_bytes,
        retries: line.retries,
        memo_hits: line.memo_hits,
        client_bytes: line.client_bytes,
    };
}

#[derive(Deserialize)]
struct CommandLine {
    command: String,
    #[serde(default)]
    input: String,
    #[serde(default)]
    each: bool,
}

#[derive(Deserialize)]
struct TaskLine {
    #[serde(default)]
    work: String,
    task: u64,
    attempt: u64,
    #[serde(default)]
    speculated: bool,
    host: String,
    slot: u64,
    begin: f64,
    end: f64,
    seconds: f64,
    ran_seconds: Option<f64>,
    lines: Option<(u64, u64)>,
    shard: Option<u64>,
    records_in: Option<u64>,
    bytes_in: Option<u64>,
    records_out: Option<u64>,
    bytes_out: Option<u64>,
    outcome: String,
    exit: Option<i64>,
    why: Option<String>,
}

fn attempt(line: TaskLine) -> TaskAttempt {
    TaskAttempt {
        work: line.work,
        task: line.task,
        attempt: line.attempt,
        speculated: line.speculated,
        host: line.host,
        slot: line.slot,
        begin: line.begin,
        end: line.end,
        seconds: line.seconds,
        ran_seconds: line.ran_seconds,
        lines: line.lines,
        shard: line.shard,
        records_in: line.records_in,
        bytes_in: line.bytes_in,
        records_out: line.records_out,
        bytes_out: line.bytes_out,
        outcome: Outcome::of(&line.outcome),
        exit: line.exit,
        why: line.why,
    }
}

#[derive(Deserialize)]
struct ShardLine {
    shard: u64,
    #[serde(default)]
    hosts: Vec<String>,
    records: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct FailureLine {
    task: u64,
    error: String,
    by_hand: Option<String>,
}
