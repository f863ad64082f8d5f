//! Keys: which part of a record orders and groups it, and the bytes that stand for it.
//!
//! A key becomes *canonical key bytes*: comparing them as bytes is comparing the keys in their
//! order, and equal keys have equal bytes. Each part's are those of its value ([`canonical`](super::canonical)), which
//! end by themselves, so that parts simply follow one another. A part in reverse order has every
//! byte complemented.

mod keyer;
mod shown;

use serde::{Deserialize, Serialize};

use super::path::{bad_key, parse_path, split_outside};
use super::scan::Step;
use crate::error::Result;

pub use keyer::{Found, KeyFault, KeyPlace, Keyer};
pub use shown::shown;

/// One part of a key: `PATH[:MODS]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// The path as it was written, for messages.
    pub text: String,
    /// Where the value lies in a record.
    pub path: Vec<Step>,
    /// As what the value compares.
    pub sense: Sense,
    /// In reverse order (`r`).
    pub reverse: bool,
}

/// As what a value compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sense {
    /// As it is.
    #[default]
    Plain,
    /// As a number, which may be inside a string; nothing else is a key (`n`).
    Number,
    /// Strings in this way, wherever in the value they are.
    Text {
        /// Their case is ignored (`i`).
        fold: bool,
        /// They are versions, and so are numbers as they are spelled (`V`).
        version: bool,
    },
}

impl Sense {
    /// The letters that stand for it.
    fn letters(self) -> &'static str {
        match self {
            Sense::Number => "n",
            Sense::Text { fold: true, version: true } => "iV",
            Sense::Text { fold: true, version: false } => "i",
            Sense::Text { fold: false, version: true } => "V",
            Sense::Plain | Sense::Text { .. } => "",
        }
    }
}

impl KeyPart {
    /// The name that a result's member gets from this part: the last name on its path.
    pub fn name(&self) -> String {
        match self.path.iter().rev().find_map(|step| match step {
            Step::Name(name) => Some(String::from_utf8_lossy(name).into_owned()),
            Step::Index(_) => None,
        }) {
            Some(name) => name,
            None => self.text.clone(),
        }
    }
}

/// What `-k` says: the parts of the key, most significant first, or the key that holds without it.
///
/// A [`Keyer`] finds the key of a record, as bytes that compare as keys do:
///
/// ```
/// use mycloud::record::key::{Keyer, Keys, Missing};
///
/// # fn main() -> mycloud::Result<()> {
/// let keys = Keys::parse("region,amount:nr")?;
/// assert_eq!(keys.parts[1].name(), "amount");
/// assert_eq!(keys.spelled(), "region,amount:nr");
///
/// let mut keyer = Keyer::new(&keys, Missing::Fail, &[]);
/// let mut key = |record: &str| {
///     let mut bytes = Vec::new();
///     keyer.key(record.as_bytes(), &mut bytes).ok().map(|_| bytes)
/// };
/// let north = key(r#"{"region": "north", "amount": 10}"#);
/// // Numbers compare as numbers, in strings (n) too, and their spelling is all one.
/// assert_eq!(north, key(r#"{"amount": "1e1", "region": "north"}"#));
/// // The greatest amount first (r).
/// assert!(key(r#"{"region": "north", "amount": 9}"#) > north);
/// assert!(key(r#"{"region": "south", "amount": 99}"#) > north);
/// // A record without a part has no key.
/// assert!(key(r#"{"region": "north"}"#).is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The parts; empty for the key that holds without `-k`: the first element of an array that
    /// has one, any other record itself.
    pub parts: Vec<KeyPart>,
}

impl Keys {
    /// The key that holds without `-k`.
    pub fn implied() -> Keys {
        Keys { parts: Vec::new() }
    }

    /// Reads `PATH[:MODS][,PATH[:MODS]]...`; the empty text is [`Keys::implied`].
    ///
    /// # Errors
    /// `Usage`, when the text is no key.
    pub fn parse(text: &str) -> Result<Keys> {
        if text.is_empty() {
            return Ok(Keys::implied());
        }
        let parts = split_outside(text, b',').into_iter().map(parse_part);
        Ok(Keys { parts: parts.collect::<Result<_>>()? })
    }

    /// How `-k` would spell this key; [`Keys::parse`] reads it back.
    pub fn spelled(&self) -> String {
        let parts = self.parts.iter().map(|part| {
            let mods = format!("{}{}", part.sense.letters(), if part.reverse { "r" } else { "" });
            format!("{}{}{mods}", part.text, if mods.is_empty() { "" } else { ":" })
        });
        parts.collect::<Vec<_>>().join(",")
    }
}

