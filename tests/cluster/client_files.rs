//! Files of the client that commands on hosts ask for (`client://`).

use super::at_work::{AtWork, Gate, WAITS, with_workers};
use crate::support::{Call, Random, cluster, dir, names, on_all_hosts, sh, write};

/// How many keys each of many inputs has.
const KEYS: usize = 300;

/// How large the file is that crosses once.
const LARGE: usize = 8 << 20;

fn run(dir: &tempfile::TempDir, script: &str) -> Call {
    let script = format!("set -o pipefail; {script}");
    sh("bash", &script).on(cluster()).current_dir(dir.path())
}

/// Bytes that cannot be packed.
fn noise(count: usize) -> Vec<u8> {
    let mut random = Random::seeded(5);
    (0..count / 8).flat_map(|_| random.next().to_le_bytes()).collect()
}

#[test]
fn many_inputs_of_the_client_become_several_outputs() {
    let dir = dir();
    let (mut list, mut sums) = (String::new(), [0; KEYS]);
    for n in 0..100 {
        let rows: String = (0..KEYS).map(|key| format!("{key},{}\n", n * key)).collect();
        let path = write(&dir, &format!("in/{n}.csv"), format!("key,n\n{rows}"));
        list += &format!("{}\n", path.canonicalize().unwrap().display());
        (0..KEYS).for_each(|key| sums[key] += n * key);
    }
    write(&dir, "files.txt", list);
    let read = "mc-map {h} --share in -c \
                'sed \"s/\\\"//g; s,^,csv:client://,\" | xargs mc-cat'";
    let line = format!(
        "mc-cat files.txt | {} | mc-shuffle -k key | mc-reduce sum:n | mc-sort -k key:n | mc-gather",
        read
    );
    let here = on_all_hosts(&line, |call| call.current_dir(dir.path()));
    let rows = |key: usize| format!("{{\"key\":\"{key}\",\"n_sum\":{}}}\n", sums[key]);
    assert_eq!(here.text(), (0..KEYS).map(rows).collect::<String>());

    std::fs::create_dir(dir.path().join("out")).unwrap();
    let hosts = cluster().hosts(4);
    let read = read.replace("{h}", &format!("-h {hosts} --block 500"));
    let out = dir.path().canonicalize().unwrap().join("out");
    let line = format!(
        "mc-cat files.txt | {read} | mc-shuffle -n 4 -k key | \
         mc-reduce --share out:rw -c 'mc-gather -o csv:client://{}/$MC_TASK.csv' | mc-gather",
        out.display()
    );
    run(&dir, &line).stdout("").succeeds();
    let written = names(&out);
    let shards = ["1.csv", "2.csv", "3.csv", "4.csv"];
    assert!(written.len() > 1 && written.iter().all(|name| shards.contains(&name.as_str())));
    let sum = "mc-cat 'out/*.csv' | mc-shuffle -k key --reduce sum:n | mc-sort -k key:n";
    run(&dir, sum).stdout((0..KEYS).map(rows).collect::<String>()).succeeds();
}

/// The large file crossed once to each of two hosts, as the numbers in `stats` tell.
#[track_caller]
fn crossed_once_a_host(dir: &tempfile::TempDir) {
    let stats = std::fs::read_to_string(dir.path().join("stats")).unwrap();
    // The last line is that of the tool; those before it are of its tasks.
    let stats = stats.lines().last().unwrap();
    let stats: serde_json::Value = serde_json::from_str(stats).unwrap();
    let crossed = stats["client_bytes"].as_u64().unwrap();
    let once_a_host = 2 * LARGE as u64;
    assert!((once_a_host..once_a_host + LARGE as u64 / 4).contains(&crossed), "{crossed}");
}

#[test]
fn a_file_that_all_tasks_read_crosses_once() {
    let dir = dir();
    let bytes = noise(LARGE);
    let path = write(&dir, "d/noise", &bytes).canonicalize().unwrap();
    let line = format!(
        "mc-cat range:0..20 | mc-map -h 3/n1,3/n2 --block 1 --stats stats --share d \
         -c 'cat > /dev/null; mc-cat --raw client://{} | cksum | jq -R .' | mc-gather",
        path.display()
    );
    let sum = Call::new("cksum").stdin(&bytes).succeeds().text();
    let expected = format!("{:?}\n", sum.trim_end()).repeat(20);
    run(&dir, &line).stdout(expected).succeeds();
    crossed_once_a_host(&dir);
}

