//! Inputs as streams, which come in steps of any size.

use crate::cli::message::printable;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{ReadOptions, Source};
use crate::record::bad::{Bad, Policy};
use crate::record::stream::Input;

/// The longest record that is taken.
pub(super) const RECORD_MAX: usize = 2048;

/// In how many steps an input comes, at most.
const STEPS_MAX: usize = 20;

/// How many bytes of an input come at once: all, one or a few, and what cuts it in two places or three.
pub(super) fn steps(input: &[u8]) -> [usize; 3] {
    [usize::MAX, 1.max(input.len() / STEPS_MAX), 1 + input.len() / 3]
}

/// Bytes that come a few at a time.
pub(super) struct Stepwise {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
}

impl Stepwise {
    pub(super) fn new(bytes: &[u8], step: usize) -> Stepwise {
        Stepwise { bytes: bytes.to_vec(), at: 0, step }
    }
}

impl Input for Stepwise {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let rest = &self.bytes[self.at..];
        let count = self.step.min(buffer.len()).min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }

    fn name(&self) -> &str {
        "input"
    }
}

/// What reading came to: the records, and the error at its end; and the bad records on the way.
pub(super) type Read = (String, std::result::Result<(), ErrorKind>, u64);

/// Options under which bad records are passed over, or end the reading.
pub(super) fn options(strict: bool) -> ReadOptions {
    let mut options = ReadOptions::new(Policy::Skip).unwrap();
    if strict {
        options.bad = std::sync::Arc::new(Bad::new(Policy::Fail).unwrap());
    }
    options.max_record = RECORD_MAX;
    options
}

/// Reads a source to its end. Every record is one value on a line, whatever was read.
pub(super) fn read_all(
    open: impl FnOnce(&ReadOptions) -> Result<Box<dyn Source>>,
    strict: bool,
) -> Read {
    let options = options(strict);
    let (mut out, mut end) = (Vec::new(), Ok(()));
    match open(&options) {
        Err(error) => end = Err(kind(&error)),
        Ok(mut source) => loop {
            match source.fill(&mut out) {
                Ok(true) => (),
                Ok(false) => break,
                Err(error) => {
                    end = Err(kind(&error));
                    break;
                }
            }
        },
    }
    assert!(out.is_empty() || out.ends_with(b"\n"), "the last record is cut");
    for record in out.split(|byte| *byte == b'\n').filter(|record| !record.is_empty()) {
        crate::record::scan::check(record).unwrap();
    }
    (String::from_utf8(out).unwrap(), end, options.bad.count())
}

/// The kind of an error, whose text may show how much had come.
pub(super) fn kind(error: &Error) -> ErrorKind {
    said(error);
    error.kind()
}

/// An error as its text, of which a line for people can be made.
pub(super) fn said(error: &Error) -> String {
    let text = error.to_string();
    let shown = printable(&text);
    assert!(!shown.is_empty() && !shown.contains(char::is_control), "{shown:?}");
    text
}
