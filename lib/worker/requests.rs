//! The requests of a tool that are open, and how they are told to stop.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::error::Result;
use crate::error::broken;
use crate::parallel::lock;

/// The most requests that may be open.
const REQUESTS_MAX: usize = 4096;

/// The requests that are open: how each is told to stop.
#[derive(Clone, Default)]
pub(crate) struct Requests(Arc<Mutex<HashMap<u32, Arc<AtomicBool>>>>);

impl Requests {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<u32, Arc<AtomicBool>>) -> T) -> T {
        work(&mut lock(&self.0))
    }

    /// A request begins: what tells it to stop.
    ///
    /// # Errors
    /// `Incomplete` when it is one too many, or there already.
    pub(crate) fn begin(&self, request: u32) -> Result<Arc<AtomicBool>> {
        let stop = Arc::new(AtomicBool::new(false));
        let fits = self.with(|open| {
            open.len() < REQUESTS_MAX && open.insert(request, Arc::clone(&stop)).is_none()
        });
        if fits { Ok(stop) } else { Err(broken("too many requests, or one twice")) }
    }

    /// A request has ended.
    pub(crate) fn end(&self, request: u32) {
        self.with(|open| open.remove(&request));
    }

    /// A request is to stop, if it is there.
    pub(crate) fn stop(&self, request: u32) {
        self.with(|open| open.get(&request).map(|stop| stop.store(true, Ordering::SeqCst)));
    }

    /// Whether none is open.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.with(|open| open.is_empty())
    }

    /// All are to stop.
    pub(crate) fn stop_all(&self) {
        self.with(|open| open.values().for_each(|stop| stop.store(true, Ordering::SeqCst)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_bounded_and_their_numbers_are_their_own() {
        let requests = Requests::default();
        for request in 0..REQUESTS_MAX as u32 - 1 {
            requests.begin(request).unwrap();
        }
        assert_eq!(requests.begin(7).unwrap_err().exit_code(), 4);
        let last = REQUESTS_MAX as u32;
        requests.begin(last).unwrap();
        assert_eq!(requests.begin(last + 1).unwrap_err().exit_code(), 4);
        requests.end(last);
        let stop = requests.begin(last + 1).unwrap();
        requests.stop(last + 1);
        assert!(stop.load(Ordering::SeqCst));
    }
}
