//! Looking at the first bytes of a stream without taking them from whoever reads it.

use crate::error::Result;
use crate::record::stream::{Facts, Input};

/// A stream whose first bytes can be seen before it is read.
#[derive(Debug)]
pub struct Peeked<I> {
    input: I,
    /// What was read to be seen, and is not taken yet.
    seen: Vec<u8>,
    taken: usize,
}

impl<I: Input> Peeked<I> {
    /// The stream of `input`.
    pub fn new(input: I) -> Peeked<I> {
        Peeked { input, seen: Vec::new(), taken: 0 }
    }

    /// Whether the stream begins with `prefix`. Reads no further than it takes to tell.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn begins_with(&mut self, prefix: &[u8]) -> Result<bool> {
        let mut buffer = vec![0; prefix.len()];
        loop {
            let seen = &self.seen[self.taken..];
            if seen.len() >= prefix.len() || !prefix.starts_with(seen) {
                return Ok(seen.starts_with(prefix));
            }
            let lacking = prefix.len() - seen.len();
            match self.input.read(&mut buffer[..lacking])? {
                0 => return Ok(false),
                got => self.seen.extend_from_slice(&buffer[..got]),
            }
        }
    }
}

impl<I: Input> Input for Peeked<I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let seen = &self.seen[self.taken..];
        if seen.is_empty() {
            return self.input.read(buffer);
        }
        let count = seen.len().min(buffer.len());
        buffer[..count].copy_from_slice(&seen[..count]);
        self.taken += count;
        Ok(count)
    }

    fn name(&self) -> &str {
        self.input.name()
    }

    fn is_ready(&self) -> bool {
        self.taken < self.seen.len() || self.input.is_ready()
    }

    fn facts(&mut self) -> Option<Facts> {
        self.input.facts()
    }

    fn promised(&mut self) -> Option<Facts> {
        self.input.promised()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time.
    struct Drops(&'static [u8]);

    impl Input for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            match self.0.split_first() {
                Some((first, rest)) if !buffer.is_empty() => {
                    (buffer[0], self.0) = (*first, rest);
                    Ok(1)
                }
                _ => Ok(0),
            }
        }

        fn name(&self) -> &str {
            "drops"
        }
    }

    #[test]
    fn what_was_seen_is_read_all_the_same() {
        for (text, begins) in
            [("#mc1 {}\n", true), ("#mc1 ", true), ("#mc2 {}", false), ("#mc", false), ("", false)]
        {
            let mut input = Peeked::new(Drops(text.as_bytes()));
            assert_eq!(input.begins_with(b"#mc1 ").unwrap(), begins, "{text}");
            assert_eq!(input.begins_with(b"#mc1 ").unwrap(), begins, "{text}");
            let (mut read, mut buffer) = (Vec::new(), [0; 3]);
            loop {
                match input.read(&mut buffer).unwrap() {
                    0 => break,
                    got => read.extend_from_slice(&buffer[..got]),
                }
            }
            assert_eq!(read, text.as_bytes());
        }
    }

    #[test]
    fn it_reads_no_further_than_it_takes() {
        let mut input = Peeked::new(Drops(b"{\"a\":1}\n"));
        assert!(!input.begins_with(b"#mc1 ").unwrap());
        assert_eq!(input.seen.len(), 1);
    }
}
