//! A pipeline in whose tools calls fail: how it is run, and how a run is judged.

use std::collections::BTreeSet;
use std::fs::{create_dir_all, read, read_to_string, remove_dir_all, remove_file, write};
use std::path::{Path, PathBuf};

use super::calls::{How, Plan};
use crate::support::{Call, marked, names, sh, until_or};

/// What an output holds before a run that may write over it.
const OLD: &str = "what was there before\n";

/// Codes with which a stage may say that there is no answer.
const HONEST: [i32; 6] = [1, 3, 4, 5, 6, 141];

/// A pipeline, and what comes of it.
#[derive(Clone, Copy)]
pub struct Pipeline {
    pub name: &'static str,
    /// Its tools with their arguments, in `{}` the directory with the inputs.
    pub stages: &'static [&'static str],
    /// The output, which is a file that replaces an old one, or else a directory or a new file.
    pub output: &'static str,
    pub replaces: bool,
    /// A shell line that prints what the output holds.
    pub shows: &'static str,
    /// The programs in which calls fail, each with kinds of calls that it must be seen to make.
    pub programs: &'static [(&'static str, &'static [&'static str])],
}

/// Where a pipeline runs: a directory of its own.
pub struct Lane {
    directory: PathBuf,
    pub plan: Plan,
    /// What every call needs.
    prepare: Box<dyn Fn(Call) -> Call + Sync + Send>,
    /// What is left elsewhere.
    left: Option<Box<dyn Fn() -> Vec<String> + Sync + Send>>,
}

/// How a run went.
pub struct Ran {
    /// What each stage exited with.
    pub codes: Vec<i32>,
    /// What was said, with its stage's tool in front.
    pub said: Vec<String>,
    /// What was wrong with it.
    pub wrong: Vec<String>,
    /// What failed, if anything did.
    pub fired: Option<String>,
}

impl Lane {
    /// In `directory`, with the plan in `plans`; `prepare` gives every call what it needs besides.
    pub fn new(
        directory: PathBuf,
        plans: &Path,
        prepare: impl Fn(Call) -> Call + Sync + Send + 'static,
    ) -> Lane {
        create_dir_all(&directory).unwrap();
        create_dir_all(plans).unwrap();
        Lane { directory, plan: Plan::new(plans), prepare: Box::new(prepare), left: None }
    }

    /// The same, where `left` says what is left of a run on hosts: a line each.
    pub fn left_elsewhere(self, left: impl Fn() -> Vec<String> + Sync + Send + 'static) -> Lane {
        Lane { left: Some(Box::new(left)), ..self }
    }

    /// Whether it runs over hosts.
    pub fn has_hosts(&self) -> bool {
        self.left.is_some()
    }

    /// Where `name` lies in its directory.
    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn call(&self, script: &str) -> Call {
        let call = sh("bash", script).current_dir(&self.directory).stderr_any();
        call.env("TMPDIR", self.at("T")).env("XDG_STATE_HOME", self.at("state"))
    }

    /// What the output holds, as `shows` prints it; nothing fails there.
    pub fn shown(&self, pipeline: &Pipeline) -> Vec<u8> {
        self.plan.nothing();
        let shown = (self.prepare)(self.call(pipeline.shows)).ends();
        if shown.code == 0 { shown.stdout } else { shown.stderr }
    }

