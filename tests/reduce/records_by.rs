//! Ops that give whole records, and samples; resources behind `--reduce`.

use crate::support::*;

const INPUT: &str = "{\"g\":\"a\",\"t\":3,\"n\":0}\n{\"g\":\"b\",\"t\":1,\"n\":1}\n{\"g\":\"a\",\"t\":\"9\",\"n\":2}\n\
                     {\"g\":\"a\",\"t\":9,\"n\":3}\n{\"g\":\"a\",\"t\":3.0,\"n\":4}\n";

#[test]
fn whole_records_by_a_field() {
    let result = |op: &str, want: &str| {
        let want = format!("{{\"g\":\"a\",\"r\":{want}}}\n");
        let op = format!("r={op}:t");
        let of_a = |output: Vec<u8>| -> String {
            let text = String::from_utf8(output).unwrap();
            text.split_inclusive('\n').filter(|line| line.contains("\"g\":\"a\",\"r\"")).collect()
        };
        let call = mc("shuffle").args(["-k", "g", "--reduce", &op]);
        assert_eq!(of_a(call.stdin(INPUT).succeeds().stdout), want);
        let call = mc("shuffle").args(["-S", "1b", "-k", "g", "--reduce", &op]);
        assert_eq!(of_a(call.stdin(INPUT).succeeds().stdout), want);
        let line = format!("mc-scatter -h :,: | mc-shuffle -k g --reduce {op} | mc-gather");
        assert_eq!(of_a(sh("dash", &line).stdin(INPUT).succeeds().stdout), want);
    };
    let rows: Vec<&str> = INPUT.lines().collect();
    result("firstby", rows[0]);
    result("minby", rows[0]);
    result("maxby", rows[2]);
    result("lastby", rows[3]);
    result("topby=3", &format!("[{},{},{}]", rows[2], rows[3], rows[0]));
    result("bottomby=3", &format!("[{},{},{}]", rows[0], rows[4], rows[2]));
    result("topby=9", &format!("[{},{},{},{}]", rows[2], rows[3], rows[0], rows[4]));
    result("top=2", "[9,9]");
    result("bottom=2", "[3,3.0]");
}

#[test]
fn without_a_field_first_and_last_are_records() {
    let line = "mc-shuffle -k g | mc-reduce last | jq -c .last";
    let want = rows![{"g": "a", "t": 3, "n": 4}, {"g": "b", "t": 1, "n": 1}];
    sh("bash", line).stdin(INPUT.replace("3.0", "3")).stdout(want).succeeds();
}

#[test]
fn other_names_of_mean_and_median() {
    let call = mc("shuffle").args(["-k", "g", "--reduce", "avg:t", "mean:t", "median:t", "p50:t"]);
    call.stdin(INPUT)
        .stdout(rows![
            {"g": "a", "t_avg": 6, "t_mean": 6, "t_median": 6, "t_p50": 6},
            {"g": "b", "t_avg": 1, "t_mean": 1, "t_median": 1, "t_p50": 1},
        ])
        .succeeds();
}

#[test]
fn a_sample_is_the_same_however_the_records_come() {
    let input: String = (0..4000).map(|n| format!("{{\"g\":{},\"n\":{n}}}\n", n % 3)).collect();
    let ops = ["sample=5", "sample=2:n"];
    let want = mc("shuffle").args(["-k", "g", "--reduce"]).args(ops).stdin(&input).succeeds();
    let mut lines: Vec<&str> = input.lines().collect();
    let mut random = Random::seeded(4);
    for at in (1..lines.len()).rev() {
        lines.swap(at, random.below(at as u64 + 1) as usize);
    }
    let turned: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    for memory in ["1b", "30K", "1G"] {
        let call = mc("shuffle").args(["-S", memory, "-j", "3", "-k", "g", "--reduce"]).args(ops);
        call.stdin(&turned).stdout(&want.stdout).succeeds();
    }
    let line = "mc-scatter -h :,: | mc-shuffle -k g --reduce sample=5 sample=2:n | mc-gather";
    sh("dash", line).stdin(&turned).stdout(&want.stdout).succeeds();
    let line = "mc-shuffle -k g | mc-reduce sample=5 sample=2:n";
    sh("dash", line).stdin(&turned).stdout(&want.stdout).succeeds();
    // Drawn are records of the input, of each group, and each only as often as it comes.
    let drawn = jq(&["-c", ".sample5[]"], &want.stdout);
    let drawn: Vec<&str> = std::str::from_utf8(&drawn).unwrap().lines().collect();
    assert_eq!(drawn.len(), 15);
    assert_eq!(drawn.iter().collect::<std::collections::HashSet<_>>().len(), 15);
    assert!(drawn.iter().all(|record| input.contains(&format!("{record}\n"))));
    let all = mc("reduce").args(["--all", "sample=9"]).stdin("\"x\"\n\"y\"\n\"x\"\n").succeeds();
    let all = String::from_utf8(jq(&["-c", ".sample9 | sort"], all.stdout)).unwrap();
    assert_eq!(all, "[\"x\",\"x\",\"y\"]\n");
}

#[test]
fn a_sample_is_no_worse_than_chance() {
    // Of 300 groups with the numbers from 0 to 99, the mean of what is drawn is near 49.5.
    let input: String = (0..30_000).map(|n| format!("[{},{}]\n", n / 100, n % 100)).collect();
    let drawn = mc("reduce").arg("sample=10").stdin(&input).succeeds().stdout;
    let drawn = String::from_utf8(jq(&["-c", ".[1][]"], drawn)).unwrap();
    let drawn: Vec<f64> = drawn.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(drawn.len(), 3000);
    let mean = drawn.iter().sum::<f64>() / 3000.0;
    // Four standard errors of 28.9 / sqrt(3000); the input being fixed, this holds or not.
    assert!((47.4..51.6).contains(&mean), "{mean}");
}

#[test]
fn resources_behind_reduce_are_read() {
    let dir = dir();
    write(&dir, "a.csv", "g,v\nx,1\ny,2\n");
    write(&dir, "plain", "{\"g\":\"x\",\"v\":5}\n");
    let want = rows![{"g": "x", "v_sum": 1}, {"g": "y", "v_sum": 2}];
    let here = |line: &str| sh("dash", line).current_dir(dir.path());
    for line in [
        "mc-shuffle -k g --reduce sum:v a.csv",
        "mc-shuffle -k g a.csv --reduce sum:v",
        "mc-shuffle -k g --reduce sum:v csv:a.csv",
        "mc-shuffle -k g --reduce ./a.csv sum:v",
        "mc-cat a.csv | mc-shuffle -k g --reduce sum:v -",
        "mc-shuffle -f csv --reduce sum:v a.csv -k g",
    ] {
        here(line).stdout(&want).succeeds();
    }
    let call = here("mc-shuffle -k g -f ndjson --reduce sum:v plain");
    call.stdout(rows![{"g": "x", "v_sum": 5}]).succeeds();
    here("mc-shuffle --reduce sum:v b.csv").stderr_has("b.csv: No such file").fails(2);
    let call = here("mc-shuffle --reduce sum:v foo:b.csv");
    call.stderr_has("'foo' is none of").stderr_has("; resources stand before --reduce").fails(2);
    here("mc-shuffle --reduce summ:v").stderr_has("(did you mean sum?)").fails(2);
    here("mc-shuffle --reduce top=0.5:v").stderr_has("N of top=N is a number").fails(2);
    here("mc-shuffle --reduce a.csv").stderr_has("there is no OP behind it").fails(2);
}
