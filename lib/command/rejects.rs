//! Records that were left out, on their way to whoever judges them: why each was, and its text.
//!
//! They lie in a spool, one behind the other: a byte for what it is, the lengths of the reason and
//! of the text, 8 bytes each, little endian, and then both. Nothing is judged or counted here.

use crate::command::bisect::CommandFault;
use crate::error::broken;
use crate::error::{Error, Result};
use crate::spool::{Reading, Spool};

/// The longest reason, and the longest text, that are taken from another machine.
const REASON_MAX: u64 = 1 << 20;
const TEXT_MAX: u64 = 1 << 30;

/// The byte of a bad record, and that of one that a command failed on, whose reason is JSON.
const BAD: u8 = 0;
const FAILED: u8 = 1;

/// Why a record was left out.
#[derive(Debug)]
pub enum RejectReason {
    /// It is no record, or one of the wrong kind.
    Bad(Error),
    /// The command failed on it.
    Failed(CommandFault),
}

/// Records that were left out, in the order in which they were found.
#[derive(Debug)]
pub struct Rejects(Spool);

impl Rejects {
    /// None, to be kept in `spool`.
    pub fn new(spool: Spool) -> Rejects {
        Rejects(spool)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a bad record.
    ///
    /// # Errors
    /// `Storage` when there is no room for it.
    pub fn push(&mut self, reason: &str, text: &[u8]) -> Result<()> {
        self.add(BAD, reason, text)
    }

    /// Adds a record that the command failed on.
    ///
    /// # Errors
    /// `Storage` when there is no room for it.
    pub fn push_failed(&mut self, fault: &CommandFault, record: &[u8]) -> Result<()> {
        // Strings and numbers with names: nothing that could fail.
        self.add(FAILED, &serde_json::to_string(fault).unwrap_or_default(), record)
    }

    fn add(&mut self, what: u8, reason: &str, text: &[u8]) -> Result<()> {
        self.0.push(&[what])?;
        self.0.push(&(reason.len() as u64).to_le_bytes())?;
        self.0.push(&(text.len() as u64).to_le_bytes())?;
        self.0.push(reason.as_bytes())?;
        self.0.push(text)
    }

    /// Adds what came from another machine: some more of the bytes that were pushed there.
    ///
    /// # Errors
    /// `Storage` when there is no room for it.
    pub fn arrived(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.push(bytes)
    }

    /// Gives each to `judge`, in order.
    ///
    /// # Errors
    /// What `judge` says, `Storage`, and `Incomplete` for bytes that were never pushed.
    pub fn each(&self, mut judge: impl FnMut(RejectReason, &[u8]) -> Result<()>) -> Result<()> {
        let (mut reading, mut left) = (self.0.read(), self.0.len());
        let (mut what, mut lengths) = ([0; 1], [0; 16]);
        let (mut reason, mut text) = (Vec::new(), Vec::new());
        while left > 0 {
            take(&mut reading, &mut left, &mut what)?;
            take(&mut reading, &mut left, &mut lengths)?;
            let word = u128::from_le_bytes(lengths);
            let (reason_length, text_length) = (word as u64, (word >> 64) as u64);
            if reason_length > REASON_MAX.min(left) || text_length > TEXT_MAX.min(left) {
                return Err(broken("records that are too long"));
            }
            reason.resize(reason_length as usize, 0);
            take(&mut reading, &mut left, &mut reason)?;
            text.resize(text_length as usize, 0);
            take(&mut reading, &mut left, &mut text)?;
            let reason = match what {
                [BAD] => RejectReason::Bad(Error::input(String::from_utf8_lossy(&reason))),
                [FAILED] => RejectReason::Failed(
                    serde_json::from_slice(&reason)
                        .map_err(|_| broken("a failure of a command that is none"))?,
                ),
                _ => return Err(broken("records that were left out for no reason")),
            };
            judge(reason, &text)?;
        }
        Ok(())
    }

    /// The spool.
    pub fn bytes(&self) -> &Spool {
        &self.0
    }

    /// The spool, to be spilled.
    pub fn bytes_mut(&mut self) -> &mut Spool {
        &mut self.0
    }
}

/// Fills `part` with the next of the `left` bytes.
fn take(reading: &mut Reading<&Spool>, left: &mut u64, mut part: &mut [u8]) -> Result<()> {
    while !part.is_empty() {
        let next = reading.chunk()?;
        let count = next.len().min(part.len());
        if count == 0 {
            return Err(broken("records that end early"));
        }
        part[..count].copy_from_slice(&next[..count]);
        part = &mut part[count..];
        reading.consume(count);
        *left -= count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn rejects(limit: usize) -> Rejects {
        Rejects::new(Spool::new(Vec::new(), limit, Path::new("/tmp")))
    }

    fn all(rejects: &Rejects) -> Result<Vec<(String, Vec<u8>)>> {
        let mut all = Vec::new();
        rejects.each(|reason, text| {
            let reason = match reason {
                RejectReason::Bad(error) => error.to_string(),
                RejectReason::Failed(fault) => fault.stderr.concat(),
            };
            all.push((reason, text.to_vec()));
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn they_come_back_in_order_however_large() {
        let expected: Vec<(String, Vec<u8>)> =
            (0..300).map(|n| (format!("line {n}"), vec![n as u8; n * 97 % 5000])).collect();
        for limit in [0, 100_000, usize::MAX] {
            let (mut here, mut there) = (rejects(limit), rejects(limit));
            for (n, (why, text)) in expected.iter().enumerate() {
                let fault = CommandFault { stderr: vec![why.clone()], ..CommandFault::default() };
                let pushed =
                    if n % 2 == 0 { here.push(why, text) } else { here.push_failed(&fault, text) };
                pushed.unwrap();
            }
            here.bytes()
                .pour(|bytes| bytes.chunks(999).try_for_each(|c| there.arrived(c)))
                .unwrap();
            assert_eq!(all(&there).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(0u8..4, 0..200)) {
            let mut rejects = rejects(usize::MAX);
            rejects.arrived(&bytes).unwrap();
            let _ = all(&rejects);
        }
    }
}
