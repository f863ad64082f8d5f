//! Reads an answer that `scripts/bench` was given, and prints how many lines it has and a fingerprint, which
//! two answers have in common if they are the same: in one form, so that spacing and the form of the
//! output do not count. A program of its own without dependencies, which `rustc -O` builds.
//!
//!     bench-check ORDER FORM [COLUMN...] < ANSWER
//!
//! ORDER: `ordered`; `any`, where the order of lines does not count; `ascending`, as `any`, but the lines
//! must be in numeric order; or `sum`: nothing but that of the first column is printed.
//! FORM: `line`, or how a line is cut into columns: `json` (the values, those inside others too), `csv`,
//! `semicolon`, `tab` or `blank`. A COLUMN counts from 1, and 0 is the last; `3r` is a number
//! rounded to a tenth, `3n` one in any form. Without one: all of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead};

/// What is wrong, in one line.
type Outcome<T> = Result<T, String>;

/// Cuts a line into columns.
fn columns(form: &str, line: &str) -> Outcome<Vec<String>> {
    let cut = |by: char| line.split(by).map(String::from).collect();
    match form {
        "line" => Ok(vec![line.into()]),
        "tab" => Ok(cut('\t')),
        "semicolon" => Ok(cut(';')),
        "blank" => Ok(line.split_whitespace().map(String::from).collect()),
        "csv" => Ok(fields(line)),
        "json" => values(line),
        _ => Err(format!("no such form: {form}")),
    }
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = fields.len() - 1;
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => fields[last].extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields[last].push(letter),
        }
    }
    fields
}

/// The values of a line of JSON without those that hold others, in their order, and without names.
fn values(line: &str) -> Outcome<Vec<String>> {
    let (mut values, mut rest) = (Vec::new(), line.trim_start());
    while let Some(first) = rest.chars().next() {
        let length;
        if first == '"' {
            let (text, end) = string(rest).ok_or_else(|| format!("no JSON: {line}"))?;
            length = end;
            // A name is what a colon stands behind.
            if !rest[end..].trim_start().starts_with(':') {
                values.push(text);
            }
        } else if matches!(first, '{' | '}' | '[' | ']' | ',' | ':') {
            length = 1;
        } else {
            length = rest.find(['}', ']', ',', ' ']).unwrap_or(rest.len());
            values.push(rest[..length].into());
        }
        rest = rest[length..].trim_start();
    }
    Ok(values)
}

/// The text of a string of JSON, and its length there.
fn string(rest: &str) -> Option<(String, usize)> {
    let (mut text, mut at) = (String::new(), 1);
    loop {
        let plain = at + rest[at..].find(['"', '\\'])?;
        text.push_str(&rest[at..plain]);
        if rest[plain..].starts_with('"') {
            return Some((text, plain + 1));
        }
        let escape = rest[plain + 1..].chars().next()?;
        at = plain + 2;
        match escape {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'u' => {
                let code = u32::from_str_radix(rest.get(at..at + 4)?, 16).ok()?;
                // Of a pair of surrogates, each stands for itself.
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                at += 4;
            }
            other => text.push(other),
        }
    }
}

/// A column as it counts. Means lie at worst a few 1e-11 beside one another, and where one lies in the
/// middle between two tenths, all go the same way.
fn column(all: &[String], which: &str) -> Outcome<String> {
    let digits = which.trim_end_matches(['r', 'n']);
    let place: usize = digits.parse().map_err(|_| format!("no column: {which}"))?;
    let place = if place == 0 { all.len() } else { place };
    let text = all
        .get(place.wrapping_sub(1))
        .ok_or_else(|| format!("no column {which} in {all:?}"))?;
    let number = || {
        text.parse::<f64>()
            .map_err(|_| format!("no number: {text}"))
    };
    Ok(match &which[digits.len()..] {
        "r" => ((number()? * 10.0 + 0.5 + 1e-7).floor() as i64).to_string(),
        "n" => number()?.to_string(),
        _ => text.clone(),
    })
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// What is known of the lines read so far.
#[derive(Default)]
struct Answer {
    lines: u64,
    fingerprint: u64,
    sum: i128,
    last: Option<f64>,
}

impl Answer {
    fn add(&mut self, line: &str, order: &str, form: &str, wanted: &[String]) -> Outcome<()> {
        self.lines += 1;
        let hash = if form == "line" {
            crate::hash(line)
        } else {
            let all = columns(form, line)?;
            let chosen: Vec<String> = match wanted {
                [] => all,
                _ => wanted
                    .iter()
                    .map(|which| column(&all, which))
                    .collect::<Outcome<_>>()?,
            };
            if order == "sum" {
                self.sum += chosen[0]
                    .parse::<i128>()
                    .map_err(|_| format!("no integer: {line}"))?;
            }
            crate::hash(chosen)
        };
        self.fingerprint = match order {
            "ordered" => crate::hash((self.fingerprint, hash)),
            _ => self.fingerprint.wrapping_add(hash),
        };
        if order == "ascending" {
            let number = line.parse().map_err(|_| format!("no number: {line}"))?;
            if self.last.is_some_and(|last| number < last) {
                return Err(format!("line {} is not in order: {line}", self.lines));
            }
            self.last = Some(number);
        }
        Ok(())
    }
}

fn check(args: &[String]) -> Outcome<String> {
    let [order, form, wanted @ ..] = args else {
        return Err("usage: see the top of scripts/bench-check.rs".into());
    };
    if !matches!(order.as_str(), "ordered" | "any" | "ascending" | "sum") {
        return Err(format!("no such order: {order}"));
    }
    let (mut input, mut line, mut answer) = (io::stdin().lock(), String::new(), Answer::default());
    while input
        .read_line(&mut line)
        .map_err(|error| error.to_string())?
        > 0
    {
        let text = line.trim_end_matches(['\n', '\r']);
        if form == "line" || !text.is_empty() {
            answer.add(text, order, form, wanted)?;
        }
        line.clear();
    }
    Ok(match order.as_str() {
        "sum" => answer.sum.to_string(),
        _ => format!("{} {:016x}", answer.lines, answer.fingerprint),
    })
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match check(&args) {
        Ok(said) => println!("{said}"),
        Err(error) => {
            eprintln!("bench-check: {error}");
            std::process::exit(2);
        }
    }
}
