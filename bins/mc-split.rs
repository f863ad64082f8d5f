//! mc-split: records to numbered files.

use std::path::Path;
use std::process::ExitCode;

use mycloud::cli::hosts::{access, shards};
use mycloud::cli::options::{KeyOptions, Records};
use mycloud::cli::resources::{OutputOptions, Resources};
use mycloud::cli::{self, Session, size};
use mycloud::error::{Error, Result};
use mycloud::record::key::Missing;
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
    output: OutputOptions,

    /// Which record goes where: contiguous (in order, parts of about the same size), round-robin,
    /// or key (by XXH3 of the key -k, modulo N)
    #[arg(long, value_name = "WAY", default_value = "contiguous")]
    by: Way,

    /// Make shards of about SIZE [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = size::bytes, conflicts_with = "parts")]
    block: Option<u64>,

    #[command(flatten)]
    keys: KeyOptions,

    #[command(flatten)]
    records: Records,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    Contiguous,
    RoundRobin,
    Key,
}

impl Args {
    fn by(&self) -> Result<SplitBy> {
        if self.by == Way::Key {
            return Ok(SplitBy::Key(self.keys.keys()?, self.keys.missing));
        }
        if self.keys.key.is_some() || self.keys.missing != Missing::Fail {
            return Err(Error::usage("-k and --missing are for --by key"));
        }
        Ok(if self.by == Way::RoundRobin { SplitBy::RoundRobin } else { SplitBy::Contiguous })
    }
}

impl Args {
    /// Where the manifest of shards is to be kept, if shards are to be made at all.
    fn shards(&self) -> Option<Option<&Path>> {
        match self.output.output.as_deref().map(Path::new) {
            None => Some(None),
            Some(path) if path.extension().is_some_and(|e| e == "mc") => Some(Some(path)),
            Some(_) => None,
        }
    }

    /// Makes shards of files.
    fn to_shards(&self, keep: Option<&Path>, session: &mut Session) -> Result<Summary> {
        if self.by != Way::Contiguous || self.keys.key.is_some() {
            return Err(Error::usage(
                "--by and -k are for numbered files (-o): shards are parts of files",
            ));
        }
        if self.resources.resources.is_empty() {
            return Err(Error::usage(
                "say which files to split; records are for -o, or mc-scatter",
            ));
        }
        shards::check_output(session, keep)?;
        session.guard()?;
        let reach = access::access(session, None, None)?;
        let (resources, read) = self.resources.read(&self.records, session)?;
        let size = match (self.output.parts(), self.block) {
            (Some(count), _) => PartSize::Parts(count as u64),
            (None, bytes) => PartSize::Bytes(bytes.unwrap_or(BLOCK_BYTES)),
        };
        let options =
            split::shards::SplitShardsOptions { reach: &reach, resources, read, size, keep };
        shards::publish(session, &reach, keep, |output| split::shards::run(&options, output))
    }
}

fn main() -> ExitCode {
    cli::run(mycloud::tool!("mc-split"), |args: Args, session: &mut Session| {
        if let Some(keep) = args.shards() {
            return args.to_shards(keep, session);
        }
        if args.block.is_some() {
            return Err(Error::usage("--block is for shards, -n for numbered files"));
        }
        let count = args.output.parts();
        let count = count.ok_or_else(|| Error::usage("say with -n how many files to write"))?;
        let (output, write) = args.output.write(session)?;
        let by = args.by()?;
        let directory = args.output.temporary_directory()?;
        let (resources, mut read) = args.resources.read(&args.records, session)?;
        read.directory.clone_from(&directory);
        split::run(&SplitOptions { resources, read, output, write, count, by, directory })
    })
}
