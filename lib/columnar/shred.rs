//! Records taken apart to cells of columns.

use super::cells::ColumnCells;
use super::reading::is_text;
use super::shape::{ListLevels, Node, NodeKind};
use crate::record::scan::{elements, members};
use crate::record::text::string_bytes;

/// Why a value does not fit, with its place in front.
type Taken = std::result::Result<(), String>;

/// Adds a record, a valid one, to the cells of all columns.
///
/// # Errors
/// Why it does not fit.
pub(super) fn record(nodes: &[Node], record: &[u8], cells: &mut [ColumnCells]) -> Taken {
    let record = record.trim_ascii();
    if record.first() != Some(&b'{') {
        return Err("it is no object".into());
    }
    object(nodes, record, 0, cells)
}

fn object(nodes: &[Node], object: &[u8], again: i16, cells: &mut [ColumnCells]) -> Taken {
    let mut found: Vec<Option<&[u8]>> = vec![None; nodes.len()];
    for (name, value) in members(object) {
        let name = string_bytes(name);
        match nodes.iter().position(|node| node.name.as_bytes() == name.as_ref()) {
            Some(at) => found[at] = Some(value),
            None => {
                let name = String::from_utf8_lossy(&name);
                return Err(format!("it has a member '{name}', which is no column"));
            }
        }
    }
    for (node, value) in nodes.iter().zip(found) {
        take(node, value, again, cells).map_err(|why| below(&node.name, &why))?;
    }
    Ok(())
}

fn below(name: &str, why: &str) -> String {
    match why.strip_prefix('.') {
        Some(rest) => format!(".{name}.{rest}"),
        None => format!(".{name}: {why}"),
    }
}

/// Adds a value, or that there is none. `again` is the level of the list that it goes on with.
fn take(node: &Node, value: Option<&[u8]>, again: i16, cells: &mut [ColumnCells]) -> Taken {
    let Some(value) = value.filter(|value| *value != b"null") else {
        if !node.is_optional {
            return Err("it has no value, and its column must have one".into());
        }
        absent(node, node.there - 1, again, cells);
        return Ok(());
    };
    match &node.kind {
        NodeKind::Members(nodes) if value.first() == Some(&b'{') => {
            object(nodes, value, again, cells)
        }
        NodeKind::Members(_) => Err("it is no object".into()),
        NodeKind::List(levels, element) => {
            if value.first() != Some(&b'[') {
                return Err("it is no array".into());
            }
            several(node, *levels, elements(value), again, cells, &mut |value, again, cells| {
                take(element, Some(value), again, cells)
            })
        }
        NodeKind::Map(levels, key, held) => {
            let mut pair = |(name, value): (&[u8], &[u8]), again, cells: &mut [ColumnCells]| {
                take(key, Some(name), again, cells)?;
                held.as_ref().map_or(Ok(()), |held| take(held, Some(value), again, cells))
            };
            match is_text(key) {
                true if value.first() == Some(&b'{') => {
                    several(node, *levels, members(value), again, cells, &mut pair)
                }
                false if value.first() == Some(&b'[') => {
                    let pairs: Option<Vec<(&[u8], &[u8])>> = elements(value)
                        .map(|pair| {
                            let mut parts = elements(pair);
                            let pair = (parts.next()?, parts.next()?);
                            parts.next().is_none().then_some(pair)
                        })
                        .collect();
                    let pairs = pairs.ok_or("it is no array of [key, value]")?;
                    several(node, *levels, pairs.into_iter(), again, cells, &mut pair)
                }
                true => Err("it is no object".into()),
                false => Err("it is no array of [key, value]".into()),
            }
        }
        NodeKind::Column(leaf) => {
            let cells = &mut cells[node.first];
            leaf.take(value, &mut cells.values)?;
            cells.push_levels(again);
            Ok(())
        }
    }
}

/// Adds what there is several times of.
fn several<T>(
    node: &Node,
    levels: ListLevels,
    values: impl Iterator<Item = T>,
    again: i16,
    cells: &mut [ColumnCells],
    each: &mut dyn FnMut(T, i16, &mut [ColumnCells]) -> Taken,
) -> Taken {
    let mut again_now = again;
    let mut is_empty = true;
    for value in values {
        each(value, again_now, cells)?;
        (again_now, is_empty) = (levels.again, false);
    }
    if is_empty {
        absent(node, levels.there - 1, again, cells);
    }
    Ok(())
}

/// Adds that nothing is there from a level on.
fn absent(node: &Node, there: i16, again: i16, cells: &mut [ColumnCells]) {
    for cells in &mut cells[node.first..node.end] {
        cells.push_absent(there, again);
    }
}
