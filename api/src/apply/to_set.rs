//! The set of fields that a value has.

use serde_json::Value;

use super::ShapeError;
use super::elements::{keyed, values};
use super::path::Element;
use super::set::FieldSet;
use super::shape::{Shape, Shaped};

/// The fields of an object of the shape.
pub(super) fn fields(shaped: &Shaped<'_>, value: &Value) -> Result<FieldSet, ShapeError> {
    below(shaped, value, "")
}

/// The fields of a part of it; `path` is for errors.
pub(super) fn below(shaped: &Shaped<'_>, value: &Value, path: &str) -> Result<FieldSet, ShapeError> {
    let mut set = FieldSet::default();
    match (shaped.shape(), value) {
        (Shape::Struct, Value::Object(fields)) => {
            for (name, field) in fields {
                let Some(shaped) = shaped.field(name) else { continue };
                let below = below(&shaped, field, &format!("{path}.{name}"))?;
                set.put(Element::field(name), if is_hollow(field) { below.with_member() } else { below });
            }
        }
        (Shape::Map, Value::Object(entries)) => {
            for (key, entry) in entries {
                let below = below(&shaped.element(), entry, &format!("{path}.{key}"))?;
                set.put(Element::field(key), below.with_member());
            }
        }
        (Shape::List(keys), Value::Array(_)) => {
            for (own, item) in keyed(value, &keys, path)? {
                let below = below(&shaped.element(), item, &format!("{path}{}", own.display()))?;
                set.put(own, below.with_member());
            }
        }
        (Shape::Set, Value::Array(_)) => {
            for (own, _) in values(value) {
                set.put(own, FieldSet::leaf());
            }
        }
        _ => set = FieldSet::leaf(),
    }
    Ok(set)
}

/// A struct or map without content is owned itself, since there is nothing in it to own.
fn is_hollow(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}
