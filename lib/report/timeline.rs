//! The timeline: a lane for each slot of a host, with the attempts on it, and one for each stage.

use std::collections::BTreeMap;

use crate::report::chart::{Anchor, Chart};
use crate::report::html::{Html, HtmlCell, HtmlTable, details};
use crate::report::model::{Outcome, Pipeline, TaskAttempt};
use crate::report::units;

/// The most bars that are drawn, as far as neighbours can be drawn as one.
const BARS_MAX: usize = 1500;

/// The widest gap between neighbours that are drawn as one, as a part of the whole time.
const GAP_MAX: f64 = 0.02;

const LANE: f64 = 13.0;
const HEAD: f64 = 24.0;
const AXIS: f64 = 22.0;

/// A lane: host, stage and slot.
type Key<'a> = (&'a str, usize, u64);

/// Attempts on a lane that are drawn as one bar.
struct Span {
    begin: f64,
    end: f64,
    outcome: Outcome,
    speculated: bool,
    /// How many attempts, the first and the last task of them.
    count: usize,
    tasks: (u64, u64),
}

/// The attempts of a pipeline, in lanes.
struct Lanes<'a> {
    lanes: BTreeMap<Key<'a>, Vec<&'a TaskAttempt>>,
    begin: f64,
    length: f64,
}

/// The timeline of a pipeline, whose number in the page is `number`, and its table.
pub(super) fn timeline(pipeline: &Pipeline, number: usize) -> Html {
    let mut lanes = BTreeMap::new();
    for (stage, attempt) in pipeline.attempts() {
        let key = (attempt.host.as_str(), stage, attempt.slot);
        lanes.entry(key).or_insert_with(Vec::new).push(attempt);
    }
    let (begin, end) = (pipeline.begin(), pipeline.end());
    let lanes = Lanes { lanes, begin, length: (end - begin).max(1e-6) };
    let attempts: usize = lanes.lanes.values().map(Vec::len).sum();
    let spans = lanes.spans(attempts);
    let bars: usize = spans.values().map(Vec::len).sum();
    let mut html = legend(pipeline);
    html.push(draw(pipeline, &lanes, &spans, number));
    if bars < attempts {
        let text = format!(
            "{} attempts are drawn as {} bars: neighbours on a lane that ended alike are drawn as one.",
            units::count(attempts as u64),
            units::count(bars as u64)
        );
        html.leaf("p", &[("class", "note")], &text);
    }
    if !lanes.lanes.is_empty() {
        html.push(details("The lanes as a table", table(pipeline, &lanes)));
    }
    html
}

impl Lanes<'_> {
    /// What is drawn: each attempt, or, of many, neighbours together.
    fn spans(&self, attempts: usize) -> BTreeMap<Key<'_>, Vec<Span>> {
        let mut gap = if attempts > BARS_MAX { 0.0005 } else { 0.0 };
        loop {
            let spans = self.lanes.iter().map(|(key, lane)| {
                (
                    *key,
                    merged(lane, if attempts > BARS_MAX { Some(gap * self.length) } else { None }),
                )
            });
            let spans: BTreeMap<Key<'_>, Vec<Span>> = spans.collect();
            if spans.values().map(Vec::len).sum::<usize>() <= BARS_MAX || gap >= GAP_MAX {
                return spans;
            }
            gap *= 2.0;
        }
    }
}

fn merged(lane: &[&TaskAttempt], gap: Option<f64>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for attempt in lane {
        let alike = |last: &&mut Span| {
            (last.outcome, last.speculated) == (attempt.outcome, attempt.speculated)
                && gap.is_some_and(|gap| attempt.begin - last.end <= gap)
        };
        if let Some(last) = spans.last_mut().filter(alike) {
            (last.end, last.count) = (last.end.max(attempt.end), last.count + 1);
            last.tasks = (last.tasks.0.min(attempt.task), last.tasks.1.max(attempt.task));
            continue;
        }
        let TaskAttempt { begin, end, outcome, speculated, task, .. } = **attempt;
        spans.push(Span { begin, end, outcome, speculated, count: 1, tasks: (task, task) });
    }
    spans
}

/// What the colours mean, as far as they are there.
fn legend(pipeline: &Pipeline) -> Html {
    let mut html = Html::new();
    html.open("ul", &[("class", "legend"), ("aria-label", "What the colours mean")]);
    html.open("li", &[]).leaf("span", &[("class", "key stage")], "").text("stage").close("li");
    for outcome in Outcome::ALL {
        let count: usize = pipeline.stages.iter().map(|(_, stage)| stage.count(outcome)).sum();
        if count > 0 {
            let key = format!("key {}", outcome.word());
            html.open("li", &[]).leaf("span", &[("class", &key)], "");
            html.text(&format!("{} ({})", outcome.shown(), units::count(count as u64))).close("li");
        }
    }
    let speculated = pipeline.attempts().filter(|(_, attempt)| attempt.speculated).count();
    if speculated > 0 {
        html.open("li", &[]).leaf("span", &[("class", "key speculated")], "");
        html.text(&format!("speculated ({})", units::count(speculated as u64))).close("li");
    }
    html.close("ul").line();
    html
}

