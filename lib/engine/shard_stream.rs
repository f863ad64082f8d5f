//! The data of a shard as it comes from a host, or again from there or another when that breaks off,
//! each byte once.

use std::sync::Arc;

use crate::cluster::Connection;
use crate::cluster::host::shown;
use crate::engine::HostedShard;
use crate::engine::shard_hosts::ShardHosts;
use crate::engine::split;
use crate::error::{Error, Result};
use crate::format::Source;
use crate::record::digest::{Contents, Digest};

/// A shard whose data comes.
pub(crate) struct ShardStream {
    shard: HostedShard,
    from: ShardSource,
    digest: Digest,
    /// What was given out before the link broke, which comes again and is not given out again.
    given: Contents,
}

/// Where a shard comes from.
enum ShardSource {
    Host(Arc<Connection>, u32),
    /// A local file.
    Here(Box<dyn Source>),
    /// It could not be asked for.
    Nowhere(Option<Error>),
}

impl ShardSource {
    fn ask(origin: &ShardHosts, shard: &mut HostedShard) -> ShardSource {
        let asked = match &shard.split {
            Some(split) => split::open(split).map(ShardSource::Here),
            None => origin
                .ask(shard)
                .map(|(connection, request)| ShardSource::Host(connection, request)),
        };
        asked.unwrap_or_else(|error| ShardSource::Nowhere(Some(error)))
    }

    /// The next records; none at the end.
    fn data(&mut self) -> Result<Option<Vec<u8>>> {
        match self {
            ShardSource::Host(connection, request) => connection.data(*request),
            ShardSource::Here(source) => {
                let mut records = Vec::new();
                while records.is_empty() && source.fill(&mut records)? {}
                Ok(Some(records).filter(|records| !records.is_empty()))
            }
            ShardSource::Nowhere(why) => {
                Err(why.take().unwrap_or_else(|| Error::incomplete("a shard that is not there")))
            }
        }
    }
}

impl ShardStream {
    /// Asks for `shard`. That it cannot be had is told in its turn.
    pub(crate) fn new(origin: &ShardHosts, mut shard: HostedShard) -> ShardStream {
        let from = ShardSource::ask(origin, &mut shard);
        ShardStream { shard, from, digest: Digest::default(), given: Contents::default() }
    }

    /// What the manifest says that it holds.
    pub(crate) fn contents(&self) -> Contents {
        self.shard.contents
    }

