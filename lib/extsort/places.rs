//! Sorting places by the keys of what lies there, eight bytes of them at a time.
//!
//! A place is a number of 128 bits: eight bytes of its key, and behind them the place itself. Such numbers
//! are sorted without a look at anything else, and their order is stable; where the bytes are the same, the next
//! eight are taken.

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

/// Sorts places, each under the first bytes of its key, by whole keys, which `key` gives; of equal ones the
/// first place comes first. There are `pieces` of them that are in order, one after the other.
pub(super) fn sort<'k>(places: &mut [u128], pieces: usize, key: &impl Fn(usize) -> &'k [u8]) {
    sort_numbers(places, pieces);
    sort_ties(places, BYTES, key);
}

/// Sorts numbers that are all different, so that any sort is stable: the one finds pieces that are in order, and
/// merges them; the other is faster where there are none.
fn sort_numbers(places: &mut [u128], pieces: usize) {
    match places.len() >= pieces.saturating_mul(LONG_PIECE) {
        true => places.sort(),
        false => places.sort_unstable(),
    }
}

/// Sorts those that are next to each other under the same bytes, which are so many of the key's first.
fn sort_ties<'k>(places: &mut [u128], depth: usize, key: &impl Fn(usize) -> &'k [u8]) {
    let bytes = |place: &u128| (place >> u64::BITS) as u64;
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
                let mut places: Vec<u128> = keys.iter().enumerate().map(first).collect();
                sort(&mut places, pieces, &|at| &keys[at]);
                let places: Vec<usize> = places.iter().map(|place| at(*place)).collect();
                prop_assert_eq!(&places, &due);
            }
        }
    }

    #[test]
    fn the_length_of_equal_keys_is_no_depth() {
        let keys = vec![vec![b'x'; 100_000]; 3];
        let mut places: Vec<u128> = (0..3).map(|at| place(7, 2 - at)).collect();
        sort(&mut places, 3, &|at| &keys[at]);
        assert_eq!(places.iter().map(|place| at(*place)).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
