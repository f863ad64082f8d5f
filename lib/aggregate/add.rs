//! Adding a record to the states of its group.

use super::Position;
use super::encoding::damaged;
use super::operand::{Operand, Texts, What};
use super::plan::{Plan, Slot};
use super::state::{Held, State};
use crate::error::Result;
use crate::record::key::{Missing, Place};

/// What [`Plan::add`] needs from one record to the next; each thread has its own.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    operands: Vec<Operand>,
    texts: Texts,
}

/// What adding a record did beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Whether an operand was missing that `--missing=skip` left out.
    pub missing: bool,
    /// By how many bytes the states grew beside themselves, about.
    pub grown: usize,
}

impl Plan {
    /// Adds a record to the states of its group: `places` are those of [`Plan::paths`] in it, `at`
    /// is where it stands in the input. Of a record whose operands are refused, nothing is added.
    ///
    /// # Errors
    /// `BadInput`, when an operand is not what its op needs (the text names op and value, the caller
    /// the record), or when what is collected becomes too long.
    pub fn add(
        &self,
        scratch: &mut Scratch,
        states: &mut [State],
        record: &[u8],
        places: &[Place],
        at: Position,
    ) -> Result<Added> {
        let Scratch { operands, texts } = scratch;
        operands.resize_with(self.fields.len(), Operand::default);
        texts.bytes.clear();
        let mut added = Added::default();
        for ((field, place), operand) in self.fields.iter().zip(places).zip(operands) {
            field.read(record, place, self.missing, operand, texts)?;
            let missing = match operand.what {
                What::Absent => true,
                What::Empty => field.strict,
                What::Value => false,
            };
            added.missing |= missing && self.missing == Missing::Skip;
        }
        for (slot, state) in self.slots.iter().zip(states) {
            added.grown += self.add_to(slot, state, scratch, record, at)?;
        }
        Ok(added)
    }

    /// Adds an operand to one state. Returns by how many bytes that grew.
    #[inline]
    fn add_to(
        &self,
        slot: &Slot,
        state: &mut State,
        scratch: &Scratch,
        record: &[u8],
        at: Position,
    ) -> Result<usize> {
        let Some(operand) = slot.field.and_then(|field| scratch.operands.get(field)) else {
            if let State::Count(count) = state {
                *count += 1;
            }
            return Ok(0);
        };
        let texts = &scratch.texts;
        let value = &record[operand.raw.clone()];
        if operand.what == What::Value {
            match state {
                State::Count(count) => *count += 1,
                State::Sum(sum) => sum.add(&operand.number),
                State::Moments(moments) => moments.add(&operand.number),
                State::Sample(sample) => return Ok(sample.add(&operand.number)),
                State::Extreme(extreme) => {
                    let Held::Extreme(wanted, whole) = slot.held else { return Err(damaged()) };
                    let key = &texts.bytes[operand.ordered.clone()];
                    return Ok(extreme.add(wanted, key, at, |out| match whole {
                        true => out.extend_from_slice(record.trim_ascii()),
                        false => operand.push_ordered_value(record, texts, out),
                    }));
                }
                State::Top(top) => {
                    let Held::Top(limit) = slot.held else { return Err(damaged()) };
                    let key = &texts.bytes[operand.ordered.clone()];
                    return Ok(top.add(limit, key, at, |out| {
                        operand.push_ordered_value(record, texts, out);
                    }));
                }
                State::Edge(_) | State::Distinct(_) | State::Collect(_) => {
                    return self.add_any(slot, state, operand, value, texts, at);
                }
            }
            return Ok(0);
        }
        match operand.what {
            What::Absent if self.missing == Missing::Skip => Ok(0),
            What::Absent => self.add_any(slot, state, operand, b"null", texts, at),
            _ => self.add_any(slot, state, operand, value, texts, at),
        }
    }

    /// Adds a value to a state that takes any; the others leave it out.
    fn add_any(
        &self,
        slot: &Slot,
        state: &mut State,
        operand: &Operand,
        value: &[u8],
        texts: &Texts,
        at: Position,
    ) -> Result<usize> {
        match (state, slot.held) {
            (State::Edge(edge), Held::Edge(end)) => Ok(edge.add(end, value, at)),
            (State::Collect(collect), _) => collect.add(value, at, self.max_record),
            (State::Distinct(distinct), _) => {
                Ok(distinct.add(&texts.bytes[operand.literal.clone()]))
            }
            _ => Ok(0),
        }
    }
}
