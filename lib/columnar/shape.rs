//! The tree of a file's columns, as records see it: objects, lists, maps, and columns at its ends.
//!
//! A value of a column comes with two levels: how much of the way down to it is there, and at which list
//! on that way it goes on. What of these belongs to which part of the tree is worked out here.

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::schema::types::{Type, TypePtr};

use super::leaf::Leaf;
use crate::record::text::push_string;

/// The names of the group in a list that old writers took for its elements.
const OLD_ELEMENT: &str = "array";
const OLD_ELEMENT_ENDING: &str = "_tuple";

/// The most levels that columns may be nested in: three make an object or a list in another.
const DEPTH_MAX: usize = 400;

/// A part of the tree.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    /// The name as JSON, with a colon behind it.
    pub(super) label: Vec<u8>,
    /// Whether it may be null, and from which level on it is there.
    pub(super) is_optional: bool,
    pub(super) there: i16,
    /// Its columns, by their numbers.
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) kind: NodeKind,
}

/// What a part is.
#[derive(Debug)]
pub(super) enum NodeKind {
    /// An object with these members.
    Members(Vec<Node>),
    /// A list.
    List(ListLevels, Box<Node>),
    /// A map: a key, and a value if it has such.
    Map(ListLevels, Box<Node>, Option<Box<Node>>),
    /// A column.
    Column(Leaf),
}

/// The levels of a list: from where on an element is there, and at which another one of the same list
/// begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListLevels {
    pub(super) there: i16,
    pub(super) again: i16,
}

/// What is known on the way down.
#[derive(Clone, Copy)]
struct Way {
    there: i16,
    again: i16,
}

impl Way {
    fn into(self, repetition: Repetition) -> Way {
        match repetition {
            Repetition::REQUIRED => self,
            Repetition::OPTIONAL => Way { there: self.there + 1, ..self },
            Repetition::REPEATED => Way { there: self.there + 1, again: self.again + 1 },
        }
    }
}

/// The members of the records of a file.
///
/// # Errors
/// When its columns are nested too deep.
pub(super) fn of(root: &Type) -> Result<Vec<Node>, String> {
    let mut columns = 0;
    if is_deeper(root, DEPTH_MAX) {
        return Err(format!("its columns are nested more than {DEPTH_MAX} deep"));
    }
    Ok(members(root.get_fields(), Way { there: 0, again: 0 }, &mut columns))
}

/// Whether there are more than so many levels of groups and columns.
fn is_deeper(field: &Type, levels: usize) -> bool {
    field.is_group()
        && (levels == 0 || field.get_fields().iter().any(|field| is_deeper(field, levels - 1)))
}

fn members(fields: &[TypePtr], way: Way, columns: &mut usize) -> Vec<Node> {
    fields.iter().map(|field| node(field, way, columns)).collect()
}

/// How often a field may be there.
fn repetition(field: &Type) -> Repetition {
    let info = field.get_basic_info();
    if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED }
}

fn node(field: &Type, way: Way, columns: &mut usize) -> Node {
    let repetition = repetition(field);
    let inner = way.into(repetition);
    if repetition == Repetition::REPEATED {
        // A list that is not called one.
        let first = *columns;
        let element = part(field, inner, false, columns);
        let levels = ListLevels { there: inner.there, again: inner.again };
        let kind = NodeKind::List(levels, Box::new(element));
        return Node { kind, first, ..named(field, way, *columns) };
    }
    part(field, inner, repetition == Repetition::OPTIONAL, columns)
}

fn named(field: &Type, way: Way, end: usize) -> Node {
    let mut label = Vec::new();
    push_string(&mut label, field.name());
    label.push(b':');
    let name = field.name().to_string();
    let kind = NodeKind::Members(Vec::new());
    Node { name, label, is_optional: false, there: way.there, first: end, end, kind }
}

/// What lies in a field, of which the way says how often it is there.
fn part(field: &Type, way: Way, is_optional: bool, columns: &mut usize) -> Node {
    let first = *columns;
    let kind = match Leaf::of(field) {
        Some(leaf) => {
            *columns += 1;
            NodeKind::Column(leaf)
        }
        None => list(field, way, columns)
            .or_else(|| map(field, way, columns))
            .unwrap_or_else(|| NodeKind::Members(members(field.get_fields(), way, columns))),
    };
    Node { kind, first, is_optional, ..named(field, way, *columns) }
}

