//! Which columns records need: the narrowest that hold all of them.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};

use super::taking::same;
use crate::record::scan::{elements, members};
use crate::record::text::string_bytes;

/// What was seen of some values.
#[derive(Debug, Default, PartialEq)]
pub(super) enum SeenValues {
    /// Nothing but null.
    #[default]
    Null,
    Bool,
    Integer,
    Number,
    Text,
    /// Bytes that are no text, and perhaps text.
    Bytes,
    List(Box<SeenValues>),
    /// Members by name, in the order in which they came up.
    Object(Vec<(String, SeenValues)>),
}

impl SeenValues {
    /// What a person calls it.
    fn name(&self) -> &'static str {
        match self {
            SeenValues::Null => "null",
            SeenValues::Bool => "true or false",
            SeenValues::Integer | SeenValues::Number => "a number",
            SeenValues::Text => "text",
            SeenValues::Bytes => "bytes",
            SeenValues::List(_) => "an array",
            SeenValues::Object(_) => "an object",
        }
    }

    /// Takes note of a value.
    ///
    /// # Errors
    /// Where and why no column holds it beside those before.
    pub(super) fn note(&mut self, value: &[u8]) -> Result<(), String> {
        let now = match value.first() {
            Some(b'n') => return Ok(()),
            Some(b't' | b'f') => SeenValues::Bool,
            Some(b'"') => SeenValues::Text,
            Some(b'[') => {
                let now = SeenValues::List(Box::default());
                if let SeenValues::List(seen) = self.becomes(now)? {
                    return elements(value).try_for_each(|element| seen.note(element));
                }
                return Ok(());
            }
            Some(b'{') if is_bytes(value) => SeenValues::Bytes,
            Some(b'{') => {
                if let SeenValues::Object(seen) = self.becomes(SeenValues::Object(Vec::new()))? {
                    return note_members(seen, value);
                }
                return Ok(());
            }
            _ => of_number(value),
        };
        self.becomes(now)?;
        Ok(())
    }
    /// What holds these values and those before.
    fn becomes(&mut self, now: SeenValues) -> Result<&mut SeenValues, String> {
        use std::mem::discriminant;
        let is_wider = match (&*self, &now) {
            (SeenValues::Null, _)
            | (SeenValues::Integer, SeenValues::Number)
            | (SeenValues::Text, SeenValues::Bytes) => true,
            (SeenValues::Number, SeenValues::Integer) | (SeenValues::Bytes, SeenValues::Text) => {
                false
            }
            (before, now) if discriminant(before) == discriminant(now) => false,
            (before, now) => {
                return Err(format!(": it is {}, and was {} before", now.name(), before.name()));
            }
        };
        if is_wider {
            *self = now;
        }
        Ok(self)
    }

    /// The column, or the group of columns, that holds it.
    ///
    /// # Errors
    /// Where and why there can be none.
    fn column(&self, name: &str) -> Result<TypePtr, String> {
        let optional = Repetition::OPTIONAL;
        let plain = |physical| {
            let column = Type::primitive_type_builder(name, physical).with_repetition(optional);
            built(column.build())
        };
        match self {
            SeenValues::Bool => plain(Physical::BOOLEAN),
            SeenValues::Integer => plain(Physical::INT64),
            SeenValues::Number => plain(Physical::DOUBLE),
            SeenValues::Bytes => plain(Physical::BYTE_ARRAY),
            SeenValues::Null | SeenValues::Text => {
                let column = Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                    .with_repetition(optional)
                    .with_logical_type(Some(LogicalType::String));
                built(column.build())
            }
            SeenValues::List(element) => {
                let element = element.column("element")?;
                let list = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![element]);
                let column = Type::group_type_builder(name)
                    .with_repetition(optional)
                    .with_logical_type(Some(LogicalType::List))
                    .with_fields(vec![built(list.build())?]);
                built(column.build())
            }
            SeenValues::Object(members) => {
                let group = Type::group_type_builder(name).with_repetition(optional);
                built(group.with_fields(columns(members)?).build())
            }
        }
    }
}

fn built(column: Result<Type, ParquetError>) -> Result<TypePtr, String> {
    column.map(Arc::new).map_err(|error| format!(": {error}"))
}

