//! Sorting places by the keys of what lies there, eight bytes of them at a time.
//!
//! A place is a number of 128 bits: eight bytes of its key, and behind them the place itself. Such numbers
//! are sorted without a look at anything else, and their order is stable; where the bytes are the same, the next
//! eight are taken.

use std::cell::Cell;

/// The bytes of a key that are compared at once.
const BYTES: usize = 8;

/// Keys that have as many bytes in common are compared as a whole.
const DEPTH_MAX: usize = 64;

/// A place, under the first bytes of its key as [`prefix`](super::run::prefix) gives them.
#[inline]
pub(super) fn place(prefix: u64, at: usize) -> u128 {
    u128::from(prefix) << u64::BITS | at as u128
}

/// Where a place lies.
#[inline]
pub(super) fn at(place: u128) -> usize {
    place as u64 as usize
}

/// Pieces that are in order already are worth merging if they are as long, about.
const LONG_PIECE: usize = 256;

/// Memory of a thread for sorting places: that of one block serves the next.
#[derive(Default)]
struct Scratch {
    places: Vec<u128>,
    order: Vec<u64>,
    sorted: Vec<u128>,
}

/// The memory for more places is not kept.
const KEPT_MAX: usize = 1 << 18;

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Sorts `places`, each under the first bytes of its key, by whole keys, which `key` gives; of equal ones the
/// first place comes first. There are `pieces` of them that are in order, one after the other. `then` gets them.
pub(super) fn sorted<'k, R>(
    places: impl Iterator<Item = u128>,
    pieces: usize,
    key: &impl Fn(usize) -> &'k [u8],
    then: impl FnOnce(&mut Vec<u128>) -> R,
) -> R {
    let mut scratch = SCRATCH.take();
    scratch.places.clear();
    scratch.places.extend(places);
    sort_numbers(&mut scratch, pieces);
    sort_ties(&mut scratch.places, BYTES, key);
    let result = then(&mut scratch.places);
    if scratch.places.capacity() <= KEPT_MAX {
        SCRATCH.set(scratch);
    }
    result
}

/// Sorts numbers that are all different, so that any sort is stable: the one finds pieces that are in order, and
/// merges them; the other is faster where there are none.
fn sort_numbers(scratch: &mut Scratch, pieces: usize) {
    match scratch.places.len() >= pieces.saturating_mul(LONG_PIECE) {
        true => scratch.places.sort(),
        false => sort_shortened(scratch),
    }
}

/// The first bytes of a place's key.
#[inline]
fn bytes(place: &u128) -> u64 {
    (place >> u64::BITS) as u64
}

/// Sorts places, of equal bytes the first first, by numbers of half their size: those of their bits that are not the
/// same in all of them, as many as fit, and which place it is.
fn sort_shortened(Scratch { places, order, sorted }: &mut Scratch) {
    let both = |(all, any), place| (all & bytes(place), any | bytes(place));
    let (all, any) = places.iter().fold((u64::MAX, 0), both);
    if all | !any == u64::MAX {
        return places.sort_unstable();
    }
    let same = (all ^ any).leading_zeros();
    let mask = (places.len() as u64).next_power_of_two() - 1;
    let kept = |place: &u128| (bytes(place) << same) & !mask;
    order.clear();
    order.extend(places.iter().enumerate().map(|(n, place)| kept(place) | n as u64));
    order.sort_unstable();
    sorted.clear();
    sorted.extend(order.iter().map(|n| places[(n & mask) as usize]));
    std::mem::swap(places, sorted);
    let alike = places.chunk_by_mut(|a, b| kept(a) == kept(b));
    alike.filter(|alike| alike.len() > 1).for_each(<[u128]>::sort_unstable);
}

/// Sorts those that are next to each other under the same bytes, which are so many of the key's first.
fn sort_ties<'k>(places: &mut [u128], depth: usize, key: &impl Fn(usize) -> &'k [u8]) {
    for ties in places.chunk_by_mut(|a, b| bytes(a) == bytes(b)) {
        // No key begins another: what ends here is the same in all of them.
        if ties.len() == 1 || key(at(ties[0])).len() <= depth {
            continue;
        }
        if depth == DEPTH_MAX {
            ties.sort_by(|a, b| key(at(*a))[depth..].cmp(&key(at(*b))[depth..]));
            continue;
        }
        let before = bytes(&ties[0]);
        for tie in ties.iter_mut() {
            *tie = place(super::run::prefix(&key(at(*tie))[depth..]), at(*tie));
        }
        ties.sort_unstable();
        sort_ties(ties, depth + BYTES, key);
        ties.iter_mut().for_each(|tie| *tie = place(before, at(*tie)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(places: &[u128]) -> Vec<usize> {
        places.iter().map(|place| at(*place)).collect()
    }

    proptest! {
        #[test]
        fn places_are_in_the_stable_order_of_their_keys(
            keys in prop::collection::vec(("[ab]{0,2}", 0usize..6, "[ab]{0,9}"), 0..300),
        ) {
            // Of the same beginnings, up to several times the bytes that are compared at once.
            let key = |(a, times, b): &(String, usize, String)| {
                format!("{a}{}{b}\0", "same bytes of keys".repeat(*times)).into_bytes()
            };
            let keys: Vec<Vec<u8>> = keys.iter().map(key).collect();
            let mut due: Vec<usize> = (0..keys.len()).collect();
            due.sort_by_key(|&at| &keys[at]);
            let first = |(at, key): (usize, &Vec<u8>)| place(super::super::run::prefix(key), at);
            for pieces in [1, keys.len()] {
                let places = keys.iter().enumerate().map(first);
                let places = sorted(places, pieces, &|at| &keys[at], |places| numbers(places));
                prop_assert_eq!(&places, &due);
            }
        }
    }

    #[test]
    fn the_length_of_equal_keys_is_no_depth() {
        let keys = vec![vec![b'x'; 100_000]; 3];
        let places = (0..3).map(|at| place(7, at));
        assert_eq!(sorted(places, 3, &|at| &keys[at], |places| numbers(places)), [0, 1, 2]);
    }
}
