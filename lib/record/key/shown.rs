//! Key bytes as people read them, for messages.

use crate::record::canonical;
use crate::record::number;
use crate::record::text::push_string;

/// How many characters of a key are shown.
const SHOWN: usize = 60;

/// The values that the bytes of a key stand for, as JSON with commas between its parts; `None` where that cannot
/// be told: of objects, versions, numbers beyond 18 digits, parts in reverse order, and keys that were cut short.
pub fn shown(mut key: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !key.is_empty() {
        let (part, rest) = value(key)?;
        parts.push(part);
        key = rest;
    }
    let text = parts.join(",");
    let end = text.char_indices().nth(SHOWN).map_or(text.len(), |(at, _)| at);
    let more = if end < text.len() { "..." } else { "" };
    Some(format!("{}{more}", &text[..end])).filter(|text| !text.is_empty())
}

/// The value that some bytes begin with, and the rest of them.
fn value(key: &[u8]) -> Option<(String, &[u8])> {
    let (tag, rest) = key.split_first()?;
    match *tag {
        canonical::NULL => Some(("null".into(), rest)),
        canonical::FALSE => Some(("false".into(), rest)),
        canonical::TRUE => Some(("true".into(), rest)),
        canonical::STRING => string(rest),
        canonical::ARRAY => array(rest),
        _ => number::shown(key),
    }
}

fn string(key: &[u8]) -> Option<(String, &[u8])> {
    let mut bytes = Vec::new();
    let mut at = 0;
    loop {
        let zero = at + memchr::memchr(0, key.get(at..)?)?;
        bytes.extend_from_slice(&key[at..zero]);
        at = zero + 2;
        match key.get(zero + 1)? {
            0xff => bytes.push(0),
            1 => break,
            _ => return None,
        }
    }
    let mut literal = Vec::new();
    push_string(&mut literal, &String::from_utf8(bytes).ok()?);
    Some((String::from_utf8(literal).ok()?, &key[at..]))
}

fn array(mut key: &[u8]) -> Option<(String, &[u8])> {
    let mut elements = Vec::new();
    while *key.first()? != 0 {
        let (element, rest) = value(key)?;
        elements.push(element);
        key = rest;
    }
    Some((format!("[{}]", elements.join(",")), &key[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::canonical::push_value;

    #[test]
    fn keys_are_shown_as_they_are_written() {
        for text in [
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "10",
            "-0.5",
            "12345.678",
            "1000000",
            "0.001",
            "999999999999999999",
            "\"\"",
            "\"a b\"",
            "\"\\u0000é\\n\"",
            "[1,[\"x\",null],[]]",
        ] {
            let mut key = Vec::new();
            push_value(&mut key, text.as_bytes());
            assert_eq!(shown(&key).as_deref(), Some(text));
            assert_eq!(shown(&key[..key.len() - 1]).filter(|_| key.len() > 1), None, "{text}");
        }
        let mut two = Vec::new();
        push_value(&mut two, b"\"DE\"");
        push_value(&mut two, b"1e3");
        assert_eq!(shown(&two).unwrap(), "\"DE\",1000");
    }

    #[test]
    fn what_cannot_be_told_is_not_shown() {
        for text in ["{\"a\":1}", "1e400", "0.1234567890123456789012345"] {
            let mut key = Vec::new();
            push_value(&mut key, text.as_bytes());
            assert_eq!(shown(&key), None, "{text}");
        }
        assert_eq!(shown(b""), None);
        let complement: Vec<u8> = [0x50, b'a', 0, 1].iter().map(|byte: &u8| !byte).collect();
        assert_eq!(shown(&complement), None);
        let mut long = Vec::new();
        push_value(&mut long, format!("\"{}\"", "x".repeat(100)).as_bytes());
        assert_eq!(shown(&long).unwrap().len(), SHOWN + 3);
    }
}
