//! The stages as a flow: across where there is room, and down on a phone. Both are drawn, and the page shows one.

use crate::report::chart::{Anchor, Chart};
use crate::report::html::Html;
use crate::report::model::{Pipeline, StageLink, StageRun};
use crate::report::units;

/// The way that a flow is drawn.
#[derive(Clone, Copy)]
enum Way {
    Across,
    Down,
}

/// The size of a box, and of the gaps between them, along the way and beside it.
struct Sizes {
    card: (f64, f64),
    gap: f64,
    beside: f64,
}

/// The widest that a phone shows.
const PHONE: f64 = 320.0;

/// How wide a letter is, at the most.
const LETTER: f64 = 7.0;

/// The longest word that a box has room for.
const WORD_MAX: usize = 23;

/// The drawings of the flow of a pipeline, whose number in the page is `number`.
pub(super) fn flow(pipeline: &Pipeline, number: usize) -> Html {
    let layers = layers(pipeline);
    let mut html = Html::new();
    for (way, class) in [(Way::Across, "across"), (Way::Down, "down")] {
        let region = [
            ("class", class),
            ("role", "region"),
            ("tabindex", "0"),
            ("aria-label", "The stages as a flow"),
        ];
        let id = format!("flow-{class}-{number}");
        html.open("div", &region).push(draw(pipeline, &layers, way, &id)).close("div").line();
    }
    html
}

/// The stages in layers: each behind all that it reads.
fn layers(pipeline: &Pipeline) -> Vec<Vec<usize>> {
    let mut depths = vec![0; pipeline.stages.len()];
    // A stage stands behind those that it reads, so one pass is enough.
    for to in 0..depths.len() {
        let before = pipeline.links.iter().filter(|link| link.to == to && link.from < to);
        depths[to] = before.map(|link| depths[link.from] + 1).max().unwrap_or(0);
    }
    let mut layers = vec![Vec::new(); depths.iter().max().map_or(0, |most| most + 1)];
    depths.iter().enumerate().for_each(|(at, depth)| layers[*depth].push(at));
    layers
}

/// The sizes for layers that are so wide at most, with words of so many characters on the arrows.
fn sizes(way: Way, widest: usize, longest: usize) -> Sizes {
    match way {
        Way::Across => {
            let gap = (longest as f64 * LETTER + 12.0).max(66.0);
            Sizes { card: (166.0, 90.0), gap, beside: 18.0 }
        }
        Way::Down => {
            let beside = 10.0;
            let width = (PHONE - beside * (widest as f64 - 1.0)) / widest as f64;
            Sizes { card: (width.max(150.0), 90.0), gap: 44.0, beside }
        }
    }
}

fn draw(pipeline: &Pipeline, layers: &[Vec<usize>], way: Way, id: &str) -> Html {
    let widest = layers.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let words = pipeline.links.iter().map(|link| passes(pipeline, link));
    let longest = words.map(|(passes, what)| passes.len().max(what.len())).max().unwrap_or(0);
    let Sizes { card, gap, beside } = sizes(way, widest, longest);
    let along = |count: usize, size: f64, gap: f64| count as f64 * (size + gap) - gap;
    let size = match way {
        Way::Across => (along(layers.len(), card.0, gap), along(widest, card.1, beside)),
        Way::Down => (along(widest, card.0, beside), along(layers.len(), card.1, gap)),
    };
    let mut places = vec![(0.0, 0.0); pipeline.stages.len()];
    for (depth, layer) in layers.iter().enumerate() {
        for (at, stage) in layer.iter().enumerate() {
            let free = (widest - layer.len()) as f64 / 2.0 + at as f64;
            places[*stage] = match way {
                Way::Across => (depth as f64 * (card.0 + gap), free * (card.1 + beside)),
                Way::Down => (free * (card.0 + beside), depth as f64 * (card.1 + gap)),
            };
        }
    }
    // Lines have a width.
    let margin = 2.0;
    places.iter_mut().for_each(|place| *place = (place.0 + margin, place.1 + margin));
    let size = (size.0 + 2.0 * margin, size.1 + 2.0 * margin);
    let mut chart = Chart::fixed(id, size, "The stages as a flow", &about(pipeline));
    for link in &pipeline.links {
        let (from, to) = (places[link.from], places[link.to]);
        let (passes, what) = passes(pipeline, link);
        arrow(&mut chart, (from, to), card, (way, link.is_shards), (&passes, &what));
    }
    for (at, (_, stage)) in pipeline.stages.iter().enumerate() {
        stage_card(&mut chart, places[at], card, (&pipeline.name(at), stage));
    }
    chart.html()
}

