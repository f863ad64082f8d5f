//! A plan: the ops of a call, the fields that they need, and the states that they share.

use std::cmp::Ordering;

use super::edge::GroupEnd;
use super::extreme::Wanted;
use super::op::{Op, Reducer};
use super::operand::OperandField;
use super::quantile::Quantile;
use super::state::{Held, OpState};
use crate::error::{Error, Result};
use crate::record::key::Missing;
use crate::record::scan::Step;
use crate::record::text::push_string;

/// What is to be computed of each group. It is made once and shared by all threads.
#[derive(Clone, Debug)]
pub struct ReductionPlan {
    pub(super) ops: Vec<Planned>,
    pub(super) slots: Vec<StateSlot>,
    pub(super) fields: Vec<OperandField>,
    pub(super) lacking: Lacking,
    pub(super) max_record: usize,
    /// Whether nothing is needed of records but numbers.
    pub(super) takes_numbers: bool,
}

/// What becomes of values that are not there, and which text says that they are not.
#[derive(Clone, Debug)]
pub(super) struct Lacking {
    pub(super) missing: Missing,
    pub(super) nulls: Vec<String>,
}

/// An op, its name as a JSON string, and the slot that its result comes from.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) op: Op,
    pub(super) name: Vec<u8>,
    pub(super) slot: usize,
}

/// One state of each group: what it holds, of which field, and which quantiles it has to give.
#[derive(Clone, Debug)]
pub(super) struct StateSlot {
    pub(super) held: Held,
    pub(super) field: Option<usize>,
    pub(super) quantiles: Vec<Quantile>,
}

impl ReductionPlan {
    /// To compute `ops`. An op without FIELD takes its operand from `value` (the second element of
    /// pairs, say); if that is `None`, `first`, `last`, `ndistinct`, `collect` and `sample` take
    /// the whole record, and the others are refused. No array is longer than `max_record` bytes.
    ///
    /// # Errors
    /// `Usage`, when an op needs a FIELD and has none, or two results have one name.
    pub fn new(
        ops: Vec<Op>,
        value: Option<&[Step]>,
        missing: Missing,
        max_record: usize,
    ) -> Result<ReductionPlan> {
        let lacking = Lacking { missing, nulls: Vec::new() };
        let mut plan = ReductionPlan {
            ops: Vec::new(),
            slots: Vec::new(),
            fields: Vec::new(),
            lacking,
            max_record,
            takes_numbers: false,
        };
        // Variances first: their states serve sums and means of the same field too.
        let mut order: Vec<usize> = (0..ops.len()).collect();
        order.sort_by_key(|&at| !matches!(ops[at].reducer, Reducer::Var | Reducer::Stddev));
        let mut slots = vec![0; ops.len()];
        for at in order {
            slots[at] = plan.slot(&ops[at], value)?;
        }
        for (op, slot) in ops.into_iter().zip(slots) {
            if plan.ops.iter().any(|other| other.op.name == op.name) {
                return Err(Error::usage(format!(
                    "two results are named '{}' (name one: NAME={})",
                    op.name, op.text
                )));
            }
            let mut name = Vec::new();
            push_string(&mut name, &op.name);
            plan.ops.push(Planned { op, name, slot });
        }
        plan.takes_numbers = plan.fields.iter().all(|field| field.numeric && !field.ordered)
            && plan.slots.iter().all(|slot| match slot.held {
                Held::Count => true,
                Held::Sum | Held::Moments | Held::Sample => slot.field.is_some(),
                _ => false,
            });
        Ok(plan)
    }

    /// The same, where each of `nulls`, as a string or as the text of a number, counts as null.
    pub fn with_nulls(mut self, nulls: Vec<String>) -> ReductionPlan {
        self.lacking.nulls = nulls;
        self
    }

    /// The slot for an op: one that is there and does, or a new one.
    fn slot(&mut self, op: &Op, value: Option<&[Step]>) -> Result<usize> {
        let held = held(op.reducer);
        let field = self.field(op, value, held)?;
        let serves = |slot: &StateSlot| {
            slot.field == field
                && (slot.held == held || slot.held == Held::Moments && held == Held::Sum)
        };
        let at = self.slots.iter().position(serves).unwrap_or_else(|| {
            self.slots.push(StateSlot { held, field, quantiles: Vec::new() });
            self.slots.len() - 1
        });
        if let Reducer::Quantile(quantile) = op.reducer {
            self.slots[at].quantiles.push(quantile);
        }
        Ok(at)
    }