#[test]
fn refusals_are_a_line_that_names_the_flag() {
    let dir = dir();
    let path = write(&dir, "d/a.ndjson", "1\n").canonicalize().unwrap();
    let path = path.display();
    for hosts in ["n1", ":"] {
        for (share, command, said) in [
            ("", format!("mc-cat client://{path}"), "say --share DIR"),
            ("--share d", "mc-cat --raw client:///etc/shadow".into(), "say --share DIR"),
            ("--share /", "mc-cat --raw client:///proc/self/environ".into(), "no regular file"),
            ("--share d", format!("mc-cat csv:client://{path}/../x"), "'..'"),
            ("--share d", format!("mc-gather -o client://{path}"), "say --share DIR:rw"),
            ("--share d:rw", "mc-gather -o client:///new.ndjson".into(), "say --share DIR:rw"),
        ] {
            let line = format!(
                "mc-cat range:0..1 | mc-map -h {hosts} --retries 0 {share} -c '{command}' | mc-gather"
            );
            // mc-gather has no records, and says so.
            let ended = run(&dir, &line).stdout("").stderr_has(said).ends();
            let text = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(text.matches("task 1: mc-").count(), 1, "{text}");
            assert_ne!(ended.code, 0);
        }
    }
    let line = "mc-cat range:0..1 | mc-map -h n1 --share no-such cat";
    run(&dir, line).fails_with(2, "cannot share");
}

#[test]
fn commands_on_hosts_write_whole_files() {
    let dir = dir();
    write(&dir, "out/old.ndjson", "old\n");
    let bytes = noise(LARGE);
    std::fs::write(dir.path().join("out/noise"), &bytes).unwrap();
    let out = dir.path().canonicalize().unwrap().join("out");
    let out = out.display();
    let map = |options: &str, command: &str| {
        let line = format!(
            "mc-cat range:0..8 | mc-map -h 2/n1,n2,: {options} --share out:rw -c '{command}' | mc-gather"
        );
        run(&dir, &line)
    };
    map("--block 1", &format!("mc-gather -o client://{out}/$MC_TASK.ndjson")).succeeds();
    for task in 1..=8 {
        let written = std::fs::read_to_string(dir.path().join(format!("out/{task}.ndjson")));
        assert_eq!(written.unwrap(), format!("{}\n", task - 1));
    }
    // More than goes before the first credit, and packed on the way to its place.
    let large = format!(
        "mc-cat -f text --bad skip client://{out}/lines | mc-gather -o text:client://{out}/lines.zst"
    );
    let lines = "x".repeat(70) + "\n";
    std::fs::write(dir.path().join("out/lines"), lines.repeat(100_000)).unwrap();
    map("", &large).succeeds();
    let back = "mc-cat -f text out/lines.zst | jq -r . | cmp - out/lines";
    run(&dir, back).succeeds();
    // What fails writes nothing, and what is there stays.
    map(
        "--retries 0",
        &format!("mc-cat range:0..9 no/such | mc-gather -o client://{out}/old.ndjson"),
    )
    .stderr_any()
    .ends();
    assert_eq!(std::fs::read_to_string(dir.path().join("out/old.ndjson")).unwrap(), "old\n");
    assert!(names(dir.path().join("out")).iter().all(|name| !name.contains(".mc-")));
}

#[test]
fn a_file_that_changes_between_two_tasks_is_an_error() {
    let dir = dir();
    let path = write(&dir, "d/a", "one\n").canonicalize().unwrap();
    let path = path.display();
    let line = format!(
        "mc-cat range:0..9 | mc-map -h 1/: --block 1 --retries 0 --share d \
         -c 'mc-cat --raw client://{path} | wc -l || exit 1; echo more >> {path}' | mc-gather"
    );
    run(&dir, &line)
        .stdout("")
        .fails_with(4, "was changed after other commands of this run had read it");
    // So it is where records of shards name it, and no shard is taken for damaged.
    let line = format!(
        "mc-scatter -h 1/: --block 1 | mc-map --share d --each \
         bash -c 'echo more >> {path}' bash {{client:.}} | mc-gather"
    );
    let call = run(&dir, &line).stdin(format!("\"{path}\"\n").repeat(3)).stdout("");
    call.stderr_has("by hand: bash -c")
        .fails_with(4, "was changed after other commands of this run had read it");
    // What a command of the run writes is another file for all, and no surprise.
    let out = dir.path().canonicalize().unwrap().join("d");
    let line = format!(
        "mc-cat range:0..5 | mc-map -h 1/: --block 1 --share d:rw \
         -c 'mc-gather -o client://{0}/b.ndjson; mc-cat client://{0}/b.ndjson' | mc-gather",
        out.display()
    );
    run(&dir, &line).stdout("0\n1\n2\n3\n4\n").succeeds();
}

#[test]
fn a_host_that_is_lost_while_its_command_reads_costs_nothing_but_time() {
    for harm in ["kill", "cut"] {
        let cluster = with_workers();
        let dir = dir();
        let path = write(&dir, "noise", noise(LARGE)).canonicalize().unwrap();
        let gate = Gate::close(&cluster);
        let command = format!(
            "mc-cat --raw client://{} | (head -c 1000 >/dev/null; {WAITS}; cat >/dev/null); cat",
            path.display()
        );
        let options = format!("--block 700 --share {}", dir.path().display());
        let work = AtWork::new(&cluster, &cluster.hosts(4), &options, &command);
        work.begun(&cluster, "n2", WAITS);
        cluster.run([harm, "n2"]);
        drop(gate);
        let ended = work.succeeds();
        assert!(ended.stderr.contains("n2"), "nothing said of n2:\n{}", ended.stderr);
    }
}

