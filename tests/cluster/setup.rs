//! `--setup`: what a line makes ready for commands, once on a machine.

use nix::sys::signal::Signal;

use crate::support::{Call, Cluster, Random, cluster, dir, need, sh, until, write};

fn run(cluster: &Cluster, dir: &tempfile::TempDir, script: &str) -> Call {
    let script = format!("set -o pipefail; {script}");
    sh("bash", &script).on(cluster).current_dir(dir.path()).stderr_any()
}

/// A word that no other test has: what is made with it was not made before.
fn word() -> String {
    format!("w{:x}", Random::fresh().next())
}

/// How often what was said on standard error holds `text`.
fn said(stderr: &[u8], text: &str) -> usize {
    String::from_utf8_lossy(stderr).matches(text).count()
}

#[test]
fn a_virtual_environment_is_made_once_a_machine() {
    need("python3", "apt-get install python3-venv");
    let (cluster, dir) = (cluster(), dir());
    let module = "$(echo \"$MC_SETUP\"/venv/lib/python3*/site-packages)/answer.py";
    let setup = format!(
        "python3 -m venv --without-pip \"$MC_SETUP/venv\" && echo 'WORD = \"{}\"' > {module} && echo made >&2",
        word()
    );
    write(&dir, "setup", &setup);
    let python = "import answer, os, sys, json; assert sys.prefix == os.environ[\"MC_SETUP\"] + \"/venv\"; \
                  [print(json.dumps([answer.WORD, int(line)])) for line in sys.stdin]";
    write(&dir, "map", format!("$MC_SETUP/venv/bin/python -c '{python}'"));
    let map = "mc-map {h} --block 1 --setup \"$(cat setup)\" -c \"$(cat map)\"";
    let mut answer = None;
    // The host : is this machine, where it is made without hosts.
    for (hosts, makes) in [("", 1), ("-h :,:", 0), ("-h n1,n2", 2), ("-h 2/n1,2/n2", 0)] {
        let map = map.replace("{h}", hosts);
        let script = format!("seq 3 | {map} | mc-gather & seq 3 | {map} | mc-gather; wait $!");
        let script = if hosts.is_empty() { script.replace("| mc-gather", "") } else { script };
        let output = run(cluster, &dir, &script).succeeds();
        assert_eq!(said(&output.stderr, "setup: made"), makes, "{hosts}: {}", output.text());
        let mut lines: Vec<_> = output.text().lines().map(String::from).collect();
        lines.sort();
        assert_eq!(answer.get_or_insert_with(|| lines.clone()), &lines);
    }
    assert_eq!(answer.unwrap().len(), 6);
    // A second stage, over shards.
    let reduce = "mc-reduce --setup \"$(cat setup)\" -c \"cat > /dev/null; ls \\$MC_SETUP/venv/bin/python | wc -l\"";
    let script = format!(
        "seq 2 | {} | mc-shuffle -n 1 | {reduce} | mc-gather | tail -n 1",
        map.replace("{h}", "-h n1,n2")
    );
    let output = run(cluster, &dir, &script).stdout("1\n").succeeds();
    assert_eq!(said(&output.stderr, "setup: made"), 0);
}

