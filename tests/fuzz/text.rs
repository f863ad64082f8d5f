//! Lines and values: text, NDJSON, JSON in any layout, and encodings.

use serde_json::Value;

use super::driver::chosen;
use super::input::{RECORD_MAX, Read, Stepwise, read_all, steps};
use super::{Outcome, Target};
use crate::format::encoding::{Charset, Coding, Decoded, Invalid};
use crate::format::json::{JsonLayout, JsonReader};
use crate::format::ndjson::{Leniency, NdjsonReader};
use crate::format::spec::Spec;
use crate::format::text::{Shape, TextReader};
use crate::record::notation::Notation;
use crate::record::scan::check;
use crate::record::text_lines::{LineEnd, push_strings, push_texts};

const LINES: &[&str] = &[
    "one\ntwo words\r\n\ttab\n",
    "\"quoted\" \\ back\nZoë 😀\n\n",
    "key\tvalue\nkey\nkey\t\n",
    "\"a\"\n\"b\\tc\"\n\"\\ud83d\\ude00 \\u00e9\"\n",
];

const WORDS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b"\\n",
    b"\\u000a",
    b"\\ud800",
    b"\\\"",
    b"\"\n\"",
    b"\"",
    b"\\",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xed\xa0\x80",
    b"\xc3",
    b"\xf0\x9f\x98\x80",
    b"\0",
    b"{\"$base64\":\"",
    b"[1,2]",
    b"12345678",
    b"abcdefgh",
];

/// Said, so that nothing is guessed of it by the first bytes that come.
const UTF_8: Coding = Coding { charset: Some(Charset::Utf8), invalid: Invalid::Fail };

/// What all lines become, each that `some` stops at as `other` says.
fn whole(
    bytes: &[u8],
    mut some: impl FnMut(&mut Vec<u8>, usize) -> (usize, u64),
    mut other: impl FnMut(&mut Vec<u8>, &[u8]),
) -> (Vec<u8>, u64) {
    let (mut out, mut at, mut count) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let (end, some) = some(&mut out, at);
        (at, count) = (end, count + some);
        if let Some(length) = memchr::memchr(b'\n', &bytes[at..]) {
            other(&mut out, &bytes[at..at + length]);
            (at, count) = (at + length + 1, count + 1);
        }
    }
    (out, count)
}

/// Each line as `one` says.
fn one_by_one(bytes: &[u8], mut one: impl FnMut(&mut Vec<u8>, &[u8])) -> (Vec<u8>, u64) {
    let (mut out, mut count) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        one(&mut out, line.strip_suffix(b"\n").unwrap_or(line));
        count += 1;
    }
    (out, count)
}

#[test]
fn text_lines() {
    Target::new("text-lines", LINES, WORDS).run(|input| {
        let input = &input[..memchr::memrchr(b'\n', input).map_or(0, |end| end + 1)];
        for ends in [LineEnd::Lf, LineEnd::CrLf] {
            let record = |out: &mut Vec<u8>, line: &[u8]| {
                let cut = line.strip_suffix(b"\r").filter(|_| ends == LineEnd::CrLf);
                Notation::Text.push_record(out, cut.unwrap_or(line));
            };
            let found = whole(input, |out, at| push_strings(out, input, at, ends), record);
            assert_eq!(found, one_by_one(input, record));
        }
        let mut sound = 0;
        let mut text = |out: &mut Vec<u8>, record: &[u8]| {
            if check(record).is_err() || Notation::Text.push(out, record).is_err() {
                out.extend_from_slice(b"(refused)\n");
            } else {
                sound += 1;
            }
        };
        let due = one_by_one(input, &mut text);
        assert_eq!(whole(input, |out, at| push_texts(out, input, at), text), due);
        if sound > 0 { Outcome::Taken } else { Outcome::Refused }
    });
}

#[test]
fn notation() {
    Target::new("notation", LINES, WORDS).run(|input| {
        let mut outcome = Outcome::Refused;
        for line in input.split(|byte| *byte == b'\n') {
            for notation in [Notation::Text, Notation::Kv] {
                let (mut record, mut again) = (Vec::new(), Vec::new());
                notation.push_record(&mut record, line);
                check(&record).unwrap();
                notation.push(&mut again, &record).unwrap();
                assert_eq!(again, [line, b"\n"].concat());
            }
            if check(line).is_ok() {
                outcome = Outcome::Taken;
                for notation in [Notation::Text, Notation::Kv, Notation::Raw] {
                    let mut out = Vec::new();
                    match notation.push(&mut out, line) {
                        Ok(()) if notation == Notation::Raw => (),
                        Ok(()) => assert_eq!(memchr::memchr_iter(b'\n', &out).count(), 1),
                        Err(_) => assert_eq!(out, b""),
                    }
                }
            }
        }
        outcome
    });
}

fn text(shape: &str, input: &[u8], step: usize) -> super::input::Read {
    let (shape, coding) = Shape::parse(&Spec::parse(shape).unwrap()).unwrap();
    let decoded = Decoded::new(Box::new(Stepwise::new(input, step)) as Box<_>, coding);
    read_all(
        |options| Ok(Box::new(TextReader::new(decoded, shape, coding.invalid, options))),
        false,
    )
}

/// What a line of text may be.
const SHAPES: &[&str] =
    &["text,encoding=utf-8", "text,kv,encoding=utf-8", "text,words,encoding=utf-8"];