fn parse_part(text: &str) -> Result<KeyPart> {
    let pieces = split_outside(text, b':');
    let (path, mods) = match pieces[..] {
        [path] => (path, ""),
        [path, mods] => (path, mods),
        _ => return Err(bad_key(text, "more than one ':' (a name that has one: .[\"a:b\"])")),
    };
    if pieces.len() == 2 && mods.is_empty() {
        return Err(bad_key(text, "nothing follows the ':'"));
    }
    if let Some(letter) = mods.chars().find(|letter| !"niVr".contains(*letter)) {
        let known = "n (numbers), i (case ignored), V (versions) and r (reverse)";
        return Err(bad_key(text, &format!("'{letter}' is no modifier; they are {known}")));
    }
    let has = |letter| mods.contains(letter);
    let sense = match (has('n'), has('i'), has('V')) {
        (false, false, false) => Sense::Plain,
        (false, fold, version) => Sense::Text { fold, version },
        (true, false, false) => Sense::Number,
        (true, true, _) => return Err(bad_key(text, "n and i: numbers have no case")),
        (true, _, true) => return Err(bad_key(text, "n and V: a number or a version, not both")),
    };
    Ok(KeyPart { text: path.to_string(), path: parse_path(path)?, sense, reverse: has('r') })
}

/// What becomes of a record that has no key (or none that is a number, under `n`).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// It ends the tool (exit 3).
    #[default]
    Fail,
    /// Its key is null.
    Null,
    /// It is dropped and counted.
    Skip,
}

