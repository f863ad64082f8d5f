//! Lost shards made again: who asks for one waits for it, and those behind it that are lost too are made
//! meanwhile, as many at once as there is room for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::engine::lineage::Lineage;
use crate::engine::lineage::requests::{LostShard, Rebuild};
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::lock;

/// The most shards that are made again at once: each has a thread that waits for it.
const AT_ONCE_MAX: usize = 64;

/// What makes the lost shards of a run again.
pub(crate) struct Recovery(Arc<Shared>);

struct Shared {
    lineage: Arc<Lineage>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Those that nobody has begun to make.
    wanted: VecDeque<LostShard>,
    /// How each ended that was wanted; `None` of one that has not.
    outcomes: BTreeMap<u64, Option<Outcome>>,
    threads: usize,
}

type Outcome = std::result::Result<Vec<String>, (ErrorKind, String)>;

impl Recovery {
    /// By what is known of them.
    pub(crate) fn new(lineage: Arc<Lineage>) -> Recovery {
        Recovery(Arc::new(Shared { lineage, state: Mutex::default(), changed: Condvar::new() }))
    }
}

impl Rebuild for Recovery {
    fn rebuild(&self, lost: &LostShard) -> Result<Vec<String>> {
        let shared = &self.0;
        let mut state = lock(&shared.state);
        state.want(lost, || shared.lineage.lost_behind(lost.shard));
        let width = shared.lineage.width().clamp(1, AT_ONCE_MAX);
        while state.threads < width.min(state.threads + state.wanted.len()) {
            let thread = Arc::clone(shared);
            match thread::Builder::new().spawn(move || thread.work()) {
                Ok(_) => state.threads += 1,
                // One of the others will do it.
                Err(_) if state.threads > 0 => break,
                Err(e) => return Err(Error::io("start", "a thread", &e)),
            }
        }
        loop {
            match state.outcomes.get(&lost.shard) {
                Some(Some(Ok(hosts))) => return Ok(hosts.clone()),
                Some(Some(Err((kind, text)))) => return Err(Error::new(*kind, text.clone())),
                _ => state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn lost(&self) -> Vec<LostShard> {
        self.0.lineage.lost_behind(0)
    }
}

impl State {
    /// Has a shard made, and those that are `behind` it, unless they are being made, or are.
    fn want(&mut self, lost: &LostShard, behind: impl FnOnce() -> Vec<LostShard>) {
        match self.outcomes.get(&lost.shard) {
            // Whoever waits for one goes before those that nobody waits for yet.
            Some(None) => {
                if let Some(at) = self.wanted.iter().position(|other| other.shard == lost.shard)
                    && let Some(first) = self.wanted.remove(at)
                {
                    self.wanted.push_front(first);
                }
                return;
            }
            Some(Some(Ok(hosts))) if hosts.iter().any(|host| !lost.hosts.contains(host)) => return,
            Some(Some(Err(_))) => return,
            // One that was made again, and is lost again, too.
            _ => (),
        }
        self.outcomes.insert(lost.shard, None);
        self.wanted.push_front(lost.clone());
        for other in behind() {
            if let std::collections::btree_map::Entry::Vacant(entry) =
                self.outcomes.entry(other.shard)
            {
                entry.insert(None);
                self.wanted.push_back(other);
            }
        }
    }
}

impl Shared {
    /// The life of a thread that makes shards, as long as any are wanted.
    fn work(&self) {
        let mut state = lock(&self.state);
        while let Some(lost) = state.wanted.pop_front() {
            drop(state);
            let made = self.lineage.remake(&lost).map_err(|e| (e.kind(), e.to_string()));
            state = lock(&self.state);
            state.outcomes.insert(lost.shard, Some(made));
            self.changed.notify_all();
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::digest::Contents;

    fn lost(shard: u64, host: &str) -> LostShard {
        LostShard { shard, hosts: vec![host.into()], contents: Contents::default() }
    }

    fn wanted(state: &State) -> Vec<u64> {
        state.wanted.iter().map(|lost| lost.shard).collect()
    }

    #[test]
    fn who_asks_goes_first_and_nothing_is_made_twice() {
        let mut state = State::default();
        state.want(&lost(7, "n1"), || vec![lost(8, "n1"), lost(9, "n1")]);
        state.want(&lost(9, "n1"), Vec::new);
        assert_eq!(wanted(&state), [9, 7, 8]);
        state.want(&lost(5, "n1"), || vec![lost(7, "n1"), lost(8, "n1")]);
        assert_eq!(wanted(&state), [5, 9, 7, 8]);
        state.wanted.clear();
        state.outcomes.insert(5, Some(Ok(vec!["n2".into()])));
        state.outcomes.insert(7, Some(Err((ErrorKind::Incomplete, "no".into()))));
        for known in [lost(5, "n1"), lost(7, "n1"), lost(8, "n1")] {
            state.want(&known, Vec::new);
        }
        assert!(wanted(&state).is_empty());
        // The host that it was made again on is lost, too.
        state.want(&lost(5, "n2"), Vec::new);
        assert_eq!((wanted(&state), &state.outcomes[&5]), (vec![5], &None));
    }
}
