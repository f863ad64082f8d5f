//! A host that does not give what it has: whatever it does, there is no wrong answer.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::alike::sales;
use super::tls;
use crate::support::{dir, sh, worker, write};

/// A worker that passes on all that it is told, and harms what it gives of a range: to the tool, and
/// to its peers, for which it listens itself.
const HOSTILE: &str = include_str!("hostile.py");

const WHOLE: &str = "the exchange is not whole: of ";

const SORT: &str = "mc-sort -k k,n:n,v";
const REDUCE: &str = "mc-shuffle -k n:n --reduce count collect:v";

/// The hostile worker in `dir`, which does this harm.
fn hostile(dir: &tempfile::TempDir, harm: &str) -> PathBuf {
    let script = HOSTILE
        .replace("@REAL@", &worker().display().to_string())
        .replace("@HARM@", harm)
        .replace("@MARK@", &dir.path().join("mark").display().to_string())
        .replace("@TLS@", &tls::port().to_string());
    let path = write(dir, "hostile", script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// After this harm, to one part of one range on this road, the tool ends with `code`, says `text`,
/// and nothing is published.
#[track_caller]
fn is_noticed_on(road: &str, harm: &str, code: i32, text: &str, tool: &str) {
    let dir = dir();
    let path = hostile(&dir, harm);
    write(&dir, "in", sales(9000));
    let line = format!(
        "mc-map -h :,: --block 30K cat < in | {tool} -n 16 --exchange {road} | mc-gather -o ndjson:out
        all=(${{PIPESTATUS[@]}}); echo ${{all[1]}} > status; exit ${{all[2]}}"
    );
    let call = sh("bash", &line).current_dir(&dir).env("MC_WORKER", path).stderr_any();
    let ended = call.ends();
    let said = String::from_utf8_lossy(&ended.stderr);
    let what = format!("{harm}, {road}: {said}");
    assert!(dir.path().join("mark").exists(), "nothing was harmed: {what}");
    assert_eq!(ended.code, 4, "{what}");
    let status = std::fs::read_to_string(dir.path().join("status")).unwrap();
    assert_eq!(status.trim(), code.to_string(), "{what}");
    assert!(said.contains(text) && !said.contains("panicked"), "{what}");
    assert!(!dir.path().join("out").exists(), "an answer: {what}");
}

/// After this harm the worker that does it is lost, as `text` says, and the others give the answer.
#[track_caller]
fn is_made_up_for(road: &str, harm: &str, text: &str) {
    let dir = dir();
    let path = hostile(&dir, harm);
    write(&dir, "in", sales(9000));
    let line = format!(
        "mc-map -h :,: --block 30K cat < in | {SORT} -n 16 --exchange {road} | mc-gather -o ndjson:out
        {SORT} < in | cmp - out"
    );
    let call = sh("bash", &line).current_dir(&dir).env("MC_WORKER", path).stderr_any();
    let said = String::from_utf8_lossy(&call.stdout("").succeeds().stderr).into_owned();
    assert!(dir.path().join("mark").exists(), "nothing was harmed: {said}");
    for text in [text, "; the others begin again"] {
        assert!(said.contains(text) && !said.contains("panicked"), "{harm}, {road}: {said}");
    }
}

/// The same on both roads: the tool ends with 4.
#[track_caller]
fn is_noticed(harm: &str, text: &str, tool: &str) {
    for road in ["direct", "relay"] {
        is_noticed_on(road, harm, 4, text, tool);
    }
}

#[test]
fn nothing_is_harmed_by_a_worker_that_passes_all_on() {
    for road in ["direct", "relay"] {
        let dir = dir();
        let path = hostile(&dir, "");
        // Both workers have shards, so that parts go from one to the other.
        let line = format!(
            "mc-map -h :,: --block 30K cat | {SORT} -n 16 --exchange {road} | mc-gather | wc -l"
        );
        let call = sh("bash", &line).current_dir(&dir).env("MC_WORKER", path).stdin(sales(9000));
        call.stdout("9000\n").succeeds();
        assert!(dir.path().join("mark").exists(), "{road}: it has seen no part");
    }
}

#[test]
fn a_record_is_dropped() {
    is_noticed("drop", WHOLE, SORT);
    is_noticed("drop", WHOLE, REDUCE);
}

#[test]
fn a_record_is_doubled() {
    is_noticed("double", WHOLE, SORT);
    is_noticed("double", WHOLE, REDUCE);
}

#[test]
fn a_record_moves_to_another_range() {
    is_noticed("move", "a record belongs to another range in the exchange", SORT);
}

#[test]
fn a_record_takes_the_place_of_another() {
    is_noticed("swap", WHOLE, SORT);
    is_noticed("swap", WHOLE, REDUCE);
}

#[test]
fn a_record_is_changed() {
    is_noticed("text", WHOLE, SORT);
    is_noticed("text", "", REDUCE);
}

#[test]
fn records_are_out_of_order() {
    is_noticed("order", "out of order in the exchange", SORT);
    is_noticed("key", " in the exchange", REDUCE);
}

#[test]
fn a_part_is_kept_back() {
    is_noticed("nothing", WHOLE, SORT);
    is_noticed("short", "damaged", REDUCE);
}

#[test]
fn a_part_is_garbage() {
    for harm in ["garbage", "long", "item"] {
        is_noticed(harm, "damaged", SORT);
    }
    is_noticed("garbage", "damaged", REDUCE);
}

#[test]
fn a_part_has_no_end() {
    is_noticed("endless", "it sends more than it has sorted", SORT);
}

#[test]
fn data_comes_without_a_byte() {
    is_made_up_for("relay", "empty", "data without a byte");
    is_noticed_on("direct", "empty", 5, "data without a byte", SORT);
}

#[test]
fn a_part_never_comes_though_the_worker_lives() {
    // A peer that says nothing is one that cannot be reached; who says nothing to the tool is lost, but
    // not whoever waits for what it was to bring.
    is_made_up_for("relay", "mute", "it lives, and nothing that it owes came");
    is_made_up_for("auto", "mute", "it lives, and nothing that it owes came");
    is_noticed_on("direct", "mute", 5, "no direct way", SORT);
}

#[test]
fn a_shard_never_comes_though_the_worker_lives() {
    let dir = dir();
    let path = hostile(&dir, "mute");
    write(&dir, "in", sales(900));
    let run = |script: &str| {
        let call = sh("bash", &format!("set -o pipefail; {script}")).current_dir(&dir);
        call.env("XDG_STATE_HOME", dir.path().join("state")).env("MC_WORKER", worker())
    };
    run("cat in | mc-scatter -h :,: --replicas 2 --block 30K -o two.mc").succeeds();
    run("cat in | mc-scatter -h : --block 30K -o one.mc").succeeds();
    run("mc-cat two.mc | cmp - in")
        .env("MC_WORKER", &path)
        .stderr_has("it lives, and nothing that it owes came")
        .stderr_has("; other copies of its shards take their place")
        .succeeds();
    std::fs::remove_file(dir.path().join("mark")).unwrap();
    run("mc-gather -o ndjson:out < one.mc")
        .env("MC_WORKER", &path)
        .fails_with(5, "is lost: it lives, and nothing that it owes came");
    assert!(!dir.path().join("out").exists());
    run("mc-hosts --rm two.mc one.mc").succeeds();
}

#[test]
fn more_is_offered_than_can_be_there() {
    is_noticed("offers", "bytes, which 9000 records cannot become", SORT);
    is_noticed("offers", "bytes, which 9000 records cannot become", REDUCE);
}

#[test]
fn what_comes_is_no_frame() {
    // Who brings it is lost; a peer that sends it is one that cannot be reached.
    is_made_up_for("relay", "frame", "does not speak the protocol");
    is_noticed_on("direct", "frame", 5, "no direct way", SORT);
}
