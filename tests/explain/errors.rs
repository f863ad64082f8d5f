//! What is wrong with a call is found as in a run, with the same words and exit status.

use super::{asked, files};
use crate::support::sh;

/// Calls that are wrong, each in its own way.
const CALLS: [&str; 67] = [
    "mc-cat nosuch.csv",
    "mc-cat 'nosuch*.csv'",
    "mc-cat csv,nosuch:sales.csv",
    "mc-cat sales.unknown",
    "mc-cat -h",
    "mc-cat -h a",
    "mc-cat -h ./no/such x.csv",
    "mc-cat -h a,b --shared --min-hosts 3 x.csv",
    "mc-split",
    "mc-split --by key sales.csv",
    "mc-split -o 'out%d.csv' sales.csv",
    "mc-split --block 5 -o out.csv sales.csv",
    "mc-scatter < users.ndjson",
    "mc-scatter -h a --replicas 2 < users.ndjson",
    "mc-scatter -h a -j 2 < users.ndjson",
    "mc-map",
    "mc-map no-such-command < users.ndjson",
    "mc-map ./sales.csv < users.ndjson",
    "mc-map -c 'a | (b' < users.ndjson",
    "mc-map -o x.mc cat < users.ndjson",
    "mc-map --ship users.ndjson cat < users.ndjson",
    "mc-map -h a --ship nosuch cat < users.ndjson",
    "mc-map -h a -o x.csv cat < users.ndjson",
    "mc-map -h a -j 3 cat < users.ndjson",
    "mc-map -h a --min-hosts 2 cat < users.ndjson",
    "mc-map --each --name x cat < users.ndjson",
    "mc-map --raw cat < users.ndjson",
    "mc-map --failed skip --per shard cat < users.ndjson",
    "mc-map --bad file=no/such/dir cat < users.ndjson",
    "mc-map --bad file=. cat < users.ndjson",
    "mc-map --failed file=no/such/dir cat < users.ndjson",
    "mc-map --env MC_X=1 cat < users.ndjson",
    "mc-map -T nosuch cat < users.ndjson",
    "mc-shuffle -k 'a:z' sales.csv",
    "mc-shuffle --reduce nosuch sales.csv",
    "mc-shuffle --null x sales.csv",
    "mc-shuffle -n 3 sales.csv",
    "mc-shuffle -o x.mc < users.ndjson",
    "mc-sort -S 0 sales.csv",
    "mc-sort -o x.mc sales.csv",
    "mc-sort --check -m sales.csv",
    "mc-reduce < users.ndjson",
    "mc-reduce nosuch < users.ndjson",
    "mc-reduce count -c cat < users.ndjson",
    "mc-reduce -k a --timeout 3s count < users.ndjson",
    "mc-reduce -k a -n 3 count < users.ndjson",
    "mc-reduce -k a --ship users.ndjson -c cat < users.ndjson",
    "mc-reduce -k a -- no-such-command < users.ndjson",
    "mc-join -k a - < users.ndjson",
    "mc-join -k a:r users.ndjson < users.ndjson",
    "mc-join -k a nosuch.csv < users.ndjson",
    "mc-join -k a --outer --prefix a users.ndjson < users.ndjson",
    "mc-gather -o no/such/out.csv < users.ndjson",
    "mc-gather -o . < users.ndjson",
    "mc-gather -o csv:. < users.ndjson",
    "mc-gather -o files:. < users.ndjson",
    "mc-gather -o leveldb:. --replace < users.ndjson",
    "mc-gather -o 'out%d.csv' < users.ndjson",
    "mc-gather -n 2 -o out.csv < users.ndjson",
    "mc-gather -o range:out < users.ndjson",
    "mc-gather -o csv,nosuch:out < users.ndjson",
    "mc-gather -o table,digits=x:out < users.ndjson",
    "mc-gather -o out.csv.gz.zip -o out.csv < users.ndjson",
    "mc-gather -o out.csv.bgz < users.ndjson",
    "mc-gather -o http://a/b.csv < users.ndjson",
    "mc-sort -k a <&-",
    "mc-sort --nosuch",
];

#[test]
fn errors_are_those_of_a_run() {
    let dir = files();
    for script in CALLS {
        let run = sh("bash", script).current_dir(dir.path()).stderr_any().ends();
        let explained = asked("bash", dir.path(), script).stderr_any().ends();
        let said = |output: &crate::support::Output| {
            (output.code, String::from_utf8(output.stderr.clone()).unwrap())
        };
        assert_ne!(run.code, 0, "{script} is no error");
        assert_eq!(said(&explained), said(&run), "{script}");
    }
}

#[test]
fn a_tool_that_fails_leaves_no_plan() {
    let dir = files();
    for shell in ["dash", "bash"] {
        let script = "mc-cat nosuch.csv | mc-sort -k item | mc-gather";
        let call = asked(shell, dir.path(), script).stdout("");
        call.stderr_has("cannot read nosuch.csv").fails_with(4, "its output is not complete");
    }
}

#[test]
fn parts_of_files_need_hosts_as_in_a_run() {
    let dir = files();
    let script = "mc-split sales.csv | mc-map cat";
    asked("bash", dir.path(), script).fails_with(2, "say with -h where to work");
    sh("bash", script).current_dir(dir.path()).stderr_any().fails(2);
}
