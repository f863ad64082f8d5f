//! `mc-explain`: a pipeline as text.

use super::{explained, files, plan};
use crate::support::{mc, names};

#[test]
fn programs_of_others_stand_in_the_plan_and_are_not_called() {
    let dir = files();
    let before = names(dir.path());
    let text = explained(
        dir.path(),
        "mc-cat sales.csv | tee copy | X=1 mc-sort -k item > out | touch ran",
    );
    let part = "2  tee         tee copy\n               none of ours: what it makes of its input is not known\n";
    assert!(text.contains(part), "{text}");
    assert!(text.contains("> out is left out: nothing is written"), "{text}");
    assert_eq!(names(dir.path()), before);
    let plan = plan(dir.path(), "mc-shuffle -k item sales.csv | 'jq' -c . | mc-reduce count");
    let [_, jq, reduce] = plan["stages"].as_array().unwrap().as_slice() else { panic!("{plan}") };
    assert_eq!((&jq["foreign"], &jq["argv"][0]), (&true.into(), &"'jq' -c .".into()));
    // The key that mc-shuffle used is not known behind another program.
    assert_eq!(
        (&reduce["key_from"], &reduce["reads"]["kind"]),
        (&"pairs".into(), &"unknown".into())
    );
    assert_eq!(reduce["advice"], serde_json::Value::Null);
}

#[test]
fn words_are_what_a_shell_makes_of_them() {
    let dir = files();
    let call = mc("explain").arg("mc-cat \"$f\" ./us*son | mc-sort").env("f", "sales.csv");
    let text = call.current_dir(dir.path()).succeeds().text();
    assert!(text.contains("sales.csv: csv, 58 bytes; ./users.ndjson: ndjson, 27 bytes"), "{text}");
    let call = mc("explain").arg("-").stdin("mc-cat sales.csv |\n  # a note\n  mc-sort\n");
    assert!(call.current_dir(dir.path()).succeeds().text().contains("\n2  mc-sort"));
    // What the first member reads is what this tool would read.
    let call = mc("explain").arg("mc-sort").stdin("#");
    assert!(call.succeeds().text().contains("1  mc-sort"));
}

#[test]
fn what_is_no_pipe_of_simple_commands_is_refused() {
    for (line, why) in [
        ("mc-cat x; rm y", "one pipe"),
        ("mc-cat $(ls)", "would run something"),
        ("mc-cat `ls`", "would run something"),
        ("mc-join -k a <(ls)", "would run something"),
        ("", "no pipeline"),
        ("mc-cat |", "a command is missing"),
        ("mc-cat 'x", "this quote does not end"),
    ] {
        mc("explain").arg(line).stdout("").fails_with(2, why);
    }
    mc("explain").fails_with(2, "<PIPELINE>");
}

#[test]
fn the_first_failure_is_said_and_its_status_is_that_of_all() {
    let dir = files();
    let call = mc("explain").arg("mc-cat nosuch.csv | mc-sort -k").current_dir(dir.path());
    let call = call.stdout("").stderr_has("mc-cat: cannot read nosuch.csv");
    let output =
        call.fails_with(2, "mc-explain: 'mc-cat nosuch.csv' cannot be explained: exit status 2");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("mc-sort"));
}
