//! Where the keys are cut into ranges of about equal size, from samples. Any cuts give the same
//! bytes; these only decide how the work is spread.

use std::collections::BTreeMap;

use crate::cluster::exchange::HostOffer;
use crate::record::bytes::Bytes;
use crate::record::key;

/// How large a range is to be, in bytes of items: large enough to be worth asking for, small enough
/// to be merged in memory by many at once.
const RANGE_BYTES: u64 = 16 << 20;

/// The most ranges that are made without being asked for: larger ones after that.
const RANGES_MAX: u64 = 1024;

/// How many times the median a range must be for it to be worth a word, and how large.
const SKEW: u64 = 4;
const SKEW_BYTES: u64 = 32 << 20;

/// What share of all a key must hold for it to be worth a word.
const HEAVY_PERCENT: u64 = 20;

/// A range of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyRange {
    /// Its first key.
    pub(crate) from: Option<Vec<u8>>,
    /// The first key behind it.
    pub(crate) to: Option<Vec<u8>>,
    /// How many bytes of it lie on each host, about.
    pub(crate) lie: Vec<u64>,
}

impl KeyRange {
    /// The ranges that begin with these keys, and the one before the first of them.
    pub(crate) fn between(keys: &[Bytes]) -> Vec<KeyRange> {
        let from = std::iter::once(None).chain(keys.iter().map(|key| Some(key.0.clone())));
        let to = keys.iter().map(|key| Some(key.0.clone())).chain([None]);
        from.zip(to).map(|(from, to)| KeyRange { from, to, lie: Vec::new() }).collect()
    }
}

/// Cuts what the hosts have into `wanted` ranges, or as many as its size asks for; fewer where keys
/// are too heavy for that. At least one.
pub(super) fn ranges(hosts: &[HostOffer], wanted: Option<u64>) -> Vec<KeyRange> {
    let mut samples: Vec<(&[u8], u64)> = Vec::new();
    for host in hosts {
        samples.extend(host.samples.iter().map(|(key, bytes)| (key.0.as_slice(), *bytes)));
    }
    samples.sort();
    // What a host says need not be true: sums must not overflow for it.
    let total = samples.iter().fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let wanted = wanted.unwrap_or_else(|| total.div_ceil(RANGE_BYTES).min(RANGES_MAX)).max(1);
    let mut cuts: Vec<&[u8]> = Vec::new();
    let mut before = 0u64;
    for (key, bytes) in &samples {
        // The cut closest behind each share of the whole.
        let due = u128::from(total) * (cuts.len() as u128 + 1) / u128::from(wanted);
        let is_new = cuts.last().is_none_or(|last| last < key) && !key.is_empty();
        if u128::from(before) >= due && is_new && (cuts.len() as u64) < wanted - 1 {
            cuts.push(key);
        }
        before = before.saturating_add(*bytes);
    }
    let ranges: Vec<KeyRange> = (0..=cuts.len())
        .map(|number| KeyRange {
            from: number.checked_sub(1).map(|before| cuts[before].to_vec()),
            to: cuts.get(number).map(|cut| cut.to_vec()),
            lie: Vec::new(),
        })
        .collect();
    again(&ranges, hosts)
}

/// The same ranges, of which other hosts have some.
pub(super) fn again(ranges: &[KeyRange], hosts: &[HostOffer]) -> Vec<KeyRange> {
    let cuts: Vec<&[u8]> = ranges.iter().filter_map(|range| range.to.as_deref()).collect();
    let mut again: Vec<KeyRange> = ranges
        .iter()
        .map(|range| KeyRange { lie: vec![0; hosts.len()], ..range.clone() })
        .collect();
    for (number, host) in hosts.iter().enumerate() {
        for (key, bytes) in &host.samples {
            let at = cuts.partition_point(|cut| *cut <= key.0.as_slice());
            let lies = &mut again[at].lie[number];
            *lies = lies.saturating_add(*bytes);
        }
    }
    again
}

/// A word about a key that holds much of what the hosts offer, before its range is merged: all of that becomes one
/// shard.
pub(super) fn heavy_key(hosts: &[HostOffer]) -> Option<String> {
    let mut keys: BTreeMap<&[u8], u64> = BTreeMap::new();
    for (key, bytes) in hosts.iter().flat_map(|host| &host.samples) {
        let of_key = keys.entry(&key.0).or_default();
        *of_key = of_key.saturating_add(*bytes);
    }
    let total = keys.values().fold(0_u64, |total, bytes| total.saturating_add(*bytes));
    let (key, bytes) = keys.into_iter().max_by_key(|(_, bytes)| *bytes)?;
    let percent = u64::try_from(u128::from(bytes) * 100 / u128::from(total.max(1))).unwrap_or(100);
    if key.is_empty() || bytes < SKEW_BYTES || percent < HEAVY_PERCENT {
        return None;
    }
    let named = key::shown(key).map_or("one key".to_string(), |key| format!("the key {key}"));
    Some(format!(
        "{named} holds about {percent} % of the records' bytes, {} MB, which become one shard: whoever \
         works on it is last; a finer key spreads it, and --reduce makes less of it",
        bytes >> 20
    ))
}

