//! How records are written for commands, and how what they print is read as records.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::text;

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notation {
    /// As they are: one JSON value a line.
    #[default]
    Json,
    /// A line of text each: a string stands for its text, any other value for its JSON. Lines are
    /// strings.
    Text,
    /// `key TAB value` of `[key, value]`, each as text; without the tab where the value is null.
    /// What is no pair is a line of text. Lines are pairs.
    Kv,
    /// The bytes of a string, or of the data of `[name, data]`, and nothing between them. All that is
    /// printed is one string.
    Raw,
}

impl Notation {
    /// Appends a sound record as a command reads it.
    ///
    /// # Errors
    /// Why it cannot be written so; a fragment. Nothing is appended then.
    pub fn push(self, out: &mut Vec<u8>, record: &[u8]) -> Result<(), &'static str> {
        let line = |text: &[u8]| match memchr::memchr(b'\n', text) {
            Some(_) => Err("a text with a line end in it is no line of text"),
            None => Ok(()),
        };
        match self {
            Notation::Json => out.extend_from_slice(record),
            Notation::Text => {
                let text = plain(record)?;
                line(&text)?;
                out.extend_from_slice(&text);
            }
            Notation::Kv => match pair(record) {
                Some((key, value)) => {
                    let (key, value) = (plain(key)?, value_text(value)?);
                    line(&key)?;
                    if memchr::memchr(b'\t', &key).is_some() {
                        return Err("a key with a tab in it cannot be told from its value");
                    }
                    value.as_deref().map_or(Ok(()), line)?;
                    out.extend_from_slice(&key);
                    if let Some(value) = value {
                        out.push(b'\t');
                        out.extend_from_slice(&value);
                    }
                }
                None => return Notation::Text.push(out, record),
            },
            Notation::Raw => {
                out.extend_from_slice(&plain(named(record).map_or(record, |(_, data)| data))?);
                return Ok(());
            }
        }
        out.push(b'\n');
        Ok(())
    }

    /// Appends the record that a line without its end stands for, but for one of JSON, which is one
    /// itself.
    pub fn push_record(self, out: &mut Vec<u8>, line: &[u8]) {
        match self {
            Notation::Json => out.extend_from_slice(line),
            Notation::Text | Notation::Raw => text::push_bytes(out, line),
            Notation::Kv => {
                let tab = memchr::memchr(b'\t', line);
                out.push(b'[');
                text::push_bytes(out, &line[..tab.unwrap_or(line.len())]);
                out.push(b',');
                match tab {
                    Some(tab) => text::push_bytes(out, &line[tab + 1..]),
                    None => out.extend_from_slice(b"null"),
                }
                out.push(b']');
            }
        }
        out.push(b'\n');
    }
}

/// What a sound value is as text: a string (or what `$base64` holds) is itself, any other value its
/// JSON.
///
/// # Errors
/// Why it has no text; a fragment.
pub fn plain(value: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    let value = value.trim_ascii();
    match value.first() {
        Some(b'"') => text::value_bytes(value),
        Some(b'{') => Ok(text::value_bytes(value).unwrap_or(Cow::Borrowed(value))),
        _ => Ok(Cow::Borrowed(value)),
    }
}

fn value_text(value: &[u8]) -> Result<Option<Cow<'_, [u8]>>, &'static str> {
    if value.trim_ascii() == b"null" { Ok(None) } else { plain(value).map(Some) }
}

/// The two values of an array of two.
fn pair(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let record = record.trim_ascii();
    if record.first() != Some(&b'[') {
        return None;
    }
    let mut elements = super::scan::elements(record);
    match (elements.next(), elements.next(), elements.next()) {
        (Some(first), Some(second), None) => Some((first, second)),
        _ => None,
    }
}

/// The name and the data of a record that has both, as literals.
pub fn named(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_text = |value: &[u8]| matches!(value.trim_ascii().first(), Some(b'"' | b'{'));
    pair(record).filter(|(name, data)| is_text(name) && is_text(data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(notation: Notation, record: &str) -> Result<String, &'static str> {
        let mut out = Vec::new();
        notation.push(&mut out, record.as_bytes())?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn read(notation: Notation, line: &[u8]) -> String {
        let mut out = Vec::new();
        notation.push_record(&mut out, line);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_themselves_and_other_values_their_json() {
        for (record, text) in [
            ("\"a\\tb\"", "a\tb\n"),
            ("\"\"", "\n"),
            ("1.0", "1.0\n"),
            (" null ", "null\n"),
            ("{\"a\": 1}", "{\"a\": 1}\n"),
            ("[1, \"x\"]", "[1, \"x\"]\n"),
            ("{\"$base64\":\"YQ==\"}", "a\n"),
            ("{\"$base64\":\"?\"}", "{\"$base64\":\"?\"}\n"),
        ] {
            assert_eq!(written(Notation::Text, record).unwrap(), text);
        }
        assert!(written(Notation::Text, "\"a\\nb\"").unwrap_err().contains("line end"));
        assert!(written(Notation::Text, "\"\\ud800\"").unwrap_err().contains("surrogate"));
    }

    #[test]
    fn pairs_are_a_key_and_a_value() {
        for (record, text) in [
            ("[\"a\", \"b\\tc\"]", "a\tb\tc\n"),
            ("[1,{\"x\":2}]", "1\t{\"x\":2}\n"),
            ("[\"a\",null]", "a\n"),
            ("[\"a\",\"\"]", "a\t\n"),
            ("\"a line\"", "a line\n"),
            ("[1,2,3]", "[1,2,3]\n"),
        ] {
            assert_eq!(written(Notation::Kv, record).unwrap(), text);
        }
        assert!(written(Notation::Kv, "[\"a\\tb\",1]").unwrap_err().contains("tab"));
        assert!(written(Notation::Kv, "[\"a\",\"b\\n\"]").unwrap_err().contains("line end"));
        assert_eq!(read(Notation::Kv, b"a\tb\tc"), "[\"a\",\"b\\tc\"]\n");
        assert_eq!(read(Notation::Kv, b"a"), "[\"a\",null]\n");
        assert_eq!(read(Notation::Kv, b"\t\xff"), "[\"\",{\"$base64\":\"/w==\"}]\n");
    }

    #[test]
    fn raw_is_the_data_alone() {
        assert_eq!(written(Notation::Raw, "[\"a.png\",\"x\\ny\"]").unwrap(), "x\ny");
        assert_eq!(written(Notation::Raw, "\"x\\ny\"").unwrap(), "x\ny");
        assert_eq!(written(Notation::Raw, "[1,2]").unwrap(), "[1,2]");
        assert_eq!(named(b"[\"a\",{\"$base64\":\"\"}]").unwrap().0, b"\"a\"");
        assert!(named(b"[\"a\",1]").is_none() && named(b"\"a\"").is_none());
    }

    proptest! {
        #[test]
        fn lines_come_back(line in "[^\n]{0,40}", kv in any::<bool>()) {
            let notation = if kv { Notation::Kv } else { Notation::Text };
            let mut back = Vec::new();
            notation.push(&mut back, read(notation, line.as_bytes()).as_bytes()).unwrap();
            prop_assert_eq!(back, [line.as_bytes(), b"\n"].concat());
        }
    }
}
