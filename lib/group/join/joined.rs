//! How two records become one.
//!
//! Two objects: the members of the left, as they are, and those of the right. Two arrays: the
//! elements of both. Others: a pair of both. What makes the key of the right is left out each time,
//! for the left has it already: nothing is added where that is the whole record.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::parallel::lock;
use crate::record::key::Keys;
use crate::record::scan::{Step, elements, members};
use crate::record::text::{push_escaped, string_bytes};

/// What stands in the place of a brace or bracket where nothing is added.
const NOTHING: u8 = b'.';

/// What is taken from right records.
#[derive(Clone, Debug)]
pub(super) struct Adding {
    /// The members and elements that make the key.
    names: Vec<Vec<u8>>,
    indexes: Vec<usize>,
    /// Whether the whole record does.
    whole: bool,
    /// What stands in front of the names that are added, as it stands in a literal.
    prefix: Vec<u8>,
}

impl Adding {
    /// Of records with this key.
    pub(super) fn new(key: &Keys, prefix: &str) -> Adding {
        let mut adding =
            Adding { names: Vec::new(), indexes: Vec::new(), whole: false, prefix: Vec::new() };
        for part in &key.parts {
            match part.path.as_slice() {
                [] => adding.whole = true,
                [Step::Name(name)] => adding.names.push(name.clone()),
                [Step::Index(index)] => adding.indexes.push(*index),
                // A part of a member: the rest of that is still to be had.
                _ => (),
            }
        }
        push_escaped(&mut adding.prefix, prefix);
        adding
    }

    /// Appends what `right` adds to the records that it joins: a brace or bracket, and members or
    /// elements behind it. Appends their names to `names`.
    pub(super) fn push(&self, right: &[u8], out: &mut Vec<u8>, names: &mut Vec<u8>) {
        let right = right.trim_ascii();
        let start = out.len() + 1;
        let open = if self.whole { None } else { right.first() };
        match open {
            Some(b'{') => {
                out.push(b'{');
                for (name, value) in members(right).filter(|(name, _)| !self.is_key(name)) {
                    comma(out, start);
                    let from = out.len();
                    self.push_name(name, out);
                    names.extend_from_slice(&out[from..]);
                    out.push(b':');
                    out.extend_from_slice(value);
                }
            }
            Some(b'[') => {
                out.push(b'[');
                let elements = elements(right).enumerate();
                for (_, element) in elements.filter(|(index, _)| !self.indexes.contains(index)) {
                    comma(out, start);
                    out.extend_from_slice(element);
                }
            }
            _ => out.push(NOTHING),
        }
    }

    /// Appends `right` as it comes out where it has no partner: as it is, but that what would be
    /// added has its names.
    pub(super) fn push_alone(&self, right: &[u8], out: &mut Vec<u8>) {
        if self.prefix.is_empty() || self.whole || !right.trim_ascii().starts_with(b"{") {
            return out.extend_from_slice(right);
        }
        out.push(b'{');
        let start = out.len();
        for (name, value) in members(right) {
            comma(out, start);
            match self.is_key(name) {
                true => out.extend_from_slice(name),
                false => self.push_name(name, out),
            }
            out.push(b':');
            out.extend_from_slice(value);
        }
        out.push(b'}');
    }

    fn is_key(&self, literal: &[u8]) -> bool {
        let name = string_bytes(literal);
        self.names.iter().any(|key| *key == *name)
    }

    fn push_name(&self, literal: &[u8], out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(&literal[1..]);
    }
}

/// Appends a comma where something stands behind `start`.
fn comma(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

/// Appends the record that `left` becomes by what is added.
pub(super) fn push_joined(left: &[u8], added: &[u8], out: &mut Vec<u8>) {
    let Some((form, added)) = added.split_first() else { return };
    let inside = left.trim_ascii();
    let close = if *form == b'{' { b'}' } else { b']' };
    match (*form, inside.split_last()) {
        (NOTHING, _) => out.extend_from_slice(left),
        (form, Some((_, before))) if before.first() == Some(&form) => {
            if added.is_empty() {
                return out.extend_from_slice(left);
            }
            let before = before.trim_ascii_end();
            out.extend_from_slice(before);
            if before.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(added);
            out.push(close);
        }
        (form, _) => {
            out.push(b'[');
            out.extend_from_slice(inside);
            out.extend_from_slice(&[b',', form]);
            out.extend_from_slice(added);
            out.extend_from_slice(&[close, b']']);
        }
    }
}

/// Which names records add: those of most tables are all the same, and are looked up by number.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<Vec<u8>, u32>,
    names: Vec<AddedNames>,
}

/// The number of a shape that is not kept.
const UNKNOWN: u32 = u32::MAX;

/// How many shapes are kept, and how long the names of one may be together.
const SHAPES_MAX: usize = 256;
const SHAPE_BYTES_MAX: usize = 64 << 10;

impl Shapes {
    /// The number of the shape with these names, of which `added` is an example.
    pub(super) fn number(&self, names: &[u8], added: &[u8]) -> u32 {
        let mut known = lock(&self.known);
        if let Some(number) = known.numbers.get(names) {
            return *number;
        }
        if known.names.len() >= SHAPES_MAX || names.len() > SHAPE_BYTES_MAX {
            return UNKNOWN;
        }
        let number = known.names.len() as u32;
        known.numbers.insert(names.to_vec(), number);
        known.names.push(AddedNames::of(added));
        number
    }

    /// The names of each shape, by its number.
    pub(super) fn all(&self) -> Vec<AddedNames> {
        lock(&self.known).names.clone()
    }
}

/// The names that a record adds, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AddedNames(Vec<Vec<u8>>);

impl AddedNames {
    fn of(added: &[u8]) -> AddedNames {
        let mut names: Vec<_> =
            members(added).map(|(name, _)| string_bytes(name).into_owned()).collect();
        names.sort();
        AddedNames(names)
    }

    /// The name of a member of `left` that is one of these.
    fn clash(&self, left: &[u8]) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        members(left).find_map(|(literal, _)| {
            let name = string_bytes(literal);
            let found = self.0.binary_search_by(|added| added.as_slice().cmp(&name));
            found.is_ok().then(|| String::from_utf8_lossy(&name).into_owned())
        })
    }
}

/// Checks that no field would stand in a record twice; knows what it was asked last.
#[derive(Clone, Debug)]
pub(super) struct ClashCheck {
    shapes: Vec<AddedNames>,
    /// The shape that the left record was found to go with.
    fits: Option<u32>,
}

impl ClashCheck {
    /// For records of these shapes.
    pub(super) fn new(shapes: Vec<AddedNames>) -> ClashCheck {
        ClashCheck { shapes, fits: None }
    }

    /// Begins with another left record.
    pub(super) fn restart(&mut self) {
        self.fits = None;
    }

    /// The name of a field that is in `left` and in what is added, which has this shape.
    pub(super) fn clash(&mut self, left: &[u8], shape: u32, added: &[u8]) -> Option<String> {
        if self.fits == Some(shape) {
            return None;
        }
        let clash = match self.shapes.get(shape as usize) {
            Some(names) => names.clash(left),
            None => return AddedNames::of(added).clash(left),
        };
        self.fits = Some(shape);
        clash
    }
}
