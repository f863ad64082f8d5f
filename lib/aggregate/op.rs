//! Ops as words: `[NAME=]OP[:FIELD]`.

use super::quantile::Quantile;
use crate::error::{Error, Result};
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

/// The most values that `top=N` keeps.
const MAX_TOP: usize = 10_000;

const OPS: &str = "count, sum, mean, var, stddev, min, max, minby, maxby, first, last, ndistinct, \
                   collect, top=N, p50 (p95, ...), quantile=Q";

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
            None => return Err(bad(format!("'{op}' is none of {OPS}"))),
        };
        if name == Some("") {
            return Err(bad("no name before the '='".into()));
        }
        let path = field.map(parse_path).transpose().map_err(|e| e.at(format!("op '{word}'")))?;
        if path.is_none() && matches!(reducer, Reducer::MinBy | Reducer::MaxBy) {
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

/// The reducer that a word names, if it names one at all; the error says what is wrong with its
/// parameter.
fn reducer(word: &str) -> Option<std::result::Result<Reducer, String>> {
    Some(Ok(match word {
        "count" => Reducer::Count,
        "sum" => Reducer::Sum,
        "mean" => Reducer::Mean,
        "var" => Reducer::Var,
        "stddev" => Reducer::Stddev,
        "min" => Reducer::Min,
        "max" => Reducer::Max,
        "minby" => Reducer::MinBy,
        "maxby" => Reducer::MaxBy,
        "first" => Reducer::First,
        "last" => Reducer::Last,
        "ndistinct" => Reducer::Distinct,
        "collect" => Reducer::Collect,
        "top" => return Some(Err("how many? (top=N)".into())),
        "quantile" => return Some(Err("which one? (quantile=Q, Q from 0 to 1)".into())),
        _ => return parameterised(word),
    }))
}

fn parameterised(word: &str) -> Option<std::result::Result<Reducer, String>> {
    if let Some(count) = word.strip_prefix("top=") {
        let count = count.parse().ok().filter(|count| (1..=MAX_TOP).contains(count));
        let why = || format!("N of top=N is a number from 1 to {MAX_TOP}");
        return Some(count.map(Reducer::Top).ok_or_else(why));
    }
    if let Some(q) = word.strip_prefix("quantile=") {
        let why = || "Q of quantile=Q is a decimal from 0 to 1, of at most 17 places".into();
        return Some(Quantile::parse(q, 1).map(Reducer::Quantile).ok_or_else(why));
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
        ];
        for (word, name) in names {
            assert_eq!(Op::parse(word).unwrap().name, name, "{word}");
        }
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
            "sum=x:a",
            "a=b=sum:c",
            "sum:.a.",
            "SUM:a",
        ] {
            assert_eq!(Op::parse(word).unwrap_err().exit_code(), 2, "{word}");
        }
    }
}