fn columns(members: &[(String, SeenValues)]) -> Result<Vec<TypePtr>, String> {
    if members.is_empty() {
        return Err(": an object without members has no columns".into());
    }
    let column =
        |(name, seen): &(String, SeenValues)| seen.column(name).map_err(|why| below(name, &why));
    members.iter().map(column).collect()
}

/// The columns of records of which these members were seen.
///
/// # Errors
/// Where and why there can be none.
pub(super) fn schema(seen: &[(String, SeenValues)]) -> Result<TypePtr, String> {
    let columns = if seen.is_empty() { Vec::new() } else { columns(seen)? };
    built(Type::group_type_builder("records").with_fields(columns).build())
}

/// Takes note of a record, a valid one.
///
/// # Errors
/// Where and why no column holds it beside those before.
pub(super) fn note(seen: &mut Vec<(String, SeenValues)>, record: &[u8]) -> Result<(), String> {
    let record = record.trim_ascii();
    match record.first() {
        Some(b'{') => note_members(seen, record),
        _ => Err("it is no object".into()),
    }
}

fn note_members(seen: &mut Vec<(String, SeenValues)>, object: &[u8]) -> Result<(), String> {
    for (name, value) in members(object) {
        let name = String::from_utf8(string_bytes(name).into_owned())
            .map_err(|_| ": a name with a lone surrogate has no UTF-8 form".to_string())?;
        let at = seen.iter().position(|(there, _)| *there == name).unwrap_or(seen.len());
        if at == seen.len() {
            seen.push((name, SeenValues::Null));
        }
        let (name, seen) = &mut seen[at];
        seen.note(value).map_err(|why| below(name, &why))?;
    }
    Ok(())
}

fn below(name: &str, why: &str) -> String {
    format!(".{name}{why}")
}

/// Whether an object stands for bytes.
fn is_bytes(object: &[u8]) -> bool {
    let mut members = members(object);
    let name = members.next().map(|(name, _)| string_bytes(name));
    name.is_some_and(|name| name.as_ref() == b"$base64") && members.next().is_none()
}

/// An integer of 64 bits, or another number.
fn of_number(number: &[u8]) -> SeenValues {
    let integer = std::str::from_utf8(number).ok().and_then(|text| text.parse::<i64>().ok());
    match integer {
        Some(integer) if same(number, &integer).is_ok() => SeenValues::Integer,
        _ => SeenValues::Number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(records: &[&str]) -> Result<String, String> {
        let mut seen = Vec::new();
        for record in records {
            note(&mut seen, record.as_bytes())?;
        }
        let mut text = Vec::new();
        parquet::schema::printer::print_schema(&mut text, schema(&seen)?.as_ref());
        Ok(String::from_utf8(text).unwrap().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn columns_are_the_narrowest_that_hold_all_records() {
        assert_eq!(
            seen(&[r#"{"a":1,"b":null,"c":"x"}"#, r#"{"a":1.5,"c":{"$base64":"/w=="},"d":[true]}"#]),
            Ok("message records { OPTIONAL DOUBLE a; OPTIONAL BYTE_ARRAY b (STRING); OPTIONAL BYTE_ARRAY c; \
                OPTIONAL group d (LIST) { REPEATED group list { OPTIONAL BOOLEAN element; } } }"
                .into())
        );
        assert_eq!(
            seen(&[r#"{"s":{"x":1}}"#, r#"{"s":{"y":[{"z":9223372036854775807}]}}"#]),
            Ok("message records { OPTIONAL group s { OPTIONAL INT64 x; OPTIONAL group y (LIST) { REPEATED \
                group list { OPTIONAL group element { OPTIONAL INT64 z; } } } } }"
                .into())
        );
        assert_eq!(seen(&["1"]), Err("it is no object".into()));
        let clash = seen(&[r#"{"a":{"b":1}}"#, r#"{"a":{"b":"x"}}"#]);
        assert_eq!(clash, Err(".a.b: it is text, and was a number before".into()));
        assert_eq!(
            seen(&[r#"{"a":{}}"#]),
            Err(".a: an object without members has no columns".into())
        );
    }
}
