//! The form in which records go to a command and come back: lines of JSON, lines of text, pairs, or
//! bytes.
//!
//! Both ways are checked here, so that what a command prints is as sound as what it got.

use std::sync::Arc;

use crate::command::each::{Each, Words};
use crate::command::tidy::{OnBadLine, tidy};
use crate::error::{Error, Result};
use crate::record::bad::{Bad, Policy};
use crate::record::block::{Block, Blocks, Line, flaw_error};
use crate::record::fields::Checker;
use crate::record::notation::Notation;
use crate::record::text_lines::{LineEnd, push_strings, push_texts};
use crate::spool::Spool;

/// How much of a long output is looked at at once.
const LOOK_BYTES: usize = 1 << 20;

/// How many bytes of a record a message shows.
const SHOWN_BYTES: usize = 80;

/// What a command reads and prints.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// How it reads records.
    pub input: Notation,
    /// How it prints them.
    pub output: Notation,
    /// Whether records stay JSON until an attempt at them: who looks for those that the command fails
    /// on needs them as they were.
    pub late: bool,
    /// What is done with each record by itself, where each is a run of the command; they stay JSON,
    /// too.
    pub each: Option<Arc<Each>>,
}

/// A bad record: what is wrong with it, and its text.
pub(crate) type Reject = (Error, Vec<u8>);

/// A block in the form that the command reads.
#[derive(Debug)]
pub(crate) struct Fed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: u64,
    pub(crate) rejects: Vec<Reject>,
    /// Memory that is not needed any more.
    pub(crate) free: Vec<u8>,
}

/// What a command printed, looked at.
#[derive(Debug)]
pub(crate) enum TaskOutput {
    /// Sound records, ready to be written.
    Records(Spool, u64),
    /// As it was printed: some of it is bad, and what happens to that is decided in its turn.
    Flawed(Spool),
}

impl Form {
    /// Whether sound records are what the command gets, as they are.
    pub(crate) fn reads_records(&self) -> bool {
        self.input == Notation::Json && self.each.as_ref().is_none_or(|each| each.words.is_none())
    }

    /// Whether what the command prints is records, and its output is that.
    pub(crate) fn prints_records(&self) -> bool {
        self.output == Notation::Json && self.each.as_ref().is_none_or(|each| !each.outcome)
    }

    /// Whether what a command is told of a record is where files of the client lie.
    pub(crate) fn names_client_files(&self) -> bool {
        let words = self.each.as_ref().and_then(|each| each.words.as_ref());
        words.is_some_and(Words::name_client_files)
    }

    /// Whether what an attempt gets has to be made of records first.
    pub(crate) fn is_late(&self) -> bool {
        self.input != Notation::Json && self.late && self.each.is_none()
    }

