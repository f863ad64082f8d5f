//! Plans that go down pipes: the last tool shows them, in every shell, and nothing is done.

use std::process::{Command, Stdio};

use super::{asked, explained, files};
use crate::support::{Call, dir, mc, names, sh, tools};

const PIPELINE: &str = "mc-cat sales.csv | mc-map ./clean | mc-shuffle -k region | \
                        mc-reduce sum:amount | mc-gather -o out.csv";

#[test]
fn every_shell_and_mc_explain_say_the_same() {
    let dir = files();
    let text = explained(dir.path(), PIPELINE);
    let stages: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(stages.len(), 5, "{text}");
    for shell in ["dash", "bash", "zsh", "fish"] {
        for _ in 0..5 {
            asked(shell, dir.path(), PIPELINE).stdout(&text).succeeds();
        }
    }
    let options = PIPELINE.replace("mc-", "mc-EXPLAIN").replace("EXPLAINcat", "cat --explain");
    let options = ["map", "shuffle", "reduce", "gather"].iter().fold(options, |line, tool| {
        line.replace(&format!("EXPLAIN{tool}"), &format!("{tool} --explain"))
    });
    sh("bash", &options).current_dir(dir.path()).stdout(&text).succeeds();
    assert_eq!(names(dir.path()), ["clean", "pairs.ndjson", "sales.csv", "users.ndjson"]);
}

#[test]
fn who_is_none_of_ours_gets_text_and_so_does_a_file() {
    let dir = files();
    let text = explained(dir.path(), "mc-cat sales.csv | mc-sort -k item");
    for shell in ["dash", "bash", "zsh", "fish"] {
        for behind in ["| cat", "| cat | cat", "> plan; cat plan", "| sh -c cat"] {
            let script = format!("mc-cat sales.csv | mc-sort -k item {behind}");
            asked(shell, dir.path(), &script).stdout(&text).succeeds();
        }
    }
    // A shell that reads the pipe itself.
    let script = "mc-cat sales.csv | mc-sort -k item | while IFS= read -r x; do echo \"$x\"; done";
    asked("bash", dir.path(), script).stdout(&text).succeeds();
    let script = "x=$(mc-cat sales.csv | mc-sort -k item); echo \"$x\"";
    asked("dash", dir.path(), script).stdout(&text).succeeds();
}

#[test]
fn a_program_that_makes_the_pipe_itself_is_no_shell_and_still_heard() {
    let dir = files();
    let call = |tool: &str| {
        let mut command = Command::new(tools().join(tool));
        command.current_dir(dir.path()).env("MC_EXPLAIN", "json").stdout(Stdio::piped());
        command
    };
    let mut cat = call("mc-cat").arg("sales.csv").spawn().unwrap();
    let sort = call("mc-sort").stdin(cat.stdout.take().unwrap()).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&sort.stdout).unwrap();
    assert_eq!(plan["stages"].as_array().unwrap().len(), 2);
    assert!(cat.wait().unwrap().success() && sort.status.success());
}

