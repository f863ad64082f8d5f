//! What `--stats` tells of tasks on hosts, and `mc-report` shows of it: one that fails once, and those of a host that
//! is lost.

use crate::report::{agree, tables_of};
use crate::support::{Cluster, dir, mc, sh, until};

#[test]
fn attempts_on_hosts_are_told_of_with_what_became_of_them() {
    let (cluster, dir) = (Cluster::of(3), dir());
    // On n1 the first task fails, and on n3 all hang until it is lost.
    let line = "mc-cat range:0..3000 | mc-map -h n1,n2,n3 --block 2000 -c '
                case $MC_HOST in
                n1) ! mkdir /tmp/failed 2> /dev/null || exit 7 ;;
                n3) touch /tmp/hangs; sleep 600 ;;
                esac
                cat' | mc-sort -n 4 | mc-gather -o out.ndjson";
    let call = sh("bash", line).on(&cluster).current_dir(dir.path()).env("MC_STATS", "run");
    let mut running = call.stderr_any().spawn();
    until("a task hangs on n3", || {
        assert!(running.runs());
        cluster.on_host("n3", "test -e /tmp/hangs && echo yes || echo no").text() == "yes\n"
    });
    cluster.run(["kill", "n3"]);
    running.exits(0);
    let want: String = (0..3000).map(|n| format!("{n}\n")).collect();
    assert_eq!(std::fs::read_to_string(dir.path().join("out.ndjson")).unwrap(), want);
    let stats = std::fs::read_to_string(dir.path().join("run")).unwrap();
    let count = |filter: &str| {
        let filter = format!("[.[] | select({filter})] | length");
        let said = crate::support::jq(&["-s", &filter], &stats);
        String::from_utf8(said).unwrap().trim().parse::<usize>().unwrap()
    };
    let again = r#".outcome == "again" and .host == "n1" and .exit == 7 and .work == "command""#;
    assert_eq!(count(again), 1);
    assert!(count(r#".outcome == "lost" and .host == "n3""#) > 0, "{stats}");
    assert_eq!(count(r#".outcome == "done" and .host == "n3" and .work == "command""#), 0);
    let ranges = count(r#".kind == "shard" and .tool == "mc-sort""#);
    assert!(ranges > 1, "{stats}");
    assert_eq!(count(r#".work == "merge" and .outcome == "done""#), ranges);
    assert!(count(r#".outcome == "done" and .ran_seconds == null and .work == "command""#) == 0);
    let page = mc("report").current_dir(dir.path()).arg("run").succeeds().stdout;
    agree(&tables_of(&page), &stats);
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("mc-cat → mc-map → mc-sort → mc-gather"));
    assert!(page.contains(&format!("mc-sort: {ranges} ranges")));
}
