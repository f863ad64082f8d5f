//! Work spread over threads whose results come back in the order of the work, and what threads share.
//!
//! It decides nothing about what the work is, what it may hold in memory, or what a failure means.

mod buffer_pool;
mod byte_limit;
mod each;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::{Error, Result};

pub(crate) use buffer_pool::BufferPool;
pub(crate) use byte_limit::ByteLimit;
pub(crate) use each::each;

/// How many pieces may wait before, and results behind, each worker.
const QUEUE: usize = 1;

/// How many pieces exist at once, at most, with so many workers: in the producer's and the
/// consumer's hands, in work, and waiting on either side of it.
pub(crate) const fn in_flight(jobs: usize) -> usize {
    2 + jobs * (1 + 2 * QUEUE)
}

/// Locks `mutex`, whatever became of who held it before: what lies in it is whole at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `produce` until it gives `None`, `work` on each piece with `jobs` threads (each with a
/// state of its own from `state`), and `consume` on the results in the order of the pieces; at the
/// end, `rest` on each thread's state, whose results, if any, follow.
///
/// Pieces are dealt in turn and results taken in the same turn: nothing is numbered, or waits but in
/// the short queues of the threads.
///
/// The producer runs on a thread of its own and `consume` on the caller's. After a failure the
/// caller is told at once; a producer that waits for input is left behind, not waited for.
///
/// # Errors
/// The first failure in the order of the pieces.
pub(crate) fn ordered<T, S, R>(
    jobs: usize,
    produce: impl FnMut() -> Result<Option<T>> + Send + 'static,
    state: impl Fn() -> S,
    work: impl Fn(&mut S, T) -> Result<R> + Send + Sync + 'static,
    rest: impl Fn(S) -> Result<Option<R>> + Send + Sync + 'static,
    mut consume: impl FnMut(R) -> Result<()>,
) -> Result<()>
where
    T: Send + 'static,
    S: Send + 'static,
    R: Send + 'static,
{
    let (work, rest) = (Arc::new(work), Arc::new(rest));
    let (mut givers, mut takers) = (Vec::new(), Vec::new());
    for _ in 0..jobs.max(1) {
        let (give_work, take_work) = sync_channel::<Option<Result<T>>>(QUEUE);
        let (give_result, take_result) = sync_channel::<Option<Result<R>>>(QUEUE);
        let (work, rest, state) = (Arc::clone(&work), Arc::clone(&rest), state());
        spawn(move || labour(&take_work, &give_result, state, &*work, &*rest))?;
        givers.push(give_work);
        takers.push(take_result);
    }
    spawn(move || deal(produce, &givers))?;
    // A worker that says `None` in its turn got no more pieces, and then nobody did.
    let (mut turn, mut open) = (0, vec![true; takers.len()]);
    while open.contains(&true) {
        let taker = turn % takers.len();
        turn += 1;
        if open[taker] {
            match takers[taker].recv() {
                Ok(Some(result)) => consume(result?)?,
                Ok(None) => open[taker] = false,
                Err(_) => return Err(vanished()),
            }
        }
    }
    Ok(())
}

/// A thread ended without its last word. An end that nobody said must never pass for one.
fn vanished() -> Error {
    Error::incomplete("internal error: a thread ended before its work did")
}

/// Deals the pieces out in turn, and `None` to every worker at the end. A failure to produce goes
/// the way of a piece, so that it is seen in its place.
fn deal<T>(
    mut produce: impl FnMut() -> Result<Option<T>>,
    givers: &[SyncSender<Option<Result<T>>>],
) {
    for turn in 0.. {
        let Some(piece) = produce().transpose() else { break };
        let failed = piece.is_err();
        if givers[turn % givers.len()].send(Some(piece)).is_err() || failed {
            return;
        }
    }
    for giver in givers {
        // A worker that is gone has failed, and said so.
        giver.send(None).unwrap_or_default();
    }
}

/// A worker's life: a result for every piece, the rest and `None` at the end, until nobody listens.
fn labour<T, S, R>(
    pieces: &Receiver<Option<Result<T>>>,
    results: &SyncSender<Option<Result<R>>>,
    mut state: S,
    work: &impl Fn(&mut S, T) -> Result<R>,
    rest: &impl Fn(S) -> Result<Option<R>>,
) {
    loop {
        let result = match pieces.recv() {
            Ok(Some(piece)) => piece.and_then(|piece| work(&mut state, piece)),
            Ok(None) => break,
            Err(_) => Err(vanished()),
        };
        let goes_on = result.is_ok();
        if results.send(Some(result)).is_err() || !goes_on {
            return;
        }
    }
    if let Some(result) = rest(state).transpose()
        && results.send(Some(result)).is_err()
    {
        return;
    }
    // Nobody listens any more if this fails: then nobody waits for it either.
    results.send(None).unwrap_or_default();
}

fn spawn(body: impl FnOnce() + Send + 'static) -> Result<()> {
    match thread::Builder::new().spawn(body) {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::io("start", "a thread", &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(jobs: usize, count: u64, bad: u64) -> (Vec<u64>, Result<()>) {
        let (mut next, mut seen) = (0, Vec::new());
        let produce = move || {
            next += 1;
            Ok((next <= count).then_some(next - 1))
        };
        let work = move |(): &mut (), n: u64| {
            if n == bad { Err(Error::usage("bad")) } else { Ok(n * n) }
        };
        let result = ordered(
            jobs,
            produce,
            || (),
            work,
            |()| Ok(None),
            |n| {
                seen.push(n);
                Ok(())
            },
        );
        (seen, result)
    }

    #[test]
    fn results_come_in_order() {
        for jobs in [1, 2, 3, 8] {
            let (seen, result) = squares(jobs, 1000, u64::MAX);
            assert!(result.is_ok());
            assert_eq!(seen, (0..1000).map(|n| n * n).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn the_first_failure_in_order_is_told_after_what_came_before_it() {
        let (seen, result) = squares(3, 1000, 7);
        assert!(result.is_err());
        assert_eq!(seen.len(), 7);
    }

    #[test]
    fn what_the_threads_hold_comes_last() {
        let mut left = 100;
        let produce = move || {
            left -= 1;
            Ok((left >= 0).then_some(left))
        };
        let work = |sum: &mut i32, n| {
            *sum += n;
            Ok(None)
        };
        let (mut total, mut pieces) = (0, 0);
        ordered(
            3,
            produce,
            || 0,
            work,
            |sum| Ok(Some(Some(sum))),
            |result| {
                pieces += i32::from(result.is_none());
                total += result.unwrap_or(0);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!((pieces, total), (100, 4950));
    }

    #[test]
    fn a_failing_producer_is_told_too() {
        let mut left = 5;
        let produce = move || {
            left -= 1;
            if left == 0 { Err(Error::usage("bad")) } else { Ok(Some(left)) }
        };
        let mut seen = 0;
        let result = ordered(
            2,
            produce,
            || (),
            |(), n| Ok(n),
            |()| Ok(None),
            |_: i32| {
                seen += 1;
                Ok(())
            },
        );
        assert!(result.is_err());
        assert_eq!(seen, 4);
    }

    #[test]
    fn a_panicking_worker_is_no_quiet_end() {
        let mut left = 10;
        let produce = move || {
            left -= 1;
            Ok((left > 0).then_some(left))
        };
        let work = |(): &mut (), n: i32| if n == 5 { panic!("on purpose") } else { Ok(n) };
        assert!(ordered(2, produce, || (), work, |()| Ok(None), |_| Ok(())).is_err());
    }
}
