//! How `mc-join` is called, what it reads, and how it ends.

use crate::support::*;

#[test]
fn wrong_calls_are_refused() {
    let dir = dir();
    write(&dir, "r.ndjson", rows![{"r_id": 1}]);
    let refused = |args: &[&str], text: &str| {
        let call = mc("join").current_dir(&dir).args(args).stdin("{\"a\":1}\n");
        call.stderr_has(text).fails(2);
    };
    refused(&["r.ndjson"], "--key <KEY>");
    refused(&["-k", "a"], "<RESOURCE>");
    refused(&["-k", "a", "-"], "standard input has the left records");
    refused(&["-k", "a", "ndjson:-"], "standard input has the left records");
    refused(&["-k", "a=b=c", "r.ndjson"], "bad key 'a=b=c': more than one '='");
    refused(&["-k", "a:n=b:i", "r.ndjson"], "the modifiers of its sides differ");
    refused(&["-k", "a:r", "r.ndjson"], "a join keeps the order of its input");
    refused(&["-k", "a", "--semi", "--anti", "r.ndjson"], "cannot be used with");
    refused(&["-k", "a", "--semi", "--prefix", "x", "r.ndjson"], "cannot be used with");
    refused(&["-k", "a=r_id", "--outer", "--prefix", "r_", "r.ndjson"], "begins so: say another");
    refused(&["-k", "a", "no-such.csv"], "no-such.csv: No such file");
}

#[test]
fn the_right_side_may_be_of_any_format_and_of_several_files() {
    let dir = dir();
    write(&dir, "users.csv", "id,name\n1,Ann\n2,Bob\n");
    write(&dir, "more.csv", "id,name\n3,Cy\n");
    write(&dir, "plain", "id;name\n4;Dan\n");
    let join = |args: &[&str], key: &str, left: &str, want: String| {
        let call = mc("join").current_dir(&dir).args(["-k", key]).args(args).stdin(left);
        call.stdout(want).succeeds();
    };
    let want = rows![{"u": 2, "name": "Bob"}];
    join(&["csv,typed:users.csv"], "u=id", "{\"u\":2}\n", want.clone());
    join(&["users.csv"], "u:n=id", "{\"u\":2}\n", want);
    let want = rows![{"id": "3", "name": "Cy"}, {"id": "1", "name": "Ann"}];
    join(&["users.csv", "more.csv"], "id", "{\"id\":\"3\"}\n{\"id\":\"1\"}\n", want);
    let want = rows![{"id": "4", "name": "Dan"}];
    join(&["-f", "csv,delim=;", "plain"], "id", "{\"id\":\"4\"}\n", want);
    join(&["range:3..5"], "id=.", "{\"id\":2}\n{\"id\":3}\n", rows![{"id": 3}]);
}

#[test]
fn bad_records_of_either_side_are_judged() {
    let dir = dir();
    write(&dir, "r.ndjson", "{\"k\":1,\"b\":1}\n{\"k\":2\n{\"k\":3,\"b\":3}\n");
    let left = "{\"k\":1}\n{\"k\":3}}\n{\"k\":3}\n";
    for memory in ["100M", "1"] {
        let join = |args: &[&str]| {
            let call = mc("join").current_dir(&dir).args(["-k", "k", "-S", memory, "r.ndjson"]);
            call.args(args)
        };
        join(&[]).stdin(left).stderr_has("mc-join: r.ndjson: line 2, byte 7: ").fails(3);
        let want = rows![{"k": 1, "b": 1}, {"k": 3, "b": 3}];
        let call = join(&["--bad", "skip"]).stdin(left);
        call.stdout(&want).stderr_has("2 bad records").succeeds();
        let call = join(&["--bad", "file=bad"]).stdin(left);
        call.stdout(&want).stderr_has("2 bad records").succeeds();
        let kept = std::fs::read_to_string(dir.path().join("bad")).unwrap();
        assert_eq!(kept, "{\"k\":2\n{\"k\":3}}\n");
        join(&["--bad", "limit=1"]).stdin(left).stderr_any().fails(3);
    }
    write(&dir, "r.ndjson", "{\"k\":1}\n");
    let call = mc("join").current_dir(&dir).args(["-k", "k", "r.ndjson"]).stdin(left);
    call.stdout("").stderr_has("mc-join: standard input: line 2, byte 8: ").fails(3);
}

#[test]
fn a_key_that_no_record_has_is_told() {
    let dir = dir();
    write(&dir, "r.ndjson", rows![{"id": 1}]);
    let left = rows![{"user": {"id": 1}}, {"user": {"id": 2}}];
    for memory in ["100M", "1"] {
        let join = |key: &str| {
            let call = mc("join").current_dir(&dir).args(["-S", memory, "--anti", "-k", key]);
            call.arg("r.ndjson").stdin(&left)
        };
        let call = join("user.id=id").stdout(&left);
        call.stderr_has(
            "mc-join: standard input: no record has the key; of one of them: the record has no \
             'user.id', but user (did you mean .user.id?)",
        )
        .succeeds();
        join(".user.id=id").stdout(rows![{"user": {"id": 2}}]).succeeds();
        let call = join(".user.id=no").stdout(&left);
        call.stderr_has("mc-join: r.ndjson: no record has the key; of one of them: ").succeeds();
        let call = join("user:n=id").stdout(&left);
        call.stderr_has("'user' is not a number").succeeds();
    }
    let some = rows![{"id": 1}, {"x": 2}, {"id": null}];
    let call = mc("join").current_dir(&dir).args(["-k", "id", "--anti", "r.ndjson"]).stdin(some);
    call.stdout(rows![{"x": 2}, {"id": null}]).succeeds();
}

#[test]
fn an_upstream_that_failed_is_no_end() {
    let dir = dir();
    write(&dir, "r.ndjson", "1\n");
    let script = "mc-cat /no/such/file | mc-join -k . r.ndjson";
    let call = sh("dash", script).current_dir(&dir).stdout("");
    call.stderr_has("mc-join: the upstream mc-cat failed").fails(4);
}
