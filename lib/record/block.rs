//! Blocks: a stream of bytes cut into pieces at record ends, and the lines of a piece.

use crate::error::{Error, Result};
use crate::record::Flaw;
use crate::record::bad::Bad;
use crate::record::rows::{RowBlock, StreamBlock};
use crate::record::stream::Input;

/// Whole lines of a stream, and where they stand in it.
#[derive(Debug, Default)]
pub struct Block {
    /// The lines, each with its LF (one is supplied where the stream's last line lacks it).
    pub bytes: Vec<u8>,
    /// The number of the first line, from 1.
    pub first_line: u64,
    /// How many lines there are.
    pub line_count: u64,
}

/// One line of a block that is not blank.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The text, without LF or CRLF.
    pub text: &'a [u8],
    /// Its number in the stream, from 1.
    pub number: u64,
    /// Where the text starts in the block's bytes.
    pub at: usize,
}

impl Block {
    /// Takes the first lines away, at least one, and no more than fit in `size` bytes unless the first
    /// alone is longer. `buffer` gives its memory.
    pub fn take_lines(&mut self, size: usize, mut buffer: Vec<u8>) -> Block {
        let size = size.min(self.bytes.len());
        let end = memchr::memrchr(b'\n', &self.bytes[..size])
            .or_else(|| memchr::memchr(b'\n', &self.bytes[size..]).map(|at| at + size))
            .map_or(self.bytes.len(), |at| at + 1);
        buffer.clear();
        buffer.extend_from_slice(&self.bytes[..end]);
        self.bytes.drain(..end);
        let line_count = memchr::memchr_iter(b'\n', &buffer).count() as u64;
        let first_line = self.first_line;
        self.first_line += line_count;
        self.line_count -= line_count;
        Block { bytes: buffer, first_line, line_count }
    }

    /// The lines that are not blank, in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let (mut at, mut number) = (0, self.first_line);
        std::iter::from_fn(move || {
            let line = self.line_at(at, number)?;
            (at, number) = (self.after(&line), line.number + 1);
            Some(line)
        })
    }

    /// The first line that is not blank from byte `at` on, where line `number` starts.
    pub fn line_at(&self, mut at: usize, mut number: u64) -> Option<Line<'_>> {
        while at < self.bytes.len() {
            let length = memchr::memchr(b'\n', &self.bytes[at..]);
            let end = length.map_or(self.bytes.len(), |length| at + length);
            let mut text = &self.bytes[at..end];
            if let [before @ .., b'\r'] = text {
                text = before;
            }
            if !is_blank(text) {
                return Some(Line { text, number, at });
            }
            at = end + 1;
            number += 1;
        }
        None
    }

    /// Where the line behind `line` starts.
    pub fn after(&self, line: &Line<'_>) -> usize {
        let end = line.at + line.text.len();
        end + if self.bytes.get(end) == Some(&b'\r') { 2 } else { 1 }
    }
}

/// Whether a line holds nothing but JSON's white space.
pub fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// Cuts an [`Input`] into blocks of whole lines.
pub struct Blocks<I> {
    input: I,
    /// What was read behind the last record end.
    rest: Vec<u8>,
    next_line: u64,
    max_record: usize,
    eager: bool,
    state: State,
    /// The most room that the next read gets: it is as much as comes at once.
    room: usize,
    /// Rows that come behind the rest.
    rows: Option<RowBlock>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Middle,
    End,
}

/// The least room that a read gets.
const READ_BYTES: usize = 64 * 1024;

/// The most room that it gets.
const READ_BYTES_MAX: usize = 1 << 20;

const BOM: &[u8] = b"\xef\xbb\xbf";

impl<I: Input> Blocks<I> {
    /// To cut `input`, whose lines are at most `max_record` bytes long.
    pub fn new(input: I, max_record: usize) -> Blocks<I> {
        let (rest, next_line, state) = (Vec::new(), 1, State::Start);
        let (eager, room, rows) = (false, READ_BYTES, None);
        Blocks { input, rest, next_line, max_record, eager, state, room, rows }
    }

    /// The same, but with smaller blocks where more would have to be waited for: for stages that
    /// pass on what they have, as soon as they have it.
    pub fn eager(mut self) -> Blocks<I> {
        self.eager = true;
        self
    }

    /// The same, but for bytes from the middle of a file, where a byte order mark is one of them.
    pub fn in_the_middle(mut self) -> Blocks<I> {
        self.state = State::Middle;
        self
    }

    /// Whether there are no more lines, as far as is known without reading.
    pub fn is_at_end(&self) -> bool {
        self.state == State::End && self.rest.is_empty()
    }

    /// The name of the stream.
    pub fn name(&self) -> &str {
        self.input.name()
    }

    /// The stream, and what was read of it that is in no block yet.
    pub fn ahead(&self) -> (&I, &[u8]) {
        (&self.input, &self.rest)
    }