    /// Checks a block of the input that is called `name`, and brings it into form; `spare` is memory that
    /// was used before.
    pub(crate) fn feed(&self, block: Block, name: &str, mut spare: Vec<u8>) -> Fed {
        let mut rejects = Vec::new();
        let mut reject = |line: Line<'_>, error: Error| {
            rejects.push((error, line.text.to_vec()));
            Ok(())
        };
        if self.reads_records() {
            // Rejecting is a push here: it cannot fail.
            let (rewritten, records) =
                tidy(&block.bytes, block.first_line, usize::MAX, name, &mut reject)
                    .unwrap_or_default();
            let bytes = rewritten.unwrap_or(block.bytes);
            return Fed { bytes, records, rejects, free: spare };
        }
        spare.clear();
        let records = self.rewrite_block(&block, name, &mut spare, &mut reject).unwrap_or_default();
        Fed { bytes: spare, records, rejects, free: block.bytes }
    }

    /// Brings the sound records in `records`, which are said to be from `name`, into form, and
    /// writes them to `to`.
    ///
    /// # Errors
    /// What `bad` does not let pass, and `Storage`.
    pub(crate) fn feed_all(
        &self,
        records: &Spool,
        name: &str,
        max_record: usize,
        bad: &Bad,
        mut to: Spool,
    ) -> Result<Spool> {
        let input = records.stream(name);
        let mut blocks = Blocks::new(input, max_record);
        let (mut buffer, mut spare) = (Vec::new(), Vec::new());
        while let Some(block) = blocks.next(LOOK_BYTES, buffer, bad)? {
            let fed = self.feed(block, name, spare);
            for (error, text) in fed.rejects {
                bad.reject(error, &text)?;
            }
            to.push(&fed.bytes)?;
            (buffer, spare) = (fed.bytes, fed.free);
        }
        Ok(to)
    }

    /// Looks at what a command printed. `spare` makes an empty spool, `give` gets the memory of one
    /// that is not needed any more.
    ///
    /// # Errors
    /// `Storage` when it cannot be read back or kept.
    pub(crate) fn look(
        &self,
        mut printed: Spool,
        max_record: usize,
        spare: &dyn Fn() -> Spool,
        give: &dyn Fn(Vec<u8>),
    ) -> Result<TaskOutput> {
        if self.output != Notation::Raw {
            printed.end_line()?;
        }
        let forgiving = Bad::new(Policy::Skip)?;
        if self.printed() == Notation::Json {
            let (same, records) = match printed.in_memory() {
                Some(bytes) => look_at(bytes, max_record, &forgiving)?,
                None => look_through(&printed, max_record, &forgiving)?,
            };
            if same {
                return Ok(TaskOutput::Records(printed, records));
            }
        }
        if forgiving.count() == 0 {
            let (records, count) =
                self.rewrite(&printed, ("", ""), max_record, &forgiving, spare())?;
            if forgiving.count() == 0 {
                give(printed.into_memory());
                return Ok(TaskOutput::Records(records, count));
            }
            give(records.into_memory());
        }
        Ok(TaskOutput::Flawed(printed))
    }

    /// Writes the sound records of what a command printed to `to`, and has `bad` judge the others,
    /// which are said to be from `name`, with the word `plain_lines` for those that look like text.
    /// Gives the spool back, and the number of records.
    ///
    /// # Errors
    /// What `bad` does not let pass, and `Storage`.
    pub(crate) fn rewrite(
        &self,
        printed: &Spool,
        (name, plain_lines): (&str, &str),
        max_record: usize,
        bad: &Bad,
        mut to: Spool,
    ) -> Result<(Spool, u64)> {
        let notation = self.printed();
        if notation == Notation::Raw {
            return one_string(printed, name, max_record, bad, to);
        }
        let input = printed.stream(name);
        let mut blocks = Blocks::new(input, max_record);
        let (mut buffer, mut lines, mut records) = (Vec::new(), Vec::new(), 0);
        while let Some(block) = blocks.next(LOOK_BYTES, buffer, bad)? {
            match notation {
                Notation::Json => {
                    let mut reject = |line: Line<'_>, error: Error| {
                        let plain = line.text.len() <= max_record && is_plain(line.text);
                        let word = if plain { plain_lines } else { "" };
                        bad.reject(Error::new(error.kind(), format!("{error}{word}")), line.text)
                    };
                    let (rewritten, count) =
                        tidy(&block.bytes, block.first_line, max_record, name, &mut reject)?;
                    to.push(rewritten.as_ref().unwrap_or(&block.bytes))?;
                    records += count;
                }
                _ => {
                    lines.clear();
                    push_lines(notation, &block.bytes, &mut lines);
                    to.push(&lines)?;
                    records += block.line_count;
                }
            }
            buffer = block.bytes;
        }
        Ok((to, records))
    }

    /// The records of `input`, which are sound, as an attempt gets them.
    ///
    /// # Errors
    /// `BadInput` for one that cannot be written so, `Storage`.
    pub(crate) fn for_attempt(&self, input: &Spool, mut to: Spool) -> Result<Spool> {
        each_record(input, |record| {
            let mut bytes = Vec::with_capacity(record.len());
            self.input.push(&mut bytes, record).map_err(|why| {
                let shown = String::from_utf8_lossy(&record[..record.len().min(SHOWN_BYTES)]);
                Error::input(format!("{why}{}: {shown}", self.wanted()))
            })?;
            to.push(&bytes)
        })?;
        Ok(to)
    }

    /// How what is looked at is written: where each record is a run of its own, what it printed was
    /// made a record already.
    fn printed(&self) -> Notation {
        match &self.each {
            Some(each) if self.output == Notation::Raw || each.outcome => Notation::Json,
            _ => self.output,
        }
    }

    /// Appends the records of a block in the form that the command reads, or as they are, when that is made
    /// of them later: what cannot be made of them is found here in any case. Says how many there are.
    fn rewrite_block(
        &self,
        block: &Block,
        name: &str,
        written: &mut Vec<u8>,
        on_bad: OnBadLine<'_>,
    ) -> Result<u64> {
        let stays = self.late || self.each.is_some();
        written.reserve(block.bytes.len());
        let (mut records, mut checker) = (0, Checker::default());
        let (mut at, mut number) = (0, block.first_line);
        loop {
            if self.input == Notation::Text && !stays {
                let (stop, count) = push_texts(written, &block.bytes, at);
                (at, number, records) = (stop, number + count, records + count);
            }
            let Some(line) = block.line_at(at, number) else { break };
            (at, number) = (block.after(&line), line.number + 1);
            let from = written.len();
            let refuse = |why: &str| Error::input(format!("{name}: line {}: {why}", line.number));
            let words = self.each.as_ref().and_then(|each| each.words.as_ref());
            let error = match checker.check(line.text) {
                Err(flaw) => flaw_error(name, line, flaw),
                Ok(()) => match self.input.push(written, line.text) {
                    Err(why) => refuse(&format!("{why}{}", self.wanted())),
                    Ok(()) => match words.map(|words| words.of(line.text)) {
                        Some(Err(why)) => refuse(&why),
                        _ => {
                            if stays {
                                written.truncate(from);
                                written.extend_from_slice(line.text);
                                written.push(b'\n');
                            }
                            records += 1;
                            continue;
                        }
                    },
                },
            };
            written.truncate(from);
            on_bad(line, error)?;
        }
        Ok(records)
    }

    /// Which option asked for the form of the input.
    fn wanted(&self) -> &'static str {
        match self.input {
            Notation::Json => "",
            Notation::Text => " (-t, --in text)",
            Notation::Kv => " (--kv, --in kv)",
            Notation::Raw => " (--raw, --in raw)",
        }
    }
}

