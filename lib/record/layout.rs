//! Layouts: the records of a stream are mostly built alike, and what is built as a valid record is
//! valid, too.
//!
//! A layout is a valid record with holes: its strings, numbers and words (`true`, `false`, `null`)
//! are left open, and all else, names and white space included, stands as it is. A record fits
//! when it has the same bytes between the holes, and in each hole what belongs there: then it is
//! valid JSON, and where its parts lie follows from where the holes are. To see that takes a few wide
//! compares, much less than to read JSON; a record that fits none is read by [`scan`],
//! and may give the next layout.
//!
//! A string with an escape fits no hole.

use std::ops::Range;

use super::scan;
use super::wide;

/// How many layouts are known at once, at most: each is tried where the one before does not fit.
const LAYOUTS_MAX: usize = 4;

/// A record with more holes gives no layout.
const HOLES_MAX: usize = 1024;

/// After so many records that fit none, one after the other, records are no longer tried for a while.
const MISSES_MAX: u32 = 8;

/// For how many records, at least and at most.
const PAUSE_MIN: u32 = 32;
const PAUSE_MAX: u32 = 4096;

/// What may stand in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// The inside of a string literal without escapes.
    Text,
    Number,
    /// `true`, `false` or `null`.
    Word,
}

impl Hole {
    /// Where what stands in the hole that begins at `at` ends.
    #[inline(always)]
    fn end(self, text: &[u8], at: usize) -> Option<usize> {
        match self {
            // What is no text ends before the quote that the next literal begins with.
            Hole::Text => wide::text_end(text, at),
            Hole::Number => scan::number_end(text, at),
            Hole::Word => word_end(text, at),
        }
    }
}

/// The bytes before a hole, and the hole.
#[derive(Clone, Debug)]
struct Part {
    literal: wide::Literal,
    hole: Hole,
}

/// A place in a record: so many bytes behind the start of a literal.
#[derive(Clone, Copy, Debug)]
struct Edge {
    literal: usize,
    offset: usize,
}

/// Behind where the literals before its holes begin, a line has where the last literal begins, and where it ends.
const LINE_ENDS: usize = 2;

/// Lines that were built alike, and where their values lie.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    starts: Vec<u32>,
    /// How many of those each line has.
    width: usize,
    places: Vec<Option<(Edge, Edge)>>,
}

impl Lines {
    /// Whether the lines have value `value`.
    pub fn has(&self, value: usize) -> bool {
        self.places[value].is_some()
    }

    /// Where value `value` of a line lies, in bytes of the text that was read, by the number of the line.
    #[inline(always)]
    pub fn value(&self, value: usize) -> Option<impl Fn(usize) -> Range<usize>> {
        let (start, end) = self.places[value]?;
        let at = |line: usize, edge: Edge| {
            self.starts[line * self.width + edge.literal] as usize + edge.offset
        };
        Some(move |line| at(line, start)..at(line, end))
    }

    /// Where a line lies.
    #[inline(always)]
    pub fn line(&self, line: usize) -> Range<usize> {
        let of = &self.starts[line * self.width..][..self.width];
        of[0] as usize..of[self.width - 1] as usize
    }
}

/// A record with holes.
#[derive(Clone, Debug)]
struct Layout {
    parts: Vec<Part>,
    /// What follows the last hole.
    tail: wide::Literal,
    /// Where each of the values that are looked for begins and ends.
    places: Vec<Option<(Edge, Edge)>>,
}

impl Layout {
    /// The layout of a valid record, whose values that are looked for lie at `places`.
    fn of(record: &[u8], places: &[Option<Range<usize>>]) -> Option<Layout> {
        let mut parts = Vec::new();
        // Where each literal lies in this record.
        let mut literals: Vec<Range<usize>> = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < record.len() {
            let (hole, open, end) = match record[at] {
                b'"' => {
                    let end = scan::string(record, at).ok()?;
                    let behind = scan::skip_space(record, end);
                    if record.get(behind) == Some(&b':') {
                        at = behind;
                        continue;
                    }
                    (Hole::Text, at + 1, end - 1)
                }
                b'-' | b'0'..=b'9' => (Hole::Number, at, scan::number(record, at).ok()?),
                b't' | b'n' => (Hole::Word, at, at + 4),
                b'f' => (Hole::Word, at, at + 5),
                _ => {
                    at += 1;
                    continue;
                }
            };
            if parts.len() == HOLES_MAX {
                return None;
            }
            parts.push(Part { literal: wide::Literal::new(&record[start..open]), hole });
            literals.push(start..open);
            start = end;
            // The closing quote of a string is one byte of the next literal.
            at = end + usize::from(hole == Hole::Text);
        }
        literals.push(start..record.len());
        let edge = |place: usize| {
            let literal = literals.iter().position(|l| l.start <= place && place <= l.end)?;
            Some(Edge { literal, offset: place - literals[literal].start })
        };
        let edges = |place: &Option<Range<usize>>| match place {
            None => Some(None),
            Some(place) => Some(Some((edge(place.start)?, edge(place.end)?))),
        };
        Some(Layout {
            parts,
            tail: wide::Literal::new(&record[start..]),
            places: places.iter().map(edges).collect::<Option<_>>()?,
        })
    }

