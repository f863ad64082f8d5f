//! Records and bytes through each stage, as bars.

use crate::report::chart::{Anchor, Chart};
use crate::report::html::Html;
use crate::report::model::{Pipeline, StageRun};
use crate::report::units;

/// How high the part of a stage is, and a bar.
const ROW: f64 = 50.0;
const BAR: f64 = 11.0;

/// The bars of a pipeline, whose number in the page is `number`.
pub(super) fn bars(pipeline: &Pipeline, number: usize) -> Html {
    let mut html = Html::new();
    html.open("div", &[("class", "pair")]);
    let records = |stage: &StageRun| (stage.numbers.records_in, stage.numbers.records_out);
    let bytes = |stage: &StageRun| (stage.numbers.bytes_in, stage.numbers.bytes_out);
    html.push(figure(pipeline, &format!("records-{number}"), "Records", records, units::count));
    html.push(figure(pipeline, &format!("bytes-{number}"), "Bytes", bytes, units::bytes));
    html.close("div").line();
    html
}

fn figure(
    pipeline: &Pipeline,
    id: &str,
    what: &str,
    of: impl Fn(&StageRun) -> (Option<u64>, Option<u64>),
    shown: impl Fn(u64) -> String,
) -> Html {
    let numbers: Vec<_> = pipeline.stages.iter().map(|(_, stage)| of(stage)).collect();
    let all = numbers.iter().flat_map(|(read, written)| [*read, *written]).flatten();
    let most = all.max().unwrap_or(0).max(1) as f64;
    let said = |number: Option<u64>| number.map_or("unknown".into(), &shown);
    let about: Vec<String> = numbers
        .iter()
        .enumerate()
        .map(|(at, (read, written))| {
            format!("{}: {} in, {} out", pipeline.name(at), said(*read), said(*written))
        })
        .collect();
    let title = format!("{what} in and out of each stage");
    let height = ROW * numbers.len() as f64;
    let mut chart = Chart::new(id, height, &title, &about.join("; "));
    for (at, (read, written)) in numbers.iter().enumerate() {
        let y = ROW * at as f64;
        chart.text(0.0, y + 13.0, Anchor::Start, "label", &pipeline.name(at));
        let words = format!("{} → {}", said(*read), said(*written));
        chart.text(100.0, y + 13.0, Anchor::End, "small", &words);
        let wide = |number: Option<u64>| number.unwrap_or(0) as f64 / most * 100.0;
        chart.bar((0.0, wide(*read)), (y + 19.0, BAR), "in", "in");
        chart.bar((0.0, wide(*written)), (y + 19.0 + BAR + 1.0, BAR), "out", "out");
    }
    let mut html = Html::new();
    html.open("figure", &[]).open("figcaption", &[]).text(what);
    html.markup(" <span class=\"key in\"></span>in <span class=\"key out\"></span>out");
    html.close("figcaption").push(chart.html()).close("figure").line();
    html
}