    /// Runs it, with what is planned; with `inputs` in place of `{}`.
    pub fn run(&self, pipeline: &Pipeline, inputs: &Path) -> (Vec<i32>, Vec<String>, Vec<String>) {
        if self.at("kept.mc").exists() {
            (self.prepare)(self.call("mc-hosts --rm kept.mc")).ends();
        }
        let _ = remove_dir_all(self.at("T"));
        for file in names(&self.directory) {
            let path = self.at(&file);
            let _ = if path.is_dir() { remove_dir_all(path) } else { remove_file(path) };
        }
        create_dir_all(self.at("T")).unwrap();
        create_dir_all(self.at("errors")).unwrap();
        if pipeline.replaces {
            write(self.at(pipeline.output), OLD).unwrap();
        }
        let inputs = inputs.display().to_string();
        let stages: Vec<String> = (pipeline.stages.iter().enumerate())
            .map(|(n, stage)| format!("{} 2> errors/{n}", stage.replace("{}", &inputs)))
            .collect();
        let script = format!("{}; echo ${{PIPESTATUS[*]}}", stages.join(" | "));
        let ended = (self.prepare)(self.call(&script)).marked(&self.directory).ends();
        let codes = ended.text().split_whitespace().map(|code| code.parse().unwrap()).collect();
        let mut said = Vec::new();
        for (n, stage) in pipeline.stages.iter().enumerate() {
            let tool = stage.split(' ').next().unwrap();
            let text = read_to_string(self.at(&format!("errors/{n}"))).unwrap_or_default();
            said.extend(text.lines().map(|line| format!("{tool}> {line}")));
        }
        (codes, said, self.left(pipeline))
    }

    /// What is left of a run beside its output.
    fn left(&self, pipeline: &Pipeline) -> Vec<String> {
        until_or(
            || marked(&self.directory).is_empty(),
            || format!("a process is left of {}", pipeline.name),
        );
        let mut left: Vec<String> =
            names(self.at("T")).iter().map(|name| format!("T/{name}")).collect();
        let known = ["T", "errors", "state", pipeline.output];
        left.extend(
            names(&self.directory).into_iter().filter(|name| !known.contains(&name.as_str())),
        );
        let runs = self.at("state/mycloud/runs");
        // A kept dataset has its own there as long as it is kept.
        if runs.exists() && !self.at("kept.mc").exists() {
            left.extend(names(runs).iter().map(|name| format!("a run: {name}")));
        }
        left
    }

    /// Runs it with this plan, and judges how it went by what it shows without any.
    pub fn judged(&self, pipeline: &Pipeline, inputs: &Path, due: &[u8], how: How) -> Ran {
        let (codes, said, left) = self.run(pipeline, inputs);
        let fired = self.plan.fired();
        let mut wrong: Vec<String> = left.iter().map(|name| format!("left: {name}")).collect();
        let all_well = codes.iter().all(|code| *code == 0);
        let output = self.at(pipeline.output);
        let is_old = pipeline.replaces && read(&output).is_ok_and(|bytes| bytes == OLD.as_bytes());
        let absent = !pipeline.replaces && !output.exists();
        let identical = !is_old && !absent && self.shown(pipeline) == due;
        if let Some(elsewhere) = &self.left {
            wrong.extend(elsewhere().iter().map(|line| format!("left: {line}")));
        }
        if codes.last() == Some(&0) && !identical {
            wrong.push(format!("it did well, and the output is another: {codes:?}"));
        }
        if !is_old && !absent && !identical {
            wrong.push(format!("a part of an output has its name: {codes:?}"));
        }
        if all_well && (fired.is_none() || how.makes_no_difference()) && !said.is_empty() {
            wrong.push("something is said of nothing".to_string());
        }
        if !all_well && (fired.is_none() || how.makes_no_difference()) {
            wrong.push(format!("it failed of nothing: {codes:?}"));
        }
        wrong.extend(badly_said(pipeline, &codes, &said));
        Ran { codes, said, wrong, fired }
    }
}

/// What is wrong with how it was said that there is no answer.
fn badly_said(pipeline: &Pipeline, codes: &[i32], said: &[String]) -> BTreeSet<String> {
    let mut wrong = BTreeSet::new();
    for line in said {
        if line.contains("panicked") || line.contains("RUST_BACKTRACE") {
            wrong.insert(format!("a panic: {line}"));
        }
    }
    for (stage, code) in pipeline.stages.iter().zip(codes) {
        let tool = stage.split(' ').next().unwrap();
        if *code != 0 && !HONEST.contains(code) {
            wrong.insert(format!("{tool} exits with {code}"));
        }
        let start = format!("{tool}> {tool}: ");
        if ![0, 141].contains(code) && !said.iter().any(|line| line.starts_with(&start)) {
            wrong.insert(format!("{tool} exits with {code} and does not say why"));
        }
    }
    wrong
}
