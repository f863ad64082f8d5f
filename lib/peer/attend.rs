//! One connection that is served: parts are sent, one after another, for as long as the peer asks.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::parallel::lock;
use crate::peer::PartFailure;
use crate::peer::capacity::Capacity;
use crate::peer::stream::{Stream, WaitLimits};
use crate::wire::frame::{DATA_BYTES, Frame, FrameKind, HEAD_BYTES, broken, head};
use crate::wire::message::{self, Failed, Part};
use crate::wire::{BEAT_EVERY, SILENCE_MAX};

/// How long a peer may take nothing: it may have to write what it took to a slow disk.
const STALL_MAX: Duration = SILENCE_MAX.saturating_mul(5);

/// Sends parts until the peer hangs up, or breaks the rules.
pub(super) fn attend(mut stream: Stream, capacity: &Capacity) {
    // The peer knows what is amiss, or is not there any more.
    while let Ok(true) = next(&mut stream, capacity) {}
}

/// Sends one part; `false` when the peer has hung up.
fn next(stream: &mut Stream, capacity: &Capacity) -> std::result::Result<bool, PartFailure> {
    let Some((number, part)) = asked(stream, capacity)? else { return Ok(false) };
    let _sending =
        capacity.sending.begin(&mut || say(stream, capacity, FrameKind::Beat, 0, &[]))?;
    if capacity.is_closed() {
        return Err(PartFailure::Stopped);
    }
    let sender = Mutex::new(PartSender::new(stream, capacity, number));
    let sent =
        while_beating(&sender, || (capacity.send)(&part, &mut |bytes| lock(&sender).push(bytes)));
    let mut sender = sender.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sent = sent.and_then(|()| sender.end());
    if let Some(failure) = sender.failure {
        return Err(failure);
    }
    match sent {
        Ok(()) => say(stream, capacity, FrameKind::End, number, &[])?,
        Err(e) => {
            let failed = message::encode(&Failed::of(&e));
            say(stream, capacity, FrameKind::Control, number, &failed)?;
        }
    }
    stream.rest();
    Ok(true)
}

/// Does `work`, and shows the peer meanwhile that it is being done: the first item of a part may be
/// far into a run.
fn while_beating<T>(sender: &Mutex<PartSender<'_>>, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (working, ended) = mpsc::channel::<()>();
        let beat = move || {
            while ended.recv_timeout(BEAT_EVERY) == Err(RecvTimeoutError::Timeout) {
                lock(sender).beat();
            }
        };
        // Without it the peer is as patient as it is.
        let _ = thread::Builder::new().name("beat".into()).spawn_scoped(scope, beat);
        // It ends however the work does.
        let _working = working;
        work()
    })
}

/// What the peer asks for next, under its number.
fn asked(
    stream: &mut Stream,
    capacity: &Capacity,
) -> std::result::Result<Option<(u32, Part)>, PartFailure> {
    // It may have nothing to ask for a long time.
    let limits = WaitLimits { stop: &|| capacity.is_closed(), silence: None };
    loop {
        if let Some(frame) = stream.frame().map_err(PartFailure::Road)? {
            let FrameKind::Control = frame.kind else {
                return Err(PartFailure::Road(broken("no question")));
            };
            let part = message::decode(frame.payload).map_err(PartFailure::Road)?;
            return Ok(Some((frame.request, part)));
        }
        if !stream.fill(&limits)? {
            return Ok(None);
        }
    }
}

fn say(
    stream: &mut Stream,
    capacity: &Capacity,
    kind: FrameKind,
    request: u32,
    payload: &[u8],
) -> std::result::Result<(), PartFailure> {
    let mut bytes = Vec::new();
    Frame { kind, request, payload }.encode(&mut bytes).map_err(PartFailure::Road)?;
    stream.send(&bytes, &WaitLimits { stop: &|| capacity.is_closed(), silence: Some(STALL_MAX) })
}

/// Turns the data of a part into frames, and sends them.
struct PartSender<'a> {
    stream: &'a mut Stream,
    capacity: &'a Capacity,
    number: u32,
    /// A frame in the making, its head first.
    frame: Vec<u8>,
    /// When something was sent last.
    sent: Instant,
    /// When there was something to be sent last.
    pushed: Instant,
    /// Why nothing more can be sent.
    failure: Option<PartFailure>,
}

impl<'a> PartSender<'a> {
    fn new(stream: &'a mut Stream, capacity: &'a Capacity, number: u32) -> PartSender<'a> {
        let mut frame = Vec::with_capacity(DATA_BYTES);
        frame.extend([0; HEAD_BYTES]);
        let (sent, pushed) = (Instant::now(), Instant::now());
        PartSender { stream, capacity, number, frame, sent, pushed, failure: None }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.pushed = Instant::now();
        // With its head a frame is a whole number of the records of TLS.
        while self.frame.len() + bytes.len() >= DATA_BYTES {
            let (now, later) = bytes.split_at(DATA_BYTES - self.frame.len());
            self.frame.extend_from_slice(now);
            self.end()?;
            bytes = later;
        }
        self.frame.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends what there is.
    fn end(&mut self) -> Result<()> {
        let length = self.frame.len() - HEAD_BYTES;
        if length > 0 {
            self.frame[..HEAD_BYTES].copy_from_slice(&head(FrameKind::Data, self.number, length));
            let stop = || self.capacity.is_closed();
            let limits = WaitLimits { stop: &stop, silence: Some(STALL_MAX) };
            let sent = match self.failure {
                None => self.stream.send(&self.frame, &limits),
                Some(_) => return Err(gone()),
            };
            self.note(sent);
            self.frame.truncate(HEAD_BYTES);
        }
        self.failure.as_ref().map_or(Ok(()), |_| Err(gone()))
    }

    /// Sends a sign of life, where nothing else was sent for a while. Work that brings forth nothing is
    /// not alive.
    fn beat(&mut self) {
        if self.pushed.elapsed() > SILENCE_MAX {
            return;
        }
        if self.failure.is_none() && self.sent.elapsed() >= BEAT_EVERY {
            let sent = say(self.stream, self.capacity, FrameKind::Beat, 0, &[]);
            self.note(sent);
        }
    }

    fn note(&mut self, sent: std::result::Result<(), PartFailure>) {
        self.sent = Instant::now();
        if let Err(failure) = sent {
            self.failure = Some(failure);
        }
    }
}

fn gone() -> Error {
    Error::incomplete("the peer has gone")
}
