//! The form in which records go to a command and come back: lines of JSON, or lines of text.
//!
//! Both ways are checked here, so that what a command prints is as sound as what it got.

use crate::error::{Error, Result};
use crate::record::bad::{Bad, Policy};
use crate::record::block::{Block, Blocks, Line, flaw_error, is_blank};
use crate::record::{scan, text};
use crate::spool::Spool;

/// How much of a long output is looked at at once.
const LOOK_BYTES: usize = 1 << 20;

/// What a command reads and prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Records as they are: one JSON value a line.
    Records,
    /// The text of records that are strings, a line each; lines come back as strings.
    Text,
}

/// A bad record: what is wrong with it, and its text.
pub(crate) type Reject = (Error, Vec<u8>);

/// A block in the form that the command reads.
#[derive(Debug)]
pub(crate) struct Fed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: u64,
    pub(crate) rejects: Vec<Reject>,
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
    /// Checks a block of the input that is called `name`, and brings it into form; `give` gets the
    /// memory that this frees.
    pub(crate) fn feed(self, block: Block, name: &str, give: impl FnOnce(Vec<u8>)) -> Fed {
        let mut rejects = Vec::new();
        let mut reject = |line: Line<'_>, error: Error| {
            rejects.push((error, line.text.to_vec()));
            Ok(())
        };
        let (rewritten, records) = match self {
            // Rejecting is a push here: it cannot fail.
            Form::Records => tidy(&block.bytes, block.first_line, usize::MAX, name, &mut reject),
            Form::Text => to_text(&block, name, &mut reject),
        }
        .unwrap_or_default();
        let bytes = match rewritten {
            Some(bytes) => {
                give(block.bytes);
                bytes
            }
            None => block.bytes,
        };
        Fed { bytes, records, rejects }
    }

    /// Brings the sound records in `records`, which are said to be from `name`, into form, and
    /// writes them to `to`.
    ///
    /// # Errors
    /// What `bad` does not let pass, and `Storage`.
    pub(crate) fn feed_all(
        self,
        records: &Spool,
        name: &str,
        max_record: usize,
        bad: &Bad,
        mut to: Spool,
    ) -> Result<Spool> {
        let input = records.stream(name);
        let mut blocks = Blocks::new(input, max_record);
        while let Some(block) = blocks.next(LOOK_BYTES, Vec::new(), bad)? {
            let fed = self.feed(block, name, drop);
            for (error, text) in fed.rejects {
                bad.reject(error, &text)?;
            }
            to.push(&fed.bytes)?;
        }
        Ok(to)
    }

    /// Looks at what a command printed. `spare` makes an empty spool, `give` gets the memory of one
    /// that is not needed any more.
    ///
    /// # Errors
    /// `Storage` when it cannot be read back or kept.
    pub(crate) fn look(
        self,
        mut printed: Spool,
        max_record: usize,
        spare: &dyn Fn() -> Spool,
        give: &dyn Fn(Vec<u8>),
    ) -> Result<TaskOutput> {
        printed.end_line()?;
        let forgiving = Bad::new(Policy::Skip)?;
        if self == Form::Records {
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
        self,
        printed: &Spool,
        (name, plain_lines): (&str, &str),
        max_record: usize,
        bad: &Bad,
        mut to: Spool,
    ) -> Result<(Spool, u64)> {
        let input = printed.stream(name);
        let mut blocks = Blocks::new(input, max_record);
        let (mut buffer, mut strings, mut records) = (Vec::new(), Vec::new(), 0);
        while let Some(block) = blocks.next(LOOK_BYTES, buffer, bad)? {
            match self {
                Form::Records => {
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
                Form::Text => {
                    strings.clear();
                    for line in block.bytes.split_inclusive(|&b| b == b'\n') {
                        text::push_bytes(&mut strings, &line[..line.len() - 1]);
                        strings.push(b'\n');
                    }
                    to.push(&strings)?;
                    records += block.line_count;
                }
            }
            buffer = block.bytes;
        }
        Ok((to, records))
    }
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
fn look_through(printed: &Spool, max_record: usize, bad: &Bad) -> Result<(bool, u64)> {
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

/// What is to be done with a bad line.
type OnBad<'a> = &'a mut dyn FnMut(Line<'_>, Error) -> Result<()>;

/// Checks lines of JSON: without what is blank or bad, and with plain line ends. Gives the lines
/// where they differ from `bytes`, and the number of records.
fn tidy(
    bytes: &[u8],
    first_line: u64,
    max_record: usize,
    name: &str,
    on_bad: OnBad<'_>,
) -> Result<(Option<Vec<u8>>, u64)> {
    let mut rewritten: Option<Vec<u8>> = None;
    let (mut at, mut records, mut number) = (0, 0, first_line);
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length);
        let raw = &bytes[at..end];
        let line = Line { text: raw.strip_suffix(b"\r").unwrap_or(raw), number, at };
        let sound = if line.text.len() > max_record {
            let error = format!("a record over {max_record} bytes (--max-record)");
            on_bad(line, Error::input(error).at(format!("{name}: line {number}")))?;
            false
        } else {
            match scan::check(line.text) {
                Ok(()) => true,
                Err(_) if is_blank(line.text) => false,
                Err(flaw) => {
                    on_bad(line, flaw_error(name, line, flaw))?;
                    false
                }
            }
        };
        records += u64::from(sound);
        match &mut rewritten {
            None if sound && line.text.len() == raw.len() => (),
            rewritten => {
                let lines = rewritten.get_or_insert_with(|| bytes[..at].to_vec());
                if sound {
                    lines.extend_from_slice(line.text);
                    lines.push(b'\n');
                }
            }
        }
        at = end + 1;
        number += 1;
    }
    Ok((rewritten, records))
}

/// The text of the strings in a block, a line each.
fn to_text(block: &Block, name: &str, on_bad: OnBad<'_>) -> Result<(Option<Vec<u8>>, u64)> {
    let mut lines = Vec::with_capacity(block.bytes.len());
    let mut records = 0;
    for line in block.lines() {
        let refuse = |why: &str| Error::input(format!("{name}: line {}: {why}", line.number));
        let error = match scan::check(line.text) {
            Err(flaw) => flaw_error(name, line, flaw),
            Ok(()) => match text::value_bytes(line.text) {
                Err(why) => refuse(&format!("{why}, which -t needs")),
                Ok(bytes) if bytes.contains(&b'\n') => {
                    refuse("a string with a line end in it is no line of text (-t)")
                }
                Ok(bytes) => {
                    lines.extend_from_slice(&bytes);
                    lines.push(b'\n');
                    records += 1;
                    continue;
                }
            },
        };
        on_bad(line, error)?;
    }
    Ok((Some(lines), records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn fed(form: Form, text: &[u8]) -> (String, u64, Vec<String>) {
        let block = Block { bytes: text.to_vec(), first_line: 7, line_count: 0 };
        let fed = form.feed(block, "in", drop);
        let errors = fed.rejects.iter().map(|(error, _)| error.to_string()).collect();
        (String::from_utf8(fed.bytes).unwrap(), fed.records, errors)
    }

    /// What becomes of a printout, in memory and in a file.
    fn printed(form: Form, text: &[u8], policy: Policy) -> Result<(String, u64)> {
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
        assert_eq!(fed(Form::Records, b"1\n {\"a\": 1.0}\n").0, "1\n {\"a\": 1.0}\n");
        let (bytes, records, errors) = fed(Form::Records, b"1\r\n\n \n[\n2\n");
        assert_eq!((bytes.as_str(), records), ("1\n2\n", 2));
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("in: line 10, byte 2:"), "{errors:?}");
    }

    #[test]
    fn strings_are_fed_as_lines() {
        let (bytes, records, errors) = fed(Form::Text, b"\"a\\tb\"\n\"\"\n1\n\"x\\ny\"\n");
        assert_eq!((bytes.as_str(), records), ("a\tb\n\n", 2));
        assert!(errors[0].contains("line 9: not a string"), "{errors:?}");
        assert!(errors[1].contains("line 10: a string with a line end"), "{errors:?}");
    }

    #[test]
    fn sound_records_pass_and_are_made_tidy() {
        let fine = |text: &[u8]| printed(Form::Records, text, Policy::Fail).unwrap();
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
            let error = printed(Form::Records, text, Policy::Fail).unwrap_err();
            assert_eq!(error.exit_code(), 3);
            assert!(error.to_string().starts_with(place), "{error}");
            let (kept, count) = printed(Form::Records, text, Policy::Skip).unwrap();
            assert!(kept.starts_with("1\n") && count == kept.lines().count() as u64, "{kept}");
        }
    }

    #[test]
    fn plain_lines_are_told_from_broken_json() {
        let said =
            |text: &[u8]| printed(Form::Records, text, Policy::Fail).unwrap_err().to_string();
        assert!(said(b"tea\n").ends_with(" (text?)") && said(b"1 2\n").ends_with(" (text?)"));
        for json in [b"{'a': 1}\n".as_slice(), b"[1,\n", b"\"a\n", b"\xff\n", &[b'1'; 30]] {
            assert!(!said(json).contains("text?"), "{}", said(json));
        }
    }

    #[test]
    fn lines_of_text_become_strings() {
        let fine = |text: &[u8]| printed(Form::Text, text, Policy::Fail).unwrap();
        assert_eq!(fine(b"a\"b\n\nc\r\nd"), ("\"a\\\"b\"\n\"\"\n\"c\\r\"\n\"d\"\n".into(), 4));
        assert_eq!(fine(b"\xff\n"), ("{\"$base64\":\"/w==\"}\n".into(), 1));
        assert!(printed(Form::Text, &[b'x'; 30], Policy::Fail).is_err());
    }
}
