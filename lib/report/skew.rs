//! How evenly the records and bytes of a stage lie in its shards or ranges, as histograms.

use crate::report::chart::{Anchor, Chart};
use crate::report::html::{Html, HtmlCell, HtmlTable, details};
use crate::report::model::{Pipeline, ShardMade, StageRun};
use crate::report::units;

/// How many bars a histogram has.
const BINS: usize = 10;

/// The most shards that are listed one by one.
const LISTED_MAX: usize = 200;

/// How many of the largest are listed where there are more.
const LARGEST: usize = 20;

const HEIGHT: f64 = 132.0;
const FLOOR: f64 = HEIGHT - 20.0;
const CEILING: f64 = 18.0;

/// What all is known of some numbers.
struct Spread {
    least: u64,
    median: f64,
    mean: f64,
    most: u64,
    /// How many are in each of the bins, which go from 0 to the largest.
    bins: [u64; BINS],
}

impl Spread {
    fn of(mut numbers: Vec<u64>) -> Spread {
        numbers.sort_unstable();
        let (least, most) =
            (numbers.first().copied().unwrap_or(0), numbers.last().copied().unwrap_or(0));
        let (low, high) = (numbers.len().saturating_sub(1) / 2, numbers.len() / 2);
        let median = match (numbers.get(low), numbers.get(high)) {
            (Some(low), Some(high)) => f64::midpoint(*low as f64, *high as f64),
            _ => 0.0,
        };
        let sum: f64 = numbers.iter().map(|number| *number as f64).sum();
        let mut bins = [0; BINS];
        for number in &numbers {
            // The bin that a number is the end of has it.
            let at = (u128::from(*number) * BINS as u128).div_ceil(u128::from(most.max(1)));
            bins[usize::try_from(at).unwrap_or(BINS).clamp(1, BINS) - 1] += 1;
        }
        Spread { least, median, mean: sum / numbers.len().max(1) as f64, most, bins }
    }

    /// The end of a bin.
    fn end(&self, bin: usize) -> u64 {
        let end = u128::from(self.most) * (bin as u128 + 1) / BINS as u128;
        u64::try_from(end).unwrap_or(u64::MAX)
    }

    /// How much more than the median the largest is.
    fn skew(&self) -> f64 {
        if self.median > 0.0 { self.most as f64 / self.median } else { 0.0 }
    }
}

/// The histograms of the stages of a pipeline that made several shards, whose number in the page is `number`.
pub(super) fn skew(pipeline: &Pipeline, number: usize) -> Html {
    let mut html = Html::new();
    for (at, (_, stage)) in pipeline.stages.iter().enumerate() {
        if stage.shards.len() > 1 {
            html.push(of_stage(&pipeline.name(at), stage, &format!("{number}-{at}")));
        }
    }
    html
}

fn of_stage(name: &str, stage: &StageRun, id: &str) -> Html {
    let (one, what) = match stage.makes_ranges() {
        true => ("range", "ranges"),
        false => ("shard", "shards"),
    };
    let records = Spread::of(stage.shards.iter().map(|shard| shard.records).collect());
    let bytes = Spread::of(stage.shards.iter().map(|shard| shard.bytes).collect());
    let mut html = Html::new();
    html.leaf("h4", &[], &format!("{name}: {} {what}", units::count(stage.shards.len() as u64)));
    html.open("div", &[("class", "pair")]);
    html.push(histogram(
        &format!("skew-r-{id}"),
        &format!("Records of a {one}"),
        &records,
        units::count,
    ));
    html.push(histogram(
        &format!("skew-b-{id}"),
        &format!("Bytes of a {one}"),
        &bytes,
        units::bytes,
    ));
    html.close("div").line();
    html.push(spread_table(&format!("{name}: how much its {what} hold"), &records, &bytes));
    html.push(details(
        "The bars as a table",
        bins_table(&format!("{name}: {what} by size"), &records, &bytes),
    ));
    html.push(shards_table(name, stage, what));
    html
}