    /// Where the last literal of the record begins that begins at byte `at` of `text`, and where the record ends,
    /// if it is built so; `note` gets where the other literals begin. Whatever follows is not looked at.
    #[inline(always)]
    fn ends(
        &self,
        text: &[u8],
        mut at: usize,
        mut note: impl FnMut(usize),
    ) -> Option<(usize, usize)> {
        for part in &self.parts {
            note(at);
            if !part.literal.is_at(text, at) {
                return None;
            }
            at = part.hole.end(text, at + part.literal.len())?;
        }
        self.tail.is_at(text, at).then(|| (at, at + self.tail.len()))
    }

    /// Where the record ends that begins at byte `from` of `text`, if it is built so; notes where each literal
    /// begins, behind `from`.
    #[inline]
    fn fits(&self, text: &[u8], from: usize, starts: &mut Vec<usize>) -> Option<usize> {
        starts.clear();
        let (tail, end) = self.ends(text, from, |at| starts.push(at - from))?;
        starts.push(tail - from);
        Some(end)
    }

    /// The same of the lines from byte `at` on, as many as `starts` has rows, up to one that does not fit: notes of
    /// each where the literals begin and where it ends, in bytes of `text`. How many fit, and where the next begins.
    #[inline]
    fn fit(&self, text: &[u8], mut at: usize, starts: &mut [u32]) -> (usize, usize) {
        let mut rows = 0;
        for row in starts.chunks_exact_mut(self.parts.len() + LINE_ENDS) {
            let mut literals = row.iter_mut();
            let note = |at| literals.next().into_iter().for_each(|start| *start = at as u32);
            let Some((tail, end)) = self.ends(text, at, note) else { break };
            if text.get(end) != Some(&b'\n') {
                break;
            }
            row[self.parts.len()..].copy_from_slice(&[tail as u32, end as u32]);
            (rows, at) = (rows + 1, end + 1);
        }
        (rows, at)
    }

    /// The same of all lines that fit, of at most `most` bytes each, and nothing is noted.
    #[inline]
    fn fit_all(&self, text: &[u8], mut at: usize, most: usize) -> (usize, usize) {
        let mut rows = 0;
        while let Some((_, end)) = self.ends(text, at, |_| ())
            && text.get(end) == Some(&b'\n')
            && end - at <= most
        {
            (rows, at) = (rows + 1, end + 1);
        }
        (rows, at)
    }

    /// Where the values lie that are looked for, in a record in which the literals begin at `starts`.
    #[inline(always)]
    fn places(&self, starts: &[usize]) -> impl ExactSizeIterator<Item = Option<Range<usize>>> {
        let at = |edge: Edge| starts[edge.literal] + edge.offset;
        self.places.iter().map(move |place| place.map(|(start, end)| at(start)..at(end)))
    }

    /// Whether `record` is built so, all of it.
    #[inline]
    fn is_of(&self, record: &[u8], starts: &mut Vec<usize>) -> bool {
        self.fits(record, 0, starts) == Some(record.len())
    }
}

/// Where the word ends that begins at `at`.
fn word_end(record: &[u8], at: usize) -> Option<usize> {
    let rest = record.get(at..)?;
    let words: [&[u8]; 3] = [b"true", b"false", b"null"];
    words.iter().find(|word| rest.starts_with(word)).map(|word| at + word.len())
}

/// The layouts of a stream, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Layouts {
    known: Vec<Layout>,
    /// The one that fitted last.
    latest: usize,
    /// Which one gives way to a new one.
    oldest: usize,
    starts: Vec<usize>,
    /// Records in sequence that fitted none.
    misses: u32,
    /// For how many records none is tried, and for how many the next time.
    paused: u32,
    pause: u32,
}

impl Layouts {
    /// Whether `record` fits a layout: then it is valid, and `found` is set to where the values lie that are
    /// looked for.
    #[inline]
    pub(super) fn locate(&mut self, record: &[u8], found: &mut [Option<Range<usize>>]) -> bool {
        if self.paused > 0 {
            self.paused -= 1;
            return false;
        }
        let fits = match self.known.get(self.latest) {
            Some(layout) => layout.is_of(record, &mut self.starts) || self.other_is(record),
            None => false,
        };
        if !fits {
            self.miss();
            return false;
        }
        self.misses = 0;
        let places = self.known[self.latest].places(&self.starts);
        found.iter_mut().zip(places).for_each(|(found, place)| *found = place);
        true
    }

