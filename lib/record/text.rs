//! JSON string literals and the bytes they stand for.
//!
//! A string stands for its UTF-8 bytes; a lone surrogate escape stands for its WTF-8 bytes. Bytes
//! that are not UTF-8 travel as `{"$base64":"..."}`.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::scan;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as a JSON string literal: shortest escapes, nothing beyond ASCII escaped.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as the inside of a JSON string literal, without the quotes.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut done = 0;
    while let Some(length) = to_be_escaped(&bytes[done..]) {
        let at = done + length;
        out.extend_from_slice(&bytes[done..at]);
        match escape(bytes[at]) {
            Escape::Letter(letter) => out.extend_from_slice(&[b'\\', letter]),
            Escape::Code(code) => out.extend_from_slice(&code),
        }
        done = at + 1;
    }
    out.extend_from_slice(&bytes[done..]);
}

/// How a byte is written that cannot stand in a literal as it is.
pub(super) enum Escape {
    /// A backslash and this letter.
    Letter(u8),
    /// Its code point.
    Code([u8; 6]),
}

/// The shortest escape of a quote, a backslash, or a control character.
#[inline]
pub(super) fn escape(byte: u8) -> Escape {
    Escape::Letter(match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            return Escape::Code([b'\\', b'u', b'0', b'0', high, low]);
        }
    })
}

/// The first byte that cannot stand in a literal as it is.
fn to_be_escaped(bytes: &[u8]) -> Option<usize> {
    let is = |b: &u8| (*b < 0x20) | (*b == b'"') | (*b == b'\\');
    // So many at once are compared by one instruction, and most hold none.
    let sound = |chunk: &&[u8]| !chunk.iter().fold(false, |any, b| any | is(b));
    let start = 16 * bytes.chunks_exact(16).take_while(sound).count();
    bytes[start..].iter().position(is).map(|at| start + at)
}

/// Appends `bytes` as a JSON value: a string if they are UTF-8, else `{"$base64":"..."}`.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => push_string(out, text),
        Err(_) => {
            out.extend_from_slice(b"{\"$base64\":\"");
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.extend_from_slice(b"\"}");
        }
    }
}

/// The bytes (WTF-8) that a valid string literal, quotes included, stands for.
pub fn string_bytes(literal: &[u8]) -> Cow<'_, [u8]> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    match memchr::memchr(b'\\', inner) {
        None => Cow::Borrowed(inner),
        Some(first) => {
            let mut out = Vec::with_capacity(inner.len());
            push_unescaped(&mut out, inner, first);
            Cow::Owned(out)
        }
    }
}

/// The bytes that a valid value stands for: a string's UTF-8, or what `{"$base64":"..."}` encodes.
///
/// # Errors
/// A fragment that says why the value stands for no bytes.
pub fn value_bytes(value: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    let value = value.trim_ascii();
    match value.first() {
        Some(b'"') => {
            let bytes = string_bytes(value);
            match std::str::from_utf8(&bytes) {
                Ok(_) => Ok(bytes),
                Err(_) => Err("a lone surrogate has no UTF-8 form"),
            }
        }
        Some(b'{') => {
            let mut members = scan::members(value);
            match (members.next(), members.next()) {
                (Some((name, data)), None) if string_bytes(name).as_ref() == b"$base64" => STANDARD
                    .decode(string_bytes(data).as_ref())
                    .map(Cow::Owned)
                    .map_err(|_| "what $base64 holds is not base64"),
                _ => Err("not a string (nor {\"$base64\": ...})"),
            }
        }
        _ => Err("not a string (nor {\"$base64\": ...})"),
    }
}

/// Appends a valid value without the white space between its tokens.
pub fn push_compact(out: &mut Vec<u8>, value: &[u8]) {
    push_tokens(out, value, |out, rest| match rest[0] {
        b' ' | b'\t' | b'\r' | b'\n' => 1,
        byte => {
            out.push(byte);
            1
        }
    });
}

/// Appends a value that is valid but for NaN and Infinity, with null for each of them.
pub fn push_without_nan(out: &mut Vec<u8>, value: &[u8]) {
    push_tokens(out, value, |out, rest| match scan::not_a_number(rest) {
        Some(length) => {
            out.extend_from_slice(b"null");
            length
        }
        None => {
            out.push(rest[0]);
            1
        }
    });
}

