//! Real flights on four hosts: what Python says of them.

use super::alike::seven;
use crate::support::{dir, python, repository, sh};

const CHECK: &str = include_str!("flights.py");

#[test]
fn flights_are_grouped_sorted_and_reduced_as_python_does() {
    let (dir, flights) = (dir(), repository("examples/data/flights.csv.gz"));
    let script = "set -e -o pipefail
        mc-cat csv,null=NA:\"$FLIGHTS\" | mc-map -h n1,n2,n3,n4 --block 700K -o f.mc cat
        mc-shuffle -n 5 --missing null -k carrier --order-by tailnum < f.mc | mc-gather -o ndjson:groups
        mc-sort -n 7 --missing null -k dep_delay:nr < f.mc | mc-gather -o ndjson:order
        mc-shuffle -k origin,dest < f.mc |
            mc-reduce --missing null count sum:distance mean:dep_delay max:dep_delay ndistinct:tailnum |
            mc-gather -o ndjson:results
        mc-shuffle --exchange relay --missing null -k origin,dest --reduce count sum:distance mean:dep_delay \\
            max:dep_delay ndistinct:tailnum < f.mc | mc-gather | cmp - results
        mc-hosts --rm f.mc";
    let call = sh("bash", script).on(seven()).current_dir(&dir).env("FLIGHTS", &flights);
    call.env("XDG_STATE_HOME", dir.path().join("state")).succeeds();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let args = [flights.display().to_string(), path("groups"), path("order"), path("results")];
    let said = python(CHECK, &args.each_ref().map(String::as_str), "");
    assert_eq!(String::from_utf8(said).unwrap(), "80789 80789 200\n");
}