#[test]
fn nothing_of_the_files_is_left_on_the_hosts() {
    let cluster = with_workers();
    let dir = dir();
    let path = write(&dir, "noise", noise(LARGE)).canonicalize().unwrap();
    let options = format!("--share {}", dir.path().display());
    // One that reads all, and one that has had enough.
    let command = format!(
        "mc-cat --raw client://{0} >/dev/null; mc-cat --raw client://{0} | head -c 1 >/dev/null; cat",
        path.display()
    );
    AtWork::new(&cluster, &cluster.hosts(4), &options, &command).succeeds();
    cluster.is_clean();
}

#[test]
fn a_field_names_a_file_whose_copy_is_an_argument() {
    let dir = dir();
    let root = dir.path().canonicalize().unwrap();
    let mut records = String::new();
    for n in 0..40 {
        let path = write(&dir, &format!("in/{}/a  b' {n}.txt", n % 3), format!("{n}\n"));
        let path = path.canonicalize().unwrap();
        let scheme = if n % 2 == 0 { "client://" } else { "" };
        records += &format!("{{\"n\":{n},\"f\":[\"{scheme}{}\"]}}\n", path.display());
    }
    // The name is that of the file, and its content that of the copy; two words may name it.
    let show = "mc-map {h} --share in --each --out text \
                bash -c 'basename \"$1\"; cat \"$1\"; cmp \"${2#--in=}\" \"$1\"' \
                bash '{client:.f[0]}' '--in={client:.f[0]}' | mc-gather";
    let out = on_all_hosts(show, |call| call.current_dir(&root).stdin(&records));
    let expected = |n: u32| format!("\"a  b' {n}.txt\"\n\"{n}\"\n");
    assert_eq!(out.text(), (0..40).map(expected).collect::<String>());
    // So do shards, where they lie, and one string or element is as good as a field.
    let shards = "mc-scatter -h n1,n2 --block 500 | mc-map --share in --each -t cat '{client:.f[0]}' \
                  | mc-gather";
    let numbers: String = (0..40).map(|n| format!("\"{n}\"\n")).collect();
    run(&dir, shards).stdin(&records).stdout(numbers).succeeds();
    let plain = format!("\"{}/in/1/a  b' 1.txt\"\n", root.display());
    let out = on_all_hosts("mc-map {h} --share in --each -t cat {client:.} | mc-gather", |call| {
        call.current_dir(&root).stdin(&plain)
    });
    assert_eq!(out.text(), "\"1\"\n");
}

#[test]
fn a_file_that_many_records_name_crosses_once() {
    let dir = dir();
    let bytes = noise(LARGE);
    let path = write(&dir, "d/noise", &bytes).canonicalize().unwrap();
    let line = "mc-map -h 3/n1,3/n2 --block 1 --stats stats --share d --each -t cksum {client:.} \
                | mc-gather | jq -r . | cut -d ' ' -f 1,2 | sort -u";
    let sum = Call::new("cksum").stdin(&bytes).succeeds().text();
    let records = format!("\"{}\"\n", path.display()).repeat(20);
    run(&dir, line).stdin(records).stdout(sum).succeeds();
    crossed_once_a_host(&dir);
}

#[test]
fn files_that_records_name_are_refused_in_a_line() {
    let dir = dir();
    let path = write(&dir, "d/a", "a\n").canonicalize().unwrap();
    let (path, root) = (path.display(), dir.path().display());
    for hosts in ["", "-h n1", "-h :"] {
        let call = |options: &str, record: &str| {
            let line =
                format!("mc-map {hosts} {options} --each -t cat {{client:.f}} | cat >/dev/null");
            run(&dir, &line).stdin(format!("{{\"f\":\"{record}\"}}\n")).stdout("")
        };
        for (share, record, code, said) in [
            ("", format!("{path}"), 2, "none is shared: say --share DIR"),
            (
                "--share d",
                "/etc/passwd".into(),
                2,
                "client:///etc/passwd: not shared: say --share DIR",
            ),
            ("--share d", format!("client://{path}/../a"), 2, "'..'"),
            ("--share d", format!("{root}/d"), 2, "is a directory"),
            ("--share d", format!("{root}/d/none"), 2, "No such file"),
            ("--share d", "d/a".into(), 3, "line 1: its .f names no file of the client"),
            (
                "--share d --memo memo",
                format!("{path}"),
                2,
                "--memo goes by the content of records",
            ),
        ] {
            let ended = call(share, &record).stderr_any().fails_with(code, said);
            let text = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(text.lines().filter(|line| line.contains(said)).count(), 1, "{text}");
        }
        let line =
            format!("mc-map {hosts} --share d --bad skip --each -t cat {{client:.f}} | mc-gather");
        let records = format!("{{\"f\":7}}\n{{\"f\":\"{path}\"}}\n{{\"g\":\"{path}\"}}\n");
        let said = "2 bad records dropped";
        run(&dir, &line).stdin(records).stdout("\"a\"\n").stderr_has(said).succeeds();
    }
    let line = "mc-map --each --share d -c 'cat {client:.f}'";
    run(&dir, line).stdin("1\n").fails_with(2, "nothing is put into LINE");
}
