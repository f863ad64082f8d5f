//! JSON: the scanner against `serde_json`, keys against values that are compared one by one, and
//! records of a stream against the same records alone.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use num_bigint::BigInt;
use serde::de::IgnoredAny;

use super::{Outcome, Target};
use crate::record::canonical::push_value;
use crate::record::fields::{Checker, Fields};
use crate::record::path::parse_path;
use crate::record::scan::{self, check, check_with_nan, elements, members};

const SEEDS: &[&str] = &[
    r#"{"a":1,"b":[true,false,null],"c":{"d":"e\u00e9\n"}}"#,
    r#"[1,-0.5,1e10,-12.34E-5,"x",{"":[]},{}]"#,
    r#" { "name" : "Zoë" , "n" : 12345678901234567890 } "#,
    r#""\ud83d\ude00 \ud800 \\ \" \/ \b\f\n\r\t""#,
    "[[[[[[[[]]]]]]]]",
    "0.1e+1",
    "null",
];

pub(super) const WORDS: &[&[u8]] = &[
    b"{\"a\":",
    b"[",
    b"]",
    b"}",
    b",",
    b":",
    b"\"",
    b"\\u",
    b"\\ud83d",
    b"\\ude00",
    b"\\\"",
    b"null",
    b"true",
    b"false",
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"-0",
    b"0.0",
    b"\"a\"",
    b"\"b\"",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"12345678901234567890.5e-7",
    b"12345678",
    b"\n",
];

/// Deeper ones `serde_json` does not read.
const THEIR_DEPTH: usize = 127;

/// How deep the brackets of a text nest that no string hides, or more.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    for byte in text {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => (),
        }
        most = most.max(depth);
    }
    most
}

#[test]
fn scanner() {
    Target::new("json", SEEDS, WORDS).run(|input| {
        let ours = check(input);
        if depth(input) < THEIR_DEPTH {
            let theirs = serde_json::from_slice::<IgnoredAny>(input).map(drop);
            let theirs = theirs.is_ok() && std::str::from_utf8(input).is_ok();
            assert_eq!(ours.is_ok(), theirs, "{ours:?}");
        }
        if let Err(flaw) = ours {
            assert!(flaw.at <= input.len(), "{flaw:?}");
            let _ = check_with_nan(input);
            let _ = scan::prefix(input, true);
            return Outcome::Refused;
        }
        assert_eq!(check_with_nan(input), Ok(()));
        assert!(depth(input) > THEIR_DEPTH || again(input).len() <= input.len() * 6);
        let start = scan::skip_space(input, 0);
        assert_eq!(scan::prefix(&input[start..], false).unwrap(), input.trim_ascii().len());
        Outcome::Taken
    });
}

/// The value put together again from its parts; what `serde_json` makes of both is the same.
fn again(value: &[u8]) -> Vec<u8> {
    let parts = |parts: Vec<Vec<u8>>, open: u8, close: u8| {
        [&[open][..], &parts.join(&b','), &[close]].concat()
    };
    let made = match value.trim_ascii()[0] {
        b'[' => parts(elements(value).map(<[u8]>::to_vec).collect(), b'[', b']'),
        b'{' => {
            let member = |(name, value): (&[u8], &[u8])| [name, b":", value].concat();
            parts(members(value).map(member).collect(), b'{', b'}')
        }
        _ => value.trim_ascii().to_vec(),
    };
    let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
    assert_eq!(read(&made), read(value));
    made
}

/// A value as anyone would write it down who cares for nothing but what it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Model {
    Null,
    False,
    True,
    Number(Decimal),
    Text(Vec<u8>),
    Array(Vec<Model>),
    /// The names, and then the values in their order.
    Object(Vec<Vec<u8>>, Vec<Model>),
}

/// So many times a power of ten.
#[derive(Debug)]
struct Decimal(BigInt, BigInt);

impl Decimal {
    fn of(text: &str) -> Decimal {
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits: BigInt = format!("{whole}{fraction}").parse().unwrap();
        let exponent: BigInt = exponent.trim_start_matches('+').parse().unwrap();
        Decimal(digits, exponent - fraction.len())
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        // The sign, then the place of the first digit, then the digits: no power is ever taken.
        let sign = |d: &Decimal| d.0.sign();
        if sign(self) != sign(other) || sign(self) == num_bigint::Sign::NoSign {
            return sign(self).cmp(&sign(other));
        }
        let digits = |d: &Decimal| d.0.magnitude().to_string();
        let (a, b) = (digits(self), digits(other));
        let first = |d: &Decimal, digits: &str| &d.1 + digits.len();
        let width = a.len().max(b.len());
        let size = first(self, &a)
            .cmp(&first(other, &b))
            .then_with(|| format!("{a:0<width$}").cmp(&format!("{b:0<width$}")));
        if sign(self) == num_bigint::Sign::Minus { size.reverse() } else { size }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

/// Reads values that are known to be sound.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn next(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        *first
    }

    /// The next byte that is no white space, which stays.
    fn peek(&mut self) -> u8 {
        self.0 = self.0.trim_ascii_start();
        self.0[0]
    }

    fn word(&mut self, word: &str, model: Model) -> Model {
        self.0 = self.0.strip_prefix(word.as_bytes()).unwrap();
        model
    }