    /// Where the record ends that begins at byte `at` of `text`, if a line end follows it, and it fits as the
    /// last one did; then where the values lie that are looked for is appended to `found`. Else nothing is
    /// known of it.
    #[inline(always)]
    pub(super) fn locate_line(
        &mut self,
        text: &[u8],
        at: usize,
        found: &mut Vec<Option<Range<usize>>>,
    ) -> Option<usize> {
        let layout = self.known.get(self.latest).filter(|_| self.paused == 0)?;
        let end = layout.fits(text, at, &mut self.starts)?;
        if text.get(end) != Some(&b'\n') {
            return None;
        }
        self.misses = 0;
        found.extend(layout.places(&self.starts));
        Some(end)
    }

    /// How many lines from byte `at` of `text` on, of at most `most` bytes each, fit as the last one did, and where
    /// the one behind them begins.
    #[inline]
    pub(super) fn check_lines(&mut self, text: &[u8], at: usize, most: usize) -> (usize, usize) {
        let layout = self.known.get(self.latest).filter(|_| self.paused == 0);
        let (rows, end) = layout.map_or((0, at), |layout| layout.fit_all(text, at, most));
        if rows > 0 {
            self.misses = 0;
        }
        (rows, end)
    }

    /// Reads the lines that begin at byte `at` of `text`, at most `count`, up to one that does not fit as the last
    /// one did. How many those are, and where the next begins.
    #[inline]
    pub(super) fn locate_lines(
        &mut self,
        text: &[u8],
        at: usize,
        count: usize,
        lines: &mut Lines,
    ) -> (usize, usize) {
        let layout = self.known.get(self.latest).filter(|_| self.paused == 0);
        let Some(layout) = layout.filter(|_| text.len() <= u32::MAX as usize) else {
            return (0, at);
        };
        lines.width = layout.parts.len() + LINE_ENDS;
        lines.starts.resize(count * lines.width, 0);
        let (rows, end) = layout.fit(text, at, &mut lines.starts);
        if rows > 0 {
            lines.places.clone_from(&layout.places);
            self.misses = 0;
        }
        (rows, end)
    }

    fn other_is(&mut self, record: &[u8]) -> bool {
        for (number, layout) in self.known.iter().enumerate() {
            if number != self.latest && layout.is_of(record, &mut self.starts) {
                self.latest = number;
                self.pause = 0;
                return true;
            }
        }
        false
    }

    #[cold]
    fn miss(&mut self) {
        self.misses += 1;
        if self.misses > MISSES_MAX {
            self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            (self.misses, self.paused) = (0, self.pause);
        }
    }

    /// Learns from a valid record that fitted none, whose values that are looked for lie at `places`.
    #[cold]
    pub(super) fn learn(&mut self, record: &[u8], places: &[Option<Range<usize>>]) {
        let Some(layout) = Layout::of(record, places) else { return };
        self.latest = match self.known.len() {
            LAYOUTS_MAX => {
                self.oldest = (self.oldest + 1) % LAYOUTS_MAX;
                self.known[self.oldest] = layout;
                self.oldest
            }
            count => {
                self.known.push(layout);
                count
            }
        };
    }

