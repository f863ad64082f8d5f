//! The options that name resources: those to read, with `-f`, and the one to write, with `-o`.

use std::ffi::OsString;
use std::sync::Arc;

use clap::Args;
use clap::builder::OsStringValueParser;

use crate::cli::options::Records;
use crate::cli::{Session, message};
use crate::error::Result;
use crate::format::ledger::Ledger;
use crate::format::place::Place;
use crate::format::resource::Resource;
use crate::format::spec::Spec;
use crate::format::{Once, ReadOptions, Warn, WriteOptions};

/// What to read.
#[derive(Args, Clone, Debug)]
pub struct Resources {
    /// Read all resources as FORMAT[,OPTION...]; then they are plain paths
    #[arg(short, long, value_name = "FORMAT")]
    pub format: Option<String>,

    /// [FORMAT[,OPTION...]:]PATH, - for standard input [default: -]
    #[arg(value_name = "RESOURCE", value_parser = OsStringValueParser::new())]
    pub resources: Vec<OsString>,
}

impl Resources {
    /// The resources, and how to read them.
    ///
    /// # Errors
    /// `Usage` for what is no resource.
    pub fn read(
        &self,
        records: &Records,
        session: &mut Session,
    ) -> Result<(Vec<Resource>, ReadOptions)> {
        let format = self.format.as_deref().map(Spec::parse).transpose()?;
        let mut resources = Vec::new();
        for resource in &self.resources {
            resources.push(Resource::parse(resource, format.as_ref())?);
        }
        if resources.is_empty() {
            resources.push(Resource::parse("-".as_ref(), format.as_ref())?);
        }
        let mut options = read_options(records, session)?;
        if resources.iter().any(|resource| resource.place == Place::Standard) {
            options.stdin = Once::new(Box::new(session.stdin()?));
        }
        Ok((resources, options))
    }
}

/// How records are read.
///
/// # Errors
/// When the file to keep bad records in cannot be made.
pub fn read_options(records: &Records, session: &Session) -> Result<ReadOptions> {
    Ok(ReadOptions {
        max_record: records.max_record(),
        bad: records.bad()?,
        stdin: Once::none(),
        warn: warn(session),
    })
}

/// How records are written to `output`.
pub fn write_options(output: &Resource, replace: bool, session: &mut Session) -> WriteOptions {
    WriteOptions {
        replace,
        stdout: match output.place {
            Place::Standard => Once::new(Box::new(session.stdout())),
            _ => Once::none(),
        },
        ledger: Ledger::none(),
        warn: warn(session),
    }
}

fn warn(session: &Session) -> Warn {
    let tool = session.tool();
    Arc::new(move |text| message::say(tool, text))
}
