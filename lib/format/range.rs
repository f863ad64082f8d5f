//! The format `range`: the integers from a first one to before an end, one a record. Read only.

use super::{FILL_BYTES, Source};
use crate::error::{Error, Result};

/// `range:FIRST..END`, END excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    next: i64,
    end: i64,
}

impl Range {
    /// Reads `FIRST..END`.
    ///
    /// # Errors
    /// When these are not two integers (of 64 bits), the first not above the second.
    pub fn parse(text: &str) -> Result<Range> {
        let range = text.split_once("..").and_then(|(first, end)| {
            let range = Range { next: first.parse().ok()?, end: end.parse().ok()? };
            (range.next <= range.end).then_some(range)
        });
        range.ok_or_else(|| {
            Error::usage(format!(
                "range:{text}: say range:FIRST..END, two integers in order (END is excluded)"
            ))
        })
    }
}

impl Source for Range {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let full = out.len() + FILL_BYTES;
        let mut digits = self.next.to_string().into_bytes();
        while self.next < self.end && out.len() < full {
            out.extend_from_slice(&digits);
            out.push(b'\n');
            self.next += 1;
            if !advance(&mut digits) {
                digits = self.next.to_string().into_bytes();
            }
        }
        Ok(self.next < self.end)
    }
}

/// Adds one to a number's digits where that is a matter of the last few; `false` where not.
fn advance(digits: &mut [u8]) -> bool {
    if digits.first() == Some(&b'-') {
        return false;
    }
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return true;
        }
        *digit = b'0';
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<i64> {
        let (mut range, mut out) = (Range::parse(text).unwrap(), Vec::new());
        while range.fill(&mut out).unwrap() {}
        String::from_utf8(out).unwrap().lines().map(|l| l.parse().unwrap()).collect()
    }

    #[test]
    fn counts_from_the_first_to_before_the_end() {
        for (text, first, end) in [("-12..1002", -12, 1002), ("5..5", 5, 5), ("99..101", 99, 101)] {
            assert_eq!(all(text), (first..end).collect::<Vec<i64>>());
        }
        assert_eq!(all("0..300000").len(), 300_000);
        assert_eq!(all("9223372036854775806..9223372036854775807"), [i64::MAX - 1]);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "5..", "..5", "5..4", "1..2..3", "a..b", "0..9223372036854775808"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }
}
