//! The examples of mrjob, run by our tools through the switches that mrjob itself runs them by on a
//! cluster; the answer is that of `mrjob -r inline`.

use std::path::Path;

use crate::support::{Call, cluster, dir, not_tested, python_program, sh};

use super::lines;

/// A job, and what is said to it for its mapper, combiner and reducer alike.
struct Job<'a> {
    name: &'a str,
    options: &'a str,
    /// The pipeline: `{map}`, `{combine}`, `{reduce}` and `{reduce2}` stand for the job with the
    /// switches for that, `{h}` for the hosts.
    line: &'a str,
    /// What makes lines of the results.
    out: &'a str,
}

/// Mapper and combiner in one process of the command, as mrjob has it.
const COMBINED: &str = "-c '{map} | LC_ALL=C sort | {combine}'";

/// Keys and values, as most jobs print them.
const PAIRS: &str = "mc-gather -o text,kv:-";

/// The package, as the Python of the tests has it.
#[track_caller]
fn package() -> String {
    let code = "import mrjob, os; print(os.path.dirname(mrjob.__file__), end='')";
    let call = Call::new(python_program()).args(["-c", code]).stderr_any();
    let found = call.ends();
    assert!(found.code == 0, "mrjob is not installed: scripts/needs test (scripts/test does it)");
    String::from_utf8(found.stdout).unwrap()
}

/// A directory with the examples and what they are run on.
fn jobs() -> tempfile::TempDir {
    let (examples, dir) = (Path::new(&package()).join("examples"), dir());
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    std::fs::write(dir.path().join("in"), lines(400)).unwrap();
    dir
}

/// The lines of `text` in order.
fn sorted(text: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> =
        std::str::from_utf8(text).unwrap().lines().map(String::from).collect();
    lines.sort_unstable();
    lines
}

impl Job<'_> {
    /// The pipeline with the job run by `python`, in `{h}` the words `hosts`.
    fn pipeline(&self, python: &str, hosts: &str) -> String {
        let run = |switches: &str| {
            format!("{python} {}.py {} {switches}", self.name, self.options).trim_end().to_string()
        };
        let line = self.line.replace("{combined}", COMBINED);
        let line = line.replace("{map}", &run("--mapper --step-num 0"));
        let line = line.replace("{combine}", &run("--combiner --step-num 0"));
        let line = line.replace("{reduce}", &run("--reducer --step-num 0"));
        let line = line.replace("{reduce2}", &run("--reducer --step-num 1"));
        format!("{} | {}", line.replace("{h}", hosts), self.out)
    }

    /// What mrjob says, in order.
    fn inline(&self, dir: &Path) -> Vec<String> {
        let python = python_program();
        let call = Call::new(python).arg(format!("{}.py", self.name)).current_dir(dir);
        let call = call.args(self.options.split_whitespace());
        // The path is whole, for some jobs tell it.
        let input = std::fs::canonicalize(dir).unwrap().join("in");
        let call = call.args(["--no-conf", "-q", "-r", "inline"]).arg(input);
        let lines = sorted(&call.stderr_any().succeeds().stdout);
        assert!(!lines.is_empty(), "{} says nothing", self.name);
        lines
    }

    /// Runs the job on this machine: the answer is the same.
    fn is_the_same(&self) {
        let dir = jobs();
        let python = python_program().display().to_string();
        let line = self.pipeline(&python, "");
        let out = sh("bash", &line).current_dir(&dir).succeeds();
        assert_eq!(sorted(&out.stdout), self.inline(dir.path()), "{line}");
    }
}

const WORD_FREQ_COUNT: Job<'static> = Job {
    name: "mr_word_freq_count",
    options: "",
    line: "mc-cat text:in | mc-map {h} --kv {combined} | mc-shuffle | \
           mc-reduce --kv -- {reduce}",
    out: PAIRS,
};

