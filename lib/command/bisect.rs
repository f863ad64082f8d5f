//! Which records a command fails on: a block that it failed on is cut in two, and so is each part
//! that it fails on, down to single records. These are left out; what the command printed for all
//! other parts is the output, in their order.
//!
//! [`Bisection`] says which part is to be run next, and knows of no process; [`Search`] has them run.
//! What becomes of a record that is found is for others to say.

use memchr::{memchr, memrchr};
use serde::{Deserialize, Serialize};

use crate::command::attempt::{self, CommandEnd, Ended};
use crate::error::Result;
use crate::record::counters::Counters;
use crate::spool::Spool;

/// The exit statuses by which shells say that there is no such command, or that it cannot be run:
/// no record has to do with that.
const NO_COMMAND: [i32; 2] = [126, 127];

/// How a command failed on a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandFault {
    /// Its exit status, where it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// The signal that ended it, where one did: `SIGSEGV`, or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Whether it was ended, for it ran too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timeout: bool,
    /// The last lines of its standard error.
    pub stderr: Vec<String>,
}

impl CommandFault {
    pub(crate) fn new(how: CommandEnd, stderr: Vec<String>) -> CommandFault {
        let fault = CommandFault { stderr, ..CommandFault::default() };
        match how {
            CommandEnd::Status(status) => CommandFault { status: Some(status), ..fault },
            CommandEnd::Signal(number) => {
                CommandFault { signal: Some(attempt::signal(number)), ..fault }
            }
            CommandEnd::Timeout | CommandEnd::Stopped => CommandFault { timeout: true, ..fault },
        }
    }
}

impl std::fmt::Display for CommandFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.status, &self.signal) {
            (Some(status), _) => CommandEnd::Status(status).fmt(f),
            (None, Some(signal)) => write!(f, "killed by {signal}"),
            (None, None) => CommandEnd::Timeout.fmt(f),
        }
    }
}

/// Whether records may be to blame for the end of a command.
pub(crate) fn is_fault(how: CommandEnd) -> bool {
    match how {
        CommandEnd::Status(status) => !NO_COMMAND.contains(&status),
        CommandEnd::Signal(_) | CommandEnd::Timeout => true,
        CommandEnd::Stopped => false,
    }
}

/// A part of the input.
struct Part {
    /// The part; none is the whole.
    input: Option<Spool>,
    /// How often the command has failed on it.
    failures: u32,
}

/// What is left to run of an input.
pub(crate) struct Bisection<'a> {
    whole: &'a Spool,
    /// The parts, the next one last.
    parts: Vec<Part>,
    /// How many more attempts a single record gets.
    retries: u32,
}

