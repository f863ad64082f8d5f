//! `--hadoop-env`: what a command is told of its task as Hadoop Streaming tells it.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::command::hadoop::HadoopJob;

/// The option.
#[derive(Args, Clone, Debug)]
pub struct HadoopEnv {
    /// Tell the command of its task in the variables of Hadoop Streaming, such as
    /// mapreduce_task_partition
    #[arg(long)]
    hadoop_env: bool,
}

impl HadoopEnv {
    /// Whether it was given.
    pub(super) fn is_given(&self) -> bool {
        self.hadoop_env
    }

    /// What a mapper, or else a reducer, is told, if it is. The job has a number that no other one of
    /// this machine has: when this process began, and its own.
    pub(super) fn job(&self, is_map: bool) -> Option<HadoopJob> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let number = format!("{now}_{:04}", std::process::id());
        self.hadoop_env.then_some(HadoopJob { number, is_map, part: None })
    }
}
