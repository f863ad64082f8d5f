//! Flow control: how much of a stream may be under way.

use std::collections::HashMap;

/// How many bytes of a stream may be sent before the first credit comes.
pub(crate) const WINDOW_BYTES: u64 = 1 << 20;

/// How much is dealt with before credit is given: a credit a frame would be many.
const GIVE_BYTES: u64 = WINDOW_BYTES / 4;

/// The sender's side: how much it may still send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance(u64);

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance(WINDOW_BYTES)
    }
}

impl Allowance {
    /// How many bytes may be sent now.
    pub(crate) fn left(&self) -> u64 {
        self.0
    }

    /// So many bytes are sent.
    pub(crate) fn spend(&mut self, bytes: u64) {
        self.0 = self.0.saturating_sub(bytes);
    }

    /// A credit came.
    pub(crate) fn gain(&mut self, bytes: u32) {
        self.0 = self.0.saturating_add(u64::from(bytes));
    }
}

/// Streams of data that are sent, by the requests that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Flows(HashMap<u32, Allowance>);

impl Flows {
    /// A stream begins.
    pub(crate) fn open(&mut self, request: u32) {
        self.0.insert(request, Allowance::default());
    }

    /// Nothing more of a stream is sent.
    pub(crate) fn end(&mut self, request: u32) {
        self.0.remove(&request);
    }

    /// A credit came for a stream, which may have ended.
    pub(crate) fn gain(&mut self, request: u32, bytes: u32) {
        if let Some(flow) = self.0.get_mut(&request) {
            flow.gain(bytes);
        }
    }

    /// Takes as many of `wanted` bytes as may be sent now; `None` where nothing more is to be sent.
    pub(crate) fn take(&mut self, request: u32, wanted: usize) -> Option<usize> {
        let flow = self.0.get_mut(&request)?;
        let count = flow.left().min(wanted as u64);
        flow.spend(count);
        Some(count as usize)
    }

    /// Whether no stream is open.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The receiver's side: what it has taken, and what it has dealt with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debt {
    /// What the sender may still send.
    open: u64,
    /// What was dealt with and not given credit for.
    done: u64,
}

impl Default for Debt {
    fn default() -> Debt {
        Debt { open: WINDOW_BYTES, done: 0 }
    }
}

impl Debt {
    /// So many bytes came: whether the sender was allowed to.
    pub(crate) fn came(&mut self, bytes: u64) -> bool {
        match self.open.checked_sub(bytes) {
            Some(open) => {
                self.open = open;
                true
            }
            None => false,
        }
    }

    /// So many bytes are dealt with: the credit that is due now, if it is worth a frame.
    pub(crate) fn dealt_with(&mut self, bytes: u64) -> Option<u32> {
        self.done += bytes;
        if self.done < GIVE_BYTES {
            return None;
        }
        let credit = u32::try_from(self.done).unwrap_or(u32::MAX);
        self.done -= u64::from(credit);
        self.open += u64::from(credit);
        Some(credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dealt_with_may_be_sent_again_and_no_more() {
        let (mut allowance, mut debt) = (Allowance::default(), Debt::default());
        for _ in 0..100 {
            while allowance.left() > 0 {
                let bytes = allowance.left().min(100_000);
                allowance.spend(bytes);
                assert!(debt.came(bytes));
                if let Some(credit) = debt.dealt_with(bytes) {
                    allowance.gain(credit);
                    break;
                }
            }
            assert!(allowance.left() > 0);
        }
        assert!(!debt.came(WINDOW_BYTES + 1));
    }

    #[test]
    fn no_more_is_sent_than_may_be() {
        let mut flows = Flows::default();
        assert_eq!(flows.take(1, 5), None);
        flows.open(1);
        assert_eq!(flows.take(1, 5), Some(5));
        assert_eq!(flows.take(1, usize::MAX), Some(WINDOW_BYTES as usize - 5));
        assert_eq!(flows.take(1, 5), Some(0));
        flows.gain(1, 3);
        assert_eq!((flows.take(1, 5), flows.take(1, 5)), (Some(3), Some(0)));
        flows.end(1);
        flows.gain(1, 3);
        assert_eq!(flows.take(1, 5), None);
    }
}
