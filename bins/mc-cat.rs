//! mc-cat: files in any format to records.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use mycloud::cli::hosts::host_options::HostOptions;
use mycloud::cli::hosts::{name_list, shards};
use mycloud::cli::options::{self, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session, size};
use mycloud::cluster::Host;
use mycloud::format::resource::Resource;
use mycloud::record::stream::Summary;
use mycloud::stage::cat::{self, CatOptions, on_hosts};
use mycloud::{Error, Result};

/// How large the parts of a file that all hosts see are, where nothing says.
const BLOCK_BYTES: u64 = 64 << 20;

/// Read files in any format and write their records
///
/// With -h, the files are those of the hosts, and their records stay there as shards.
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    resources: Resources,

    /// Read the files that FILE names, - for standard input, a NUL behind each name; nothing in a
    /// name is special
    #[arg(long, value_name = "FILE", conflicts_with = "resources")]
    files0_from: Option<OsString>,

    /// Write the bytes of the files as they are, one after the other; resources are plain paths
    #[arg(long, conflicts_with_all = ["format", "hosts", "files0_from"])]
    raw: bool,

    #[command(flatten)]
    hosts: HostOptions,

    /// With -h: all hosts see the same files, so read each of them once, its parts on any of them
    #[arg(long, requires = "hosts")]
    shared: bool,

    /// With --shared: cut files into parts of about SIZE [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes, requires = "shared")]
    block: Option<u64>,

    /// With --shared: go on without hosts that cannot be used, as long as N of them can [default: half must
    /// be in reach, and none refuse]
    #[arg(long, value_name = "N", requires = "shared")]
    min_hosts: Option<NonZeroUsize>,

    /// With -h: keep the shards on the hosts, and their manifest in FILE (FILE.mc)
    #[arg(short, long, value_name = "FILE", requires = "hosts")]
    output: Option<PathBuf>,

    #[command(flatten)]
    records: Records,
}

impl Args {
    /// The names of files that come from a list, if they do.
    fn names(&self, session: &mut Session) -> Result<Option<Vec<PathBuf>>> {
        self.files0_from.as_deref().map(|list| name_list::read(list, session)).transpose()
    }

    /// Reads the files of hosts.
    fn on_hosts(&self, hosts: Vec<Host>, session: &mut Session) -> Result<Summary> {
        if self.resources.resources.is_empty() && self.files0_from.is_none() {
            return Err(Error::usage("say which files of the hosts to read"));
        }
        session.guard()?;
        let resources = match self.names(session)? {
            Some(names) => names.iter().map(|name| Resource::plain_argument(name)).collect(),
            None => self.resources.resources.clone(),
        };
        let reach = self.hosts.reach(session)?;
        let keep = self.output.as_deref();
        shards::check_output(session, keep)?;
        let options = on_hosts::CatOnHostsOptions {
            reach: &reach,
            hosts,
            format: self.resources.format.clone(),
            resources,
            least: self.min_hosts.map(NonZeroUsize::get),
            shared: self.shared.then(|| self.block.unwrap_or(BLOCK_BYTES)),
            bad: self.records.bad()?,
            max_record: self.records.max_record(),
            directory: options::temporary_directory(None)?,
            keep,
        };
        let session = &*session;
        shards::publish(session, &reach, keep, |output| {
            on_hosts::run(&options, output, &|lines| session.pass_on(lines))
        })
    }
}

pub(crate) fn main() -> ExitCode {
    cli::run(mycloud::tool!("mc-cat"), |args: Args, session: &mut Session| {
        if let Some(hosts) = args.hosts.hosts()? {
            return args.on_hosts(hosts, session);
        }
        if args.raw {
            let (places, read) = args.resources.places(&args.records, session)?;
            return cat::raw(places, &read, &mut session.stdout());
        }
        let (resources, read) = match args.names(session)? {
            Some(names) => args.resources.files(&names, &args.records, session)?,
            None => args.resources.read(&args.records, session)?,
        };
        cat::run(&CatOptions { resources, read }, &mut session.stdout())
    })
}