impl<'a> Bisection<'a> {
    /// All of `whole`: lines, each of them a record, and with its end.
    pub(crate) fn new(whole: &'a Spool, retries: u32) -> Bisection<'a> {
        Bisection { whole, parts: vec![Part { input: None, failures: 0 }], retries }
    }

    /// The part that is to be run now; none when all is done.
    pub(crate) fn next(&self) -> Option<&Spool> {
        self.parts.last().map(|part| part.input.as_ref().unwrap_or(self.whole))
    }

    /// The part was run, and all went well.
    pub(crate) fn well(&mut self) {
        self.parts.pop();
    }

    /// The command failed on the part: its halves are next, or it once more. Gives the record with
    /// its line end where it is one, and had all of its attempts. `spare` makes an empty spool.
    ///
    /// # Errors
    /// `Storage` when there is no room for the halves.
    pub(crate) fn failed(&mut self, spare: &dyn Fn() -> Spool) -> Result<Option<Vec<u8>>> {
        let Some(mut part) = self.parts.pop() else { return Ok(None) };
        part.failures += 1;
        let input = part.input.as_ref().unwrap_or(self.whole);
        if let Some(halves) = halves(input, spare)? {
            let part = |half| Part { input: Some(half), failures: 0 };
            self.parts.extend(halves.into_iter().rev().map(part));
        } else if part.failures <= self.retries {
            self.parts.push(part);
        } else {
            let mut record = Vec::new();
            input.pour(|bytes| {
                record.extend_from_slice(bytes);
                Ok(())
            })?;
            return Ok(Some(record));
        }
        Ok(None)
    }
}

/// Cuts lines in two, about in the middle; none where there is but one.
fn halves(input: &Spool, spare: &dyn Fn() -> Spool) -> Result<Option<[Spool; 2]>> {
    let Some(cut) = middle(input)? else { return Ok(None) };
    let (mut first, mut second, mut at) = (spare(), spare(), 0);
    input.pour(|bytes| {
        let here = usize::try_from(cut.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        at += bytes.len() as u64;
        first.push(&bytes[..here])?;
        second.push(&bytes[here..])
    })?;
    Ok(Some([first, second]))
}

/// Where a line begins, but for the first one: the last one in the first half, or else the first
/// one behind it.
fn middle(input: &Spool) -> Result<Option<u64>> {
    let (mut at, mut last, mut next) = (0, None, None);
    let (half, end) = (input.len().div_ceil(2), input.len());
    input.pour(|bytes| {
        let left = usize::try_from(half.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        let begins = |place: usize| at + place as u64 + 1;
        last = memrchr(b'\n', &bytes[..left]).map(begins).or(last);
        next = next.or_else(|| memchr(b'\n', &bytes[left..]).map(|n| begins(left + n)));
        at += bytes.len() as u64;
        Ok(())
    })?;
    Ok(last.or(next).filter(|begins| *begins < end))
}

/// What is needed to look for the records that a command fails on.
pub(crate) struct Search<'a> {
    /// How many more attempts a single record gets.
    pub(crate) retries: u32,
    /// Makes an empty spool.
    pub(crate) spare: &'a dyn Fn() -> Spool,
    /// Whether the command has ended well.
    pub(crate) is_well: &'a dyn Fn(CommandEnd) -> bool,
}

impl Search<'_> {
    /// Goes on with `input`, on which the command has failed as `first` tells: has `attempt` run it
    /// on parts, and hands the records that it fails on to `found`, in order. Gives what it printed
    /// for the others, and has counted in the attempts that printed it; or the attempt that was no
    /// record's fault.
    ///
    /// # Errors
    /// What `attempt` and `found` say, and `Storage`.
    pub(crate) fn run(
        &self,
        input: &Spool,
        first: Ended,
        mut attempt: impl FnMut(&Spool) -> Result<Ended>,
        mut found: impl FnMut(CommandFault, &[u8]) -> Result<()>,
    ) -> Result<std::result::Result<(Spool, Counters), Ended>> {
        let mut bisection = Bisection::new(input, self.retries);
        let (mut output, mut counters, mut ended) = ((self.spare)(), Counters::default(), first);
        loop {
            if (self.is_well)(ended.how) {
                ended.output.end_line()?;
                ended.output.pour(|bytes| output.push(bytes))?;
                counters.merge(&ended.counted.counters)?;
                bisection.well();
            } else if !is_fault(ended.how) {
                return Ok(Err(ended));
            } else if let Some(record) = bisection.failed(self.spare)? {
                let record = record.strip_suffix(b"\n").unwrap_or(&record);
                found(CommandFault::new(ended.how, ended.last_words.lines), record)?;
            }
            match bisection.next() {
                Some(part) => ended = attempt(part)?,
                None => return Ok(Ok((output, counters))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::relay::LastWords;
    use crate::command::reporter::Counted;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::path::Path;

    fn spool(bytes: &[u8], limit: usize) -> Spool {
        let mut spool = Spool::new(Vec::new(), limit, Path::new("/tmp"));
        spool.push(bytes).unwrap();
        spool
    }

    fn bytes(spool: &Spool) -> Vec<u8> {
        let mut all = Vec::new();
        spool
            .pour(|bytes| {
                all.extend_from_slice(bytes);
                Ok(())
            })
            .unwrap();
        all
    }

    fn ended(how: CommandEnd, output: &[u8]) -> Ended {
        let last_words = LastWords { lines: vec!["why".into()], passed: 0 };
        let killed = Vec::new();
        let mut counted = Counted::default();
        counted.counters.add("bytes", "printed", output.len() as i64).unwrap();
        Ended { how, output: spool(output, usize::MAX), last_words, counted, killed }
    }

    /// Runs a command that copies lines and fails on those that `is_bad`; gives what it printed,
    /// the lines found, and how often it was run.
    fn search(
        lines: &[u8],
        limit: usize,
        retries: u32,
        is_bad: impl Fn(&[u8]) -> bool,
    ) -> (Vec<u8>, Vec<Vec<u8>>, u32) {
        let (runs, mut found) = (Cell::new(0), Vec::new());
        let attempt = |part: &Spool| {
            runs.set(runs.get() + 1);
            let part = bytes(part);
            let bad = part.split_inclusive(|&b| b == b'\n').any(&is_bad);
            Ok(ended(CommandEnd::Status(i32::from(bad)), &part))
        };
        let whole = spool(lines, limit);
        let search = Search {
            retries,
            spare: &|| spool(b"", limit),
            is_well: &|how| how == CommandEnd::Status(0),
        };
        let first = attempt(&whole).unwrap();
        let output = search.run(&whole, first, attempt, |fault, record| {
            assert_eq!((fault.status, fault.stderr), (Some(1), vec!["why".to_string()]));
            found.push([record, b"\n"].concat());
            Ok(())
        });
        let (output, counters) = output.unwrap().unwrap();
        // What was counted where nothing came of it does not count.
        let counted: i64 = counters.each().map(|(_, _, sum)| sum).sum();
        assert_eq!(counted, output.len() as i64);
        (bytes(&output), found, runs.get())
    }

    #[test]
    fn one_record_of_many_is_found_in_few_runs() {
        let lines: Vec<u8> = (0..1000).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        let (output, found, runs) = search(&lines, usize::MAX, 0, |line| line == b"777\n");
        assert_eq!(found, [b"777\n"]);
        assert_eq!(output.len() + 4, lines.len());
        assert!(runs < 26, "{runs}");
        assert_eq!(search(b"1\n", 9, 2, |_| true), (vec![], vec![b"1\n".to_vec()], 3));
    }

    #[test]
    fn what_no_record_can_help_ends_the_search() {
        let whole = spool(b"1\n2\n", usize::MAX);
        let search = Search {
            retries: 1,
            spare: &|| spool(b"", usize::MAX),
            is_well: &|how| how == CommandEnd::Status(0),
        };
        for how in [CommandEnd::Status(127), CommandEnd::Stopped] {
            let attempt = |_: &Spool| Ok(ended(how, b""));
            let first = ended(CommandEnd::Status(1), b"");
            let given_up = search.run(&whole, first, attempt, |_, _| panic!("found")).unwrap();
            assert_eq!(given_up.err().map(|ended| ended.how), Some(how));
        }
    }

    #[test]
    fn faults_come_back() {
        for (how, shown) in [
            (CommandEnd::Status(3), "exit status 3"),
            (CommandEnd::Signal(11), "killed by SIGSEGV"),
            (CommandEnd::Timeout, "killed: it ran longer than --timeout allows"),
        ] {
            let fault = CommandFault::new(how, vec!["a".into()]);
            assert_eq!(fault.to_string(), shown);
            let json = serde_json::to_string(&fault).unwrap();
            assert_eq!(serde_json::from_str::<CommandFault>(&json).unwrap(), fault);
        }
    }

    proptest! {
        /// Exactly the records that fail are found, in order, and all others are printed.
        #[test]
        fn exactly_those_are_found(
            lines in proptest::collection::vec((0usize..40, any::<bool>()), 1..40),
            limit in 0usize..200,
            retries in 0u32..3,
        ) {
            let line = |(n, (length, bad)): (usize, &(usize, bool))| {
                format!("{n}{}{}\n", "x".repeat(*length), if *bad { "!" } else { "" }).into_bytes()
            };
            let lines: Vec<Vec<u8>> = lines.iter().enumerate().map(line).collect();
            let is_bad = |line: &[u8]| line.ends_with(b"!\n");
            let (output, found, _) = search(&lines.concat(), limit, retries, is_bad);
            let (bad, good): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| is_bad(line));
            prop_assert_eq!(found, bad);
            prop_assert_eq!(output, good.concat());
        }
    }
}
