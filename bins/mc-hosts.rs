//! mc-hosts: what hosts are, and what lies on them.

use std::path::PathBuf;
use std::process::ExitCode;

use mycloud::cli::hosts::host_options::HostOptions;
use mycloud::cli::{self, Session};
use mycloud::stage::hosts::{self, HostsOptions, HostsRequest, RemovalTarget};

/// Say of each host whether it can be reached, how, and what it has; or what is kept there
#[derive(clap::Parser)]
#[command(
    override_usage = "mc-hosts [OPTION]... -h HOSTS\n       mc-hosts [OPTION]... --rm FILE..."
)]
struct Args {
    #[command(flatten)]
    hosts: HostOptions,

    /// List the shards that lie on the hosts [default: those of all runs that are known]
    #[arg(long)]
    kept: bool,

    /// Remove the dataset whose manifest is FILE, or of the run that FILE names, and FILE
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "kept")]
    rm: Vec<PathBuf>,

    /// With --rm: forget what lies on hosts that are out of reach, for they are gone
    #[arg(long, requires = "rm")]
    force: bool,
}

pub(crate) fn main() -> ExitCode {
    cli::run(mycloud::tool!("mc-hosts"), |args: Args, session: &mut Session| {
        let hosts = args.hosts.hosts()?;
        let what = match (args.kept, args.rm.is_empty()) {
            (true, _) => HostsRequest::Kept,
            (false, true) => HostsRequest::Table,
            (false, false) => {
                HostsRequest::Remove(args.rm.iter().map(|word| RemovalTarget::of(word)).collect())
            }
        };
        let options = HostsOptions { hosts, what, force: args.force };
        let reach = args.hosts.reach(session)?;
        session.guard()?;
        let mut output = session.stdout();
        hosts::run(&options, &reach, &mut output, &|line| session.warn(line))
    })
}
