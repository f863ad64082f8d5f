//! Bytes that pieces on their way through threads may hold together: whoever makes the next piece
//! waits until there is room for it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::parallel::lock;

/// How many bytes may be held at once.
pub(crate) struct ByteLimit {
    most: usize,
    held: Mutex<usize>,
    freed: Condvar,
}

/// Bytes that are held until this is dropped.
pub(crate) struct HeldBytes {
    limit: Arc<ByteLimit>,
    bytes: usize,
}

impl ByteLimit {
    /// For so many bytes.
    pub(crate) fn new(most: usize) -> Arc<ByteLimit> {
        Arc::new(ByteLimit { most, held: Mutex::new(0), freed: Condvar::new() })
    }

    /// Holds so many bytes, as soon as others have let go of so many that there is room. More than
    /// all of them are held alone.
    pub(crate) fn hold(self: &Arc<ByteLimit>, bytes: usize) -> HeldBytes {
        let mut held = lock(&self.held);
        while *held > 0 && held.saturating_add(bytes) > self.most {
            held = self.freed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        *held += bytes;
        HeldBytes { limit: Arc::clone(self), bytes }
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        *lock(&self.limit.held) -= self.bytes;
        self.limit.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn no_more_is_held_than_is_allowed_but_by_one_alone() {
        let limit = ByteLimit::new(100);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..4 {
                let (limit, now, most) = (&limit, &now, &most);
                scope.spawn(move || {
                    for n in 0..500 {
                        let bytes = if n % 50 == 0 { 150 } else { 20 + (n + thread) % 40 };
                        let held = limit.hold(bytes);
                        let sum = now.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        assert!(sum <= 100 || sum == 150, "{sum}");
                        most.fetch_max(sum, Ordering::SeqCst);
                        now.fetch_sub(bytes, Ordering::SeqCst);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!((most.into_inner(), *lock(&limit.held)), (150, 0));
    }
}
