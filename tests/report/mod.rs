//! `mc-report`: the numbers of its pages against those of the stats, what is refused, and the page in a browser.

mod browser;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{dir, mc, python, sh, write};

const TABLES: &str = include_str!("tables.py");

/// A table of a page: a row by the titles of its columns.
pub struct PageTable {
    name: String,
    rows: Vec<BTreeMap<String, String>>,
}

/// The tables in what `tables.py` or `look.js` says of a page.
pub fn tables_in(said: &Value) -> Vec<PageTable> {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_string()).collect()
    };
    let table = |table: &Value| {
        let columns = texts(&table["columns"]);
        let rows = table["rows"].as_array().unwrap().iter().map(|row| {
            let row = texts(row);
            assert_eq!(row.len(), columns.len(), "{table}");
            columns.iter().cloned().zip(row).collect()
        });
        PageTable { name: table["name"].as_str().unwrap().into(), rows: rows.collect() }
    };
    said.as_array().unwrap().iter().map(table).collect()
}

/// The tables of a page, whose markup is sound.
pub fn tables_of(page: &[u8]) -> Vec<PageTable> {
    tables_in(&serde_json::from_slice(&python(TABLES, &[], page)).unwrap())
}

fn lines(stats: &str) -> Vec<Value> {
    stats.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All rows of the tables of a name.
fn rows<'a>(tables: &'a [PageTable], name: &str) -> Vec<&'a BTreeMap<String, String>> {
    tables.iter().filter(|table| table.name == name).flat_map(|table| &table.rows).collect()
}

/// How many lines of `kind` have `field` as `value`.
fn count(lines: &[Value], kind: &str, field: &str, value: &str) -> usize {
    let has = |line: &&Value| line["kind"] == kind && (field.is_empty() || line[field] == value);
    lines.iter().filter(has).count()
}

/// Fails unless the tables say what the lines do.
pub fn agree(tables: &[PageTable], stats: &str) {
    let lines = lines(stats);
    let stages = rows(tables, "stages");
    assert_eq!(stages.len(), count(&lines, "stage", "", ""));
    for line in lines.iter().filter(|line| line["kind"] == "stage") {
        let process = line["pid"].to_string();
        let row = stages.iter().find(|row| row["Process"] == process).unwrap();
        assert!(row["Stage"].starts_with(line["tool"].as_str().unwrap()), "{row:?}");
        for (title, field) in [
            ("Records in", "records_in"),
            ("Records out", "records_out"),
            ("Bytes in", "bytes_in"),
            ("Bytes out", "bytes_out"),
            ("Retries", "retries"),
            ("Bad", "bad"),
            ("Failed records", "failed"),
            ("Missing", "missing"),
            ("Spilled", "spilled_bytes"),
            ("Memo hits", "memo_hits"),
            ("To and from hosts", "client_bytes"),
            ("Peak memory", "peak_rss_bytes"),
        ] {
            let due = line[field].as_u64().map_or("–".into(), |number| number.to_string());
            assert_eq!(row[title], due, "{title} of {line}");
        }
        let ended =
            if line["status"] == 0 { "ok".into() } else { format!("exit {}", line["status"]) };
        assert_eq!(row["Ended"], ended);
        let attempts = count(&lines, "task", "stage", line["stage"].as_str().unwrap());
        assert_eq!(row["Attempts"], attempts.to_string());
    }
    let sum = |name: &str, title: &str| -> usize {
        rows(tables, name).iter().map(|row| row[title].parse::<usize>().unwrap()).sum()
    };
    for (title, outcome) in [
        ("Done", "done"),
        ("Tried again", "again"),
        ("Failed", "failed"),
        ("Lost", "lost"),
        ("Superseded", "superseded"),
        ("Stopped", "stopped"),
    ] {
        assert_eq!(sum("lanes", title), count(&lines, "task", "outcome", outcome), "{title}");
    }
    assert_eq!(sum("lanes", "Attempts"), count(&lines, "task", "", ""));
    let made = rows(tables, "totals").into_iter().filter(|row| row["What"] == "Shards made");
    let made: usize = made.map(|row| row["How much"].parse::<usize>().unwrap()).sum();
    assert_eq!(made, count(&lines, "shard", "", ""));
    each_attempt(&rows(tables, "attempts"), &lines);
}

