//! The lines: a stage each, in columns, as many of them as there is room for.

use indicatif::{DecimalBytes, HumanCount};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cli::progress::chain::Standing;
use crate::cli::progress::rest::Rest;
use crate::pipe::gauge::{Gauge, Passed, TaskCounts};

/// What stands between columns.
const GAP: &str = "  ";

/// The columns of a line but the last, which takes what room is left.
#[derive(Debug)]
struct Columns {
    name: String,
    records: String,
    bytes: String,
    rate: String,
}

/// One of them.
type Column = fn(&Columns) -> &str;

/// Which of them are shown: the first that leave room enough, and then none but the name.
const CHOICES: [&[Column]; 5] = [
    &[|c| &c.name, |c| &c.records, |c| &c.bytes, |c| &c.rate],
    &[|c| &c.name, |c| &c.records, |c| &c.bytes],
    &[|c| &c.name, |c| &c.records],
    &[|c| &c.name, |c| c.records.trim_end_matches(RECORDS)],
    &[|c| &c.name],
];

/// How many digits of an estimate count, beside the first.
const ESTIMATED_DIGITS: u32 = 3;

/// What is said behind their number.
const RECORDS: &str = " records";

/// How a stage that stands so is doing at `now`: what went through it, and the rest of its line.
fn told(gauge: &Gauge, standing: Standing, now: u64) -> (Passed, Rest) {
    let wrote = gauge.written.bytes > 0;
    // What comes out of it counts when nothing more goes in.
    let what =
        if gauge.read.bytes == 0 || (gauge.at_end && wrote) { gauge.written } else { gauge.read };
    let first =
        [gauge.read.since, gauge.written.since].into_iter().filter(|since| *since > 0).min();
    let took = first.map(|first| gauge.ended.unwrap_or(now).saturating_sub(first));
    let rest = match (standing, gauge.files) {
        (Standing::Gone, _) => Rest::words(&["killed"]),
        (Standing::Ended(0), _) => Rest::done(took),
        (Standing::Ended(code), _) => Rest::words(&[&format!("failed (exit {code})"), "failed"]),
        (Standing::Works, Some((done, total))) => Rest::part(done, total, took),
        (Standing::Works, None) if gauge.tasks.is_some() => tasks(gauge.tasks.unwrap_or_default()),
        (Standing::Works, None)
            if what.bytes == 0 && (gauge.on_hosts || gauge.inputs.is_empty()) =>
        {
            Rest::words(&["working"])
        }
        (Standing::Works, None) if what.bytes == 0 => Rest::words(&["waiting"]),
        (Standing::Works, None) if gauge.read.bytes == 0 => Rest::words(&["written"]),
        (Standing::Works, None) => match (gauge.at_end, wrote) {
            (true, true) => Rest::words(&["written"]),
            (true, false) => Rest::words(&["all read"]),
            (false, true) => {
                let written = DecimalBytes(gauge.written.bytes);
                Rest::words(&[&format!("read, {written} written"), "read"])
            }
            (false, false) => Rest::words(&["read"]),
        },
    };
    (what, rest)
}

fn tasks(counts: TaskCounts) -> Rest {
    let TaskCounts { running, done, again, all } = counts;
    let again = if again == 0 { String::new() } else { format!(", {again} again") };
    let (of, part) = match all {
        Some(all) => (format!("{done} of {all}"), format!("{done}/{all}")),
        None => (done.to_string(), done.to_string()),
    };
    Rest::words(&[
        &format!("{running} running, {of} done{again}"),
        &format!("{running} running, {of} done"),
        &format!("{part} done{again}"),
        &format!("{part} done"),
    ])
}

fn columns(gauge: &Gauge, what: Passed, now: u64) -> Columns {
    let name = gauge.tool.clone();
    if what.bytes == 0 {
        return Columns { name, records: String::new(), bytes: String::new(), rate: String::new() };
    }
    let took = gauge.ended.unwrap_or(now).saturating_sub(what.since).max(1);
    let rate = u128::from(what.bytes) * 1000 / u128::from(took);
    Columns {
        name,
        records: format!("{}{RECORDS}", number(what)),
        bytes: DecimalBytes(what.bytes).to_string(),
        rate: format!("{}/s", DecimalBytes(u64::try_from(rate).unwrap_or(u64::MAX))),
    }
}

