//! The state of one result of a group: one kind for each way of reducing.

use super::collect::Collect;
use super::distinct::Distinct;
use super::draw::Draw;
use super::edge::{Edge, End};
use super::encoding::{Decoder, damaged, push_count};
use super::extreme::{Extreme, Wanted};
use super::kinds::Mixed;
use super::moments::Moments;
use super::sample::Sample;
use super::sum::Sum;
use super::top::Top;
use crate::error::{Error, Result};

/// What a state holds of its group. Several ops may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Count,
    Sum,
    Moments,
    Edge(End),
    Extreme(Wanted),
    Top(usize, Wanted),
    Draw(usize),
    Distinct,
    Collect,
    Sample,
}

/// A part of a group, reduced; what it means, its [`Plan`](super::Plan) knows.
#[derive(Clone, Debug)]
pub enum State {
    /// How many operands or records.
    Count(u64),
    /// Their exact sum.
    Sum(Sum),
    /// The exact sums of them and of their squares.
    Moments(Box<Moments>),
    /// The first or last.
    Edge(Edge),
    /// The least or greatest.
    Extreme(Extreme),
    /// The greatest or least ones.
    Top(Box<Top>),
    /// Those that are drawn.
    Draw(Box<Draw>),
    /// The different ones.
    Distinct(Box<Distinct>),
    /// All, in input order.
    Collect(Box<Collect>),
    /// All numbers, in any order.
    Sample(Box<Sample>),
}

impl State {
    /// Of a part of a group that has no record.
    pub(super) fn new(held: Held) -> State {
        match held {
            Held::Count => State::Count(0),
            Held::Sum => State::Sum(Sum::default()),
            Held::Moments => State::Moments(Box::default()),
            Held::Edge(_) => State::Edge(Edge::default()),
            Held::Extreme(..) => State::Extreme(Extreme::default()),
            Held::Top(..) => State::Top(Box::default()),
            Held::Draw(_) => State::Draw(Box::default()),
            Held::Distinct => State::Distinct(Box::default()),
            Held::Collect => State::Collect(Box::default()),
            Held::Sample => State::Sample(Box::default()),
        }
    }

    /// Takes in another part of the same group.
    ///
    /// # Errors
    /// `BadInput`, when what is collected becomes too long, or there are numbers and text now.
    pub(super) fn merge(&mut self, held: Held, other: State, max_record: usize) -> Result<()> {
        match (self, other, held) {
            (State::Count(ours), State::Count(theirs), _) => *ours = ours.saturating_add(theirs),
            (State::Sum(ours), State::Sum(theirs), _) => ours.merge(&theirs),
            (State::Moments(ours), State::Moments(theirs), _) => ours.merge(&theirs),
            (State::Edge(ours), State::Edge(theirs), Held::Edge(end)) => ours.merge(end, theirs),
            (State::Extreme(ours), State::Extreme(theirs), Held::Extreme(wanted)) => {
                ours.merge(wanted, theirs).map_err(mixed)?;
            }
            (State::Top(ours), State::Top(theirs), Held::Top(limit, _)) => {
                ours.merge(limit, *theirs).map_err(mixed)?;
            }
            (State::Draw(ours), State::Draw(theirs), Held::Draw(limit)) => {
                ours.merge(limit, *theirs);
            }
            (State::Distinct(ours), State::Distinct(theirs), _) => ours.merge(*theirs),
            (State::Collect(ours), State::Collect(theirs), _) => ours.merge(*theirs, max_record)?,
            (State::Sample(ours), State::Sample(theirs), _) => ours.merge(*theirs),
            _ => return Err(damaged()),
        }
        Ok(())
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        match self {
            State::Count(_) => 0,
            State::Sum(sum) => sum.heap_bytes(),
            State::Moments(moments) => size_of::<Moments>() + moments.heap_bytes(),
            State::Edge(edge) => edge.heap_bytes(),
            State::Extreme(extreme) => extreme.heap_bytes(),
            State::Top(top) => size_of::<Top>() + top.heap_bytes(),
            State::Draw(draw) => size_of::<Draw>() + draw.heap_bytes(),
            State::Distinct(distinct) => size_of::<Distinct>() + distinct.heap_bytes(),
            State::Collect(collect) => size_of::<Collect>() + collect.heap_bytes(),
            State::Sample(sample) => size_of::<Sample>() + sample.heap_bytes(),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            State::Count(count) => push_count(out, *count),
            State::Sum(sum) => sum.encode(out),
            State::Moments(moments) => moments.encode(out),
            State::Edge(edge) => edge.encode(out),
            State::Extreme(extreme) => extreme.encode(out),
            State::Top(top) => top.encode(out),
            State::Draw(draw) => draw.encode(out),
            State::Distinct(distinct) => distinct.encode(out),
            State::Collect(collect) => collect.encode(out),
            State::Sample(sample) => sample.encode(out),
        }
    }

    pub(super) fn decode(held: Held, decoder: &mut Decoder) -> Result<State> {
        Ok(match held {
            Held::Count => State::Count(decoder.count()?),
            Held::Sum => State::Sum(Sum::decode(decoder)?),
            Held::Moments => State::Moments(Box::new(Moments::decode(decoder)?)),
            Held::Edge(_) => State::Edge(Edge::decode(decoder)?),
            Held::Extreme(..) => State::Extreme(Extreme::decode(decoder)?),
            Held::Top(limit, wanted) => State::Top(Box::new(Top::decode(limit, wanted, decoder)?)),
            Held::Draw(limit) => State::Draw(Box::new(Draw::decode(limit, decoder)?)),
            Held::Distinct => State::Distinct(Box::new(Distinct::decode(decoder)?)),
            Held::Collect => State::Collect(Box::new(Collect::decode(decoder)?)),
            Held::Sample => State::Sample(Box::new(Sample::decode(decoder)?)),
        })
    }
}

/// What is said of a group that has numbers and text; the caller says which op and which group.
fn mixed(_: Mixed) -> Error {
    Error::input("there are numbers and text, and only either can be ordered")
}
