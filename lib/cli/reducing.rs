//! The options of a reduction by ops: what makes a group, and what is computed of each.

use clap::Args;

use crate::aggregate::Op;
use crate::cli::options::{KeyOptions, Nulls};
use crate::error::{Error, Result};

/// What makes a group, and what is computed of it.
#[derive(Args, Clone, Debug)]
pub struct Reducing {
    /// The key.
    #[command(flatten)]
    pub keys: KeyOptions,

    /// Make one group of all records
    #[arg(long, conflicts_with = "key")]
    pub all: bool,

    /// What to compute of each group: count, sum, mean (avg), var, stddev, min, max, minby
    /// (firstby), maxby, lastby, first, last, ndistinct, collect, sample=N, top=N, bottom=N,
    /// topby=N, bottomby=N, median, p50 (p95, p99.9, ...), quantile=Q
    #[arg(value_name = "OP")]
    ops: Vec<String>,

    /// What stands for a value that is not there.
    #[command(flatten)]
    pub nulls: Nulls,
}

impl Reducing {
    /// The ops, where there is no command.
    ///
    /// # Errors
    /// `Usage` when there is none, or one that is none.
    pub fn ops(&self) -> Result<Vec<Op>> {
        if self.ops.is_empty() {
            return Err(Error::usage("compute what? say OP..., -c LINE or -- CMD"));
        }
        self.ops.iter().map(|op| Op::parse(op)).collect()
    }

    /// Refuses what is about ops, where there is a command.
    ///
    /// # Errors
    /// `Usage` when it was given.
    pub fn refuse(&self) -> Result<()> {
        self.nulls.refuse()?;
        match self.ops.first() {
            Some(op) => Err(Error::usage(format!("'{op}': ops and a command do not go together"))),
            None => Ok(()),
        }
    }
}
