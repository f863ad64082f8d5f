//! Objects that are written: whole, or not at all.

use nix::sys::signal::Signal;

use super::store;
use crate::support::*;

/// Records, so many bytes of them.
fn records(bytes: usize) -> String {
    let mut text = String::new();
    while text.len() < bytes {
        text += &format!(
            "{{\"at\":{},\"text\":\"of some length, so that there are few\"}}\n",
            text.len()
        );
    }
    text
}

#[test]
fn an_object_is_written_as_a_file_of_its_name_is() {
    store().bucket("written", &[("there.csv", b"old")]);
    let gather = |resource: &str| store().mc("gather").args(["-o", resource]);
    let row = rows![{"a": "1", "b": "2"}];
    for key in ["there.csv", "new/\u{e9} +%20.csv"] {
        gather(&format!("csv:s3://written/{key}")).stdin(&row).succeeds();
        assert_eq!(store().object("written", key), b"a,b\n1,2\n", "{key}");
    }
    gather("s3://written/packed.csv.gz").stdin(&row).succeeds();
    store().mc("cat").arg("s3://written/packed.csv.gz").stdout(&row).succeeds();
    gather("zip:s3://written/a.zip").stdin(rows![["m", "x"]]).succeeds();
    store().mc("cat").arg("s3://written/a.zip").stdout(rows![["m", "x"]]).succeeds();
    gather("s3://written/none.ndjson").stdin("").succeeds();
    assert_eq!(store().object("written", "none.ndjson"), b"");
}

#[test]
fn a_long_object_goes_in_parts_and_several_go_together() {
    store().bucket("parts", &[]);
    let text = records(21_000_000);
    let gather = |resource: &str| store().mc("gather").args(["-o", resource]).stdin(&text);
    let dir = dir();
    let peak = dir.path().join("peak");
    gather("s3://parts/long.ndjson").peak_to(&peak).succeeds();
    assert!(store().object("parts", "long.ndjson") == text.as_bytes());
    let peak = Output::peak(&peak);
    assert!(peak < 120 << 20, "{peak} bytes");
    let tag = store().boto("print(c.head_object(Bucket='parts', Key='long.ndjson')['ETag'])", &[]);
    assert!(tag.trim().ends_with("-3\""), "{tag}");
    gather("s3://parts/n-%02d.ndjson").args(["-n", "2"]).succeeds();
    let both = [store().object("parts", "n-00.ndjson"), store().object("parts", "n-01.ndjson")];
    assert!(both.concat() == text.as_bytes() && both[0].len() > 8 << 20);
    let split = store().mc("split").args(["-o", "s3://parts/s/%d.ndjson", "-n", "3"]);
    split.stdin("1\n2\n3\n").succeeds();
    assert_eq!(store().object("parts", "s/2.ndjson"), b"3\n");
    let holds = store().holds("parts");
    assert!(holds.lines().count() == 6 && !holds.contains("upload"), "{holds}");
}

#[test]
fn what_goes_wrong_leaves_nothing_behind() {
    store().bucket("wrong", &[("out.ndjson", b"old\n")]);
    let text = records(20_000_000);
    let gather = || store().mc("gather").args(["-o", "s3://wrong/out.ndjson"]);
    gather().stdin(format!("{text}{{bad\n")).stderr_any().fails(3);
    store().front("fail?path=/wrong/out.ndjson&method=PUT&status=403&code=AccessDenied&count=1");
    let denied = "cannot write s3://wrong/out.ndjson: the store denies it to these credentials (AccessDenied";
    gather().stdin(&text).fails_with(2, denied);
    let several = store().mc("gather").args(["-o", "csv:s3://wrong/%d.csv", "-n", "2"]);
    several.stdin(format!("{text}{{bad\n")).stderr_any().fails(3);
    assert_eq!(store().holds("wrong"), "out.ndjson 4\n");
    store().front("fail?path=/wrong/out.ndjson&method=PUT&status=503&code=SlowDown&count=2");
    gather().stdin(&text).succeeds();
    assert!(store().object("wrong", "out.ndjson") == text.as_bytes());
}

#[test]
fn a_tool_that_is_ended_leaves_no_upload() {
    store().bucket("ended", &[]);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGKILL, 137), (Signal::SIGINT, 130)] {
        // It has the first parts, and waits for more.
        let line = "exec 3> pid; { cat \"$0\"; sleep 100; } | mc-gather -o s3://ended/out.ndjson";
        let dir = dir();
        let file = write(&dir, "in.ndjson", records(30_000_000));
        let mut running =
            store().bash(line).arg(&file).current_dir(dir.path()).stderr_any().spawn();
        until("parts are there", || store().holds("ended").contains("upload of out.ndjson"));
        let tools = Call::new("pgrep").args(["-x", "-P", &running.id().to_string(), "mc-gather"]);
        let tool: i32 = tools.succeeds().text().trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(tool), signal).unwrap();
        until("the upload is given up", || store().holds("ended").is_empty());
        assert!(running.runs(), "{code}");
        running.signal_all(Signal::SIGKILL);
        running.wait();
    }
}
