//! The pieces of some work, which whoever is free takes.

use std::sync::Mutex;

use crate::error::Result;
use crate::parallel::lock;

/// What gives the pieces, one to one worker at a time, and whom it tells of them in their order.
pub(super) struct PieceSource<P, N>(Mutex<Option<(P, N)>>);

impl<T, P: FnMut() -> Result<Option<T>>, N> PieceSource<P, N> {
    /// Of what `produce` gives until it gives `None`.
    pub(super) fn new(produce: P, noted: N) -> PieceSource<P, N> {
        PieceSource(Mutex::new(Some((produce, noted))))
    }

    /// The next one, or why there is none; `None` at the end, and for whoever comes after that or a failure. `note`
    /// hears of it before anybody takes another.
    pub(super) fn next(&self, note: impl FnOnce(Option<&Result<T>>, &mut N)) -> Option<Result<T>> {
        let mut pieces = lock(&self.0);
        // Should this panic, both are gone, and nobody takes what is left for the end.
        let (mut produce, mut noted) = pieces.take()?;
        let piece = produce().transpose();
        note(piece.as_ref(), &mut noted);
        if matches!(piece, Some(Ok(_))) {
            *pieces = Some((produce, noted));
        }
        piece
    }
}
