//! What was sorted, and what each host has to offer of it: that it is what was made of the records, no
//! less, and no more than can be; and that all of it came through.

use crate::cluster::exchange::{Exchange, HostOffer, PART_HEADS, SortResult, Tally};
use crate::error::{Error, Result};
use crate::record::digest::Contents;
use crate::record::key::Keys;

/// How many times as long as its text a key of a record is, at most, beside [`ITEM_BYTES`]; and a
/// result in the making.
const KEY_TIMES: u64 = 8;

/// How many bytes an item has for each part of its key, and for each result in the making, that do
/// not come of the texts of records, at most.
const ITEM_BYTES: u64 = 64;
const RESULT_BYTES: u64 = 4096;

/// What was sorted in all.
#[derive(Default)]
pub(super) struct SortedTotal {
    /// What the hosts say.
    pub(super) sorted: SortResult,
    /// What their manifest says of the shards, and how many bytes they are.
    pub(super) due: Tally,
    pub(super) due_bytes: u64,
}

impl SortedTotal {
    /// The manifest names this shard.
    pub(super) fn expect(&mut self, shard: &Contents) {
        self.due_bytes = self.due_bytes.saturating_add(shard.bytes);
        self.due.add(Tally { items: shard.records, sum: shard.sum });
    }

    /// A host has sorted some of them.
    pub(super) fn add(&mut self, more: SortResult) {
        let sorted = &mut self.sorted;
        sorted.records = sorted.records.saturating_add(more.records);
        sorted.bytes = sorted.bytes.saturating_add(more.bytes);
        sorted.made.add(more.made);
        sorted.doubles.add(more.doubles);
        sorted.missing = sorted.missing.saturating_add(more.missing);
        sorted.lacking = sorted.lacking.saturating_add(more.lacking);
        sorted.spilled = sorted.spilled.saturating_add(more.spilled);
        sorted.ends.extend(more.ends);
    }

    /// That no shard begins before the end of the one before it.
    ///
    /// # Errors
    /// `BadInput` when one does.
    pub(super) fn follow_one_another(&self) -> Result<()> {
        let mut ends: Vec<_> = self.sorted.ends.iter().collect();
        ends.sort_by_key(|(shard, _, _)| *shard);
        for pair in ends.windows(2) {
            let ((_, _, last), (shard, first, _)) = (pair[0], pair[1]);
            if first.0 < last.0 {
                return Err(Error::input(format!(
                    "shard {shard}: the input is not in the order of the key; group it first: mc-shuffle"
                )));
            }
        }
        Ok(())
    }
}

/// That a host does not offer more bytes than can be made of the records.
///
/// # Errors
/// `Incomplete` when it does.
pub(super) fn can_be(what: &Exchange, sorted: &SortedTotal, host: &HostOffer) -> Result<()> {
    if host.bytes <= bound(what, sorted) {
        return Ok(());
    }
    let (bytes, records) = (host.bytes, sorted.due.items);
    let text = format!("it offers {bytes} bytes, which {records} records cannot become");
    Err(Error::incomplete(text))
}

/// How many bytes of items can be made of the records, with their keys, at most; what an honest host
/// has is far below.
fn bound(what: &Exchange, sorted: &SortedTotal) -> u64 {
    let parts = |keys: &str| Keys::parse(keys).map_or(1, |keys| keys.parts.len().max(1)) as u64;
    let keys = what.keys.as_deref().map_or(1, parts) + parts(&what.order_by);
    let results = what.ops.len() as u64;
    let times = 1 + KEY_TIMES * (keys + results);
    let beside = ITEM_BYTES * (1 + keys) + RESULT_BYTES * results;
    let of_texts = sorted.due_bytes.saturating_mul(times);
    of_texts.saturating_add(sorted.due.items.saturating_mul(beside))
}

/// How many bytes the parts of `host` of so many ranges are at most, all together.
pub(super) fn most(host: &HostOffer, ranges: usize) -> u64 {
    host.bytes.saturating_add(PART_HEADS.saturating_mul(ranges as u64))
}

fn offered(weighed: &[HostOffer]) -> Tally {
    let mut offered = Tally::default();
    weighed.iter().for_each(|host| offered.add(host.offered));
    offered
}

/// That nothing was lost or doubled before the ranges are merged.
///
/// # Errors
/// `Incomplete` when it was.
pub(super) fn all_sorted(
    what: &Exchange,
    sorted: &SortedTotal,
    weighed: &[HostOffer],
) -> Result<()> {
    let offered = offered(weighed);
    // Whether parts of groups were made of the records.
    let grouped = !what.ops.is_empty() && what.order_by.is_empty();
    let mut kept = sorted.sorted.made;
    kept.add(sorted.sorted.doubles);
    if sorted.sorted.records != sorted.due.items {
        return wrong("records", sorted.due.items, sorted.sorted.records);
    }
    // Records are exchanged as they are; parts of groups are made of them.
    if !grouped && kept.items.saturating_add(sorted.sorted.missing) != sorted.due.items {
        return wrong("records", sorted.due.items, kept.items);
    }
    if !grouped && sorted.sorted.missing == 0 && kept != sorted.due {
        return wrong("records", sorted.due.items, kept.items);
    }
    if !grouped && offered != sorted.sorted.made {
        return wrong("sorted records", sorted.sorted.made.items, offered.items);
    }
    Ok(())
}

/// That nothing was lost or doubled on the way into the ranges.
///
/// # Errors
/// `Incomplete` when it was.
pub(super) fn all_came(weighed: &[HostOffer], came: Tally) -> Result<()> {
    let offered = offered(weighed);
    if came == offered { Ok(()) } else { wrong("sorted items", offered.items, came.items) }
}

fn wrong(what: &str, due: u64, got: u64) -> Result<()> {
    Err(Error::incomplete(format!(
        "the exchange is not whole: of {due} {what} {got} came through, or others than those"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::key::{Keyer, Missing};

    #[test]
    fn no_key_is_longer_than_is_reckoned_with() {
        let nested = "[".repeat(200) + &"]".repeat(200);
        for text in [
            "1".to_string(),
            format!("[{}1]", "1,".repeat(500)),
            format!("[{}0]", "-0.1,".repeat(500)),
            format!("[{}null]", "[],{},".repeat(500)),
            format!("\"{}\"", "\\u0000".repeat(500)),
            format!("{{{}\"\":1}}", (0..99).map(|n| format!("\"{n}\":1,")).collect::<String>()),
            format!("1e-{}", "9".repeat(300)),
            nested,
        ] {
            for key in [".", ".:r"] {
                let keys = Keys::parse(key).unwrap();
                let mut bytes = Vec::new();
                Keyer::new(&keys, Missing::Fail, &[])
                    .key(text.as_bytes(), &mut bytes)
                    .ok()
                    .unwrap();
                let most = KEY_TIMES * text.len() as u64 + ITEM_BYTES;
                assert!(!bytes.is_empty() && bytes.len() as u64 <= most, "{key}: {text}");
            }
        }
    }
}
