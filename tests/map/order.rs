//! Output in the order of the input, the same bytes whatever the slots, the blocks and the memory.

use crate::support::{Output, dir, jq, mc, names, sh};

use super::numbers;

#[test]
fn output_is_in_input_order_however_long_tasks_take() {
    let records = numbers(3000);
    let line = "sleep 0.$(($$ % 4)); cat";
    let call = mc("map").args(["-j", "8", "--block", "500", "-c", line]).stdin(&records);
    call.stdout(&records).succeeds();
}

#[test]
fn the_same_bytes_whatever_the_slots_blocks_and_memory() {
    let records: String =
        (0..60_000).map(|n| format!("{{\"n\":{n},\"s\":\"{}\"}}\n", "x".repeat(n % 50))).collect();
    let want = jq(&["-c", "select(.n % 3 == 1) | [.s, .n]"], &records);
    let program = ["jq", "-c", "select(.n % 3 == 1) | [.s, .n]"];
    for options in [
        &[][..],
        &["-j", "1"],
        &["-j", "4"],
        &["-j", "3", "--block", "99991"],
        &["-S", "1"],
        &["-S", "300K", "-j", "5"],
        &["--block", "7M"],
        &["--per", "shard"],
    ] {
        let said = mc("map").args(options).args(program).stdin(&records).succeeds();
        assert!(said.stdout == want, "{options:?}");
    }
}

#[test]
fn tiny_blocks_hold_whole_records() {
    let records = numbers(300);
    mc("map").args(["-j", "4", "--block", "1", "cat"]).stdin(&records).stdout(&records).succeeds();
    let counts = mc("map").args(["--block", "1", "wc", "-l"]).stdin(&records).succeeds();
    assert_eq!(counts.lines(), vec!["1"; 300]);
}

#[test]
fn output_beyond_the_memory_waits_in_files() {
    let dir = dir();
    let (stats, peak) = (dir.path().join("stats"), dir.path().join("peak"));
    let temporary = dir.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    // The first task is the slowest: it waits until others have printed all they have.
    let line =
        "read -r n; test \"$n\" != 1 || until [ $(ls | grep -c done) -ge 3 ]; do sleep 0.05; done
        seq 1 300000; touch done.$$";
    let want = numbers(300_000).repeat(12);
    let call = mc("map").args(["-S", "4M", "-j", "4", "--block", "2"]);
    let call = call
        .current_dir(&dir)
        .arg("-T")
        .arg(&temporary)
        .arg("--stats")
        .arg(&stats)
        .args(["-c", line]);
    let said = call.peak_to(&peak).stdin("1\n2\n3\n4\n5\n6\n7\n8\n9\n7\n8\n9\n").succeeds();
    assert!(said.stdout.len() == want.len() && said.stdout == want.as_bytes());
    assert_eq!(names(&temporary), [""; 0]);
    let text = std::fs::read_to_string(&stats).unwrap();
    assert!(!text.contains("\"spilled_bytes\":0"), "{text}");
    assert!(Output::peak(&peak) < 24 << 20, "{}", Output::peak(&peak));
}

#[test]
fn memory_stays_low_whatever_passes_through() {
    let dir = dir();
    let peak = dir.path().join("peak");
    let peak_tool = crate::support::repository("scripts/peak");
    let line = format!(
        "seq 1 60000000 | head -c 500000000 | sed '$d' | {} {} mc-map cat | tail -c 9",
        peak_tool.display(),
        peak.display()
    );
    sh("bash", &line).succeeds();
    assert!(Output::peak(&peak) < 72 << 20, "{}", Output::peak(&peak));
}

#[test]
fn a_slow_reader_fills_no_disk() {
    let dir = dir();
    let stats = dir.path().join("stats");
    let line = format!(
        "seq 1 4000000 | mc-map --stats {} cat | {{ sleep 1; tail -n 1; }}",
        stats.display()
    );
    sh("bash", &line).stdout("4000000\n").succeeds();
    let text = std::fs::read_to_string(&stats).unwrap();
    assert!(text.contains("\"spilled_bytes\":0"), "{text}");
}

#[test]
fn tasks_run_side_by_side() {
    let dir = dir();
    // Each waits until all have begun.
    let line = "touch begun.$$; while [ $(ls | grep -c begun) -lt 8 ]; do sleep 0.05; done; cat";
    let call = mc("map").args(["-j", "8", "--block", "2", "-c", line]).current_dir(&dir);
    call.stdin(numbers(8)).stdout(numbers(8)).succeeds();
}

#[test]
fn few_descriptors_are_enough() {
    let line = "ulimit -n 32; seq 1 100000 | mc-map -j 64 --block 20K -S 1M cat | tail -n 1";
    sh("bash", line).stdout("100000\n").succeeds();
}
