//! Bytes in the order in which they came, with space behind them that is not cleared again.

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Queue {
    /// One that has space for so many bytes.
    pub(super) fn new(size: usize) -> Queue {
        Queue { bytes: vec![0; size], start: 0, end: 0 }
    }

    /// What is in it.
    pub(super) fn filled(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Space behind what is in it, of `least` bytes or more.
    pub(super) fn space(&mut self, least: usize) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() - self.end < least {
            self.bytes.resize(self.end + least, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes were written into the space.
    pub(super) fn extend(&mut self, count: usize) {
        self.end = self.bytes.len().min(self.end + count);
    }

    /// So many bytes are dealt with.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_in_order_while_space_is_made() {
        let mut queue = Queue::new(4);
        queue.space(3)[..3].copy_from_slice(b"abc");
        queue.extend(3);
        queue.consume(2);
        assert_eq!(queue.filled(), b"c");
        assert_eq!(queue.space(1).len(), 3, "what is there is used again");
        queue.space(5)[..5].copy_from_slice(b"defgh");
        queue.extend(5);
        assert_eq!(queue.filled(), b"cdefgh");
        queue.consume(6);
        assert!(queue.is_empty());
    }
}
