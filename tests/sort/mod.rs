//! `mc-sort` and `mc-shuffle` through the tools: against jq, against Python, against a model.

mod bad;
mod modes;
mod order;
mod senses;

use crate::support::Random;

/// A random JSON value, `depth` levels deep at most. Numbers stay such that jq keeps them exactly.
pub fn value(random: &mut Random, depth: u64) -> String {
    let names = ["a", "b", "é", "x y", "\\u0041", "z\\n"];
    let name = |random: &mut Random| names[random.below(names.len() as u64) as usize];
    match random.below(if depth == 0 { 6 } else { 9 }) {
        0 => "null".into(),
        1 => ["true", "false"][random.below(2) as usize].into(),
        2 => (random.below(40) as i64 - 20).to_string(),
        3 => format!("{}.{}e{}", random.below(30), random.below(10), random.below(4)),
        4 | 5 => format!("\"{}{}\"", name(random), name(random)),
        6 | 7 => {
            let parts: Vec<_> = (0..random.below(4)).map(|_| value(random, depth - 1)).collect();
            format!("[{}]", parts.join(", "))
        }
        _ => {
            let parts: Vec<_> = (0..random.below(4))
                .map(|_| format!("\"{}\": {}", name(random), value(random, depth - 1)))
                .collect();
            format!("{{{}}}", parts.join(","))
        }
    }
}

/// So many records `{"k": VALUE, "n": NUMBER}`, numbered from 0.
pub fn records(seed: u64, count: usize) -> String {
    let mut random = Random::seeded(seed);
    (0..count).map(|n| format!("{{\"k\":{}, \"n\":{n}}}\n", value(&mut random, 2))).collect()
}
