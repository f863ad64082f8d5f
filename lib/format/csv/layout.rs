//! What the record of a row looks like around its values, made once for a file, and each value.

use std::borrow::Cow;

use super::is_number;
use super::row::{Field, undouble};
use crate::record::text::{push_escaped, push_string};

/// What a record looks like around its values.
pub(super) struct Layout {
    /// What stands before each field's text, its opening quote included.
    pub(super) before: Vec<Vec<u8>>,
    /// What stands behind the last value.
    pub(super) behind: &'static [u8],
    /// The columns to take, in order: what stands before the value, and the field's number.
    /// Then `before` is but the quotes, and fields are gathered first.
    pub(super) taken: Option<Vec<(Vec<u8>, usize)>>,
}

impl Layout {
    /// An object with these names.
    pub(super) fn objects(names: &[String]) -> Layout {
        let before = |(number, name): (usize, &String)| {
            let mut text = vec![if number == 0 { b'{' } else { b',' }];
            push_string(&mut text, name);
            text.extend_from_slice(b":\"");
            text
        };
        let before = names.iter().enumerate().map(before).collect();
        Layout { before, behind: b"}\n", taken: None }
    }

    /// An array of so many elements, one at least.
    pub(super) fn arrays(width: usize) -> Layout {
        let mut before = vec![b",\"".to_vec(); width];
        before[0] = b"[\"".to_vec();
        Layout { before, behind: b"]\n", taken: None }
    }

    /// Takes the columns `given` out of `names`; an error is the name that is not there.
    pub(super) fn taken(given: &[String], names: &[String]) -> std::result::Result<Layout, String> {
        let mut layout = Layout::objects(given);
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

/// The text of a field.
pub(super) fn text_of(field: Field<'_>) -> Cow<'_, [u8]> {
    if !field.doubled {
        return Cow::Borrowed(field.raw);
    }
    let mut text = Vec::with_capacity(field.raw.len());
    undouble(field.raw, &mut text);
    Cow::Owned(text)
}

/// Appends a field's value behind its opening quote, or in place of that.
pub(super) fn push_field(out: &mut Vec<u8>, field: Field<'_>, typed: bool, null: Option<&[u8]>) {
    let text = text_of(field);
    if null == Some(text.as_ref()) {
        out.pop();
        out.extend_from_slice(b"null");
    } else if typed && is_number(&text) {
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
