//! What becomes of the states of a group: they are merged, sent about as bytes, drained into a sort
//! when they outgrow memory, and at last printed.

use super::encoding::{StateDecoder, damaged};
use super::op::Reducer;
use super::plan::{Planned, ReductionPlan};
use super::print::{push_double, push_integer};
use super::state::OpState;
use crate::error::{Error, ErrorKind, Result};

const NULL: &[u8] = b"null";

impl ReductionPlan {
    /// Takes another part of the same group into `states`.
    ///
    /// # Errors
    /// `BadInput`, when what is collected becomes too long, or there are numbers and text that were
    /// to be ordered.
    pub fn merge(
        &self,
        states: &mut [OpState],
        other: impl IntoIterator<Item = OpState>,
    ) -> Result<()> {
        for ((slot, state), other) in self.slots.iter().zip(states).zip(other) {
            let merged = state.merge(slot.held, other, self.max_record);
            merged.map_err(|error| match slot.field.and_then(|field| self.fields.get(field)) {
                Some(field) if error.kind() == ErrorKind::BadInput => error.at(&field.text),
                _ => error,
            })?;
        }
        Ok(())
    }

    /// The memory that the states hold, themselves included.
    pub fn memory(&self, states: &[OpState]) -> usize {
        size_of_val(states) + states.iter().map(OpState::heap_bytes).sum::<usize>()
    }

    /// Appends the states as bytes, for a spill or for the other end of this build.
    pub fn encode(&self, states: &[OpState], out: &mut Vec<u8>) {
        states.iter().for_each(|state| state.encode(out));
    }

    /// Appends the states of a group that [`ReductionPlan::encode`] wrote.
    ///
    /// # Errors
    /// `Incomplete`, when the bytes are damaged.
    pub fn decode(&self, decoder: &mut StateDecoder, states: &mut Vec<OpState>) -> Result<()> {
        for slot in &self.slots {
            states.push(OpState::decode(slot.held, decoder)?);
        }
        Ok(())
    }

    /// Takes the values out that make a group large: the numbers of quantiles and the different
    /// values of `ndistinct`. `take` gets each with the index of its state. To finish, all that was
    /// ever taken out of a group (its last values too) is sorted by that index and the bytes, and
    /// comes back through [`ReductionPlan::sorted`]. Drained states can still be added to, merged and
    /// encoded.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn drain(
        &self,
        states: &mut [OpState],
        take: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        for (index, state) in states.iter_mut().enumerate() {
            match state {
                OpState::Sample(sample) => sample.drain(&mut |value| take(index, value))?,
                OpState::Distinct(distinct) => distinct.drain(&mut |value| take(index, value))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the next value, in order, of the state with this index back; after the last one the
    /// group can be finished. The states must have been drained and must hold the whole group.
    ///
    /// # Errors
    /// `Incomplete`, when the bytes are damaged.
    pub fn sorted(&self, states: &mut [OpState], index: usize, value: &[u8]) -> Result<()> {
        match (states.get_mut(index), self.slots.get(index)) {
            (Some(OpState::Sample(sample)), Some(slot)) => sample.sorted(&slot.quantiles, value),
            (Some(OpState::Distinct(distinct)), _) => {
                distinct.sorted(value);
                Ok(())
            }
            _ => Err(damaged()),
        }
    }

    /// Appends the result of the op with this index as a JSON value.
    ///
    /// # Errors
    /// `BadInput`, when it is beyond the range of doubles, or an array is too long; the text names
    /// the op, the caller the group.
    pub fn finish(&self, states: &mut [OpState], index: usize, out: &mut Vec<u8>) -> Result<()> {
        let planned = self.ops.get(index).ok_or_else(damaged)?;
        let state = states.get_mut(planned.slot).ok_or_else(damaged)?;
        let start = out.len();
        push_result(planned, state, out)?.ok_or_else(|| {
            Error::input(format!("{}: the result is beyond the range of doubles", planned.op.text))
        })?;
        if out.len() - start > self.max_record {
            return Err(Error::input(format!(
                "{}: the result is longer than a record may be ({} bytes; see --max-record)",
                planned.op.text, self.max_record
            )));
        }
        Ok(())
    }

    /// Appends all results as members of an object: `"name":value,"name":value`.
    ///
    /// # Errors
    /// As [`ReductionPlan::finish`].
    pub fn push_members(&self, states: &mut [OpState], out: &mut Vec<u8>) -> Result<()> {
        for (index, planned) in self.ops.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&planned.name);
            out.push(b':');
            self.finish(states, index, out)?;
        }
        Ok(())
    }
}

/// Appends the result of an op; `None` when it is beyond the range of doubles.
fn push_result(planned: &Planned, state: &mut OpState, out: &mut Vec<u8>) -> Result<Option<()>> {
    let double = match (planned.op.reducer, &mut *state) {
        (Reducer::Sum | Reducer::Mean, OpState::Sum(sum)) if sum.count() == 0 => None,
        (Reducer::Sum | Reducer::Mean, OpState::Moments(moments)) if moments.sum().count() == 0 => {
            None
        }
        (Reducer::Sum, OpState::Sum(sum)) => return Ok(sum.push_sum(out)),
        (Reducer::Sum, OpState::Moments(moments)) => return Ok(moments.sum().push_sum(out)),
        (Reducer::Mean, OpState::Sum(sum)) => Some(sum.mean()),
        (Reducer::Mean, OpState::Moments(moments)) => Some(moments.sum().mean()),
        (_, OpState::Moments(moments)) if moments.sum().count() < 2 => None,
        (Reducer::Var, OpState::Moments(moments)) => Some(moments.variance()),
        (Reducer::Stddev, OpState::Moments(moments)) => Some(moments.deviation()),
        _ => return push_other(planned.op.reducer, state, out),
    };
    match double {
        None => out.extend_from_slice(NULL),
        Some(None) => return Ok(None),
        Some(Some(double)) => push_double(out, double),
    }
    Ok(Some(()))
}

fn push_other(reducer: Reducer, state: &mut OpState, out: &mut Vec<u8>) -> Result<Option<()>> {
    match (reducer, state) {
        (_, OpState::Count(count)) => push_integer(out, count),
        (_, OpState::Distinct(distinct)) => push_integer(out, distinct.count()),
        (_, OpState::Edge(edge)) => out.extend_from_slice(edge.value().unwrap_or(NULL)),
        (_, OpState::Extreme(extreme)) => out.extend_from_slice(extreme.kept().unwrap_or(NULL)),
        (_, OpState::Top(top)) => top.push_array(out),
        (_, OpState::Draw(draw)) => draw.push_array(out),
        (_, OpState::Collect(collect)) => collect.push_array(out)?,
        (Reducer::Quantile(quantile), OpState::Sample(sample)) => {
            return Ok(quantile.push(sample, out));
        }
        _ => return Err(damaged()),
    }
    Ok(Some(()))
}
