//! One attempt at a task on a host: what is sent there, and what comes of it.

use crate::cluster::{Connection, Task, TaskReply};
use crate::command::Form;
use crate::engine::HostedShard;
use crate::engine::shard_hosts::ShardHosts;
use crate::engine::shard_stream::ShardStream;
use crate::error::{Error, Result};
use crate::record::bad::Bad;
use crate::spool::Spool;

/// Has a host attempt `task`, whose input, where it is a stream, is `input`; `take` gets the data that comes before
/// its end. `None` when `stop` says that it is not wanted any more.
///
/// # Errors
/// `Hosts` when the host is lost; what `take` says.
pub(crate) fn attempt(
    connection: &Connection,
    task: Task,
    input: Option<&Spool>,
    stop: &dyn Fn() -> bool,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Option<TaskReply>> {
    let request = connection.begin_task(task)?;
    if let Some(spool) = input {
        spool.pour(|bytes| connection.send(request, bytes))?;
        connection.sent_all(request)?;
    }
    connection.task_reply(request, stop, take)
}

/// Brings a shard here, into `spool`, in the form in which a command reads it.
pub(crate) struct Bringing<'a> {
    pub(crate) origin: Option<&'a ShardHosts>,
    pub(crate) form: &'a Form,
    pub(crate) max_record: usize,
    pub(crate) bad: &'a Bad,
    /// Makes an empty spool.
    pub(crate) spool: &'a dyn Fn() -> Spool,
}

impl Bringing<'_> {
    /// Brings `shard`, which then is without the copies that were no good.
    ///
    /// # Errors
    /// Why it cannot be had; `Storage`.
    pub(crate) fn bring(&self, shard: &mut HostedShard) -> Result<Spool> {
        let Some(origin) = self.origin else {
            return Err(Error::incomplete("a shard that lies nowhere"));
        };
        let mut records = (self.spool)();
        let mut stream = ShardStream::new(origin, shard.clone());
        let came = loop {
            match stream.data(origin) {
                Ok(None) => break Ok(()),
                Ok(Some(data)) => {
                    if let Err(error) = records.push(&data) {
                        stream.cancel();
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        *shard = stream.into_shard();
        came?;
        if self.form.reads_records() {
            return Ok(records);
        }
        let name = format!("shard {}", shard.number);
        self.form.feed_all(&records, &name, self.max_record, self.bad, (self.spool)())
    }
}
