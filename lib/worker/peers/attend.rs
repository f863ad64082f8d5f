//! One connection that is served: parts are sent, one after another, for as long as the peer asks.

use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::wire::frame::{DATA_BYTES, Frame, HEAD_BYTES, Kind, broken, head};
use crate::wire::message::{self, Failed, Part};
use crate::wire::{BEAT_EVERY, SILENCE_MAX};
use crate::worker::peers::Broken;
use crate::worker::peers::listener::Room;
use crate::worker::peers::stream::{Patience, Stream};

/// How many parts a worker sends at once. Peers that ask for more wait, and hear beats.
pub(super) const SENDING_MAX: usize = 16;

/// How long a peer may take nothing: it may have to write what it took to a slow disk.
const STALL_MAX: std::time::Duration = SILENCE_MAX.saturating_mul(5);

/// Sends parts until the peer hangs up, or breaks the rules.
pub(super) fn attend(mut stream: Stream, room: &Room) {
    // The peer knows what is amiss, or is not there any more.
    while let Ok(true) = next(&mut stream, room) {}
}

/// Sends one part; `false` when the peer has hung up.
fn next(stream: &mut Stream, room: &Room) -> std::result::Result<bool, Broken> {
    let stop = || room.is_closed();
    let Some((number, part)) = asked(stream, &stop)? else { return Ok(false) };
    let patience = Patience { stop: &stop, silence: Some(STALL_MAX) };
    let mut beat = || send(stream, Kind::Beat, 0, &[], &patience);
    let _sending = room.sending.begin(&mut beat)?;
    if room.is_closed() {
        return Err(Broken::Stopped);
    }
    let mut way = Way::new(stream, number, &patience);
    let sent = (room.send)(&part, &mut |bytes| way.push(bytes));
    let sent = sent.and_then(|()| way.end());
    room.sent.fetch_add(way.sent, Ordering::Relaxed);
    if let Some(broken) = way.broken {
        return Err(broken);
    }
    match sent {
        Ok(()) => send(stream, Kind::End, number, &[], &patience)?,
        Err(e) => {
            let failed = message::encode(&Failed::of(&e));
            send(stream, Kind::Control, number, &failed, &patience)?;
        }
    }
    Ok(true)
}

/// What the peer asks for next, under its number.
fn asked(
    stream: &mut Stream,
    stop: &dyn Fn() -> bool,
) -> std::result::Result<Option<(u32, Part)>, Broken> {
    // It may have nothing to ask for a long time.
    let patience = Patience { stop, silence: None };
    loop {
        if let Some(frame) = stream.frame().map_err(Broken::Road)? {
            let Kind::Control = frame.kind else {
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

fn send(
    stream: &mut Stream,
    kind: Kind,
    request: u32,
    payload: &[u8],
    patience: &Patience<'_>,
) -> std::result::Result<(), Broken> {
    let mut bytes = Vec::new();
    Frame { kind, request, payload }.encode(&mut bytes).map_err(Broken::Road)?;
    stream.send(&bytes, patience)
}

/// The way of a part's data into frames.
struct Way<'a, 'b> {
    stream: &'a mut Stream,
    number: u32,
    patience: &'a Patience<'b>,
    /// A frame in the making, its head first.
    frame: Vec<u8>,
    sent: u64,
    /// Why nothing more can be sent.
    broken: Option<Broken>,
}

impl<'a, 'b> Way<'a, 'b> {
    fn new(stream: &'a mut Stream, number: u32, patience: &'a Patience<'b>) -> Way<'a, 'b> {
        let mut frame = Vec::with_capacity(DATA_BYTES);
        frame.extend([0; HEAD_BYTES]);
        Way { stream, number, patience, frame, sent: 0, broken: None }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
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
        if self.broken.is_some() {
            return Err(gone());
        }
        let length = self.frame.len() - HEAD_BYTES;
        if length > 0 {
            self.frame[..HEAD_BYTES].copy_from_slice(&head(Kind::Data, self.number, length));
            if let Err(broken) = self.stream.send(&self.frame, self.patience) {
                self.broken = Some(broken);
                return Err(gone());
            }
            self.sent += length as u64;
            self.frame.truncate(HEAD_BYTES);
        }
        Ok(())
    }
}

fn gone() -> Error {
    Error::incomplete("the peer has gone")
}

/// How many parts are being sent.
#[derive(Debug, Default)]
pub(super) struct Sending {
    count: Mutex<usize>,
    changed: Condvar,
}

/// One part that is being sent.
pub(super) struct Begun<'a>(&'a Sending);

impl Sending {
    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more may be sent; meanwhile `beat` is called again and again.
    fn begin(
        &self,
        beat: &mut dyn FnMut() -> std::result::Result<(), Broken>,
    ) -> std::result::Result<Begun<'_>, Broken> {
        let mut count = self.count();
        loop {
            if *count < SENDING_MAX {
                *count += 1;
                return Ok(Begun(self));
            }
            let waited = self.changed.wait_timeout(count, BEAT_EVERY);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            count = now;
            if timeout.timed_out() {
                drop(count);
                beat()?;
                count = self.count();
            }
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_to_wait_hears_beats() {
        let sending = Sending::default();
        let mut never = || -> std::result::Result<(), Broken> { panic!("no need to wait") };
        let begun: Vec<Begun<'_>> =
            (0..SENDING_MAX).map(|_| sending.begin(&mut never).unwrap()).collect();
        let mut beats = 0;
        let mut beat = || {
            beats += 1;
            Err(Broken::Stopped)
        };
        assert!(sending.begin(&mut beat).is_err() && beats == 1);
        drop(begun);
        assert!(sending.begin(&mut never).is_ok());
    }
}
