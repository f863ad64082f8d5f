//! The page of `mc-report`: it takes the lines of `--stats`, makes pipelines of them, and prints one page of HTML
//! that needs nothing else. It opens no file and knows no clock.

mod bars;
mod chart;
mod flow;
mod html;
mod lines;
mod model;
mod page;
mod pipelines;
mod planned;
mod skew;
mod tables;
mod timeline;
mod units;

use crate::error::{Error, Result};
use crate::report::model::{Pipeline, Recorded};

/// What is read of a file of `--stats`.
#[derive(Default)]
pub struct Report {
    recorded: Recorded,
}

impl Report {
    /// Takes the line of this number in the file `name`.
    ///
    /// # Errors
    /// `BadInput` for what is no line of `--stats`.
    pub fn line(&mut self, name: &str, number: u64, line: &[u8]) -> Result<()> {
        let wrong =
            |why: String| Error::input(format!("{name}:{number}: no line of --stats: {why}"));
        lines::read(line, &mut self.recorded).map_err(wrong)
    }

    /// Takes the last line, which has no end: it may be cut off, as by a tool that writes it just now. What the
    /// user is to be told.
    pub fn last_line(&mut self, name: &str, number: u64, line: &[u8]) -> Option<String> {
        self.line(name, number, line).err()?;
        let text = "the last line is cut off, and left out: is a tool still at work?";
        Some(format!("{name}:{number}: {text}"))
    }

    /// How many lines were left out whose kind or version is of a later mycloud.
    pub fn unknown(&self) -> u64 {
        self.recorded.unknown
    }

    /// The page, about the file `name`.
    pub fn page(self, name: &str) -> String {
        let unknown = self.recorded.unknown;
        let pipelines: Vec<Pipeline> = pipelines::of(self.recorded);
        page::page(name, &pipelines, unknown)
    }
}

#[cfg(test)]
mod tests;
