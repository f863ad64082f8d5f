//! `mc-reduce` and `mc-shuffle --reduce` through the tools: against Python's fractions and
//! statistics, against jq, and against each other under every limit.

mod calls;
mod command;
mod records_by;
mod results;
mod values;

use crate::support::Random;

/// So many records of a few groups: `g` a key in several spellings, `x` integers and decimals,
/// some of them in strings, `t` a short text.
pub fn records(seed: u64, count: usize) -> String {
    let mut random = Random::seeded(seed);
    let mut line = |n: usize| {
        let key =
            ["\"eu\"", "\"\\u0065u\"", "1", "1.0", "\"us\"", "null"][random.below(6) as usize];
        let (whole, part) = (random.below(2000) as i64 - 1000, random.below(1000));
        let x = match random.below(4) {
            0 => whole.to_string(),
            1 => format!("{whole}.{part}"),
            2 => format!("\"{whole}.{part}\""),
            _ => format!("{}{part:03}000000000000000000", whole * 2 + 1),
        };
        let text = ["a", "b", "c"][random.below(3) as usize];
        format!("{{\"g\":{key},\"x\":{x},\"t\":\"{text}\",\"n\":{n}}}\n")
    };
    (0..count).map(&mut line).collect()
}
