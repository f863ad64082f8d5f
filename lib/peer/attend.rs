//! One connection that is served: parts are sent, one after another, for as long as the peer asks.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::parallel::lock;
use crate::peer::Broken;
use crate::peer::capacity::Capacity;
use crate::peer::stream::{Patience, Stream};
use crate::wire::frame::{DATA_BYTES, Frame, FrameKind, HEAD_BYTES, broken, head};
use crate::wire::message::{self, Failed, Part};
use crate::wire::{BEAT_EVERY, SILENCE_MAX};

/// How long a peer may take nothing: it may have to write what it took to a slow disk.
const STALL_MAX: Duration = SILENCE_MAX.saturating_mul(5);

/// Sends parts until the peer hangs up, or breaks the rules.
pub(super) fn attend(mut stream: Stream, room: &Capacity) {
    // The peer knows what is amiss, or is not there any more.
    while let Ok(true) = next(&mut stream, room) {}
}

/// Sends one part; `false` when the peer has hung up.
fn next(stream: &mut Stream, room: &Capacity) -> std::result::Result<bool, Broken> {
    let Some((number, part)) = asked(stream, room)? else { return Ok(false) };
    let _sending = room.sending.begin(&mut || say(stream, room, FrameKind::Beat, 0, &[]))?;
    if room.is_closed() {
        return Err(Broken::Stopped);
    }
    let way = Mutex::new(Way::new(stream, room, number));
    let sent = while_beating(&way, || (room.send)(&part, &mut |bytes| lock(&way).push(bytes)));
    let mut way = way.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sent = sent.and_then(|()| way.end());
    if let Some(broken) = way.broken {
        return Err(broken);
    }
    match sent {
        Ok(()) => say(stream, room, FrameKind::End, number, &[])?,
        Err(e) => {
            let failed = message::encode(&Failed::of(&e));
            say(stream, room, FrameKind::Control, number, &failed)?;
        }
    }
    stream.rest();
    Ok(true)
}

/// Does `work`, and shows the peer meanwhile that it is being done: the first item of a part may be
/// far into a run.
fn while_beating<T>(way: &Mutex<Way<'_>>, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (working, ended) = mpsc::channel::<()>();
        let beat = move || {
            while ended.recv_timeout(BEAT_EVERY) == Err(RecvTimeoutError::Timeout) {
                lock(way).beat();
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
fn asked(stream: &mut Stream, room: &Capacity) -> std::result::Result<Option<(u32, Part)>, Broken> {
    // It may have nothing to ask for a long time.
    let patience = Patience { stop: &|| room.is_closed(), silence: None };
    loop {
        if let Some(frame) = stream.frame().map_err(Broken::Road)? {
            let FrameKind::Control = frame.kind else {
                return Err(Broken::Road(broken("no question")));
            };
            let part = message::decode(frame.payload).map_err(Broken::Road)?;
            return Ok(Some((frame.request, part)));
        }
        if !stream.fill(&patience)? {
            return Ok(None);
        }
    }
}

fn say(
    stream: &mut Stream,
    room: &Capacity,
    kind: FrameKind,
    request: u32,
    payload: &[u8],
) -> std::result::Result<(), Broken> {
    let mut bytes = Vec::new();
    Frame { kind, request, payload }.encode(&mut bytes).map_err(Broken::Road)?;
    stream.send(&bytes, &Patience { stop: &|| room.is_closed(), silence: Some(STALL_MAX) })
}

/// The way of a part's data into frames.
struct Way<'a> {
    stream: &'a mut Stream,
    room: &'a Capacity,
    number: u32,
    /// A frame in the making, its head first.
    frame: Vec<u8>,
    /// When something was sent last.
    sent: Instant,
    /// When there was something to be sent last.
    pushed: Instant,
    /// Why nothing more can be sent.
    broken: Option<Broken>,
}

impl<'a> Way<'a> {
    fn new(stream: &'a mut Stream, room: &'a Capacity, number: u32) -> Way<'a> {
        let mut frame = Vec::with_capacity(DATA_BYTES);
        frame.extend([0; HEAD_BYTES]);
        let (sent, pushed) = (Instant::now(), Instant::now());
        Way { stream, room, number, frame, sent, pushed, broken: None }
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
            let stop = || self.room.is_closed();
            let patience = Patience { stop: &stop, silence: Some(STALL_MAX) };
            let sent = match self.broken {
                None => self.stream.send(&self.frame, &patience),
                Some(_) => return Err(gone()),
            };
            self.note(sent);
            self.frame.truncate(HEAD_BYTES);
        }
        self.broken.as_ref().map_or(Ok(()), |_| Err(gone()))
    }

    /// Sends a sign of life, where nothing else was sent for a while. Work that brings forth nothing is
    /// not alive.
    fn beat(&mut self) {
        if self.pushed.elapsed() > SILENCE_MAX {
            return;
        }
        if self.broken.is_none() && self.sent.elapsed() >= BEAT_EVERY {
            let sent = say(self.stream, self.room, FrameKind::Beat, 0, &[]);
            self.note(sent);
        }
    }

    fn note(&mut self, sent: std::result::Result<(), Broken>) {
        self.sent = Instant::now();
        if let Err(broken) = sent {
            self.broken = Some(broken);
        }
    }
}

fn gone() -> Error {
    Error::incomplete("the peer has gone")
}
