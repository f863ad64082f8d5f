//! What a tool needs to reach hosts, and the runs of its user.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cluster::{Host, Settings};
use crate::dataset::lineage::{LineageRecorder, StageAgain};
use crate::dataset::ownership::Locks;
use crate::dataset::run_dir::{RunHost, Runs};
use crate::engine::observer::Observer;
use crate::error::{Error, ErrorKind, Result};
use crate::record::bytes::Bytes;

/// How a tool reaches hosts and runs.
#[derive(Clone)]
pub struct HostAccess {
    /// The tool's name.
    pub tool: &'static str,
    /// How hosts are reached.
    pub settings: Settings,
    /// The records of this user's runs.
    pub runs: Runs,
    /// The locks on their data.
    pub locks: Locks,
    /// What is known of how the tool's output comes to be.
    pub lineage: Arc<LineageRecorder>,
    /// How it is to make something again, where it is to.
    pub again: Option<Arc<StageAgain>>,
    /// Where the tools are, if that is known.
    pub tools: Option<PathBuf>,
    /// Where small temporary files are made.
    pub directory: PathBuf,
    /// Is told of tasks and shards.
    pub observer: Observer,
}

impl HostAccess {
    /// What the record of a run says of `host`, which is called `name`, and whose worker works in
    /// `directory`.
    pub(crate) fn record_of(&self, host: &Host, name: &str, directory: Bytes) -> RunHost {
        let bytes = |words: &Vec<std::ffi::OsString>| {
            words.iter().map(|word| Bytes::from(word.as_os_str())).collect()
        };
        RunHost {
            name: name.into(),
            word: host.to_string(),
            ssh: self.settings.ssh.as_ref().map(bytes),
            ssh_config: self.settings.ssh_config.as_ref().map(|path| path.as_os_str().into()),
            directory,
        }
    }

    /// How a host of a run is reached: as the tool that made the run did.
    ///
    /// # Errors
    /// `Hosts` when the record names no host.
    pub(crate) fn to_host(&self, host: &RunHost) -> Result<(Host, Settings)> {
        let unknown = |_| {
            Error::new(ErrorKind::Hosts, format!("'{}', which a run names, is no host", host.word))
        };
        let mut settings = self.settings.clone();
        if let Some(words) = &host.ssh {
            settings.ssh = Some(words.iter().cloned().map(Into::into).collect());
        }
        if let Some(path) = &host.ssh_config {
            settings.ssh_config = Some(PathBuf::from(std::ffi::OsString::from(path.clone())));
        }
        Ok((host.word.parse().map_err(unknown)?, settings))
    }
}
