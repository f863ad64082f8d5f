//! Groups: what a record gives to its group, and how a group's results are printed.

use crate::aggregate::{Op, OpState, RecordPosition, ReductionPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::record::key::{KeyPart, Keys, Missing, Sense};
use crate::record::scan::Step;
use crate::record::text::push_string;

/// How records are grouped, and what is computed of each group.
#[derive(Clone, Debug)]
pub struct Grouping {
    /// The key; `None` makes one group of all records.
    pub(super) keys: Option<Keys>,
    pub(super) reverse: bool,
    pub(super) missing: Missing,
    pub(super) plan: ReductionPlan,
    /// For each path of the plan, whether it stands for the value of a pair, or of what is none.
    pub(super) values: Vec<bool>,
    pub(super) form: ResultForm,
}

/// How a result looks.
#[derive(Clone, Debug)]
pub(super) enum ResultForm {
    /// `{"region":"EU","count":3}`: the key's fields by these name literals, and the results.
    Object(Vec<Vec<u8>>),
    /// `[key,3]`, or `[key,{"count":3,"sum":5}]` for several results.
    Pair,
    /// `{"count":3}`: of all records there is no key to tell.
    All,
}

/// Where the value of a pair lies.
fn value_of_pair() -> Vec<Step> {
    vec![Step::Index(1)]
}

impl Grouping {
    /// To compute `ops` of the groups of `keys` (`None`: of all records). No record is longer than
    /// `max_record` bytes.
    ///
    /// # Errors
    /// `Usage`, when an op needs a field that was not said, or names clash.
    pub fn new(
        keys: Option<Keys>,
        ops: Vec<Op>,
        missing: Missing,
        max_record: usize,
    ) -> Result<Grouping> {
        let pairs = match keys.as_ref().map(|keys| keys.parts.as_slice()) {
            None | Some([]) => true,
            Some(parts) => parts.iter().all(|part| part.path == [Step::Index(0)]),
        };
        let value = value_of_pair();
        // An explicit `.[1]` is the second element and nothing else.
        let stands: Vec<bool> = ops.iter().map(|op| op.field.is_none()).collect();
        let implied = pairs && !ops.iter().any(|op| op.field.as_ref() == Some(&value));
        let any_implied = stands.contains(&true);
        let plan = ReductionPlan::new(ops, pairs.then_some(&value[..]), missing, max_record)?;
        let values = plan.paths().iter().map(|p| implied && any_implied && *p == value).collect();
        let form = form(keys.as_ref(), &plan)?;
        Ok(Grouping { keys, reverse: false, missing, plan, values, form })
    }

    /// The same for a stream that is in the reverse order of the key.
    pub fn reversed(mut self, reverse: bool) -> Grouping {
        self.reverse = reverse;
        self
    }

    /// The same, where each of `nulls`, as a string or as the text of a number, is an operand that
    /// is missing.
    pub fn with_nulls(mut self, nulls: Vec<String>) -> Grouping {
        self.plan = self.plan.with_nulls(nulls);
        self
    }

    /// Whether all records are one group.
    pub fn is_whole(&self) -> bool {
        self.keys.is_none()
    }

    /// How many parts the key has; none where all records are one group.
    pub(super) fn key_parts(&self) -> usize {
        self.keys.as_ref().map_or(0, |keys| keys.parts.len().max(1))
    }

    /// Whether a record whose parts of the key are there, or need not be, has a key.
    pub(super) fn key_is_certain(&self) -> bool {
        let is_certain = |part: &KeyPart| part.sense != Sense::Number;
        self.keys.as_ref().is_some_and(|keys| keys.parts.iter().all(is_certain))
    }

    /// What is computed.
    pub fn plan(&self) -> &ReductionPlan {
        &self.plan
    }

    /// The key, as a message tells the user to name it.
    pub fn key_shown(&self) -> String {
        match &self.keys {
            Some(keys) if !keys.parts.is_empty() => format!(" -k {}", keys.spelled()),
            _ => String::new(),
        }
    }

    /// Appends the result of a group, as a line, to `out`.
    ///
    /// # Errors
    /// `BadInput`, when a result cannot be told, with the group.
    pub fn push_result(&self, group: &mut Group, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(&group.label);
        let states = &mut group.states;
        let pushed = match &self.form {
            ResultForm::Pair if self.plan.len() == 1 => {
                out.push(b',');
                let pushed = self.plan.finish(states, 0, out);
                out.push(b']');
                pushed
            }
            ResultForm::Pair => {
                out.extend_from_slice(b",{");
                let pushed = self.plan.push_members(states, out);
                out.extend_from_slice(b"}]");
                pushed
            }
            ResultForm::Object(names) => {
                out.push(if names.is_empty() { b'{' } else { b',' });
                let pushed = self.plan.push_members(states, out);
                out.push(b'}');
                pushed
            }
            ResultForm::All => {
                out.push(b'{');
                let pushed = self.plan.push_members(states, out);
                out.push(b'}');
                pushed
            }
        };
        out.push(b'\n');
        pushed.map_err(|error| {
            out.truncate(start);
            self.of_group(&group.label, error)
        })
    }

    /// The error of a group, which it names.
    fn of_group(&self, label: &[u8], error: Error) -> Error {
        match (&self.form, error.kind()) {
            (ResultForm::All, _) => error,
            (_, ErrorKind::BadInput) => error.at(format!("group {}", shown(label))),
            _ => error,
        }
    }
}

/// The most bytes of a key that a message shows.
const SHOWN_BYTES: usize = 80;

/// A group's label, as a message shows it.
fn shown(label: &[u8]) -> String {
    let text = String::from_utf8_lossy(&label[..label.len().min(SHOWN_BYTES)]).into_owned();
    text.trim_start_matches(['[', '{']).to_string()
}

/// The form of the results, and whether the names in it differ.
fn form(keys: Option<&Keys>, plan: &ReductionPlan) -> Result<ResultForm> {
    let Some(keys) = keys else { return Ok(ResultForm::All) };
    let named = |part: &KeyPart| part.path.iter().any(|step| matches!(step, Step::Name(_)));
    if keys.parts.is_empty() || !keys.parts.iter().all(named) {
        return Ok(ResultForm::Pair);
    }
    let mut names: Vec<String> = Vec::new();
    let key_names = keys.parts.iter().map(|part| (part.name(), "-k"));
    for (name, from) in key_names.chain(plan.names().map(|name| (name.to_string(), "an op"))) {
        if names.contains(&name) {
            let fix = if from == "-k" { "two parts of -k" } else { "the key and an op" };
            let text = format!("{fix} are both named '{name}' in the results (say NAME=OP)");
            return Err(Error::usage(text));
        }
        names.push(name);
    }
    let literals = names[..keys.parts.len()].iter().map(|name| {
        let mut literal = Vec::new();
        push_string(&mut literal, name);
        literal
    });
    Ok(ResultForm::Object(literals.collect()))
}

/// A group, or a part of one.
#[derive(Debug, Default)]
pub struct Group {
    /// The canonical bytes of its key.
    pub key: Vec<u8>,
    /// How its result begins: the key as its first record spells it.
    pub label: Vec<u8>,
    /// Where that record stands.
    pub at: RecordPosition,
    /// What is computed of it so far.
    pub states: Vec<OpState>,
}

impl Group {
    /// Takes in another part of the same group.
    ///
    /// # Errors
    /// `BadInput`, when what is collected becomes too long, or there are numbers and text that were
    /// to be ordered.
    pub fn take(&mut self, grouping: &Grouping, part: Group) -> Result<()> {
        if part.at < self.at {
            (self.at, self.label) = (part.at, part.label);
        }
        let merged = grouping.plan.merge(&mut self.states, part.states);
        merged.map_err(|error| grouping.of_group(&self.label, error))
    }
}
