//! What a worker sends: frames on one stream, from many threads, each stream of data within what
//! its receiver allows.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::wire::flow::Allowance;
use crate::wire::frame::{DATA_BYTES, Frame, Kind};
use crate::wire::message;

/// The way out.
pub(crate) struct Outbox {
    stream: Mutex<(File, Vec<u8>)>,
    /// The streams of data that are open.
    flows: Mutex<HashMap<u32, Allowance>>,
    changed: Condvar,
    closed: AtomicBool,
}

impl Outbox {
    /// Sends on `stream`.
    pub(crate) fn new(stream: File) -> Outbox {
        Outbox {
            stream: Mutex::new((stream, Vec::new())),
            flows: Mutex::default(),
            changed: Condvar::new(),
            closed: AtomicBool::new(false),
        }
    }

    fn flows(&self) -> MutexGuard<'_, HashMap<u32, Allowance>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a frame.
    pub(crate) fn frame(&self, kind: Kind, request: u32, payload: &[u8]) -> Result<()> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, buffer) = &mut *stream;
        buffer.clear();
        Frame { kind, request, payload }.encode(buffer)?;
        file.write_all(buffer).map_err(|e| {
            self.close();
            Error::incomplete(format!("the connection is closed: {}", crate::error::reason(&e)))
        })
    }

    /// Sends a message.
    pub(crate) fn message(&self, request: u32, message: &impl Serialize) -> Result<()> {
        self.frame(Kind::Control, request, &message::encode(message))
    }

    /// Opens the stream of data of `request`.
    pub(crate) fn open(&self, request: u32) {
        self.flows().insert(request, Allowance::default());
    }

    /// The stream of data of `request` is not needed any more: whoever sends stops.
    pub(crate) fn end(&self, request: u32) {
        self.flows().remove(&request);
        self.changed.notify_all();
    }

    /// The receiver of `request` allows more.
    pub(crate) fn credit(&self, request: u32, bytes: u32) {
        if let Some(flow) = self.flows().get_mut(&request) {
            flow.gain(bytes);
        }
        self.changed.notify_all();
    }

    /// Sends data, as fast as the receiver allows.
    pub(crate) fn data(&self, request: u32, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let count = self.allowed(request, bytes.len().min(DATA_BYTES))?;
            self.frame(Kind::Data, request, &bytes[..count])?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Waits until some of `wanted` bytes may be sent, and takes them.
    fn allowed(&self, request: u32, wanted: usize) -> Result<usize> {
        let mut flows = self.flows();
        loop {
            if self.closed.load(Ordering::SeqCst) {
                return Err(Error::incomplete("the connection is closed"));
            }
            let Some(flow) = flows.get_mut(&request) else {
                return Err(Error::incomplete("not wanted any more"));
            };
            let count = flow.left().min(wanted as u64);
            if count > 0 {
                flow.spend(count);
                return Ok(count as usize);
            }
            flows = self.changed.wait(flows).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing can be sent any more: whoever waits stops.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // Whoever is about to wait has looked at `closed` under this lock.
        drop(self.flows());
        self.changed.notify_all();
    }
}
