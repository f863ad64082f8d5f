//! Standard input where it may be records, or shards that lie on hosts.

use crate::cli::{Session, reach};
use crate::engine::consumer::{Consumer, Feed};
use crate::error::Result;
use crate::record::stream::Input;
use crate::run::manifest::PREFIX;
use crate::run::peek::Peeked;

/// Standard input, of which enough is read to know what it is.
///
/// # Errors
/// As [`Session::stdin`]; what the manifest of shards says.
pub fn feed(session: &mut Session) -> Result<Feed> {
    let mut input = Peeked::new(session.stdin()?);
    if !input.begins_with(PREFIX.as_bytes())? {
        return Ok(Feed::Records(Box::new(input)));
    }
    let reach = reach::reach(session, None, None)?;
    Ok(Feed::Shards(Box::new(Consumer::open(Box::new(input), &reach)?)))
}

/// Standard input as records: those of shards are brought here.
///
/// # Errors
/// As [`feed`]; `Hosts` when a host of the shards cannot be reached.
pub fn records(session: &mut Session) -> Result<Box<dyn Input>> {
    match feed(session)? {
        Feed::Records(input) => Ok(input),
        Feed::Shards(consumer) => {
            if session.is_verbose() {
                session.warn("the shards are brought to this machine");
            }
            Ok(Box::new(consumer.into_records("the shards".into())?))
        }
    }
}
