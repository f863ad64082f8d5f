//! The environment of commands: the same here and on hosts, as far as it is said.

use crate::support::{cluster, mc, sh};

/// Prints what a command has in its environment of what the caller has.
const SHOW: &str =
    "jq -c '{a: env.A, b: env.B, c: env.CALLER, task: env.MC_TASK, shard: env.MC_SHARD}'";

#[test]
fn commands_here_have_the_callers_and_what_is_set() {
    let call = mc("map").env("CALLER", "me").env("A", "x").env("MC_SHARD", "9").stdin("1\n");
    let call = call.args(["--env", "A", "--env", "B=y=z", "--env", "B=", "-c", SHOW]);
    call.stdout("{\"a\":\"x\",\"b\":\"\",\"c\":\"me\",\"task\":\"1\",\"shard\":null}\n").succeeds();
    let call = mc("reduce").env("CALLER", "me").env("A", "x").stdin("1\n");
    let call = call.args(["--env", "A", "-c", SHOW]);
    call.stdout("{\"a\":\"x\",\"b\":null,\"c\":\"me\",\"task\":\"1\",\"shard\":null}\n").succeeds();
}

#[test]
fn commands_on_hosts_have_what_is_set_and_nothing_of_the_callers() {
    for hosts in [":", ":,:", "n1", "n1,n2", "n1,:"] {
        let map = format!("mc-map -h {hosts} --block 1 --env A --env 'B=y z' -c \"$SHOW\"");
        let script = format!("seq 2 | {map} | mc-gather");
        let call = sh("bash", &script).on(cluster()).env("SHOW", SHOW);
        let line = |n| {
            format!(
                "{{\"a\":\"é$x\",\"b\":\"y z\",\"c\":null,\"task\":\"{n}\",\"shard\":\"{n}\"}}\n"
            )
        };
        let call = call.env("CALLER", "me").env("A", "é$x");
        call.stdout([line(1), line(2)].concat()).succeeds();
    }
    let script = "seq 2 | mc-map -h n1,n2 --block 1 cat | mc-shuffle -n 2 -k . |
        mc-reduce --env A=7 -c \"jq -c '[., env.A, env.CALLER, env.MC_SHARD, env.MC_HOST != null]'\" |
        mc-gather";
    let call = sh("bash", script).on(cluster()).env("CALLER", "me");
    call.stdout("[1,\"7\",null,\"1\",true]\n[2,\"7\",null,\"2\",true]\n").succeeds();
}

#[test]
fn this_machine_as_a_host_has_a_logins_environment() {
    let names = "env -0 | tr '\\n\\0' ' \\n' | sed 's/=.*//' | grep -v ^MC_ | sort";
    let script = format!("echo 1 | mc-map -h : -t -c \"{names}\" | mc-gather -o text:-");
    let call = sh("bash", &script).on(cluster()).env("LANG", "C.UTF-8").env("SECRET", "x");
    let call = call.env("HOME", "/").env("USER", "u").env("LOGNAME", "u").env("SHELL", "/bin/sh");
    let call = call.env_remove("SSH_CONNECTION");
    let said = call.succeeds().text();
    // What bash sets by itself is not the caller's.
    let own = ["OLDPWD", "PWD", "SHLVL", "_"];
    let found: Vec<&str> = said.lines().filter(|name| !own.contains(name)).collect();
    assert_eq!(found, ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"]);
}

#[test]
fn a_path_is_where_commands_are_looked_for_and_has_the_tools() {
    let dir = crate::support::dir();
    crate::support::write(&dir, "bin/double", "#!/bin/sh\nexec mc-map jq '. * 2'\n");
    let at = cluster();
    let line =
        "chmod +x bin/double; seq 3 | mc-map {h} --env \"PATH=$PWD/bin:/usr/bin:/bin\" double";
    for (hosts, rest) in [("", ""), ("-h :", "| mc-gather")] {
        let script = line.replace("{h}", hosts) + rest;
        sh("bash", &script).current_dir(&dir).on(at).stdout("2\n4\n6\n").succeeds();
    }
}

#[test]
fn variables_that_cannot_be_are_refused() {
    for hosts in [&[][..], &["-h", ":"]] {
        for (word, why) in [
            ("NOT_SET_HERE", "--env NOT_SET_HERE: it is not set here"),
            ("=x", "a variable has a name"),
            ("MC_TASK=3", "names that begin with MC_ are mycloud's own"),
        ] {
            let call =
                mc("map").on(cluster()).args(hosts).args(["--env", word, "cat"]).stdin("1\n");
            call.fails_with(2, why);
        }
    }
    let call = mc("reduce").args(["--env", "A=1", "count"]).stdin("1\n");
    call.fails_with(2, "--env is for a command");
}