/// Fails unless each attempt that is listed is one of the lines.
fn each_attempt(rows: &[&BTreeMap<String, String>], lines: &[Value]) {
    let number = |value: &Value| value.as_u64().map_or("–".into(), |number| number.to_string());
    let due = lines.iter().filter(|line| line["kind"] == "task").map(|line| {
        let word = |field: &str| line[field].as_str().unwrap().to_string();
        let numbers = ["task", "attempt", "slot", "records_in", "bytes_in", "records_out"];
        let numbers = numbers.map(|field| number(&line[field]));
        (word("work"), word("host"), numbers, line["seconds"].as_f64().unwrap().to_string())
    });
    let shown = rows.iter().map(|row| {
        let titles = ["Task", "Attempt", "Slot", "Records in", "Bytes in", "Records out"];
        let numbers = titles.map(|title| row[title].clone());
        (row["Work"].clone(), row["Host"].clone(), numbers, row["Took"].clone())
    });
    let (mut due, mut shown): (Vec<_>, Vec<_>) = (due.collect(), shown.collect());
    due.sort();
    shown.sort();
    assert_eq!(shown, due);
}

/// Some pipelines: what they are, and how they end.
const PIPELINES: [(&str, i32); 3] = [
    (
        "mc-cat range:0..3000 | mc-map -j3 --block 2000 -c \
         'if [ $MC_TASK$MC_ATTEMPT = 31 ]; then exit 5; fi; jq -c \"{k: (. % 7), v: .}\"' |
         mc-shuffle -k k | mc-reduce -k k count sum:v | mc-gather -o csv:out.csv",
        0,
    ),
    ("mc-cat range:0..10 | mc-map --block 1K --retries 1 -c 'grep -v 7 && exit 9' | mc-gather", 4),
    ("mc-join -k . <(mc-cat range:0..10 | mc-map cat) < <(mc-cat range:5..20 | mc-map cat)", 0),
];

