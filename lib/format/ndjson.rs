//! The format `ndjson`: the records themselves, one JSON value a line. They are checked once,
//! here, and pass byte for byte; blank lines, a first BOM and the CR of CRLF are dropped. A line
//! that is not text in its encoding is bad, unless `invalid=` says otherwise.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::encoding::{Coding, Decoded, HINT, Invalid};
use super::json::take_nan;
use super::spec::Spec;
use super::target::Target;
use super::{FILL_BYTES, Position, ReadOptions, Sink, Source, Unmade};
use crate::error::Result;
use crate::record::bad::Bad;
use crate::record::block::{Block, Blocks, Line, flaw_error};
use crate::record::fields::Checker;
use crate::record::scan;
use crate::record::stream::{Facts, Input};
use crate::record::text::push_without_nan;

/// The options of the format: what is taken beside JSON in UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leniency {
    /// Whether NaN and Infinity are null.
    pub nan: bool,
    /// How text is written down.
    pub coding: Coding,
}

impl Leniency {
    /// Reads the options of the format.
    ///
    /// # Errors
    /// When one is unknown.
    pub fn parse(spec: &Spec) -> Result<Leniency> {
        let mut spec = spec.clone();
        let nan = take_nan(&mut spec)?;
        let coding = Coding::take(&mut spec)?;
        spec.finish("nan=, encoding=, invalid=")?;
        Ok(Leniency { nan, coding })
    }
}

/// Records from lines of JSON.
pub struct NdjsonReader<I> {
    blocks: Blocks<Decoded<I>>,
    leniency: Leniency,
    options: ReadOptions,
    judge: Option<Arc<LineJudge>>,
    checker: Checker,
    spare: Vec<u8>,
}

impl<I: Input> NdjsonReader<I> {
    /// Reads the records of `input`, in UTF-8 or what its byte order mark says.
    pub fn new(input: I, options: &ReadOptions) -> NdjsonReader<I> {
        NdjsonReader::of(Decoded::new(input, Coding::default()), Leniency::default(), options)
    }

    /// Reads the records of `input`; `leniency` says what becomes of lines that are no JSON.
    pub(crate) fn of(
        input: Decoded<I>,
        leniency: Leniency,
        options: &ReadOptions,
    ) -> NdjsonReader<I> {
        let blocks = Blocks::new(input, options.max_record).eager();
        let (options, checker) = (options.clone(), Checker::default());
        NdjsonReader { blocks, leniency, options, judge: None, checker, spare: Vec::new() }
    }

    /// The same, but these bytes do not begin their file.
    pub(super) fn in_the_middle(mut self) -> NdjsonReader<I> {
        self.blocks = self.blocks.in_the_middle();
        self
    }

    /// The stream itself, for what it knows beside its bytes.
    pub fn input(&mut self) -> &mut I {
        self.blocks.input().input()
    }

    /// The next lines, and who judges them.
    fn next(&mut self, buffer: Vec<u8>) -> Result<Option<UncheckedLines>> {
        let Some(block) = self.blocks.next(FILL_BYTES, buffer, &self.options.bad)? else {
            return Ok(None);
        };
        let (leniency, blocks) = (self.leniency, &self.blocks);
        // What the stream is encoded in is known now.
        let judge = self.judge.get_or_insert_with(|| {
            let (name, flaw) = (blocks.name().to_string(), blocks.ahead().0.charset().flaw());
            Arc::new(LineJudge { leniency, bad: Arc::clone(&self.options.bad), name, flaw })
        });
        Ok(Some(UncheckedLines { block, judge: Arc::clone(judge) }))
    }
}

/// What becomes of lines of one stream that are no records.
struct LineJudge {
    leniency: Leniency,
    bad: Arc<Bad>,
    /// The name of the stream.
    name: String,
    /// What is said of text that is not in its encoding.
    flaw: &'static str,
}

/// Lines that nobody has looked at yet.
struct UncheckedLines {
    block: Block,
    judge: Arc<LineJudge>,
}

impl Unmade for UncheckedLines {
    fn push_records(
        self: Box<Self>,
        checker: &mut Checker,
        out: &mut Vec<u8>,
        spare: &mut Vec<u8>,
    ) -> Result<()> {
        let UncheckedLines { mut block, judge } = *self;
        let rest = judge.pass_checked(checker, &block, out)?;
        if out.is_empty() && rest == (0..block.bytes.len()) {
            std::mem::swap(out, &mut block.bytes);
        } else {
            out.extend_from_slice(&block.bytes[rest]);
        }
        *spare = block.bytes;
        Ok(())
    }

    fn length(&self) -> usize {
        self.block.bytes.len()
    }
}