/// Appends the records that the lines stand for which a command printed.
fn push_lines(notation: Notation, printed: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    loop {
        if notation == Notation::Text {
            at = push_strings(out, printed, at, LineEnd::Lf).0;
        }
        let Some(length) = memchr::memchr(b'\n', &printed[at..]) else { break };
        notation.push_record(out, &printed[at..at + length]);
        at += length + 1;
    }
}

/// Hands over each record of lines that are sound.
///
/// # Errors
/// What `take` says, and `Storage`.
pub(crate) fn each_record(lines: &Spool, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut blocks = Blocks::new(lines.stream(""), usize::MAX >> 1);
    let (strict, mut buffer) = (Bad::new(Policy::Fail)?, Vec::new());
    while let Some(block) = blocks.next(LOOK_BYTES, buffer, &strict)? {
        block.lines().try_for_each(|line| take(line.text))?;
        buffer = block.bytes;
    }
    Ok(())
}

/// All that was printed as one string.
fn one_string(
    printed: &Spool,
    name: &str,
    max_record: usize,
    bad: &Bad,
    mut to: Spool,
) -> Result<(Spool, u64)> {
    if printed.len() > max_record as u64 {
        let error = format!("{name}: a record over {max_record} bytes (--max-record)");
        bad.reject(Error::input(error), b"")?;
        return Ok((to, 0));
    }
    let (mut bytes, mut record) = (Vec::new(), Vec::new());
    printed.pour(|chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })?;
    Notation::Raw.push_record(&mut record, &bytes);
    to.push(&record)?;
    Ok((to, 1))
}

/// Whether a line that is no JSON may be a line of text, and was not meant to be JSON.
fn is_plain(line: &[u8]) -> bool {
    let first = line.trim_ascii_start().first();
    std::str::from_utf8(line).is_ok() && first.is_none_or(|first| !b"{[\"".contains(first))
}

/// Whether all of `bytes` is sound as it is, and how many records it holds.
fn look_at(bytes: &[u8], max_record: usize, bad: &Bad) -> Result<(bool, u64)> {
    let mut reject = |line: Line<'_>, error: Error| bad.reject(error, line.text);
    let (rewritten, records) = tidy(bytes, 1, max_record, "", &mut reject)?;
    Ok((rewritten.is_none(), records))
}

