//! What differs between two objects.

use serde_json::Value;

use super::ShapeError;
use super::elements::{keyed, values};
use super::path::Element;
use super::set::FieldSet;
use super::shape::{Shape, Shaped};
use super::to_set;

/// The difference, as sets of fields.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Fields that are new or have another value.
    pub(super) changed: FieldSet,
    /// Fields that are no longer there.
    pub(super) removed: FieldSet,
}

impl Change {
    fn put(&mut self, element: Element, below: Self) {
        self.changed.put(element.clone(), below.changed);
        self.removed.put(element, below.removed);
    }
}

/// Compares two objects of the shape.
pub(super) fn compare(shaped: &Shaped<'_>, old: &Value, new: &Value) -> Result<Change, ShapeError> {
    both(shaped, old, new, "")
}

fn both(shaped: &Shaped<'_>, old: &Value, new: &Value, path: &str) -> Result<Change, ShapeError> {
    if old == new {
        return Ok(Change::default());
    }
    let mut change = Change::default();
    match (shaped.shape(), old, new) {
        (Shape::Struct, Value::Object(old), Value::Object(new)) => {
            for (name, pair) in pairs(old.iter(), new.iter()) {
                let Some(shaped) = shaped.field(name) else { continue };
                let below = side(&shaped, pair, &format!("{path}.{name}"), false)?;
                change.put(Element::field(name), below);
            }
        }
        (Shape::Map, Value::Object(old), Value::Object(new)) => {
            for (key, pair) in pairs(old.iter(), new.iter()) {
                let below = side(&shaped.element(), pair, &format!("{path}.{key}"), true)?;
                change.put(Element::field(key), below);
            }
        }
        (Shape::List(keys), Value::Array(_), Value::Array(_)) => {
            let (old, new) = (keyed(old, &keys, path)?, keyed(new, &keys, path)?);
            for (own, pair) in pairs(old.into_iter(), new.into_iter()) {
                let below = side(&shaped.element(), pair, &format!("{path}{}", own.display()), true)?;
                change.put(own, below);
            }
        }
        (Shape::Set, Value::Array(_), Value::Array(_)) => {
            for (own, pair) in pairs(values(old).into_iter(), values(new).into_iter()) {
                let below = side(&Shaped::Atom, pair, path, true)?;
                change.put(own, below);
            }
        }
        _ => change.changed = to_set::below(shaped, new, path)?.with_member(),
    }
    Ok(change)
}

type Pair<'v> = (Option<&'v Value>, Option<&'v Value>);

/// Compares what one or both sides have. `is_item`: an element of a list or map is a member by itself.
fn side(shaped: &Shaped<'_>, pair: Pair<'_>, path: &str, is_item: bool) -> Result<Change, ShapeError> {
    let of = |value: &Value| {
        let set = to_set::below(shaped, value, path)?;
        let hollow = value.as_object().is_some_and(serde_json::Map::is_empty);
        Ok(if is_item || hollow { set.with_member() } else { set })
    };
    match pair {
        (Some(old), Some(new)) => both(shaped, old, new, path),
        (Some(old), None) => Ok(Change { removed: of(old)?, ..Change::default() }),
        (None, Some(new)) => Ok(Change { changed: of(new)?, ..Change::default() }),
        (None, None) => Ok(Change::default()),
    }
}

/// Both sides of each key, in order.
fn pairs<'v, K: Ord>(
    old: impl Iterator<Item = (K, &'v Value)>,
    new: impl Iterator<Item = (K, &'v Value)>,
) -> std::collections::BTreeMap<K, Pair<'v>> {
    let mut pairs: std::collections::BTreeMap<K, Pair<'v>> =
        old.map(|(key, value)| (key, (Some(value), None))).collect();
    for (key, value) in new {
        pairs.entry(key).or_default().1 = Some(value);
    }
    pairs
}
