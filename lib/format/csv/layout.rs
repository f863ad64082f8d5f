//! What the record of a row looks like around its values, made once for a file, and each value.

use std::borrow::Cow;

use super::row::{Coded, Field, Marks, decode};
use super::{Dialect, is_number};
use crate::record::text::{push_escaped, push_string};

/// What a record looks like around its values.
#[derive(Clone)]
pub(super) struct RecordLayout {
    /// What stands before each field's text, its opening quote included.
    pub(super) before: Vec<Vec<u8>>,
    /// What stands behind the last value.
    pub(super) behind: &'static [u8],
    /// The columns to take, in order: what stands before the value, and the field's number.
    /// Then `before` is but the quotes, and fields are gathered first.
    pub(super) taken: Option<Vec<(Vec<u8>, usize)>>,
}

impl RecordLayout {
    /// An object with these names.
    pub(super) fn objects(names: &[String]) -> RecordLayout {
        let before = |(number, name): (usize, &String)| {
            let mut text = vec![if number == 0 { b'{' } else { b',' }];
            push_string(&mut text, name);
            text.extend_from_slice(b":\"");
            text
        };
        let before = names.iter().enumerate().map(before).collect();
        RecordLayout { before, behind: b"}\n", taken: None }
    }

    /// An array of so many elements, one at least.
    pub(super) fn arrays(width: usize) -> RecordLayout {
        let mut before = vec![b",\"".to_vec(); width];
        before[0] = b"[\"".to_vec();
        RecordLayout { before, behind: b"]\n", taken: None }
    }

    /// Takes the columns `given` out of `names`; an error is the name that is not there.
    pub(super) fn taken(
        given: &[String],
        names: &[String],
    ) -> std::result::Result<RecordLayout, String> {
        let mut layout = RecordLayout::objects(given);
        let mut taken = Vec::new();
        for (mut before, name) in std::mem::take(&mut layout.before).into_iter().zip(given) {
            before.pop();
            let number = names.iter().position(|n| n == name).ok_or_else(|| name.clone())?;
            taken.push((before, number));
        }
        layout.before = vec![b"\"".to_vec(); names.len()];
        layout.taken = Some(taken);
        Ok(layout)
    }
}

/// Puts the record together from the gathered cells that begin at `cells`, the first at `start`.
pub(super) fn take(out: &mut Vec<u8>, start: usize, cells: &[usize], taken: &[(Vec<u8>, usize)]) {
    let gathered = out.split_off(start);
    for (before, number) in taken {
        let from = cells[*number] - start;
        let to = cells.get(number + 1).map_or(gathered.len(), |next| next - start);
        out.extend_from_slice(before);
        out.extend_from_slice(&gathered[from..to]);
    }
    out.extend_from_slice(b"}\n");
}

/// What the fields of a dialect stand for.
pub(super) struct Values<'a> {
    typed: bool,
    nulls: &'a [Vec<u8>],
    marks: Marks,
}

impl Values<'_> {
    pub(super) fn of(dialect: &Dialect) -> Values<'_> {
        let marks = Marks { quote: dialect.quote, escape: dialect.escape };
        Values { typed: dialect.typed, nulls: &dialect.nulls, marks }
    }

    /// Whether all are strings.
    pub(super) fn are_text(&self) -> bool {
        !self.typed && self.nulls.is_empty()
    }

    /// The text that a field stands for.
    pub(super) fn text_of<'a>(&self, field: Field<'a>) -> Cow<'a, [u8]> {
        if field.coded == Coded::No {
            return Cow::Borrowed(field.raw);
        }
        let mut text = Vec::with_capacity(field.raw.len());
        decode(field.raw, field.coded, self.marks, &mut text);
        Cow::Owned(text)
    }

    /// Appends a field's value behind its opening quote, or in place of that.
    pub(super) fn push(&self, out: &mut Vec<u8>, field: Field<'_>) {
        let text = self.text_of(field);
        // Where there are escapes, such a name may be one (`\N`): it counts as it stands.
        let name = if self.marks.escape.is_some() { field.raw } else { text.as_ref() };
        if self.nulls.iter().any(|null| null == name) {
            out.pop();
            out.extend_from_slice(b"null");
        } else if self.typed && is_number(&text) {
            out.pop();
            out.extend_from_slice(&text);
        } else {
            match std::str::from_utf8(&text) {
                _ if field.plain => out.extend_from_slice(&text),
                Ok(text) => push_escaped(out, text),
                // The row is judged for it when it is whole.
                Err(_) => push_escaped(out, &String::from_utf8_lossy(&text)),
            }
            out.push(b'"');
        }
    }
}
