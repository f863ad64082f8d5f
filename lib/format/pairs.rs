//! What is said of a record that a format of `[key, value]` pairs refuses: the `jq` line that makes
//! pairs of such records, and loses nothing of them.

use crate::record::scan::{elements, members};
use crate::record::text::{push_string, string_bytes};

/// A hint for `record`, a valid one, behind a blank: nothing where none holds. With `any_value` the
/// format takes other values than text.
pub(super) fn hint(record: &[u8], any_value: bool) -> String {
    let record = record.trim_ascii();
    let pair = match record.first() {
        Some(b'[') => {
            let mut parts = elements(record);
            (parts.next(), parts.next(), parts.next())
        }
        Some(b'{') => return keyed(record).map_or(String::new(), |key| shown("a pair", &key)),
        _ => return String::new(),
    };
    match pair {
        (Some(key), Some(_), None) if !is_text(key) => shown("the key as text", ".[0] |= tostring"),
        (Some(_), Some(value), None) if !is_text(value) && !any_value => {
            shown("values as their JSON", ".[1] |= tojson")
        }
        (Some(_), Some(_), None) | (None, ..) => String::new(),
        (Some(b"null" | [b'[' | b'{', ..]), ..) => String::new(),
        (Some(_), ..) => shown("a pair", "[(.[0] | tostring), tojson]"),
    }
}

fn shown(what: &str, filter: &str) -> String {
    format!(" ({what}: jq -c '{filter}')")
}

/// Whether the value is a string, or bytes that travel as an object.
fn is_text(value: &[u8]) -> bool {
    let bytes = |(name, _): (&[u8], &[u8])| string_bytes(name).as_ref() == b"$base64";
    match value.first() {
        Some(b'"') => true,
        Some(b'{') => members(value).any(bytes),
        _ => false,
    }
}

/// What makes a pair of an object: of its first member that can be a key, and of all of it.
fn keyed(object: &[u8]) -> Option<String> {
    members(object).find_map(|(name, value)| {
        let name = string_bytes(name);
        let name = std::str::from_utf8(&name).ok().filter(|name| !name.contains('\''))?;
        let member = match is_word(name) {
            true => format!(".{name}"),
            false => {
                let mut literal = Vec::new();
                push_string(&mut literal, name);
                format!(".[{}]", String::from_utf8_lossy(&literal))
            }
        };
        match value.first() {
            Some(b'"') => Some(format!("[{member}, tojson]")),
            Some(b'-' | b'0'..=b'9') => Some(format!("[({member} | tostring), tojson]")),
            _ => None,
        }
    })
}

/// Whether `jq` takes the name of a member as it is.
fn is_word(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