const MOST_USED_WORD: Job<'static> = Job {
    name: "mr_most_used_word",
    options: "",
    line: "mc-cat text:in | mc-map {h} --kv {combined} | mc-shuffle | \
           mc-reduce --kv -- {reduce} | mc-shuffle | mc-reduce --in kv --out text -- {reduce2}",
    out: "mc-gather -o text:-",
};

#[test]
fn word_freq_count() {
    WORD_FREQ_COUNT.is_the_same();
}

/// Two steps, and a file beside the job.
#[test]
fn most_used_word() {
    MOST_USED_WORD.is_the_same();
}

/// Two steps, the values of a group in order.
#[test]
fn next_word_stats() {
    let line = "mc-cat text:in | mc-map --kv {combined} | mc-shuffle | \
                mc-reduce --kv -- {reduce} | mc-shuffle | \
                mc-reduce --kv -c 'LC_ALL=C sort | {reduce2}'";
    Job { name: "mr_next_word_stats", options: "", line, out: PAIRS }.is_the_same();
    let line = "mc-cat text:in | mc-map --kv {combined} | mc-shuffle | \
                mc-reduce --kv -- {reduce} | mc-sort -k '.[0],.[1]' | \
                mc-reduce -k '.[0]' --kv -- {reduce2}";
    Job { name: "mr_next_word_stats", options: "", line, out: PAIRS }.is_the_same();
}

/// A mapper that says something only at its end.
#[test]
fn wc() {
    let line = "mc-cat text:in | mc-map --kv {map} | mc-shuffle | \
                mc-reduce --kv -- {reduce}";
    Job { name: "mr_wc", options: "", line, out: PAIRS }.is_the_same();
    Job { name: "mr_count_lines_right", options: "", line, out: PAIRS }.is_the_same();
}

/// A mapper that asks for the name of its file.
#[test]
fn count_lines_by_file() {
    let line = "mc-split text:in | mc-map -h :,: --hadoop-env --kv \
                --ship mr_count_lines_by_file.py -c '{map}' | mc-gather | mc-shuffle | \
                mc-reduce --kv -- {reduce}";
    Job { name: "mr_count_lines_by_file", options: "", line, out: PAIRS }.is_the_same();
}

/// A sample of more lines than there are is all of them; other protocols than JSON.
#[test]
fn log_sampler() {
    let line = "mc-cat text:in | mc-map --kv {map} | mc-shuffle | \
                mc-reduce --in kv --out text -c 'LC_ALL=C sort | {reduce}'";
    let options = "--sample-size 1000";
    Job { name: "mr_log_sampler", options, line, out: "mc-gather -o text:-" }.is_the_same();
}

/// On hosts mrjob lies in a directory that all of them see.
#[test]
fn jobs_run_on_hosts() {
    let dir = jobs();
    let python = "/usr/bin/python3";
    let shared = cluster().srv().join("mrjob-of-tests");
    let _ = std::fs::remove_dir_all(&shared);
    std::fs::create_dir(&shared).unwrap();
    let (from, to) = (package(), shared.display());
    sh("bash", &format!("cp -r '{from}' '{from}'/examples/*.py '{to}'")).succeeds();
    let able = Call::new(python).args(["-c", "import mrjob.job"]).env("PYTHONPATH", &shared);
    if able.stderr_any().ends().code != 0 {
        return not_tested("mrjob on hosts: it is older than the Python of this system");
    }
    let run = format!("env PYTHONPATH=/srv/mrjob-of-tests {python} /srv/mrjob-of-tests/");
    for job in [WORD_FREQ_COUNT, MOST_USED_WORD] {
        let line =
            job.pipeline("PYTHON", &format!("-h {} --ship stop_words.txt", cluster().hosts(2)));
        let line = line.replace("PYTHON ", &run);
        let out = sh("bash", &line).on(cluster()).current_dir(&dir).succeeds();
        assert_eq!(sorted(&out.stdout), job.inline(dir.path()), "{line}");
    }
    std::fs::remove_dir_all(shared).unwrap();
}
