//! What each host has to offer once its shards are sorted: that it is what was made of the records,
//! no less, and no more than can be; and that all of it came through.

use std::sync::Arc;

use crate::cluster::Connection;
use crate::engine::exchange::sorting::Total;
use crate::engine::exchange::{NUMBER, lost, refused};
use crate::error::{Error, Result};
use crate::record::key::Keys;
use crate::wire::exchange::{Exchange, PART_HEADS, Tally, Weighed};
use crate::wire::message::{Ask, Reply};

/// How many times as long as its text a key of a record is, at most, beside [`ITEM_BYTES`]; and a
/// result in the making.
const KEY_TIMES: u64 = 8;

/// How many bytes an item has for each part of its key, and for each result in the making, that do
/// not come of the texts of records, at most.
const ITEM_BYTES: u64 = 64;
const RESULT_BYTES: u64 = 4096;

/// Asks each host what it has to offer, which together is what was made of the records.
///
/// # Errors
/// `Hosts` when one is lost; `Incomplete` when the records are not all there, or a host offers more
/// than can be made of them.
pub(super) fn weigh(
    hosts: &[Arc<Connection>],
    what: &Exchange,
    sorted: &Total,
) -> Result<Vec<Weighed>> {
    let asked: Vec<(&Arc<Connection>, u32)> = hosts
        .iter()
        .map(|host| host.ask(&Ask::Weigh(NUMBER)).map(|request| (host, request)))
        .collect::<Result<_>>()?;
    let bound = bound(what, sorted);
    let weighed = asked.into_iter().map(|(host, request)| match host.reply(request) {
        Ok(Reply::Weighed(weighed)) if weighed.bytes <= bound => Ok(weighed),
        Ok(Reply::Weighed(weighed)) => {
            let (bytes, records) = (weighed.bytes, sorted.due.items);
            let text = format!("it offers {bytes} bytes, which {records} records cannot become");
            Err(Error::incomplete(text).at(host.shown()))
        }
        Ok(reply) => Err(refused(host, reply)),
        Err(error) => Err(lost(error)),
    });
    let weighed = weighed.collect::<Result<Vec<_>>>()?;
    all_sorted(sorted, offered(&weighed), !what.ops.is_empty() && what.order_by.is_empty())?;
    Ok(weighed)
}

/// How many bytes of items can be made of the records, with their keys, at most; what an honest host
/// has is far below.
fn bound(what: &Exchange, sorted: &Total) -> u64 {
    let parts = |keys: &str| Keys::parse(keys).map_or(1, |keys| keys.parts.len().max(1)) as u64;
    let keys = what.keys.as_deref().map_or(1, parts) + parts(&what.order_by);
    let results = what.ops.len() as u64;
    let times = 1 + KEY_TIMES * (keys + results);
    let beside = ITEM_BYTES * (1 + keys) + RESULT_BYTES * results;
    let of_texts = sorted.due_bytes.saturating_mul(times);
    of_texts.saturating_add(sorted.due.items.saturating_mul(beside))
}

/// How many bytes the parts of `host` of so many ranges are at most, all together.
pub(super) fn most(host: &Weighed, ranges: usize) -> u64 {
    host.bytes.saturating_add(PART_HEADS.saturating_mul(ranges as u64))
}

fn offered(weighed: &[Weighed]) -> Tally {
    let mut offered = Tally::default();
    weighed.iter().for_each(|host| offered.add(host.offered));
    offered
}

/// That nothing was lost or doubled before the ranges were merged; `grouped` says that parts of
/// groups were made of the records.
fn all_sorted(sorted: &Total, offered: Tally, grouped: bool) -> Result<()> {
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
pub(super) fn all_came(weighed: &[Weighed], came: Tally) -> Result<()> {
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
