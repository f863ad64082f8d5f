//! Work spread over threads, whose results they take themselves, in turn: what a thread has made is still at hand
//! where it is taken.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::error::Result;
use crate::parallel::piece_source::PieceSource;
use crate::parallel::{lock, spawn, vanished};

/// Calls `produce` until it gives `None`, `work` on each piece with `jobs` threads (each with a state of its own from
/// `state`), and `take` on the results in the order of the pieces, with `taker`, which is returned.
///
/// All of it is done on those threads. A result that is made before its turn waits for whoever takes the one before
/// it: the caller limits how many these may be, in `produce`. After a failure the caller is told at once, and
/// whoever waits for input or output is left behind.
///
/// # Errors
/// The first failure in the order of the pieces.
pub(crate) fn by_turns<T, S, R, C>(
    jobs: usize,
    produce: impl FnMut() -> Result<Option<T>> + Send + 'static,
    state: impl Fn() -> S,
    work: impl Fn(&mut S, T) -> Result<R> + Send + Sync + 'static,
    taker: C,
    take: impl Fn(&mut C, R) -> Result<()> + Send + Sync + 'static,
) -> Result<C>
where
    T: Send + 'static,
    S: Send + 'static,
    R: Send + 'static,
    C: Send + 'static,
{
    let (give_end, take_end) = channel();
    let pieces = Arc::new(PieceSource::new(produce, 0));
    let (work, turns) = (Arc::new(work), Arc::new(Turns::new(taker, take)));
    for _ in 0..jobs.max(1) {
        let (pieces, turns, end) = (Arc::clone(&pieces), Arc::clone(&turns), End(give_end.clone()));
        let (work, mut state) = (Arc::clone(&work), state());
        spawn(move || {
            if let Some(ended) = labour(&pieces, &mut state, &*work, &turns) {
                // Whoever does not listen any more does not wait for it either.
                end.0.send(ended).unwrap_or_default();
            }
        })?;
    }
    drop(give_end);
    take_end.recv().map_err(|_| vanished())?
}

/// A worker's life. The end of it all, if it is this one that comes to it.
fn labour<T, S, R, C>(
    pieces: &PieceSource<impl FnMut() -> Result<Option<T>>, u64>,
    state: &mut S,
    work: &impl Fn(&mut S, T) -> Result<R>,
    turns: &Turns<R, C, impl Fn(&mut C, R) -> Result<()>>,
) -> Option<Result<C>> {
    loop {
        let mut turn = None;
        let piece = pieces.next(|_, count| {
            turn = Some(*count);
            *count += 1;
        });
        // It was another that came to the end.
        let turn = turn?;
        let result = piece.map(|piece| work(state, piece?)).transpose();
        let goes_on = matches!(result, Ok(Some(_)));
        let ended = turns.give(turn, result);
        if ended.is_some() || !goes_on {
            return ended;
        }
    }
}

/// Results, each of which has its turn.
struct Turns<R, C, F> {
    take: F,
    waiting: Mutex<Waiting<R, C>>,
}

struct Waiting<R, C> {
    /// By their turns; nothing is the end.
    results: BTreeMap<u64, Result<Option<R>>>,
    /// Whose turn is next.
    next: u64,
    /// There, unless somebody takes results or the end was reached.
    taker: Option<C>,
}

impl<R, C, F: Fn(&mut C, R) -> Result<()>> Turns<R, C, F> {
    fn new(taker: C, take: F) -> Turns<R, C, F> {
        let waiting = Waiting { results: BTreeMap::new(), next: 0, taker: Some(taker) };
        Turns { take, waiting: Mutex::new(waiting) }
    }

    /// Takes all results whose turn it is, with this one, unless somebody is at it already: who sees this one then.
    /// The end of it all, if that is reached.
    fn give(&self, turn: u64, result: Result<Option<R>>) -> Option<Result<C>> {
        let mut waiting = lock(&self.waiting);
        waiting.results.insert(turn, result);
        let mut taker = waiting.taker.take()?;
        loop {
            let next = waiting.next;
            let Some(result) = waiting.results.remove(&next) else {
                waiting.taker = Some(taker);
                return None;
            };
            waiting.next += 1;
            drop(waiting);
            match result {
                Ok(Some(result)) => {
                    if let Err(error) = (self.take)(&mut taker, result) {
                        return Some(Err(error));
                    }
                }
                Ok(None) => return Some(Ok(taker)),
                Err(error) => return Some(Err(error)),
            }
            waiting = lock(&self.waiting);
        }
    }
}

/// Tells the end of it all, and that there is none where a thread is lost.
struct End<C>(Sender<Result<C>>);

impl<C> Drop for End<C> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.send(Err(vanished())).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::error::Error;

    /// The numbers below `count`, doubled and taken in turn, but for a failure at `bad` of who is called so.
    fn doubles(jobs: usize, count: u64, bad: u64, fails: &'static str) -> Result<Vec<u64>> {
        let mut next = 0;
        let check = move |n: u64, who: &str| match n == bad && who == fails {
            true => Err(Error::usage(format!("{who} {n}"))),
            false => Ok(n),
        };
        let produce = move || {
            next += 1;
            (next <= count).then(|| check(next - 1, "read")).transpose()
        };
        let take = move |taken: &mut Vec<u64>, n: u64| {
            assert_eq!(taken.len() as u64, n);
            taken.push(check(n, "take")?);
            Ok(())
        };
        by_turns(jobs, produce, || (), move |(), n| check(n, "work"), Vec::new(), take)
    }

    #[test]
    fn results_are_taken_in_order() {
        for (jobs, count) in [(0, 10), (1, 0), (2, 1000), (3, 1), (8, 1000)] {
            assert_eq!(doubles(jobs, count, 0, "nobody").unwrap(), (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_failure_ends_it_all() {
        for who in ["read", "work", "take"] {
            for (jobs, bad) in [(1, 0), (2, 999), (5, 500)] {
                let error = doubles(jobs, 1000, bad, who).unwrap_err();
                assert!(error.to_string().contains(&format!("{who} {bad}")), "{error}");
            }
        }
        // Of two failures the first in order counts, whenever it is seen.
        let later = Arc::new(Barrier::new(2));
        let mut next = 0;
        let produce = move || {
            next += 1;
            Ok(Some(next))
        };
        let work = move |(): &mut (), n: u64| {
            if n < 3 {
                later.wait();
            }
            Err::<(), _>(Error::usage(format!("number {n}")))
        };
        let error = by_turns(2, produce, || (), work, (), |(), ()| Ok(())).unwrap_err();
        assert!(error.to_string().contains("number 1"), "{error}");
    }

    #[test]
    fn a_thread_that_is_lost_is_no_quiet_end() {
        for lost in ["read", "work", "take"] {
            let mut next = 0;
            let produce = move || {
                next += 1;
                assert!(lost != "read" || next != 5, "on purpose");
                Ok((next < 10).then_some(next))
            };
            let work = move |(): &mut (), n| {
                assert!(lost != "work" || n != 5, "on purpose");
                Ok(n)
            };
            let take = move |(): &mut (), n| {
                assert!(lost != "take" || n != 5, "on purpose");
                Ok(())
            };
            assert!(by_turns(3, produce, || (), work, (), take).is_err(), "{lost}");
        }
    }
}
