//! What formats of `[key, value]` say of other records: the line that makes pairs, which is tried.

use crate::support::*;

/// Writes `records` to `resource` in a new directory, which is refused with a line for jq; then
/// what that makes of them, and so on until it is taken. What is read back then.
#[track_caller]
fn followed(resource: &str, records: &str) -> String {
    let dir = dir();
    let mut records = records.to_string();
    for attempt in 0..3 {
        let call = mc("gather").args(["-o", resource]).current_dir(dir.path()).stdin(&records);
        let ended = call.stderr_any().ends();
        if ended.code == 0 && attempt > 0 {
            return mc("cat").arg(resource).current_dir(dir.path()).succeeds().text();
        }
        assert_eq!(ended.code, 3, "{resource} takes {records}");
        let said = String::from_utf8(ended.stderr).unwrap();
        let hint = said.split("jq -c '").nth(1).unwrap_or_else(|| panic!("no hint: {said}"));
        let filter = hint.split('\'').next().unwrap();
        records = String::from_utf8(jq(&["-c", filter], &records)).unwrap();
    }
    panic!("{resource}: not taken after two hints: {records}");
}

#[test]
fn the_hints_for_what_is_no_pair_hold() {
    let objects = rows![{"id": "x", "v": {"a": 1}}, {"id": "y", "v": null}];
    let numbered = rows![{"odd id": 7, "v": 2.50}, {"odd id": 8, "v": []}];
    let pairs = rows![["x", {"a": 1}], ["y", 5], ["z", "s"]];
    let keys = rows![[1, "p"], [2, "q"]];
    let triples = rows![["x", 1, 2], ["y", 3, 4]];
    for resource in ["leveldb:db", "zip:a.zip", "files:tree", "text,kv:a.txt"] {
        let values = |text: &str| String::from_utf8(jq(&["-c", ".[1] | fromjson"], text)).unwrap();
        let keys_of = |text: &str| String::from_utf8(jq(&["-c", ".[0]"], text)).unwrap();
        let read = followed(resource, &objects);
        assert_eq!((values(&read), keys_of(&read)), (objects.clone(), "\"x\"\n\"y\"\n".into()));
        let read = followed(resource, &numbered);
        assert_eq!(values(&read), String::from_utf8(jq(&["-c", "."], &numbered)).unwrap());
        assert_eq!(keys_of(&read), "\"7\"\n\"8\"\n");
        let read = followed(resource, &triples);
        assert_eq!((values(&read), keys_of(&read)), (triples.clone(), "\"x\"\n\"y\"\n".into()));
        assert_eq!(followed(resource, &keys), rows![["1", "p"], ["2", "q"]]);
        if resource != "text,kv:a.txt" {
            assert_eq!(values(&followed(resource, &pairs)), rows![{"a": 1}, 5, "s"]);
        }
    }
}

#[test]
fn no_hint_is_given_where_none_holds() {
    let dir = dir();
    let refused = |resource: &str, records: &str| {
        let call = mc("gather").args(["-o", resource]).current_dir(dir.path()).stdin(records);
        let said = String::from_utf8(call.stderr_has("record 1").fails(3).stderr).unwrap();
        assert!(!said.contains("jq"), "{said}");
    };
    refused("zip:a.zip", "1\n");
    refused("zip:a.zip", "[null,1,2]\n");
    refused("zip:a.zip", "{\"a\":null}\n");
    refused("leveldb:db", "[\"k\",{\"$base64\":\"*\"}]\n");
    refused("text,kv:a.txt", "[\"k\\tx\",\"v\"]\n");
}