fn histogram(id: &str, title: &str, spread: &Spread, shown: impl Fn(u64) -> String) -> Html {
    let most = spread.bins.iter().max().copied().unwrap_or(0).max(1) as f64;
    let about = spread.bins.iter().enumerate().filter(|(_, count)| **count > 0);
    let about = about.map(|(bin, count)| format!("{count} up to {}", shown(spread.end(bin))));
    let about = about.collect::<Vec<_>>().join("; ");
    let mut chart = Chart::new(id, HEIGHT, title, &about);
    let width = 100.0 / BINS as f64;
    for (bin, count) in spread.bins.iter().enumerate() {
        let (x, height) = (bin as f64 * width, *count as f64 / most * (FLOOR - CEILING));
        let said = format!("{count} up to {}", shown(spread.end(bin)));
        chart.bar((x + 0.5, width - 1.0), (FLOOR - height, height), "out", &said);
        if *count > 0 {
            let middle = x + width / 2.0;
            chart.text(
                middle,
                FLOOR - height - 4.0,
                Anchor::Middle,
                "small",
                &units::count(*count),
            );
        }
    }
    chart.bar((0.0, 100.0), (FLOOR, 1.0), "floor", "");
    chart.text(0.0, HEIGHT - 5.0, Anchor::Start, "small faint", "0");
    chart.text(50.0, HEIGHT - 5.0, Anchor::Middle, "small faint", &shown(spread.end(BINS / 2 - 1)));
    chart.text(100.0, HEIGHT - 5.0, Anchor::End, "small faint", &shown(spread.most));
    let mut html = Html::new();
    html.open("figure", &[])
        .leaf("figcaption", &[], title)
        .push(chart.html())
        .close("figure")
        .line();
    html
}

fn spread_table(caption: &str, records: &Spread, bytes: &Spread) -> Html {
    let columns = ["Of", "Smallest", "Median", "Mean", "Largest", "Largest to median"];
    let whole = |number: f64| Some(number.round() as u64);
    let rows = vec![
        vec![
            HtmlCell::text("Records"),
            HtmlCell::Count(Some(records.least)),
            HtmlCell::Count(whole(records.median)),
            HtmlCell::Count(whole(records.mean)),
            HtmlCell::Count(Some(records.most)),
            HtmlCell::Times(records.skew()),
        ],
        vec![
            HtmlCell::text("Bytes"),
            HtmlCell::Bytes(Some(bytes.least)),
            HtmlCell::Bytes(whole(bytes.median)),
            HtmlCell::Bytes(whole(bytes.mean)),
            HtmlCell::Bytes(Some(bytes.most)),
            HtmlCell::Times(bytes.skew()),
        ],
    ];
    HtmlTable { name: "spread", caption, columns: &columns, rows }.html()
}

fn bins_table(caption: &str, records: &Spread, bytes: &Spread) -> Html {
    let columns = ["Bar", "Records up to", "Of so many", "Bytes up to", "Of so many"];
    let rows = (0..BINS).map(|bin| {
        vec![
            HtmlCell::count(bin + 1),
            HtmlCell::Count(Some(records.end(bin))),
            HtmlCell::Count(Some(records.bins[bin])),
            HtmlCell::Bytes(Some(bytes.end(bin))),
            HtmlCell::Count(Some(bytes.bins[bin])),
        ]
    });
    HtmlTable { name: "bins", caption, columns: &columns, rows: rows.collect() }.html()
}

/// All shards, or the largest.
fn shards_table(name: &str, stage: &StageRun, what: &str) -> Html {
    let mut shards: Vec<&ShardMade> = stage.shards.iter().collect();
    let (mut summary, mut caption) = (format!("All {what}"), format!("{name}: {what}"));
    if shards.len() > LISTED_MAX {
        shards.sort_by_key(|shard| (std::cmp::Reverse(shard.bytes), shard.shard));
        shards.truncate(LARGEST);
        summary = format!("The {LARGEST} largest {what}");
        caption = format!("{name}: the {LARGEST} largest of {} {what}", stage.shards.len());
    }
    let rows = shards.into_iter().map(|shard| {
        vec![
            HtmlCell::Count(Some(shard.shard)),
            HtmlCell::Count(Some(shard.records)),
            HtmlCell::Bytes(Some(shard.bytes)),
            HtmlCell::text(shard.hosts.join(", ")),
        ]
    });
    let columns = ["Number", "Records", "Bytes", "Hosts"];
    let table =
        HtmlTable { name: "shards", caption: &caption, columns: &columns, rows: rows.collect() };
    details(&summary, table.html())
}
