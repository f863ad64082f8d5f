//! Where a value lies in a record, as it is written: `.user.id`, `.[0]`, `.["odd: name"]`. What is
//! found there is not this file's business.

use super::scan::Step;
use super::text::push_string;
use crate::error::{Error, Result};

/// Cuts `text` at each `stop` that stands outside of `["..."]`.
pub(super) fn split_outside(text: &str, stop: u8) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"[\"") {
            at += 2;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
        } else if bytes[at] == stop {
            pieces.push(&text[start..at]);
            start = at + 1;
        }
        at += 1;
    }
    pieces.push(&text[start..]);
    pieces
}

/// The error for what is no key.
pub(super) fn bad_key(text: &str, why: &str) -> Error {
    Error::usage(format!("bad key '{text}': {why}"))
}

/// Reads a path: `name`, `.name.name`, `.[0]`, `.["odd: name"]`, or `.` for the whole record.
///
/// # Errors
/// `Usage`, when the text is no path.
pub fn parse_path(text: &str) -> Result<Vec<Step>> {
    if text.is_empty() {
        return Err(bad_key(text, "no name"));
    }
    let Some(mut rest) = text.strip_prefix('.') else {
        return match text.contains(['[', '"']) {
            true => Err(bad_key(text, "a path with brackets begins with '.'")),
            false => Ok(vec![Step::Name(text.into())]),
        };
    };
    let mut path = Vec::new();
    while !rest.is_empty() {
        let (step, behind) = match rest.strip_prefix('[') {
            Some(inside) => bracket(text, inside)?,
            None => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                if end == 0 {
                    return Err(bad_key(text, "an empty name (write it .[\"\"])"));
                }
                (Step::Name(rest[..end].into()), &rest[end..])
            }
        };
        path.push(step);
        rest = match behind.strip_prefix('.') {
            Some("") => return Err(bad_key(text, "it ends with '.'")),
            Some(more) => more,
            None => behind,
        };
    }
    Ok(path)
}

/// How `path` is spelled as a part of a key: what [`parse_path`] reads as it, behind `-k` too.
pub fn spelled(path: &[Step]) -> String {
    let special = |c: char| matches!(c, '.' | ',' | ':' | '[' | ']' | '"') || c.is_control();
    let plain = |name: &str| !name.is_empty() && !name.contains(special);
    if let [Step::Name(name)] = path
        && let Ok(name) = std::str::from_utf8(name)
        && (plain(name) || plain(&name.replace('.', "")) && !name.starts_with('.'))
    {
        return name.to_string();
    }
    let mut text = String::new();
    for step in path {
        match step {
            Step::Index(index) if text.is_empty() => text += &format!(".[{index}]"),
            Step::Index(index) => text += &format!("[{index}]"),
            Step::Name(name) => {
                let name = String::from_utf8_lossy(name);
                if plain(&name) {
                    text += &format!(".{name}");
                } else {
                    let mut literal = Vec::new();
                    push_string(&mut literal, &name);
                    let point = if text.is_empty() { "." } else { "" };
                    text += &format!("{point}[{}]", String::from_utf8_lossy(&literal));
                }
            }
        }
    }
    if text.is_empty() { ".".into() } else { text }
}

/// Reads the step behind an opening bracket: an index or a quoted name.
fn bracket<'a>(text: &str, inside: &'a str) -> Result<(Step, &'a str)> {
    if inside.starts_with('"') {
        let mut names = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        if let Some(Ok(name)) = names.next()
            && let Some(behind) = inside[names.byte_offset()..].strip_prefix(']')
        {
            return Ok((Step::Name(name.into_bytes()), behind));
        }
        return Err(bad_key(text, "expected [\"name\"], a JSON string in brackets"));
    }
    match inside.split_once(']').map(|(index, behind)| (index.parse(), behind)) {
        Some((Ok(index), behind)) => Ok((Step::Index(index), behind)),
        _ => Err(bad_key(text, "expected [N], an element's number from 0")),
    }
}
