//! What the joined records are.

use crate::support::*;

/// The join of `left` with `right` by `args` is `want`, in both ways of working.
#[track_caller]
fn join(args: &[&str], left: impl AsRef<[u8]>, right: impl AsRef<[u8]>, want: impl AsRef<[u8]>) {
    let dir = dir();
    write(&dir, "right.ndjson", right);
    for memory in ["100M", "1"] {
        let call = mc("join").current_dir(&dir).args(args).args(["-S", memory, "right.ndjson"]);
        call.stdin(&left).stdout(&want).succeeds();
    }
}

#[test]
fn bytes_stay_where_nothing_is_added() {
    let left = "{ \"k\" : 1.0, \"a\":1e0 }\r\n\n{\"k\":2 ,\"a\":\"\\u0041\"}\n  [7]\n{\"k\":3}";
    let right =
        "{\"k\":2.0,\"b\":{ \"c\" : 1 }}\n{\"b\":\"\\u0042\", \"k\" : 2}\n{ \"k\":5, \"b\" :0 }\n";
    let joined = "{\"k\":2 ,\"a\":\"\\u0041\",\"b\":{ \"c\" : 1 }}\n{\"k\":2 ,\"a\":\"\\u0041\",\"b\":\"\\u0042\"}\n";
    let (one, three) = ("{ \"k\" : 1.0, \"a\":1e0 }\n", "  [7]\n{\"k\":3}\n");
    let key = ["-k", "k"];
    let with = |option: &'static str| ["-k", "k", option];
    join(&key, left, right, joined);
    join(&with("--left"), left, right, format!("{one}{joined}{three}"));
    let alone = "{ \"k\":5, \"b\" :0 }\n";
    join(&with("--outer"), left, right, format!("{one}{joined}{three}{alone}"));
    join(&with("--semi"), left, right, "{\"k\":2 ,\"a\":\"\\u0041\"}\n");
    join(&with("--anti"), left, right, format!("{one}{three}"));
}

#[test]
fn the_key_of_the_right_is_left_out_whatever_its_name() {
    let left = rows![{"id": 1, "user": 5}, {"id": 2, "user": 6}];
    let right = rows![{"id": 5, "name": "Ann"}, {"id": 7, "name": "Bob"}];
    join(&["-k", "user=id"], &left, &right, rows![{"id": 1, "user": 5, "name": "Ann"}]);
    join(
        &["-k", "user=id", "--outer"],
        &left,
        &right,
        rows![{"id": 1, "user": 5, "name": "Ann"}, {"id": 2, "user": 6}, {"id": 7, "name": "Bob"}],
    );
}

#[test]
fn a_prefix_goes_before_what_comes_from_the_right() {
    let left = rows![{"id": 1, "name": "order"}, {"id": 2, "name": "other"}];
    let right = rows![{"id": 1, "name": "Ann", "x": 1}, {"id": 3, "name": "Bob"}];
    join(
        &["-k", "id", "--prefix", "user_", "--outer"],
        &left,
        &right,
        rows![
            {"id": 1, "name": "order", "user_name": "Ann", "user_x": 1},
            {"id": 2, "name": "other"},
            {"id": 3, "user_name": "Bob"},
        ],
    );
}

#[test]
fn a_field_of_both_is_refused_and_what_is_told_to_do_helps() {
    let dir = dir();
    write(&dir, "r.ndjson", "{\"id\":1,\"x\":1}\n{\"id\":1,\"n\\u0061me\":\"Ann\"}\n");
    let left = rows![{"id": 0, "name": 0}, {"id": 1, "name": 1}];
    for memory in ["100M", "1"] {
        let join = |args: &[&str]| {
            let call = mc("join").current_dir(&dir).args(["-k", "id", "-S", memory, "r.ndjson"]);
            call.args(args).stdin(&left)
        };
        let said = "mc-join: standard input: line 2: the record has a field 'name', and so has its \
                    match on line 2 of r.ndjson (--prefix P puts P before the names from there)";
        join(&[]).stderr_has(said).fails(3);
        let want =
            "{\"id\":1,\"name\":1,\"P_x\":1}\n{\"id\":1,\"name\":1,\"P_n\\u0061me\":\"Ann\"}\n";
        join(&["--prefix", "P_"]).stdout(want).succeeds();
        join(&["--semi"]).stdout(rows![{"id": 1, "name": 1}]).succeeds();
    }
}

#[test]
fn arrays_and_scalars_have_their_joins() {
    join(
        &["-k", ".[0]"],
        rows![["a", 1], ["b", 2]],
        rows![["b", 3], ["b"]],
        rows![["b", 2, 3], ["b", 2]],
    );
    join(&["-k", ".=id"], "1\n2\n", rows![{"id": 2, "x": "y"}], rows![[2, {"x": "y"}]]);
    join(
        &["-k", "w=."],
        rows![{"w": "a"}, {"w": "b"}],
        "\"b\"\n\"b\"\n",
        rows![{"w": "b"}, {"w": "b"}],
    );
    join(&["-k", "."], "\"a\"\n\"b\"\n", "\"b\"\n", "\"b\"\n");
    join(&["-k", "id=.[0]"], rows![{"id": "a"}], rows![["a", 1]], rows![[{"id": "a"}, [1]]]);
}

#[test]
fn a_record_that_becomes_too_long_is_refused() {
    let dir = dir();
    write(&dir, "r.ndjson", format!("{{\"id\":1,\"a\":\"{}\"}}\n", "x".repeat(600)));
    let left = format!("{{\"id\":1,\"b\":\"{}\"}}\n", "x".repeat(600));
    for memory in ["100M", "1"] {
        let call = mc("join").current_dir(&dir).args(["-k", "id", "-S", memory, "r.ndjson"]);
        let call = call.args(["--max-record", "1000"]).stdin(&left);
        call.stderr_has("line 1: joined it is a record over 1000 bytes (--max-record)").fails(3);
    }
}
