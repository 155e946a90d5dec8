//! The set of fields that a value has.

use serde_json::Value;

use super::ShapeError;
use super::elements::{Elements, grouped, keyed, values};
use super::path::{Element, Trail};
use super::set::FieldSet;
use super::shape::{Shape, Shaped};

/// Which paths of a value are in its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Those that a configuration owns: values, and elements of maps and lists, but not what holds them.
    Owned,
    /// Every path, also those of structs, maps and lists: what appears when the value appears.
    Every,
}

/// The fields of an object of the shape.
pub(super) fn fields(shaped: &Shaped<'_>, value: &Value) -> Result<FieldSet, ShapeError> {
    below(shaped, value, Count::Owned, &Trail::Root)
}

/// The fields of a part of it; `path` is for errors.
pub(super) fn below(
    shaped: &Shaped<'_>,
    value: &Value,
    count: Count,
    path: &Trail<'_>,
) -> Result<FieldSet, ShapeError> {
    let mut set = FieldSet::default();
    match (shaped.shape(), value) {
        (Shape::Struct, Value::Object(fields)) => {
            for (name, field) in fields {
                let Some(shaped) = shaped.field(name) else { continue };
                let below = below(&shaped, field, count, &path.field(name))?;
                // A field that no schema names is an entry of a map.
                let is_member = count == Count::Every || is_hollow(field) || matches!(shaped, Shaped::Deduced);
                set.put(Element::field(name), if is_member { below.with_member() } else { below });
            }
            if count == Count::Every {
                let absent = shaped.always_structs().into_iter().filter(|name| !fields.contains_key(*name));
                absent.for_each(|name| set.put(Element::field(name), FieldSet::leaf()));
            }
        }
        (Shape::Map, Value::Object(entries)) => {
            let element = shaped.element();
            for (key, entry) in entries {
                let below = below(&element, entry, count, &path.field(key))?;
                set.put(Element::field(key), below.with_member());
            }
        }
        (Shape::List(keys), Value::Array(_)) => {
            set = elements(shaped, keyed(value, &keys, path)?, count, path)?;
        }
        (Shape::Set, Value::Array(_)) => set = elements(shaped, values(value), count, path)?,
        _ => set = FieldSet::leaf(),
    }
    Ok(set)
}

/// The fields of a list. An element that comes more than once is one thing.
fn elements(
    shaped: &Shaped<'_>,
    elements: Elements<'_>,
    count: Count,
    path: &Trail<'_>,
) -> Result<FieldSet, ShapeError> {
    let (mut set, element) = (FieldSet::default(), shaped.element());
    for (own, items) in grouped(elements) {
        let below = match items.as_slice() {
            [item] if matches!(own, Element::Key(_)) => below(&element, item, count, &path.element(&own))?,
            _ => FieldSet::default(),
        };
        set.put(own, below.with_member());
    }
    Ok(set)
}

/// A struct or map without content is owned itself, since there is nothing in it to own.
fn is_hollow(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}
