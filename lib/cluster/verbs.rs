//! What is asked of a worker, a call each: which messages say it is nobody else's business.

use std::sync::Arc;

use crate::cluster::Shipment;
use crate::cluster::connection::Connection;
use crate::error::{Error, Result, broken};
use crate::parallel::lock;
use crate::record::digest::Contents;
use crate::wire::job::{Job, SetUp};
use crate::wire::message::{Ask, Done, Failed, HostResource, KeptDataset, Reply, Task};
use crate::wire::shard::Fetch;

/// How a task ended on a host.
#[derive(Debug)]
pub enum TaskReply {
    /// Well.
    Done(Done),
    /// It failed there.
    Failed(Failed),
}

impl Connection {
    /// What lies on the host.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; what it says.
    pub fn list(&self) -> Result<Vec<KeptDataset>> {
        match self.reply(self.ask(&Ask::List)?)? {
            Reply::Kept(kept) => Ok(kept),
            other => Err(self.refusal(other)),
        }
    }

    /// Removes what is kept of `run` there; whether there was anything.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; what it says, which is never of that kind.
    pub fn remove(&self, run: &str) -> Result<bool> {
        match self.reply(self.ask(&Ask::Remove(run.to_string()))?)? {
            Reply::Removed(found) => Ok(found),
            other => Err(self.refusal(other)),
        }
    }

    /// Has the shards that were made there kept for good.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; what it says.
    pub fn keep(&self) -> Result<()> {
        self.done(self.ask(&Ask::Keep)?)
    }

    /// The files there that `resource` stands for, or where the file that it is is to be cut.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; what it says.
    pub fn expand(&self, resource: HostResource) -> Result<Vec<HostResource>> {
        match self.reply(self.ask(&Ask::Expand(resource))?)? {
            Reply::Expanded(resources) => Ok(resources),
            other => Err(self.refusal(other)),
        }
    }

    /// Makes a job known there.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn begin_job(&self, job: &Job) -> Result<()> {
        self.tell(&Ask::Job(job.clone()))
    }

    /// Puts the files of `shipment` to where commands start there; the content of those that are there
    /// already does not go there again.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; when a file cannot be read, or was changed; what the worker says.
    pub fn ship(&self, shipment: &Arc<Shipment>) -> Result<()> {
        *lock(&self.shipment) = Arc::clone(shipment);
        shipment.lists().try_for_each(|list| self.done(self.ask(&Ask::Ship(list.to_vec()))?))
    }

    /// Has things made ready for commands there; waits for whoever does that already.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; `Command` when the line fails; what the worker says.
    pub(crate) fn set_up(&self, setup: SetUp) -> Result<()> {
        self.done(self.ask(&Ask::SetUp(setup))?)
    }

    /// Asks for a shard that lies there, of these `contents`: it comes as the data of the request that
    /// is given. If `checked`, nothing comes before the worker has looked at all of it.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn fetch(&self, shard: Fetch, contents: Contents, checked: bool) -> Result<u32> {
        self.ask(&Ask::Fetch(shard, contents, checked))
    }

    /// Begins a task there; its input, where it is a stream, is to be sent for the request that is
    /// given.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn begin_task(&self, task: Task) -> Result<u32> {
        self.ask(&Ask::Task(task))
    }

    /// Waits for the end of a task; `take` gets the data that comes before. `None` when `stop` says that
    /// it is not wanted any more.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; what `take` says.
    pub fn task_reply(
        &self,
        request: u32,
        stop: &dyn Fn() -> bool,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<TaskReply>> {
        match self.reply_after(request, stop, take)? {
            Some(Reply::Done(done)) => Ok(Some(TaskReply::Done(done))),
            Some(Reply::Failed(failed)) => Ok(Some(TaskReply::Failed(failed))),
            Some(_) => Err(broken("another reply than a task's").at(self.shown())),
            None => Ok(None),
        }
    }

    fn done(&self, request: u32) -> Result<()> {
        match self.reply(request)? {
            Reply::Done(_) => Ok(()),
            other => Err(self.refusal(other)),
        }
    }

    /// Why a reply is another one than was to come.
    pub(super) fn refusal(&self, reply: Reply) -> Error {
        let error = match reply {
            Reply::Failed(failed) => failed.error(),
            _ => broken("another reply than was asked for"),
        };
        error.at(self.shown())
    }
}
