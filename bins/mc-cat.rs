//! mc-cat: files in any format to records.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use mycloud::cli::explaining::Explaining;
use mycloud::cli::hosts::file_hosts::FileHosts;
use mycloud::cli::hosts::{name_list, shards};
use mycloud::cli::options::{self, Records};
use mycloud::cli::resources::{Resources, read_options};
use mycloud::cli::{self, Session};
use mycloud::cluster::Host;
use mycloud::explain::schema::{StagePlan, StreamKind};
use mycloud::format::resource::Resource;
use mycloud::record::stream::Summary;
use mycloud::stage::cat::{self, CatOptions, on_hosts};
use mycloud::{Error, Result};

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
    there: FileHosts,

    #[command(flatten)]
    records: Records,
}

impl Args {
    /// The names of files that come from a list, if they do.
    fn names(&self, session: &mut Session) -> Result<Option<Vec<PathBuf>>> {
        self.files0_from.as_deref().map(|list| name_list::read(list, session)).transpose()
    }

    /// The files of hosts, as they are named.
    fn files_of_hosts(&self, session: &mut Session) -> Result<Vec<OsString>> {
        match self.names(session)? {
            Some(names) => Ok(names.iter().map(|name| Resource::plain_argument(name)).collect()),
            None if self.resources.resources.is_empty() => {
                Err(Error::usage("say which files of the hosts to read"))
            }
            None => Ok(self.resources.resources.clone()),
        }
    }

    /// Reads the files of hosts.
    fn on_hosts(&self, hosts: Vec<Host>, session: &mut Session) -> Result<Summary> {
        session.guard()?;
        let resources = self.files_of_hosts(session)?;
        let read = read_options(&self.records, session)?;
        let format = self.resources.format.as_deref();
        let resources = self.there.with_objects(resources, format, &read)?;
        let reach = self.there.hosts.reach(session)?;
        let keep = self.there.output.as_deref();
        shards::check_output(session, keep)?;
        let options = on_hosts::CatOnHostsOptions {
            reach: &reach,
            hosts,
            format: self.resources.format.clone(),
            resources,
            least: self.there.min_hosts.map(NonZeroUsize::get),
            shared: self.there.parts(),
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

/// What would be done.
fn explained(args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    let (files, records) = (&args.resources, &args.records);
    if let Some(hosts) = args.there.hosts.hosts()? {
        let resources = args.files_of_hosts(explaining.session())?;
        args.there.hosts.reach(explaining.session())?;
        let files = (resources.as_slice(), files.format.as_deref());
        return explaining.host_files(&hosts, files, &args.there, records);
    }
    let (reads, kind) = match args.names(explaining.session())? {
        _ if args.raw => (files.explain_places(records, explaining)?, StreamKind::Bytes),
        Some(names) => (files.explain_files(&names, records, explaining)?, StreamKind::Records),
        None => (files.explain(records, explaining)?, StreamKind::Records),
    };
    explaining.passed_on(reads, kind, records)
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(mycloud::tool!("mc-cat"), explained, |args: Args, session: &mut Session| {
        if let Some(hosts) = args.there.hosts.hosts()? {
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
        let jobs = options::cores();
        cat::run(&CatOptions { resources, read, jobs }, &mut session.stdout())
    })
}
