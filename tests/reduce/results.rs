//! Results: Python's exact arithmetic, jq's groups, and the same bytes whatever the limits.

use super::records;
use crate::support::*;

const OPS: [&str; 15] = [
    "count",
    "sum:x",
    "mean:x",
    "var:x",
    "stddev:x",
    "min:n",
    "max:n",
    "p50:x",
    "p95:x",
    "quantile=0.123:x",
    "first:t",
    "last:t",
    "ndistinct:t",
    "collect:n",
    "top=3:n",
];

/// The same in Python, from exact fractions. Prints a line for each group, in key order.
const ORACLE: &str = r#"
import json, sys, math
from fractions import Fraction
from decimal import Decimal, getcontext
getcontext().prec = 400
class Text(str): pass
rows = [json.loads(line, parse_float=Text, parse_int=Text) for line in sys.stdin]
def key(row):
    g = row['g']
    if g is None: return (0, 0)
    return (1, Fraction(g)) if isinstance(g, Text) else (2, g)
def double(text): return Fraction(float(text)) if '.' in text else Fraction(text)
def root(fraction):
    return math.sqrt(fraction) if fraction == 0 else float(
        (Decimal(fraction.numerator) / Decimal(fraction.denominator)).sqrt())
groups = {}
for row in rows: groups.setdefault(key(row), []).append(row)
for k in sorted(groups):
    rows = groups[k]
    xs = [double(str(r['x'])) for r in rows]
    exact = all('.' not in str(r['x']) for r in rows)
    n = len(xs)
    s = sum(xs)
    mean = s / n
    var = sum((x - mean) ** 2 for x in xs) / (n - 1) if n > 1 else None
    xs.sort()
    def quantile(q):
        h = (n - 1) * Fraction(q)
        low = math.floor(h)
        return xs[low] if h == low else xs[low] + (h - low) * (xs[low + 1] - xs[low])
    ns = [int(r['n']) for r in rows]
    print(json.dumps([n, int(s) if exact else float(s), float(mean),
        None if var is None else float(var), None if var is None else root(var),
        min(ns), max(ns), float(quantile('0.5')), float(quantile('0.95')),
        float(quantile('0.123')), rows[0]['t'], rows[-1]['t'], len({r['t'] for r in rows}),
        ns, sorted(ns, reverse=True)[:3]]))
"#;

/// Compares two streams of JSON by value: numbers as Python reads them.
const SAME: &str = r#"
import json, sys
ours, theirs = sys.stdin.read().split('\x00')
ours = [list(json.loads(line).values())[1:] for line in ours.splitlines()]
theirs = [json.loads(line) for line in theirs.splitlines()]
assert len(ours) == len(theirs), (len(ours), len(theirs))
for a, b in zip(ours, theirs):
    for i, (x, y) in enumerate(zip(a, b)):
        # A quantile that falls on an integer is that integer, in full.
        assert x == y or isinstance(y, float) and float(x) == y, (i, x, y)
print(len(ours))
"#;

#[test]
fn results_are_those_of_exact_arithmetic() {
    for seed in 0..6 {
        let input = records(seed, [4000, 1, 2, 7, 60, 500][seed as usize]);
        let want = python(ORACLE, &[], &input);
        let got = mc("shuffle").args(["-k", "g", "--reduce"]).args(OPS).stdin(&input).succeeds();
        let both = [got.stdout.as_slice(), b"\0", &want].concat();
        let groups = String::from_utf8(python(SAME, &[], both)).unwrap();
        assert!(groups.trim().parse::<u64>().unwrap() > 0);
    }
}

#[test]
fn both_ways_to_reduce_agree_under_every_limit() {
    let input = records(11, 3000);
    let want = mc("shuffle").args(["-k", "g", "--reduce"]).args(OPS).stdin(&input).succeeds();
    let dir = dir();
    let sorted = mc("shuffle").args(["-k", "g"]).stdin(&input).succeeds().stdout;
    for memory in ["1b", "1K", "30K", "1M", "1G"] {
        for jobs in ["1", "3"] {
            let limits = ["-S", memory, "-j", jobs];
            let call = mc("reduce").args(["-k", "g"]).args(limits).arg("-T").arg(dir.path());
            call.args(OPS).stdin(&sorted).stdout(&want.stdout).succeeds();
            let call = mc("shuffle").args(["-k", "g"]).args(limits).arg("-T").arg(dir.path());
            let call = call.arg("--reduce").args(OPS);
            call.stdin(&input).stdout(&want.stdout).succeeds();
        }
    }
    assert!(names(&dir).is_empty());
}

#[test]
fn groups_larger_than_the_memory_go_through_a_sort() {
    let mut random = Random::seeded(3);
    let values: Vec<u64> = (0..60_000).map(|_| random.below(50_000)).collect();
    let input: String = values.iter().map(|v| format!("[\"k\",{v}]\n")).collect();
    let mut sorted = values.clone();
    sorted.sort_unstable();
    let low = (values.len() - 1) / 2;
    let median = (sorted[low] as f64 + sorted[low + 1] as f64) / 2.0;
    let distinct = values.iter().collect::<std::collections::HashSet<_>>().len();
    let want = format!("[\"k\",{{\"p50\":{median},\"ndistinct\":{distinct}}}]\n");
    for memory in ["100K", "1G"] {
        let ops = ["p50", "ndistinct"];
        mc("reduce").args(["-S", memory]).args(ops).stdin(&input).stdout(&want).succeeds();
        let call = mc("shuffle").args(["-S", memory, "--reduce"]).args(ops);
        call.stdin(&input).stdout(&want).succeeds();
    }
}

#[test]
fn groups_and_counts_are_jqs() {
    let input = records(21, 1000);
    let want =
        jq(&["-cs", "group_by(.t)[] | {t: .[0].t, count: length, n_sum: (map(.n) | add)}"], &input);
    let got = mc("shuffle").args(["-k", "t", "--reduce", "count", "sum:n"]).stdin(&input);
    got.stdout(want).succeeds();
}

#[test]
fn a_key_prints_as_its_first_record_spells_it() {
    let input = rows![{"g": 1.0, "v": 1}, {"g": 1, "v": 2}, {"g": "b", "v": 3}, {"g": 1e0, "v": 4}];
    let want = rows![{"g": 1.0, "v_sum": 7}, {"g": "b", "v_sum": 3}];
    for jobs in ["1", "4"] {
        let call = mc("shuffle").args(["-j", jobs, "-S", "1b", "-k", "g", "--reduce", "sum:v"]);
        call.stdin(&input).stdout(&want).succeeds();
    }
}

#[test]
fn order_by_decides_first_and_last() {
    let input = rows![["a", 2], ["b", 9], ["a", 10], ["a", 1]];
    let call = mc("shuffle").args(["--order-by", ".[1]:r", "--reduce", "first", "last", "collect"]);
    let want = rows![
        ["a", {"first": 10, "last": 1, "collect": [10, 2, 1]}],
        ["b", {"first": 9, "last": 9, "collect": [9]}],
    ];
    call.stdin(input).stdout(want).succeeds();
}
