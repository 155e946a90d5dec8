//! Merging a configuration into an object, and taking out what nobody wants any more.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::ShapeError;
use super::elements::{keyed, values};
use super::path::Element;
use super::set::FieldSet;
use super::shape::{Shape, Shaped};

/// The live object with the configuration's fields in it.
pub(super) fn merge(shaped: &Shaped<'_>, live: &Value, config: &Value) -> Result<Value, ShapeError> {
    both(shaped, live, config, "")
}

fn both(shaped: &Shaped<'_>, live: &Value, config: &Value, path: &str) -> Result<Value, ShapeError> {
    match (shaped.shape(), live, config) {
        (Shape::Struct, Value::Object(live), Value::Object(config)) => {
            let merged = fields(live, config, |name, old, new| match (shaped.field(name), old) {
                (Some(shaped), Some(old)) => both(&shaped, old, new, &format!("{path}.{name}")).map(Some),
                // Nobody can own an empty list of elements that are owned one by one: it is as good as none.
                (Some(shaped), None) if shaped.has_elements() && is_empty(new) => Ok(None),
                _ => Ok(Some(new.clone())),
            });
            merged.map(Value::Object)
        }
        (Shape::Map, Value::Object(live), Value::Object(config)) => {
            let element = shaped.element();
            let merged = fields(live, config, |key, old, new| match old {
                Some(old) => both(&element, old, new, &format!("{path}.{key}")).map(Some),
                None => Ok(Some(new.clone())),
            });
            merged.map(Value::Object)
        }
        (Shape::List(keys), Value::Array(_), Value::Array(_)) => {
            let element = shaped.element();
            let (live, config) = (keyed(live, &keys, path)?, keyed(config, &keys, path)?);
            list(live, config, |own, old, new| both(&element, old, new, &format!("{path}{}", own.display())))
        }
        (Shape::Set, Value::Array(_), Value::Array(_)) => {
            list(values(live), values(config), |_, _, new| Ok(new.clone()))
        }
        _ => Ok(config.clone()),
    }
}

fn fields(
    live: &Map<String, Value>,
    config: &Map<String, Value>,
    merge: impl Fn(&str, Option<&Value>, &Value) -> Result<Option<Value>, ShapeError>,
) -> Result<Map<String, Value>, ShapeError> {
    let mut merged = live.clone();
    for (name, new) in config {
        if let Some(value) = merge(name, live.get(name), new)? {
            merged.insert(name.clone(), value);
        }
    }
    Ok(merged)
}

/// Elements of the configuration in its order; elements that only the live list has come before the first element
/// of the configuration that they stood before.
fn list(
    live: Vec<(Element, &Value)>,
    config: Vec<(Element, &Value)>,
    merge: impl Fn(&Element, &Value, &Value) -> Result<Value, ShapeError>,
) -> Result<Value, ShapeError> {
    let wanted: BTreeMap<&Element, ()> = config.iter().map(|(own, _)| (own, ())).collect();
    let places: BTreeMap<&Element, usize> = live.iter().enumerate().map(|(index, (own, _))| (own, index)).collect();
    let others = live.iter().enumerate().filter(|(_, (own, _))| !wanted.contains_key(own));
    let mut others = others.map(|(index, (_, item))| (index, *item)).peekable();
    let mut merged = Vec::with_capacity(live.len() + config.len());
    for (own, new) in &config {
        let Some(&place) = places.get(own) else {
            merged.push((*new).clone());
            continue;
        };
        while let Some((_, other)) = others.next_if(|(index, _)| *index < place) {
            merged.push(other.clone());
        }
        merged.push(merge(own, live[place].1, new)?);
    }
    merged.extend(others.map(|(_, other)| other.clone()));
    Ok(Value::Array(merged))
}

/// The object without the fields of `gone`. Structs, maps and lists that are empty afterwards go too, unless they are
/// in `owned` themselves.
pub(super) fn remove(shaped: &Shaped<'_>, value: Value, gone: &FieldSet, owned: &FieldSet) -> Value {
    match (shaped.shape(), value) {
        (Shape::Struct, Value::Object(fields)) => {
            Value::Object(remove_fields(fields, gone, owned, |name| shaped.field(name)))
        }
        (Shape::Map, Value::Object(entries)) => {
            Value::Object(remove_fields(entries, gone, owned, |_| Some(shaped.element())))
        }
        (Shape::List(keys), list @ Value::Array(_)) => {
            // Lists that can't be taken apart were refused when they were merged.
            let Ok(items) = keyed(&list, &keys, "") else { return list };
            let element = shaped.element();
            let kept = items.into_iter().filter_map(|(own, item)| match gone.child(&own) {
                Some(gone) if gone.is_member() => None,
                Some(gone) => Some(remove(&element, item.clone(), gone, below(owned, &own))),
                None => Some(item.clone()),
            });
            Value::Array(kept.collect())
        }
        (Shape::Set, list @ Value::Array(_)) => {
            let kept = values(&list).into_iter().filter(|(own, _)| gone.child(own).is_none());
            Value::Array(kept.map(|(_, item)| item.clone()).collect())
        }
        (_, value) => value,
    }
}

fn remove_fields<'s>(
    fields: Map<String, Value>,
    gone: &FieldSet,
    owned: &FieldSet,
    shape_of: impl Fn(&str) -> Option<Shaped<'s>>,
) -> Map<String, Value> {
    let kept = fields.into_iter().filter_map(|(name, value)| {
        let element = Element::field(&name);
        let Some(gone) = gone.child(&element) else { return Some((name, value)) };
        if gone.is_member() {
            return None;
        }
        let owned = below(owned, &element);
        let value = match shape_of(&name) {
            Some(shaped) => remove(&shaped, value, gone, owned),
            None => value,
        };
        (!is_empty(&value) || owned.is_member()).then_some((name, value))
    });
    kept.collect()
}

fn below<'f>(set: &'f FieldSet, element: &Element) -> &'f FieldSet {
    set.child(element).unwrap_or(FieldSet::EMPTY)
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}
