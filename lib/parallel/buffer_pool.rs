//! Memory that was used and is free again, for what comes next: memory that the system has to give,
//! page by page and cleared, costs more than the bytes that are put there.

use std::sync::Mutex;

use crate::parallel::lock;

/// Memory that is free.
pub(crate) struct BufferPool {
    /// How many bytes may lie idle.
    most: usize,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    memory: Vec<Vec<u8>>,
    bytes: usize,
}

impl BufferPool {
    /// An empty one, that keeps at most so many bytes.
    pub(crate) fn new(most: usize) -> BufferPool {
        BufferPool { most, idle: Mutex::default() }
    }

    /// Some of it, empty; none at all if there is none.
    pub(crate) fn take(&self) -> Vec<u8> {
        let mut idle = lock(&self.idle);
        let memory = idle.memory.pop().unwrap_or_default();
        idle.bytes -= memory.capacity();
        memory
    }

    /// Takes `memory`, if that is not too much.
    pub(crate) fn give(&self, mut memory: Vec<u8>) {
        memory.clear();
        let mut idle = lock(&self.idle);
        if memory.capacity() > 0 && memory.capacity() <= self.most.saturating_sub(idle.bytes) {
            idle.bytes += memory.capacity();
            idle.memory.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_taken_and_no_more_is_held_than_is_allowed() {
        let pool = BufferPool::new(250);
        assert_eq!(pool.take().capacity(), 0);
        pool.give(Vec::new());
        for _ in 0..2 {
            (0..5).for_each(|_| pool.give(vec![1; 100]));
            assert_eq!([(); 3].map(|()| pool.take().capacity()), [100, 100, 0]);
        }
        pool.give(vec![1; 100]);
        assert!(pool.take().is_empty());
    }
}
