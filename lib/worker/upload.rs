//! What the tool sends, by the requests that it belongs to, until all of it is here.

use std::collections::HashMap;

use crate::error::Result;
use crate::error::broken;
use crate::spool::Spool;
use crate::wire::exchange::RelayedPart;
use crate::wire::flow::Debt;
use crate::wire::message::Task;

/// What an input is for.
#[derive(Debug)]
pub(crate) enum Upload {
    /// A task, whose command reads it.
    Task(Task),
    /// A part of a range, that the tool brings.
    Part(RelayedPart),
}

/// An input that arrives.
struct Incoming {
    upload: Upload,
    spool: Result<Spool>,
    debt: Debt,
}

/// The uploads that are under way.
#[derive(Default)]
pub(crate) struct Uploads(HashMap<u32, Incoming>);

impl Uploads {
    /// The input of `request` is about to arrive.
    pub(crate) fn open(&mut self, request: u32, upload: Upload, spool: Spool) -> Result<()> {
        let incoming = Incoming { upload, spool: Ok(spool), debt: Debt::default() };
        match self.0.insert(request, incoming) {
            None => Ok(()),
            Some(_) => Err(broken("a request twice")),
        }
    }

    /// Takes some of the input of `request`; gives the credit that is due.
    pub(crate) fn take(&mut self, request: u32, bytes: &[u8]) -> Result<Option<u32>> {
        // What was cancelled may still be on its way.
        let Some(incoming) = self.0.get_mut(&request) else { return Ok(None) };
        if !incoming.debt.came(bytes.len() as u64) {
            return Err(broken("more data than it was allowed to send"));
        }
        if let Ok(spool) = &mut incoming.spool
            && let Err(error) = spool.push(bytes)
        {
            // Only this request fails; its data is let pass by.
            incoming.spool = Err(error);
        }
        Ok(incoming.debt.dealt_with(bytes.len() as u64))
    }

    /// All of the input of `request` is here.
    pub(crate) fn close(&mut self, request: u32) -> Option<(Upload, Result<Spool>)> {
        self.0.remove(&request).map(|incoming| (incoming.upload, incoming.spool))
    }

    /// The input of `request` is not wanted any more.
    pub(crate) fn forget(&mut self, request: u32) {
        self.0.remove(&request);
    }
}
