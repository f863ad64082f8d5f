//! Shards that are lost with their hosts after they were made: they are made again of what they were made of,
//! when whoever reads them asks for them.

use std::time::Duration;

use super::at_work::{AtWork, Gate, WAITS, with_workers};
use super::lost::is_swept;
use crate::support::{Cluster, dir, sh, until};

/// A pipe that lets nothing through before its gate opens.
fn gated(cluster: &Cluster) -> String {
    format!("{{ flock -s {} true; cat; }}", cluster.srv().join("gate").display())
}

/// Whether the manifest of which `m` is a copy is whole.
fn is_made(work: &AtWork) -> bool {
    let lines = std::fs::read_to_string(work.dir.path().join("m")).unwrap_or_default();
    lines.contains("{\"end\"")
}

/// Shards that `stages` has made, and nobody has read yet, are lost with a host: the answer is there for all
/// that.
#[track_caller]
fn are_made_again(stages: &str, harm: &str) -> String {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let stages = stages.replace("HOSTS", &cluster.hosts(3));
    let work = AtWork::of(&cluster, &format!("{stages} | tee m | {}", gated(&cluster)));
    until("the manifest", || is_made(&work));
    let lost = work.first_shard();
    cluster.run([harm, &lost]);
    drop(gate);
    let ended = work.succeeds();
    let said = ended.stderr.matches(&format!("{lost} is lost")).count();
    assert!((1..=4).contains(&said), "said {said} times:\n{}", ended.stderr);
    is_swept(&cluster);
    ended.stderr
}

#[test]
fn of_records_that_came_from_a_stream() {
    let said = are_made_again("mc-map -h HOSTS --block 400 cat", "kill");
    assert!(said.contains("what it made is made again elsewhere"), "{said}");
}

#[test]
fn of_records_that_were_scattered() {
    are_made_again("mc-scatter -h HOSTS --block 400", "kill");
}

#[test]
fn of_shards_that_are_lost_too() {
    let stages = "mc-map -h HOSTS --block 400 cat | mc-map cat | mc-map -c 'sed s/^/1/' | mc-map -c 'sed s/^1//'";
    are_made_again(stages, "kill");
}

#[test]
fn of_a_host_that_is_cut_off() {
    are_made_again("mc-scatter -h HOSTS --block 400 | mc-map cat", "cut");
}

#[test]
fn of_what_was_exchanged() {
    are_made_again("mc-scatter -h HOSTS --block 400 | mc-sort -n 7", "kill");
}

#[test]
fn of_what_was_exchanged_and_more() {
    let stages = "mc-map -h HOSTS --block 400 cat | mc-sort -n 9 -r | mc-map cat | mc-sort -u -n 7";
    are_made_again(stages, "cut");
}

/// A host that is lost with what it may have sorted, while other shards are still made.
#[test]
fn while_shards_are_exchanged() {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let command = format!("read n; [ $n -lt 1000 ] || {WAITS}; echo $n; cat");
    let map = format!("mc-map -h {} --block 400 -c '{command}' | tee m", cluster.hosts(3));
    let work = AtWork::of(&cluster, &format!("{map} | mc-sort -n 7"));
    let lost = work.first_shard();
    // It takes part in the sort, and is frozen then: what it is asked for waits for it.
    let workers = || cluster.on_host(&lost, "ls /var/tmp/mycloud-0/runs").lines().len();
    until("mc-sort's worker", || workers() == 2);
    cluster.run(["pause", &lost]);
    drop(gate);
    let ended = work.succeeds();
    let said = "; the others begin again";
    assert!(ended.stderr.contains(said), "no {said:?} in\n{}", ended.stderr);
    is_swept(&cluster);
}

#[test]
fn that_are_damaged() {
    are_damaged("", "mc-gather: ");
}

#[test]
fn that_are_damaged_when_they_are_sorted() {
    are_damaged("| mc-sort -n 7", "mc-sort: ");
}

/// The shards of a host are damaged before anybody reads them, which is `reader`, of the stages that follow.
#[track_caller]
fn are_damaged(then: &str, reader: &str) {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let (hosts, gated) = (cluster.hosts(3), gated(&cluster));
    let map = format!("mc-map -h {hosts} --block 400 cat | tee m | {gated} {then}");
    let work = AtWork::of(&cluster, &map);
    until("the manifest", || is_made(&work));
    let host = work.first_shard();
    cluster.on_host(&host, "truncate -s -1 /var/tmp/mycloud-*/runs/*/[0-9]");
    drop(gate);
    let ended = work.succeeds();
    for said in [&format!("{reader}{host}: shard 1 is damaged"), "; it is made again"] {
        assert!(ended.stderr.contains(said), "no {said:?} in\n{}", ended.stderr);
    }
    cluster.is_clean();
}