    /// The stream itself, for what it knows beside its bytes.
    pub fn input(&mut self) -> &mut I {
        &mut self.input
    }

    /// The next lines: at least one, and no more than fit in `size` bytes unless the first alone
    /// is longer. `None` at the end. `buffer` gives its memory to the block.
    ///
    /// # Errors
    /// `BadInput` for a line over the limit, unless `bad` takes it; what the stream says.
    pub fn next(&mut self, size: usize, mut buffer: Vec<u8>, bad: &Bad) -> Result<Option<Block>> {
        // A block of several lines within the limit holds no line over it.
        let size = size.min(self.max_record);
        buffer.clear();
        std::mem::swap(&mut buffer, &mut self.rest);
        let mut searched = 0;
        loop {
            // `buffer` holds no line end before `searched`; a whole block may lie in it already.
            if self.state == State::End && buffer.last().is_some_and(|&last| last != b'\n') {
                buffer.push(b'\n');
            }
            let waits = self.eager && searched < buffer.len() && !self.input.is_ready();
            if buffer.len() >= size || self.state == State::End || waits {
                let window = size.clamp(searched, buffer.len());
                let end = memchr::memrchr(b'\n', &buffer[searched..window])
                    .or_else(|| {
                        memchr::memchr(b'\n', &buffer[window..]).map(|n| n + window - searched)
                    })
                    .map(|n| n + searched + 1);
                match end {
                    Some(end) if self.too_long(&buffer, end) => {
                        self.drop_line(&mut buffer, bad)?;
                        searched = 0;
                        continue;
                    }
                    Some(end) => return Ok(Some(self.cut(buffer, end))),
                    None if buffer.is_empty() => return Ok(None),
                    None => searched = buffer.len(),
                }
            }
            if searched > self.max_record {
                self.drop_line(&mut buffer, bad)?;
                searched = 0;
                continue;
            }
            self.read(&mut buffer, size)?;
        }
    }

    /// The same, or the rows that the next records are made of, where the stream gives these. To be used alone: it
    /// keeps what [`Blocks::next`] does not know of.
    ///
    /// # Errors
    /// As [`Blocks::next`].
    pub fn next_as_it_came(
        &mut self,
        size: usize,
        mut buffer: Vec<u8>,
        bad: &Bad,
    ) -> Result<Option<StreamBlock>> {
        if self.rows.is_none() {
            self.rows = self.input.rows(size, &mut buffer)?;
        }
        // What was read before ends with a record, then.
        let Some(mut rows) = self.rows.take_if(|_| self.rest.is_empty()) else {
            return match self.rows.is_some() {
                true => {
                    let rest = std::mem::take(&mut self.rest);
                    let end = rest.len();
                    Ok(Some(StreamBlock::Lines(self.cut(rest, end))))
                }
                false => Ok(self.next(size, buffer, bad)?.map(StreamBlock::Lines)),
            };
        };
        rows.first_line = self.next_line;
        self.next_line += rows.count;
        Ok(Some(StreamBlock::Rows(rows)))
    }

    /// Splits `buffer` behind the line end at `end - 1`: a block, and what comes after it.
    fn cut(&mut self, mut buffer: Vec<u8>, end: usize) -> Block {
        self.rest.clear();
        self.rest.extend_from_slice(&buffer[end..]);
        buffer.truncate(end);
        let line_count = memchr::memchr_iter(b'\n', &buffer).count() as u64;
        let first_line = self.next_line;
        self.next_line += line_count;
        Block { bytes: buffer, first_line, line_count }
    }

    /// Whether the first line, where it alone makes the block, is over the limit.
    fn too_long(&self, buffer: &[u8], end: usize) -> bool {
        end > self.max_record
            && memchr::memchr(b'\n', buffer).is_some_and(|first| first > self.max_record)
    }

    /// Rejects the first line, which is over the limit, and reads on to its end.
    fn drop_line(&mut self, buffer: &mut Vec<u8>, bad: &Bad) -> Result<()> {
        let what = format!("a record over {} bytes (--max-record)", self.max_record);
        let place = format!("{}: line {}", self.input.name(), self.next_line);
        let shown = buffer.len().min(self.max_record);
        bad.reject(Error::input(what).at(place), &buffer[..shown])?;
        loop {
            if let Some(end) = memchr::memchr(b'\n', buffer) {
                buffer.drain(..=end);
                break;
            }
            buffer.clear();
            if self.state == State::End {
                break;
            }
            self.read(buffer, READ_BYTES)?;
        }
        self.next_line += 1;
        Ok(())
    }

