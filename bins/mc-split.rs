//! mc-split: records to numbered files.

use std::path::Path;
use std::process::ExitCode;

use mycloud::Result;
use mycloud::cli::explaining::{Explaining, stages::works_here};
use mycloud::cli::hosts::{access, shards};
use mycloud::cli::options::{self, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::splitting::{SplitWay, Splitting};
use mycloud::cli::{self, Session};
use mycloud::explain::schema::StagePlan;
use mycloud::record::stream::Summary;
use mycloud::stage::split::shards::PartSize;
use mycloud::stage::split::{self, SplitBy, SplitOptions};

/// How large a shard is, where nothing says.
const BLOCK_BYTES: u64 = 64 << 20;

/// Split files into shards for the tools that work on hosts, or records into numbered files
///
/// Without -o, or with -o FILE.mc, the shards are parts of the files: nothing is copied. With -o and
/// a place for the number, the files appear together at the end.
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    resources: Resources,

    #[command(flatten)]
    split: Splitting,

    #[command(flatten)]
    records: Records,
}

impl Args {
    fn by(&self) -> Result<SplitBy> {
        let keys = &self.split.keys;
        Ok(match self.split.way()? {
            SplitWay::Contiguous => SplitBy::Contiguous,
            SplitWay::RoundRobin => SplitBy::RoundRobin,
            SplitWay::Key => SplitBy::Key(keys.keys()?, keys.missing),
        })
    }

    /// Makes shards of files.
    fn to_shards(&self, keep: Option<&Path>, session: &mut Session) -> Result<Summary> {
        self.split.check_shards(&self.resources, keep, session)?;
        session.guard()?;
        let reach = access::access(session, None, None)?;
        let (resources, read) = self.resources.read(&self.records, session)?;
        let size = match (self.split.output.parts(), self.split.block) {
            (Some(count), _) => PartSize::Parts(count as u64),
            (None, bytes) => PartSize::Bytes(bytes.unwrap_or(BLOCK_BYTES)),
        };
        let options =
            split::shards::SplitShardsOptions { reach: &reach, resources, read, size, keep };
        shards::publish(session, &reach, keep, |output| split::shards::run(&options, output))
    }
}

/// What would be done.
fn explained(args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    if let Some(keep) = args.split.manifest() {
        args.split.check_shards(&args.resources, keep, explaining.session())?;
        access::access(explaining.session(), None, None)?;
        let reads = args.resources.explain(&args.records, explaining)?;
        let mut stage =
            explaining.split_files(reads, (args.split.output.parts(), args.split.block), keep)?;
        args.records.explain(&mut stage)?;
        return Ok(stage);
    }
    args.split.count()?;
    let mut stage = explaining.stage();
    args.records.explain(&mut stage)?;
    works_here(&mut stage);
    args.by()?.explain(&mut stage);
    stage.reads = args.resources.explain(&args.records, explaining)?;
    args.split.output.explain(explaining, &mut stage)?;
    Ok(stage)
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(mycloud::tool!("mc-split"), explained, |args: Args, session: &mut Session| {
        if let Some(keep) = args.split.manifest() {
            return args.to_shards(keep, session);
        }
        let count = args.split.count()?;
        let (output, write) = args.split.output.write(session)?;
        let by = args.by()?;
        let directory = args.split.output.temporary_directory()?;
        let (resources, mut read) = args.resources.read(&args.records, session)?;
        read.directory.clone_from(&directory);
        let jobs = options::cores();
        split::run(&SplitOptions { resources, read, output, write, count, by, directory, jobs })
    })
}