/// The number of records; of an estimate no more digits than it has.
fn number(what: Passed) -> String {
    if !what.is_estimate {
        return HumanCount(what.records).to_string();
    }
    let unit = 10_u64.pow(what.records.max(1).ilog10().saturating_sub(ESTIMATED_DIGITS));
    format!("~{}", HumanCount(what.records / unit * unit))
}

/// The lines of stages at `now`, none wider than `width` columns; with those of all their hosts, if that is
/// to be `verbose`.
pub(super) fn lines(
    stages: &[(Gauge, Standing)],
    verbose: bool,
    now: u64,
    width: usize,
) -> Vec<String> {
    let told = stages.iter().map(|(gauge, standing)| (gauge, told(gauge, *standing, now)));
    let rows: Vec<(Columns, Rest)> =
        told.map(|(gauge, (what, rest))| (columns(gauge, what, now), rest)).collect();
    let least = rows.iter().map(|(_, rest)| rest.least()).max().unwrap_or(0);
    let heads = CHOICES.iter().map(|choice| heads(&rows, choice));
    let fits = |heads: &Vec<String>| heads.iter().all(|head| head.width() + least <= width);
    let name_only = || rows.iter().map(|(columns, _)| columns.name.clone() + GAP).collect();
    let heads = { heads }.find(fits).unwrap_or_else(name_only);
    let mut lines = Vec::new();
    for ((head, (_, rest)), (gauge, _)) in heads.iter().zip(&rows).zip(stages) {
        let line = format!("{head}{}", rest.within(width.saturating_sub(head.width())));
        lines.push(cut(line.trim_end(), width));
        if verbose || gauge.verbose {
            lines.extend(hosts(gauge, width));
        }
    }
    lines
}

/// How busy the hosts of a stage are: as many of them on a line as there is room for.
fn hosts(gauge: &Gauge, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (name, busy, slots) in &gauge.hosts {
        let word = format!("{name} {busy}/{slots}");
        match lines.last_mut().filter(|line| line.width() + GAP.len() + word.width() <= width) {
            Some(line) => *line += &[GAP, &word].concat(),
            None => lines.push(cut(&[GAP, &word].concat(), width)),
        }
    }
    lines
}

