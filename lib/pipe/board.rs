//! The board of a terminal: what several tools have to draw there, and which of them draws it all.
//!
//! A file for each terminal, of places with a fixed length. Who has something to draw locks a place and
//! writes there; one of them locks the beginning as well, and draws what is in all places that are
//! locked. Locks go with their process, however it ends, so nothing has to be tidied up.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use serde::{Deserialize, Serialize};

use crate::pipe::gauge;

/// How many places there are, and how long each is; the first is that of who draws.
const PLACES: u64 = 32;
const PLACE_BYTES: usize = 8 * 1024;

/// What a tool has to draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawing {
    /// When the tool began, in [milliseconds](gauge::now_ms): the first is drawn first.
    pub began: u64,
    /// Its lines.
    pub lines: Vec<String>,
}

/// The board of a terminal.
#[derive(Debug)]
pub struct Board {
    file: File,
    place: Option<u64>,
}

impl Board {
    /// The board of the terminal that is this device; its file lies in `directory`.
    pub fn open(directory: &Path, device: u64) -> Option<Board> {
        let options = OpenOptions::new().read(true).write(true).create(true).mode(0o600).clone();
        let file = options.open(directory.join(format!("terminal-{device}"))).ok()?;
        Some(Board { file, place: None })
    }

    /// Whether this process is the one that draws; it is if no other is.
    pub fn draws(&self) -> bool {
        self.lock(0, libc::F_WRLCK)
    }

    /// Has `block` drawn. Where there is no place any more, it is not.
    pub fn put(&mut self, block: &Drawing) {
        if self.place.is_none() {
            self.place = (1..PLACES).find(|place| self.lock(*place, libc::F_WRLCK));
        }
        if let Some(place) = self.place {
            gauge::put(&self.file, place * PLACE_BYTES as u64, PLACE_BYTES, block);
        }
    }

    /// What others have to draw.
    pub fn others(&self) -> Vec<Drawing> {
        let others = (1..PLACES).filter(|place| Some(*place) != self.place);
        let read = |place| gauge::get(&self.file, place * PLACE_BYTES as u64, PLACE_BYTES);
        others.filter(|place| self.is_locked(*place)).filter_map(read).collect()
    }

    /// Draws no more, and has nothing drawn.
    pub fn leave(&mut self) {
        self.lock(0, libc::F_UNLCK);
        if let Some(place) = self.place.take() {
            self.lock(place, libc::F_UNLCK);
        }
    }

    fn lock(&self, place: u64, kind: libc::c_int) -> bool {
        fcntl(&self.file, FcntlArg::F_OFD_SETLK(&of_place(place, kind))).is_ok()
    }

    /// Whether another process has this place.
    fn is_locked(&self, place: u64) -> bool {
        let mut asked = of_place(place, libc::F_WRLCK);
        let is_told = fcntl(&self.file, FcntlArg::F_OFD_GETLK(&mut asked)).is_ok();
        is_told && libc::c_int::from(asked.l_type) != libc::F_UNLCK
    }
}

/// A lock of this kind on a place.
fn of_place(place: u64, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: libc::off_t::try_from(place).unwrap_or(0) * PLACE_BYTES as libc::off_t,
        l_len: PLACE_BYTES as libc::off_t,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_draws_for_all_and_the_next_when_it_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let mut boards = [1, 1, 1, 2].map(|device| Board::open(dir.path(), device).unwrap());
        assert!(boards[0].draws() && boards[0].draws() && boards[3].draws());
        assert!(!boards[1].draws() && !boards[2].draws());
        let block = |began: u64| Drawing { began, lines: vec![format!("line {began}")] };
        for (began, board) in (0..).zip(&mut boards) {
            board.put(&block(began));
            board.put(&block(began * 10));
        }
        assert_eq!(boards[0].others(), [block(10), block(20)]);
        boards[1].leave();
        assert_eq!(boards[0].others(), [block(20)]);
        boards[0].leave();
        assert!(boards[1].draws() && !boards[2].draws());
        let [_, one, two, _] = boards;
        drop(one);
        assert!(two.draws() && two.others().is_empty());
    }
}