/// Runs the pipelines in `dir`, and gives the stats and the page.
pub fn ran(dir: &tempfile::TempDir) -> (String, Vec<u8>) {
    for (line, code) in PIPELINES {
        let call = sh("bash", line).current_dir(dir.path()).env("MC_STATS", "run.ndjson");
        let code_of = call.stderr_any().ends().code;
        assert_eq!(code_of, code, "{line}");
        // That one is newer than the other is told by the time.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    mc("report").current_dir(dir.path()).args(["run.ndjson", "-o", "page.html"]).succeeds();
    let page = std::fs::read(dir.path().join("page.html")).unwrap();
    (std::fs::read_to_string(dir.path().join("run.ndjson")).unwrap(), page)
}

#[test]
fn all_numbers_are_those_of_the_stats() {
    let dir = dir();
    let (stats, page) = ran(&dir);
    let tables = tables_of(&page);
    agree(&tables, &stats);
    let text = String::from_utf8(page).unwrap();
    let titles: Vec<&str> = text
        .split("<h2 ")
        .skip(1)
        .map(|rest| rest.split_once('>').unwrap().1.split_once('<').unwrap().0)
        .collect();
    assert_eq!(titles.len(), 3, "{titles:?}");
    assert!(
        titles[0].contains("mc-join") && titles[0].matches("mc-cat").count() == 2,
        "{titles:?}"
    );
    assert_eq!(titles[1], "mc-cat → mc-map → mc-gather");
    assert_eq!(titles[2], "mc-cat → mc-map → mc-shuffle → mc-reduce → mc-gather");
    let plans: Vec<&str> = text.split("<h3>Plan</h3>").skip(1).collect();
    assert_eq!(plans.len(), 3, "{text}");
    let last = plans[2].split_once("</pre>").unwrap().0;
    for said in [
        "\n4  mc-reduce",
        "known then: records are grouped by",
        "better: mc-shuffle and mc-reduce in one",
    ] {
        assert!(last.contains(said), "{said}: {last}");
    }
    let lines = lines(&stats);
    assert_eq!(count(&lines, "task", "outcome", "again"), 2);
    assert_eq!(count(&lines, "task", "outcome", "failed"), 1);
    let again = lines.iter().find(|line| line["outcome"] == "again").unwrap();
    assert_eq!(
        (&again["exit"], &again["task"], &again["attempt"]),
        (&5.into(), &3.into(), &1.into())
    );
    assert_eq!((&again["why"], &again["host"]), (&"exit status 5".into(), &"localhost".into()));
    let of_map = |line: &&Value| line["kind"] == "task" && line["stage"] == again["stage"];
    let done = lines.iter().filter(of_map).filter(|line| line["outcome"] == "done");
    assert_eq!(done.map(|line| line["records_in"].as_u64().unwrap()).sum::<u64>(), 3000);
    let failures = rows(&tables, "failures");
    assert_eq!(failures.len(), 1);
    assert!(failures[0]["Why"].contains("exit status 9 (2 attempts)"), "{failures:?}");
    // What it was run on is kept: the line fails there, too.
    sh("bash", &failures[0]["By hand"]).stdout_to("/dev/null").stderr_any().fails(9);
}

#[test]
fn what_a_variable_of_a_command_holds_is_nowhere_in_the_stats() {
    let dir = dir();
    let line = "seq 3 | mc-map --env TOKEN=wooden-spoon --stats run cat";
    sh("bash", line).current_dir(dir.path()).stdout("1\n2\n3\n").succeeds();
    let stats = std::fs::read_to_string(dir.path().join("run")).unwrap();
    let end: Value = serde_json::from_str(stats.lines().last().unwrap()).unwrap();
    assert_eq!(end["plan"]["command"]["env"][0], "TOKEN");
    assert!(!stats.contains("wooden-spoon"), "{stats}");
}

#[test]
fn the_line_by_hand_does_what_the_task_did() {
    let dir = dir();
    let line = "seq 5000 > in; mc-map --stats run --block 3K awk '{ print $1 * 3 }' < in > out && \
                mc-report run -o page && cp in INPUT";
    sh("bash", line).current_dir(dir.path()).succeeds();
    let tables = tables_of(&std::fs::read(dir.path().join("page")).unwrap());
    let slowest = rows(&tables, "slowest");
    assert!(slowest.len() > 3);
    let stats = std::fs::read_to_string(dir.path().join("run")).unwrap();
    let lines = lines(&stats);
    for row in slowest {
        let number: u64 = row["Task"].parse().unwrap();
        let task = lines.iter().find(|l| l["kind"] == "task" && l["task"] == number);
        let task = task.unwrap();
        let made = sh("bash", &row["By hand"]).current_dir(dir.path()).succeeds().stdout;
        assert_eq!(made.len() as u64, task["bytes_out"].as_u64().unwrap(), "{row:?}");
        let first = task["lines"][0].as_u64().unwrap() * 3;
        assert!(made.starts_with(format!("{first}\n").as_bytes()), "{row:?}");
    }
}

#[test]
fn a_tool_in_a_command_is_no_stage_of_the_pipeline() {
    let dir = dir();
    let line = "seq 9 | mc-map -c 'mc-sort -k .:r' | mc-gather -o out.ndjson";
    sh("bash", line).current_dir(dir.path()).env("MC_STATS", "run").succeeds();
    let stats = std::fs::read_to_string(dir.path().join("run")).unwrap();
    let tools: Vec<String> = lines(&stats)
        .iter()
        .filter(|line| line["kind"] == "stage")
        .map(|line| line["tool"].as_str().unwrap().to_string())
        .collect();
    assert!(tools.len() == 2 && !tools.contains(&"mc-sort".to_string()), "{tools:?}");
}

#[test]
fn what_is_no_line_of_stats_is_an_error_and_a_cut_one_at_the_end_is_not() {
    let dir = dir();
    let sound = "mc-map --stats run cat <<< 1 > out";
    sh("bash", sound).current_dir(dir.path()).succeeds();
    let stats = std::fs::read_to_string(dir.path().join("run")).unwrap();
    let report = |text: &str| {
        write(&dir, "x", text);
        mc("report").current_dir(dir.path()).arg("x")
    };
    let count = stats.lines().count();
    report(&format!("{stats}no\n{stats}"))
        .fails_with(3, &format!("x:{}: no line of --stats", count + 1));
    report(&format!("[1]\n{stats}")).fails_with(3, "x:1: no line of --stats");
    let of_task = "{\"v\":1,\"kind\":\"task\",\"tool\":\"t\",\"stage\":\"s\",\"task\":-1}\n";
    report(of_task).fails_with(3, "x:1: no line of --stats: task: ");
    report("").fails_with(3, "x: there is nothing in it");
    mc("report").arg("/no/such/file").fails_with(2, "/no/such/file: No such file");
    // What is there already stays, where there is no page.
    write(&dir, "page", "old");
    report("no\n").args(["-o", "page"]).stderr_any().fails(3);
    assert_eq!(std::fs::read_to_string(dir.path().join("page")).unwrap(), "old");
    let cut = &stats[..stats.len() - 9];
    let page = report(cut).stderr_has(format!("mc-report: x:{count}: the last line is cut off"));
    let page = page.succeeds().stdout;
    assert!(String::from_utf8(page.clone()).unwrap().contains("of 1 stage no end is known"));
    assert_eq!(rows(&tables_of(&page), "attempts").len(), 1);
    // What a later mycloud writes is left out.
    let later = "{\"v\":1,\"kind\":\"weather\",\"rain\":true}\n{\"v\":2,\"kind\":\"task\"}\n";
    let page = report(&format!("{later}{stats}")).stderr_has("2 lines of kinds that are not known");
    agree(&tables_of(&page.succeeds().stdout), &stats);
}
