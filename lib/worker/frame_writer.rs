//! What a worker sends: frames on one stream, from many threads, each stream of data within what
//! its receiver allows.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::parallel::lock;
use crate::wire::flow::Flows;
use crate::wire::frame::{DATA_BYTES, Frame, FrameKind};
use crate::wire::message::{self, Failed, Reply};
use crate::wire::pack::Packer;

/// How much is said in one frame: JSON may need six bytes for one.
const SAID_BYTES: usize = 128 * 1024;

/// The way out.
pub(crate) struct FrameWriter {
    stream: Mutex<(File, Vec<u8>)>,
    packer: Packer,
    /// The streams of data that are open.
    flows: Mutex<Flows>,
    changed: Condvar,
    closed: AtomicBool,
}

impl FrameWriter {
    /// Sends on `stream`, packed data if `pack`.
    pub(crate) fn new(stream: File, pack: bool) -> FrameWriter {
        FrameWriter {
            stream: Mutex::new((stream, Vec::new())),
            packer: Packer::new(pack),
            flows: Mutex::default(),
            changed: Condvar::new(),
            closed: AtomicBool::new(false),
        }
    }

    fn flows(&self) -> MutexGuard<'_, Flows> {
        lock(&self.flows)
    }

    /// Sends a frame.
    pub(crate) fn frame(&self, kind: FrameKind, request: u32, payload: &[u8]) -> Result<()> {
        let mut stream = lock(&self.stream);
        // That a task was stopped because this is the end must not be taken for its result.
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::incomplete("the connection is closed"));
        }
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
        self.frame(FrameKind::Control, request, &message::encode(message))
    }

    /// Replies to `request`. A reply that fits in no frame becomes a failure that does, for somebody
    /// waits for it.
    pub(crate) fn reply(&self, request: u32, reply: &Reply) {
        let sent = self.message(request, reply);
        if let Err(error) = sent
            && error.kind() == crate::error::ErrorKind::Usage
        {
            let _ = self.message(request, &Reply::Failed(Failed::of(&error)));
        }
        // A tool that has gone needs no reply.
    }

    /// Passes on whole lines for the tool's standard error.
    pub(crate) fn said(&self, lines: &str) {
        let mut rest = lines;
        while !rest.is_empty() {
            let mut most = rest.len().min(SAID_BYTES);
            while !rest.is_char_boundary(most) {
                most -= 1;
            }
            let cut = match rest[..most].rfind('\n') {
                Some(end) if most < rest.len() => end + 1,
                _ => most,
            };
            let (now, later) = rest.split_at(cut);
            // What cannot be said to a tool that has gone is not missed.
            let _ = self.message(0, &Reply::Said(now.into()));
            rest = later;
        }
    }

    /// Shows that data of `request` is on its way, though none is there yet.
    pub(crate) fn at_work(&self, request: u32) -> Result<()> {
        self.frame(FrameKind::Credit, request, &0u32.to_le_bytes())
    }

    /// Opens the stream of data of `request`.
    pub(crate) fn open(&self, request: u32) {
        self.flows().open(request);
    }

    /// The stream of data of `request` is not needed any more: whoever sends stops.
    pub(crate) fn end(&self, request: u32) {
        self.flows().end(request);
        self.changed.notify_all();
    }

    /// The receiver of `request` allows more.
    pub(crate) fn credit(&self, request: u32, bytes: u32) {
        self.flows().gain(request, bytes);
        self.changed.notify_all();
    }

    /// Sends data, as fast as the receiver allows.
    pub(crate) fn data(&self, request: u32, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let count = self.allowed(request, bytes.len().min(DATA_BYTES))?;
            let frame = |kind, payload: &[u8]| self.frame(kind, request, payload);
            self.packer.data(&bytes[..count], frame)?;
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
            match flows.take(request, wanted) {
                None => return Err(Error::incomplete("not wanted any more")),
                Some(0) => (),
                Some(count) => return Ok(count),
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
