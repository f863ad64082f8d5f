//! Requests on a connection: what is asked, the data that goes with it, and the reply.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cluster::connection::Connection;
use crate::cluster::hearing::{ConnectionState, Request};
use crate::error::Result;
use crate::wire::frame::{DATA_BYTES, broken};
use crate::wire::message::{self, Ask, Reply};
use crate::wire::{FrameKind, SILENCE_MAX};

/// How often who waits for a reply looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often who waits for what is owed looks how long that takes.
const OWED_LOOK: Duration = Duration::from_secs(1);

impl Connection {
    /// Asks without a request of its own.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub(super) fn tell(&self, ask: &Ask) -> Result<()> {
        self.frame(FrameKind::Control, 0, &message::encode(ask))
    }

    /// Asks; the answer is to be waited for, by the number that is given.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub(super) fn ask(&self, ask: &impl Serialize) -> Result<u32> {
        let mut state = self.state();
        state.last += 1;
        let request = state.last;
        state.requests.insert(request, Request::default());
        drop(state);
        let asked = self.frame(FrameKind::Control, request, &message::encode(ask));
        if asked.is_err() {
            self.state().requests.remove(&request);
        }
        asked.map(|()| request)
    }

    /// Sends data of `request`, as fast as the worker allows. Data that the worker does not want
    /// any more, since it has replied, is dropped.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn send(&self, request: u32, bytes: &[u8]) -> Result<()> {
        self.send_within(SILENCE_MAX, request, bytes)
    }

    /// The same for a part that a merge has asked for, with more patience: a merge takes no more of one
    /// while another does not come, and it is whoever owes that one that is to be lost.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn deliver(&self, request: u32, bytes: &[u8]) -> Result<()> {
        self.send_within(2 * SILENCE_MAX, request, bytes)
    }

    fn send_within(&self, limit: Duration, request: u32, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let wanted = bytes.len().min(DATA_BYTES) as u64;
            let count =
                self.wait_for_owed(limit, |state| match state.requests.get_mut(&request) {
                    Some(open) if open.reply.is_none() => {
                        let count = open.allowance.left().min(wanted);
                        open.allowance.spend(count);
                        Some(count).filter(|count| *count > 0)
                    }
                    _ => Some(0),
                })? as usize;
            if count == 0 {
                return Ok(());
            }
            let frame = |kind, payload: &[u8]| self.frame(kind, request, payload);
            self.packer.data(&bytes[..count], frame)?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// All data of `request` is sent.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub fn sent_all(&self, request: u32) -> Result<()> {
        self.frame(FrameKind::End, request, &[])
    }

    /// The next data of `request`; `None` when all of it is here, and the worker says so.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; what it says when the request failed.
    pub fn data(&self, request: u32) -> Result<Option<Vec<u8>>> {
        let next = self.wait_for_owed(SILENCE_MAX, |state| {
            let open = state.requests.get_mut(&request)?;
            if let Some(data) = open.data.pop_front() {
                let credit = open.debt.dealt_with(data.len() as u64);
                return Some(Ok(Some((data, credit))));
            }
            match open.reply.take()? {
                Reply::Sent if open.whole => Some(Ok(None)),
                Reply::Failed(failed) => Some(Err(failed.error().at(self.shown()))),
                _ => Some(Err(broken("a shard without its end").at(self.shown()))),
            }
        })?;
        match next {
            Ok(Some((data, credit))) => {
                if let Some(credit) = credit {
                    self.frame(FrameKind::Credit, request, &credit.to_le_bytes())?;
                }
                Ok(Some(data))
            }
            ended => {
                self.state().requests.remove(&request);
                ended.map(|_| None)
            }
        }
    }

    /// Waits for the reply to `request`, and closes it.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub(super) fn reply(&self, request: u32) -> Result<Reply> {
        let reply = self.wait(|state| match state.requests.get_mut(&request) {
            Some(open) => open.reply.take(),
            None => Some(Reply::Failed(message::Failed::of(&broken("no such request")))),
        })?;
        self.state().requests.remove(&request);
        Ok(reply)
    }

    /// As [`Connection::reply`], but gives up once `stop` says so, which is asked now and then.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost.
    pub(super) fn reply_unless(
        &self,
        request: u32,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Reply>> {
        self.reply_after(request, stop, &mut |_| Ok(()))
    }

    /// The same; `take` gets the data that comes before the reply.
    ///
    /// # Errors
    /// `Hosts` when the worker is lost; what `take` says.
    pub(super) fn reply_after(
        &self,
        request: u32,
        stop: &dyn Fn() -> bool,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Reply>> {
        loop {
            let heard = self.look(request, stop, |open| match open.data.pop_front() {
                Some(data) => {
                    let credit = open.debt.dealt_with(data.len() as u64);
                    Some(Ok((data, credit)))
                }
                None => open.reply.take().map(Err),
            })?;
            match heard {
                Some(Ok((data, credit))) => self.taken(request, credit, take(&data))?,
                Some(Err(reply)) => {
                    self.state().requests.remove(&request);
                    return Ok(Some(reply));
                }
                None => return Ok(None),
            }
        }
    }

    /// Nothing more comes of `request`.
    pub(super) fn close(&self, request: u32) {
        self.state().requests.remove(&request);
    }

    /// Waits until `found` finds something in a request; gives up once `stop` says so, which is
    /// asked now and then: then nothing more of it is wanted.
    pub(super) fn look<T>(
        &self,
        request: u32,
        stop: &dyn Fn() -> bool,
        mut found: impl FnMut(&mut Request) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut state = self.state();
        loop {
            if let Some(found) = state.requests.get_mut(&request).and_then(&mut found) {
                return Ok(Some(found));
            }
            if let Some(why) = &state.lost {
                return Err(self.lost_error(why));
            }
            if stop() {
                drop(state);
                self.cancel(request);
                return Ok(None);
            }
            let waited = self.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// As [`Connection::wait`], for what the worker owes and could give at once: it is lost when nothing but
    /// signs of life comes of it for as long as `limit`.
    fn wait_for_owed<T>(
        &self,
        limit: Duration,
        mut done: impl FnMut(&mut ConnectionState) -> Option<T>,
    ) -> Result<T> {
        let (mut state, mut silent) = (self.state(), Duration::ZERO);
        loop {
            if let Some(found) = done(&mut state) {
                return Ok(found);
            }
            if let Some(why) = &state.lost {
                return Err(self.lost_error(why));
            }
            if silent >= limit {
                state.in_debt = true;
                drop(state);
                let seconds = silent.as_secs();
                self.lose(format!("it lives, and nothing that it owes came for {seconds} s"));
                state = self.state();
                continue;
            }
            let (heard, since) = (state.heard, Instant::now());
            let waited = self.changed.wait_timeout(state, OWED_LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            // It may be us who stood still.
            let waited = since.elapsed().min(OWED_LOOK);
            silent = if state.heard == heard { silent + waited } else { Duration::ZERO };
        }
    }

    /// Data of `request` was dealt with, for which a credit may be due, or could not be.
    fn taken(&self, request: u32, credit: Option<u32>, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.cancel(request);
        } else if let Some(credit) = credit {
            self.frame(FrameKind::Credit, request, &credit.to_le_bytes())?;
        }
        result
    }

    /// Nothing more of `request` is wanted.
    pub fn cancel(&self, request: u32) {
        self.state().requests.remove(&request);
        let _ = self.frame(FrameKind::Control, request, &message::encode(&Ask::Cancel));
    }
}
