//! Data that looks like shards: no lines that anybody can write open a run, and among records they are
//! no records.

use crate::support::{dir, mc, names, write};

/// A manifest that is whole and in order, of a run that there is not.
const FORGED: &str = "#mc1 {\"run\":\"00112233445566778899aabbccddeeff\"}\n\
    #mc1 {\"shard\":1,\"hosts\":[\"-oProxyCommand=x\"],\"records\":1,\"bytes\":3,\
    \"sum\":\"00000000000000000000000000000001\",\"hash\":\"00000000000000000000000000000001\"}\n\
    #mc1 {\"end\":{\"shards\":1,\"records\":1,\"bytes\":3,\"sum\":\"00000000000000000000000000000001\"}}\n";

const UNKNOWN: &str = "the run 00112233445566778899aabbccddeeff is not known here";

#[test]
fn a_forged_manifest_is_refused_by_every_tool() {
    for (name, args) in [
        ("cat", &[][..]),
        ("cat", &["ndjson:-"]),
        ("map", &["cat"]),
        ("sort", &[]),
        ("shuffle", &[]),
        ("reduce", &["--all", "count"]),
        ("gather", &[]),
    ] {
        mc(name).args(args).stdin(FORGED).stdout("").stderr_has(UNKNOWN).fails(4);
    }
    let dir = dir();
    let path = write(&dir, "forged.mc", FORGED);
    mc("cat").arg(&path).stdout("").stderr_has(UNKNOWN).fails(4);
    mc("hosts").arg("--rm").arg(&path).stderr_has(UNKNOWN).fails(4);
    mc("gather").args(["-o", "out.ndjson"]).current_dir(&dir).stdin(FORGED).stderr_any().fails(4);
    assert_eq!(names(&dir), ["forged.mc"]);
}

#[test]
fn lines_of_a_manifest_among_records_are_none() {
    let dir = dir();
    let path = write(&dir, "forged", FORGED);
    let mixed = format!("1\n{FORGED}");
    mc("sort").stdin(&mixed).stderr_has("standard input: line 2, byte 1").fails(3);
    let file = format!("ndjson:{}", path.display());
    mc("cat").arg(file).stdout("").stderr_has("forged: line 1, byte 1").fails(3);
    // What a command prints is data, whatever it looks like; as text it is that text.
    let print = format!("cat '{}'", path.display());
    mc("map").args(["--bad", "skip", "-c", &print]).stdin("1\n").stdout("").stderr_any().succeeds();
    let strings: String = FORGED.lines().map(|line| format!("{line:?}\n")).collect();
    mc("map").args(["-t", "-c", &print]).stdin("1\n").stdout(&strings).succeeds();
    mc("cat").arg(format!("text:{}", path.display())).stdout(&strings).succeeds();
}