#[test]
fn text_files() {
    let target = Target { memory: (4 << 20, 200), ..Target::new("text", LINES, WORDS) };
    target.choosing(SHAPES).run(|input| {
        let Some((shape, input)) = chosen(input, SHAPES) else { return Outcome::Refused };
        let [whole, stepwise @ ..] = steps(input).map(|step| text(shape, input, step));
        assert_eq!(stepwise, [whole.clone(), whole.clone()]);
        let (_, end, bad) = whole;
        assert!(end.is_ok());
        if bad == 0 { Outcome::Taken } else { Outcome::Refused }
    });
}

#[test]
fn ndjson() {
    let seeds =
        ["{\"a\":1}\n{\"a\":2}\r\n\n [3] \n", "\u{feff}null\n\"x\"", "1\n\n\n2\n3\n{\"b\":[]}\n"];
    let target =
        Target { memory: (4 << 20, 200), ..Target::new("ndjson", &seeds, super::json::WORDS) };
    target.run(|input| {
        let read = |step| {
            let input: Box<dyn crate::record::stream::Input> = Box::new(Stepwise::new(input, step));
            let decoded = Decoded::new(input, UTF_8);
            let open = |options: &_| {
                Ok(Box::new(NdjsonReader::of(decoded, Leniency::default(), options)) as Box<_>)
            };
            read_all(open, false)
        };
        let [whole, stepwise @ ..] = steps(input).map(read);
        assert_eq!(stepwise, [whole.clone(), whole.clone()]);
        let (out, end, bad) = whole;
        assert!(end.is_ok());
        // What a mark says of the encoding, the lines alone do not know.
        if UTF_8.of(input) == Charset::Utf8 {
            let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
            let lines = input
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.iter().all(|byte| b" \t\r".contains(byte)));
            let (sound, unsound): (Vec<_>, Vec<_>) =
                lines.partition(|line| check(line).is_ok() && line.len() <= RECORD_MAX);
            let count = out.matches('\n').count();
            assert_eq!((count, bad), (sound.len(), unsound.len() as u64));
        }
        if bad == 0 { Outcome::Taken } else { Outcome::Refused }
    });
}

fn values(layout: JsonLayout, input: &[u8], step: usize) -> super::input::Read {
    let decoded = Decoded::new(Box::new(Stepwise::new(input, step)) as Box<_>, layout.coding);
    read_all(|options| Ok(Box::new(JsonReader::new(decoded, layout, options))), false)
}

#[test]
fn json_files() {
    let seeds = [
        "{\n  \"a\": [1,\n 2]\n}\n{\n  \"b\": \"x\\ny\"\n}\n",
        "[\n  {\"a\": 1},\n  {\"a\": 2}\n]\n",
        "1 2 \"three\" [4]\u{1e}{\"five\":null}",
        "[[1,2],\r\n[],{}]",
    ];
    let target =
        Target { memory: (4 << 20, 400), ..Target::new("json-files", &seeds, super::json::WORDS) };
    target.choosing(&[false, true]).run(|input| {
        let Some((items, input)) = chosen(input, &[false, true]) else { return Outcome::Refused };
        let layout = JsonLayout { items: *items, coding: UTF_8, ..JsonLayout::default() };
        // White space around a value stays where its line came at once.
        let bare = |(out, end, bad): Read| {
            let lines =
                out.lines().map(|line| line.trim_matches([' ', '\t', '\r']).to_string() + "\n");
            (lines.collect::<String>(), end, bad)
        };
        let [whole, stepwise @ ..] = steps(input).map(|step| bare(values(layout, input, step)));
        assert_eq!(stepwise, [whole.clone(), whole.clone()]);
        let (out, end, bad) = whole;
        if bad > 0 || end.is_err() {
            return Outcome::Refused;
        }
        if !items
            && std::str::from_utf8(input)
                .is_ok_and(|text| !text.starts_with('\u{feff}') && !text.contains('\u{1e}'))
        {
            let read = |text: &[u8]| {
                let values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
                values.collect::<Result<Vec<_>, _>>().ok()
            };
            if let Some(theirs) = read(input) {
                assert_eq!(read(out.as_bytes()), Some(theirs));
            }
        }
        Outcome::Taken
    });
}

/// Encodings, and the mark that begins a text where its bytes might be taken for another's.
const ENCODINGS: &[(&str, &[u8])] = &[
    ("utf-16le", b"\xff\xfe"),
    ("utf-16be", b"\xfe\xff"),
    ("utf-32le", b"\xff\xfe\0\0"),
    ("latin1", b""),
    ("shift_jis", b""),
    ("gb18030", b""),
    ("iso-2022-jp", b""),
];

#[test]
fn encodings() {
    let target = Target { memory: (4 << 20, 400), ..Target::new("encodings", LINES, WORDS) };
    target.choosing(ENCODINGS).run(|input| {
        let Some(((name, mark), input)) = chosen(input, ENCODINGS) else { return Outcome::Refused };
        let input = &[mark, input].concat();
        let mut bad = 0;
        for shape in ["text", "text,invalid=replace"] {
            let shape = format!("{shape},encoding={name}");
            let [whole, stepwise @ ..] = steps(input).map(|step| text(&shape, input, step));
            assert_eq!(stepwise, [whole.clone(), whole.clone()], "{shape}");
            assert!(whole.1.is_ok());
            bad += whole.2;
        }
        if bad == 0 { Outcome::Taken } else { Outcome::Refused }
    });
}