#[test]
fn what_it_needs_is_there_and_what_changes_makes_it_anew() {
    let (cluster, dir) = (cluster(), dir());
    write(&dir, "in/list", word());
    write(&dir, "f", "#!/bin/sh\n# one\ncat > /dev/null; cat \"$MC_SETUP/made\"\n");
    let setup = "[ \"$PWD\" = \"$MC_SETUP\" ] && cp in/list made && echo $A >> made && echo made in $MC_HOST >&2";
    let line = format!(
        "chmod +x f; echo 1 | mc-map {{h}} -t --env A=b --ship in --setup '{setup}' ./f {{g}}"
    );
    for (hosts, gather, host) in
        [("", "", ":"), ("-h :", "| mc-gather", "localhost"), ("-h n1", "| mc-gather", "n1")]
    {
        let line = line.replace("{h}", hosts).replace("{g}", gather);
        let makes = |line: &str, count: usize| {
            let output = run(cluster, &dir, line).succeeds();
            let list = std::fs::read_to_string(dir.path().join("in/list")).unwrap();
            let b = if line.contains("A=b") { "b" } else { "c" };
            assert_eq!(output.text(), format!("\"{}\"\n\"{b}\"\n", list.trim_end()));
            assert_eq!(said(&output.stderr, &format!("setup: made in {host}")), count, "{line}");
        };
        write(&dir, "in/list", word() + "\n");
        makes(&line, 1);
        makes(&line, 0);
        // The command is not what it is made of.
        makes(&format!("sed -i 's/one/&&/' f; {line}"), 0);
        makes(&line.replace("A=b", "A=c"), 1);
        std::fs::write(dir.path().join("in/list"), word() + "\n").unwrap();
        makes(&line, 1);
    }
}

#[test]
fn a_line_that_fails_is_an_error_and_nothing_of_it_stays() {
    let (cluster, dir) = (Cluster::of(1), dir());
    let setup = format!("echo half > {}; echo why >&2; [ -e /tmp/well ] || exit 3", word());
    for (hosts, host) in [("-h n1", "n1: "), ("", "")] {
        let map = format!("echo 1 | mc-map {hosts} --setup '{setup}' cat");
        let output = run(&cluster, &dir, &map).fails(1);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(&format!("mc-map: {host}setup: why\n")), "{stderr}");
        assert!(stderr.contains(&format!("mc-map: {host}--setup: bash -c 'echo half")), "{stderr}");
        assert!(stderr.trim_end().ends_with("exit 3': exit status 3"), "{stderr}");
    }
    let there = "ls /var/tmp/mycloud-*/setup | grep -v 'lock$' || true";
    assert_eq!(cluster.on_host("n1", there).text(), "");
    cluster.on_host("n1", "touch /tmp/well");
    let map = format!(
        "echo 1 | mc-map -h n1 --setup '{setup}' -c 'cat; cat $MC_SETUP/w* | jq -R .' | mc-gather"
    );
    run(&cluster, &dir, &map).stdout("1\n\"half\"\n").succeeds();
    run(&cluster, &dir, "echo 1 | mc-reduce --setup true count")
        .fails_with(2, "--setup is for a command");
}

#[test]
fn what_was_half_made_when_the_tool_was_killed_is_made_again() {
    let (cluster, dir) = (Cluster::of(1), dir());
    let setup = "echo half > a; touch /tmp/begun; while [ ! -e /tmp/go ]; do sleep 0.02; done; echo whole > b";
    let map =
        format!("mc-map -h n1 --setup '{setup}' -c 'cat; cat $MC_SETUP/a $MC_SETUP/b | jq -R .'");
    let running = run(&cluster, &dir, &format!("echo 1 | {map} | mc-gather")).spawn();
    let on_host =
        |test: &str| cluster.call(["exec", "n1", "sh", "-c", test]).stderr_any().ends().code == 0;
    until("it is made", || on_host("[ -e /tmp/begun ]"));
    // Another one waits for it meanwhile.
    let waiting = run(&cluster, &dir, &format!("echo 1 | {map} | mc-gather")).spawn();
    until("both are there", || on_host("[ $(ls -d /var/tmp/mycloud-*/runs/*/work | wc -l) = 2 ]"));
    running.signal_all(Signal::SIGKILL);
    running.ends();
    cluster.on_host("n1", "touch /tmp/go");
    let output = waiting.ends();
    assert_eq!((output.code, output.text().as_str()), (0, "1\n\"half\"\n\"whole\"\n"));
    let there = "ls /var/tmp/mycloud-*/setup | grep -vc 'lock$'";
    until("no half is left", || cluster.on_host("n1", there).text() == "2\n");
}