    /// The field of an op, which it tells what it needs of it.
    fn field(&mut self, op: &Op, value: Option<&[Step]>, held: Held) -> Result<Option<usize>> {
        let any = matches!(held, Held::Edge(_) | Held::Distinct | Held::Collect | Held::Draw(_));
        let path = match (&op.field, value) {
            (Some(path), _) => path.clone(),
            (None, _) if held == Held::Count => return Ok(None),
            (None, Some(path)) => path.to_vec(),
            (None, None) if any => Vec::new(),
            (None, None) => {
                return Err(Error::usage(format!("{0} of which field? ({0}:FIELD)", op.text)));
            }
        };
        let at = self.fields.iter().position(|field| field.path == path).unwrap_or_else(|| {
            let text = op.text.clone();
            self.fields.push(OperandField {
                path,
                text,
                numeric: false,
                ordered: false,
                strict: false,
                literal: false,
            });
            self.fields.len() - 1
        });
        let field = &mut self.fields[at];
        field.numeric |= matches!(held, Held::Sum | Held::Moments | Held::Sample);
        field.ordered |= matches!(held, Held::Extreme(_) | Held::Top(..));
        field.literal |= held == Held::Distinct;
        field.strict |= !any;
        Ok(Some(at))
    }

    /// The paths of the fields that [`ReductionPlan::add`] needs of a record, in this order.
    pub fn paths(&self) -> Vec<Vec<Step>> {
        self.fields.iter().map(|field| field.path.clone()).collect()
    }

    /// The names of the results, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ops.iter().map(|planned| planned.op.name.as_str())
    }

    /// How many results there are.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether the states of a group are of bounded size, however many records it has: then it is
    /// worth reducing before anything is sorted or sent.
    pub fn is_bounded(&self) -> bool {
        self.slots
            .iter()
            .all(|slot| !matches!(slot.held, Held::Sample | Held::Distinct | Held::Collect))
    }

    /// Whether a record's operands are all that is needed of it.
    pub fn needs_operands_alone(&self) -> bool {
        self.slots.iter().all(|slot| match slot.held {
            Held::Extreme(wanted) | Held::Top(_, wanted) => !wanted.record,
            Held::Draw(_) => false,
            _ => true,
        })
    }

    /// How many states each group has.
    pub fn width(&self) -> usize {
        self.slots.len()
    }

    /// The states of a group that has no record yet, appended.
    pub fn start(&self, states: &mut Vec<OpState>) {
        states.extend(self.slots.iter().map(|slot| OpState::new(slot.held)));
    }
}

/// What a reducer needs held.
fn held(reducer: Reducer) -> Held {
    let wanted = |order, record| Wanted { order, tie: GroupEnd::First, record };
    let least = |record| wanted(Ordering::Less, record);
    let greatest = |record| wanted(Ordering::Greater, record);
    match reducer {
        Reducer::Count => Held::Count,
        Reducer::Sum | Reducer::Mean => Held::Sum,
        Reducer::Var | Reducer::Stddev => Held::Moments,
        Reducer::Min => Held::Extreme(least(false)),
        Reducer::Max => Held::Extreme(greatest(false)),
        Reducer::MinBy => Held::Extreme(least(true)),
        Reducer::MaxBy => Held::Extreme(greatest(true)),
        Reducer::LastBy => Held::Extreme(Wanted { tie: GroupEnd::Last, ..greatest(true) }),
        Reducer::First => Held::Edge(GroupEnd::First),
        Reducer::Last => Held::Edge(GroupEnd::Last),
        Reducer::Distinct => Held::Distinct,
        Reducer::Collect => Held::Collect,
        Reducer::Top(limit) => Held::Top(limit, greatest(false)),
        Reducer::Bottom(limit) => Held::Top(limit, least(false)),
        Reducer::TopBy(limit) => Held::Top(limit, greatest(true)),
        Reducer::BottomBy(limit) => Held::Top(limit, least(true)),
        Reducer::Sample(limit) => Held::Draw(limit),
        Reducer::Quantile(_) => Held::Sample,
    }
}
