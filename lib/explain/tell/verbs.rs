//! What each tool does with what it reads, in a line or two.

use super::resources;
use crate::explain::outline::{CommandOutline, KeyOutline, OpOutline, ShipOutline};
use crate::explain::schema::{PlanWord, StagePlan, StreamKind, StreamPlan};
use crate::explain::wrap::{counted, said, size};

/// The lines.
pub(super) fn lines(stage: &StagePlan) -> Vec<String> {
    let mut lines = match stage.tool.as_str() {
        "mc-cat" => cat(stage),
        "mc-split" => split(stage),
        "mc-scatter" => scatter(stage),
        "mc-map" => Vec::new(),
        "mc-shuffle" | "mc-sort" => ordered(stage),
        "mc-reduce" => reduce(stage),
        "mc-join" => join(stage),
        "mc-gather" => gather(stage),
        _ => Vec::new(),
    };
    if let Some(command) = &stage.command {
        lines.extend(command_lines(command));
    }
    lines
}

/// A key that is spelled, for people.
pub(super) fn key_named(spelled: &str) -> String {
    match spelled {
        "" => "the first element of arrays, or the record".into(),
        key => key.into(),
    }
}

fn key(parts: &[KeyOutline]) -> String {
    key_named(&KeyOutline::spelled(parts))
}

/// What else is read than what comes from the tool before.
fn read_here(reads: &StreamPlan) -> Option<String> {
    let is_named = reads.kind == StreamKind::Resources;
    is_named.then(|| format!("reads {}", resources(&reads.resources)))
}

fn cat(stage: &StagePlan) -> Vec<String> {
    let reads = &stage.reads;
    match (reads.kind, stage.place.here) {
        (StreamKind::Resources, true) => vec![resources(&reads.resources)],
        (StreamKind::Resources, false) => {
            let names: Vec<_> = reads.resources.iter().map(|one| one.shown.as_str()).collect();
            let whose = match stage.options.contains_key("shared") {
                true => "on the file system that all hosts see, each file once, in parts",
                false => "of each host's own",
            };
            vec![format!("{}: files {whose}", names.join(" "))]
        }
        (StreamKind::Shards, _) => vec!["the records of shards, brought here".into()],
        _ => vec!["the records as they come".into()],
    }
}

fn split(stage: &StagePlan) -> Vec<String> {
    let mut lines: Vec<String> = read_here(&stage.reads).into_iter().collect();
    let by = match stage.split_by.as_deref() {
        Some("key") => format!("by {}", key(stage.key.as_deref().unwrap_or_default())),
        Some("round-robin") => "each record to the next in turn".into(),
        _ => "in order, about as many bytes each".into(),
    };
    match stage.writes.kind {
        StreamKind::Shards => {
            lines.push(
                "parts of the files, read where they are worked on: nothing is copied".into(),
            );
        }
        _ => {
            let count = stage.writes.count.unwrap_or_default();
            let to = stage.writes.resources.first().map(|to| to.shown.as_str()).unwrap_or_default();
            lines.push(format!("into {} {to}: {by}", counted(count, "file", "files")));
        }
    }
    lines
}

fn scatter(stage: &StagePlan) -> Vec<String> {
    let what = if stage.reads.kind == StreamKind::Shards { "shards" } else { "records" };
    vec![match stage.place.replicas {
        Some(copies) if copies > 1 => {
            format!("puts {what} on hosts, each shard on {copies} of them")
        }
        _ => format!("puts {what} on hosts, in their order"),
    }]
}

/// A shuffle or a sort.
fn ordered(stage: &StagePlan) -> Vec<String> {
    let mut lines: Vec<String> = read_here(&stage.reads).into_iter().collect();
    let verb = match stage.mode.as_deref() {
        Some("check") => "checks that records are in the order of",
        Some("merge") => "merges inputs that are in the order of",
        Some("shuffle") => "groups by",
        _ => "sorts by",
    };
    let mut line = format!("{verb} {}", key(stage.key.as_deref().unwrap_or_default()));
    if stage.reverse {
        line += ", reversed";
    }
    if stage.unique {
        line += ", the first record of each key alone";
    }
    if !stage.order_by.is_empty() {
        line += &format!(", inside of groups by {}", key(&stage.order_by));
    }
    if !stage.ops.is_empty() {
        line += &format!("; reduces each group to {}", ops(&stage.ops));
    }
    lines.push(line);
    lines
}

