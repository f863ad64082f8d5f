//! The state of one result of a group: one kind for each way of reducing.

use super::collect::Collect;
use super::distinct::Distinct;
use super::draw::Draw;
use super::edge::{Edge, GroupEnd};
use super::encoding::{StateDecoder, damaged, push_count};
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
    Edge(GroupEnd),
    Extreme(Wanted),
    Top(usize, Wanted),
    Draw(usize),
    Distinct,
    Collect,
    Sample,
}

/// A part of a group, reduced; what it means, its [`ReductionPlan`](super::ReductionPlan) knows. It
/// lies in one line of a cache.
#[derive(Clone, Debug)]
#[repr(align(32))]
pub enum OpState {
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

impl OpState {
    /// Of a part of a group that has no record.
    pub(super) fn new(held: Held) -> OpState {
        match held {
            Held::Count => OpState::Count(0),
            Held::Sum => OpState::Sum(Sum::default()),
            Held::Moments => OpState::Moments(Box::default()),
            Held::Edge(_) => OpState::Edge(Edge::default()),
            Held::Extreme(..) => OpState::Extreme(Extreme::default()),
            Held::Top(..) => OpState::Top(Box::default()),
            Held::Draw(_) => OpState::Draw(Box::default()),
            Held::Distinct => OpState::Distinct(Box::default()),
            Held::Collect => OpState::Collect(Box::default()),
            Held::Sample => OpState::Sample(Box::default()),
        }
    }

    /// Takes in another part of the same group.
    ///
    /// # Errors
    /// `BadInput`, when what is collected becomes too long, or there are numbers and text now.
    pub(super) fn merge(&mut self, held: Held, other: OpState, max_record: usize) -> Result<()> {
        match (self, other, held) {
            (OpState::Count(ours), OpState::Count(theirs), _) => {
                *ours = ours.saturating_add(theirs)
            }
            (OpState::Sum(ours), OpState::Sum(theirs), _) => ours.merge(&theirs),
            (OpState::Moments(ours), OpState::Moments(theirs), _) => ours.merge(&theirs),
            (OpState::Edge(ours), OpState::Edge(theirs), Held::Edge(end)) => {
                ours.merge(end, theirs)
            }
            (OpState::Extreme(ours), OpState::Extreme(theirs), Held::Extreme(wanted)) => {
                ours.merge(wanted, theirs).map_err(mixed)?;
            }
            (OpState::Top(ours), OpState::Top(theirs), Held::Top(limit, _)) => {
                ours.merge(limit, *theirs).map_err(mixed)?;
            }
            (OpState::Draw(ours), OpState::Draw(theirs), Held::Draw(limit)) => {
                ours.merge(limit, *theirs);
            }
            (OpState::Distinct(ours), OpState::Distinct(theirs), _) => ours.merge(*theirs),
            (OpState::Collect(ours), OpState::Collect(theirs), _) => {
                ours.merge(*theirs, max_record)?
            }
            (OpState::Sample(ours), OpState::Sample(theirs), _) => ours.merge(*theirs),
            _ => return Err(damaged()),
        }
        Ok(())
    }

    /// The memory that it holds beside itself.
    pub fn heap_bytes(&self) -> usize {
        match self {
            OpState::Count(_) => 0,
            OpState::Sum(sum) => sum.heap_bytes(),
            OpState::Moments(moments) => size_of::<Moments>() + moments.heap_bytes(),
            OpState::Edge(edge) => edge.heap_bytes(),
            OpState::Extreme(extreme) => extreme.heap_bytes(),
            OpState::Top(top) => size_of::<Top>() + top.heap_bytes(),
            OpState::Draw(draw) => size_of::<Draw>() + draw.heap_bytes(),
            OpState::Distinct(distinct) => size_of::<Distinct>() + distinct.heap_bytes(),
            OpState::Collect(collect) => size_of::<Collect>() + collect.heap_bytes(),
            OpState::Sample(sample) => size_of::<Sample>() + sample.heap_bytes(),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            OpState::Count(count) => push_count(out, *count),
            OpState::Sum(sum) => sum.encode(out),
            OpState::Moments(moments) => moments.encode(out),
            OpState::Edge(edge) => edge.encode(out),
            OpState::Extreme(extreme) => extreme.encode(out),
            OpState::Top(top) => top.encode(out),
            OpState::Draw(draw) => draw.encode(out),
            OpState::Distinct(distinct) => distinct.encode(out),
            OpState::Collect(collect) => collect.encode(out),
            OpState::Sample(sample) => sample.encode(out),
        }
    }

    pub(super) fn decode(held: Held, decoder: &mut StateDecoder) -> Result<OpState> {
        Ok(match held {
            Held::Count => OpState::Count(decoder.count()?),
            Held::Sum => OpState::Sum(Sum::decode(decoder)?),
            Held::Moments => OpState::Moments(Box::new(Moments::decode(decoder)?)),
            Held::Edge(_) => OpState::Edge(Edge::decode(decoder)?),
            Held::Extreme(..) => OpState::Extreme(Extreme::decode(decoder)?),
            Held::Top(limit, wanted) => {
                OpState::Top(Box::new(Top::decode(limit, wanted, decoder)?))
            }
            Held::Draw(limit) => OpState::Draw(Box::new(Draw::decode(limit, decoder)?)),
            Held::Distinct => OpState::Distinct(Box::new(Distinct::decode(decoder)?)),
            Held::Collect => OpState::Collect(Box::new(Collect::decode(decoder)?)),
            Held::Sample => OpState::Sample(Box::new(Sample::decode(decoder)?)),
        })
    }
}

/// What is said of a group that has numbers and text; the caller says which op and which group.
fn mixed(_: Mixed) -> Error {
    Error::input("there are numbers and text, and only either can be ordered")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_small() {
        assert_eq!(size_of::<OpState>(), 32);
    }
}
