//! The fields of the records that a line is about: those of the first record of the file that it reads,
//! or those that the reduction before gives.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::Arc;

use clap::Command;
use serde_json::Value;

use super::place::Place;
use super::resources;
use super::typed::TypedLine;
use crate::aggregate::Op;
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::{ReadOptions, read};
use crate::record::bad::Policy;
use crate::record::path;
use crate::record::scan::Step;

/// The largest record that is looked at, in bytes.
const RECORD_MAX: usize = 256 * 1024;

/// How deep fields are that are offered, and how many.
const DEPTH_MAX: usize = 3;
const FIELDS_MAX: usize = 500;

/// How many files are looked into where nothing says which one is meant.
const FILES_MAX: usize = 8;

/// Formats that are looked into: others are read whole, or by programs.
const LOOKED_INTO: [&str; 5] = ["csv", "ndjson", "json", "text", "zip"];

/// The fields, spelled as in a key. `of_right`: those of the records that are joined, not of those that come
/// by the pipe.
pub(super) fn fields(line: &TypedLine, command: &Command, of_right: bool) -> Vec<String> {
    let Some(own) = line.arguments_of(command.get_name()) else { return Vec::new() };
    let own = named(command, own);
    let joins = command.get_name() == "mc-join";
    if of_right || !joins && !own.resources.is_empty() {
        return of_resources(&own);
    }
    for (tool, words) in line.upstream() {
        if tool == "mc-reduce" || words.iter().any(|word| word == "--reduce") {
            let found = of_reduction(line, tool);
            if !found.is_empty() {
                return found;
            }
        }
        // Every tool that reads resources names them in the same way.
        let read = named(command, &[]).read_from(words);
        if matches!(tool, "mc-cat" | "mc-split" | "mc-scatter" | "mc-sort" | "mc-shuffle")
            && !read.resources.is_empty()
        {
            return of_resources(&read);
        }
    }
    if let Some(file) = line.read.first() {
        return of_resources(&Named { format: None, resources: vec![file.clone()] });
    }
    match joins {
        true => of_resources(&own),
        false if line.is_part => of_files_here(),
        false => Vec::new(),
    }
}

/// The fields of the first files here whose names tell their formats.
fn of_files_here() -> Vec<String> {
    let mut names: Vec<String> = resources::files("", |is_directory| !is_directory)
        .into_iter()
        .map(|offer| offer.value)
        .filter(|name| Resource::parse(OsStr::new(name), None).is_ok())
        .collect();
    names.sort();
    let names = names.iter().take(FILES_MAX);
    names.flat_map(|name| of_resource(name, None).unwrap_or_default()).collect()
}

/// What a command reads.
struct Named {
    format: Option<String>,
    resources: Vec<String>,
}

impl Named {
    /// What the words of some tool name that are no options.
    fn read_from(mut self, words: &[String]) -> Named {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-f" | "--format" => self.format = words.next().cloned(),
                // Those of our options that such tools are mostly given with a value.
                "-h" | "--hosts" | "-k" | "--key" | "-S" | "-T" | "-j" | "-n" | "-o" | "--bad"
                | "--missing" | "--block" | "--by" | "--order-by" => {
                    words.next();
                }
                word if word.starts_with('-') && word.len() > 1 => (),
                word => self.resources.push(word.into()),
            }
        }
        self
    }
}

/// The resources among the words of `command`, and the format that it is told.
fn named(command: &Command, words: &[String]) -> Named {
    let mut named = Named { format: None, resources: Vec::new() };
    for (at, word) in words.iter().enumerate() {
        if let Place::Value { arg, before } = Place::find(command, &words[..at], word) {
            let name = arg.get_value_names().and_then(|names| names.first());
            match name.map(|name| name.as_str()) {
                Some("FORMAT") => named.format = Some(word[before.len()..].into()),
                Some("RESOURCE") if arg.is_positional() => named.resources.push(word.clone()),
                _ => (),
            }
        }
    }
    named
}

fn of_resources(named: &Named) -> Vec<String> {
    let format = named.format.as_deref().and_then(|format| Spec::parse(format).ok());
    let found = named.resources.iter().find_map(|word| of_resource(word, format.as_ref()));
    found.unwrap_or_default()
}

/// The fields of the first record of a resource that is a file.
fn of_resource(word: &str, format: Option<&Spec>) -> Option<Vec<String>> {
    let found = Resource::parse_all(OsStr::new(word), format, &|_| ()).ok()?;
    let resource = found.first()?.expand(&|_| ()).ok()?.into_iter().next()?;
    if !LOOKED_INTO.contains(&resource.spec.name()) {
        return Some(pair(resource.spec.name()));
    }
    let ResourcePlace::Path(path) = &resource.place else { return None };
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mut options = ReadOptions::new(Policy::Skip).ok()?;
    options.max_record = RECORD_MAX;
    options.warn = Arc::new(|_: &str| ());
    let (mut source, mut records) = (read::open(&[resource], &options).ok()?, Vec::new());
    while records.is_empty() && source.fill(&mut records).ok()? {}
    let first = records.split(|byte| *byte == b'\n').next()?;
    let (mut found, mut path) = (Vec::new(), Vec::new());
    members(&serde_json::from_slice(first).ok()?, &mut path, &mut found);
    Some(found)
}

/// The fields of formats whose records are all alike.
fn pair(format: &str) -> Vec<String> {
    match format {
        "files" | "leveldb" => vec![".[0]".into(), ".[1]".into()],
        _ => Vec::new(),
    }
}

/// Adds how what is in `value`, which lies at `path`, is spelled.
fn members(value: &Value, path: &mut Vec<Step>, found: &mut Vec<String>) {
    let inside: Vec<(Step, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (Step::Name(name.as_bytes().into()), value))
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, v)| (Step::Index(at), v)).collect()
        }
        _ => return,
    };
    for (step, value) in inside {
        if found.len() >= FIELDS_MAX {
            return;
        }
        path.push(step);
        found.push(path::spelled(path));
        if path.len() < DEPTH_MAX && value.is_object() {
            members(value, path, found);
        }
        path.pop();
    }
}

/// The fields of the results of the nearest reduction: those of the key, and the results of its ops.
fn of_reduction(line: &TypedLine, reduction: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut is_before = false;
    for (tool, words) in line.upstream() {
        if !is_before && tool == reduction {
            is_before = true;
            let ops = words.iter().filter_map(|word| Op::parse(word).ok());
            found.extend(ops.map(|op| path::spelled(&[Step::Name(op.name.as_bytes().into())])));
        }
        if !is_before {
            continue;
        }
        let key = words.iter().position(|word| word == "-k" || word == "--key");
        if let Some(key) = key.and_then(|at| words.get(at + 1)) {
            let names = key.split(',').map(|part| part.split(':').next().unwrap_or_default());
            found.extend(names.filter(|name| !name.is_empty()).map(String::from));
            break;
        }
    }
    found.into_iter().collect()
}
