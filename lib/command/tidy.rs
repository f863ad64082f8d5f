//! The lines that a command prints as JSON, checked.

use crate::error::{Error, Result};
use crate::record::block::{Line, flaw_error, is_blank};
use crate::record::fields::Checker;

/// What is to be done with a bad line.
pub(super) type OnBadLine<'a> = &'a mut dyn FnMut(Line<'_>, Error) -> Result<()>;

/// Checks lines of JSON: without what is blank or bad, and with plain line ends. Gives the lines
/// where they differ from `bytes`, and the number of records.
pub(super) fn tidy(
    bytes: &[u8],
    first_line: u64,
    max_record: usize,
    name: &str,
    on_bad: OnBadLine<'_>,
) -> Result<(Option<Vec<u8>>, u64)> {
    let (mut rewritten, mut checker) = (None::<Vec<u8>>, Checker::default());
    let (mut at, mut records, mut number) = (0, 0, first_line);
    loop {
        if rewritten.is_none() {
            let (alike, end) = checker.check_lines(bytes, at, max_record);
            (at, number, records) = (end, number + alike as u64, records + alike as u64);
        }
        if at >= bytes.len() {
            break;
        }
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length);
        let raw = &bytes[at..end];
        let line = Line { text: raw.strip_suffix(b"\r").unwrap_or(raw), number, at };
        let sound = if line.text.len() > max_record {
            let error = format!("a record over {max_record} bytes (--max-record)");
            on_bad(line, Error::input(error).at(format!("{name}: line {number}")))?;
            false
        } else {
            match checker.check(line.text) {
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
