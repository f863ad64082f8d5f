//! Standard input where it may be records, or shards that lie on hosts.

use std::fs::File;
use std::sync::Arc;

use crate::cli::Session;
use crate::cli::hosts::access;
use crate::cli::hosts::host_options::HostOptions;
use crate::dataset::manifest::PREFIX;
use crate::engine::consumer::{Consumer, ConsumerInput};
use crate::engine::host_access::HostAccess;
use crate::engine::records::ShardRecords;
use crate::error::{Error, Result};
use crate::explain;
use crate::format::{OpenShards, decompression};
use crate::pipe::meter;
use crate::pipe::peek::Peeked;
use crate::pipe::pipe_input::PipeInput;
use crate::record::stream::{Facts, Input};

/// Standard input, of which enough is read to know what it is: records or shards. What is
/// compressed is unpacked.
///
/// # Errors
/// As [`Session::stdin`]; what the manifest of shards says.
pub fn feed(session: &mut Session, hosts: &HostOptions) -> Result<ConsumerInput> {
    told(session, |session| hosts.reach(session))
}

/// What standard input is; `reach` is only needed for shards.
pub(super) fn told(
    session: &mut Session,
    reach: impl FnOnce(&Session) -> Result<HostAccess>,
) -> Result<ConsumerInput> {
    let mut input = Peeked::new(session.stdin()?);
    if !input.begins_with(PREFIX.as_bytes())? {
        if input.begins_with(explain::PREFIX.as_bytes())? {
            return Err(Error::usage(
                "standard input is the plan of a tool that explains: say --explain here, too, or \
                 MC_EXPLAIN=1 for all of the pipe",
            ));
        }
        let (input, codec) = decompression::unpacked(Box::new(input))?;
        if let Some(codec) = codec {
            session.warn(&format!("{} is {}: it is unpacked", input.name(), codec.name()));
        }
        return Ok(ConsumerInput::Records(input));
    }
    meter::of_process().reads_shards();
    let reach = reach(session)?;
    Ok(ConsumerInput::Shards(Box::new(Consumer::open(Box::new(input), &reach)?)))
}

/// Why there are no shards in `input`, of which nothing more is to be read: `error`, unless there is
/// nothing at all, which is what a tool leaves that came to no manifest.
pub fn no_shards(input: &mut dyn Input, error: Error) -> Error {
    match input.read(&mut [0]) {
        Ok(0) => nothing(input.name()),
        Ok(_) => error,
        Err(failure) => failure,
    }
}

fn nothing(name: &str) -> Error {
    Error::incomplete(format!(
        "{name} is empty, where the manifest of shards should be: has the tool that makes them failed?"
    ))
}

/// Opens the records of the shards whose manifest a file is.
pub fn opener(session: &Session) -> OpenShards {
    let reach = access::access(session, None, None);
    let reach = reach.map_err(|error| (error.kind(), error.to_string()));
    Arc::new(move |path| {
        let reach = reach.as_ref().map_err(|(kind, text)| Error::new(*kind, text))?;
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| Error::path("read", path, &e))?;
        let mut input = Peeked::new(PipeInput::new(file, &name));
        if !input.begins_with(PREFIX.as_bytes())? {
            let error = Error::input(format!("{name}: not the manifest of a dataset on hosts"));
            return Err(no_shards(&mut input, error));
        }
        let records = Consumer::open(Box::new(input), reach)?.into_records(name)?;
        Ok(Box::new(records) as Box<dyn Input>)
    })
}

/// Standard input as records: those of shards are brought here.
///
/// # Errors
/// As [`feed`]; `Hosts` when a host of the shards cannot be reached.
pub fn records(session: &mut Session) -> Result<Box<dyn Input>> {
    let fed = told(session, |session| access::access(session, None, None))?;
    brought(session, fed)
}

/// Records that are counted as they are read.
struct Metered(ShardRecords);

impl Input for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let got = self.0.read(buffer)?;
        if !buffer.is_empty() {
            meter::of_process().read(&buffer[..got]);
        }
        Ok(got)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    fn facts(&mut self) -> Option<Facts> {
        self.0.facts()
    }

    fn promised(&mut self) -> Option<Facts> {
        self.0.promised()
    }
}

/// The records of what is fed: shards are brought here.
///
/// # Errors
/// `Hosts` when a host of the shards cannot be reached.
pub fn brought(session: &Session, fed: ConsumerInput) -> Result<Box<dyn Input>> {
    match fed {
        ConsumerInput::Records(input) => Ok(input),
        ConsumerInput::Shards(consumer) => {
            if session.is_verbose() {
                session.warn("the shards are brought to this machine");
            }
            Ok(Box::new(Metered(consumer.into_records("the shards".into())?)))
        }
    }
}
