//! Hosts on which tasks fail that go well elsewhere, or take long.

use crate::support::{Call, cluster, sh};

fn numbers() -> String {
    (1..=3000).map(|n| format!("{n}\n")).collect()
}

fn run(line: &str) -> Call {
    let script = format!("set -o pipefail; {line}");
    sh("bash", &script).on(cluster()).stdin(numbers()).stdout(numbers())
}

#[test]
fn a_host_on_which_tasks_fail_gets_no_more() {
    let line = "mc-map -h n1,n2,n3 --block 500 -c 'test $MC_HOST != n2 && cat' | mc-gather";
    let said = run(line).stderr_any().succeeds().stderr;
    let said = String::from_utf8(said).unwrap();
    let aside: Vec<&str> =
        said.lines().filter(|line| line.ends_with("; it gets no more of them")).collect();
    assert_eq!(
        aside,
        ["mc-map: n2: tasks fail there that go well elsewhere; it gets no more of them"],
        "{said}"
    );
}

#[test]
fn a_host_whose_tasks_go_well_is_kept_though_some_fail_there_once() {
    let line = "mc-map -h n1,n2 --block 500 -c \
                'test $MC_HOST$MC_ATTEMPT != n21 -o $((MC_TASK % 8)) != 0 && cat' | mc-gather";
    let said = run(line).stderr_any().succeeds().stderr;
    assert!(!String::from_utf8_lossy(&said).contains("it gets no more"));
}

#[test]
fn a_task_that_hangs_on_one_host_is_done_by_another() {
    let line = "mc-map -h n1,n2,n3 --block 500 --speculate -c \
                'if read -r n && test $n = 1 && test $MC_ATTEMPT = 1; then sleep 600; fi; \
                echo $n; cat' | mc-gather";
    run(line).stderr_has("mc-map: task 1: it takes long: a second attempt begins").succeeds();
    // What the first one made is nowhere to be seen, and where a host is but one there is no other.
    let line = "mc-map -h 3/n1 --block 500 --speculate -c \
                'if read -r n && test $n = 1; then sleep 3; fi; echo $n; cat' | mc-gather";
    run(line).stderr_any().succeeds();
    let line = "head -n 3000 | mc-map -h n1,n2 --each --speculate -c \
                'read -r n; test $n$MC_HOST = 3000n1 && sleep 600; echo $n' | mc-gather";
    run(line).stderr_any().succeeds();
}

#[test]
fn what_can_go_no_better_is_not_tried_again_though_it_failed_otherwise_before() {
    let line = "mc-map -h n1,n2 --block 500 -c 'test $MC_ATTEMPT != 1 && echo {' | mc-gather";
    let script = format!("set -o pipefail; {line}");
    let call = sh("bash", &script).on(cluster()).stdin("1\n").stderr_any();
    let said = call.fails(4).stderr;
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.matches("trying again").count(), 1, "{said}");
}
