//! The rules of the tree, as tests: which room may know which, how long a file and a function may
//! be, and what no file holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// What the engine and the rooms above it may name.
const NEAR: [&str; 13] = [
    "aggregate",
    "cluster",
    "command",
    "engine",
    "error",
    "format",
    "keyed",
    "parallel",
    "record",
    "run",
    "sort",
    "wire",
    "worker",
];

/// What each room of `lib/` may name. Rooms that are not listed may name all but `stage` and `cli`.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("parallel", &["error"]),
    ("record", &["error"]),
    ("sort", &["error", "parallel"]),
    ("run", &["error", "record"]),
    ("format", &["error", "parallel", "record", "run"]),
    ("aggregate", &["error", "parallel", "record", "sort"]),
    ("wire", &["error", "record"]),
    ("keyed", &["aggregate", "error", "parallel", "record", "sort"]),
    ("cluster", &["error", "record", "run", "wire"]),
    ("command", &["error", "record"]),
    ("peer", &["error", "record", "wire"]),
    (
        "worker",
        &[
            "aggregate",
            "command",
            "error",
            "format",
            "keyed",
            "peer",
            "record",
            "run",
            "sort",
            "wire",
        ],
    ),
    ("engine", &NEAR),
    ("stage", &NEAR),
    ("cli", &NEAR),
];

/// What decides what is done next: it knows nothing that is not the same each time, so that every
/// order of events can be played to it.
const PLANS: &[&str] = &["lib/engine/schedule.rs", "lib/engine/exchange/planner/"];

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Files that may be longer, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Functions that may be longer, each with the reason.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// Names that say nothing of what is inside.
const VAGUE: &[&str] = &["util", "utils", "misc", "common", "helper", "helpers", "shared", "stuff"];

/// The files below `path` of the repository, as paths from its root, without what is built.
fn files(path: &str) -> Vec<String> {
    let (root, mut found, mut open) = (repository(""), Vec::new(), vec![repository(path)]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            let built = |p: &PathBuf| *p == root.join("target") || p.ends_with(".git");
            open.extend(entries.filter(|p| !built(p) && !p.ends_with("__pycache__")));
        } else {
            found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_string());
        }
    }
    found.sort();
    found
}

fn rust(path: &str) -> Vec<(String, String)> {
    let files = files(path).into_iter().filter(|file| file.ends_with(".rs"));
    files.map(|file| (file.clone(), std::fs::read_to_string(repository(&file)).unwrap())).collect()
}

fn all_rust() -> Vec<(String, String)> {
    ["bins", "lib", "tests"].into_iter().flat_map(rust).collect()
}

/// The text without its unit tests, which stand at the end.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests").next().unwrap()
}

fn room(file: &str) -> &str {
    let inside = file.strip_prefix("lib/").unwrap();
    inside.split(['/', '.']).next().unwrap()
}

/// The rooms that a text names as `crate::ROOM` or in `crate::{ROOM, ..}`.
fn named_rooms(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        let list = match after.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap().split(',').collect(),
            None => vec![after],
        };
        for name in list {
            let name = name.trim();
            let end =
                name.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(name.len());
            rooms.insert(name[..end].to_string());
        }
    }
    rooms
}

/// Fails with the lines, when there are any.
#[track_caller]
fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn arrows_between_rooms_point_one_way() {
    let all: Vec<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    for (file, text) in rust("lib") {
        let room = room(&file);
        if room == "lib" {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{file}: the room {room} is not on the list of ARROWS"));
            continue;
        };
        for named in named_rooms(&text).iter().filter(|n| all.contains(&n.as_str())) {
            if named != room && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{file}: {room} may not know {named}"));
            }
        }
    }
    none(wrong);
}

#[test]
fn stages_do_not_know_one_another() {
    let stages: Vec<&str> =
        vec!["cat", "split", "scatter", "map", "shuffle", "sort", "reduce", "gather"];
    let mut wrong = Vec::new();
    for (file, text) in rust("lib/stage") {
        let own = file["lib/stage/".len()..].split(['/', '.']).next().unwrap().to_string();
        for stage in stages.iter().filter(|stage| **stage != own && own != "mod") {
            for path in [format!("stage::{stage}::"), format!("super::{stage}::")] {
                if text.contains(&path) {
                    wrong.push(format!("{file}: names {path}"));
                }
            }
        }
    }
    none(wrong);
}

