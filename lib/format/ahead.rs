//! Reading ahead: a source that is read and converted on a thread of its own.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::{Error, Result};

/// How many pieces wait for whoever takes them.
const QUEUE: usize = 2;

/// Pieces of records that a thread reads ahead. Dropped before its end, it leaves behind a thread
/// that waits for input, which ends with the process.
pub struct Ahead {
    pieces: Receiver<Result<(Vec<u8>, bool)>>,
    spares: SyncSender<Vec<u8>>,
    ended: bool,
}

impl Ahead {
    /// Calls `fill` (as [`Source::fill`](super::Source::fill)) on a thread of its own.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(fill: impl FnMut(&mut Vec<u8>) -> Result<bool> + Send + 'static) -> Result<Ahead> {
        let (give, pieces) = sync_channel(QUEUE);
        let (spares, take) = sync_channel(QUEUE + 2);
        thread::Builder::new()
            .spawn(move || read(fill, &give, &take))
            .map_err(|e| Error::io("start", "a thread", &e))?;
        Ok(Ahead { pieces, spares, ended: false })
    }

    /// The next piece, `None` at the end. `spare` gives its memory to a later one.
    ///
    /// # Errors
    /// What the source says.
    pub fn next(&mut self, spare: Vec<u8>) -> Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        // No room means that there are spares enough; and at the end nobody needs one.
        let _ = self.spares.try_send(spare);
        // An end that the thread did not say must never pass for one.
        let lost = |_| Error::incomplete("internal error: a reader ended before its input");
        let (piece, more) = self.pieces.recv().map_err(lost)??;
        self.ended = !more;
        Ok(Some(piece))
    }
}

fn read(
    mut fill: impl FnMut(&mut Vec<u8>) -> Result<bool>,
    give: &SyncSender<Result<(Vec<u8>, bool)>>,
    spares: &Receiver<Vec<u8>>,
) {
    loop {
        let mut piece = spares.try_recv().unwrap_or_default();
        piece.clear();
        let mut more = Ok(true);
        while piece.is_empty() && matches!(more, Ok(true)) {
            more = fill(&mut piece);
        }
        // What came before a failure is shown before it.
        let (first, then) = match more {
            Ok(more) => (Ok((piece, more)), None),
            Err(error) if piece.is_empty() => (Err(error), None),
            Err(error) => (Ok((piece, true)), Some(Err(error))),
        };
        let goes_on = matches!(first, Ok((_, true))) && then.is_none();
        if give.send(first).is_err()
            || then.is_some_and(|then| give.send(then).is_err())
            || !goes_on
        {
            return;
        }
    }
}
