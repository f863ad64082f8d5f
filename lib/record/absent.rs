//! What is said of a record that lacks a value: what it has instead, and what was perhaps meant.

use super::fields::Fields;
use super::nearest::nearest;
use super::path::spelled;
use super::scan::{Step, elements, members};
use super::text::string_bytes;

/// How many names of a record a message shows, and how many characters of each.
const SHOWN_NAMES: usize = 12;
const SHOWN_CHARS: usize = 40;

/// Says that `record` (a valid one) has nothing at `path`, which was written `text`. `ways` are what
/// can be done about it where no other path seems to be meant.
pub fn describe(record: &[u8], path: &[Step], text: &str, ways: &str) -> String {
    let said = format!("the record has no '{text}'");
    let (depth, place) = deepest(record, path);
    let (meant, there) = match place.first() {
        Some(b'{') => (meant_member(record, path, depth, place), names_of(place)),
        Some(b'[') => (meant_element(record, path, depth, place), String::new()),
        _ => (None, String::new()),
    };
    match meant {
        Some(meant) => format!("{said}{there} (did you mean {meant}?)"),
        None => format!("{said}{there} ({ways})"),
    }
}

/// What people write where there is no value, in lower case.
const PLACEHOLDERS: &[&str] =
    &["na", "n/a", "#n/a", "nan", "nil", "none", "null", "-", ".", "?", "\\n", "missing"];

/// The text of `value` (a valid one), where it is one that people write where there is no value.
pub fn placeholder(value: &[u8]) -> Option<String> {
    let text = string_bytes(value.first().filter(|&&first| first == b'"').map(|_| value)?);
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    PLACEHOLDERS.contains(&text.to_ascii_lowercase().as_str()).then(|| text.to_string())
}

/// How many steps of `path` there are in `record`, and the value that they lead to.
fn deepest<'a>(record: &'a [u8], path: &[Step]) -> (usize, &'a [u8]) {
    let mut value = record.trim_ascii();
    for (depth, step) in path.iter().enumerate() {
        let next = match step {
            Step::Name(wanted) if value.first() == Some(&b'{') => members(value)
                .filter(|(name, _)| string_bytes(name).as_ref() == wanted.as_slice())
                .last()
                .map(|(_, value)| value),
            Step::Index(index) if value.first() == Some(&b'[') => elements(value).nth(*index),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return (depth, value),
        }
    }
    (path.len(), value)
}

/// A path that is there, and differs from `path` in the name of the member at `depth` of `object`,
/// or in how it is written: `.user.id` is not `user.id`.
fn meant_member(record: &[u8], path: &[Step], depth: usize, object: &[u8]) -> Option<String> {
    let Some(Step::Name(name)) = path.get(depth) else { return None };
    let name = String::from_utf8_lossy(name).into_owned();
    let with = |steps: Vec<Step>| {
        let path = [&path[..depth], &steps, &path[depth + 1..]].concat();
        is_there(record, &path).then(|| spelled(&path))
    };
    let parts = name.trim_start_matches('.').split('.').map(|part| Step::Name(part.into()));
    let names: Vec<String> = names(object).collect();
    let near = || nearest(&name, names.iter().map(String::as_str));
    with(parts.collect()).or_else(|| with(vec![Step::Name(near()?.into())]))
}

/// A path that is there: that of the first element of `array` that has what `path` leads to.
fn meant_element(record: &[u8], path: &[Step], depth: usize, array: &[u8]) -> Option<String> {
    let paths = (0..elements(array).count().min(SHOWN_NAMES))
        .map(|index| [&path[..depth], &[Step::Index(index)], &path[depth..]].concat());
    paths.into_iter().find(|path| is_there(record, path)).map(|path| spelled(&path))
}

fn is_there(record: &[u8], path: &[Step]) -> bool {
    let mut fields = Fields::new(vec![path.to_vec()]);
    fields.locate(record).is_ok_and(|places| places[0].is_some())
}

fn names(object: &[u8]) -> impl Iterator<Item = String> {
    members(object).map(|(name, _)| String::from_utf8_lossy(&string_bytes(name)).into_owned())
}

/// The names of an object's members, as a fragment.
fn names_of(object: &[u8]) -> String {
    let mut shown: Vec<String> = names(object)
        .take(SHOWN_NAMES)
        .map(|name| name.chars().take(SHOWN_CHARS).collect())
        .collect();
    let more = names(object).count() - shown.len();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    match shown.is_empty() {
        true => String::new(),
        false => format!(", but {}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::path::parse_path;

    fn said(record: &str, path: &str) -> String {
        let steps = parse_path(path).unwrap();
        describe(record.as_bytes(), &steps, path, "WAYS")
    }

    #[test]
    fn what_was_meant_is_told_where_it_is_there() {
        let record = r#"{"carrier":"AA","user":{"id":7,"dep,time":1},"a.b":2}"#;
        let meant = [
            ("carier", "carrier"),
            ("user.id", ".user.id"),
            (".user.di", ".user.id"),
            (".usr.id", ".user.id"),
            (".user.dep-time", r#".user["dep,time"]"#),
            ("a-b", "a.b"),
        ];
        for (path, meant) in meant {
            let said = said(record, path);
            assert!(said.ends_with(&format!(" (did you mean {meant}?)")), "{said}");
            let found = parse_path(meant).unwrap();
            assert!(is_there(record.as_bytes(), &found), "{meant}");
        }
        assert_eq!(
            said("[\"k\",{\"carrier\":1}]", "carrier"),
            "the record has no 'carrier' (did you mean .[1].carrier?)"
        );
    }

    #[test]
    fn what_is_there_is_told_anyway() {
        let record = r#"{"a":{"b":1,"c":2},"d":3}"#;
        assert_eq!(said(record, "x"), "the record has no 'x', but a, d (WAYS)");
        assert_eq!(said(record, ".a.x"), "the record has no '.a.x', but b, c (WAYS)");
        assert_eq!(said(record, ".d.x"), "the record has no '.d.x' (WAYS)");
        assert_eq!(said("{}", "x"), "the record has no 'x' (WAYS)");
        assert_eq!(said("[1]", ".[3]"), "the record has no '.[3]' (WAYS)");
        assert_eq!(said("5", "x"), "the record has no 'x' (WAYS)");
        let many: Vec<_> = (0..20).map(|n| format!("\"name{n}\":1")).collect();
        let said = said(&format!("{{{}}}", many.join(",")), "x");
        assert!(said.ends_with("name11, 8 more (WAYS)"), "{said}");
    }
}