/// The only field of a group, where that may come several times.
fn only_repeated(field: &Type) -> Option<&TypePtr> {
    match field.get_fields() {
        [only] if repetition(only) == Repetition::REPEATED => Some(only),
        _ => None,
    }
}

fn list(field: &Type, way: Way, columns: &mut usize) -> Option<NodeKind> {
    let info = field.get_basic_info();
    let is_list = matches!(info.logical_type_ref(), Some(LogicalType::List))
        || info.converted_type() == ConvertedType::LIST;
    let repeated = only_repeated(field).filter(|_| is_list)?;
    let inner = way.into(Repetition::REPEATED);
    let is_element = repeated.is_primitive()
        || repeated.get_fields().len() != 1
        || repeated.name() == OLD_ELEMENT
        || repeated.name() == format!("{}{OLD_ELEMENT_ENDING}", field.name());
    let element = match is_element {
        true => part(repeated, inner, false, columns),
        false => node(&repeated.get_fields()[0], inner, columns),
    };
    let levels = ListLevels { there: inner.there, again: inner.again };
    Some(NodeKind::List(levels, Box::new(element)))
}

fn map(field: &Type, way: Way, columns: &mut usize) -> Option<NodeKind> {
    let info = field.get_basic_info();
    let is_map = matches!(info.logical_type_ref(), Some(LogicalType::Map))
        || matches!(info.converted_type(), ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE);
    let repeated = only_repeated(field).filter(|repeated| is_map && repeated.is_group())?;
    let inner = way.into(Repetition::REPEATED);
    let levels = ListLevels { there: inner.there, again: inner.again };
    match repeated.get_fields() {
        [key] => Some(NodeKind::Map(levels, Box::new(node(key, inner, columns)), None)),
        [key, value] => {
            let key = Box::new(node(key, inner, columns));
            Some(NodeKind::Map(levels, key, Some(Box::new(node(value, inner, columns)))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::schema::parser::parse_message_type;
    use parquet::schema::types::SchemaDescriptor;
    use std::sync::Arc;

    /// The tree in words: `name?` may be null, `[there/again]` is a list, `(..)` an object.
    fn shown(nodes: &[Node]) -> String {
        let node = |node: &Node| {
            let mark = if node.is_optional { "?" } else { "" };
            let kind = match &node.kind {
                NodeKind::Members(members) => format!("({})", shown(members)),
                NodeKind::List(levels, element) => {
                    format!(
                        "[{}/{}]{}",
                        levels.there,
                        levels.again,
                        shown(std::slice::from_ref(element))
                    )
                }
                NodeKind::Map(levels, key, value) => {
                    let value =
                        value.as_deref().map(std::slice::from_ref).map_or(String::new(), shown);
                    format!(
                        "{{{}/{}}}{}{value}",
                        levels.there,
                        levels.again,
                        shown(std::slice::from_ref(key))
                    )
                }
                NodeKind::Column(_) => String::new(),
            };
            format!("{}{mark}{}{kind}", node.name, node.there)
        };
        nodes.iter().map(node).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_tree_has_the_levels_that_the_columns_have() {
        let schema = "message m { required int64 a; optional group s { optional binary t (UTF8); } \
             optional group l (LIST) { repeated group list { optional int32 element; } } \
             required group old (LIST) { repeated int32 array; } repeated int32 bare; \
             optional group p (LIST) { repeated group array { required int32 x; } } \
             optional group k (MAP) { repeated group key_value { required binary key (UTF8); \
             optional group value (LIST) { repeated group list { optional double element; } } } } }";
        let root = Arc::new(parse_message_type(schema).unwrap());
        let nodes = of(&root).unwrap();
        assert_eq!(
            shown(&nodes),
            "a0 s?1(t?2) l?1[2/1]element?3 old0[1/1]array1 bare0[1/1]bare1 p?1[2/1]array2(x2) \
             k?1{2/1}key2value?3[4/2]element?5"
        );
        let columns = SchemaDescriptor::new(root);
        assert_eq!(nodes.last().unwrap().end, columns.num_columns());
        let deepest = columns.column(columns.num_columns() - 1);
        assert_eq!((deepest.max_def_level(), deepest.max_rep_level()), (5, 2));
    }
}