#[test]
fn what_plans_knows_no_socket_no_thread_and_no_clock() {
    let mut wrong = Vec::new();
    for plan in PLANS {
        let found: Vec<_> =
            rust("lib/engine").into_iter().filter(|(file, _)| file.starts_with(plan)).collect();
        assert!(!found.is_empty(), "no such file: {plan}");
        for (file, text) in found {
            for name in ["fs", "io", "net", "os", "process", "sync", "thread", "time"] {
                if without_tests(&text).contains(&format!("std::{name}")) {
                    wrong.push(format!("{file}: names std::{name}"));
                }
            }
            for name in ["Connection", "random()"] {
                if without_tests(&text).contains(name) {
                    wrong.push(format!("{file}: names {name}"));
                }
            }
        }
    }
    none(wrong);
}

#[test]
fn only_cli_reads_the_environment_and_the_command_line() {
    let mut wrong = Vec::new();
    for (file, text) in rust("lib").iter().filter(|(file, _)| room(file) != "cli") {
        for name in
            ["env::var", "env::args", "clap::", "process::exit", "io::stdin()", "io::stdout()"]
        {
            if without_tests(text).contains(name) {
                wrong.push(format!("{file}: {name} is for cli alone"));
            }
        }
    }
    none(wrong);
}

#[test]
fn files_fit_a_reader() {
    let mut wrong = Vec::new();
    for (file, text) in all_rust() {
        let lines = without_tests(&text).lines().count();
        if lines > FILE_LINES && !LONG_FILES.iter().any(|(name, _)| *name == file) {
            wrong.push(format!("{file}: {lines} lines without its unit tests, limit {FILE_LINES}"));
        }
    }
    none(wrong);
}

#[test]
fn functions_fit_a_screen() {
    let mut wrong = Vec::new();
    for (file, text) in all_rust() {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else { continue };
            // The formatter puts the closing brace where the function's first line begins.
            let indent = &line[..line.len() - line.trim_start().len()];
            let ends =
                |l: &&str| **l == format!("{indent}}}") || l.starts_with(&format!("{indent}}};"));
            let one_line = line.ends_with('}') || line.ends_with(';');
            let length = match lines[start..].iter().position(ends) {
                Some(end) if !one_line => end + 1,
                _ => 1,
            };
            let place = format!("{file}: {name}");
            if length > FUNCTION_LINES && !LONG_FUNCTIONS.iter().any(|(long, _)| *long == place) {
                wrong.push(format!("{place}: {length} lines, limit {FUNCTION_LINES}"));
            }
        }
    }
    none(wrong);
}

/// The name of the function that begins in this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let words = ["pub", "const", "async", "unsafe", "extern", "\"C\""];
    let is_prefix = |word: &str| words.contains(&word) || word.starts_with("pub(");
    if !before.split_whitespace().all(is_prefix) {
        return None;
    }
    after.split(['(', '<']).next().filter(|name| !name.is_empty())
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = all_rust().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    none(silent.map(|(file, _)| format!("{file}: begins without //!")).collect());
}

#[test]
fn no_room_has_a_vague_name() {
    let vague = |file: &String| {
        let path = Path::new(file).with_extension("");
        path.iter().any(|part| VAGUE.contains(&part.to_str().unwrap()))
    };
    none(["bins", "lib", "tests"].into_iter().flat_map(files).filter(vague).collect());
}

#[test]
fn no_test_file_is_forgotten() {
    let suite = std::fs::read_to_string(repository("tests/suite.rs")).unwrap();
    let entries = std::fs::read_dir(repository("tests")).unwrap();
    let names = entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned());
    let forgotten = names.map(|name| name.into_string().unwrap()).filter(|name| {
        name != "suite" && name != "data" && !suite.contains(&format!("\nmod {name};"))
    });
    none(forgotten.map(|name| format!("tests/{name} is not in tests/suite.rs")).collect());
}

#[test]
fn no_file_speaks_of_one_machine_or_is_unfinished() {
    // Put together here, so that this file passes its own test.
    let words =
        ["/wo+rk/", "/ro+ot/", "/tmp/w+t", "index-u+rl", "TO+DO", "FIX+ME", "Under con+struction"];
    let words: Vec<String> = words.iter().map(|word| word.replace('+', "")).collect();
    let mut wrong = Vec::new();
    for file in files("").iter().filter(|file| *file != "Cargo.lock") {
        let Ok(text) = std::fs::read_to_string(repository(file)) else { continue };
        for word in words.iter().filter(|word| text.contains(word.as_str())) {
            wrong.push(format!("{file}: {word}"));
        }
    }
    none(wrong);
}
