//! What the threads of a worker share, whatever they do for the tool.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use crate::client::ClientAccess;
use crate::command::children::Children;
use crate::command::program::{Command, Given, PATH};
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::wire::message::Failed;
use crate::worker::base::Base;
use crate::worker::client::ClientCopies;
use crate::worker::deliveries::Deliveries;
use crate::worker::frame_writer::FrameWriter;
use crate::worker::setup::MadeReady;
use crate::worker::slots::Slots;
use crate::worker::store::Store;

/// What tells bash that it is not the login's own shell. Where it takes itself for that, as it does below
/// an sshd, `bash -c` reads `~/.bashrc`, and what that prints would be the command's.
const SHELL_LEVEL: (&str, &str) = ("SHLVL", "1");

/// What the threads of a worker share.
pub(crate) struct WorkerState {
    pub(crate) to_tool: FrameWriter,
    pub(crate) base: Base,
    pub(crate) slots: Slots,
    /// The shards that are made here, once a run has begun.
    pub(crate) store: Option<Store>,
    /// The files of the client, once a run has begun.
    pub(crate) client: Option<ClientCopies>,
    /// How much memory may be used, and how much of it a spool takes.
    pub(crate) memory: u64,
    pub(crate) spool_memory: usize,
    /// The parts of ranges that the tool brings.
    pub(crate) deliveries: Deliveries,
    pub(crate) name: String,
    pub(crate) children: Children,
    pub(crate) search_path: Option<std::ffi::OsString>,
    /// What was made ready for commands.
    pub(crate) setup: OnceLock<MadeReady>,
    pub(crate) ssh_connection: Option<String>,
    /// Where the user was logged in: relative paths of the host start there.
    pub(crate) login: PathBuf,
    /// Whether all work is to stop.
    pub(crate) ending: AtomicBool,
    /// Since when the reading thread has been at what came, while it is.
    pub(crate) reading: Mutex<Option<Instant>>,
}

impl WorkerState {
    /// How much memory one task may use, of as many as there are slots.
    pub(crate) fn task_memory(&self) -> usize {
        let memory = self.memory / u64::from(self.slots.count());
        usize::try_from(memory).unwrap_or(usize::MAX)
    }

    /// A command to be run here, with this environment beside the login's; of a line each member of a
    /// pipe is judged by `ok_exit`.
    ///
    /// # Errors
    /// As [`Command::find`]; `Storage` where it is not the command's fault but the place's.
    pub(crate) fn command(
        &self,
        given: Given,
        ok_exit: &[i32],
        environment: impl Iterator<Item = (OsString, OsString)> + Clone,
    ) -> Result<Command> {
        let told =
            environment.clone().filter(|(name, _)| name == PATH).map(|(_, path)| path).last();
        let told = told.zip(self.store.as_ref()).map(|(path, store)| store.search_path(path));
        let path = told.as_deref().or(self.search_path.as_deref());
        let found = Command::find(given, ok_exit, path);
        let command = found.or_else(|error| self.base.runs_programs().and(Err(error)))?;
        let mut command = command.setting(SHELL_LEVEL.0, SHELL_LEVEL.1.into());
        for (name, value) in environment.filter(|(name, _)| name != PATH) {
            command = command.setting(name, value);
        }
        Ok(command)
    }

    /// Where commands ask for files of the client: nowhere, if it shares none.
    pub(crate) fn client_variable(&self) -> OsString {
        let client = self.client.as_ref();
        client.map_or_else(|| ClientAccess::here(Vec::new()), ClientCopies::variable)
    }

    /// An empty spool, of the memory that one may take.
    pub(crate) fn spool(&self) -> Spool {
        Spool::new(Vec::new(), self.spool_memory, self.base.path())
    }
}

/// Why a request is not done.
pub(crate) struct JobError(pub(crate) Failed);

impl From<Error> for JobError {
    fn from(error: Error) -> JobError {
        JobError(Failed::of(&error))
    }
}
