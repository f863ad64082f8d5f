//! Whose files are read on hosts, and what becomes of the shards that are made of them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::cli::hosts::host_options::HostOptions;
use crate::cli::size;

/// How large the parts of a file that all hosts see are, where nothing says.
const BLOCK_BYTES: u64 = 64 << 20;

/// The hosts whose files are read.
#[derive(Args, Clone, Debug)]
pub struct FileHosts {
    /// The hosts.
    #[command(flatten)]
    pub hosts: HostOptions,

    /// With -h: all hosts see the same files, so read each of them once, its parts on any of them
    #[arg(long, requires = "hosts")]
    shared: bool,

    /// With --shared: cut files into parts of about SIZE [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes, requires = "shared")]
    block: Option<u64>,

    /// With --shared: go on without hosts that cannot be used, as long as N of them can [default: half must
    /// be in reach, and none refuse]
    #[arg(long, value_name = "N", requires = "shared")]
    pub min_hosts: Option<NonZeroUsize>,

    /// With -h: keep the shards on the hosts, and their manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE", requires = "hosts")]
    pub output: Option<PathBuf>,
}

impl FileHosts {
    /// About how large the parts are of files that all hosts see, if they do.
    pub fn parts(&self) -> Option<u64> {
        self.shared.then(|| self.block.unwrap_or(BLOCK_BYTES))
    }
}