/// A word about a range that is much larger than the others. `sizes` are those of all.
pub(super) fn advice(ranges: &[KeyRange], sizes: &[u64]) -> Option<String> {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let (median, largest) = (sorted.get(sorted.len().saturating_sub(1) / 2)?, sorted.last()?);
    if ranges.len() < 2 || *largest < SKEW_BYTES || *largest < median.saturating_mul(SKEW) {
        return None;
    }
    let number = sizes.iter().position(|size| size == largest)? + 1;
    Some(format!(
        "one range of keys is heavy: shard {number} is {} MB, the median {} MB, so whoever works on it \
         is last: a finer key spreads it, and --reduce makes less of it",
        largest >> 20,
        median >> 20
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::bytes::Bytes;

    fn host(keys: &[(&str, u64)]) -> HostOffer {
        let samples = keys.iter().map(|(key, bytes)| (Bytes(key.as_bytes().to_vec()), *bytes));
        HostOffer { samples: samples.collect(), ..HostOffer::default() }
    }

    #[test]
    fn ranges_are_about_equal_and_follow_one_another() {
        let keys: Vec<String> = (0..1000).map(|n| format!("{n:04}")).collect();
        let even: Vec<(&str, u64)> = keys.iter().step_by(2).map(|k| (k.as_str(), 10)).collect();
        let odd: Vec<(&str, u64)> =
            keys.iter().skip(1).step_by(2).map(|k| (k.as_str(), 10)).collect();
        let found = ranges(&[host(&even), host(&odd)], Some(7));
        assert_eq!(found.len(), 7);
        for pair in found.windows(2) {
            assert_eq!(pair[0].to, pair[1].from);
            let size: u64 = pair[0].lie.iter().sum();
            assert!((1300..1600).contains(&size), "{size}");
        }
        assert!(found[0].from.is_none() && found[6].to.is_none());
        assert_eq!(found.iter().flat_map(|r| &r.lie).sum::<u64>(), 10_000);
    }

    #[test]
    fn heavy_keys_make_fewer_ranges_and_nothing_makes_one() {
        assert_eq!(ranges(&[], None), [KeyRange { lie: vec![], ..KeyRange::default() }]);
        let one = [("a", 100), ("a", 100), ("a", 100), ("b", 1)];
        let found = ranges(&[host(&one)], Some(50));
        assert!(found.len() <= 3, "{found:?}");
        let whole = ranges(&[host(&[("", 5), ("", 5)])], Some(9));
        assert_eq!(whole.len(), 1);
    }

    #[test]
    fn one_large_key_is_worth_a_word() {
        let key = |text: &str| {
            let mut key = Vec::new();
            crate::record::canonical::push_value(&mut key, text.as_bytes());
            Bytes(key)
        };
        let offer = |keys: &[(&str, u64)]| HostOffer {
            samples: keys.iter().map(|(text, bytes)| (key(text), *bytes << 20)).collect(),
            ..HostOffer::default()
        };
        let others: Vec<(String, u64)> = (0..30).map(|n| (n.to_string(), 2)).collect();
        let others: Vec<(&str, u64)> = others.iter().map(|(text, n)| (text.as_str(), *n)).collect();
        let heavy =
            [offer(&[("\"null\"", 20), ("null", 1)]), offer(&[("\"null\"", 21)]), offer(&others)];
        let said = heavy_key(&heavy).unwrap();
        assert!(
            said.starts_with("the key \"null\" holds about 40 % of the records' bytes, 41 MB"),
            "{said}"
        );
        assert_eq!(heavy_key(&[offer(&others)]), None);
        // A few bytes are no matter.
        assert_eq!(heavy_key(&[offer(&[("1", 9)])]), None);
        assert_eq!(heavy_key(&[]), None);
    }

    #[test]
    fn one_large_range_is_worth_a_word() {
        let ranges = vec![KeyRange::default(); 4];
        assert!(advice(&ranges, &[1 << 20, 1 << 20, 64 << 20, 1 << 20]).is_some());
        assert!(advice(&ranges, &[20 << 20, 20 << 20, 64 << 20, 20 << 20]).is_none());
        assert!(advice(&ranges, &[1, 1, 64, 1]).is_none());
    }
}
