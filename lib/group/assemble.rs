//! Groups from their parts: parts come in key order, those of one group follow one another, and
//! whole groups are printed. A group whose values outgrow the memory goes through a sort on disk.

use std::sync::Arc;

use super::grouping::{Group, Grouping};
use super::piece::GroupPiece;
use crate::error::Result;
use crate::extsort::merge::Cursor;
use crate::extsort::run::RunBuilder;
use crate::extsort::sorter::{SortSettings, Sorter};

/// Bytes of results that are handed on at once.
const EMIT_BYTES: usize = 128 << 10;

/// The part of the memory that sorting drained values may take: one in so many.
const DRAIN_SHARE: usize = 4;

/// Bytes of drained values in one run, at most.
const DRAIN_BYTES: usize = 1 << 20;

/// Puts groups together.
pub struct Assembly<E> {
    grouping: Arc<Grouping>,
    /// How values that outgrow the memory are sorted.
    settings: SortSettings,
    /// Bytes that the states of the open group may hold.
    share: usize,
    open: Option<Group>,
    /// The values that were taken out of the open group.
    drained: Option<Sorter>,
    out: Vec<u8>,
    emit: E,
    groups: u64,
    spilled_bytes: u64,
}

impl<E: FnMut(&[u8]) -> Result<()>> Assembly<E> {
    /// To give the results to `emit`, as lines.
    pub fn new(grouping: &Arc<Grouping>, settings: SortSettings, emit: E) -> Assembly<E> {
        Assembly {
            grouping: Arc::clone(grouping),
            share: settings.budget.runs / 4,
            settings,
            open: None,
            drained: None,
            out: Vec::new(),
            emit,
            groups: 0,
            spilled_bytes: 0,
        }
    }

    /// The key of the group that is not complete yet.
    pub fn open_key(&self) -> Option<&[u8]> {
        self.open.as_ref().map(|group| group.key.as_slice())
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// When a result cannot be told, written, or spilled for.
    pub fn add(&mut self, part: Group) -> Result<()> {
        match &mut self.open {
            Some(open) if open.key == part.key => {
                open.take(&self.grouping, part)?;
            }
            _ => {
                self.close()?;
                self.open = Some(part);
            }
        }
        match &self.open {
            Some(open) if self.grouping.plan().memory(&open.states) > self.share => self.drain(),
            _ => Ok(()),
        }
    }

    /// Takes what comes next.
    ///
    /// # Errors
    /// As [`Assembly::add`].
    pub fn add_piece(&mut self, piece: GroupPiece) -> Result<()> {
        let Some(first) = piece.first else { return Ok(()) };
        self.add(first)?;
        if let Some(last) = piece.last {
            self.close()?;
            self.groups += piece.groups;
            self.out.extend_from_slice(&piece.results);
            self.emit_when(EMIT_BYTES)?;
            self.add(last)?;
        }
        Ok(())
    }

    /// Takes the values that make the open group large out of it.
    fn drain(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        // What is drained is sorted beside the group itself and what is still being read.
        let budget = self.settings.budget.shrunk(DRAIN_SHARE);
        let settings = SortSettings { budget, ..self.settings.clone() };
        let sorter = self.drained.get_or_insert_with(|| Sorter::new(settings));
        let (mut run, mut size) = (RunBuilder::default(), 0);
        self.grouping.plan().drain(&mut open.states, &mut |state, value| {
            run.push::<crate::Error>(0, 0, |key| {
                key.extend_from_slice(&(state as u32).to_be_bytes());
                key.extend_from_slice(value);
                Ok(())
            })?;
            size += value.len();
            if size > DRAIN_BYTES.min(budget.runs) {
                size = 0;
                sorter.add(std::mem::take(&mut run).finish(Vec::new())?)?;
            }
            Ok(())
        })?;
        sorter.add(run.finish(Vec::new())?)
    }

    /// Prints the open group: no more of it comes.
    fn close(&mut self) -> Result<()> {
        if self.drained.is_some() {
            self.drain()?;
        }
        let Some(mut group) = self.open.take() else { return Ok(()) };
        if let Some(mut sorter) = self.drained.take() {
            let mut sorted = sorter.cursor()?;
            while sorted.cursor.advance()? {
                if let Some((state, value)) = sorted.cursor.key().split_first_chunk::<4>() {
                    let state = u32::from_be_bytes(*state) as usize;
                    self.grouping.plan().sorted(&mut group.states, state, value)?;
                }
            }
            self.spilled_bytes += sorted.spilled_bytes;
        }
        self.grouping.push_result(&mut group, &mut self.out)?;
        self.groups += 1;
        self.emit_when(EMIT_BYTES)
    }

    fn emit_when(&mut self, bytes: usize) -> Result<()> {
        if self.out.len() >= bytes {
            (self.emit)(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    /// Prints the last group. Returns how many there were, and how many bytes were spilled.
    ///
    /// # Errors
    /// As [`Assembly::add`].
    pub fn finish(mut self) -> Result<(u64, u64)> {
        self.close()?;
        self.emit_when(1)?;
        Ok((self.groups, self.spilled_bytes))
    }
}
