//! Records on their way into a new database, gathered and sorted: the library's skip list takes
//! neighbours several times faster than strangers, and equal keys meet.

/// Keys and values, in the order they came or, once sorted, in key order.
#[derive(Default)]
pub(super) struct Batch {
    /// Each key with its value behind it.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    record: u64,
    start: usize,
    key_length: usize,
    value_length: usize,
}

/// A record of a batch.
pub(super) struct Pair<'a> {
    /// The number of the record.
    pub(super) record: u64,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl Batch {
    /// Adds a record.
    pub(super) fn push(&mut self, record: u64, key: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        let (key_length, value_length) = (key.len(), value.len());
        self.entries.push(Entry { record, start, key_length, value_length });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// How much memory the records take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Forgets the records.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Sorts the records by key, equal ones by number.
    pub(super) fn sort(&mut self) {
        let Batch { bytes, entries } = self;
        let key = |e: &Entry| &bytes[e.start..e.start + e.key_length];
        entries.sort_unstable_by(|a, b| key(a).cmp(key(b)).then(a.record.cmp(&b.record)));
    }

    /// The records.
    pub(super) fn pairs(&self) -> impl DoubleEndedIterator<Item = Pair<'_>> {
        self.entries.iter().map(|entry| {
            let (key, rest) = self.bytes[entry.start..].split_at(entry.key_length);
            Pair { record: entry.record, key, value: &rest[..entry.value_length] }
        })
    }

    /// The first record whose key a record before it has, once sorted.
    pub(super) fn repeated(&self) -> Option<Pair<'_>> {
        let pairs = self.pairs().zip(self.pairs().skip(1));
        pairs.filter(|(a, b)| a.key == b.key).map(|(_, b)| b).min_by_key(|pair| pair.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_sorted_and_repeated_keys_found() {
        let mut batch = Batch::default();
        for (number, key) in (1..).zip(["c", "", "a", "ab"]) {
            batch.push(number, key.as_bytes(), format!("of {key}").as_bytes());
        }
        batch.sort();
        let numbers: Vec<u64> = batch.pairs().map(|pair| pair.record).collect();
        assert_eq!(numbers, [2, 3, 4, 1]);
        assert!(batch.pairs().all(|pair| pair.value == [b"of ", pair.key].concat()));
        assert!(batch.repeated().is_none());
        for (number, key) in (5..).zip(["c", "a", "c"]) {
            batch.push(number, key.as_bytes(), b"");
        }
        batch.sort();
        assert_eq!(batch.repeated().map(|pair| pair.record), Some(5));
    }
}