impl std::str::FromStr for Missing {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Missing, String> {
        match word {
            "fail" => Ok(Missing::Fail),
            "null" => Ok(Missing::Null),
            "skip" => Ok(Missing::Skip),
            _ => Err("say fail, null or skip".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(keys: &str, missing: Missing, record: &str) -> std::result::Result<Vec<u8>, KeyFault> {
        let mut out = Vec::new();
        let keys = Keys::parse(keys).unwrap();
        Keyer::new(&keys, missing, &[]).key(record.as_bytes(), &mut out).map(|_| ())?;
        Ok(out)
    }

    #[test]
    fn values_are_in_the_order_of_jq() {
        let ordered = [
            "null",
            "false",
            "true",
            "-1e400",
            "-10",
            "-9.5",
            "-1e-400",
            "0",
            "1e-400",
            "0.5",
            "1",
            "9.99",
            "10",
            "1e400",
            "\"\"",
            "\"\\u0000\"",
            "\"\\u0000a\"",
            "\"a\"",
            "\"a\\u0000\"",
            "\"ab\"",
            "\"b\"",
            "\"é\"",
            "\"\\ud800\"",
            "\"\\uffff\"",
            "\"😀\"",
            "[]",
            "[null]",
            "[1]",
            "[1,0]",
            "[2]",
            "[[]]",
            "{}",
            "{\"a\":1}",
            "{\"a\":2}",
            "{\"a\":1,\"b\":0}",
            "{\"b\":0}",
        ];
        let keys: Vec<_> = ordered.map(|v| key(".", Missing::Fail, v).unwrap()).into();
        for pair in 1..keys.len() {
            assert!(keys[pair - 1] < keys[pair], "{} {}", ordered[pair - 1], ordered[pair]);
        }
    }

    #[test]
    fn equal_keys_have_equal_bytes() {
        let same = [
            ("1", "1.0"),
            ("1e0", "10e-1"),
            ("-0", "0.0"),
            (r#""\u0041""#, r#""A""#),
            (r#"{"a":0,"b":2,"a":1}"#, r#"{ "b" : 2.0, "a":1 }"#),
            ("[1,2]", "[ 1.0 , 2 ]"),
        ];
        for (a, b) in same {
            assert_eq!(key(".", Missing::Fail, a), key(".", Missing::Fail, b), "{a} {b}");
        }
    }

    #[test]
    fn parts_and_modifiers_combine() {
        let of = |record: &str| key(".a:n,b:r", Missing::Fail, record).unwrap();
        assert!(of(r#"{"a":"9","b":"x"}"#) < of(r#"{"a":10,"b":"x"}"#));
        assert!(of(r#"{"a":1,"b":"xy"}"#) < of(r#"{"a":1,"b":"x"}"#));
        assert!(of(r#"{"a":1,"b":2}"#) < of(r#"{"a":1.0,"b":1}"#));
    }

    #[test]
    fn strings_without_their_case() {
        let of = |record: &str| key(".:i", Missing::Fail, record).unwrap();
        let same = [
            (r#""Bob""#, r#""bOB""#),
            (r#""STRASSE""#, r#""stra\u00dfe""#),
            (r#"["A",{"k":"B"}]"#, r#"["a",{"k":"b"}]"#),
            (r#""\ud800A\u0000""#, r#""\ud800a\u0000""#),
        ];
        for (a, b) in same {
            assert_eq!(of(a), of(b), "{a} {b}");
        }
        assert_ne!(of(r#"{"K":1}"#), of(r#"{"k":1}"#));
        let ascending = ["null", "9", "10", r#""ann""#, r#""Ann\u0000""#, r#""Bob""#, r#""cy""#];
        for pair in ascending.windows(2) {
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
            let reverse = |record| key(".:ir", Missing::Fail, record).unwrap();
            assert!(reverse(pair[0]) > reverse(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn strings_and_numbers_as_versions() {
        let of = |record: &str| key(".:V", Missing::Fail, record).unwrap();
        let ascending = ["null", r#""1.2""#, "1.9", r#""1.10""#, r#""V2""#, r#""v1""#, "[]"];
        for pair in ascending.windows(2) {
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
        }
        assert_eq!(of("1.10"), of(r#""01.10""#));
        let both = |record: &str| key(".:iV", Missing::Fail, record).unwrap();
        assert!(both(r#""v1""#) < both(r#""V2""#));
    }

    #[test]
    fn modifiers_are_spelled_as_they_are_read() {
        for text in ["a:n", "a:nr", "a:i", "a:ir", "a:V", "a:Vr", "a:iV", "a:iVr", "a", "a:r,b:V"] {
            let keys = Keys::parse(text).unwrap();
            assert_eq!(keys.spelled(), text);
            assert_eq!(Keys::parse(&keys.spelled()).unwrap(), keys);
        }
        for text in ["a:nV", "a:in", "a:rnV", "a:v", "a:I"] {
            assert_eq!(Keys::parse(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn the_implied_key_is_the_first_element_or_the_record() {
        assert_eq!(key("", Missing::Fail, "[2,3]"), key(".", Missing::Fail, "2"));
        assert_eq!(key("", Missing::Fail, "[]"), key(".", Missing::Fail, "[]"));
        assert_eq!(key("", Missing::Fail, "{\"a\":1}"), key(".", Missing::Fail, "{\"a\":1}"));
    }

    #[test]
    fn what_is_missing_is_judged() {
        assert!(matches!(key("a", Missing::Fail, "{}"), Err(KeyFault::Missing(_))));
        assert!(matches!(key("a:n", Missing::Fail, "{\"a\":\"x\"}"), Err(KeyFault::Missing(_))));
        assert!(matches!(key("a:n", Missing::Skip, "{\"a\":\"\"}"), Err(KeyFault::Skip)));
        assert_eq!(key("a", Missing::Null, "{}"), key(".", Missing::Fail, "null"));
        assert!(matches!(key("a", Missing::Null, "{"), Err(KeyFault::Flaw(_))));
    }

    #[test]
    fn paths_are_read() {
        let name = |n: &str| Step::Name(n.into());
        let good = [
            ("region", vec![name("region")]),
            ("id.orig", vec![name("id.orig")]),
            (".user.id", vec![name("user"), name("id")]),
            (".[0]", vec![Step::Index(0)]),
            (".a[1].b", vec![name("a"), Step::Index(1), name("b")]),
            (r#".["odd: name"]"#, vec![name("odd: name")]),
            (r#".["a]\"b"].c"#, vec![name("a]\"b"), name("c")]),
            (".", vec![]),
        ];
        for (text, path) in good {
            assert_eq!(parse_path(text).unwrap(), path, "{text}");
        }
        for text in ["", "..", ".a.", ".a..b", ".[", ".[x]", ".[-1]", ".[\"a\"", "a[0]"] {
            assert!(parse_path(text).is_err(), "{text}");
        }
        let keys = Keys::parse(r#"a:n,.["x,y:z"]:rn,.b"#).unwrap();
        assert_eq!(keys.parts.len(), 3);
        assert_eq!(Keys::parse(&keys.spelled()).unwrap().parts.len(), 3);
        assert!(
            Keys::parse("a:q").is_err()
                && Keys::parse("a:").is_err()
                && Keys::parse("a,,b").is_err()
        );
    }
}
