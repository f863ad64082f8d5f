//! The options of a split: into shards that are parts of files, or into numbered files, by which way.

use std::path::Path;

use clap::Args;

use crate::cli::hosts::shards;
use crate::cli::options::KeyOptions;
use crate::cli::resources::{OutputOptions, Resources};
use crate::cli::{Session, size};
use crate::error::{Error, Result};
use crate::record::key::Missing;

/// How and where to files are split.
#[derive(Args, Clone, Debug)]
pub struct Splitting {
    /// Where to.
    #[command(flatten)]
    pub output: OutputOptions,

    /// Which record goes where: contiguous (in order, parts of about the same size), round-robin,
    /// or key (by XXH3 of the key -k, modulo N)
    #[arg(long, value_name = "WAY", default_value = "contiguous")]
    by: SplitWay,

    /// Make shards of about SIZE [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes, conflicts_with = "parts")]
    pub block: Option<u64>,

    /// The key.
    #[command(flatten)]
    pub keys: KeyOptions,
}

/// Which record goes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SplitWay {
    /// In order.
    Contiguous,
    /// Each to the next in turn.
    RoundRobin,
    /// By the key.
    Key,
}

impl Splitting {
    /// Which record goes to which file.
    ///
    /// # Errors
    /// `Usage` for a key that is of no use.
    pub fn way(&self) -> Result<SplitWay> {
        let has_key = self.keys.key.is_some() || self.keys.missing != Missing::Fail;
        match self.by != SplitWay::Key && has_key {
            true => Err(Error::usage("-k and --missing are for --by key")),
            false => Ok(self.by),
        }
    }

    /// How many numbered files there are to be.
    ///
    /// # Errors
    /// `Usage` when it is not said.
    pub fn count(&self) -> Result<usize> {
        if self.block.is_some() {
            return Err(Error::usage("--block is for shards, -n for numbered files"));
        }
        let count = self.output.parts();
        count.ok_or_else(|| Error::usage("say with -n how many files to write"))
    }

    /// Where the manifest of shards is to be kept, if shards are to be made at all.
    pub fn manifest(&self) -> Option<Option<&Path>> {
        match self.output.output.as_deref().map(Path::new) {
            None => Some(None),
            Some(path) if path.extension().is_some_and(|e| e == "mc") => Some(Some(path)),
            Some(_) => None,
        }
    }

    /// Checks that shards can be made of `resources`, whose manifest is kept in a file or not.
    ///
    /// # Errors
    /// `Usage` for what is about numbered files, and when there is nothing to split; as
    /// [`shards::check_output`].
    pub fn check_shards(
        &self,
        resources: &Resources,
        keep: Option<&Path>,
        session: &Session,
    ) -> Result<()> {
        if self.by != SplitWay::Contiguous || self.keys.key.is_some() {
            return Err(Error::usage(
                "--by and -k are for numbered files (-o): shards are parts of files",
            ));
        }
        if resources.resources.is_empty() {
            return Err(Error::usage(
                "say which files to split; records are for -o, or mc-scatter",
            ));
        }
        shards::check_output(session, keep)
    }
}
