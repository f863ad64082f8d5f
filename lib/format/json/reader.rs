//! JSON however it is laid out to records.
//!
//! Lines that are values are taken as they stand, many at once, as NDJSON is. What is none is read
//! by its tokens, from where it begins.

use super::JsonLayout;
use super::skip::{BadValueWalk, SEPARATOR, begins_value};
use crate::error::{Error, Result};
use crate::format::encoding::{Decoded, Invalid};
use crate::format::{FILL_BYTES, Position, ReadOptions, Source};
use crate::record::block::is_blank;
use crate::record::stream::Input;
use crate::record::text::{push_compact, push_without_nan};
use crate::record::{Flaw, scan};

/// How many bytes one read asks for.
const READ_BYTES: usize = 256 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Records from values.
pub struct JsonReader {
    pub(super) input: Decoded<Box<dyn Input>>,
    pub(super) layout: JsonLayout,
    pub(super) options: ReadOptions,
    pub(super) window: ReadWindow,
    pub(super) place: ValuePlace,
    pub(super) expects: Expects,
    /// In a bad value: the walk through it.
    pub(super) skipping: Option<BadValueWalk>,
}

/// What was read and not yet used.
#[derive(Default)]
pub(super) struct ReadWindow {
    pub(super) bytes: Vec<u8>,
    /// Where what is not used begins.
    pub(super) at: usize,
    /// Whether nothing comes after `bytes`.
    pub(super) whole: bool,
    pub(super) begun: bool,
    /// How many of the bytes, the last ones, are none of the input's: a line end that it lacks.
    pub(super) added: usize,
}

/// Where the first byte that is not used stands.
#[derive(Clone, Copy)]
pub(super) struct ValuePlace {
    /// Its line, from 1, and how many bytes of that line come before it.
    pub(super) line: u64,
    pub(super) column: u64,
    /// How many bytes the line is indented by; none when it held nothing but space so far.
    pub(super) indent: Option<usize>,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expects {
    /// A value; with `items`, an array.
    Value,
    /// The first element, or the end, of the array that began on this line.
    First(u64),
    Element(u64),
    /// A comma, or the end of the array.
    Comma(u64),
}

/// What one step came to.
pub(super) enum ReadStep {
    Done,
    /// More has to be read first.
    More,
    End,
}

impl JsonReader {
    /// Reads the values of `input`, as UTF-8.
    pub fn new(
        input: Decoded<Box<dyn Input>>,
        layout: JsonLayout,
        options: &ReadOptions,
    ) -> JsonReader {
        JsonReader {
            input,
            layout,
            options: options.clone(),
            window: ReadWindow::default(),
            place: ValuePlace { line: 1, column: 0, indent: None },
            expects: Expects::Value,
            skipping: None,
        }
    }

    /// The same, but these bytes do not begin their file.
    pub(in crate::format) fn in_the_middle(mut self) -> JsonReader {
        self.window.begun = true;
        self
    }

    /// Reads more behind what is there; drops what was used.
    fn read(&mut self) -> Result<()> {
        let window = &mut self.window;
        window.bytes.drain(..window.at);
        window.at = 0;
        let old = window.bytes.len();
        // A value that does not fit is scanned again from its start: so the room grows with it.
        window.bytes.resize(old + READ_BYTES.max(old), 0);
        let got = self.input.read(&mut window.bytes[old..])?;
        window.bytes.truncate(old + got);
        window.whole = got == 0;
        if window.whole && window.bytes.last().is_some_and(|&last| last != b'\n') {
            window.bytes.push(b'\n');
            window.added = 1;
        }
        if !std::mem::replace(&mut window.begun, true) && window.bytes.starts_with(BOM) {
            window.bytes.drain(..BOM.len());
        }
        Ok(())
    }

    /// How much of what is not used belongs to the part that is read.
    fn left(&self) -> usize {
        let unread = self.window.bytes.len() - self.window.at;
        let real = unread - self.window.added.min(unread);
        match usize::try_from(self.input.before_end(real)) {
            Ok(left) if left < real => left,
            _ => unread,
        }
    }

