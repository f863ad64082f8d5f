//! What the rooms below know of keys, ops and resources, as a plan says it.

use std::path::Path;

use crate::aggregate::Op;
use crate::explain::outline::{JoinOutline, KeyOutline, OpOutline};
use crate::explain::schema::{KeyFact, PlanWord, ResourcePlan, StagePlan, StreamPlan};
use crate::format::compression::Codec;
use crate::format::place::ResourcePlace;
use crate::format::resource::Resource;
use crate::group::join::{Join, JoinKind};
use crate::group::order::Order;
use crate::record::bad::Policy;
use crate::record::key::{KeyPart, Keys, Missing};
use crate::record::stream::Facts;

impl KeyOutline {
    /// The parts of a key.
    pub fn of(parts: &[KeyPart]) -> Vec<KeyOutline> {
        let outline = |part: &KeyPart| {
            let spelled = Keys { parts: vec![part.clone()] }.spelled();
            let mods = spelled.strip_prefix(&part.text).unwrap_or_default();
            KeyOutline { path: part.text.clone(), mods: mods.trim_start_matches(':').into() }
        };
        parts.iter().map(outline).collect()
    }

    /// The key as `-k` spells it.
    pub fn spelled(parts: &[KeyOutline]) -> String {
        let spell = |part: &KeyOutline| match part.mods.as_str() {
            "" => part.path.clone(),
            mods => format!("{}:{mods}", part.path),
        };
        parts.iter().map(spell).collect::<Vec<_>>().join(",")
    }
}

impl OpOutline {
    /// The ops, each with its name.
    pub fn of(ops: &[Op]) -> Vec<OpOutline> {
        let outline = |op: &Op| {
            let (word, field) = match op.text.split_once(':') {
                Some((word, field)) => (word.into(), Some(field.into())),
                None => (op.text.clone(), None),
            };
            OpOutline { name: op.name.clone(), op: word, field }
        };
        ops.iter().map(outline).collect()
    }

    /// The op as it is written, without its name.
    pub fn spelled(&self) -> String {
        match &self.field {
            Some(field) => format!("{}:{field}", self.op),
            None => self.op.clone(),
        }
    }
}

impl JoinOutline {
    /// What is joined how, without the right records.
    pub fn of(join: &Join) -> JoinOutline {
        let kind = match join.kind {
            JoinKind::Inner => "inner",
            JoinKind::Left => "left",
            JoinKind::Outer => "outer",
            JoinKind::Semi => "semi",
            JoinKind::Anti => "anti",
        };
        JoinOutline {
            kind: kind.into(),
            left: KeyOutline::of(&join.keys.left.parts),
            right: KeyOutline::of(&join.keys.right.parts),
            prefix: join.prefix.clone(),
            ..JoinOutline::default()
        }
    }
}

impl JoinOutline {
    /// The same, with what is read as the right records.
    pub fn with(self, right: StreamPlan) -> JoinOutline {
        JoinOutline { bytes: right.bytes, resources: right.resources, ..self }
    }
}

impl StreamPlan {
    /// Takes note of what is known of the stream's order.
    pub fn declare(&mut self, facts: &Facts) {
        let fact = |key: &String| KeyFact {
            key: key.clone(),
            reverse: facts.reverse,
            lacking: facts.lacking,
        };
        self.sorted_by = facts.key.as_ref().map(fact);
        self.grouped_by = self.sorted_by.clone().filter(|_| !facts.spread);
    }

    /// What is known of the stream's order.
    pub fn facts(&self) -> Facts {
        match &self.sorted_by {
            None => Facts::default(),
            Some(KeyFact { key, reverse, lacking }) => Facts {
                key: Some(key.clone()),
                reverse: *reverse,
                spread: self.grouped_by.is_none(),
                lacking: *lacking,
            },
        }
    }
}

impl StagePlan {
    /// Takes note of the order that records are put in.
    pub fn order(&mut self, order: &Order) {
        self.key = Some(KeyOutline::of(&order.keys.parts));
        self.key_from = Some(if order.keys.parts.is_empty() { "implied" } else { "given" }.into());
        self.order_by = KeyOutline::of(&order.order_by);
        (self.reverse, self.unique) = (order.reverse, order.unique);
        self.missing = Some(missing(order.missing).into());
    }
}

