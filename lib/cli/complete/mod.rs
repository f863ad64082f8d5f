//! Completions: what may stand where the cursor is in a line of a shell.
//!
//! One engine for all shells: each has a small script that hands over the line up to the cursor
//! (`--complete`) and shows what comes back. It knows what the tool's own options are, and what their
//! values may be: formats and their options, ops, hosts, and the fields of the records that the line
//! is about. It says nothing of what goes wrong, asks no network, and reads a little of a file at most.

mod fields;
mod hosts;
mod offer;
mod place;
mod resources;
mod scripts;
mod typed;

use clap::{Arg, Command};

use crate::aggregate::OPS;
use offer::Offer;
use place::Place;
use typed::TypedLine;

pub(super) use scripts::{Shell, script};

/// What is offered where the line that was typed so far ends. `breaks` are the characters at which the
/// shell breaks words, where it replaces no more than what stands behind the last of them, and takes what
/// is offered as it is (bash).
pub(super) fn complete(command: &Command, line: &str, breaks: Option<&str>) -> Vec<u8> {
    let mut line = TypedLine::parse(line);
    // bash tells of the command at the cursor alone.
    line.is_part = breaks.is_some() && line.pipeline.len() == 1;
    let Some(arguments) = line.arguments_of(command.get_name()) else {
        return offer::FILES.into();
    };
    if line.word.is_redirected {
        return offer::FILES.into();
    }
    let offers = match Place::find(command, arguments, &line.word.text) {
        Place::Command(at) => return format!("!{}\n", at + 1).into_bytes(),
        Place::Option => options(command),
        Place::Value { arg, before } => {
            let typed = &line.word.text[before.len()..];
            match values(arg, typed, &line, command) {
                Some(offers) => offers.into_iter().map(|offer| offer.behind(before)).collect(),
                None => return offer::FILES.into(),
            }
        }
        Place::Nothing => Vec::new(),
    };
    offer::show(offers, &line.word, breaks)
}

/// The options of the tool.
fn options(command: &Command) -> Vec<Offer> {
    let mut offers = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let names = arg.get_short().map(|short| format!("-{short}")).into_iter();
        for name in names.chain(arg.get_long().map(|long| format!("--{long}"))) {
            offers.push(Offer::whole(name).about(&about));
        }
    }
    offers
}

/// What the value of `arg` may be that begins as `typed`; none where it is any file.
fn values(arg: &Arg, typed: &str, line: &TypedLine, command: &Command) -> Option<Vec<Offer>> {
    let named = arg.get_possible_values();
    if !named.is_empty() {
        let about = |value: &clap::builder::PossibleValue| {
            value.get_help().map(ToString::to_string).unwrap_or_default()
        };
        let offers = named.iter().filter(|value| !value.is_hide_set());
        return Some(offers.map(|v| Offer::whole(v.get_name().into()).about(&about(v))).collect());
    }
    let name =
        arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    Some(match name {
        "RESOURCE" => resources::resources(typed),
        "FORMAT" => resources::formats(typed, false),
        "KEY" => key(arg, typed, line, command),
        "OP" => ops(typed, line, command),
        "HOSTS" => hosts::hosts(typed, line),
        "POLICY" => policies(typed)?,
        "WHAT" => ["fail", "null", "skip"].map(|word| Offer::whole(word.into())).into(),
        "FILE" | "PATH" | "PATH[:rw]" => resources::files(typed, |_| true),
        "DIR" => resources::files(typed, |is_directory| is_directory),
        "CMD" if arg.get_long() == Some("ssh") => {
            ["ssh", "ssh2"].map(|word| Offer::whole(word.into())).into()
        }
        "CMD" | "LINE" => return None,
        _ => Vec::new(),
    })
}

/// What becomes of bad records.
fn policies(typed: &str) -> Option<Vec<Offer>> {
    if let Some(path) = typed.strip_prefix("file=") {
        let files = resources::files(path, |_| true);
        return Some(files.into_iter().map(|offer| offer.behind("file=")).collect());
    }
    let words = ["fail", "skip"].map(|word| Offer::whole(word.into())).into_iter();
    Some(words.chain(["file=", "limit="].map(|word| Offer::open(word.into()))).collect())
}

/// Keys: the fields of what the line reads, behind the last comma, and modifiers behind a colon.
fn key(arg: &Arg, typed: &str, line: &TypedLine, command: &Command) -> Vec<Offer> {
    let cut = typed.rfind([',', '=']).map_or(0, |at| at + 1);
    let (before, part) = typed.split_at(cut);
    if let Some(colon) = part.rfind(':') {
        let before = &typed[..cut + colon + 1];
        let modifiers = [
            ("n", "numbers, in strings too"),
            ("r", "the other way round"),
            ("i", "case ignored"),
            ("V", "as versions"),
        ];
        let left = modifiers.into_iter().filter(|(word, _)| !part[colon..].contains(word));
        let typed = &typed[before.len()..];
        return left
            .map(|(word, about)| Offer::open(format!("{before}{typed}{word}")).about(about))
            .collect();
    }
    let found = fields::fields(line, command, arg.get_id() == "key" && before.ends_with('='));
    found.into_iter().map(|field| Offer::open(field).behind(before)).collect()
}

/// Ops of mc-reduce, and their fields.
fn ops(typed: &str, line: &TypedLine, command: &Command) -> Vec<Offer> {
    if let Some((op, _)) = typed.split_once(':') {
        let before = format!("{op}:");
        let found = fields::fields(line, command, false);
        return found.into_iter().map(|field| Offer::whole(field).behind(&before)).collect();
    }
    let is_op = |word: &str| OPS.iter().any(|op| op.strip_suffix(['N', 'Q']).unwrap_or(op) == word);
    let before = match typed.split_once('=') {
        Some((name, _)) if !is_op(&format!("{name}=")) => format!("{name}="),
        Some(_) => return vec![Offer::open(format!("{typed}:"))],
        None => String::new(),
    };
    let offer = |op: &&str| match op.strip_suffix(['N', 'Q']) {
        Some(parameter) => Offer::open(parameter.into()),
        None if *op == "count" => Offer::whole((*op).into()),
        None => Offer::open(format!("{op}:")),
    };
    OPS.iter().map(offer).map(|offer| offer.behind(&before)).collect()
}