/// All columns of `choice`, the numbers in them at the right.
fn heads(rows: &[(Columns, Rest)], choice: &[Column]) -> Vec<String> {
    let widest = |column: &Column| {
        rows.iter().map(|(columns, _)| column(columns).width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = choice.iter().map(widest).collect();
    let head = |columns: &Columns| {
        let mut head = String::new();
        for (at, (column, width)) in choice.iter().zip(&widths).enumerate() {
            let text = column(columns);
            let space = " ".repeat(width.saturating_sub(text.width()));
            match at {
                0 => head += &[text, &space].concat(),
                _ => head += &[&space, text].concat(),
            }
            head += GAP;
        }
        head
    };
    rows.iter().map(|(columns, _)| head(columns)).collect()
}

/// As much of `text` as fits.
fn cut(text: &str, width: usize) -> String {
    let mut taken = 0;
    let fits = |c: &char| {
        taken += c.width().unwrap_or(0);
        taken <= width
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::pipe_id::PipeId;

    const NOW: u64 = 1_000_000;

    fn passed(records: u64, bytes: u64, since: u64) -> Passed {
        Passed { records, bytes, since: NOW - since * 1000, ..Passed::default() }
    }

    fn gauge(tool: &str, read: Passed, written: Passed) -> Gauge {
        Gauge { tool: tool.into(), read, written, ..Gauge::default() }
    }

    fn pipe() -> Vec<(Gauge, Standing)> {
        let none = Passed::default();
        let written = passed(1_203_331, 412_000_000, 10);
        let files = Some((610, 1000));
        let cat = Gauge { files, ..gauge("mc-cat", none, written) };
        let map = gauge("mc-map", passed(902_113, 309_000_000, 9), passed(10, 1_000_000, 8));
        let shuffle = gauge("mc-shuffle", passed(1234, 20_000, 1), none);
        let inputs = vec![PipeId { device: 1, inode: 2, changed: 3 }];
        let gather = Gauge { inputs, ..gauge("mc-gather", none, none) };
        [cat, map, shuffle, gather].map(|gauge| (gauge, Standing::Works)).into()
    }

    #[test]
    fn a_line_a_stage_in_columns() {
        assert_eq!(
            lines(&pipe(), false, NOW, 79),
            [
                "mc-cat      1,203,331 records  412.00 MB  41.20 MB/s  [###>  ]  61 %  0:06 left",
                "mc-map        902,113 records  309.00 MB  34.33 MB/s  read, 1.00 MB written",
                "mc-shuffle      1,234 records   20.00 kB  20.00 kB/s  read",
                "mc-gather                                             waiting",
            ]
        );
    }

    #[test]
    fn what_does_not_fit_goes_column_by_column() {
        for width in 0..200 {
            for line in lines(&pipe(), false, NOW, width) {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
        assert_eq!(
            lines(&pipe(), false, NOW, 39),
            [
                "mc-cat      1,203,331  61 %  0:06 left",
                "mc-map        902,113  read",
                "mc-shuffle      1,234  read",
                "mc-gather              waiting",
            ]
        );
        assert_eq!(
            lines(&pipe(), false, NOW, 60)[..2],
            [
                "mc-cat      1,203,331 records  412.00 MB  61 %  0:06 left",
                "mc-map        902,113 records  309.00 MB  read",
            ]
        );
    }

    #[test]
    fn tasks_are_told_and_hosts_to_who_wants_to_know() {
        let mut one = gauge("mc-map", passed(3, 6, 90), passed(1, 2, 61));
        one.tasks = Some(TaskCounts { running: 4, done: 112, again: 0, all: None });
        one.hosts = vec![("n1".into(), 3, 4), ("n2.example".into(), 1, 16)];
        let lines = |one: &Gauge, verbose, width| {
            super::lines(&[(one.clone(), Standing::Works)], verbose, NOW, width)
        };
        let told = "mc-map  3 records  6 B  0 B/s  4 running, 112 done";
        assert_eq!(lines(&one, false, 79), [told]);
        assert_eq!(lines(&one, true, 79), [told, "  n1 3/4  n2.example 1/16"]);
        one.tasks = Some(TaskCounts { running: 4, done: 112, again: 1, all: Some(260) });
        one.verbose = true;
        assert_eq!(
            lines(&one, false, 23),
            ["mc-map  3  112/260 done", "  n1 3/4", "  n2.example 1/16"]
        );
        assert!(lines(&one, false, 79)[0].ends_with("4 running, 112 of 260 done, 1 again"));
    }

    #[test]
    fn an_estimate_is_told_from_a_number() {
        let number =
            |records, is_estimate| number(Passed { records, is_estimate, ..passed(0, 1, 1) });
        assert_eq!(number(1_234_567, false), "1,234,567");
        assert_eq!(number(1_234_567, true), "~1,234,000");
        assert_eq!(number(123, true), "~123");
        assert_eq!(number(0, true), "~0");
    }

    #[test]
    fn what_has_ended_says_how_and_stands_still() {
        let mut one = gauge("mc-x", passed(3, 6, 90), passed(1, 2, 61));
        (one.at_end, one.ended) = (true, Some(NOW - 60_000));
        let said = |standing| lines(&[(one.clone(), standing)], false, NOW, 79).concat();
        assert_eq!(said(Standing::Ended(0)), "mc-x  1 records  2 B  2 B/s  done in 0:30");
        assert_eq!(said(Standing::Ended(3)), "mc-x  1 records  2 B  2 B/s  failed (exit 3)");
        assert_eq!(said(Standing::Gone), "mc-x  1 records  2 B  2 B/s  killed");
    }
}