    /// The next records that were not given out yet; none at the end, once all of it is checked.
    ///
    /// # Errors
    /// `Hosts` when it is out of reach, `Incomplete` when it is gone, or not what it should be.
    pub(crate) fn data(&mut self, origin: &ShardHosts) -> Result<Option<Vec<u8>>> {
        loop {
            match (self.from.data(), &self.from) {
                (Ok(Some(mut data)), _) => {
                    let lacking = self.given.bytes.saturating_sub(self.digest.contents().bytes);
                    let known = usize::try_from(lacking).unwrap_or(usize::MAX).min(data.len());
                    self.digest.push(&data[..known]);
                    if known > 0 && known as u64 == lacking {
                        self.is_repeated()?;
                    }
                    data.drain(..known);
                    self.digest.push(&data);
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                }
                (Ok(None), from) => {
                    if self.digest.contents().bytes < self.given.bytes {
                        self.is_repeated()?;
                    }
                    let ShardSource::Host(connection, _) = from else {
                        verify("this machine", &self.shard, &self.digest.contents())?;
                        return Ok(None);
                    };
                    match verify(connection.name(), &self.shard, &self.digest.contents()) {
                        Ok(()) => {
                            origin.served(connection);
                            return Ok(None);
                        }
                        Err(error) => origin.failed(&mut self.shard, connection, error)?,
                    }
                    self.begin_again(origin);
                }
                (Err(error), ShardSource::Host(connection, _)) => {
                    origin.failed(&mut self.shard, connection, error)?;
                    self.begin_again(origin);
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// No more of it is wanted, though more may come.
    pub(crate) fn cancel(&self) {
        if let ShardSource::Host(connection, request) = &self.from {
            connection.cancel(*request);
        }
    }

    /// The shard, without the copies that were no good.
    pub(crate) fn into_shard(self) -> HostedShard {
        self.shard
    }

    fn begin_again(&mut self, origin: &ShardHosts) {
        let came = self.digest.contents();
        if came.bytes > self.given.bytes {
            self.given = came;
        }
        self.digest = Digest::default();
        self.from = ShardSource::ask(origin, &mut self.shard);
    }

    /// That what came again is what was given out.
    fn is_repeated(&self) -> Result<()> {
        if self.digest.contents() == self.given {
            return Ok(());
        }
        Err(Error::incomplete(format!(
            "shard {}: what came of it before a connection broke is not what came after it",
            self.shard.number
        )))
    }
}

/// That what came is what the manifest says.
fn verify(host: &str, shard: &HostedShard, came: &Contents) -> Result<()> {
    if *came == shard.contents {
        return Ok(());
    }
    let host = shown(host);
    Err(Error::incomplete(format!(
        "{host}: shard {} is damaged: it is not what its manifest says: {} records in {} bytes, not {} in {}, or another digest",
        shard.number, came.records, came.bytes, shard.contents.records, shard.contents.bytes
    )))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::cluster::{Settings, WorkerBinary};
    use crate::format::ReadOptions;
    use crate::format::resource::Resource;
    use crate::record::bad::Policy;

    fn contents(bytes: &[u8]) -> Contents {
        let mut digest = Digest::default();
        digest.push(bytes);
        digest.contents()
    }

    /// Hosts that nothing is asked of.
    fn no_hosts() -> ShardHosts {
        let settings = Settings {
            worker: Arc::new(WorkerBinary::new("/nowhere".into())),
            library: None,
            ssh: None,
            ssh_config: None,
            environment: Vec::new(),
            home: None,
            agent: None,
            say: Arc::new(|_| ()),
            explain: Arc::new(|_| ()),
        };
        ShardHosts::new(Vec::new(), settings, None)
    }

    /// What still comes of a shard that holds `1`, `22` and `333` when `given` was given out before.
    fn rest(given: &str) -> Result<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ndjson");
        std::fs::write(&path, "1\n22\n333\n").unwrap();
        let resource = Resource::parse(OsStr::new(&path), None)?;
        let mut parts = split::cut(&resource, 1 << 20, &ReadOptions::new(Policy::Fail)?)?;
        let (split, contents_of_it) = parts.pop().unwrap();
        let shard = HostedShard {
            run: String::new(),
            number: 1,
            hosts: Vec::new(),
            flaws: Vec::new(),
            contents: contents_of_it,
            split: Some(split),
            made_again: None,
        };
        let (origin, mut rest) = (no_hosts(), Vec::new());
        let mut stream = ShardStream::new(&origin, shard);
        stream.given = contents(given.as_bytes());
        while let Some(data) = stream.data(&origin)? {
            rest.extend_from_slice(&data);
        }
        Ok(rest)
    }

    #[test]
    fn what_comes_again_is_given_out_once() {
        assert_eq!(rest("").unwrap(), b"1\n22\n333\n");
        assert_eq!(rest("1\n2").unwrap(), b"2\n333\n");
        assert_eq!(rest("1\n22\n333\n").unwrap(), b"");
    }

    #[test]
    fn what_comes_again_must_be_what_was_given_out() {
        for given in ["2\n", "1\n33\n", "22\n1\n", "1\n22\n333\n4\n", "1\n22\n334\n"] {
            let error = rest(given).unwrap_err();
            assert_eq!(error.exit_code(), 4);
            assert!(error.to_string().contains("is not what came after it"), "{error}");
        }
    }
}