/// Appends the strings of a value as they are; `push` appends what else is there, and says how
/// much of what it was given that was.
fn push_tokens(out: &mut Vec<u8>, value: &[u8], push: impl Fn(&mut Vec<u8>, &[u8]) -> usize) {
    let mut at = 0;
    while at < value.len() {
        if value[at] != b'"' {
            at += push(out, &value[at..]);
            continue;
        }
        let start = at;
        at += 1;
        while let Some(length) = memchr::memchr2(b'"', b'\\', &value[at..]) {
            at += length + 1;
            if value[at - 1] == b'"' {
                break;
            }
            at += 1;
        }
        at = at.min(value.len());
        out.extend_from_slice(&value[start..at]);
    }
}

/// Appends what the inside of a valid literal stands for; `first` is the place of its first backslash.
pub(super) fn push_unescaped(out: &mut Vec<u8>, inner: &[u8], first: usize) {
    out.extend_from_slice(&inner[..first]);
    let mut at = first;
    while at < inner.len() {
        if inner[at] != b'\\' {
            at = push_plain(out, inner, at);
            continue;
        }
        let escape = inner.get(at + 1).copied().unwrap_or(b'\\');
        at += 2;
        match escape {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'u' => {
                let mut code = hex4(&inner[at..]);
                at += 4;
                if (0xd800..0xdc00).contains(&code) && inner[at..].starts_with(b"\\u") {
                    let low = hex4(&inner[at + 2..]);
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                        at += 6;
                    }
                }
                push_wtf8(out, code);
            }
            other => out.push(other),
        }
    }
}

/// Appends what stands before the next backslash, and says where that is. Between escapes there are few bytes, most
/// often.
#[inline]
fn push_plain(out: &mut Vec<u8>, inner: &[u8], at: usize) -> usize {
    let near = inner[at..].iter().take(NEAR).take_while(|byte| **byte != b'\\').count();
    let end = match near {
        NEAR => memchr::memchr(b'\\', &inner[at..]).map_or(inner.len(), |length| at + length),
        _ => at + near,
    };
    out.extend_from_slice(&inner[at..end]);
    end
}

/// So many bytes are looked at one by one: to begin with more at once takes as long.
const NEAR: usize = 8;

/// The value of four hexadecimal digits (0 for what a valid literal cannot have there).
fn hex4(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |sum, &d| sum * 16 + (d as char).to_digit(16).unwrap_or(0))
}

/// Appends a code point in WTF-8: as UTF-8 would, surrogates included.
fn push_wtf8(out: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(&[
            0xe0 | (code >> 12) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        push_string(&mut out, text);
        out
    }

    #[test]
    fn strings_come_back() {
        for text in ["", "plain", "a\"b\\c", "\u{0}\u{1f}\n\t\r\u{8}\u{c}", "é€😀", "\u{7f}"] {
            assert_eq!(string_bytes(&literal(text)).as_ref(), text.as_bytes());
        }
    }

    #[test]
    fn escapes_stand_for_their_code_points() {
        let pairs: [(&[u8], &[u8]); 5] = [
            (br#""\u0041\/""#, b"A/"),
            (br#""\ud83d\ude00""#, "😀".as_bytes()),
            (br#""\ud83dx""#, b"\xed\xa0\xbdx"),
            (br#""\ud83d\ud83d\ude00""#, b"\xed\xa0\xbd\xf0\x9f\x98\x80"),
            (br#""\\u0041""#, b"\\u0041"),
        ];
        for (given, bytes) in pairs {
            assert_eq!(string_bytes(given).as_ref(), bytes);
        }
    }

    #[test]
    fn white_space_and_nan_go_outside_of_strings_only() {
        let value = b"{ \"a b\\\" NaN\" :\n[NaN,\t-Infinity , Infinity, \"\\\\\", -1 ] }";
        let (mut compact, mut without) = (Vec::new(), Vec::new());
        push_compact(&mut compact, value);
        assert_eq!(compact, b"{\"a b\\\" NaN\":[NaN,-Infinity,Infinity,\"\\\\\",-1]}");
        push_without_nan(&mut without, &compact);
        assert_eq!(without, b"{\"a b\\\" NaN\":[null,null,null,\"\\\\\",-1]}");
    }

    #[test]
    fn bytes_travel_as_base64_only_when_they_must() {
        let mut out = Vec::new();
        push_bytes(&mut out, b"\xff\x00");
        assert_eq!(out, br#"{"$base64":"/wA="}"#);
        assert_eq!(value_bytes(&out).as_deref(), Ok(b"\xff\x00".as_slice()));
        assert_eq!(value_bytes(br#""x""#).as_deref(), Ok(b"x".as_slice()));
        assert!(value_bytes(br#"{"$base64":"*"}"#).is_err());
        assert!(value_bytes(br#"{"$base64":"","x":1}"#).is_err());
        assert!(value_bytes(br#""\ud800""#).is_err());
        assert!(value_bytes(b"1").is_err());
    }
}
