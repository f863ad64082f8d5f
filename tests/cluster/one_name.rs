//! Several tools that keep data under one name: one of them does, and of the others nothing is kept.

use std::collections::BTreeSet;
use std::path::Path;

use super::at_work::{Gate, with_workers};
use crate::support::{Cluster, dir, names, sh, until_or, write};

/// The runs that have begun to work, by what their commands leave in `/srv`.
fn begun(cluster: &Cluster) -> BTreeSet<String> {
    let names = names(cluster.srv());
    let runs = names.iter().filter_map(|name| name.strip_prefix("begun-")?.split_once('.'));
    runs.map(|(run, _)| run.to_string()).collect()
}

/// Two maps over `hosts`, whose commands see the directory of the cluster as `srv`, at once.
#[track_caller]
fn one_of_two_is_kept(cluster: &Cluster, hosts: &str, srv: &Path) {
    let (gate, dir, srv) = (Gate::close(cluster), dir(), srv.display());
    write(&dir, "in", (1..=900).map(|n| format!("{n}\n")).collect::<String>());
    let state = dir.path().join("state");
    let run = |script: &str| {
        let call = sh("bash", &format!("set -o pipefail; {script}")).on(cluster);
        call.current_dir(&dir).env("XDG_STATE_HOME", &state)
    };
    let command = format!(
        "touch {srv}/begun-$(basename \"$(dirname \"$PWD\")\"); flock -s {srv}/gate true; cat"
    );
    let line = format!("exec mc-map -h {hosts} --block 2K -o x.mc -c '{command}' < in");
    let mut both = [(); 2].map(|()| run(&line).stderr_any().spawn());
    until_or(|| begun(cluster).len() == 2, || format!("both work: {:?}", begun(cluster)));
    drop(gate);
    let mut ended = both.each_mut().map(|tool| tool.wait());
    ended.sort_by_key(|ended| ended.code);
    let said = String::from_utf8_lossy(&ended[1].stderr);
    assert_eq!(ended.each_ref().map(|ended| ended.code), [0, 2], "{said}");
    assert!(said.contains("mc-map: x.mc: another tool has made it meanwhile"), "{said}");
    assert_eq!(names(&dir), ["in", "state", "x.mc"]);
    assert_eq!(names(state.join("mycloud/runs")).len(), 1);
    run("mc-cat x.mc | cmp - in && mc-hosts --rm x.mc").succeeds();
    for run in begun(cluster) {
        let left = format!("ls -d /var/tmp/mycloud-0/*/{run}.* 2>/dev/null || true");
        let here = sh("sh", &left).succeeds().text();
        assert_eq!(here + &cluster.on_host("n1", &left).text(), "", "left of {run}");
    }
    std::fs::read_dir(cluster.srv()).unwrap().flatten().for_each(|entry| {
        let _ = std::fs::remove_file(entry.path());
    });
}

#[test]
fn of_two_tools_at_once_one_keeps_its_data() {
    let cluster = with_workers();
    one_of_two_is_kept(&cluster, "4/n1,4/n2", Path::new("/srv"));
    one_of_two_is_kept(&cluster, "8/:,8/:", &cluster.srv());
    cluster.is_clean();
}
