//! Taking out what nobody wants any more.

use serde_json::{Map, Value};

use super::ShapeError;
use super::elements::{key_of, values};
use super::path::Element;
use super::set::FieldSet;
use super::shape::{Shape, Shaped};
use super::to_set;

/// The merged object without what its manager applied last time (`last`), applies no longer, and nobody else owns
/// (`owned`). A struct that only the manager had fields in goes with everything in it, such as its defaults. `now` is what
/// the manager applies: what is empty in it stays.
pub(super) fn prune(
    root: &Shaped<'_>,
    merged: Value,
    last: &FieldSet,
    (owned, now): (&FieldSet, &FieldSet),
) -> Result<Value, ShapeError> {
    if last.is_within(owned) {
        return Ok(merged);
    }
    let (last, owned) = (last.with_structs(root), owned.with_structs(root));
    let there = to_set::fields(root, &merged)?.with_structs(root);
    let left = |pruned: &Value| to_set::fields(root, pruned).map(|set| set.with_structs(root));
    let without_last = left(&remove(root, merged.clone(), &last, now))?;
    // What others own comes back …
    let without_unowned = left(&remove(root, merged.clone(), &there.difference(&without_last.union(&owned)), now))?;
    // … and so does what the manager never had.
    Ok(remove(root, merged, &there.difference(&without_unowned).intersection(&last), now))
}

/// The value without the paths of `gone`. Maps and lists that are empty afterwards go too, unless they are in `kept`.
fn remove(shaped: &Shaped<'_>, value: Value, gone: &FieldSet, kept: &FieldSet) -> Value {
    match (shaped.shape(), value) {
        (Shape::Struct | Shape::Map, Value::Object(fields)) => Value::Object(remove_fields(shaped, fields, gone, kept)),
        (Shape::List(keys), Value::Array(items)) => {
            let element = shaped.element();
            let left = items.into_iter().filter_map(|item| {
                let Ok(own) = key_of(&item, &keys) else { return Some(item) };
                match gone.child(&own) {
                    Some(gone) if gone.is_member() => None,
                    Some(gone) => Some(remove(&element, item, gone, below(kept, &own))),
                    None => Some(item),
                }
            });
            Value::Array(left.collect())
        }
        (Shape::Set, list @ Value::Array(_)) => {
            let left = values(&list).into_iter().filter(|(own, _)| gone.child(own).is_none());
            Value::Array(left.map(|(_, item)| item.clone()).collect())
        }
        (_, value) => value,
    }
}

fn remove_fields(
    shaped: &Shaped<'_>,
    fields: Map<String, Value>,
    gone: &FieldSet,
    kept: &FieldSet,
) -> Map<String, Value> {
    let left = fields.into_iter().filter_map(|(name, value)| {
        let element = Element::field(&name);
        let Some(gone) = gone.child(&element) else { return Some((name, value)) };
        if gone.is_member() {
            return None;
        }
        let kept = below(kept, &element);
        let value = match shaped.field(&name) {
            Some(shaped) => remove(&shaped, value, gone, kept),
            None => value,
        };
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        (!is_empty || kept.is_member()).then_some((name, value))
    });
    left.collect()
}

fn below<'f>(set: &'f FieldSet, element: &Element) -> &'f FieldSet {
    set.child(element).unwrap_or(FieldSet::EMPTY)
}