    /// Whether it is worth to learn from the record that was tried last.
    pub(super) fn is_learning(&self) -> bool {
        self.paused == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fields::{Checker, Fields};
    use super::super::path::parse_path;
    use super::super::scan::check;
    use super::{Lines, Range};

    /// Holds what is said of each record of a stream against what is said of it alone.
    fn compare(records: &[Vec<u8>]) {
        let paths = [".", "a", ".a.b", ".[0]", ".[1].a", "c"];
        let paths: Vec<_> = paths.iter().map(|path| parse_path(path).unwrap()).collect();
        let (mut stream, mut checker) = (Fields::new(paths.clone()), Checker::default());
        for record in records {
            let mut alone = Fields::new(paths.clone());
            let shown = String::from_utf8_lossy(record).into_owned();
            assert_eq!(stream.locate(record), alone.locate(record), "{shown:?}");
            assert_eq!(checker.check(record), check(record), "{shown:?}");
        }
        // And as lines, where that can be said of them: the same ends, and the same places.
        let (mut stream, mut checker) = (Fields::new(paths.clone()), Checker::default());
        let lines = records.join(&b'\n');
        let mut at = 0;
        for record in records.iter().filter(|record| !record.contains(&b'\n')) {
            let text = [&lines[..at], record.as_slice(), b"\n{\"behind\":1}\n"].concat();
            let mut alone = Fields::new(paths.clone());
            let mut places = Vec::new();
            if let Some(end) = stream.locate_line(&text, at, &mut places) {
                assert_eq!(end, at + record.len());
                assert_eq!(Ok(places.as_slice()), alone.locate(record));
            }
            let mut lines = Lines::default();
            if let (1, end) = stream.locate_lines(&text, at, 1, &mut lines) {
                assert_eq!((lines.line(0), end), (at..at + record.len(), at + record.len() + 1));
                let place = |value| lines.value(value).map(|place| place(0));
                let moved = |place: Range<usize>| place.start - at..place.end - at;
                let places: Vec<_> = (0..paths.len()).map(|n| place(n).map(moved)).collect();
                assert_eq!(Ok(places.as_slice()), alone.locate(record));
                // What follows is built in another way, or not at all.
                let (rows, behind) = stream.locate_lines(&text, at, 9, &mut lines);
                assert!(rows == 1 && behind == end || record.starts_with(b"{\"behind\":"));
            }
            let (rows, end) = checker.check_lines(&text, at, record.len());
            assert!(
                rows == 0 && end == at
                    || check(record).is_ok() && rows == 1 && end == at + record.len() + 1
            );
            assert_eq!(checker.check_lines(&text, at, record.len().saturating_sub(1)), (0, at));
            let (_, _) = (stream.locate(record).is_ok(), checker.check(record).is_ok());
            at = (at + 1) % 50;
        }
    }

    fn value() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            Just("null".to_string()),
            Just("true".to_string()),
            Just("false".to_string()),
            "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?",
            "\"[a-zé€😀 ]{0,20}\"",
            "\"([a-z]|\\\\n|\\\\\"|\\\\u00e9|\\\\ud800){0,9}\"",
        ];
        scalar.prop_recursive(3, 12, 4, |inner| {
            let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("\\u0061"), Just("x\\\"")];
            let space = prop_oneof![Just(""), Just(" ")];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|values| format!("[{}]", values.join(","))),
                (prop::collection::vec((name, inner), 0..4), space).prop_map(|(members, space)| {
                    let members: Vec<_> =
                        members.iter().map(|(n, v)| format!("\"{n}\":{space}{v}")).collect();
                    format!("{{{}}}", members.join(&format!(",{space}")))
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn streams_are_read_as_their_records_are(
            few in prop::collection::vec(value(), 1..4),
            picks in prop::collection::vec((0usize..4, 0usize..100, any::<u8>(), 0u8..8), 1..60),
        ) {
            let mut records = Vec::new();
            for (pick, place, byte, change) in picks {
                let mut record = few[pick % few.len()].clone().into_bytes();
                let at = place % record.len();
                match change {
                    0 => record[at] = byte,
                    1 => record.insert(at, byte),
                    2 => drop(record.remove(at)),
                    3 => record.truncate(at),
                    4 => record.insert(at, b"0123456789ab\"\\ "[usize::from(byte) % 15]),
                    _ => (),
                }
                records.push(record);
            }
            compare(&records);
        }

        #[test]
        fn records_that_are_built_alike_fit_whatever_is_in_them(
            holes in prop::collection::vec(
                ("[a-z\u{20}-\u{7f}é€😀]{0,40}", "-?[0-9]{1,20}(\\.[0-9]{0,3})?", any::<bool>()),
                1..50,
            ),
        ) {
            let records = holes.iter().map(|(text, number, word)| {
                format!("{{\"c\": \"{text}\", \"a\":{{\"b\":{number}}}, \"a\": [{word}, -{number}]}}")
            });
            compare(&records.map(String::into_bytes).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_stream_of_all_kinds_is_read() {
        let kinds = ["1", "[1]", "{\"a\":1}", "{}", "\"x\"", "null", "[[]]", "{\"b\":[2,3]}"];
        let many = (0..20_000).map(|n| kinds[n * 7 % (1 + n / 100 % kinds.len())]);
        compare(&many.map(|kind| kind.as_bytes().to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn what_does_not_belong_in_a_hole_is_told() {
        let good = "{\"a\":\"text\",\"c\":12}";
        for bad in [
            "{\"a\":\"te\u{1}t\",\"c\":12}",
            "{\"a\":\"te\"t\",\"c\":12}",
            "{\"a\":\"text\",\"c\":012}",
            "{\"a\":\"text\",\"c\":1.}",
            "{\"a\":\"text\",\"c\":}",
            "{\"a\":\"text\",\"c\":12",
            "{\"a\":\"text\",\"c\":12}}",
            "{\"a\":\"text",
            "",
        ] {
            compare(&[good.into(), bad.into(), good.into()]);
            assert!(Checker::default().check(bad.as_bytes()).is_err());
        }
        compare(&[good.into(), b"{\"a\":\"t\xff\",\"c\":1}".to_vec(), b"{\"a\":\"t\xe9".to_vec()]);
    }
}
