//! What each tool says of its stage.

use super::{explained, files, plan};

#[track_caller]
fn says(pipeline: &str, parts: &[&str]) {
    let dir = files();
    let text = explained(dir.path(), pipeline);
    // Lines may be cut between any two words.
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(flat.contains(part), "{pipeline}: {part} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn mc_cat_says_what_is_read() {
    says("mc-cat sales.csv", &["1 mc-cat sales.csv: csv, 58 bytes here"]);
    says("mc-cat csv,typed:sales.csv range:0..7", &["sales.csv: csv,typed, 58 bytes; 0..7: range"]);
    says("mc-cat --raw sales.csv", &["sales.csv, 58 bytes"]);
    says(
        "mc-cat text:s*.csv text:s*.csv text:s*.csv text:s*.csv text:s*.csv",
        &["5 files", "290 bytes in all"],
    );
    says("mc-cat -h a,2/b '/data/*.csv'", &["files of each host's own", "on a, b (2 slots)"]);
    says("mc-cat -h a,b --shared /srv/x.csv", &["that all hosts see, each file once, in parts"]);
    says("mc-cat http://127.0.0.1:9/a.csv", &["network: what is read by http"]);
}

#[test]
fn mc_split_says_how_many_parts() {
    says("mc-split --block 20 sales.csv", &["nothing is copied", "makes about 3 shards"]);
    says("mc-split -n 2 sales.csv", &["makes about 2 shards"]);
    says(
        "mc-split -n 3 --by key -k item -o 'out%d.csv' sales.csv",
        &["into 3 files out%d.csv: by item"],
    );
}

#[test]
fn mc_map_says_what_runs_where_and_what_goes_there() {
    let here = ["./clean", "for each block, from 256K to 4M or more", "here, "];
    says("mc-cat sales.csv | mc-map ./clean", &here);
    let there = [
        "sends clean (25 bytes) to each host",
        "on n1 (4 slots), n2; memory up to a quarter of each host's",
        "network: about 58 bytes from here to the hosts: the records",
        "makes shards",
    ];
    says("mc-cat sales.csv | mc-map -h 4/n1,n2 ./clean", &there);
    let parts = ["once for each shard, about 3 runs", "the parts of the files"];
    says("mc-split --block 20 sales.csv | mc-map -h n1 -c 'cat | cat'", &parts);
    says("mc-map --block 20 cat < sales.csv", &["for each block of about 20", "about 3 runs"]);
    says(
        "mc-map --per shard --in text --out kv cat < sales.csv",
        &["once, for all records", "1 core", "reads text, prints kv"],
    );
    says("mc-map --each echo {} < sales.csv", &["echo '{}'", "once for each record"]);
}

#[test]
fn mc_shuffle_and_mc_sort_say_what_is_sorted_by_what() {
    says(
        "mc-shuffle -k region:i --order-by amount:nr sales.csv",
        &[
            "groups by region:i, inside of groups by amount:nr",
            "grouped by, and in the order of, region:i",
        ],
    );
    says(
        "mc-shuffle --reduce count sum:amount -k region < sales.csv",
        &["reduces each group to count, sum:amount"],
    );
    says(
        "mc-sort -r -u -k item -S 1M sales.csv",
        &[
            "sorts by item, reversed, the first record of each key alone",
            "memory up to 1M; no temporary files: it fits",
        ],
    );
    says("mc-sort pairs.ndjson", &["sorts by the first element of arrays, or the record"]);
    says("mc-sort --check pairs.ndjson", &["checks that records are in the order of"]);
    says("mc-sort -m pairs.ndjson pairs.ndjson", &["merges inputs"]);
    says(
        "mc-cat sales.csv | mc-scatter -h a,b | mc-sort -k item | mc-gather",
        &[
            "on a, b; memory up to a quarter of each host's; temporary files on the hosts",
            "network: about 29 bytes from host to host",
            "records are in the order of item",
            "network: about 58 bytes from the hosts to here",
        ],
    );
}

#[test]
fn mc_reduce_says_by_which_key() {
    says(
        "mc-shuffle -k item sales.csv | mc-reduce count",
        &["by item, as the tool before did: count"],
    );
    says("mc-reduce -k item count < sales.csv", &["by item: count"]);
    says("mc-reduce --all count < sales.csv", &["all records are one group: count"]);
    says(
        "mc-reduce sum < pairs.ndjson",
        &["by the first element of pairs: sum", "note: the key is not known"],
    );
    says(
        "mc-reduce -k item -c 'wc -l' < sales.csv",
        &["-c 'wc -l' for whole groups, from 256K to 6M of them"],
    );
    says(
        "mc-cat sales.csv | mc-scatter -h a,b | mc-shuffle -k item | mc-reduce -c cat",
        &["once for each shard", "network: nothing, for the shards are worked on where they lie"],
    );
}

#[test]
fn mc_join_and_mc_gather_say_what_with_and_where_to() {
    says(
        "mc-join -k region=region --left users.ndjson < sales.csv",
        &["with users.ndjson: ndjson, 27 bytes", "by region: these, and records without a match"],
    );
    says(
        "mc-cat -h a,b x.csv | mc-join -k region users.ndjson",
        &["network: about 54 bytes from here to the hosts: the right records, to each host"],
    );
    says(
        "mc-cat -h a,b x.csv | mc-join --outer -k region users.ndjson",
        &["the records of the shards, from the hosts to here"],
    );
    says(
        "mc-gather -o out.csv.gz < users.ndjson",
        &["to out.csv.gz: csv, gzip, whole at the end or not at all"],
    );
    says("mc-gather -n 3 -o 'o%d.ndjson' < users.ndjson", &["to 3 files o%d.ndjson: ndjson"]);
    says("mc-gather -o csv:- < users.ndjson", &["to standard output: csv"]);
}

#[test]
fn what_a_stage_is_stands_in_the_json_in_full() {
    let dir = files();
    let plan = plan(
        dir.path(),
        "mc-cat csv,typed:sales.csv | mc-map -h 4/n1,n2 --block 30 --timeout 2m --retries 3 \
         --ok-exit 0,1 --env A=secret -t --setup 'true' --ship users.ndjson ./clean x | \
         mc-shuffle -n 5 -k region:i --missing skip | mc-gather -n 2 -o 'csv:o%d.csv'",
    );
    let stages = plan["stages"].as_array().unwrap();
    let [cat, map, shuffle, gather] = stages.as_slice() else { panic!("{plan}") };
    assert_eq!(cat["reads"]["resources"][0]["spec"], "csv,typed");
    let path = dir.path().join("sales.csv");
    assert_eq!(cat["reads"]["resources"][0]["path"], path.to_str().unwrap());
    let parts = serde_json::json!({"count": 1, "bytes": 64 << 20, "cut_at": "records"});
    assert_eq!(cat["reads"]["resources"][0]["parts"], parts);
    let command = &map["command"];
    assert_eq!((&command["kind"], &command["words"]), (&"words".into(), &["./clean", "x"].into()));
    assert_eq!(
        (&command["per"], &command["block"], &command["tasks"]),
        (&"block".into(), &30.into(), &2.into())
    );
    assert_eq!((&command["in"], &command["out"]), (&"text".into(), &"text".into()));
    assert_eq!((&command["timeout"], &command["retries"]), (&120.0.into(), &3.into()));
    assert_eq!((&command["ok_exit"], &command["env"]), (&[0, 1].into(), &["A"].into()));
    assert_eq!(command["setup"], "true");
    let ship: Vec<_> = command["ship"].as_array().unwrap().iter().map(|s| &s["to"]).collect();
    assert_eq!(ship, ["users.ndjson", "clean"]);
    assert_eq!(
        map["where"]["hosts"],
        serde_json::json!([{"name": "n1", "slots": 4}, {"name": "n2"}])
    );
    assert_eq!(map["options"]["hosts"], serde_json::json!(["4/n1,n2"]));
    assert_eq!(map["options"]["text"], serde_json::json!([]));
    assert_eq!(shuffle["key"], serde_json::json!([{"path": "region", "mods": "i"}]));
    assert_eq!((&shuffle["missing"], &shuffle["writes"]["shards"]), (&"skip".into(), &5.into()));
    assert_eq!(shuffle["writes"]["grouped_by"]["key"], "region:i");
    assert_eq!((&gather["writes"]["count"], &gather["where"]["here"]), (&2.into(), &true.into()));
    // What a command prints is not known, and nothing is made up.
    assert_eq!(shuffle["reads"]["bytes"], serde_json::Value::Null);
}
