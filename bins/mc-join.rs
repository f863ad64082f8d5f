//! mc-join: records, each with those of another input that have its key.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::{NonEmptyStringValueParser, OsStringValueParser};
use mycloud::Result;
use mycloud::cli::hosts::feed;
use mycloud::cli::options::{MemoryOptions, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session};
use mycloud::format::stream;
use mycloud::group::join::{Join, JoinKind};
use mycloud::record::key_pair::KeyPair;
use mycloud::stage::join::{self, JoinOptions};

/// Join the records of standard input, the left ones, with those of RESOURCE, the right ones, that
/// have the same key
///
/// Each left record comes out with each of its matches as one record, in the order of the input.
#[derive(clap::Parser)]
struct Args {
    /// The key: KEY[=KEY][,KEY[=KEY]...], of the left record and, where it is another one, of the
    /// right record; each PATH[:MODS] with n (numbers in strings), i (case ignored) and V
    /// (versions), such as user=id or .user.id:n=id
    #[arg(short, long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    key: String,

    /// Print left records without a match too, as they are
    #[arg(long, group = "kind")]
    left: bool,

    /// Print left records without a match too and, at the end, right ones without
    #[arg(long, group = "kind")]
    outer: bool,

    /// Print the left records that have a match, once, as they are
    #[arg(long, group = "kind")]
    semi: bool,

    /// Print the left records that have no match, as they are
    #[arg(long, group = "kind")]
    anti: bool,

    /// Put TEXT before the names of the fields that come from RESOURCE, but those of the key
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["semi", "anti"])]
    prefix: Option<String>,

    /// Read RESOURCE as FORMAT[,OPTION...]; then it is a plain path
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,

    /// The right records: [FORMAT[,OPTION...]:]PATH; several are read one after the other
    #[arg(value_name = "RESOURCE", required = true, value_parser = OsStringValueParser::new())]
    right: Vec<OsString>,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: MemoryOptions,
}

impl Args {
    fn join(&self) -> Result<Join> {
        let kinds = [
            (self.left, JoinKind::Left),
            (self.outer, JoinKind::Outer),
            (self.semi, JoinKind::Semi),
            (self.anti, JoinKind::Anti),
        ];
        let kind = kinds.into_iter().find_map(|(said, kind)| said.then_some(kind));
        Ok(Join {
            keys: KeyPair::parse(&self.key)?,
            kind: kind.unwrap_or_default(),
            prefix: self.prefix.clone().unwrap_or_default(),
        })
    }
}

pub(crate) fn main() -> ExitCode {
    cli::run(mycloud::tool!("mc-join"), |args: Args, session: &mut Session| {
        let join = args.join()?;
        let right = Resources { format: args.format.clone(), resources: args.right.clone() };
        let (resources, read) = right.beside_stdin(&args.records, session)?;
        let limits = args.memory.limits(&args.records)?;
        let (warn, note) = (Arc::clone(&read.warn), Arc::clone(&read.note));
        let options = JoinOptions { join, limits, bad: Arc::clone(&read.bad), warn, note };
        let right = stream::open(&resources, &read)?;
        let left = feed::records(session)?;
        join::run(&options, left, right, &mut session.stdout())
    })
}
