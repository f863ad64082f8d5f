//! Canonical key bytes of values: comparing them as bytes is comparing the values in jq's order,
//! and equal values have equal bytes.
//!
//! The order: null, false, true, numbers, strings (by code point), arrays, objects (first by their
//! sorted names, then value by value). One value's bytes begin with a tag and end by themselves:
//! none begins another.
//!
//! | value | bytes |
//! | --- | --- |
//! | null, false, true | `10`, `20`, `30` |
//! | number | `40`..`47` and what [`number`] says |
//! | string | `50`, its WTF-8 with `00` as `00 ff`, then `00 01` |
//! | array | `60`, its elements, `00` |
//! | object | `70`, its names in order, `00`, their values in that order |
//!
//! Where case is ignored, strings are folded first ([`fold`]); of a version, `50` and what
//! [`version`] says.

use std::borrow::Cow;
use std::ops::Range;

use super::scan::{elements, members};
use super::text::{push_unescaped, string_bytes};
use super::{fold, number, version};

pub(super) const NULL: u8 = 0x10;
pub(super) const FALSE: u8 = 0x20;
pub(super) const TRUE: u8 = 0x30;
pub(super) const STRING: u8 = 0x50;
const STRING_END: [u8; 2] = [0, 1];
pub(super) const ARRAY: u8 = 0x60;
const OBJECT: u8 = 0x70;

/// What kind of value some key bytes stand for, as far as anyone asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A number.
    Number,
    /// A string.
    Text,
    /// Anything else.
    Other,
}

impl ValueKind {
    /// The kind of the value with these key bytes.
    #[inline]
    pub fn of(key: &[u8]) -> ValueKind {
        match key.first() {
            Some(0x40..=0x47) => ValueKind::Number,
            Some(&STRING) => ValueKind::Text,
            _ => ValueKind::Other,
        }
    }
}

/// Appends the canonical key bytes of a valid value without white space around it.
#[inline]
pub fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    push_by(out, value, &AsTheyAre);
}

/// How the strings and numbers in a value become key bytes.
pub(super) trait Scalars {
    /// Appends the bytes of a string literal.
    fn push_string(&self, out: &mut Vec<u8>, literal: &[u8]);
    /// Appends the bytes of a number.
    fn push_number(&self, out: &mut Vec<u8>, number: &[u8]);
}

struct AsTheyAre;

impl Scalars for AsTheyAre {
    fn push_string(&self, out: &mut Vec<u8>, literal: &[u8]) {
        push_string(out, literal);
    }

    fn push_number(&self, out: &mut Vec<u8>, number: &[u8]) {
        number::push_key(out, number);
    }
}

/// With the case of strings ignored, or with strings and numbers as versions, or both.
pub(super) struct AsText {
    pub(super) fold: bool,
    pub(super) version: bool,
}

impl Scalars for AsText {
    fn push_string(&self, out: &mut Vec<u8>, literal: &[u8]) {
        let text = string_bytes(literal);
        let text = if self.fold { fold::folded(&text) } else { Cow::Borrowed(&*text) };
        match self.version {
            true => push_version(out, &text),
            false => push_text(out, &text),
        }
    }

    fn push_number(&self, out: &mut Vec<u8>, number: &[u8]) {
        match self.version {
            true => push_version(out, number),
            false => number::push_key(out, number),
        }
    }
}

/// Appends the key bytes of a value, of its strings and numbers as `scalars` says.
pub(super) fn push_by(out: &mut Vec<u8>, value: &[u8], scalars: &impl Scalars) {
    match value[0] {
        b'"' => scalars.push_string(out, value),
        b'-' | b'0'..=b'9' => scalars.push_number(out, value),
        b'n' => out.push(NULL),
        b'f' => out.push(FALSE),
        b't' => out.push(TRUE),
        b'[' => {
            out.push(ARRAY);
            elements(value).for_each(|element| push_by(out, element, scalars));
            out.push(0);
        }
        _ => {
            let (names, members) = sorted_members(value);
            out.push(OBJECT);
            members.iter().for_each(|(name, _)| out.extend_from_slice(&names[name.clone()]));
            out.push(0);
            members.iter().for_each(|(_, value)| push_by(out, value, scalars));
        }
    }
}

/// A member of an object: where the key bytes of its name lie, and its value.
type Member<'a> = (Range<usize>, &'a [u8]);

/// The key bytes of the names of an object's members, and the members in the order of these.
fn sorted_members(object: &[u8]) -> (Vec<u8>, Vec<Member<'_>>) {
    let (mut names, mut sorted) = (Vec::new(), Vec::new());
    for (name, value) in members(object) {
        let start = names.len();
        push_string(&mut names, name);
        sorted.push((start..names.len(), value));
    }
    let bytes = |name: &Range<usize>| &names[name.clone()];
    // Of duplicate names the last counts: it comes first here.
    sorted.sort_unstable_by(|(a, _), (b, _)| {
        bytes(a).cmp(bytes(b)).then_with(|| b.start.cmp(&a.start))
    });
    sorted.dedup_by(|(b, _), (a, _)| bytes(a) == bytes(b));
    (names, sorted)
}

/// Appends the key bytes of a string literal.
#[inline]
fn push_string(out: &mut Vec<u8>, literal: &[u8]) {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    out.push(STRING);
    // Only an escape can bring a NUL: a literal holds no raw control character.
    match memchr::memchr(b'\\', inner) {
        None => out.extend_from_slice(inner),
        Some(first) => {
            let start = out.len();
            push_unescaped(out, inner, first);
            if memchr::memchr(0, &out[start..]).is_some() {
                let text = out.split_off(start);
                push_zeros_marked(out, &text);
            }
        }
    }
    out.extend_from_slice(&STRING_END);
}

/// Appends the key bytes of a string that stands in a literal without escapes.
#[inline]
pub(super) fn push_unescaped_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 1 + STRING_END.len());
    out.push(STRING);
    out.extend_from_slice(text);
    out.extend_from_slice(&STRING_END);
}

/// Appends the key bytes of a string, which may hold NULs.
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(STRING);
    push_zeros_marked(out, text);
    out.extend_from_slice(&STRING_END);
}

/// Appends a text, each NUL of it as one that is not its end.
fn push_zeros_marked(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(zero) = memchr::memchr(0, text) {
        out.extend_from_slice(&text[..=zero]);
        out.push(0xff);
        text = &text[zero + 1..];
    }
    out.extend_from_slice(text);
}

/// Appends the key bytes of a version.
fn push_version(out: &mut Vec<u8>, text: &[u8]) {
    out.push(STRING);
    version::push_key(out, text);
}
