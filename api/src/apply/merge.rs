//! Merging a configuration into an object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::ShapeError;
use super::elements::{Elements, keyed, values};
use super::path::{Element, Trail};
use super::shape::{Shape, Shaped};

/// The live object with the configuration's fields in it.
pub(super) fn merge(shaped: &Shaped<'_>, live: &Value, config: &Value) -> Result<Value, ShapeError> {
    both(shaped, Some(live), config, &Trail::Root).map(Option::unwrap_or_default)
}

/// `None`: nothing comes of it, which is so for lists without elements that never had any.
fn both(
    shaped: &Shaped<'_>,
    live: Option<&Value>,
    config: &Value,
    path: &Trail<'_>,
) -> Result<Option<Value>, ShapeError> {
    let void = |value: Option<&Value>| value.and_then(Value::as_object).is_none_or(Map::is_empty);
    match (shaped.shape(), config) {
        // Where nothing is on both sides, what the configuration says stands.
        (Shape::Struct | Shape::Map, Value::Object(_)) if void(Some(config)) && void(live) => Ok(Some(config.clone())),
        (Shape::Struct | Shape::Map, Value::Object(config)) => {
            fields(shaped, live.and_then(Value::as_object), config, path).map(|fields| Some(Value::Object(fields)))
        }
        // Go does not write an empty list where there was none.
        (Shape::List(_) | Shape::Set, Value::Array(items))
            if items.is_empty() && live.is_none() && shaped.is_built_in() =>
        {
            Ok(None)
        }
        (Shape::List(keys), Value::Array(_)) => {
            let nothing = Value::Null;
            let (old, new) = (keyed(live.unwrap_or(&nothing), &keys, path)?, keyed(config, &keys, path)?);
            list(old, new, |own, old, new| both(&shaped.element(), old, new, &path.element(own)))
                .map(|items| Some(Value::Array(items)))
        }
        (Shape::Set, Value::Array(_)) => {
            let nothing = Value::Null;
            list(values(live.unwrap_or(&nothing)), values(config), |_, _, new| Ok(Some(new.clone())))
                .map(|items| Some(Value::Array(items)))
        }
        // Nothing where elements are expected takes none away.
        (Shape::Struct | Shape::Map | Shape::List(_) | Shape::Set, Value::Null) if live.is_some_and(has_content) => {
            Ok(live.cloned())
        }
        _ => Ok(Some(config.clone())),
    }
}

fn has_content(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| !fields.is_empty())
        || value.as_array().is_some_and(|items| !items.is_empty())
}

fn fields(
    shaped: &Shaped<'_>,
    live: Option<&Map<String, Value>>,
    config: &Map<String, Value>,
    path: &Trail<'_>,
) -> Result<Map<String, Value>, ShapeError> {
    let mut merged = live.cloned().unwrap_or_default();
    for (name, new) in config {
        let old = live.and_then(|live| live.get(name));
        let value = match shaped.field(name) {
            Some(shaped) => both(&shaped, old, new, &path.field(name))?,
            None => Some(new.clone()),
        };
        if let Some(value) = value {
            merged.insert(name.clone(), value);
        }
    }
    Ok(merged)
}

/// Elements that only the live list has stay where they are; those of the configuration come in its order, and new
/// ones after the live ones that stand there. A live element that comes more than once is replaced as a whole.
fn list(
    live: Elements<'_>,
    config: Elements<'_>,
    merge: impl Fn(&Element, Option<&Value>, &Value) -> Result<Option<Value>, ShapeError>,
) -> Result<Vec<Value>, ShapeError> {
    let mut old: BTreeMap<&Element, Option<&Value>> = BTreeMap::new();
    for (own, item) in &live {
        old.entry(own).and_modify(|twice| *twice = None).or_insert(Some(item));
    }
    let wanted: BTreeSet<&Element> = config.iter().map(|(own, _)| own).collect();
    let mut shared = config.iter().map(|(own, _)| own).filter(|own| old.contains_key(own)).peekable();
    let mut merged = Vec::with_capacity(live.len() + config.len());
    let mut done: BTreeSet<&Element> = BTreeSet::new();
    let mut ahead = live.iter().peekable();
    for (own, new) in &config {
        // Up to the element that both lists have next, the live list goes first.
        while let Some((theirs, item)) = ahead.peek() {
            if !wanted.contains(theirs) {
                merged.push((*item).clone());
            } else if theirs == own || (shared.peek() == Some(&theirs) && !done.contains(theirs)) {
                break;
            }
            ahead.next();
        }
        if let Some((theirs, _)) = ahead.peek()
            && theirs == own
        {
            ahead.next();
        }
        if shared.peek() == Some(&own) {
            shared.next();
        }
        done.insert(own);
        merged.extend(merge(own, old.get(own).copied().flatten(), new)?);
    }
    merged.extend(ahead.filter(|(own, _)| !wanted.contains(own)).map(|(_, item)| (*item).clone()));
    Ok(merged)
}