fn draw(
    pipeline: &Pipeline,
    lanes: &Lanes<'_>,
    spans: &BTreeMap<Key<'_>, Vec<Span>>,
    number: usize,
) -> Html {
    let groups: std::collections::BTreeSet<_> =
        spans.keys().map(|(host, stage, _)| (host, stage)).collect();
    let rows = (pipeline.stages.len() as f64 * (HEAD + LANE), groups.len() as f64 * HEAD);
    let height = AXIS + rows.0 + rows.1 + spans.len() as f64 * LANE + 6.0;
    let about = format!(
        "{} attempts on {} lanes over {}. The table of the lanes has the numbers.",
        units::count(pipeline.attempts().count() as u64),
        spans.len(),
        units::seconds(lanes.length)
    );
    let mut chart =
        Chart::new(&format!("time-{number}"), height, "Timeline of stages and tasks", &about);
    for tick in 0..=4 {
        let x = f64::from(tick) * 25.0;
        chart.rule(x, (AXIS - 6.0, height));
        let anchor = match tick {
            0 => Anchor::Start,
            4 => Anchor::End,
            _ => Anchor::Middle,
        };
        chart.text(x, 12.0, anchor, "small faint", &units::seconds(lanes.length * x / 100.0));
    }
    let place = |begin: f64, end: f64| {
        ((begin - lanes.begin) / lanes.length * 100.0, (end - begin) / lanes.length * 100.0)
    };
    let mut y = AXIS;
    for (at, (_, stage)) in pipeline.stages.iter().enumerate() {
        let (name, took) = (pipeline.name(at), units::seconds(stage.last() - stage.begin));
        chart.text(0.0, y + 17.0, Anchor::Start, "label", &name);
        y += HEAD;
        let said = format!("{name}: {took}, {}", stage.ending());
        chart.bar(place(stage.begin, stage.last()), (y, LANE - 5.0), "stage", &said);
        y += LANE;
    }
    let mut group = None;
    for ((host, stage, _), lane) in spans {
        if group != Some((host, stage)) {
            group = Some((host, stage));
            let name = format!("{} on {host}", pipeline.name(*stage));
            chart.text(0.0, y + 17.0, Anchor::Start, "label", &name);
            y += HEAD;
        }
        for span in lane {
            let second = if span.speculated { " speculated" } else { "" };
            let class = format!("task {}{second}", span.outcome.word());
            chart.bar(place(span.begin, span.end), (y, LANE - 3.0), &class, &span.said());
        }
        y += LANE;
    }
    chart.html()
}

impl Span {
    fn said(&self) -> String {
        let (took, how) = (units::seconds(self.end - self.begin), self.outcome.shown());
        let second = if self.speculated { ", speculated" } else { "" };
        match (self.count, self.tasks) {
            (1, (task, _)) => format!("task {task}: {how}{second}, {took}"),
            (count, (first, last)) => {
                format!("{count} attempts, tasks {first} to {last}: {how}{second}, {took}")
            }
        }
    }
}

/// The numbers of the lanes.
fn table(pipeline: &Pipeline, lanes: &Lanes<'_>) -> Html {
    let columns = [
        "Host",
        "Stage",
        "Slot",
        "Attempts",
        "Done",
        "Tried again",
        "Failed",
        "Lost",
        "Superseded",
        "Stopped",
        "Speculated",
        "Busy",
        "Busy part",
    ];
    let rows = lanes.lanes.iter().map(|((host, stage, slot), lane)| {
        let count = |outcome| HtmlCell::count(lane.iter().filter(|a| a.outcome == outcome).count());
        let busy: f64 = lane.iter().map(|attempt| attempt.seconds).sum();
        vec![
            HtmlCell::text(*host),
            HtmlCell::text(pipeline.name(*stage)),
            HtmlCell::Count(Some(*slot)),
            HtmlCell::count(lane.len()),
            count(Outcome::Done),
            count(Outcome::Again),
            count(Outcome::Failed),
            count(Outcome::Lost),
            count(Outcome::Superseded),
            count(Outcome::Stopped),
            HtmlCell::count(lane.iter().filter(|attempt| attempt.speculated).count()),
            HtmlCell::Seconds(Some(busy)),
            HtmlCell::Percent(busy / lanes.length),
        ]
    });
    let caption = "The lanes of the timeline: attempts on each slot";
    HtmlTable { name: "lanes", caption, columns: &columns, rows: rows.collect() }.html()
}
