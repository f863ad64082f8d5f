//! What is owed of a task that a slot has taken.

use crate::engine::task_queue::{TaskOutcome, TaskQueue};
use crate::error::Error;

/// A task whose outcome is owed. Dropped, for the slot has panicked, it is a failure: the writer
/// would wait for it for ever.
pub(super) struct Duty<'a> {
    pub(super) task: u64,
    pub(super) queue: &'a TaskQueue,
}

impl Drop for Duty<'_> {
    fn drop(&mut self) {
        let error = Error::incomplete(format!("task {}: internal error", self.task));
        let result = Err(error.into());
        let (task, rejects) = (self.task, Vec::new());
        self.queue.finish(TaskOutcome { task, rejects, result }, Vec::new);
    }
}
