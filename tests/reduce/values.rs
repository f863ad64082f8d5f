//! Values that are missing, that are no numbers, and what is said of them: each hint is followed.

use crate::support::*;

/// A table as people have them: text for what is not there, and text that is a mistake.
const TABLE: &str = "g,v\na,1\na,NA\nb,N/A\nb,2.5\nb,\nb,-\na,3\n";

#[test]
fn texts_that_stand_for_no_value_are_named() {
    let dir = dir();
    let table = write(&dir, "t.csv", TABLE);
    let want = rows![{"g": "a", "v_sum": 4, "v_max": 3}, {"g": "b", "v_sum": 2.5, "v_max": 2.5}];
    let nulls = "--null NA --null=N/A --null -";
    for line in [
        "mc-cat t.csv | mc-shuffle -k g | mc-reduce --missing=null NULLS sum:v max:v",
        "mc-shuffle t.csv -k g --missing=null NULLS --reduce sum:v max:v",
        "mc-shuffle t.csv -S 1b -k g --missing=null NULLS --reduce sum:v max:v",
        "mc-shuffle t.csv -k g --order-by v --missing=null NULLS --reduce sum:v max:v",
        "mc-cat t.csv | mc-scatter -h :,: | mc-shuffle -k g --missing=null NULLS --reduce sum:v max:v |
         mc-gather",
        "mc-cat t.csv | mc-scatter -h :,: | mc-shuffle -k g | mc-reduce --missing=null NULLS sum:v max:v |
         mc-gather",
        "mc-cat t.csv | mc-scatter -h :,: | mc-sort -k g | mc-reduce -k g --missing=null NULLS sum:v max:v |
         mc-gather",
    ] {
        let line = line.replace("NULLS", nulls);
        sh("dash", &line).current_dir(dir.path()).stdout(&want).succeeds();
    }
    let call = mc("reduce").args(["--all", "--null", "NA", "sum:v"]).stdin(rows![{"v": "NA"}]);
    call.stderr_has("'v' is \"NA\" (--missing=skip or --missing=null leaves such values out)")
        .fails(3);
    let call =
        mc("shuffle").args(["-k", "g", "--missing=skip", "--null=NA", "--reduce", "count:v"]);
    call.arg(&table)
        .stdout(rows![{"g": "a", "v_count": 2}, {"g": "b", "v_count": 3}])
        .stderr_has("2 records lacking a value or a number")
        .succeeds();
    // A number is named as it is spelled; ops that take any value take these too.
    let input = rows![{"v": -999}, {"v": " -999 "}, {"v": 1}, {"v": "-999.0"}];
    let call = mc("reduce").args(["--all", "--missing=null", "--null=-999", "sum:v", "collect:v"]);
    call.stdin(input)
        .stdout(rows![{"v_sum": -998, "v_collect": [-999, " -999 ", 1, "-999.0"]}])
        .succeeds();
    mc("reduce").args(["--null", "NA", "-c", "cat"]).stderr_has("there is none").fails(2);
    mc("shuffle").args(["--null", "NA"]).stderr_has("there is none").fails(2);
}

#[test]
fn what_is_no_number_is_left_out_where_missing_values_are() {
    let input = rows![{"v": 1}, {"v": "x"}, {"v": [2]}, {"v": "3"}];
    let call =
        mc("reduce").args(["--all", "--missing=skip", "sum:v", "count:v", "count", "last:v"]);
    call.stdin(&input)
        .stdout(rows![{"v_sum": 4, "v_count": 4, "count": 4, "v_last": "3"}])
        .stderr_has("2 records lacking a value or a number")
        .succeeds();
    let call = mc("reduce").args(["--all", "--missing=null", "sum:v"]).stdin(&input);
    call.stderr_has("line 2: sum:v: \"x\" is not a number\n").fails(3);
}

#[test]
fn the_hints_for_what_is_no_number_hold() {
    let dir = dir();
    write(&dir, "t.csv", "g,v\na,1\na,n/a\nb,2.5\n");
    let here = |line: &str| sh("dash", line).current_dir(dir.path());
    let hint = "line 2: sum:v: \"n/a\" is not a number; if it stands for no value: --null n/a \
                --missing=skip, or read the CSV with null=n/a\n";
    here("mc-shuffle t.csv -k g --reduce sum:v").stderr_has(hint).fails(3);
    let want = rows![{"g": "a", "v_sum": 1}, {"g": "b", "v_sum": 2.5}];
    let call = here("mc-shuffle t.csv -k g --null n/a --missing=skip --reduce sum:v");
    call.stdout(&want).stderr_has("1 record lacking").succeeds();
    let call = mc("reduce").args(["--all", "sum:v"]).stdin(rows![{"v": "\\N"}]);
    call.stderr_has("--null '\\N' --missing=skip, or").fails(3);
    let call = mc("sort").args(["-k", "v:n"]).stdin(rows![{"v": "1.10.2"}, {"v": "1.9"}]);
    call.stderr_has("'v' is not a number: \"1.10.2\" (as a version: v:V; --missing").fails(3);
    let call = mc("sort").args(["-k", "v:V"]).stdin(rows![{"v": "1.10.2"}, {"v": "1.9"}]);
    call.stdout(rows![{"v": "1.9"}, {"v": "1.10.2"}]).succeeds();
    let way = "'v' is not a number: \"NA\" (--missing=null|skip accepts it; when read as CSV, null=NA \
               makes it null)";
    mc("sort").args(["-k", "v:n"]).stdin(rows![{"v": "NA"}]).stderr_has(way).fails(3);
    let line = "printf 'v\n2\nNA\n' | mc-cat csv,null=NA:- | mc-sort -k v:n --missing=null";
    sh("bash", line).stdout(rows![{"v": null}, {"v": "2"}]).succeeds();
}

