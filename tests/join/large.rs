//! Which way is taken, and that it makes no difference: what fits into the memory and what does not.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::answers::{KINDS, option};
use crate::support::*;

const MIB: u64 = 1 << 20;

/// So many records in random order of `k`, of which there are about `keys`; `name` and a text beside.
fn records(path: &Path, seed: u64, count: u64, keys: u64, name: &str) {
    let mut random = Random::seeded(seed);
    let mut file = BufWriter::new(File::create(path).unwrap());
    for n in 0..count {
        let key = random.below(keys);
        let text = "some words to carry";
        writeln!(file, r#"{{"k":"{key:012x}","{name}":{n},"{name}_text":"{text}"}}"#).unwrap();
    }
    file.flush().unwrap();
}

/// A join of `left` and `right.ndjson`: what it says of its way.
fn says_way(dir: &Path, args: &[&str]) -> String {
    let call = mc("join").current_dir(dir).args(["-v", "-k", "k", "right.ndjson"]).args(args);
    let said = call.stdin(std::fs::read(dir.join("left")).unwrap()).stderr_any().succeeds().stderr;
    String::from_utf8(said).unwrap()
}

#[test]
fn the_way_is_chosen_by_size_and_said() {
    let dir = dir();
    write(&dir, "right.ndjson", rows![{"k": 1}, {"k": 2}]);
    write(&dir, "left", rows![{"k": 2}]);
    let held = "mc-join: right.ndjson: 2, held in memory as a hash table\n";
    let said = says_way(dir.path(), &[]);
    assert!(said.contains(held), "{said}");
    let sorted = "mc-join: right.ndjson: too large for the memory (-S), so both sides are sorted by \
                  the key\n";
    let said = says_way(dir.path(), &["-S", "1"]);
    assert!(said.contains(sorted), "{said}");
}

#[test]
fn both_sides_larger_than_the_memory_give_the_same_bytes_within_it() {
    let dir = dir();
    records(&dir.path().join("left"), 1, 400_000, 300_000, "n");
    records(&dir.path().join("right.ndjson"), 2, 300_000, 300_000, "m");
    for kind in KINDS {
        let args = option(kind).join(" ");
        let script = format!(
            "set -o pipefail
             mc-join -k k {args} right.ndjson -S 1G < left > held &&
             peak sorted mc-join -k k {args} right.ndjson -S 16M --stats stats < left | cmp - held &&
             jq -es '.[-1].spilled_bytes > 10000000' stats"
        );
        sh("bash", &script).current_dir(&dir).stdout("true\n").succeeds();
        let held = Output::peak(dir.path().join("sorted"));
        assert!(held <= 26 * MIB, "{kind}: {held} bytes were held");
    }
}

#[test]
fn a_hot_key_is_joined_within_the_memory() {
    let dir = dir();
    // Of one side: a million with one.
    let script = "set -o pipefail; seq 1000000 | sed 's/.*/{\"k\":7,\"n\":&}/' |
                  peak one mc-join -k k -S 16M one.ndjson | tail -n 1";
    write(&dir, "one.ndjson", rows![{"k": 7, "x": "only"}]);
    let call = sh("bash", script).current_dir(&dir);
    call.stdout(rows![{"k": 7, "n": 1000000, "x": "only"}]).succeeds();
    // Of both sides, held and sorted: what comes of it is far more than all that was read.
    let script = "set -o pipefail
                  seq 100000 | sed 's/.*/{\"k\":7,\"m\":&,\"text\":\"to carry\"}/' > right.ndjson
                  seq 30 | sed 's/.*/{\"k\":7,\"n\":&}/' > left
                  for memory in 256M 8M; do
                      peak both$memory mc-join -k k -S $memory right.ndjson < left | md5sum
                  done | uniq | wc -l";
    sh("bash", script).current_dir(&dir).stdout("1\n").succeeds();
    for (tool, most) in [("one", 26), ("both256M", 100), ("both8M", 18)] {
        let held = Output::peak(dir.path().join(tool));
        assert!(held <= most * MIB, "{tool}: {held} bytes were held");
    }
}
