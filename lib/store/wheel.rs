//! The threads that requests run on: one that drives them, and one for each that is under way.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// How many requests are under way at once, at most.
pub(super) const REQUESTS: usize = 4;

/// Drives requests. Dropped, it waits for none of them.
pub(super) struct Wheel(Option<Runtime>);

impl Wheel {
    /// Starts it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start() -> Result<Wheel> {
        let made = Builder::new_multi_thread()
            .worker_threads(1)
            // Several objects may be on their way, and each may wait for a token too.
            .max_blocking_threads(64)
            .enable_time()
            .build();
        made.map(|runtime| Wheel(Some(runtime))).map_err(|e| Error::io("start", "a thread", &e))
    }

    /// Starts a task, which goes on meanwhile.
    ///
    /// # Errors
    /// When it has stopped.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        Ok(self.runtime()?.spawn(task))
    }

    /// Waits for a task.
    ///
    /// # Errors
    /// When it has stopped, or the task broke.
    pub(super) fn end<T>(&self, task: JoinHandle<T>) -> Result<T> {
        let ended = self.runtime()?.block_on(task);
        ended.map_err(|e| Error::incomplete(format!("internal error: a request broke: {e}")))
    }

    /// Waits for what `task` comes to.
    ///
    /// # Errors
    /// When it has stopped.
    pub(super) fn wait<T>(&self, task: impl Future<Output = T>) -> Result<T> {
        Ok(self.runtime()?.block_on(task))
    }

    /// The same, at most for so long.
    ///
    /// # Errors
    /// When it took longer, or it has stopped.
    pub(super) fn wait_at_most<T>(
        &self,
        limit: Duration,
        task: impl Future<Output = T>,
    ) -> Result<T> {
        let ended = self.wait(async { tokio::time::timeout(limit, task).await })?;
        ended.map_err(|_| Error::incomplete("a store does not answer"))
    }

    fn runtime(&self) -> Result<&Runtime> {
        self.0.as_ref().ok_or_else(|| Error::incomplete("internal error: requests have stopped"))
    }
}

impl Drop for Wheel {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