    fn step(&mut self, out: &mut Vec<u8>) -> Result<ReadStep> {
        let left = self.left();
        if left == 0 {
            let ended = self.window.whole || self.window.at < self.window.bytes.len();
            return if ended { self.end() } else { Ok(ReadStep::More) };
        }
        if let Some(search) = self.skipping.take() {
            return self.skip(search);
        }
        if self.place.column == 0 && !self.layout.items {
            if self.pass_lines(left, out) {
                return Ok(ReadStep::Done);
            }
            let text = &self.window.bytes[self.window.at..];
            // What its line may turn out to be by itself passes as it is.
            let waits = !self.window.whole && left == text.len() && left <= self.options.max_record;
            if waits && memchr::memchr(b'\n', text).is_none() {
                return Ok(ReadStep::More);
            }
        }
        if self.pass_space() {
            return Ok(ReadStep::Done);
        }
        let first = self.window.bytes[self.window.at];
        match (self.expects, first) {
            (Expects::First(_) | Expects::Comma(_), b']') => {
                self.pass(1);
                self.expects = Expects::Value;
            }
            (Expects::Comma(line), b',') => {
                self.pass(1);
                self.expects = Expects::Element(line);
            }
            (Expects::Comma(_), _) => {
                return self.reject(Flaw { at: 0, what: "expected ',' or ']'" }, 0);
            }
            (Expects::Value, b'[') if self.layout.items => {
                self.expects = Expects::First(self.place.line);
                self.pass(1);
            }
            _ => return self.pass_value(out),
        }
        Ok(ReadStep::Done)
    }

    /// At the end of the input: whether it may end here. Of an array that is cut short, how much is
    /// lacking nobody can tell: it is no bad record to be dropped.
    fn end(&mut self) -> Result<ReadStep> {
        if let Expects::First(line) | Expects::Element(line) | Expects::Comma(line) = self.expects {
            let name = self.input.name();
            return Err(Error::input(format!(
                "{name}: line {}: it ends inside the array that begins on line {line}",
                self.place.line
            )));
        }
        Ok(ReadStep::End)
    }

    /// Takes the lines that are values, as they stand, from the first `left` bytes on; whether there
    /// were any.
    fn pass_lines(&mut self, left: usize, out: &mut Vec<u8>) -> bool {
        let from = self.window.at;
        let text = &self.window.bytes[from..from + left];
        let Some(last) = memchr::memrchr(b'\n', text) else { return false };
        let (mut at, mut run, mut lines) = (0, 0..0, 0);
        while at <= last {
            let end = memchr::memchr(b'\n', &text[at..]).map_or(last, |length| at + length);
            let raw = &text[at..end];
            let mut line = raw.strip_suffix(b"\r").unwrap_or(raw);
            line = line.strip_prefix(&[SEPARATOR]).unwrap_or(line);
            let blank = is_blank(line);
            if !blank && (line.len() > self.options.max_record || scan::check(line).is_err()) {
                break;
            }
            if line.len() == raw.len() && !blank && at == run.end {
                run.end = end + 1;
            } else {
                out.extend_from_slice(&text[run]);
                run = end + 1..end + 1;
                if !blank {
                    out.extend_from_slice(line);
                    out.push(b'\n');
                }
            }
            at = end + 1;
            lines += 1;
        }
        if at == 0 {
            return false;
        }
        if out.is_empty() && from == 0 && run == (0..at) {
            // All of it as it is: the memory changes hands.
            std::mem::swap(out, &mut self.window.bytes);
            self.window.bytes.extend_from_slice(&out[at..]);
            out.truncate(at);
        } else {
            out.extend_from_slice(&text[run]);
            self.window.at += at;
        }
        self.place.line += lines;
        true
    }

    /// Passes over white space, and separators between values; whether there was any.
    fn pass_space(&mut self) -> bool {
        let separates = self.expects == Expects::Value;
        let space = |byte: &u8| {
            matches!(byte, b' ' | b'\t' | b'\r' | b'\n') || separates && *byte == SEPARATOR
        };
        let text = &self.window.bytes[self.window.at..];
        let count = text.iter().take_while(|byte| space(byte)).count();
        self.pass(count);
        count > 0
    }

    /// Goes on behind `count` bytes.
    pub(super) fn pass(&mut self, count: usize) {
        let text = &self.window.bytes[self.window.at..self.window.at + count];
        let mut line = text;
        if let Some(last) = memchr::memrchr(b'\n', text) {
            self.place.line += memchr::memchr_iter(b'\n', text).count() as u64;
            (self.place.column, self.place.indent) = (0, None);
            line = &text[last + 1..];
        }
        let space = |byte: &u8| matches!(byte, b' ' | b'\t' | &SEPARATOR);
        let blank = line.iter().take_while(|byte| space(byte)).count();
        if blank < line.len() && self.place.indent.is_none() {
            self.place.indent = Some(self.place.column as usize + blank);
        }
        self.place.column += line.len() as u64;
        self.window.at += count;
    }

