//! mc-split: records to numbered files.

use std::process::ExitCode;

use mycloud::cli::options::{Keys, Records};
use mycloud::cli::resources::{Output, Resources};
use mycloud::cli::{self, Session};
use mycloud::error::{Error, Result};
use mycloud::record::key::Missing;
use mycloud::stage::split::{self, By, Options};

/// Split records into numbered files, which appear together at the end
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    resources: Resources,

    #[command(flatten)]
    output: Output,

    /// Which record goes where: contiguous (in order, parts of about the same size), round-robin,
    /// or key (by XXH3 of the key -k, modulo N)
    #[arg(long, value_name = "WAY", default_value = "contiguous")]
    by: Way,

    #[command(flatten)]
    keys: Keys,

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
    fn by(&self) -> Result<By> {
        if self.by == Way::Key {
            return Ok(By::Key(self.keys.keys()?, self.keys.missing));
        }
        if self.keys.key.is_some() || self.keys.missing != Missing::Fail {
            return Err(Error::usage("-k and --missing are for --by key"));
        }
        Ok(if self.by == Way::RoundRobin { By::RoundRobin } else { By::Contiguous })
    }
}

fn main() -> ExitCode {
    cli::run("mc-split", |args: Args, session: &mut Session| {
        if args.output.output.is_none() {
            return Err(Error::usage(
                "say with -o where to write; shards on hosts are not there yet",
            ));
        }
        let count = args.output.parts();
        let count = count.ok_or_else(|| Error::usage("say with -n how many files to write"))?;
        let (output, write) = args.output.write(session)?;
        let by = args.by()?;
        let directory = args.output.temporary_directory()?;
        let (resources, mut read) = args.resources.read(&args.records, session)?;
        read.directory.clone_from(&directory);
        split::run(&Options { resources, read, output, write, count, by, directory })
    })
}
