//! Options that are for shards alone, or for this machine alone: where they mean nothing they are
//! refused, and not passed over.

use super::alike::sales;
use crate::support::{Call, dir, sh, worker, write};

/// A call of a shell line in `dir`, where `in` are records in the order of their key, `x.mc` the same
/// as shards, and `g.mc` as shards of whole groups.
fn run(dir: &tempfile::TempDir, line: &str) -> Call {
    let call = sh("bash", line).current_dir(dir).env("MC_WORKER", worker());
    call.env("XDG_STATE_HOME", dir.path().join("state"))
}

#[track_caller]
fn place() -> tempfile::TempDir {
    let dir = dir();
    write(&dir, "unsorted", sales(500));
    run(&dir, "mc-sort -k k ndjson:unsorted > in && mc-map -h :,: -o x.mc cat < in").succeeds();
    run(&dir, "mc-shuffle -k k -o g.mc < x.mc").succeeds();
    dir
}

/// Removes what `place` keeps on this machine.
#[track_caller]
fn removed(dir: tempfile::TempDir) {
    run(&dir, "mc-hosts --rm x.mc g.mc").stderr_any().succeeds();
    assert!(!dir.path().join("x.mc").exists() && !dir.path().join("g.mc").exists());
}

#[test]
fn what_is_for_shards_is_refused_for_records() {
    let dir = place();
    for option in ["-o y.mc", "-n 3", "--exchange relay", "--exchange auto"] {
        let name = option.split(' ').next().unwrap();
        let text = format!("{name} is for shards that are worked on where they lie");
        for (tool, input) in [
            ("mc-sort", "< in"),
            ("mc-sort", "ndjson:in"),
            ("mc-sort", "-f ndjson < in"),
            ("mc-sort --bad skip", "< x.mc"),
            ("mc-shuffle -k k", "< in"),
            ("mc-shuffle -k k", "- ndjson:in < x.mc"),
            ("mc-reduce -k k count", "< in"),
            ("mc-reduce -k k -c cat", "< in"),
            // The command needs whole groups, so that the records come here.
            ("mc-reduce -k k -c cat", "< x.mc"),
        ] {
            run(&dir, &format!("{tool} {option} {input}")).stdout("").fails_with(2, &text);
        }
        for tool in ["mc-sort --check", "mc-sort -m"] {
            run(&dir, &format!("{tool} {option} < x.mc")).fails_with(2, "cannot be used with");
        }
        assert!(!dir.path().join("y.mc").exists());
    }
    removed(dir);
}

#[test]
fn what_is_for_this_machine_is_refused_for_shards() {
    let dir = place();
    for (option, text) in [
        ("-j 2", "-j is about this machine"),
        ("-T .", "-T is about this machine"),
        ("-S 10%", "for hosts say how many bytes"),
    ] {
        for line in [
            "mc-sort OPTION < x.mc",
            "mc-shuffle -k k OPTION < x.mc",
            "mc-reduce --all OPTION count < x.mc",
            "mc-reduce OPTION count < g.mc",
            "mc-reduce OPTION -c cat < g.mc",
        ] {
            let line = line.replace("OPTION", option);
            run(&dir, &line).stdout("").fails_with(2, text);
            // Where the records come here it is heeded.
            if line.starts_with("mc-sort") {
                run(&dir, &line.replace("mc-sort", "mc-sort --bad skip")).succeeds();
            }
        }
    }
    removed(dir);
}

#[test]
fn a_command_over_shards_makes_no_ranges_or_blocks() {
    let dir = place();
    for (option, text) in [
        ("-n 3", "-n: the command makes one shard of each"),
        ("--exchange direct", "--exchange: the command runs where the shards lie"),
        ("--block 1M", "--block: the command gets whole shards"),
    ] {
        run(&dir, &format!("mc-reduce {option} -c cat < g.mc")).stdout("").fails_with(2, text);
    }
    run(&dir, "mc-reduce -c cat < g.mc | mc-gather | cmp - in").succeeds();
    removed(dir);
}
