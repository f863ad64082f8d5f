//! The bytes of partial results: between a tool and its own spill files, and between the two ends
//! of one build. Known by position alone; no names, no version.

use crate::error::{Error, ErrorKind, Result};

/// Appends an integer, 7 bits a byte, the lowest first.
pub(super) fn push_count(out: &mut Vec<u8>, mut count: u64) {
    while count >= 0x80 {
        out.push(count as u8 | 0x80);
        count >>= 7;
    }
    out.push(count as u8);
}

/// Appends bytes behind their count.
pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_count(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions here appended.
#[derive(Debug)]
pub struct StateDecoder<'a> {
    rest: &'a [u8],
}

impl<'a> StateDecoder<'a> {
    /// To read `bytes` from their start.
    pub fn new(bytes: &'a [u8]) -> StateDecoder<'a> {
        StateDecoder { rest: bytes }
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(damaged)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn count(&mut self) -> Result<u64> {
        let mut count = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            count |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(count);
            }
        }
        Err(damaged())
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = usize::try_from(self.count()?).map_err(|_| damaged())?;
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// What is said of bytes that no partial result has.
pub(super) fn damaged() -> Error {
    Error::new(ErrorKind::Incomplete, "a partial result is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_bytes_come_back() {
        let mut out = Vec::new();
        for count in [0, 127, 128, u64::MAX] {
            push_count(&mut out, count);
        }
        push_bytes(&mut out, b"abc");
        let mut decoder = StateDecoder::new(&out);
        for count in [0, 127, 128, u64::MAX] {
            assert_eq!(decoder.count().unwrap(), count);
        }
        assert_eq!(decoder.bytes().unwrap(), b"abc");
        assert!(decoder.is_empty());
    }

    #[test]
    fn what_is_cut_is_refused() {
        assert_eq!(StateDecoder::new(&[5, 1]).bytes().unwrap_err().exit_code(), 4);
        assert!(StateDecoder::new(&[0x80; 20]).count().is_err());
        assert!(StateDecoder::new(&[1, 2, 3]).array::<4>().is_err());
    }
}
