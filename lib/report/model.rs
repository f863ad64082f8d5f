//! What the lines of `--stats` tell: stages with their attempts and shards, and pipelines of stages.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::explain::schema::StagePlan;

/// All that a file tells.
#[derive(Default)]
pub(super) struct Recorded {
    /// By their id.
    pub(super) stages: BTreeMap<String, StageRun>,
    /// How many lines were of a kind or version that is not known here.
    pub(super) unknown: u64,
}

/// One run of a tool.
#[derive(Default)]
pub(super) struct StageRun {
    pub(super) tool: String,
    pub(super) pid: u64,
    pub(super) words: String,
    pub(super) directory: String,
    pub(super) begin: f64,
    /// None when nothing is known of its end.
    pub(super) end: Option<f64>,
    pub(super) status: Option<u8>,
    pub(super) seconds: Option<f64>,
    pub(super) numbers: Numbers,
    pub(super) peak_rss_bytes: Option<u64>,
    /// What its commands have counted, as JSON.
    pub(super) counters: Option<Value>,
    pub(super) pipes_read: Vec<u64>,
    pub(super) pipe_written: Option<u64>,
    pub(super) runs_read: Vec<String>,
    pub(super) run_made: Option<String>,
    pub(super) command: Option<CommandRun>,
    pub(super) attempts: Vec<TaskAttempt>,
    pub(super) shards: Vec<ShardMade>,
    pub(super) failures: Vec<TaskFailed>,
    /// What it was to do.
    pub(super) plan: Option<StagePlan>,
}

/// The numbers of a stage; none where it failed.
#[derive(Clone, Copy, Default)]
pub(super) struct Numbers {
    pub(super) records_in: Option<u64>,
    pub(super) records_out: Option<u64>,
    pub(super) bytes_in: Option<u64>,
    pub(super) bytes_out: Option<u64>,
    pub(super) bad: Option<u64>,
    pub(super) failed: Option<u64>,
    pub(super) missing: Option<u64>,
    pub(super) lacking: Option<u64>,
    pub(super) spilled_bytes: Option<u64>,
    pub(super) retries: Option<u64>,
    pub(super) memo_hits: Option<u64>,
    pub(super) client_bytes: Option<u64>,
}

/// The command of a stage.
pub(super) struct CommandRun {
    pub(super) line: String,
    pub(super) input: String,
    pub(super) each: bool,
}

/// An attempt at a task.
#[derive(Clone, Default)]
pub(super) struct TaskAttempt {
    pub(super) work: String,
    pub(super) task: u64,
    pub(super) attempt: u64,
    pub(super) speculated: bool,
    pub(super) host: String,
    pub(super) slot: u64,
    pub(super) begin: f64,
    pub(super) end: f64,
    pub(super) seconds: f64,
    pub(super) ran_seconds: Option<f64>,
    pub(super) lines: Option<(u64, u64)>,
    pub(super) shard: Option<u64>,
    pub(super) records_in: Option<u64>,
    pub(super) bytes_in: Option<u64>,
    pub(super) records_out: Option<u64>,
    pub(super) bytes_out: Option<u64>,
    pub(super) outcome: Outcome,
    pub(super) exit: Option<i64>,
    pub(super) why: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    #[default]
    Done,
    Again,
    Failed,
    Lost,
    Superseded,
    Stopped,
    /// In a word that is not known here.
    Other,
}

impl Outcome {
    /// All that are known.
    pub(super) const ALL: [Outcome; 7] = [
        Outcome::Done,
        Outcome::Again,
        Outcome::Failed,
        Outcome::Lost,
        Outcome::Superseded,
        Outcome::Stopped,
        Outcome::Other,
    ];

    /// What stands for it in the lines, and for its colour.
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Again => "again",
            Outcome::Failed => "failed",
            Outcome::Lost => "lost",
            Outcome::Superseded => "superseded",
            Outcome::Stopped => "stopped",
            Outcome::Other => "other",
        }
    }

    /// What it means, for people.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Again => "failed, tried again",
            Outcome::Failed => "failed for good",
            Outcome::Lost => "host lost",
            Outcome::Superseded => "superseded",
            Outcome::Stopped => "stopped",
            Outcome::Other => "other",
        }
    }

    pub(super) fn of(word: &str) -> Outcome {
        Outcome::ALL.into_iter().find(|o| o.word() == word).unwrap_or(Outcome::Other)
    }
}

/// A shard that was made.
pub(super) struct ShardMade {
    pub(super) shard: u64,
    pub(super) hosts: Vec<String>,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// A task that failed for good.
pub(super) struct TaskFailed {
    pub(super) task: u64,
    pub(super) error: String,
    pub(super) by_hand: Option<String>,
}

/// Stages that hang together.
pub(super) struct Pipeline {
    /// Each behind those that it reads.
    pub(super) stages: Vec<(String, StageRun)>,
    /// Which reads which, by their places there.
    pub(super) links: Vec<StageLink>,
}

/// What passes from one stage to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StageLink {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Shards, or else records.
    pub(super) is_shards: bool,
}

impl StageRun {
    /// When it ended, or the last that is known of it.
    pub(super) fn last(&self) -> f64 {
        let attempts = self.attempts.iter().map(|attempt| attempt.end);
        self.end.unwrap_or_else(|| attempts.fold(self.begin, f64::max))
    }

    /// How it ended, for people.
    pub(super) fn ending(&self) -> String {
        match self.status {
            Some(0) => "ok".into(),
            Some(status) => format!("exit {status}"),
            None => "no end".into(),
        }
    }

    /// Whether each of its shards is a range of keys.
    pub(super) fn makes_ranges(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.work == "merge")
    }

    pub(super) fn count(&self, outcome: Outcome) -> usize {
        self.attempts.iter().filter(|attempt| attempt.outcome == outcome).count()
    }
}

impl Pipeline {
    pub(super) fn begin(&self) -> f64 {
        self.stages.iter().map(|(_, stage)| stage.begin).fold(f64::INFINITY, f64::min)
    }

    pub(super) fn end(&self) -> f64 {
        self.stages.iter().map(|(_, stage)| stage.last()).fold(self.begin(), f64::max)
    }

    /// All attempts, each with the place of its stage.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (usize, &TaskAttempt)> {
        let stages = self.stages.iter().enumerate();
        stages.flat_map(|(at, (_, stage))| stage.attempts.iter().map(move |attempt| (at, attempt)))
    }

    /// What a stage is called: its tool, with a number where there are several of it.
    pub(super) fn name(&self, at: usize) -> String {
        let tool = &self.stages[at].1.tool;
        let same =
            |stages: &[(String, StageRun)]| stages.iter().filter(|(_, s)| s.tool == *tool).count();
        match same(&self.stages) {
            1 => tool.clone(),
            _ => format!("{tool} #{}", same(&self.stages[..=at])),
        }
    }
}