#[test]
fn fields_that_are_not_there_are_told_with_those_that_are() {
    let input = rows![{"carrier": "AA", "user": {"id": 2}}, {"carrier": "UA", "user": {"id": 1}}];
    let sort = |key: &str| mc("sort").args(["-k", key]).stdin(&input);
    let hint = "line 1: the record has no 'carier', but carrier, user (did you mean carrier?)";
    sort("carier").stderr_has(hint).fails(3);
    sort("user.id").stderr_has("(did you mean .user.id?)").fails(3);
    let sorted = rows![{"carrier": "UA", "user": {"id": 1}}, {"carrier": "AA", "user": {"id": 2}}];
    sort(".user.id").stdout(sorted).succeeds();
    sort("tail").stderr_has("(--missing=null|skip accepts it)").fails(3);
    let reduce = |op: &str| mc("reduce").args(["-k", "carrier", op]).stdin(&input);
    let hint =
        "sum:user.id: the record has no 'user.id', but carrier, user (did you mean .user.id?)";
    reduce("sum:user.id").stderr_has(hint).fails(3);
    let want = rows![{"carrier": "AA", "id_sum": 2}, {"carrier": "UA", "id_sum": 1}];
    reduce("sum:.user.id").stdout(want).succeeds();
    reduce("sum:x").stderr_has("'x', but carrier, user (--missing=skip or").fails(3);
    reduce("summ:x").stderr_has("(did you mean sum?)").fails(2);
    let pairs = rows![["k", {"delay": 3}]];
    let call = mc("sort").args(["-k", "delay"]).stdin(&pairs);
    call.stderr_has("(did you mean .[1].delay?)").fails(3);
    mc("sort").args(["-k", ".[1].delay"]).stdin(&pairs).stdout(&pairs).succeeds();
}

#[test]
fn text_is_ordered_but_not_together_with_numbers() {
    let dates = rows![
        {"g": 1, "d": "2024-02-10"}, {"g": 1, "d": "2023-12-31"}, {"g": 1, "d": "2024-10-01"},
    ];
    let call = mc("reduce").args(["-k", "g", "min:d", "max:d", "top=2:d"]).stdin(&dates);
    let want = rows![
        {"g": 1, "d_min": "2023-12-31", "d_max": "2024-10-01", "d_top2": ["2024-10-01", "2024-02-10"]},
    ];
    call.stdout(want).succeeds();
    let mixed = rows![{"g": 1, "v": 5}, {"g": 1, "v": "NA"}, {"g": 1, "v": 7}];
    for op in ["min", "max", "minby", "maxby", "firstby", "lastby", "top=1", "bottomby=2"] {
        let op = format!("{op}:v");
        let call = mc("reduce").args(["-k", "g", &op]).stdin(&mixed);
        let hint = format!(
            "line 2: {op}: \"NA\" is text, and numbers are in its group; if it stands for no \
             value: --null NA --missing=skip, or"
        );
        call.stderr_has(hint).fails(3);
        let call = mc("reduce").args(["-k", "g", "--null", "NA", "--missing=skip", &op]);
        call.stdin(&mixed).stderr_has("1 record lacking").succeeds();
    }
    let call = mc("reduce").args(["-k", "g", "max:v"]);
    let call = call.stdin(rows![{"g": 1, "v": "x"}, {"g": 1, "v": "5"}]);
    call.stderr_has("line 2: max:v: \"5\" is a number, and text is in its group").fails(3);
    // In different groups they do not meet, and where they do, no cut hides it.
    let apart = rows![{"g": 1, "v": 5}, {"g": 2, "v": "NA"}];
    let call = mc("shuffle").args(["-k", "g", "--reduce", "max:v"]).stdin(apart);
    call.stdout(rows![{"g": 1, "v_max": 5}, {"g": 2, "v_max": "NA"}]).succeeds();
    let many: String = (0..3000)
        .map(|n| {
            format!(
                "{{\"g\":1,\"v\":{}}}\n",
                if n == 2900 { "\"x\"".into() } else { n.to_string() }
            )
        })
        .collect();
    for memory in ["1b", "20K", "1G"] {
        let call = mc("shuffle").args(["-S", memory, "-j", "3", "-k", "g", "--reduce", "max:v"]);
        call.stdin(&many).stderr_has("max:v").fails(3);
    }
    let line = "mc-scatter -h :,: | mc-shuffle -k g --reduce max:v | mc-gather";
    sh("dash", line).stdin(&many).stderr_has("max:v").fails(4);
}