#[test]
fn nothing_runs_is_made_or_asked() {
    let (dir, state) = (files(), dir());
    let runtime = state.path().join("runtime");
    let before = names(dir.path());
    for pipeline in [
        PIPELINE,
        "mc-cat sales.csv | mc-map -h nobody.invalid --setup 'touch ran' -o kept.mc ./clean",
        "mc-map --bad file=bad --failed file=failed --memo memo -c 'touch ran' < users.ndjson",
        "mc-cat -h nobody.invalid --shared x.csv | mc-shuffle -k a -o kept.mc",
        "mc-cat sales.csv | mc-scatter -h nobody.invalid --replicas 1 -o kept.mc",
        "mc-cat http://nobody.invalid/a.csv | mc-sort -k a --bad file=bad",
        "mc-split -n 2 -o 'out%d.csv' sales.csv",
        "mc-cat sales.csv | mc-gather -o leveldb:base",
        "mc-cat sales.csv | mc-gather -o files:tree",
        "mc-cat sales.csv | mc-gather -o nosuch:thing",
        "mc-join -k region users.ndjson -o kept.mc",
    ] {
        let script = format!("{pipeline} | cat");
        let call = asked("bash", dir.path(), &script).env("XDG_STATE_HOME", state.path());
        let call = call.env("MC_RUNTIME_DIR", &runtime).env("MC_STATS", dir.path().join("stats"));
        let call = call.env("XDG_CONFIG_HOME", state.path());
        let text = call.succeeds().text();
        assert!(text.starts_with("1  mc-"), "{pipeline}: {text}");
        assert_eq!(names(dir.path()), before, "{pipeline}");
    }
    let left = names(state.path()).into_iter().filter(|name| name != "runtime");
    assert_eq!(left.collect::<Vec<_>>(), [""; 0]);
    if runtime.exists() {
        assert_eq!(names(&runtime), [""; 0]);
    }
}

#[test]
fn what_is_no_plan_on_the_pipe_is_not_known_and_that_is_said() {
    let dir = files();
    for (script, why) in [
        ("cat sales.csv | mc-sort -k item --explain", "data comes on standard input, and no plan"),
        ("true | mc-sort -k item --explain", "nothing comes on standard input"),
        ("printf '#mc-plan1 {' | mc-sort -k item --explain", "the plan of the tools before: EOF"),
        ("mc-cat sales.csv | mc-sort -k item --explain", "data comes on standard input"),
    ] {
        let text = sh("bash", script).current_dir(dir.path()).succeeds().text();
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flat.contains("of which nothing is known") && flat.contains(why),
            "{script}: {text}"
        );
    }
    // Nobody waits for a program that says nothing.
    let script = "coproc sleep 600; mc-sort -k item --explain <&${COPROC[0]}; kill $COPROC_PID";
    let text = sh("bash", script).current_dir(dir.path()).stderr_any().succeeds().text();
    assert!(text.contains("what comes on standard input is not"), "{text}");
}

#[test]
fn a_tool_that_runs_refuses_a_plan() {
    let dir = files();
    for shell in ["dash", "bash", "zsh", "fish"] {
        let script = "mc-cat --explain sales.csv | mc-sort -k item";
        let call = sh(shell, script).current_dir(dir.path()).stdout("");
        call.fails_with(
            2,
            "standard input is the plan of a tool that explains: say --explain here",
        );
    }
}

#[test]
fn json_is_one_line_and_the_last_tool_decides() {
    let dir = files();
    let script =
        "mc-cat --explain sales.csv | mc-sort -k item --explain=json | jq -c '[.stages[].tool]'";
    sh("bash", script).current_dir(dir.path()).stdout("[\"mc-cat\",\"mc-sort\"]\n").succeeds();
    mc("cat").args(["--explain=yaml", "x"]).fails_with(2, "--explain");
    mc("cat").arg("x").env("MC_EXPLAIN", "yes").fails_with(2, "MC_EXPLAIN=yes: say 1 or text");
    mc("cat").arg("range:0..2").env("MC_EXPLAIN", "0").stdout("0\n1\n").succeeds();
    mc("hosts").args(["-h", ":"]).env("MC_EXPLAIN", "1").fails_with(2, "is no stage of a pipeline");
}

#[test]
fn a_file_on_standard_input_is_measured_and_a_packed_one_is_not_guessed_at() {
    let dir = files();
    Call::new("gzip").args(["-k", "users.ndjson"]).current_dir(dir.path()).succeeds();
    let bytes = |file: &str| {
        let script = format!("mc-sort --explain=json < {file} | jq .stages[0].reads.bytes");
        sh("bash", &script).current_dir(dir.path()).succeeds().text()
    };
    assert_eq!((bytes("users.ndjson"), bytes("users.ndjson.gz")), ("27\n".into(), "null\n".into()));
}