    /// Takes the value that begins here.
    fn pass_value(&mut self, out: &mut Vec<u8>) -> Result<ReadStep> {
        let text = &self.window.bytes[self.window.at..];
        let (whole, most) = (self.window.whole, self.options.max_record);
        let end = match scan::prefix(text, self.layout.nan) {
            Ok(end) => end,
            Err(flaw) if flaw.at > most => return self.reject_long(),
            Err(flaw) if !whole && flaw.at + scan::OPEN_BYTES >= text.len() => {
                return if text.len() > most { self.reject_long() } else { Ok(ReadStep::More) };
            }
            Err(flaw) => return self.reject(flaw, 0),
        };
        if end > most {
            return self.reject_long();
        }
        let space = text[end..].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
        let Some(&next) = text.get(end + space) else { return Ok(ReadStep::More) };
        let closed = matches!(text[end - 1], b'"' | b']' | b'}');
        let follows = match self.expects {
            Expects::Value if matches!(next, b'\n' | SEPARATOR) => true,
            Expects::Value if closed || space > 0 => begins_value(next),
            Expects::Value => matches!(next, b'{' | b'[' | b'"'),
            _ => true,
        };
        if !follows {
            return self.reject(Flaw { at: end + space, what: "something follows the value" }, 0);
        }
        if self.layout.items && self.expects == Expects::Value {
            let what = "it is no array, of which json,items takes the elements";
            return self.reject(Flaw { at: 0, what }, end);
        }
        if let Err(e) = std::str::from_utf8(&text[..end])
            && self.layout.coding.invalid != Invalid::Replace
        {
            let what = self.input.charset().flaw();
            return self.reject(Flaw { at: e.valid_up_to(), what }, end);
        }
        push_record(&text[..end], self.layout.nan, out);
        self.pass(end + space + usize::from(next == b'\n'));
        if let Some(line) = self.expects.array() {
            self.expects = Expects::Comma(line);
        }
        Ok(ReadStep::Done)
    }
}

impl Expects {
    /// The line on which the array began that is being read, if one is.
    pub(super) fn array(self) -> Option<u64> {
        match self {
            Expects::Value => None,
            Expects::First(line) | Expects::Element(line) | Expects::Comma(line) => Some(line),
        }
    }
}

/// Appends the record of a value; U+FFFD takes the place of what is no UTF-8.
fn push_record(value: &[u8], nan: bool, out: &mut Vec<u8>) {
    let start = out.len();
    match memchr::memchr(b'\n', value) {
        None => out.extend_from_slice(value),
        Some(_) => push_compact(out, value),
    }
    if nan {
        let text = out.split_off(start);
        push_without_nan(out, &text);
    }
    if std::str::from_utf8(&out[start..]).is_err() {
        let text = out.split_off(start);
        out.extend_from_slice(String::from_utf8_lossy(&text).as_bytes());
    }
    out.push(b'\n');
}

impl Source for JsonReader {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let (start, full) = (out.len(), out.len() + FILL_BYTES);
        while out.len() < full {
            match self.step(out)? {
                ReadStep::Done => (),
                ReadStep::End => return Ok(false),
                // What there is goes out before more is waited for.
                ReadStep::More if out.len() > start => break,
                ReadStep::More => self.read()?,
            }
        }
        Ok(true)
    }

