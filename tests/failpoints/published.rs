//! What gets the name of an output is on the disk by then, and soon the name is, too: else a crash of the
//! machine leaves a file under that name that is empty or lacks its end.

use std::path::{Path, PathBuf};

use super::calls::NotedCall;
use super::local::{CSV, ELSEWHERE, OUTPUTS, inputs, lanes};
use super::pipeline::{Lane, Pipeline};
use super::remote::{KEPT, lane};
use crate::support::{dir, write};

/// The calls that each process of `program` makes in `pipeline`, which does well.
fn calls(lane: &Lane, pipeline: &Pipeline, inputs: &Path, program: &str) -> Vec<Vec<NotedCall>> {
    lane.plan.note(program);
    let (codes, said, _) = lane.run(pipeline, inputs);
    assert!(codes.iter().all(|code| *code == 0), "{}: {codes:?} {said:?}", pipeline.name);
    lane.plan.in_order()
}

/// Whether one of `calls` syncs `path`.
fn sync(calls: &[NotedCall], path: &Path) -> bool {
    calls.iter().any(|call| call.kind == "sync" && call.path == path)
}

/// Whether what was written to `path`, beside `output`, is in it at the end: a database removes files of its own, and
/// gives them other names.
fn stays(path: &Path, output: &Path) -> bool {
    let beside = path.strip_prefix(output.parent().unwrap()).unwrap();
    // Behind the temporary name.
    let below: PathBuf = beside.components().skip(1).collect();
    below.as_os_str().is_empty() || output.join(below).exists()
}

/// That all which was written into the directory of `output` was synced when it got that name, and the name behind
/// that; what lies in `others` is none of it. All that is by the one process that gives the name.
fn is_synced(all: &[Vec<NotedCall>], output: &Path, others: &[PathBuf]) {
    let directory = output.parent().unwrap();
    let is_named = |call: &NotedCall| {
        let is_name = ["rename", "link"].contains(&call.kind.as_str());
        is_name && directory.join(&call.path) == output
    };
    let named = |calls: &Vec<NotedCall>| calls.iter().position(is_named);
    let by_one = all.iter().find_map(|calls| Some((calls, named(calls)?)));
    let (calls, named) =
        by_one.unwrap_or_else(|| panic!("{} is never named: {all:#?}", output.display()));
    let mut written = 0;
    for (at, NotedCall { kind, path }) in calls[..named].iter().enumerate() {
        let is_of_it = path.starts_with(directory) && !others.iter().any(|o| path.starts_with(o));
        let is_new = ["write", "rename"].contains(&kind.as_str());
        if !is_new || !is_of_it || !stays(path, output) {
            continue;
        }
        written += 1;
        let behind = &calls[at..named];
        assert!(sync(behind, path), "{} is not synced: {calls:#?}", path.display());
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != directory) {
            assert!(sync(behind, parent), "{} is not synced: {calls:#?}", parent.display());
        }
    }
    assert!(written > 0, "nothing is written: {calls:#?}");
    assert!(sync(&calls[named..], directory), "its name is not synced: {calls:#?}");
}

/// What a lane has beside an output.
fn others(lane: &Lane) -> [PathBuf; 3] {
    ["T", "state", "errors"].map(|name| lane.at(name))
}

#[test]
fn outputs_are_synced_before_they_get_their_names() {
    let dir = dir();
    inputs(&dir);
    let lane = &lanes(dir.path())[0];
    for pipeline in [CSV].iter().chain(&OUTPUTS).chain(&ELSEWHERE) {
        let all = calls(lane, pipeline, dir.path(), "mc-gather");
        is_synced(&all, &lane.at(pipeline.output), &others(lane));
    }
}

#[test]
fn shards_are_synced_before_they_are_kept_and_named() {
    let dir = dir();
    let rows: String = (0..1200).map(|n| format!("k{n},{n}\n")).collect();
    write(&dir, "in.csv", format!("k,v\n{rows}"));
    let lane = lane(&dir.path().join("lane"));
    let all = calls(&lane, &KEPT, dir.path(), "mc-sort");
    is_synced(&all, &lane.at(KEPT.output), &others(&lane));
    let runs = lane.at("state/mycloud/runs");
    let is_record = |call: &NotedCall| call.kind == "write" && call.path.starts_with(&runs);
    let record = all.iter().find_map(|calls| Some(&calls[calls.iter().position(is_record)?..]));
    let record = record.unwrap_or_else(|| panic!("nothing is on record: {all:#?}"));
    assert!(sync(record, &record[0].path) && sync(record, &runs), "{record:#?}");
    let all = calls(&lane, &KEPT, dir.path(), "mc-worker");
    let mut kept = 0;
    for calls in &all {
        let is_kept = |call: &NotedCall| {
            call.kind == "rename" && call.path.parent().is_some_and(|to| to.ends_with("kept"))
        };
        let Some(named) = calls.iter().position(is_kept) else { continue };
        let run = calls[named].path.file_name().unwrap();
        let is_shard = |call: &&NotedCall| {
            let number = call.path.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
            let directory = call.path.parent().and_then(Path::file_name);
            call.kind == "rename" && number.is_some() && directory == Some(run)
        };
        for shard in calls[..named].iter().filter(is_shard) {
            let (path, directory) = (&shard.path, shard.path.parent().unwrap());
            let synced = &calls[..named];
            assert!(sync(synced, path) && sync(synced, directory), "{path:?}: {calls:#?}");
            kept += 1;
        }
        let directory = calls[named].path.parent().unwrap();
        assert!(sync(&calls[named..], directory), "its name is not synced: {calls:#?}");
    }
    assert!(kept > 0, "no shard is kept: {all:#?}");
}
