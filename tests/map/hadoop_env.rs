//! `--hadoop-env`: what a command finds of its task in its environment, here and on hosts.

use crate::support::{cluster, dir, jq, mc, sh};

use super::numbers;

/// Prints the variables of Hadoop, in their order, the number of the job as N.
const SHOW: &str = "env | grep -E '^map(red|reduce|_)' | sort | sed -E 's/[0-9]{13}_[0-9]+/N/'";

/// What the first task of a job finds, a mapper (`m`) or a reducer (`r`).
fn first(kind: char) -> String {
    let is_map = kind == 'm';
    let lines = [
        "mapred_job_id=job_N".to_string(),
        format!("mapred_task_id=attempt_N_{kind}_000000_0"),
        format!("mapred_task_is_map={is_map}"),
        "mapred_task_partition=0".into(),
        format!("mapred_tip_id=task_N_{kind}_000000"),
        "mapreduce_job_id=job_N".into(),
        format!("mapreduce_task_attempt_id=attempt_N_{kind}_000000_0"),
        format!("mapreduce_task_id=task_N_{kind}_000000"),
        format!("mapreduce_task_ismap={is_map}"),
        "mapreduce_task_partition=0".into(),
    ];
    lines.map(|line| format!("\"{line}\"\n")).concat()
}

#[test]
fn a_command_finds_what_is_true() {
    let call = mc("map").args(["--hadoop-env", "-t", "-c", SHOW]).stdin("1\n");
    call.stdout(first('m')).succeeds();
    let call = mc("reduce").args(["--hadoop-env", "-t", "-c", SHOW]).stdin("1\n");
    call.stdout(first('r')).succeeds();
    let call = mc("map").args(["--hadoop-env", "--each", "-t", "bash", "-c", SHOW]).stdin("1\n");
    call.stdout(first('m')).succeeds();
    // What the user sets counts.
    let call = mc("map").args(["--hadoop-env", "--env", "mapred_tip_id=x", "-t", "-c", SHOW]);
    call.stdin("1\n")
        .stdout(first('m').replace("mapred_tip_id=task_N_m_000000", "mapred_tip_id=x"))
        .succeeds();
    let without = mc("map").args(["-t", "-c", &format!("{SHOW}; true")]).stdin("1\n");
    without.stdout("").succeeds();
    let call = mc("map").args(["--memo", "nowhere", "--hadoop-env", "cat"]);
    call.fails_with(2, "--memo goes by content, and --hadoop-env tells a command of more");
    mc("reduce").args(["--hadoop-env", "count"]).fails_with(2, "--hadoop-env is for a command");
}

#[test]
fn it_is_the_same_on_hosts() {
    let show = SHOW.replace('\'', "'\\''");
    for hosts in [":".to_string(), cluster().hosts(1)] {
        let line = format!(
            "mc-map -h {hosts} --hadoop-env -t -c '{show}' | mc-gather; echo 1 | \
             mc-scatter -h {hosts} | mc-shuffle -k . | mc-reduce --hadoop-env -t -c '{show}' | \
             mc-gather"
        );
        let call = sh("bash", &line).on(cluster()).stdin("1\n");
        // A reducer's task is the range of keys that it gets.
        let out = call.succeeds().text();
        let reducer = out.strip_prefix(&first('m')).unwrap_or_else(|| panic!("{hosts}: {out}"));
        assert!(reducer.contains("\"mapreduce_task_ismap=false\"\n"), "{hosts}: {reducer}");
        assert_eq!(reducer.lines().count(), first('r').lines().count(), "{hosts}: {reducer}");
    }
}

/// Tasks and attempts have the numbers that they have elsewhere, from 0; one job has one number.
#[test]
fn tasks_attempts_and_jobs_are_told_apart() {
    let dir = dir();
    let line = format!(
        "mkdir {}/$MC_TASK 2>/dev/null && exit 1; \
         echo \\\"$mapreduce_job_id $mapreduce_task_partition $mapred_task_id\\\"",
        dir.path().display()
    );
    let call = mc("map").args(["--hadoop-env", "--block=1b", "-c", &line]).stdin(numbers(12));
    let out = call.stderr_has("trying again").succeeds().text();
    let mut jobs: Vec<&str> = Vec::new();
    for (task, line) in out.lines().enumerate() {
        let words: Vec<&str> = line.trim_matches('"').split(' ').collect();
        let number = words[0].strip_prefix("job_").unwrap();
        assert_eq!(words[1], task.to_string());
        assert_eq!(words[2], format!("attempt_{number}_m_{task:06}_1"));
        jobs.push(number);
    }
    assert_eq!(jobs.len(), 12);
    jobs.dedup();
    assert_eq!(jobs.len(), 1);
}

/// Where the input is parts of files, the file is known.
#[test]
fn a_mapper_of_parts_of_files_knows_its_file() {
    let dir = dir();
    std::fs::write(dir.path().join("a.txt"), numbers(100_000)).unwrap();
    std::fs::write(dir.path().join("b c.txt"), "x\n").unwrap();
    let show = "printf '[\"%s\",%s,%s]\\n' \"$mapreduce_map_input_file\" $map_input_start \
                $mapreduce_map_input_length";
    for hosts in [":,:".to_string(), cluster().hosts(2)] {
        let line = format!(
            "mc-split --block 100K text:a.txt 'text:b c.txt' | \
             mc-map -h {hosts} --hadoop-env -c \"$SHOW\" | mc-gather"
        );
        let call = sh("bash", &line).env("SHOW", show).on(cluster()).current_dir(&dir);
        let out = call.succeeds().text();
        let place = std::fs::canonicalize(&dir).unwrap();
        let a = format!("file://{}/a.txt", place.display());
        let starts = jq(&["-r", &format!("select(.[0] == \"{a}\") | .[1]")], out.as_bytes());
        let lengths = jq(&["-r", &format!("select(.[0] == \"{a}\") | .[2]")], out.as_bytes());
        let sum = |bytes: &[u8]| -> u64 {
            String::from_utf8_lossy(bytes).lines().map(|line| line.parse::<u64>().unwrap()).sum()
        };
        assert!(starts.starts_with(b"0\n"), "{out}");
        assert!(String::from_utf8_lossy(&starts).lines().count() > 2, "{out}");
        assert_eq!(sum(&lengths), numbers(100_000).len() as u64, "{out}");
        let last = format!("[\"file://{}/b c.txt\",0,2]\n", place.display());
        assert!(out.ends_with(&last), "{out}");
    }
}
