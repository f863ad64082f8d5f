//! `reporter:` lines on a command's standard error, as Hadoop Streaming has them: counters that are
//! summed over all that counts, and a status; here and on hosts.

use crate::support::{Call, cluster, dir, jq, mc, rows, sh};

use super::numbers;

/// A command that counts the records that it copies, and those of them that are even.
const COUNT: &str = "while read -r n; do echo $n; echo reporter:counter:all,records,1 >&2; \
    [ $((n % 2)) = 1 ] || echo reporter:counter:all,even,$n >&2; done; \
    echo 'reporter:counter:a group,blocks; and more,1' >&2";

/// What a call of `mc-map` says, but for what the number of blocks makes different.
fn said(call: Call) -> String {
    let said = String::from_utf8(call.stderr_any().succeeds().stderr).unwrap();
    said.lines().filter(|line| !line.contains("blocks")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn counters_are_sums_over_all_blocks() {
    let want = "mc-map: counter all,even: 90300\nmc-map: counter all,records: 600\n";
    for options in [&["--block", "100b"][..], &["-j1"], &["--per=shard"], &["--block=500b", "-j4"]]
    {
        let call = mc("map").args(options).args(["-c", COUNT]).stdin(numbers(600));
        assert_eq!(said(call.stdout(numbers(600))), want, "{options:?}");
    }
    let lines = mc("map").args(["-j1", "--per=shard", "-c", COUNT]).stdin("1\n").stderr_any();
    let want = "mc-map: counter a group,blocks; and more: 1\nmc-map: counter all,records: 1\n";
    assert_eq!(String::from_utf8(lines.succeeds().stderr).unwrap(), want);
}

#[test]
fn counters_are_the_same_on_hosts() {
    for (hosts, want) in
        [(":,:".to_string(), 600), (cluster().hosts(2), 600), (cluster().hosts(4), 600)]
    {
        let line = format!(
            "mc-map -h {hosts} --block 300b -c '{}' | mc-gather",
            COUNT.replace('\'', "'\\''")
        );
        let call = sh("bash", &line).on(cluster()).stdin(numbers(want)).stdout(numbers(want));
        assert_eq!(
            said(call),
            "mc-map: counter all,even: 90300\nmc-map: counter all,records: 600\n",
            "{hosts}"
        );
    }
}

#[test]
fn only_the_attempt_whose_output_counts_is_counted() {
    let dir = dir();
    let once = format!(
        "echo reporter:counter:g,n,1 >&2; echo reporter:counter:g,tried,$MC_ATTEMPT >&2; \
         if mkdir {}/$MC_TASK 2>/dev/null; then exit 3; fi; cat",
        dir.path().display()
    );
    let call = mc("map").args(["--block", "6b", "-c", &once]).stdin(numbers(9)).stdout(numbers(9));
    let said = String::from_utf8(call.stderr_has("trying again").succeeds().stderr).unwrap();
    assert!(said.ends_with("mc-map: counter g,n: 3\nmc-map: counter g,tried: 6\n"), "{said}");
    assert!(!said.contains("reporter:"), "{said}");
}

/// Of blocks that are cut to find what fails, each record counts once, and those that fail not.
#[test]
fn what_is_left_out_is_not_counted() {
    let line = "while read -r n; do echo reporter:counter:g,seen,1 >&2; \
                [ $n != 5 ] || exit 1; echo $n; done";
    let stats = dir();
    let file = stats.path().join("stats");
    for options in [&["--block", "1K"][..], &["--each"]] {
        let call = mc("map").args(["--failed=skip", "--retries=2", "--stats"]).arg(&file);
        let call = call.args(options).args(["-c", line]).stdin(numbers(8));
        let call = call.stdout("1\n2\n3\n4\n6\n7\n8\n").stderr_has("mc-map: counter g,seen: 7\n");
        call.stderr_has("1 record dropped").succeeds();
    }
    let kept = std::fs::read(&file).unwrap();
    assert_eq!(
        jq(&["-c", "select(.kind == \"stage\").counters"], &kept),
        b"{\"g\":{\"seen\":7}}\n{\"g\":{\"seen\":7}}\n"
    );
}

#[test]
fn a_status_is_shown_and_what_is_no_report_is_passed_on() {
    let said = "reporter:status:one\\nreporter:status:one\\nreporter:status:two\\n\
                reporter:counter:g,n\\nreporter:counter:g,n,many\\nreporter:counter:g,n,1,1\\n\
                reporter:progress\\n reporter:counter:g,n,1\\nreporter:counter:g,n,1";
    let line = format!("cat; printf '{said}' >&2");
    let want = "mc-map: task 1: status: one\nmc-map: task 1: status: two\n\
                mc-map: task 1: reporter:counter:g,n\nmc-map: task 1: reporter:counter:g,n,many\n\
                mc-map: task 1: reporter:counter:g,n,1,1\nmc-map: task 1: reporter:progress\n\
                mc-map: task 1:  reporter:counter:g,n,1\nmc-map: counter g,n: 1\n";
    let call = mc("map").args(["-c", &line]).stdin("1\n").stdout("1\n").stderr_any();
    assert_eq!(String::from_utf8(call.succeeds().stderr).unwrap(), want);
}

/// With `--outcome` all of standard error is data.
#[test]
fn an_outcome_holds_the_lines_as_they_are() {
    let line = "echo reporter:counter:g,n,1 >&2";
    let out = mc("map").args(["--each", "--outcome", "-c", line]).stdin("1\n").succeeds();
    assert_eq!(jq(&["-r", ".err"], &out.stdout), b"reporter:counter:g,n,1\n");
}

/// What is kept of a command's output counts nothing: so what has counted is not kept.
#[test]
fn a_second_run_with_a_memo_counts_the_same() {
    let dir = dir();
    for hosts in [&[][..], &["--each"]] {
        for run in 0..2 {
            let line = "while read -r n; do echo $n; \
                        [ $n = 2 ] || echo reporter:counter:g,n,1 >&2; echo x >> ran; done";
            let call = mc("map").current_dir(&dir).args(["--memo", "m", "--block", "2b"]);
            let call = call.args(hosts).args(["-c", line]).stdin(numbers(3)).stdout(numbers(3));
            let said = String::from_utf8(call.stderr_any().succeeds().stderr).unwrap();
            assert_eq!(said, "mc-map: counter g,n: 2\n", "{run}");
            let ran = std::fs::read_to_string(dir.path().join("ran")).unwrap();
            assert_eq!(ran.lines().count(), 3 - run, "{hosts:?}");
            std::fs::remove_file(dir.path().join("ran")).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_counted_fails_the_task() {
    let line = "cat; seq 10001 | sed 's/.*/reporter:counter:g,&,1/' >&2";
    for hosts in [&[][..], &["-h", ":"]] {
        let call = mc("map").args(hosts).args(["-c", line]).stdin("1\n");
        call.fails_with(1, "too many counters: g,10001 is one more than 10000");
    }
    // The same number of them, over all tasks.
    let line = "cat; seq 3000 | sed \"s/.*/reporter:counter:g,$MC_TASK-&,1/\" >&2";
    let call = mc("map").args(["--block", "1b", "-c", line]).stdin(numbers(4)).stdout("1\n2\n3\n");
    call.fails_with(1, "too many counters: g,4-");
    let most = "echo reporter:counter:g,n,9223372036854775807 >&2";
    let call = mc("map").args(["--block", "1b", "-c", most]).stdin(numbers(2));
    call.fails_with(1, "the counter g,n is beyond 64 bits");
}

#[test]
fn reducers_count_too() {
    let line = "wc -l; echo reporter:counter:g,groups,1 >&2";
    let call = mc("reduce").args(["-c", line]).stdin(rows![[1, 2], [1, 3]]).stdout("2\n");
    let call = call.stderr_any().succeeds();
    assert_eq!(call.stderr, b"mc-reduce: counter g,groups: 1\n");
    let line = "mc-map -h :,: --block 5b cat | mc-shuffle -k . | mc-reduce -c \
                'jq -c .; echo reporter:counter:g,runs,1 >&2' | mc-gather";
    let call = sh("bash", line).on(cluster()).stdin(numbers(40)).stderr_any().succeeds();
    let said = String::from_utf8(call.stderr).unwrap();
    assert!(said.starts_with("mc-reduce: counter g,runs: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
