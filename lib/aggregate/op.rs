//! Ops as words: `[NAME=]OP[:FIELD]`.

use super::quantile::Quantile;
use crate::error::{Error, Result};
use crate::record::nearest::did_you_mean;
use crate::record::path::parse_path;
use crate::record::scan::Step;

/// What is done with the values of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reducer {
    /// How many.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// Their variance, as of a sample.
    Var,
    /// Their standard deviation, as of a sample.
    Stddev,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The record of the least.
    MinBy,
    /// The record of the greatest.
    MaxBy,
    /// The record of the greatest, of equal ones the last.
    LastBy,
    /// The first in input order.
    First,
    /// The last in input order.
    Last,
    /// How many different ones.
    Distinct,
    /// All of them.
    Collect,
    /// The so many greatest.
    Top(usize),
    /// The so many least.
    Bottom(usize),
    /// The records of the so many greatest.
    TopBy(usize),
    /// The records of the so many least.
    BottomBy(usize),
    /// So many, drawn by their hashes.
    Sample(usize),
    /// A quantile.
    Quantile(Quantile),
}

/// One result of a group: which reducer, of which field, under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// The name of the result.
    pub name: String,
    /// What is done.
    pub reducer: Reducer,
    /// Where the operand lies in a record, if it was said.
    pub field: Option<Vec<Step>>,
    /// The op as it was written, without the name: for messages.
    pub text: String,
}

/// The most values that `top=N` and its like keep.
const MAX_KEPT: usize = 10_000;

/// The ops as they are called: behind a `=` stands a parameter.
pub const OPS: [&str; 23] = [
    "count",
    "sum",
    "mean",
    "avg",
    "var",
    "stddev",
    "min",
    "max",
    "minby",
    "maxby",
    "firstby",
    "lastby",
    "first",
    "last",
    "ndistinct",
    "collect",
    "sample=N",
    "top=N",
    "bottom=N",
    "topby=N",
    "bottomby=N",
    "median",
    "quantile=Q",
];

impl Op {
    /// Reads `[NAME=]OP[:FIELD]`.
    ///
    /// # Errors
    /// `Usage`, when it is no op.
    pub fn parse(word: &str) -> Result<Op> {
        let (head, field) = match word.split_once(':') {
            Some((head, field)) => (head, Some(field)),
            None => (word, None),
        };
        let bad = |why: String| Error::usage(format!("bad op '{word}': {why}"));
        // `top=3` is an op with its parameter, `top=sum` names a sum.
        let (name, op) = match head.split_once('=') {
            Some((name, op)) if reducer(op).is_some_and(|found| found.is_ok()) => (Some(name), op),
            Some((name, op)) if reducer(head).is_none() => (Some(name), op),
            _ => (None, head),
        };
        let reducer = match reducer(op) {
            Some(reducer) => reducer.map_err(bad)?,
            None => {
                let meant = did_you_mean(op, OPS);
                let known = OPS.join(", ");
                return Err(bad(format!("'{op}' is none of {known}, p50 (p95, ...){meant}")));
            }
        };
        if name == Some("") {
            return Err(bad("no name before the '='".into()));
        }
        let path = field.map(parse_path).transpose().map_err(|e| e.at(format!("op '{word}'")))?;
        if path.is_none() && reducer.is_by() {
            return Err(bad(format!("by which field? ({op}:FIELD)")));
        }
        Ok(Op {
            name: name.map_or_else(|| default_name(op, path.as_deref()), String::from),
            reducer,
            text: field.map_or(op.into(), |field| format!("{op}:{field}")),
            field: path,
        })
    }
}

impl Reducer {
    /// Whether it gives the records that it finds by a field.
    fn is_by(self) -> bool {
        use Reducer::{BottomBy, LastBy, MaxBy, MinBy, TopBy};
        matches!(self, MinBy | MaxBy | LastBy | TopBy(_) | BottomBy(_))
    }
}

/// The reducer that a word names, if it names one at all; the error says what is wrong with its
/// parameter.
fn reducer(word: &str) -> Option<std::result::Result<Reducer, String>> {
    Some(Ok(match word {
        "count" => Reducer::Count,
        "sum" => Reducer::Sum,
        "mean" | "avg" => Reducer::Mean,
        "var" => Reducer::Var,
        "stddev" => Reducer::Stddev,
        "min" => Reducer::Min,
        "max" => Reducer::Max,
        "minby" | "firstby" => Reducer::MinBy,
        "maxby" => Reducer::MaxBy,
        "lastby" => Reducer::LastBy,
        "first" => Reducer::First,
        "last" => Reducer::Last,
        "ndistinct" => Reducer::Distinct,
        "collect" => Reducer::Collect,
        "median" => return Quantile::parse("0.5", 1).map(|median| Ok(Reducer::Quantile(median))),
        "top" | "bottom" | "sample" => return Some(Err(format!("how many? ({word}=N)"))),
        "topby" | "bottomby" => return Some(Err(format!("how many? ({word}=N:FIELD)"))),
        "quantile" => return Some(Err("which one? (quantile=Q, Q from 0 to 1)".into())),
        _ => return parameterised(word),
    }))
}

