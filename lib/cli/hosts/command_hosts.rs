//! On which hosts a command runs, what is sent there for it, and what becomes of what it prints.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::cli::hosts::host_options::HostOptions;
use crate::cli::hosts::shipping::Ship;
use crate::cli::options::Pipes;

/// Where a command runs that makes shards.
#[derive(Args, Clone, Debug)]
pub struct CommandHosts {
    /// The hosts.
    #[command(flatten)]
    pub hosts: HostOptions,

    /// Go on as long as N hosts can be used [default: half must be in reach, and none refuse]
    #[arg(long, value_name = "N", requires = "hosts")]
    pub min_hosts: Option<NonZeroUsize>,

    /// What is sent.
    #[command(flatten)]
    pub ship: Ship,

    /// Keep what is printed on the hosts, as shards, and their manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// What is relied on of the pipes that are read.
    #[command(flatten)]
    pub pipes: Pipes,
}
