//! mc-join: records, each with those of another input that have its key.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::OsStringValueParser;
use mycloud::Result;
use mycloud::cli::explaining::Explaining;
use mycloud::cli::hosts::feed;
use mycloud::cli::hosts::in_place_options::InPlaceOptions;
use mycloud::cli::joining::Joining;
use mycloud::cli::options::{MemoryOptions, Records};
use mycloud::cli::resources::Resources;
use mycloud::cli::{self, Session};
use mycloud::engine::consumer::{Consumer, ConsumerInput};
use mycloud::engine::exchange::Roads;
use mycloud::engine::shard_job::ShardJob;
use mycloud::explain::outline::JoinOutline;
use mycloud::explain::schema::StagePlan;
use mycloud::format::resource::Resource;
use mycloud::format::{ReadOptions, stream};
use mycloud::record::stream::{Input, Summary};
use mycloud::stage::join::on_hosts::{self, RightRead};
use mycloud::stage::join::{self, JoinOptions};

/// Join the records of standard input, the left ones, with those of RESOURCE, the right ones, that
/// have the same key
///
/// Each left record comes out with each of its matches as one record, in the order of the input.
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    joining: Joining,

    /// Read RESOURCE as FORMAT[,OPTION...]; then it is a plain path
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,

    /// The right records: [FORMAT[,OPTION...]:]PATH; several are read one after the other
    #[arg(value_name = "RESOURCE", required = true, value_parser = OsStringValueParser::new())]
    right: Vec<OsString>,

    /// The hash that the right records must have: this tool says it where it calls itself on a host
    #[arg(long, value_name = "HASH", hide = true)]
    right_hash: Option<String>,

    #[command(flatten)]
    in_place: InPlaceOptions,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    memory: MemoryOptions,
}

impl Args {
    /// What is joined how, and what with.
    fn options(&self, session: &mut Session) -> Result<(JoinOptions, Vec<Resource>, ReadOptions)> {
        let join = self.joining.join()?;
        let right = Resources { format: self.format.clone(), resources: self.right.clone() };
        let (resources, read) = right.beside_stdin(&self.records, session)?;
        let limits = self.memory.limits(&self.records)?;
        let (warn, note) = (Arc::clone(&read.warn), Arc::clone(&read.note));
        let options = JoinOptions { join, limits, bad: Arc::clone(&read.bad), warn, note };
        Ok((options, resources, read))
    }

    /// Joins shards where they lie, if that is possible, or here.
    fn shards(
        &self,
        options: &JoinOptions,
        shards: Box<Consumer>,
        right: Box<dyn Input>,
        session: &mut Session,
    ) -> Result<Summary> {
        let mut right = right;
        if on_hosts::is_possible(options) {
            let memory = self.memory.bytes() as u64;
            let memory = on_hosts::task_memory(&shards, memory, self.memory.jobs());
            match on_hosts::read(options, right, memory)? {
                RightRead::Large(input) => right = input,
                RightRead::Small(small) => {
                    let how = (None, Roads::Auto);
                    return self.in_place.publish(session, &self.memory, how, |remote, output| {
                        let pass_on = |lines: &str| session.pass_on(lines);
                        let JoinOptions { limits, bad, .. } = options;
                        let job = ShardJob::in_place(remote, limits, bad, &pass_on);
                        on_hosts::run(options, &self.joining.key, &small, &job, shards, output)
                    });
                }
            }
        }
        self.in_place.refuse()?;
        let left = feed::brought(session, ConsumerInput::Shards(shards))?;
        join::run(options, left, right, &mut session.stdout())
    }
}

/// What would be done.
fn explained(args: Args, explaining: &mut Explaining<'_>) -> Result<StagePlan> {
    let (options, resources, read) = args.options(explaining.session())?;
    let mut stage = explaining.stage();
    let refuse = || args.in_place.refuse();
    let shards = args.in_place.explain_stdin(&args.records, explaining, &mut stage, refuse)?;
    let right = explaining.resources(&resources, &read)?;
    stage.join = Some(JoinOutline::of(&options.join).with(right));
    if !shards || !on_hosts::is_possible(&options) {
        args.in_place.explain_here(&args.memory, &mut stage)?;
        return Ok(stage);
    }
    args.in_place.explain(&args.memory, explaining, &mut stage)?;
    on_hosts::explain(&mut stage);
    Ok(stage)
}

pub(crate) fn main() -> ExitCode {
    cli::run_stage(mycloud::tool!("mc-join"), explained, |args: Args, session: &mut Session| {
        let (options, resources, read) = args.options(session)?;
        let left = args.in_place.stdin(&args.records, session, || args.in_place.refuse())?;
        let right = on_hosts::checked(stream::open(&resources, &read)?, args.right_hash.clone());
        match left {
            ConsumerInput::Records(left) => join::run(&options, left, right, &mut session.stdout()),
            ConsumerInput::Shards(shards) => args.shards(&options, shards, right, session),
        }
    })
}