/// What becomes of records without the key, in a word.
pub(super) fn missing(what: Missing) -> &'static str {
    match what {
        Missing::Fail => "fail",
        Missing::Null => "null",
        Missing::Skip => "skip",
    }
}

impl StagePlan {
    /// Takes note of what becomes of records without the key.
    pub fn missing(&mut self, what: Missing) {
        self.missing = Some(missing(what).into());
    }
}

/// What a policy does, as its option says it.
pub fn policy(policy: &Policy) -> String {
    match policy {
        Policy::Fail => "fail".into(),
        Policy::Skip => "skip".into(),
        Policy::File(path) => format!("file={}", path.display()),
        Policy::Limit(count) => format!("limit={count}"),
    }
}

impl ResourcePlan {
    /// The resource, of which nothing is measured, as it is seen from `cwd`.
    pub fn of(resource: &Resource, cwd: &Path) -> ResourcePlan {
        let (place, path) = place(&resource.place, cwd);
        let packing = resource.packing();
        let is_range = resource.spec.name() == "range";
        ResourcePlan {
            format: resource.spec.name().into(),
            spec: resource.spec.text(),
            place: if is_range { "range" } else { place }.into(),
            path: match &resource.place {
                ResourcePlace::Path(path) if is_range => PlanWord::of(path.as_os_str()),
                _ => path,
            },
            shown: resource.place.to_string(),
            packed: packing.codec.map(|codec| packed(codec).into()),
            zipped: packing.zipped,
            ..ResourcePlan::default()
        }
    }

    /// The bytes at a place, in no format.
    pub fn of_place(at: &ResourcePlace, cwd: &Path) -> ResourcePlan {
        let (place, path) = place(at, cwd);
        ResourcePlan { place: place.into(), path, shown: at.to_string(), ..ResourcePlan::default() }
    }

    /// Whether it is a file of this machine, or several.
    pub fn is_path(&self) -> bool {
        self.place == "path"
    }
}

/// How a codec is called.
fn packed(codec: Codec) -> &'static str {
    match codec {
        Codec::Gzip => "gzip",
        Codec::Zstd => "zstd",
        Codec::Bzip2 => "bzip2",
        Codec::Xz => "xz",
    }
}

/// What kind of place it is, and where that is.
fn place(place: &ResourcePlace, cwd: &Path) -> (&'static str, PlanWord) {
    match place {
        ResourcePlace::Standard => ("standard", PlanWord::default()),
        ResourcePlace::Path(path) => ("path", PlanWord::of(cwd.join(path).as_os_str())),
        ResourcePlace::Url(url) => ("url", PlanWord::Text(url.clone())),
        ResourcePlace::Client(path) => ("client", PlanWord::of(path.as_os_str())),
        ResourcePlace::Object(address) => ("url", PlanWord::Text(address.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_an_op_are_spelled_as_they_were_given() {
        let keys = Keys::parse(".a.b,ts:nr,.[\"x:y\"]:i").unwrap();
        let parts = KeyOutline::of(&keys.parts);
        assert_eq!((parts[1].path.as_str(), parts[1].mods.as_str()), ("ts", "nr"));
        assert_eq!((parts[2].path.as_str(), parts[2].mods.as_str()), (".[\"x:y\"]", "i"));
        assert_eq!(KeyOutline::spelled(&parts), keys.spelled());
        let ops = OpOutline::of(&[Op::parse("x=top=3:.a.b").unwrap(), Op::parse("count").unwrap()]);
        let texts: Vec<_> = ops.iter().map(|op| (op.name.as_str(), op.spelled())).collect();
        assert_eq!(texts, [("x", "top=3:.a.b".to_string()), ("count", "count".to_string())]);
    }

    #[test]
    fn facts_come_back_as_they_were() {
        for facts in [
            Facts::default(),
            Facts { key: Some("a".into()), reverse: true, spread: true, lacking: false },
            Facts { key: Some(String::new()), reverse: false, spread: false, lacking: true },
        ] {
            let mut stream = StreamPlan::default();
            stream.declare(&facts);
            assert_eq!(stream.facts(), facts);
        }
    }
}