fn parameterised(word: &str) -> Option<std::result::Result<Reducer, String>> {
    if let Some(q) = word.strip_prefix("quantile=") {
        let why = || "Q of quantile=Q is a decimal from 0 to 1, of at most 17 places".into();
        return Some(Quantile::parse(q, 1).map(Reducer::Quantile).ok_or_else(why));
    }
    if let Some((op, count)) = word.split_once('=') {
        let count = count.parse().ok().filter(|count| (1..=MAX_KEPT).contains(count));
        let reducer = match op {
            "top" => count.map(Reducer::Top),
            "bottom" => count.map(Reducer::Bottom),
            "topby" => count.map(Reducer::TopBy),
            "bottomby" => count.map(Reducer::BottomBy),
            "sample" => count.map(Reducer::Sample),
            _ => return None,
        };
        let why = || format!("N of {op}=N is a number from 1 to {MAX_KEPT}");
        return Some(reducer.ok_or_else(why));
    }
    let percent =
        word.strip_prefix('p').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))?;
    let why = || "NN of pNN is a decimal from 0 to 100, of at most 15 places".into();
    Some(Quantile::parse(percent, 100).map(Reducer::Quantile).ok_or_else(why))
}

/// The field's last name and the op with its parameter, or the op alone.
fn default_name(op: &str, path: Option<&[Step]>) -> String {
    let op = match op.split_once('=') {
        Some(("quantile", q)) => format!("q{q}"),
        Some((op, parameter)) => format!("{op}{parameter}"),
        None => op.to_string(),
    };
    let last = path.unwrap_or_default().iter().rev().find_map(|step| match step {
        Step::Name(name) => Some(String::from_utf8_lossy(name)),
        Step::Index(_) => None,
    });
    match last {
        Some(name) => format!("{name}_{op}"),
        None => op,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_their_results() {
        let names = [
            ("count", "count"),
            ("sum:amount", "amount_sum"),
            ("p95:.user.ms", "ms_p95"),
            ("p99.9:ms", "ms_p99.9"),
            ("quantile=0.5:ms", "ms_q0.5"),
            ("top=3:ms", "ms_top3"),
            ("sum:.[1]", "sum"),
            ("min:.a[0]", "a_min"),
            ("min:.[\"odd: name=\"]", "odd: name=_min"),
            ("total=sum:amount", "total"),
            ("top=sum:amount", "top"),
            ("best=top=3:ms", "best"),
            ("median=quantile=0.5:ms", "median"),
            ("quantile=p50:ms", "quantile"),
            ("avg:ms", "ms_avg"),
            ("median:ms", "ms_median"),
            ("topby=3:ms", "ms_topby3"),
            ("bottom=2:ms", "ms_bottom2"),
            ("firstby:ts", "ts_firstby"),
            ("sample=5", "sample5"),
            ("some=sample=5:v", "some"),
            ("sample=avg:v", "sample"),
        ];
        for (word, name) in names {
            assert_eq!(Op::parse(word).unwrap().name, name, "{word}");
        }
    }

    #[test]
    fn a_mistyped_op_is_told_which_was_meant() {
        for (word, meant) in [
            ("summ:a", "sum"),
            ("SUM:a", "sum"),
            ("x=stdev:a", "stddev"),
            ("variance:a", "var"),
            ("top3:a", "top=N"),
            ("distinct", "ndistinct"),
        ] {
            let error = Op::parse(word).unwrap_err().to_string();
            assert!(error.ends_with(&format!("(did you mean {meant}?)")), "{error}");
        }
        assert!(Op::parse("xyzzy:a").unwrap_err().to_string().ends_with("p50 (p95, ...)"));
    }

    #[test]
    fn what_is_no_op_is_refused() {
        for word in [
            "",
            "=",
            "x",
            "=sum:a",
            "sum:",
            "top",
            "top=0:a",
            "top=x:a",
            "quantile:a",
            "p:a",
            "p101:a",
            "pa:a",
            "quantile=1.5:a",
            "quantile=95%:a",
            "minby",
            "lastby",
            "topby=3",
            "bottomby:a",
            "sample",
            "sample=0",
            "sample=10001",
            "sum=x:a",
            "a=b=sum:c",
            "sum:.a.",
            "SUM:a",
        ] {
            assert_eq!(Op::parse(word).unwrap_err().exit_code(), 2, "{word}");
        }
    }
}
