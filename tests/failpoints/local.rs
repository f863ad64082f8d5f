//! Calls that fail in pipelines of this machine.

use std::path::Path;
use std::sync::Mutex;

use super::calls::library;
use super::pipeline::{Lane, Pipeline};
use super::sweep::{Found, sweep, thorough};
use crate::support::{dir, write};

/// Four stages, with a command and with temporary files, into a file that replaces another.
pub const CSV: Pipeline = Pipeline {
    name: "csv",
    stages: &[
        "mc-cat csv:{}/in.csv",
        "mc-map cat",
        "mc-sort -k k -S 150K",
        "mc-reduce -k k count sum:v",
        "mc-gather -o csv:out.csv",
    ],
    output: "out.csv",
    replaces: true,
    shows: "cat out.csv",
    programs: &[
        ("mc-cat", &["open", "read", "give"]),
        ("mc-map", &["give", "take", "pipe", "spawn"]),
        ("mc-sort", &["open", "read", "write", "take", "give"]),
        ("mc-reduce", &["take", "give"]),
        ("mc-gather", &["open", "write", "sync", "link", "rename"]),
    ],
};

/// What other outputs are written with.
pub const OUTPUTS: [Pipeline; 5] = [
    output("zip", &["mc-cat {}/pairs.ndjson", "mc-gather -o zip:out.zip"], "out.zip", true),
    output("leveldb", &["mc-cat {}/pairs.ndjson", "mc-gather -o leveldb:out"], "out", false),
    output("files", &["mc-cat {}/pairs.ndjson", "mc-gather -o files:out"], "out", false),
    output("text.gz", &["mc-cat {}/words.txt", "mc-gather -o out.txt.gz"], "out.txt.gz", true),
    output("json", &["mc-cat {}/pairs.ndjson", "mc-gather -o out.json"], "out.json", true),
];

/// A file and a tree that are named by their whole paths, as they lie in the first lane.
pub const ELSEWHERE: [Pipeline; 2] = [
    output(
        "path of a file",
        &["mc-cat {}/pairs.ndjson", "mc-gather -o ndjson:{}/lane0/out.ndjson"],
        "out.ndjson",
        true,
    ),
    output(
        "path of a tree",
        &["mc-cat {}/nested.ndjson", "mc-gather -o files:{}/lane0/out"],
        "out",
        false,
    ),
];

const fn output(
    name: &'static str,
    stages: &'static [&'static str],
    output: &'static str,
    replaces: bool,
) -> Pipeline {
    let shows = "mc-cat out*";
    let programs: &[(&str, &[&str])] = &[("mc-gather", &["open", "write", "rename"])];
    Pipeline { name, stages, output, replaces, shows, programs }
}

/// The inputs of all of them.
pub fn inputs(dir: &tempfile::TempDir) {
    let rows: String =
        (0..1200).map(|n| format!("k{},{n},{}\n", n * 7919 % 97, "x".repeat(n % 50))).collect();
    write(dir, "in.csv", format!("k,v,filler\n{rows}"));
    let pairs: String = (0..30).map(|n| format!("[\"k{n:02}\",\"{}\"]\n", "v".repeat(n))).collect();
    write(dir, "pairs.ndjson", pairs);
    write(dir, "nested.ndjson", "[\"a\",\"1\"]\n[\"b/c/d\",\"2\"]\n[\"b/e/f\",\"3\"]\n");
    write(dir, "words.txt", (0..300).map(|n| format!("word {n}\n")).collect::<String>());
}

pub fn lanes(dir: &Path) -> Vec<Lane> {
    let count = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let of = |number: usize| {
        let (lane, plans) = (dir.join(format!("lane{number}")), dir.join(format!("plan{number}")));
        let at = plans.clone();
        Lane::new(lane, &plans, move |call| {
            call.env("LD_PRELOAD", library()).env("FAILPOINTS", &at)
        })
    };
    (0..count).map(of).collect()
}

/// What comes of it when each call in each of these pipelines fails in turn.
fn swept(pipelines: &[Pipeline]) -> Found {
    let dir = dir();
    inputs(&dir);
    let (lanes, found) = (lanes(dir.path()), Mutex::new(Found::default()));
    pipelines.iter().for_each(|pipeline| sweep(pipeline, dir.path(), &lanes, &found));
    found.into_inner().unwrap()
}

#[test]
fn every_call_of_a_pipeline_of_four_stages() {
    swept(&[CSV]).report();
}

#[test]
fn every_call_of_what_writes_an_output() {
    swept(&OUTPUTS[..if thorough() { OUTPUTS.len() } else { 2 }]).report();
}

/// Not of ours, it takes what came for the whole.
const CARELESS: Pipeline = Pipeline {
    name: "careless",
    stages: &["mc-cat csv:{}/in.csv", "cat > out.ndjson"],
    output: "out.ndjson",
    replaces: true,
    shows: "cat out.ndjson",
    programs: &[("mc-cat", &["open", "read", "give"])],
};

#[test]
fn half_an_output_is_noticed() {
    let found = swept(&[CARELESS]);
    for call in ["open", "read", "give"] {
        let (of, wrong) =
            (format!("careless: mc-cat {call} "), "it did well, and the output is another");
        let is_told = |text: &String| text.starts_with(&of) && text.contains(wrong);
        assert!(found.wrong().iter().any(is_told), "{of}: {:?}", found.wrong());
    }
}
