//! The tables of a pipeline: its stages, its slowest tasks, those that did not go well, and how each is run by hand.

use serde_json::Value;

use crate::report::html::{Html, HtmlCell, HtmlTable, details};
use crate::report::model::{Outcome, Pipeline, StageRun, TaskAttempt};

/// How many of the slowest attempts are listed.
const SLOWEST: usize = 10;

/// The most attempts that are listed of those that did not go well, and the most of all.
const UNWELL_MAX: usize = 100;
const ALL_MAX: usize = 300;

/// The stages, with all their numbers.
pub(super) fn stages(pipeline: &Pipeline) -> Html {
    let columns = [
        "Stage",
        "Ended",
        "Took",
        "Records in",
        "Records out",
        "Bytes in",
        "Bytes out",
        "Attempts",
        "Retries",
        "Bad",
        "Failed records",
        "Missing",
        "Lacking",
        "Spilled",
        "Memo hits",
        "To and from hosts",
        "Peak memory",
        "Process",
    ];
    let rows = pipeline.stages.iter().enumerate().map(|(at, (_, stage))| {
        let numbers = stage.numbers;
        vec![
            HtmlCell::text(pipeline.name(at)),
            HtmlCell::Badge(ending(stage), stage.ending()),
            HtmlCell::Seconds(stage.seconds),
            HtmlCell::Count(numbers.records_in),
            HtmlCell::Count(numbers.records_out),
            HtmlCell::Bytes(numbers.bytes_in),
            HtmlCell::Bytes(numbers.bytes_out),
            HtmlCell::count(stage.attempts.len()),
            HtmlCell::Count(numbers.retries),
            HtmlCell::Count(numbers.bad),
            HtmlCell::Count(numbers.failed),
            HtmlCell::Count(numbers.missing),
            HtmlCell::Count(numbers.lacking),
            HtmlCell::Bytes(numbers.spilled_bytes),
            HtmlCell::Count(numbers.memo_hits),
            HtmlCell::Bytes(numbers.client_bytes),
            HtmlCell::Bytes(stage.peak_rss_bytes),
            HtmlCell::text(stage.pid.to_string()),
        ]
    });
    let caption = "The stages, in the order of the flow";
    HtmlTable { name: "stages", caption, columns: &columns, rows: rows.collect() }.html()
}

/// The word for the colour of how a stage ended.
pub(super) fn ending(stage: &StageRun) -> &'static str {
    match stage.status {
        Some(0) => "done",
        Some(_) => "failed",
        None => "stopped",
    }
}

/// What was typed for each stage.
pub(super) fn calls(pipeline: &Pipeline) -> Html {
    let rows = pipeline.stages.iter().enumerate().map(|(at, (_, stage))| {
        vec![
            HtmlCell::text(pipeline.name(at)),
            HtmlCell::Code(stage.words.clone()),
            HtmlCell::text(stage.directory.clone()),
        ]
    });
    let columns = ["Stage", "Call", "Directory"];
    let caption = "What was called, without the values of variables";
    HtmlTable { name: "calls", caption, columns: &columns, rows: rows.collect() }.html()
}

/// What commands have counted, if they have.
pub(super) fn counters(pipeline: &Pipeline) -> Html {
    let mut rows = Vec::new();
    for (at, (_, stage)) in pipeline.stages.iter().enumerate() {
        let Some(Value::Object(groups)) = &stage.counters else { continue };
        for (group, names) in groups {
            for (name, sum) in names.as_object().into_iter().flatten() {
                let sum = sum
                    .as_u64()
                    .map_or(HtmlCell::text(sum.to_string()), |n| HtmlCell::Count(Some(n)));
                let (group, name) = (HtmlCell::text(group.clone()), HtmlCell::text(name.clone()));
                rows.push(vec![HtmlCell::text(pipeline.name(at)), group, name, sum]);
            }
        }
    }
    if rows.is_empty() {
        return Html::new();
    }
    let columns = ["Stage", "Group", "Counter", "Sum"];
    let mut html = Html::new();
    html.leaf("h3", &[], "Counters");
    html.push(
        HtmlTable {
            name: "counters",
            caption: "What commands have counted",
            columns: &columns,
            rows,
        }
        .html(),
    );
    html
}

/// The slowest attempts, and how each is run by hand.
pub(super) fn slowest(pipeline: &Pipeline) -> Html {
    let mut attempts: Vec<_> = pipeline.attempts().collect();
    attempts.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds).then(a.task.cmp(&b.task)));
    attempts.truncate(SLOWEST);
    let caption = "The slowest attempts, and how to run their tasks by hand";
    table(pipeline, ("slowest", Columns::Slow), caption, &attempts)
}