/// How many records pass, if that is known, and in what.
fn passes(pipeline: &Pipeline, link: &StageLink) -> (String, String) {
    let stage = &pipeline.stages[link.from].1;
    let what = match (link.is_shards, stage.shards.len()) {
        (false, _) => "records".into(),
        (true, 0) => "shards".into(),
        (true, 1) => "1 shard".into(),
        (true, count) => format!("{} shards", units::count(count as u64)),
    };
    (stage.numbers.records_out.map(units::count).unwrap_or_default(), what)
}

/// An arrow from box to box, and what passes.
fn arrow(
    chart: &mut Chart,
    (from, to): ((f64, f64), (f64, f64)),
    (width, height): (f64, f64),
    (way, is_shards): (Way, bool),
    (passes, what): (&str, &str),
) {
    let ((x1, y1), (x2, y2)) = match way {
        Way::Across => ((from.0 + width, from.1 + height / 2.0), (to.0, to.1 + height / 2.0)),
        Way::Down => ((from.0 + width / 2.0, from.1 + height), (to.0 + width / 2.0, to.1)),
    };
    let (mx, my) = (f64::midpoint(x1, x2), f64::midpoint(y1, y2));
    let class = if is_shards { "arrow shards" } else { "arrow" };
    match way {
        Way::Across => {
            let tip = x2 - 7.0;
            chart.path(&format!("M{x1},{y1} C{mx},{y1} {mx},{y2} {tip},{y2}"), class);
            chart.path(&format!("M{x2},{y2} l-9,-5 v10 z"), "tip");
            chart.label((mx, my - 7.0), Anchor::Middle, "small", passes);
            chart.label((mx, my + 16.0), Anchor::Middle, "small faint", what);
        }
        Way::Down => {
            let tip = y2 - 7.0;
            chart.path(&format!("M{x1},{y1} C{x1},{my} {x2},{my} {x2},{tip}"), class);
            chart.path(&format!("M{x2},{y2} l-5,-9 h10 z"), "tip");
            let said = match (passes, is_shards) {
                ("", _) => what.to_string(),
                (_, true) => format!("{passes} in {what}"),
                (_, false) => format!("{passes} {what}"),
            };
            chart.label((mx + 10.0, my + 4.0), Anchor::Start, "small", &said);
        }
    }
}

fn stage_card(
    chart: &mut Chart,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    (name, stage): (&str, &StageRun),
) {
    let class = match stage.status {
        Some(0) => "card",
        Some(_) => "card bad",
        None => "card open",
    };
    chart.card((x, y), (width, height), class);
    chart.label((x + 12.0, y + 23.0), Anchor::Start, "name", name);
    let ending = stage.ending();
    if stage.status != Some(0) {
        chart.label((x + width - 12.0, y + 23.0), Anchor::End, "small ending", &ending);
    }
    let attempts = stage.attempts.len();
    let tasks = match attempts {
        0 => String::new(),
        1 => ", 1 attempt".into(),
        _ => format!(", {} attempts", units::count(attempts as u64)),
    };
    let took = stage.seconds.map_or("did not end".into(), units::seconds);
    chart.label((x + 12.0, y + 43.0), Anchor::Start, "small", &short(&format!("{took}{tasks}")));
    let ways = [("in", stage.numbers.records_in), ("out", stage.numbers.records_out)];
    for (line, (way, records)) in ways.into_iter().enumerate() {
        let records = records.map_or("unknown".into(), units::count);
        let place = (x + 12.0, y + 60.0 + 17.0 * line as f64);
        chart.label(place, Anchor::Start, "small faint", &short(&format!("{records} {way}")));
    }
}

/// What fits into a box.
fn short(text: &str) -> String {
    if text.chars().count() <= WORD_MAX {
        return text.into();
    }
    text.chars().take(WORD_MAX - 1).chain(['…']).collect()
}

/// The same in words.
fn about(pipeline: &Pipeline) -> String {
    if pipeline.links.is_empty() {
        return format!("{} by itself.", pipeline.name(0));
    }
    let said = pipeline.links.iter().map(|link| {
        let what = if link.is_shards { "shards" } else { "records" };
        format!("{} reads {what} of {}", pipeline.name(link.to), pipeline.name(link.from))
    });
    format!("{}.", said.collect::<Vec<_>>().join("; "))
}
