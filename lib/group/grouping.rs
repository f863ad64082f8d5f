//! Groups: what a record gives to its group, and how a group's results are printed.

use std::sync::Arc;

use crate::aggregate::{Op, OpState, RecordPosition, ReductionPlan, Scratch};
use crate::error::{Error, ErrorKind, Result};
use crate::record::Flaw;
use crate::record::fields::Fields;
use crate::record::key::{KeyFault, KeyPart, KeyPlace, Keyer, Keys, Missing};
use crate::record::scan::Step;
use crate::record::text::push_string;

/// How records are grouped, and what is computed of each group.
#[derive(Clone, Debug)]
pub struct Grouping {
    /// The key; `None` makes one group of all records.
    keys: Option<Keys>,
    reverse: bool,
    missing: Missing,
    plan: ReductionPlan,
    /// For each path of the plan, whether it stands for the value of a pair, or of what is none.
    values: Vec<bool>,
    form: Form,
}

/// How a result looks.
#[derive(Clone, Debug)]
enum Form {
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
            Form::Pair if self.plan.len() == 1 => {
                out.push(b',');
                let pushed = self.plan.finish(states, 0, out);
                out.push(b']');
                pushed
            }
            Form::Pair => {
                out.extend_from_slice(b",{");
                let pushed = self.plan.push_members(states, out);
                out.extend_from_slice(b"}]");
                pushed
            }
            Form::Object(names) => {
                out.push(if names.is_empty() { b'{' } else { b',' });
                let pushed = self.plan.push_members(states, out);
                out.push(b'}');
                pushed
            }
            Form::All => {
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
            (Form::All, _) => error,
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
fn form(keys: Option<&Keys>, plan: &ReductionPlan) -> Result<Form> {
    let Some(keys) = keys else { return Ok(Form::All) };
    let named = |part: &KeyPart| part.path.iter().any(|step| matches!(step, Step::Name(_)));
    if keys.parts.is_empty() || !keys.parts.iter().all(named) {
        return Ok(Form::Pair);
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
    Ok(Form::Object(literals.collect()))
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

/// Reads records: their group, and what they add to it. Each thread has its own. It knows some records at
/// once, by their numbers.
pub struct GroupReader {
    grouping: Arc<Grouping>,
    finder: Finder,
    scratch: Scratch,
    /// How many places of operands, and of parts of a key, there are of each record, one after the
    /// other.
    operands: usize,
    places: Vec<KeyPlace>,
    key_parts: usize,
    parts: Vec<KeyPlace>,
}

/// Finds the key, or only the operands where there is none.
enum Finder {
    Keyer(Keyer),
    Fields(Fields),
}

impl GroupReader {
    /// For records of these groups.
    pub fn new(grouping: &Arc<Grouping>) -> GroupReader {
        let paths = grouping.plan.paths();
        let operands = paths.len();
        let (finder, key_parts) = match &grouping.keys {
            None => (Finder::Fields(Fields::new(paths)), 0),
            Some(keys) => {
                let keyer = Keyer::new(keys, grouping.missing, &paths);
                (Finder::Keyer(keyer.reversed(grouping.reverse)), keys.parts.len().max(1))
            }
        };
        GroupReader {
            grouping: Arc::clone(grouping),
            finder,
            scratch: Scratch::default(),
            operands,
            places: Vec::new(),
            key_parts,
            parts: Vec::new(),
        }
    }

    /// Forgets the records that were read.
    pub fn clear(&mut self) {
        self.places.clear();
        self.parts.clear();
    }

    /// Reads a record, the first one since [`GroupReader::clear`] being number 0: then it can be added, and its
    /// group be told.
    ///
    /// # Errors
    /// The first flaw and its place; then it is as if it had not been read.
    #[inline]
    pub fn read(&mut self, record: &[u8]) -> std::result::Result<(), Flaw> {
        let start = self.places.len();
        match &mut self.finder {
            Finder::Fields(fields) => self.places.extend_from_slice(fields.locate(record)?),
            Finder::Keyer(keyer) => {
                let found = keyer.find(record)?;
                self.parts.extend_from_slice(found.key);
                self.places.extend_from_slice(found.others);
            }
        }
        self.find_values(start, record);
        Ok(())
    }

    /// Reads the record that begins at byte `at` of `text`, if it is built as the last one was and a line end
    /// follows it. Returns where it ends.
    #[inline]
    pub fn read_line(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let start = self.places.len();
        let end = match &mut self.finder {
            Finder::Fields(fields) => {
                let (end, places) = fields.locate_line(text, at)?;
                self.places.extend_from_slice(places);
                end
            }
            Finder::Keyer(keyer) => {
                let (end, found) = keyer.find_line(text, at)?;
                self.parts.extend_from_slice(found.key);
                self.places.extend_from_slice(found.others);
                end
            }
        };
        self.find_values(start, &text[at..end]);
        Some(end)
    }

    /// What is no pair is its own value.
    #[inline]
    fn find_values(&mut self, start: usize, record: &[u8]) {
        for (place, value) in self.places[start..].iter_mut().zip(&self.grouping.values) {
            if *value && !record.trim_ascii_start().starts_with(b"[") {
                let start = record.len() - record.trim_ascii_start().len();
                *place = Some(start..start + record.trim_ascii().len());
            }
        }
    }

    /// Where the parts of the key of record `number` lie.
    #[inline]
    pub fn parts(&self, number: usize) -> &[KeyPlace] {
        &self.parts[number * self.key_parts..][..self.key_parts]
    }

    /// Appends the canonical bytes of the key of record `number`.
    ///
    /// # Errors
    /// Why it has none; `out` may then hold a part of one.
    pub fn push_key(
        &self,
        number: usize,
        record: &[u8],
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), KeyFault> {
        match &self.finder {
            Finder::Fields(_) => Ok(()),
            Finder::Keyer(keyer) => keyer.push_key(record, self.parts(number), out),
        }
    }

    /// Appends how record `number` spells its key: two that spell it alike are of one group.
    pub fn push_spelling(&self, number: usize, record: &[u8], out: &mut Vec<u8>) {
        for (n, part) in self.parts(number).iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            out.extend_from_slice(value_at(record, part));
        }
    }

    /// Appends how the result of the group of record `number` begins.
    pub fn push_label(&self, number: usize, record: &[u8], out: &mut Vec<u8>) {
        let parts = self.parts(number);
        match &self.grouping.form {
            Form::All => (),
            Form::Object(names) => {
                for (n, (name, place)) in names.iter().zip(parts).enumerate() {
                    out.push(if n == 0 { b'{' } else { b',' });
                    out.extend_from_slice(name);
                    out.push(b':');
                    out.extend_from_slice(value_at(record, place));
                }
            }
            Form::Pair => {
                let several = parts.len() > 1;
                out.extend_from_slice(if several { b"[[" } else { b"[" });
                self.push_spelling(number, record, out);
                if several {
                    out.push(b']');
                }
            }
        }
    }

    /// Adds record `number` to the states of its group. Returns whether an operand was missing and
    /// left out, and by how many bytes the states grew.
    ///
    /// # Errors
    /// `BadInput` for an operand that is not what its op needs.
    #[inline]
    pub fn add(
        &mut self,
        number: usize,
        record: &[u8],
        at: RecordPosition,
        states: &mut [OpState],
    ) -> Result<(bool, usize)> {
        let places = &self.places[number * self.operands..][..self.operands];
        let added = self.grouping.plan.add(&mut self.scratch, states, record, places, at)?;
        Ok((added.missing, added.grown))
    }

    /// How the records are grouped.
    pub fn grouping(&self) -> &Arc<Grouping> {
        &self.grouping
    }
}

/// The value at a place of a record.
#[inline]
fn value_at<'a>(record: &'a [u8], place: &KeyPlace) -> &'a [u8] {
    place.clone().map_or(&b"null"[..], |place| &record[place])
}