fn reduce(stage: &StagePlan) -> Vec<String> {
    let spelled = stage.key.as_deref().map(key);
    let by = match (stage.key_from.as_deref(), spelled) {
        (Some("all"), _) => "all records are one group".into(),
        (Some("stream"), Some(key)) => format!("by {key}, as the tool before did"),
        (_, Some(key)) => format!("by {key}"),
        (_, None) => "by the first element of pairs".into(),
    };
    match stage.ops.is_empty() {
        true => vec![by],
        false => vec![format!("{by}: {}", ops(&stage.ops))],
    }
}

fn ops(ops: &[OpOutline]) -> String {
    ops.iter().map(OpOutline::spelled).collect::<Vec<_>>().join(", ")
}

fn join(stage: &StagePlan) -> Vec<String> {
    let Some(join) = &stage.join else { return Vec::new() };
    let (left, right) = (KeyOutline::spelled(&join.left), KeyOutline::spelled(&join.right));
    let by = if left == right { left } else { format!("{left} = {right}") };
    let how = match join.kind.as_str() {
        "inner" => "records with a match, each with each of its matches",
        "left" => "these, and records without a match",
        "outer" => "these, and those of both sides without a match",
        "semi" => "records with a match, as they are",
        _ => "records without a match, as they are",
    };
    vec![format!("with {}", resources(&join.resources)), format!("by {by}: {how}")]
}

fn gather(stage: &StagePlan) -> Vec<String> {
    let writes = &stage.writes;
    let Some(to) = writes.resources.first() else {
        return match stage.reads.kind {
            StreamKind::Shards => vec!["brings the records of the shards here, in order".into()],
            _ => vec!["checks records, and passes them on".into()],
        };
    };
    let format = match to.packed.as_deref() {
        Some(codec) => format!("{}, {codec}", to.spec),
        None => to.spec.clone(),
    };
    let shown = if to.place == "standard" { "standard output" } else { &to.shown };
    let mut line = match writes.count {
        Some(count) => format!("to {} {shown}: {format}", counted(count, "file", "files")),
        None => format!("to {shown}: {format}"),
    };
    if to.place != "standard" {
        line += ", whole at the end or not at all";
    }
    if writes.replace {
        line += "; what is there is replaced";
    }
    vec![line]
}

fn command_lines(command: &CommandOutline) -> Vec<String> {
    let mut lines = vec![match &command.line {
        Some(line) => format!("-c '{}'", line.shown().replace('\'', "'\\''")),
        None => command.words.iter().map(quoted).collect::<Vec<_>>().join(" "),
    }];
    let runs = command.tasks.map(|count| format!(", about {}", counted(count, "run", "runs")));
    let mut how = match (command.per.as_str(), command.block) {
        ("record", _) => "once for each record".into(),
        ("shard", _) => "once for each shard".into(),
        ("all", _) => "once, for all records".into(),
        ("groups", Some(block)) => format!("for whole groups, about {} of them", said(block)),
        ("groups", None) => "for whole groups, from 256K to 6M of them".into(),
        (_, Some(block)) => format!("for each block of about {}", said(block)),
        (_, None) => "for each block, from 256K to 4M or more".into(),
    };
    how += &runs.unwrap_or_default();
    if (command.input.as_str(), command.output.as_str()) != ("json", "json") {
        how += &format!("; reads {}, prints {}", command.input, command.output);
    }
    lines.push(how);
    if !command.ship.is_empty() {
        lines.push(shipped(&command.ship));
    }
    if let Some(line) = &command.setup {
        lines.push(format!("set up on each host by: {}", line.shown()));
    }
    lines
}

/// What is sent to the hosts.
fn shipped(files: &[ShipOutline]) -> String {
    let bytes: u64 = files.iter().filter_map(|file| file.bytes).sum();
    match files {
        [file] => format!("sends {} ({}) to each host", file.to.shown(), size(bytes)),
        files => format!("sends {} files ({}) to each host", files.len(), size(bytes)),
    }
}

/// A word as it is typed.
fn quoted(word: &PlanWord) -> String {
    let text = word.shown();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%^".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
