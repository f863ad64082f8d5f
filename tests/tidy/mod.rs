//! The rules of the tree, as tests: which room may know which, how long a file and a function may
//! be, what is called how, and what no file holds. Each is tried on a tree that breaks it, too.

mod arrows;
mod files;
mod links;
mod names;
mod source;

use std::path::PathBuf;

use crate::support::repository;

/// A file: its path from the root of the repository, and its text.
type Source = (String, String);

/// The files below `path` of the repository, as paths from its root, without what is built.
fn paths_below(path: &str) -> Vec<String> {
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

/// The Rust files below `path`.
fn rust(path: &str) -> Vec<Source> {
    let files = paths_below(path).into_iter().filter(|file| file.ends_with(".rs"));
    files.map(|file| (file.clone(), std::fs::read_to_string(repository(&file)).unwrap())).collect()
}

fn all_rust() -> Vec<Source> {
    ["bins", "lib", "tests"].into_iter().flat_map(rust).collect()
}

/// What the unit tests of a file begin with; they stand at its end.
const UNIT_TESTS: &str = "\n#[cfg(test)]\nmod tests";

/// The text without its unit tests.
fn without_tests(text: &str) -> &str {
    text.split(UNIT_TESTS).next().unwrap()
}

/// The line in which the unit tests of a file begin, or one behind its end.
fn unit_tests(text: &str) -> usize {
    without_tests(text).lines().count() + 1
}

/// Fails with the lines, when there are any.
#[track_caller]
fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