    /// Reads once, to about `size` bytes (at the start so much that a BOM shows); notes the end.
    fn read(&mut self, buffer: &mut Vec<u8>, size: usize) -> Result<()> {
        loop {
            let old = buffer.len();
            let room = size.saturating_sub(old).clamp(READ_BYTES, self.room);
            buffer.resize(old + room, 0);
            let got = self.input.read(&mut buffer[old..])?;
            buffer.truncate(old + got);
            // What is cleared for more than comes is cleared again for the next.
            self.room = match got == room {
                true => (self.room * 2).min(READ_BYTES_MAX),
                false => got.clamp(READ_BYTES, READ_BYTES_MAX),
            };
            match self.state {
                _ if got == 0 => self.state = State::End,
                State::Start if buffer.len() < BOM.len() && BOM.starts_with(buffer) => continue,
                State::Start => {
                    self.state = State::Middle;
                    if buffer.starts_with(BOM) {
                        buffer.drain(..BOM.len());
                    }
                }
                _ => (),
            }
            return Ok(());
        }
    }
}

/// The error for a flaw of a record on a line of `name`, with an excerpt around the place.
pub fn flaw_error(name: &str, line: Line<'_>, flaw: Flaw) -> Error {
    flaw_error_behind(name, line, 0, flaw)
}

/// The same for a line of which only the text from byte `before` on is at hand; the flaw's place
/// is one in that text.
pub fn flaw_error_behind(name: &str, line: Line<'_>, before: u64, flaw: Flaw) -> Error {
    const BEFORE: usize = 20;
    const BEHIND: usize = 40;
    let from = flaw.at.saturating_sub(BEFORE);
    let to = flaw.at.saturating_add(BEHIND).min(line.text.len());
    let excerpt = line.text.get(from..to).unwrap_or_default();
    let mut shown = String::new();
    for chunk in excerpt.utf8_chunks() {
        shown.extend(chunk.valid().chars().flat_map(|c| {
            let escaped = if c.is_control() { Some(c.escape_default()) } else { None };
            let plain = if c.is_control() { None } else { Some(c) };
            escaped.into_iter().flatten().chain(plain)
        }));
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    let what = match line.text.get(flaw.at) {
        Some(0) => "a NUL byte",
        _ => flaw.what,
    };
    Error::input(format!(
        "{name}: line {}, byte {}: {what} (at: {}{shown}{})",
        line.number,
        before + flaw.at as u64 + 1,
        if from > 0 { "..." } else { "" },
        if to < line.text.len() { "..." } else { "" },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::bad::Policy;

    struct Slow<'a>(&'a [u8], usize);

    impl Input for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let length = self.0.len().min(self.1).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }

        fn name(&self) -> &str {
            "slow"
        }
    }

    fn cut(
        text: &[u8],
        step: usize,
        size: usize,
        max: usize,
        policy: Policy,
    ) -> Result<Vec<(u64, Vec<u8>)>> {
        let bad = Bad::new(policy).unwrap();
        let mut blocks = Blocks::new(Slow(text, step), max);
        let mut lines = Vec::new();
        while let Some(block) = blocks.next(size, Vec::new(), &bad)? {
            assert_eq!(
                block.line_count as usize,
                block.bytes.split_inclusive(|&b| b == b'\n').count()
            );
            lines.extend(block.lines().map(|l| (l.number, l.text.to_vec())));
        }
        Ok(lines)
    }

    #[test]
    fn every_cut_gives_the_same_lines() {
        let text = b"\xef\xbb\xbfone\r\ntwo\n\n  \nthree\nfour";
        let want: Vec<(u64, Vec<u8>)> =
            vec![(1, b"one".into()), (2, b"two".into()), (5, b"three".into()), (6, b"four".into())];
        for step in 1..30 {
            for size in 1..30 {
                assert_eq!(
                    cut(text, step, size, 100, Policy::Fail).unwrap(),
                    want,
                    "{step} {size}"
                );
            }
        }
    }

    #[test]
    fn lines_are_taken_from_a_block() {
        let text = b"one\n\nthree\nfour\n";
        for size in 0..20 {
            let mut block = Block { bytes: text.to_vec(), first_line: 7, line_count: 4 };
            let (mut all, mut next) = (Vec::new(), 7);
            while !block.bytes.is_empty() {
                let taken = block.take_lines(size, vec![1]);
                assert!(taken.line_count == 1 || taken.bytes.len() <= size);
                assert_eq!(taken.first_line, next);
                next += taken.line_count;
                all.extend(taken.bytes);
            }
            assert_eq!((all.as_slice(), next, block.line_count), (text.as_slice(), 11, 0));
        }
    }

    #[test]
    fn long_lines_are_refused_or_dropped_whole() {
        let text = b"one\naaaaaaaaaaaaaaaaaaaaaaaaaaa\ntwo\nbbbbbbbbb";
        for step in 1..40 {
            for size in 1..40 {
                assert!(cut(text, step, size, 8, Policy::Fail).is_err());
                let kept = cut(text, step, size, 8, Policy::Skip).unwrap();
                assert_eq!(kept, vec![(1, b"one".to_vec()), (3, b"two".to_vec())], "{step} {size}");
            }
        }
    }
}
