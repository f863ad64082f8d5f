//! The same work on each of a few things that are all there, on several at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::parallel::lock;

/// What `work` makes of each of `items`, on at most `at_once` of them at a time, in their order.
///
/// They are begun in their order, and all are waited for: `work` knows when to give up. The caller's
/// thread works too, so that all is done even where there are no others to be had.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    let labour = || {
        while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed))
            && let Some(item) = items.get(at)
        {
            let result = work(item);
            lock(&results).push((at, result));
        }
    };
    thread::scope(|scope| {
        let others = (1..items.len().min(at_once)).map(|_| {
            let thread = thread::Builder::new();
            thread.spawn_scoped(scope, labour)
        });
        // What no thread is to be had for, the others do.
        let _ = others.take_while(Result::is_ok).count();
        labour();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_unstable_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn results_come_in_order_whoever_is_done_first() {
        let items: Vec<usize> = (0..100).collect();
        for at_once in [0, 1, 2, 7, 1000] {
            assert_eq!(
                each(&items, at_once, |n| n * n),
                items.iter().map(|n| n * n).collect::<Vec<_>>()
            );
        }
        assert_eq!(each(&[0; 0], 3, |n| *n), [0; 0]);
        // The first is not done before the second is.
        let second = Barrier::new(2);
        let turns = each(&[true, false], 2, |first| {
            second.wait();
            *first
        });
        assert_eq!(turns, [true, false]);
    }

    #[test]
    fn no_more_are_worked_on_at_once_than_may_be() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let all_three = Barrier::new(3);
        each(&[(); 9], 3, |()| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            all_three.wait();
            now.fetch_sub(1, Ordering::SeqCst);
            all_three.wait();
        });
        assert_eq!(most.into_inner(), 3);
    }
}