    fn value(&mut self) -> Model {
        match self.peek() {
            b'n' => self.word("null", Model::Null),
            b't' => self.word("true", Model::True),
            b'f' => self.word("false", Model::False),
            b'"' => Model::Text(self.text()),
            b'[' => {
                let mut values = Vec::new();
                while self.goes_on(b']') {
                    values.push(self.value());
                }
                Model::Array(values)
            }
            b'{' => {
                let mut members = BTreeMap::new();
                while self.goes_on(b'}') {
                    self.peek();
                    let name = self.text();
                    self.peek();
                    self.next();
                    members.insert(name, self.value());
                }
                let (names, values) = members.into_iter().unzip();
                Model::Object(names, values)
            }
            _ => {
                let is_of_number =
                    |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let (number, rest) =
                    self.0.split_at(self.0.iter().take_while(is_of_number).count());
                self.0 = rest;
                Model::Number(Decimal::of(std::str::from_utf8(number).unwrap()))
            }
        }
    }

    /// Takes what stands before the next part of an array or object; `false` at its end.
    fn goes_on(&mut self, close: u8) -> bool {
        if self.peek() == close {
            self.next();
            return false;
        }
        // An opening bracket or a comma; the bracket has nothing behind it in an empty one.
        self.next();
        if self.peek() == close {
            self.next();
            return false;
        }
        true
    }

    /// A string in WTF-8.
    fn text(&mut self) -> Vec<u8> {
        self.next();
        let (mut text, mut high) = (Vec::new(), None::<u32>);
        loop {
            let code = match self.next() {
                b'"' => return text,
                b'\\' => match self.next() {
                    b'n' => 10,
                    b'r' => 13,
                    b't' => 9,
                    b'b' => 8,
                    b'f' => 12,
                    b'u' => {
                        let (digits, rest) = self.0.split_at(4);
                        self.0 = rest;
                        u32::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
                    }
                    other => u32::from(other),
                },
                byte => {
                    high = None;
                    text.push(byte);
                    continue;
                }
            };
            if let (Some(first), 0xdc00..0xe000) = (high.take(), code) {
                text.truncate(text.len() - 3);
                let both = 0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00);
                text.extend(char::from_u32(both).unwrap().encode_utf8(&mut [0; 4]).bytes());
            } else if let Some(c) = char::from_u32(code) {
                text.extend(c.encode_utf8(&mut [0; 4]).bytes());
            } else {
                high = Some(code).filter(|code| (0xd800..0xdc00).contains(code));
                text.extend(
                    [0xe0 | code >> 12, 0x80 | code >> 6 & 63, 0x80 | code & 63].map(|b| b as u8),
                );
            }
        }
    }
}

#[test]
fn keys() {
    let mut seeds: Vec<String> = SEEDS.windows(2).map(|pair| pair.join("\n")).collect();
    seeds.extend(
        ["1\n1.0\n10e-1\n-1", "[1]\n[1,2]\n[]\n{}", "\"a\"\n\"\\u0061\\u0000\"\n\"\""]
            .map(String::from),
    );
    let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
    Target::new("keys", &seeds, WORDS).run(|input| {
        let records = input.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let records = records.filter(|record| check(record).is_ok() && depth(record) < THEIR_DEPTH);
        let keyed: Vec<_> = records
            .map(|record| {
                let mut key = Vec::new();
                push_value(&mut key, record);
                (key, Reader(record).value())
            })
            .collect();
        for pair in keyed.windows(2) {
            let [(a, first), (b, second)] = pair else { unreachable!() };
            assert_eq!(a.cmp(b), first.cmp(second), "{first:?} {second:?}");
            assert!(a == b || !a.starts_with(b) && !b.starts_with(a), "one key begins another");
        }
        if keyed.len() > 1 { Outcome::Taken } else { Outcome::Refused }
    });
}

#[test]
fn layouts() {
    let seeds = [
        "{\"a\":{\"b\":1},\"c\":\"x\"}\n{\"a\":{\"b\":-2.5},\"c\":\"yé\"}\n{\"a\":{\"b\":null},\"c\":true}\n",
        "[1,\"a\"]\n[2,\"b\"]\n[3e5,\"\"]\n",
        "\"one\"\n\"two words\"\n\"123456789abcdef\"\n",
        "{ \"c\" : 1 }\n{ \"c\" : \"1\" }\n{ \"c\" : false }\n",
    ];
    let paths = [".", "a", ".a.b", ".[0]", ".[1].a", "c"].map(|path| parse_path(path).unwrap());
    Target::new("layouts", &seeds, WORDS).run(|input| {
        let (mut stream, mut lines) = (Fields::new(paths.to_vec()), Fields::new(paths.to_vec()));
        let (mut checker, mut good) = (Checker::default(), 0);
        let (mut at, mut count) = (0, 0);
        for record in input.split(|byte| *byte == b'\n') {
            let alone = Fields::new(paths.to_vec()).locate(record).map(<[_]>::to_vec);
            let sound = check(record);
            assert_eq!(alone.as_ref().err(), sound.as_ref().err());
            assert_eq!(checker.check(record), sound);
            let (lines_alike, end) = checker.check_lines(input, at, usize::MAX);
            let alike = input[at..end].split_inclusive(|byte| *byte == b'\n');
            assert!(
                alike
                    .clone()
                    .all(|line| line.ends_with(b"\n") && check(&line[..line.len() - 1]).is_ok())
            );
            assert_eq!(alike.count(), lines_alike);
            let mut places = Vec::new();
            if let Some(end) = lines.locate_line(input, at, &mut places) {
                assert_eq!(
                    (end, Ok(places.as_slice())),
                    (at + record.len(), alone.as_deref().map_err(|e| *e))
                );
            }
            let _ = lines.locate(record);
            assert_eq!(stream.locate(record), alone.as_deref().map_err(|flaw| *flaw));
            good += usize::from(sound.is_ok());
            (at, count) = (at + record.len() + 1, count + 1);
        }
        if good * 2 > count { Outcome::Taken } else { Outcome::Refused }
    });
}
