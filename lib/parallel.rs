//! Work spread over threads whose results come back in the order of the work, and what threads share.
//!
//! It decides nothing about what the work is, what it may hold in memory, or what a failure means.

mod buffer_pool;
mod by_turns;
mod byte_limit;
mod each;
mod piece_source;

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::{Error, Result};
use piece_source::PieceSource;

pub(crate) use buffer_pool::BufferPool;
pub(crate) use by_turns::by_turns;
pub(crate) use byte_limit::{ByteLimit, HeldBytes};
pub(crate) use each::each;

/// How many pieces there may be for each worker: in work, waiting for it, and waiting as results.
const PIECES: usize = 3;

/// How many pieces exist at once, at most, with so many workers: in the producer's and the
/// consumer's hands, in work, and waiting on either side of it.
pub(crate) const fn in_flight(jobs: usize) -> usize {
    2 + jobs * PIECES
}

/// Locks `mutex`, whatever became of who held it before: what lies in it is whole at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `produce` until it gives `None`, `work` on each piece with `jobs` threads (each with a
/// state of its own from `state`), and `consume` on the results in the order of the pieces; at the
/// end, `rest` on each thread's state, whose results, if any, follow.
///
/// Whoever is free takes the next piece, and the way that its result goes: those ways wait in the order of
/// the pieces, so that nothing is numbered.
///
/// The workers produce, one at a time, so that each has what it works on at hand; `consume` runs on the caller's
/// thread. After a failure the caller is told at once; a producer that waits for input is left behind, not waited for.
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
    let (work, rest, jobs) = (Arc::new(work), Arc::new(rest), jobs.max(1));
    let (give_way, take_way) = sync_channel(jobs * PIECES);
    let (give_rest, take_rest) = channel();
    let pieces = Arc::new(PieceSource::new(produce, give_way));
    for _ in 0..jobs {
        let (pieces, give_rest) = (Arc::clone(&pieces), give_rest.clone());
        let (work, rest, mut state) = (Arc::clone(&work), Arc::clone(&rest), state());
        spawn(move || {
            if labour(&pieces, &mut state, &*work) {
                // Nobody listens any more if this fails: then nobody waits for it either.
                give_rest.send(rest(state)).unwrap_or_default();
            }
        })?;
    }
    drop(give_rest);
    while let Some(way) = take_way.recv().map_err(|_| vanished())? {
        consume(way.recv().map_err(|_| vanished())??)?;
    }
    for _ in 0..jobs {
        if let Some(result) = take_rest.recv().map_err(|_| vanished())?? {
            consume(result)?;
        }
    }
    Ok(())
}

/// A thread ended without its last word. An end that nobody said must never pass for one.
fn vanished() -> Error {
    Error::incomplete("internal error: a thread ended before its work did")
}

/// The way that the result of a piece goes; `None` is the end.
type Way<R> = Option<Receiver<Result<R>>>;

/// A worker's life: it takes pieces, and gives a result for each. Whether it came to the end.
fn labour<T, S, R>(
    pieces: &PieceSource<impl FnMut() -> Result<Option<T>>, SyncSender<Way<R>>>,
    state: &mut S,
    work: &impl Fn(&mut S, T) -> Result<R>,
) -> bool {
    loop {
        let (give, take) = sync_channel(1);
        // The ways are told in the order of the pieces. This waits while there are as many as there may be; a
        // caller who is gone listens to none.
        let piece = pieces.next(|piece, ways| {
            ways.send(piece.is_some().then_some(take)).unwrap_or_default();
        });
        let Some(piece) = piece else { return true };
        // A failure to produce goes the way of a result, so that it is seen in its place.
        let result = piece.and_then(|piece| work(state, piece));
        let goes_on = result.is_ok();
        if give.send(result).is_err() || !goes_on {
            return false;
        }
    }
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
