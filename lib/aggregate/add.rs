//! Adding a record to the states of its group.

use super::RecordPosition;
use super::encoding::damaged;
use super::extreme::Wanted;
use super::number::Number;
use super::operand::{Operand, OperandValue, OrderedKey, Texts};
use super::plan::{ReductionPlan, StateSlot};
use super::state::{Held, OpState};
use crate::error::{Error, Result};
use crate::record::canonical::ValueKind;
use crate::record::key::{KeyPlace, Missing};
use crate::record::number::ShortKey;

/// What [`ReductionPlan::add`] needs from one record to the next; each thread has its own.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub(super) operands: Vec<Operand>,
    pub(super) texts: Texts,
}

/// What adding a record did beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Whether an operand was missing that `--missing=skip` left out.
    pub missing: bool,
    /// By how many bytes the states grew beside themselves, about.
    pub grown: usize,
}

/// One record with its operands read.
pub(super) struct ReadRecord<'a> {
    pub(super) record: &'a [u8],
    pub(super) at: RecordPosition,
    pub(super) operands: &'a [Operand],
    pub(super) texts: &'a Texts,
}

impl ReductionPlan {
    /// Adds a record to the states of its group: `places` are those of [`ReductionPlan::paths`] in it, `at`
    /// is where it stands in the input. Of a record whose operands are refused for what they are,
    /// nothing is added.
    ///
    /// # Errors
    /// `BadInput`, when an operand is not what its op needs (the text names op and value, the
    /// caller the record), when numbers and text come together that are to be ordered, or when what
    /// is collected becomes too long.
    pub fn add(
        &self,
        scratch: &mut Scratch,
        states: &mut [OpState],
        record: &[u8],
        places: &[KeyPlace],
        at: RecordPosition,
    ) -> Result<Added> {
        let mut added =
            Added { missing: self.read_operands(scratch, record, places)?, ..Added::default() };
        let Scratch { operands, texts } = scratch;
        let one = ReadRecord { record, at, operands, texts };
        for (slot, state) in self.slots.iter().zip(states) {
            let operand = match (slot.field.map(|field| &one.operands[field]), &mut *state) {
                (Some(operand), _) => operand,
                (None, OpState::Count(count)) => {
                    *count += 1;
                    continue;
                }
                _ => return Err(damaged()),
            };
            let there = operand.what == OperandValue::Value;
            let valued = operand.what >= OperandValue::NoNumber;
            match state {
                OpState::Sum(sum) if there => sum.add(&operand.number),
                OpState::Sum(_) => {}
                OpState::Count(count) => *count += u64::from(valued),
                OpState::Moments(moments) if there => moments.add(&operand.number),
                OpState::Sample(sample) if there => added.grown += sample.add(&operand.number),
                OpState::Moments(_) | OpState::Sample(_) => {}
                OpState::Extreme(_) | OpState::Top(_) if !valued => {}
                OpState::Extreme(_) | OpState::Top(_) => {
                    added.grown += self.add_ordered(slot, state, operand, &one)?;
                }
                OpState::Edge(_)
                | OpState::Distinct(_)
                | OpState::Collect(_)
                | OpState::Draw(_) => {
                    added.grown += self.add_any(slot, state, operand, &one)?;
                }
            }
        }
        Ok(added)
    }

    /// Checks that the operands of a record are what their ops need. Gives them to `integer`, one by one,
    /// if they are integers and nothing else is needed of the record: then it returns true, and
    /// [`ReductionPlan::add_integers`] takes them.
    ///
    /// # Errors
    /// Those of [`ReductionPlan::add`] that are of the record alone.
    #[inline]
    pub fn check(
        &self,
        scratch: &mut Scratch,
        record: &[u8],
        places: &[KeyPlace],
        integer: impl FnMut(i64),
    ) -> Result<bool> {
        self.read_operands(scratch, record, places)?;
        let integer_of = |operand: &Operand| match operand.number {
            Number::Integer(integer) if operand.what == OperandValue::Value => Some(integer),
            _ => None,
        };
        let are_integers = self.takes_numbers
            && scratch.operands.iter().all(|operand| integer_of(operand).is_some());
        if are_integers {
            scratch.operands.iter().filter_map(integer_of).for_each(integer);
        }
        Ok(are_integers)
    }