#[test]
fn while_others_are_still_made() {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    // Whichever host has made the first shard: it lies there while others are still made.
    let command = format!("read n; [ $n -lt 1000 ] || {WAITS}; echo $n; cat");
    let map = format!("mc-map -h {} --block 400 -c '{command}' | tee m", cluster.hosts(2));
    let work = AtWork::of(&cluster, &map);
    let lost = work.first_shard();
    cluster.run(["kill", &lost]);
    drop(gate);
    let ended = work.succeeds();
    assert!(ended.stderr.contains(&format!("{lost} is lost")), "{}", ended.stderr);
    is_swept(&cluster);
}

#[test]
fn by_a_command_that_prints_something_else_each_time() {
    are_not_what_they_were("cat >/dev/null; date +%s%N");
}

#[test]
fn by_a_command_that_prints_the_same_in_another_order() {
    are_not_what_they_were("shuf");
}

/// The shards of a host that is lost are made again by `command`, and are others.
#[track_caller]
fn are_not_what_they_were(command: &str) {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    let map = format!(
        "mc-map -h {} --block 400 -c '{command}' | tee m | {}",
        cluster.hosts(3),
        gated(&cluster)
    );
    let work = AtWork::of(&cluster, &map);
    until("the manifest", || is_made(&work));
    cluster.run(["kill", &work.first_shard()]);
    drop(gate);
    let ended = work.ends();
    assert_eq!(ended.codes.last(), Some(&4), "{}", ended.stderr);
    assert!(ended.stderr.contains("is not repeatable"), "{}", ended.stderr);
    assert!(ended.stderr.contains(command), "{}", ended.stderr);
    is_swept(&cluster);
}

#[test]
fn of_what_is_kept_and_is_lost_once_more_while_it_is_made_again() {
    let cluster = with_workers();
    let gate = Gate::close(&cluster);
    // The last piece ends when a host of others is lost. Of those that are made again then, the first comes at once,
    // and the others wait until its host is lost, too.
    let command = format!(
        "data=$(cat); if [ -e /srv/again ]; then \
             ( set -C; echo $MC_HOST > /srv/first ) 2> /dev/null || {WAITS}; \
         else case $data in *1999) echo $MC_HOST > /srv/last; \
             until [ -e /srv/again ]; do sleep 0.1; done ;; esac; fi; echo \"$data\""
    );
    let dir = dir();
    let script = format!(
        "set -o pipefail; mc-cat range:0..2000 | mc-map -h {} --block 400 -o x.mc -c '{command}' && \
         mc-cat x.mc | cmp - <(seq 0 1999) && mc-hosts --force --rm x.mc",
        cluster.hosts(4)
    );
    let call = sh("bash", &script).on(&cluster).current_dir(&dir);
    let running = call.env("XDG_STATE_HOME", dir.path().join("state")).stderr_any().spawn();
    let at = |file: &str| std::fs::read_to_string(cluster.srv().join(file)).unwrap_or_default();
    let host = |file: &str| {
        until(file, || at(file).ends_with('\n'));
        // What was sent before comes before what is lost now.
        std::thread::sleep(Duration::from_millis(500));
        at(file).trim().to_string()
    };
    let last = host("last");
    let first = ["n1", "n2", "n3"].into_iter().find(|name| *name != last).unwrap();
    cluster.run(["kill", first]);
    std::fs::write(cluster.srv().join("again"), "").unwrap();
    let second = host("first");
    cluster.run(["kill", second.as_str()]);
    drop(gate);
    let said = String::from_utf8_lossy(&running.exits(0).stderr).into_owned();
    for lost in [first, second.as_str()] {
        assert!(said.contains(&format!("{lost} is lost: ")), "{said}");
    }
}

#[test]
fn of_what_is_kept_and_is_lost_as_it_is_kept() {
    let cluster = with_workers();
    // The last piece ends when a host of others stands still, which is not known before it is to keep them.
    let command = "data=$(cat); case $data in *1999) echo $MC_HOST > /srv/last; \
                   until [ -e /srv/stands ]; do sleep 0.05; done ;; esac; echo \"$data\"";
    let dir = dir();
    let script = format!(
        "set -o pipefail; mc-cat range:0..2000 | mc-map -h {} --block 400 -o x.mc -c '{command}' && \
         mc-cat x.mc | cmp - <(seq 0 1999)",
        cluster.hosts(4)
    );
    let call = sh("bash", &script).on(&cluster).current_dir(&dir);
    let running = call.env("XDG_STATE_HOME", dir.path().join("state")).stderr_any().spawn();
    let at = |file: &str| std::fs::read_to_string(cluster.srv().join(file)).unwrap_or_default();
    until("the last piece", || at("last").ends_with('\n'));
    let last = at("last").trim().to_string();
    let first = ["n1", "n2", "n3"].into_iter().find(|name| *name != last).unwrap();
    cluster.run(["pause", first]);
    std::fs::write(cluster.srv().join("stands"), "").unwrap();
    let said = String::from_utf8_lossy(&running.exits(0).stderr).into_owned();
    assert!(said.contains(&format!("{first} is lost: ")), "{said}");
    cluster.run(["resume", first]);
}