/// Those that did not go well.
pub(super) fn unwell(pipeline: &Pipeline) -> Html {
    let attempts: Vec<_> =
        pipeline.attempts().filter(|(_, a)| a.outcome != Outcome::Done).collect();
    let failures: Vec<_> = pipeline.stages.iter().enumerate().collect();
    let failures = failures
        .into_iter()
        .flat_map(|(at, (_, stage))| stage.failures.iter().map(move |failure| (at, failure)));
    let rows: Vec<Vec<HtmlCell>> = failures
        .map(|(at, failure)| {
            vec![
                HtmlCell::text(pipeline.name(at)),
                HtmlCell::Count(Some(failure.task)),
                HtmlCell::text(failure.error.clone()),
                failure.by_hand.clone().map_or(HtmlCell::text("–"), HtmlCell::Code),
            ]
        })
        .collect();
    let mut html = Html::new();
    if attempts.is_empty() && rows.is_empty() {
        return html;
    }
    html.leaf("h3", &[], "What did not go well");
    if !rows.is_empty() {
        let (columns, caption) =
            (["Stage", "Task", "Why", "By hand"], "Tasks that failed for good");
        html.push(HtmlTable { name: "failures", caption, columns: &columns, rows }.html());
    }
    if !attempts.is_empty() {
        let (all, shown) = (attempts.len(), &attempts[..attempts.len().min(UNWELL_MAX)]);
        let caption = match all == shown.len() {
            true => "Attempts that did not go well".to_string(),
            false => format!("The first {UNWELL_MAX} of {all} attempts that did not go well"),
        };
        html.push(table(pipeline, ("unwell", Columns::Wrong), &caption, shown));
    }
    html
}

/// All attempts, where they are not too many.
pub(super) fn attempts(pipeline: &Pipeline) -> Html {
    let attempts: Vec<_> = pipeline.attempts().collect();
    match attempts.len() {
        0 => Html::new(),
        1..=ALL_MAX => details(
            "All attempts",
            table(pipeline, ("attempts", Columns::All), "All attempts", &attempts),
        ),
        many => {
            let mut html = Html::new();
            let text = format!(
                "{many} attempts are too many to list: the table of the lanes sums them up, and the file of \
                 the stats has each."
            );
            html.leaf("p", &[("class", "note")], &text);
            html
        }
    }
}

/// Which columns a table of attempts has.
#[derive(Clone, Copy, PartialEq)]
enum Columns {
    /// What it takes to see why they were slow, and how their tasks are run by hand.
    Slow,
    /// What went wrong.
    Wrong,
    /// All numbers.
    All,
}