/// The same for what does not fit in memory.
pub(super) fn look_through(printed: &Spool, max_record: usize, bad: &Bad) -> Result<(bool, u64)> {
    let mut blocks = Blocks::new(printed.stream(""), max_record);
    let (mut same, mut records, mut length, mut buffer) = (true, 0, 0, Vec::new());
    while let Some(block) = blocks.next(LOOK_BYTES, buffer, bad)? {
        let (as_is, count) = look_at(&block.bytes, max_record, bad)?;
        same &= as_is;
        records += count;
        length += block.bytes.len() as u64;
        buffer = block.bytes;
    }
    // A long record that was dropped, or a BOM, shows in the length alone.
    Ok((same && length == printed.len(), records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn text() -> Form {
        Form { input: Notation::Text, output: Notation::Text, ..Form::default() }
    }

    fn fed(form: &Form, text: &[u8]) -> (String, u64, Vec<String>) {
        let block = Block { bytes: text.to_vec(), first_line: 7, line_count: 0 };
        let fed = form.feed(block, "in", Vec::new());
        let errors = fed.rejects.iter().map(|(error, _)| error.to_string()).collect();
        (String::from_utf8(fed.bytes).unwrap(), fed.records, errors)
    }

    /// What becomes of a printout, in memory and in a file.
    fn printed(form: &Form, text: &[u8], policy: Policy) -> Result<(String, u64)> {
        let both = [usize::MAX, 0].map(|limit| {
            let spare = || Spool::new(Vec::new(), limit, Path::new("/tmp"));
            let mut raw = spare();
            raw.push(text)?;
            match form.look(raw, 20, &spare, &drop)? {
                TaskOutput::Records(spool, count) => Ok((spool, count)),
                TaskOutput::Flawed(raw) => form.rewrite(
                    &raw,
                    ("task 1", " (text?)"),
                    20,
                    &Bad::new(policy.clone())?,
                    spare(),
                ),
            }
            .map(|(spool, count)| {
                let mut bytes = Vec::new();
                let mut reading = spool.read();
                while let Some(count) = Some(reading.chunk().unwrap().len()).filter(|&n| n > 0) {
                    bytes.extend_from_slice(reading.chunk().unwrap());
                    reading.consume(count);
                }
                (String::from_utf8(bytes).unwrap(), count)
            })
        });
        let [memory, file] = both;
        match (&memory, &file) {
            (Ok(a), Ok(b)) => assert_eq!(a, b),
            (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
            other => panic!("{other:?}"),
        }
        memory
    }

    #[test]
    fn records_are_fed_as_they_are_but_tidy() {
        assert_eq!(fed(&Form::default(), b"1\n {\"a\": 1.0}\n").0, "1\n {\"a\": 1.0}\n");
        let (bytes, records, errors) = fed(&Form::default(), b"1\r\n\n \n[\n2\n");
        assert_eq!((bytes.as_str(), records), ("1\n2\n", 2));
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("in: line 10, byte 2:"), "{errors:?}");
    }

    #[test]
    fn strings_are_fed_as_lines() {
        let lines = b"\"a\\tb\"\n\"\"\n1\n\"x\\ny\"\n";
        let (bytes, records, errors) = fed(&text(), lines);
        assert_eq!((bytes.as_str(), records), ("a\tb\n\n1\n", 3));
        assert!(errors[0].contains("line 10: a text with a line end"), "{errors:?}");
        // Where they are made lines later, what cannot be one is found all the same.
        let (bytes, records, errors) = fed(&Form { late: true, ..text() }, lines);
        assert_eq!((bytes.as_str(), records), ("\"a\\tb\"\n\"\"\n1\n", 3));
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn sound_records_pass_and_are_made_tidy() {
        let fine = |text: &[u8]| printed(&Form::default(), text, Policy::Fail).unwrap();
        assert_eq!(fine(b""), (String::new(), 0));
        assert_eq!(fine(b"1\n2\n"), ("1\n2\n".into(), 2));
        assert_eq!(fine(b"1\n2"), ("1\n2\n".into(), 2));
        assert_eq!(fine(b"1\r\n\n2\n"), ("1\n2\n".into(), 2));
        assert_eq!(fine(b"\xef\xbb\xbf1\n"), ("1\n".into(), 1));
    }

    #[test]
    fn bad_records_are_named_or_dropped() {
        for (text, place) in [
            (b"1\n{\"a\"".as_slice(), "task 1: line 2, byte 5:"),
            (b"1\n\xff\n3\n", "task 1: line 2, byte 1:"),
            (b"1\n\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n3\n", "task 1: line 2: a record over 20"),
        ] {
            let error = printed(&Form::default(), text, Policy::Fail).unwrap_err();
            assert_eq!(error.exit_code(), 3);
            assert!(error.to_string().starts_with(place), "{error}");
            let (kept, count) = printed(&Form::default(), text, Policy::Skip).unwrap();
            assert!(kept.starts_with("1\n") && count == kept.lines().count() as u64, "{kept}");
        }
    }

    #[test]
    fn plain_lines_are_told_from_broken_json() {
        let said =
            |text: &[u8]| printed(&Form::default(), text, Policy::Fail).unwrap_err().to_string();
        assert!(said(b"tea\n").ends_with(" (text?)") && said(b"1 2\n").ends_with(" (text?)"));
        for json in [b"{'a': 1}\n".as_slice(), b"[1,\n", b"\"a\n", b"\xff\n", &[b'1'; 30]] {
            assert!(!said(json).contains("text?"), "{}", said(json));
        }
    }

    #[test]
    fn lines_of_text_become_strings() {
        let fine = |lines: &[u8]| printed(&text(), lines, Policy::Fail).unwrap();
        assert_eq!(fine(b"a\"b\n\nc\r\nd"), ("\"a\\\"b\"\n\"\"\n\"c\\r\"\n\"d\"\n".into(), 4));
        assert_eq!(fine(b"\xff\n"), ("{\"$base64\":\"/w==\"}\n".into(), 1));
        assert!(printed(&text(), &[b'x'; 30], Policy::Fail).is_err());
    }
}