    fn position(&self) -> Option<Position> {
        let window = &self.window;
        let rest = &window.bytes[window.at.min(window.bytes.len() - window.added)..];
        let rest = &rest[..rest.len() - window.added];
        // In the middle of a line or of a bad value, what came before it matters.
        let between = self.place.column == 0 && self.skipping.is_none();
        between.then(|| Position { head: 0, next: self.input.position(rest) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::Memory;
    use crate::record::bad::Policy;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Gives at most so many bytes at a time, in turn.
    struct Chunks(Memory, Vec<usize>, usize);

    impl Input for Chunks {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            self.2 += 1;
            let most = self.1[self.2 % self.1.len()].min(buffer.len());
            self.0.read(&mut buffer[..most])
        }

        fn name(&self) -> &str {
            "chunks"
        }
    }

    fn read(text: &str, layout: JsonLayout, policy: Policy, chunks: &[usize]) -> Result<String> {
        let options = ReadOptions::new(policy)?;
        let input: Box<dyn Input> =
            Box::new(Chunks(Memory::new("chunks", text.as_bytes()), chunks.to_vec(), 0));
        let mut reader = JsonReader::new(Decoded::new(input, layout.coding), layout, &options);
        let mut out = Vec::new();
        while reader.fill(&mut out)? {}
        Ok(String::from_utf8(out).unwrap())
    }

    fn values(text: &str) -> serde_json::Result<Vec<Value>> {
        serde_json::Deserializer::from_str(text).into_iter().collect()
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-c\"\\\\\n ,:\\[\\]{}\u{e9}]{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c\"]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Values, and how each is laid out and what stands behind it.
    fn stream() -> impl Strategy<Value = (Vec<Value>, String)> {
        let between =
            prop_oneof![Just("\n"), Just("\r\n"), Just(" "), Just("\x1e"), Just("\n\n \x1e")];
        prop::collection::vec((value(), any::<bool>(), between), 0..8).prop_map(|all| {
            let mut text = String::new();
            for (value, pretty, between) in &all {
                text += &match pretty {
                    true => serde_json::to_string_pretty(value).unwrap(),
                    false => value.to_string(),
                };
                text += between;
            }
            (all.into_iter().map(|(value, ..)| value).collect(), text)
        })
    }

    fn chunks() -> impl Strategy<Value = Vec<usize>> {
        prop_oneof![prop::collection::vec(1..40usize, 1..4), Just(vec![1 << 20])]
    }

    proptest! {
        #[test]
        fn any_layout_gives_the_values((values, text) in stream(), chunks in chunks()) {
            let found = read(&text, JsonLayout::default(), Policy::Fail, &chunks).unwrap();
            let want: Vec<String> = values.iter().map(Value::to_string).collect();
            // Space around a value on its own line stays.
            let found: Vec<&str> = found.lines().map(str::trim).collect();
            prop_assert_eq!(found, want, "{:?}", text);
        }

        #[test]
        fn any_layout_of_arrays_gives_the_elements(
            arrays in prop::collection::vec(prop::collection::vec(value(), 0..4), 0..4),
            pretty in any::<bool>(),
            chunks in chunks(),
        ) {
            let text: String = arrays.iter().map(|array| match pretty {
                true => serde_json::to_string_pretty(array).unwrap() + "\n",
                false => serde_json::to_string(array).unwrap(),
            }).collect();
            let layout = JsonLayout { items: true, ..JsonLayout::default() };
            let found = read(&text, layout, Policy::Fail, &chunks).unwrap();
            let want: String = arrays.iter().flatten().map(|value| format!("{value}\n")).collect();
            prop_assert_eq!(found, want, "{:?}", text);
        }

        #[test]
        fn it_is_bad_where_serde_json_finds_it_bad(
            text in prop_oneof![
                "[\\[\\]{}\",: 1a\n]{0,12}",
                "(\\{\"a\":|\\[|\\]|\\}|1|,|\"b\"|null|true| |\n|-0\\.5e1){0,12}",
            ],
            chunks in chunks(),
        ) {
            let found = read(&text, JsonLayout::default(), Policy::Fail, &chunks);
            match values(&text) {
                Ok(want) => {
                    let found = found.map(|found| values(&found).unwrap());
                    prop_assert_eq!(found.map_err(|e| e.to_string()), Ok(want), "{:?}", text);
                }
                Err(e) => prop_assert!(found.is_err(), "{:?}: {} {:?}", text, e, found),
            }
        }

        #[test]
        fn no_good_line_is_dropped_with_bad_ones(
            lines in prop::collection::vec(prop_oneof![
                value().prop_map(|value| (true, value.to_string())),
                prop::sample::select(vec![
                    "{\"a\":x}", "nope", "\"open", "{\"a\":1", "[1 2]", "{\"a\":1},", "1,", "  {\"b\": 1",
                    "]", "{}x", "{\n \"a\": oops,\n \"b\": [\n  1\n ]\n}",
                ]).prop_map(|bad| (false, bad.to_string())),
            ], 0..12),
            chunks in chunks(),
        ) {
            let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
            let want: String =
                lines.iter().filter(|(good, _)| *good).map(|(_, line)| format!("{line}\n")).collect();
            let open = lines.iter().any(|(good, line)| !good && line.ends_with('1'));
            match read(&text, JsonLayout::default(), Policy::Skip, &chunks) {
                Ok(found) => prop_assert_eq!(found, want, "{:?}", text),
                // Brackets that lack their ends may be around the lines behind them.
                Err(e) => prop_assert!(open && e.to_string().contains("cannot be told"), "{e}"),
            }
        }

        #[test]
        fn nothing_makes_it_panic_or_hang(
            text in "[\\[\\]{}\",: 1a\n\x1eN\\\\u\u{e9}]{0,40}",
            items in any::<bool>(),
            nan in any::<bool>(),
            chunks in chunks(),
        ) {
            let layout = JsonLayout { items, nan, ..JsonLayout::default() };
            for policy in [Policy::Fail, Policy::Skip] {
                let one = read(&text, layout, policy.clone(), &chunks).map_err(|e| e.to_string());
                let other = read(&text, layout, policy, &[1 << 20]).map_err(|e| e.to_string());
                prop_assert_eq!(one, other, "{:?}", text);
            }
        }
    }
}
