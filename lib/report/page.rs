//! The page: a head, and a part for each pipeline.

use crate::report::html::{Html, HtmlCell, HtmlTable, details};
use crate::report::model::{Outcome, Pipeline};
use crate::report::{bars, flow, planned, skew, tables, timeline, units};

/// How everything looks.
const STYLE: &str = include_str!("style.css");

/// Nothing is loaded, from anywhere, and no script runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page about the file `name`.
pub(super) fn page(name: &str, pipelines: &[Pipeline], unknown: u64) -> String {
    let mut html = Html::new();
    html.markup("<!DOCTYPE html>\n").open("html", &[("lang", "en")]).line();
    html.open("head", &[]).markup("<meta charset=\"utf-8\">").line();
    html.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]).line();
    html.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.markup("<meta name=\"color-scheme\" content=\"light dark\">").line();
    html.leaf("title", &[], &format!("mycloud: {name}"));
    html.markup("<style>").markup(STYLE).markup("</style>").close("head").line();
    html.open("body", &[]).open("header", &[]).leaf("h1", &[], "What the pipelines did");
    let counted = match pipelines.len() {
        1 => "1 pipeline".to_string(),
        count => format!("{count} pipelines, the newest first"),
    };
    html.leaf("p", &[("class", "sub")], &format!("{name}: {counted}"));
    if unknown > 0 {
        let text = format!(
            "{unknown} lines are of kinds that this mc-report does not know, and left out."
        );
        html.leaf("p", &[("class", "note")], &text);
    }
    html.close("header").open("main", &[]).line();
    for (number, pipeline) in pipelines.iter().enumerate() {
        html.push(part(pipeline, number + 1));
    }
    html.close("main").close("body").close("html").line();
    html.into_text()
}

/// The part of one pipeline.
fn part(pipeline: &Pipeline, number: usize) -> Html {
    let id = format!("pipeline-{number}");
    let mut html = Html::new();
    html.open("section", &[("class", "pipeline"), ("aria-labelledby", &id)]);
    let names: Vec<String> = (0..pipeline.stages.len()).map(|at| pipeline.name(at)).collect();
    html.leaf("h2", &[("id", &id)], &names.join(" → "));
    html.open("p", &[("class", "sub")]).text(&units::moment(pipeline.begin())).text(" ");
    let (class, text) = verdict(pipeline);
    html.leaf("span", &[("class", &format!("badge {class}"))], &text).close("p").line();
    html.push(totals(pipeline));
    html.leaf("h3", &[], "Flow").push(flow::flow(pipeline, number));
    html.push(tables::stages(pipeline)).push(details("The calls", tables::calls(pipeline)));
    html.leaf("h3", &[], "Records and bytes").push(bars::bars(pipeline, number));
    html.leaf("h3", &[], "Timeline").push(timeline::timeline(pipeline, number));
    html.push(tables::unwell(pipeline));
    if pipeline.attempts().next().is_some() {
        html.leaf("h3", &[], "Slowest tasks").push(tables::slowest(pipeline));
        html.push(tables::placeholders(pipeline)).push(tables::attempts(pipeline));
    }
    let skew = skew::skew(pipeline, number);
    if !skew.is_empty() {
        html.leaf("h3", &[], "Skew of shards and ranges").push(skew);
    }
    html.push(tables::counters(pipeline));
    if let Some(plan) = planned::text(pipeline) {
        let region = [("class", "plan"), ("tabindex", "0"), ("aria-label", "The plan")];
        html.leaf("h3", &[], "Plan").leaf("pre", &region, &plan).line();
    }
    html.close("section").line();
    html
}

/// How a pipeline ended: the word for the colour, and what is said.
fn verdict(pipeline: &Pipeline) -> (&'static str, String) {
    let ended = |is: fn(Option<u8>) -> bool| {
        pipeline.stages.iter().filter(|(_, stage)| is(stage.status)).count()
    };
    let (failed, open) = (ended(|s| s.is_some_and(|s| s != 0)), ended(|s| s.is_none()));
    match (failed, open) {
        (0, 0) => ("done", "all stages ended well".into()),
        (0, 1) => ("stopped", "of 1 stage no end is known".into()),
        (0, open) => ("stopped", format!("of {open} stages no end is known")),
        (1, _) => ("failed", "1 stage failed".into()),
        (failed, _) => ("failed", format!("{failed} stages failed")),
    }
}

/// The totals: cards for who looks, and a table.
fn totals(pipeline: &Pipeline) -> Html {
    let stages = || pipeline.stages.iter().map(|(_, stage)| stage);
    let (first, last) = (pipeline.stages.first(), pipeline.stages.last());
    let read = first.and_then(|(_, stage)| stage.numbers.records_in);
    let written = last.and_then(|(_, stage)| stage.numbers.records_out);
    let count = |outcome| HtmlCell::count(stages().map(|stage| stage.count(outcome)).sum());
    let sum = |of: fn(&crate::report::model::Numbers) -> Option<u64>| {
        Some(stages().filter_map(|stage| of(&stage.numbers)).fold(0, u64::saturating_add))
    };
    let hosts: std::collections::BTreeSet<&str> =
        pipeline.attempts().map(|(_, attempt)| attempt.host.as_str()).collect();
    let speculated = pipeline.attempts().filter(|(_, attempt)| attempt.speculated).count();
    let busy: f64 = pipeline.attempts().map(|(_, attempt)| attempt.seconds).sum();
    let all = [
        ("Time", HtmlCell::Seconds(Some(pipeline.end() - pipeline.begin()))),
        ("Records read", HtmlCell::Count(read)),
        ("Records written", HtmlCell::Count(written)),
        ("Attempts", HtmlCell::count(pipeline.attempts().count())),
        ("Done", count(Outcome::Done)),
        ("Tried again", count(Outcome::Again)),
        ("Failed for good", count(Outcome::Failed)),
        ("Lost with hosts", count(Outcome::Lost)),
        ("Superseded", count(Outcome::Superseded)),
        ("Stopped", count(Outcome::Stopped)),
        ("Speculated", HtmlCell::count(speculated)),
        ("Time of attempts", HtmlCell::Seconds(Some(busy))),
        ("Hosts at work", HtmlCell::count(hosts.len())),
        ("Shards made", HtmlCell::count(stages().map(|stage| stage.shards.len()).sum())),
        ("Spilled", HtmlCell::Bytes(sum(|numbers| numbers.spilled_bytes))),
        ("To and from hosts", HtmlCell::Bytes(sum(|numbers| numbers.client_bytes))),
    ];
    let mut html = Html::new();
    html.open("dl", &[("class", "totals")]);
    for (name, cell) in &all[..SHOWN] {
        let shown = cell.number().map_or("–".to_string(), |(_, shown)| shown);
        html.open("div", &[]).leaf("dt", &[], name).leaf("dd", &[], &shown).close("div");
    }
    html.close("dl").line();
    let rows = all.into_iter().map(|(name, cell)| vec![HtmlCell::text(name), cell]);
    let table = HtmlTable {
        name: "totals",
        caption: "Totals of the pipeline",
        columns: &["What", "How much"],
        rows: rows.collect(),
    };
    html.push(details("All totals", table.html()));
    html
}

/// How many of the totals have a card.
const SHOWN: usize = 8;