fn table(
    pipeline: &Pipeline,
    (name, which): (&'static str, Columns),
    caption: &str,
    attempts: &[(usize, &TaskAttempt)],
) -> Html {
    let begin = pipeline.begin();
    let mut columns = Vec::new();
    let rows = attempts.iter().map(|(at, attempt)| {
        let cells = cells(pipeline, (*at, attempt), begin);
        let cells = cells.into_iter().filter(|(_, _, of)| of.contains(&which));
        let (titles, row) = cells.map(|(title, cell, _)| (title, cell)).unzip();
        columns = titles;
        row
    });
    let rows = rows.collect();
    HtmlTable { name, caption, columns: &columns, rows }.html()
}

/// All cells of an attempt: what each is called, and which tables have it.
fn cells(
    pipeline: &Pipeline,
    (at, attempt): (usize, &TaskAttempt),
    begin: f64,
) -> Vec<(&'static str, HtmlCell, &'static [Columns])> {
    use Columns::{All, Slow, Wrong};
    const EACH: &[Columns] = &[Slow, Wrong, All];
    let second = if attempt.speculated { ", speculated" } else { "" };
    let outcome = format!("{}{second}", attempt.outcome.shown());
    let by_hand = by_hand(&pipeline.stages[at].1, attempt);
    let none = || HtmlCell::text("–");
    vec![
        ("Stage", HtmlCell::text(pipeline.name(at)), EACH),
        ("Work", HtmlCell::text(attempt.work.clone()), &[All]),
        ("Task", HtmlCell::Count(Some(attempt.task)), EACH),
        ("Attempt", HtmlCell::Count(Some(attempt.attempt)), EACH),
        ("Host", HtmlCell::text(attempt.host.clone()), EACH),
        ("Slot", HtmlCell::Count(Some(attempt.slot)), EACH),
        ("Began", HtmlCell::Seconds(Some(attempt.begin - begin)), &[All]),
        ("Took", HtmlCell::Seconds(Some(attempt.seconds)), EACH),
        ("Command ran", HtmlCell::Seconds(attempt.ran_seconds), &[All]),
        ("Records in", HtmlCell::Count(attempt.records_in), &[Slow, All]),
        ("Bytes in", HtmlCell::Bytes(attempt.bytes_in), &[Slow, All]),
        ("Records out", HtmlCell::Count(attempt.records_out), &[All]),
        ("Bytes out", HtmlCell::Bytes(attempt.bytes_out), &[All]),
        ("Outcome", HtmlCell::Badge(attempt.outcome.word(), outcome), EACH),
        (
            "Exit",
            attempt.exit.map_or_else(none, |exit| HtmlCell::text(exit.to_string())),
            &[Wrong, All],
        ),
        ("Why", attempt.why.clone().map_or_else(none, HtmlCell::Text), &[Wrong, All]),
        ("By hand", by_hand.map_or_else(none, HtmlCell::Code), &[Slow]),
    ]
}

/// How a task is run by hand: by what was said of it, or on its lines of the input, which `INPUT` stands for.
fn by_hand(stage: &StageRun, attempt: &TaskAttempt) -> Option<String> {
    let known = stage.failures.iter().find(|failure| failure.task == attempt.task);
    if let Some(line) = known.and_then(|failure| failure.by_hand.clone()) {
        return Some(line);
    }
    let command = stage.command.as_ref()?;
    if let Some(shard) = attempt.shard {
        return Some(format!("{} < SHARD_{shard}", command.line));
    }
    let (first, last) = attempt.lines?;
    let part = format!("sed -n '{first},{last}p' INPUT");
    Some(match (command.each, command.input.as_str()) {
        (false, "json") => format!("{part} | {}", command.line),
        (false, "text") => format!("{part} | jq -r . | {}", command.line),
        _ => format!("{part} | {}", stage.words),
    })
}

/// What `INPUT` and its like stand for, if any line of the page has one.
pub(super) fn placeholders(pipeline: &Pipeline) -> Html {
    let mut html = Html::new();
    let of = |has: fn(&TaskAttempt) -> bool| {
        pipeline.attempts().any(|(at, a)| has(a) && by_hand(&pipeline.stages[at].1, a).is_some())
    };
    if of(|attempt| attempt.lines.is_some()) {
        let text = "INPUT is a file with what the stage read, as the one before it printed it.";
        html.leaf("p", &[("class", "note")], text);
    }
    if of(|attempt| attempt.shard.is_some()) {
        let text = "SHARD_N is a file with the records of the shard of that number of the run that was read.";
        html.leaf("p", &[("class", "note")], text);
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::{CommandRun, TaskFailed};

    #[test]
    fn tasks_are_run_by_hand_on_their_lines() {
        let command =
            |input: &str, each| CommandRun { line: "./f a".into(), input: input.into(), each };
        let mut stage = StageRun { words: "mc-map --kv ./f a".into(), ..StageRun::default() };
        let attempt = TaskAttempt { task: 2, lines: Some((11, 20)), ..TaskAttempt::default() };
        assert_eq!(by_hand(&stage, &attempt), None);
        for (input, each, line) in [
            ("json", false, "sed -n '11,20p' INPUT | ./f a"),
            ("text", false, "sed -n '11,20p' INPUT | jq -r . | ./f a"),
            ("kv", false, "sed -n '11,20p' INPUT | mc-map --kv ./f a"),
            ("json", true, "sed -n '11,20p' INPUT | mc-map --kv ./f a"),
        ] {
            stage.command = Some(command(input, each));
            assert_eq!(by_hand(&stage, &attempt).as_deref(), Some(line));
        }
        let of_shard = TaskAttempt { shard: Some(7), lines: None, ..attempt.clone() };
        assert_eq!(by_hand(&stage, &of_shard).as_deref(), Some("./f a < SHARD_7"));
        let by_hand_of = Some("./f a < kept".to_string());
        stage.failures =
            vec![TaskFailed { task: 2, error: String::new(), by_hand: by_hand_of.clone() }];
        assert_eq!(by_hand(&stage, &attempt), by_hand_of);
    }
}
