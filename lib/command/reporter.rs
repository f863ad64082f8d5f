//! What a command reports in lines of its standard error, as programs for Hadoop Streaming do:
//! counters and a status.
//!
//! ```text
//! reporter:counter:GROUP,COUNTER,AMOUNT
//! reporter:status:MESSAGE
//! ```
//!
//! Any other line is no report, however near it comes: it is for people.

use crate::error::Error;
use crate::record::counters::Counters;
use crate::record::harmless::push_harmless;

/// What a line reports.
#[derive(Debug, PartialEq, Eq)]
enum Report<'a> {
    /// An amount for a counter: its group, its name.
    Counter(&'a [u8], &'a [u8], i64),
    /// What the command is at.
    Status(&'a [u8]),
}

/// What `line`, without its end, reports; none where it is no report.
fn report(line: &[u8]) -> Option<Report<'_>> {
    let rest = line.strip_prefix(b"reporter:")?;
    if let Some(message) = rest.strip_prefix(b"status:") {
        return Some(Report::Status(message));
    }
    let counter = rest.strip_prefix(b"counter:")?.trim_ascii();
    let mut fields = counter.split(|byte| *byte == b',');
    let (group, name, amount) = (fields.next()?, fields.next()?, fields.next()?);
    let amount = str::from_utf8(amount).ok()?.parse().ok()?;
    fields.next().is_none().then_some(Report::Counter(group, name, amount))
}

/// What one process has counted.
#[derive(Debug, Default)]
pub struct Counted {
    /// What it has come to.
    pub counters: Counters,
    /// The first thing that could not be counted, if there was one.
    pub refused: Option<Error>,
}

/// Listens for the reports of one process.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    counted: Counted,
    /// What it said last of what it is at.
    status: String,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeardLine {
    /// It is no report.
    Words,
    /// It is dealt with.
    Nothing,
    /// It is to be shown as this.
    Status(String),
}

impl Reporter {
    /// Takes `line`, without its end, if it is a report.
    pub(crate) fn hear(&mut self, line: &[u8]) -> HeardLine {
        match report(line) {
            None => HeardLine::Words,
            Some(Report::Counter(group, name, amount)) => {
                let Counted { counters, refused } = &mut self.counted;
                if refused.is_none() {
                    *refused = counters.add(&text(group), &text(name), amount).err();
                }
                HeardLine::Nothing
            }
            Some(Report::Status(message)) => {
                let status = format!("status: {}", text(message));
                if status == self.status {
                    return HeardLine::Nothing;
                }
                self.status.clone_from(&status);
                HeardLine::Status(status)
            }
        }
    }

    /// What was counted.
    pub(crate) fn finish(self) -> Counted {
        self.counted
    }
}

/// What a command said, made fit to be shown.
fn text(said: &[u8]) -> String {
    let mut text = String::new();
    push_harmless(&mut text, said);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_report_is_a_whole_line_of_its_form() {
        let counter = |group, name, amount| Some(Report::Counter(group, name, amount));
        assert_eq!(report(b"reporter:counter:g,n,1"), counter(b"g", b"n", 1));
        assert_eq!(report(b"reporter:counter: a b,c\xff,-12 "), counter(b"a b", b"c\xff", -12));
        assert_eq!(report(b"reporter:counter:,,+3"), counter(b"", b"", 3));
        assert_eq!(report(b"reporter:status:"), Some(Report::Status(b"")));
        assert_eq!(report(b"reporter:status: a,b"), Some(Report::Status(b" a,b")));
        for line in [
            "reporter:counter:g,n",
            "reporter:counter:g,n,",
            "reporter:counter:g,n,1.5",
            "reporter:counter:g,n,many",
            "reporter:counter:g,n,1,2",
            "reporter:counter:g,n,9223372036854775808",
            "reporter:counter",
            "reporter:progress:3",
            " reporter:status:x",
            "Reporter:status:x",
            "",
        ] {
            assert_eq!(report(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn counters_add_up_and_a_status_is_told_once() {
        let mut reporter = Reporter::default();
        let status = |text: &str| HeardLine::Status(text.into());
        assert_eq!(reporter.hear(b"reporter:status:at \x1b1"), status("status: at \\x1b1"));
        assert_eq!(reporter.hear(b"reporter:status:at \x1b1"), HeardLine::Nothing);
        assert_eq!(reporter.hear(b"reporter:status:at 2"), status("status: at 2"));
        for line in ["reporter:counter:g,n,2", "reporter:counter:g,n,3", "reporter:counter:g,m,1"] {
            assert_eq!(reporter.hear(line.as_bytes()), HeardLine::Nothing);
        }
        assert_eq!(reporter.hear(b"reporter:counter:g,n"), HeardLine::Words);
        let Counted { counters, refused } = reporter.finish();
        assert!(refused.is_none());
        assert_eq!(counters.each().collect::<Vec<_>>(), [("g", "m", 1), ("g", "n", 5)]);
    }

    #[test]
    fn what_cannot_be_counted_is_kept_for_the_end() {
        let mut reporter = Reporter::default();
        reporter.hear(format!("reporter:counter:g,n,{}", i64::MAX).as_bytes());
        reporter.hear(b"reporter:counter:g,n,1");
        reporter.hear(b"reporter:counter:g,n,-1");
        assert!(reporter.finish().refused.unwrap().to_string().contains("g,n is beyond 64 bits"));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(
            before in "(reporter:)?(counter:|status:)?",
            rest in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let mut reporter = Reporter::default();
            reporter.hear(&[before.as_bytes(), &rest].concat());
            prop_assert!(reporter.finish().refused.is_none());
        }
    }
}
