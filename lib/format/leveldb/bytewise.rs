//! The bytewise order of keys, for `rusty-leveldb`.
//!
//! Not that library's own: what that one finds between the last key of a block and the first of
//! the next is that first key where it is the last one and a zero byte (then the C++ library does
//! not find the key), and behind an empty key it finds a panic.

use std::cmp::Ordering;

use rusty_leveldb::Cmp;

/// The order that the C++ library calls `leveldb.BytewiseComparator`.
pub(super) struct Bytewise;

impl Cmp for Bytewise {
    fn cmp(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.cmp(b)
    }

    /// A short key at or behind `from` and before `to`, as the C++ library chooses it.
    fn find_shortest_sep(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        match (from.get(shared), to.get(shared)) {
            (Some(&a), Some(&b)) if a < 0xff && a + 1 < b => {
                let mut between = from[..=shared].to_vec();
                between[shared] = a + 1;
                between
            }
            _ => from.to_vec(),
        }
    }

    /// A short key at or behind `key`, as the C++ library chooses it.
    fn find_short_succ(&self, key: &[u8]) -> Vec<u8> {
        match key.iter().position(|&byte| byte < 0xff) {
            Some(at) => {
                let mut behind = key[..=at].to_vec();
                behind[at] += 1;
                behind
            }
            None => key.to_vec(),
        }
    }

    fn id(&self) -> &'static str {
        "leveldb.BytewiseComparator"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_lie_where_they_must() {
        let keys: [&[u8]; 12] = [
            b"",
            b"\0",
            b"\0\0",
            b"\0\xff",
            b"a",
            b"a\0",
            b"a\x01",
            b"ab",
            b"b",
            b"c",
            b"\xff",
            b"\xff\xff",
        ];
        for from in keys {
            for to in keys.into_iter().filter(|to| from < *to) {
                let between = Bytewise.find_shortest_sep(from, to);
                assert!(from <= &between[..] && &between[..] < to, "{from:?} {between:?} {to:?}");
            }
            assert!(from <= &Bytewise.find_short_succ(from)[..]);
        }
        assert_eq!(Bytewise.find_shortest_sep(b"abcdef", b"abz"), b"abd");
        assert_eq!(Bytewise.find_short_succ(b"\xff\x01\x02"), b"\xff\x02");
    }
}