    /// Adds the operands of a record, which are `integers`, to the states of its group. Returns by how many bytes
    /// those grew beside themselves, about.
    ///
    /// # Errors
    /// `Incomplete`, when those are no states of this plan.
    #[inline]
    pub fn add_integers(&self, states: &mut [OpState], integers: &[i64]) -> Result<usize> {
        let mut grown = 0;
        for (slot, state) in self.slots.iter().zip(states) {
            let integer = slot.field.and_then(|field| integers.get(field)).copied();
            match (state, integer) {
                (OpState::Count(count), _) => *count += 1,
                (OpState::Sum(sum), Some(integer)) => sum.add(&Number::Integer(integer)),
                (OpState::Moments(moments), Some(integer)) => {
                    moments.add(&Number::Integer(integer));
                }
                (OpState::Sample(sample), Some(integer)) => {
                    grown += sample.add(&Number::Integer(integer));
                }
                _ => return Err(damaged()),
            }
        }
        Ok(grown)
    }

    /// Reads the operands of a record. Whether one was missing that is left out.
    #[inline(always)]
    pub(super) fn read_operands(
        &self,
        scratch: &mut Scratch,
        record: &[u8],
        places: &[KeyPlace],
    ) -> Result<bool> {
        let Scratch { operands, texts } = scratch;
        if operands.len() != self.fields.len() {
            prepare(operands, self.fields.len());
        }
        texts.bytes.clear();
        let mut missing = false;
        for ((operand, field), place) in operands.iter_mut().zip(&self.fields).zip(places) {
            field.read(record, place, &self.lacking, operand, texts)?;
            if operand.what != OperandValue::Value && self.lacking.missing == Missing::Skip {
                missing |= operand.what == OperandValue::Absent || field.strict;
            }
        }
        Ok(missing)
    }

    /// Adds an operand to a state that takes any value. Returns by how many bytes that grew.
    fn add_any(
        &self,
        slot: &StateSlot,
        state: &mut OpState,
        operand: &Operand,
        one: &ReadRecord,
    ) -> Result<usize> {
        let value = match operand.what {
            OperandValue::Absent if self.lacking.missing == Missing::Skip => return Ok(0),
            OperandValue::Absent => b"null",
            _ => &one.record[operand.raw.clone()],
        };
        match (state, slot.held) {
            (OpState::Edge(edge), Held::Edge(end)) => Ok(edge.add(end, value, one.at)),
            (OpState::Collect(collect), _) => collect.add(value, one.at, self.max_record),
            (OpState::Draw(draw), Held::Draw(limit)) => {
                Ok(draw.add(limit, one.record.trim_ascii(), value))
            }
            (OpState::Distinct(distinct), _) => {
                Ok(distinct.add(&one.texts.bytes[operand.literal.clone()]))
            }
            _ => Err(damaged()),
        }
    }

    /// Adds an operand to a state that takes ordered values. Returns by how many bytes that grew.
    pub(super) fn add_ordered(
        &self,
        slot: &StateSlot,
        state: &mut OpState,
        operand: &Operand,
        one: &ReadRecord,
    ) -> Result<usize> {
        let made;
        let mut nearest = None;
        let key = match &operand.ordered {
            OrderedKey::Made(place) => &one.texts.bytes[place.clone()],
            OrderedKey::Short(short) => {
                nearest = operand.number.nearest();
                if let (OpState::Extreme(extreme), Held::Extreme(wanted)) = (&*state, slot.held)
                    && nearest.is_some_and(|nearest| extreme.surpasses(wanted, nearest))
                {
                    return Ok(0);
                }
                made = ShortKey::of(*short).ok_or_else(damaged)?;
                made.bytes()
            }
        };
        let keep = |wanted: Wanted, out: &mut Vec<u8>| match wanted.record {
            true => out.extend_from_slice(one.record.trim_ascii()),
            false => operand.push_ordered_value(one.record, out),
        };
        let mixed = |_| self.mixes(slot, key, &one.record[operand.raw.clone()]);
        match (state, slot.held) {
            (OpState::Extreme(extreme), Held::Extreme(wanted)) => {
                extreme.kinds.add(key).map_err(mixed)?;
                Ok(extreme.add(wanted, (key, nearest), one.at, |out| keep(wanted, out)))
            }
            (OpState::Top(top), Held::Top(limit, wanted)) => {
                top.kinds.add(key).map_err(mixed)?;
                Ok(top.add(limit, wanted, key, one.at, |out| keep(wanted, out)))
            }
            _ => Err(damaged()),
        }
    }

    /// The error for a value that comes to others of another kind.
    #[cold]
    fn mixes(&self, slot: &StateSlot, key: &[u8], value: &[u8]) -> Error {
        let Some(field) = slot.field.map(|field| &self.fields[field]) else { return damaged() };
        field.mixes(ValueKind::of(key) == ValueKind::Text, value)
    }
}

#[cold]
fn prepare(operands: &mut Vec<Operand>, count: usize) {
    operands.resize_with(count, Operand::default);
}
