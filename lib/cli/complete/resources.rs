//! Resources: formats, their options, and files.

use std::fs;
use std::path::{Path, PathBuf};

use super::offer::Offer;

/// The most entries of a directory that are looked at.
const ENTRIES_MAX: usize = 20_000;

/// The formats, each with a word about it, and its options.
const FORMATS: [(&str, &str, &[&str]); 10] = [
    ("csv", "columns by header", &CSV),
    ("tsv", "csv by tabs", &CSV),
    ("ndjson", "a JSON value on a line", &["nan=", "encoding=", "invalid="]),
    ("json", "JSON values, or the items of one", &["items", "nan=", "encoding=", "invalid="]),
    ("text", "a string for a line", &["kv", "words", "encoding=", "invalid="]),
    ("zip", "members of a Zip", &["members=", "ratio=", "size=", "store"]),
    ("leveldb", "a database of LevelDB", &["comparator="]),
    ("files", "a tree of files", &["skip"]),
    ("range", "integers: range:0..1000", &[]),
    ("table", "columns for people, written only", &["digits="]),
];

const CSV: [&str; 16] = [
    "header=",
    "delim=",
    "quote=",
    "escape=",
    "comment=",
    "skip=",
    "trim",
    "ragged=",
    "rename",
    "col=",
    "columns=",
    "typed",
    "null=",
    "lax",
    "encoding=",
    "invalid=",
];

/// Values of options that are a few words.
const VALUES: [(&str, &[&str]); 10] = [
    ("header", &["yes", "no"]),
    ("delim", &["tab", "space", ";", "|"]),
    ("quote", &["none", "'"]),
    ("ragged", &["refuse", "pad", "cut", "fit"]),
    ("columns", &["first", "union"]),
    ("null", &["NA", "NULL", "null"]),
    ("comparator", &["ignore"]),
    ("nan", &["null"]),
    ("encoding", &["utf-8", "utf-16", "latin1", "windows-1252", "shift_jis"]),
    ("invalid", &["replace"]),
];

/// Options that may stand several times.
const SEVERAL: [&str; 2] = ["col=", "null="];

/// Resources that begin as `typed`.
pub(super) fn resources(typed: &str) -> Vec<Offer> {
    if let Some((format, path)) = typed.split_once(':') {
        let is_format = FORMATS.iter().any(|(name, ..)| format.split(',').next() == Some(name));
        if is_format {
            let before = format!("{format}:");
            return match format.starts_with("range") {
                true => Vec::new(),
                false => {
                    files(path, |_| true).into_iter().map(|file| file.behind(&before)).collect()
                }
            };
        }
    }
    let mut offers = formats(typed, true);
    if !offers.iter().any(|offer| typed.contains(',') && offer.value.starts_with(typed)) {
        offers.extend(files(typed, |_| true));
    }
    offers
}

/// Formats and their options that begin as `typed`, for a resource (which goes on with a colon and a
/// path) or alone.
pub(super) fn formats(typed: &str, in_resource: bool) -> Vec<Offer> {
    let offer = |text: String| if in_resource { Offer::open(text) } else { Offer::whole(text) };
    let Some((name, given)) = typed.split_once(',') else {
        let mut offers: Vec<Offer> = FORMATS
            .iter()
            .map(|(name, about, _)| Offer::open((*name).into()).about(about))
            .collect();
        if let Some((name, _, options)) = FORMATS.iter().find(|(name, ..)| *name == typed) {
            offers.retain(|offer| offer.value != *name);
            offers.push(if in_resource { offer(format!("{name}:")) } else { offer(typed.into()) });
            if !options.is_empty() {
                offers.push(Offer::open(format!("{name},")));
            }
        }
        return offers;
    };
    let Some((_, _, options)) = FORMATS.iter().find(|(format, ..)| *format == name) else {
        return Vec::new();
    };
    let start = typed.rfind(',').map_or(0, |at| at + 1);
    let (before, option) = typed.split_at(start);
    if let Some((option, _)) = option.split_once('=') {
        let values = VALUES.iter().find(|(name, _)| *name == option).map_or(&[][..], |(_, v)| *v);
        let before = format!("{before}{option}=");
        return values.iter().map(|value| offer((*value).into()).behind(&before)).collect();
    }
    let is_given = |option: &str| {
        let given = given.split(',').rev().skip(1);
        !SEVERAL.contains(&option) && given.into_iter().any(|word| same(word, option))
    };
    let left = options.iter().filter(|option| !is_given(option));
    let mut offers: Vec<Offer> = left
        .map(|option| match option.ends_with('=') {
            true => Offer::open((*option).into()).behind(before),
            false => offer((*option).into()).behind(before),
        })
        .collect();
    // What stands there whole goes on with more options, or the path.
    if options.contains(&option) {
        offers.retain(|offer| offer.value != typed);
        offers.push(Offer::open(format!("{typed},")));
        offers.push(if in_resource {
            Offer::open(format!("{typed}:"))
        } else {
            offer(typed.into())
        });
    }
    offers
}

/// Whether `word`, which may have a value, is `option`.
fn same(word: &str, option: &str) -> bool {
    word.split('=').next() == Some(option.trim_end_matches('='))
}

/// The files whose paths begin as `typed`, and the directories on the way; `wanted` says which, by
/// whether they are directories.
pub(super) fn files(typed: &str, wanted: impl Fn(bool) -> bool) -> Vec<Offer> {
    let (before, name) = typed.split_at(typed.rfind('/').map_or(0, |at| at + 1));
    let directory = match before {
        "" => PathBuf::from("."),
        _ => PathBuf::from(before),
    };
    let Ok(entries) = fs::read_dir(&directory) else { return Vec::new() };
    let mut offers = Vec::new();
    for entry in entries.take(ENTRIES_MAX).flatten() {
        let found = entry.file_name();
        let Some(found) = found.to_str().filter(|found| found.starts_with(name)) else { continue };
        if found.starts_with('.') && !name.starts_with('.') {
            continue;
        }
        let is_directory = is_directory(&entry.path());
        if wanted(is_directory) || is_directory {
            offers.push(match is_directory {
                true => Offer::open(format!("{before}{found}/")),
                false => Offer::whole(format!("{before}{found}")),
            });
        }
    }
    offers
}

fn is_directory(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_dir())
}
