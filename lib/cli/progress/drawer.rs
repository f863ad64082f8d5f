//! Who draws, and what: decided anew each time, as others begin and end and terminals change hands.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::stat::fstat;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::cli::progress::chain::PipeChain;
use crate::cli::progress::{Drawn, ProgressSettings, ShowProgress, below, has_terminal, words};
use crate::pipe::board::{Board, Drawing};
use crate::pipe::gauge::{Gauge, now_ms};
use crate::pipe::pipe_id::PipeId;
use crate::pipe::plumbing::Plumbing;
use crate::pipe::registry::{self, Publisher};

/// When the tools before this one are told that it draws for them, and when it begins to.
const CLAIM_AFTER: Duration = Duration::from_millis(700);
const DRAW_AFTER: Duration = Duration::from_secs(1);

/// How often it looks for tools that are new, and for filters of others: at all processes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_AT_ALL_EVERY: Duration = Duration::from_secs(5);

/// How often there are lines more where none can be redrawn: often at first.
const LINES_EVERY: Duration = Duration::from_secs(1);
const LINES_LATER: Duration = Duration::from_secs(10);

/// What decides.
#[derive(Debug)]
pub(super) struct Drawer {
    settings: ProgressSettings,
    publisher: Option<Publisher>,
    /// The pipe that is written to, if it is one of which more can be known.
    output: Option<PipeId>,
    has_terminal: bool,
    began: u64,
    board: Option<Board>,
    published: Option<Gauge>,
    chain: PipeChain,
    looked: Option<Duration>,
    looked_at_all: Option<Duration>,
    /// Whether nothing that reads what is written here writes to a terminal.
    ends_quietly: bool,
    said: Option<Duration>,
    others_draw: bool,
}

impl Drawer {
    /// For a tool that writes to the pipe `output`, if it is one of which more can be known; `is_last`
    /// says that it writes to none at all.
    pub(super) fn new(
        settings: ProgressSettings,
        publisher: Option<Publisher>,
        (is_last, output): (bool, Option<PipeId>),
    ) -> Drawer {
        let has_terminal = has_terminal();
        Drawer {
            settings,
            publisher,
            output,
            has_terminal,
            began: now_ms(),
            board: None,
            published: None,
            chain: PipeChain::default(),
            looked: None,
            looked_at_all: None,
            ends_quietly: is_last,
            said: None,
            others_draw: false,
        }
    }

    /// Whether another tool draws on the terminal of this one.
    pub(super) fn others_draw(&self) -> bool {
        self.others_draw && self.has_terminal
    }

    /// Says how far this tool is, and what is to be drawn now, at this age of it.
    pub(super) fn tick(&mut self, own: Gauge, age: Duration, may_draw: bool) -> Drawn {
        self.publish(&own);
        let when = self.settings.when;
        if age < CLAIM_AFTER || (when == ShowProgress::Auto && !self.has_terminal) {
            return Drawn::Nothing;
        }
        self.look(&own, age);
        let is_claimed = self.publisher.as_ref().is_some_and(Publisher::is_claimed);
        let may_draw = may_draw && !is_claimed && age >= DRAW_AFTER && when != ShowProgress::Never;
        let in_place = may_draw && self.has_terminal && is_ours_alone();
        let drawn = match when {
            ShowProgress::Auto if !self.ends_quietly => Drawn::Nothing,
            _ if in_place => return self.block(own),
            ShowProgress::Always if may_draw && self.says_more(age) => {
                Drawn::Lines(self.lines(own, usize::MAX))
            }
            _ => Drawn::Nothing,
        };
        if let Some(mut board) = self.board.take() {
            board.leave();
        }
        self.others_draw = is_claimed;
        drawn
    }

    fn publish(&mut self, own: &Gauge) {
        if let Some(publisher) = &self.publisher
            && self.published.as_ref() != Some(own)
        {
            publisher.publish(own.clone());
            self.published = Some(own.clone());
        }
    }

    /// Looks now and then for others.
    fn look(&mut self, own: &Gauge, age: Duration) {
        let is_time = |last: Option<Duration>, every| last.is_none_or(|last| age - last >= every);
        if !is_time(self.looked, LOOK_EVERY) {
            return;
        }
        self.looked = Some(age);
        let all = is_time(self.looked_at_all, LOOK_AT_ALL_EVERY).then(Plumbing::look);
        if let Some(plumbing) = &all {
            self.looked_at_all = Some(age);
            if let Some(output) = &self.output {
                self.ends_quietly = plumbing.ends_quietly(output);
            }
        }
        self.chain.walk(&own.inputs, all.as_ref());
    }

    /// The lines of this pipe, and those of others on the same terminal, if this tool is the one that draws
    /// them all.
    fn block(&mut self, own: Gauge) -> Drawn {
        let (columns, lines) = below::room();
        let block = Drawing { began: self.began, lines: self.lines(own, usize::from(columns)) };
        if self.board.is_none() {
            let device = fstat(std::io::stderr()).map_or(0, |found| found.st_rdev);
            let directory = registry::of_process().directory();
            self.board = directory.and_then(|directory| Board::open(directory, device));
        }
        let mut blocks = Vec::new();
        if let Some(board) = &mut self.board {
            board.put(&block);
            self.others_draw = !board.draws();
            if self.others_draw {
                return Drawn::Nothing;
            }
            blocks = board.others();
        }
        blocks.push(block);
        blocks.sort_by_key(|block| block.began);
        Drawn::Block(together(&blocks, usize::from(lines)))
    }

    fn lines(&mut self, own: Gauge, columns: usize) -> Vec<String> {
        words::lines(&self.chain.stages(own), self.settings.verbose, now_ms(), columns)
    }

    /// Whether it is time for other lines.
    fn says_more(&mut self, age: Duration) -> bool {
        let every = if age < LINES_LATER { LINES_EVERY } else { LINES_LATER };
        let is_time = self.said.is_none_or(|said| age - said >= every);
        if is_time {
            self.said = Some(age);
        }
        is_time
    }
}

/// The lines of several pipes; no more of them than there is room for.
fn together(blocks: &[Drawing], room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for block in blocks {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(block.lines.iter().cloned());
    }
    if lines.len() > room && room > 0 {
        let more = lines.drain(room - 1..).filter(|line| !line.is_empty()).count();
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Whether the terminal is ours: not that of a shell that waits for a command, nor of a program that
/// takes each key and draws as it likes.
fn is_ours_alone() -> bool {
    let terminal = std::io::stderr();
    let mode = tcgetattr(terminal.as_fd());
    // A terminal that is not that of this session has no foreground to ask for.
    tcgetpgrp(&terminal).map_or(true, |foreground| foreground == getpgrp())
        && mode.is_ok_and(|mode| mode.local_flags.contains(LocalFlags::ICANON))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_pipes_stand_apart_and_fit() {
        let block =
            |count: u64| Drawing { began: 0, lines: (0..count).map(|n| n.to_string()).collect() };
        assert_eq!(together(&[block(2), block(1)], 9), ["0", "1", "", "0"]);
        assert_eq!(together(&[block(2), block(3)], 3), ["0", "1", "and 3 more"]);
        assert_eq!(together(&[block(1)], 1), ["0"]);
        assert_eq!(together(&[block(5)], 1), ["and 5 more"]);
    }
}
