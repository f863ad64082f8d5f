//! What goes into a command and what comes back: records, and lines of text (`-t`).

use crate::support::{jq, mc, random_lines, rows};

#[test]
fn records_reach_the_command_as_they_came() {
    let records = "{\"a\": 1.50,  \"a\":1e400}\n[ ]\n\"\\ud800\"\n12345678901234567890\n";
    mc("map").arg("cat").stdin(records).stdout(records).succeeds();
}

#[test]
fn line_ends_and_blank_lines_are_tidied_both_ways() {
    let odd = "\u{feff}1\r\n\r\n \t\n2\n\n3";
    mc("map").arg("cat").stdin(odd).stdout("1\n2\n3\n").succeeds();
    mc("map").args(["--per=shard", "wc", "-c"]).stdin(odd).stdout("6\n").succeeds();
    mc("map").args(["printf", "1\\r\\n\\n2"]).stdin("0\n").stdout("1\n2\n").succeeds();
}

#[test]
fn bad_records_never_reach_the_command() {
    let bad = "1\n{\"a\"\n3\n\"\u{7f}\n";
    let place = "standard input: line 2, byte 5";
    let out = mc("map").args(["--block=1K", "cat"]).stdin(bad).fails_with(3, place);
    assert_eq!(out.stdout, b"");
    let skip = mc("map").args(["--bad", "skip", "cat"]).stdin(bad);
    skip.stdout("1\n3\n").stderr_has("2 bad records dropped").succeeds();
}

#[test]
fn text_goes_in_and_comes_out_as_lines() {
    let records = rows!["b\tc", "", "é \" \\", {"$base64": "/w=="}];
    mc("map").args(["-t", "cat"]).stdin(&records).stdout(&records).succeeds();
    mc("map")
        .args(["-t", "--per=shard", "sort", "-r"])
        .stdin(rows!["a", "b"])
        .stdout(rows!["b", "a"])
        .succeeds();
    mc("map")
        .args(["-t", "tr", "a", "\\377"])
        .stdin(rows!["xa"])
        .stdout(rows![{"$base64": "eP8="}])
        .succeeds();
    mc("map").args(["-t", "printf", "no end"]).stdin(rows!["x"]).stdout(rows!["no end"]).succeeds();
}

#[test]
fn text_is_what_jq_makes_of_it() {
    let lines = random_lines(7, 20_000, 12, b"ab\"\\\t c");
    let strings = jq(&["-R", "."], &lines);
    let said = mc("map").args(["-t", "--block", "10K", "cat"]).stdin(&strings).succeeds();
    assert!(said.stdout == strings);
    let upper = mc("map").args(["-t", "tr", "a-z", "A-Z"]).stdin(&strings).succeeds();
    assert!(jq(&["-r", "."], &upper.stdout) == lines.to_ascii_uppercase());
}

#[test]
fn what_is_no_line_of_text_is_refused() {
    for (record, why) in [
        ("\"a\\nb\"", "line end"),
        ("\"\\ud800\"", "surrogate"),
        ("{\"$base64\":\"Cg==\"}", "line end"),
    ] {
        let call = mc("map").args(["-t", "--block=1K", "cat"]).stdin(format!("\"x\"\n{record}\n"));
        let out = call.stderr_has("line 2").fails_with(3, why);
        assert_eq!(out.stdout, b"");
    }
}

#[test]
fn a_shard_is_one_process() {
    let records = super::numbers(500_000);
    let shard = || mc("map").args(["--per", "shard", "-S", "2M"]);
    shard().args(["wc", "-l"]).stdin(&records).stdout("500000\n").succeeds();
    shard().arg("cat").stdin(&records).stdout(&records).succeeds();
    shard().args(["-t", "wc", "-l"]).stdin(rows!["a", "b"]).stdout(rows!["2"]).succeeds();
    shard().arg("cat").stdin("1\n{\n").fails_with(3, "line 2");
    shard().args(["--bad=skip", "cat"]).stdin("1\n{\n2\n").stdout("1\n2\n").stderr_any().succeeds();
}

#[test]
fn a_shard_is_tried_again_on_the_same_bytes() {
    let dir = crate::support::dir();
    let marker = dir.path().join("tried");
    let line = format!(
        "test -e {0} && md5sum | sed 's/^/\"/;s/ .*/\"/' || {{ touch {0}; head -c 99 >/dev/null; exit 1; }}",
        marker.display()
    );
    let records = super::numbers(300_000);
    let sum =
        crate::support::sh("dash", "md5sum | sed 's/^/\"/;s/ .*/\"/'").stdin(&records).succeeds();
    let call = mc("map").args(["--per", "shard", "-S", "1M", "-c", &line]).stdin(&records);
    call.stdout(sum.stdout).stderr_has("trying again").succeeds();
}