impl LineJudge {
    /// Checks the lines of a block and appends the good ones to `out`, but for a last run of them
    /// that can be taken as it stands: it is returned, and is the whole block where that is clean.
    fn pass_checked(
        &self,
        checker: &mut Checker,
        block: &Block,
        out: &mut Vec<u8>,
    ) -> Result<Range<usize>> {
        let bytes = &block.bytes;
        let mut run = 0..0;
        let (mut at, mut number) = (0, block.first_line);
        loop {
            if at == run.end {
                let (lines, end) = checker.check_lines(bytes, at, usize::MAX);
                (at, number, run.end) = (end, number + lines as u64, end);
            }
            let Some(line) = block.line_at(at, number) else { break };
            (at, number) = (block.after(&line), line.number + 1);
            let (start, end) = (line.at, line.at + line.text.len());
            let flaw = checker.check(line.text).err();
            let plain = flaw.is_none() && bytes[end] == b'\n';
            if plain && start == run.end {
                run.end = end + 1;
                continue;
            }
            out.extend_from_slice(&bytes[run]);
            run = if plain { start..end + 1 } else { end..end };
            match flaw {
                Some(_) => self.mend_or_reject(line, out)?,
                None if plain => (),
                None => {
                    out.extend_from_slice(line.text);
                    out.push(b'\n');
                }
            }
        }
        Ok(run)
    }

    /// Appends a line with a flaw where the options make it good; else it is a bad record.
    fn mend_or_reject(&self, line: Line<'_>, out: &mut Vec<u8>) -> Result<()> {
        let Leniency { nan, coding } = self.leniency;
        let mut text = Cow::Borrowed(line.text);
        let invalid = std::str::from_utf8(&text).is_err();
        if invalid && coding.invalid == Invalid::Replace {
            text = Cow::Owned(String::from_utf8_lossy(&text).into_owned().into_bytes());
        }
        let checked = if nan { scan::check_with_nan(&text) } else { scan::check(&text) };
        let mut flaw = match checked {
            Err(flaw) => flaw,
            Ok(()) => {
                if nan {
                    push_without_nan(out, &text);
                } else {
                    out.extend_from_slice(&text);
                }
                out.push(b'\n');
                return Ok(());
            }
        };
        let line = Line { text: &text, ..line };
        if !invalid || coding.invalid == Invalid::Replace {
            return self.bad.reject(flaw_error(&self.name, line, flaw), line.text);
        }
        flaw.what = self.flaw;
        self.bad.reject(flaw_error(&self.name, line, flaw).hint(HINT), line.text)
    }
}

impl<I: Input> Source for NdjsonReader<I> {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let spare = std::mem::take(&mut self.spare);
        let Some(lines) = self.next(spare)? else { return Ok(false) };
        Box::new(lines).push_records(&mut self.checker, out, &mut self.spare)?;
        Ok(true)
    }

    fn unmade(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Box<dyn Unmade>>> {
        if !self.options.bad.is_strict() {
            return Ok(None);
        }
        let lines = self.next(std::mem::take(buffer))?;
        Ok(lines.map(|lines| Box::new(lines) as Box<dyn Unmade>))
    }

    fn position(&self) -> Option<Position> {
        let (input, rest) = self.blocks.ahead();
        Some(Position { head: 0, next: input.position(rest) })
    }
}

/// Records to lines of JSON: as they are.
pub struct NdjsonWriter {
    target: Target,
}

impl NdjsonWriter {
    /// Writes records to `target`.
    pub fn new(target: Target) -> NdjsonWriter {
        NdjsonWriter { target }
    }
}

impl Sink for NdjsonWriter {
    fn declare(&mut self, facts: &Facts) -> Result<()> {
        self.target.declare(facts)
    }

    fn write(&mut self, records: &[u8]) -> Result<()> {
        self.target.write(records)
    }

    fn prepare(&mut self) -> Result<()> {
        self.target.prepare()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.target.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::bytes::Memory;
    use crate::record::bad::Policy;

    fn read(text: &[u8], policy: Policy) -> Result<Vec<u8>> {
        let options = ReadOptions::new(policy)?;
        let mut reader = NdjsonReader::new(Memory::new("memory", text), &options);
        let mut out = Vec::new();
        while reader.fill(&mut out)? {}
        Ok(out)
    }

    #[test]
    fn good_records_pass_byte_for_byte() {
        let text = b" {\"b\" : 1.0}\n[1e400]\n\"\\ud800\"\n";
        assert_eq!(read(text, Policy::Fail).unwrap(), text);
    }

    #[test]
    fn bom_blank_lines_crlf_and_a_missing_line_end_are_tolerated() {
        let text = b"\xef\xbb\xbf1\r\n\r\n\n2\n  \n3\n4\r\n5";
        assert_eq!(read(text, Policy::Fail).unwrap(), b"1\n2\n3\n4\n5\n");
        assert_eq!(read(b"", Policy::Fail).unwrap(), b"");
        assert_eq!(read(b"\n\n", Policy::Fail).unwrap(), b"");
    }

    #[test]
    fn a_bad_line_is_refused_with_its_place_or_skipped() {
        let text = b"1\n[2\n3\n\xff\n4\n";
        let error = read(text, Policy::Fail).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().starts_with("memory: line 2, byte 3:"), "{error}");
        assert_eq!(read(text, Policy::Skip).unwrap(), b"1\n3\n4\n");
        assert!(read(text, Policy::Limit(1)).is_err());
    }
}
