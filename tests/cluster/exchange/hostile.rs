//! A host that does not give what it has: whatever it does, there is no wrong answer.

use std::os::unix::fs::PermissionsExt;

use super::alike::sales;
use crate::support::{dir, sh, worker, write};

/// A worker that passes on all that it is told, and harms what it gives of a range.
const HOSTILE: &str = include_str!("hostile.py");

const WHOLE: &str = "the exchange is not whole: of ";

/// After this harm, to one part of one range, the tools end with 4, say `text`, and print nothing.
#[track_caller]
fn is_noticed(harm: &str, text: &str, tool: &str) {
    let dir = dir();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let real = worker().display().to_string();
    let script = HOSTILE.replace("@REAL@", &real).replace("@HARM@", harm);
    let path = write(&dir, "hostile", script.replace("@MARK@", &at("mark")));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    write(&dir, "in", sales(9000));
    let line = format!(
        "mc-map -h :,: --block 30K cat < in | {tool} -n 16 --exchange relay | mc-gather -o ndjson:out"
    );
    let call = sh("bash", &line).current_dir(&dir).env("MC_WORKER", path).stderr_any();
    let ended = call.ends();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(dir.path().join("mark").exists(), "{harm}: nothing was harmed: {said}");
    assert_eq!(ended.code, 4, "{harm}: {said}");
    assert!(said.contains(text), "{harm}: {said}");
    assert!(!said.contains("panicked"), "{harm}: {said}");
    assert!(!dir.path().join("out").exists(), "{harm}: an answer");
}

const SORT: &str = "mc-sort -k k,n:n,v";
const REDUCE: &str = "mc-shuffle -k n:n --reduce count collect:v";

#[test]
fn nothing_is_harmed_by_a_worker_that_passes_all_on() {
    let dir = dir();
    let real = worker().display().to_string();
    let mark = dir.path().join("mark").display().to_string();
    let script = HOSTILE.replace("@REAL@", &real).replace("@MARK@", &mark);
    let path = write(&dir, "hostile", script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let line = format!("mc-map -h :,: cat | {SORT} -n 4 --exchange relay | mc-gather | wc -l");
    let call = sh("bash", &line).env("MC_WORKER", path).stdin(sales(5000));
    call.stdout("5000\n").succeeds();
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
fn what_comes_is_no_frame() {
    is_noticed("frame", "does not speak the protocol", SORT);
}
