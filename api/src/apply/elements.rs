//! Elements of lists by what tells them apart.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::ShapeError;
use super::path::{Element, Trail};
use super::shape::Key;

/// The elements of a list in order, each with what tells it apart. An element may come more than once: validation lets
/// such objects pass in places.
pub(super) type Elements<'v> = Vec<(Element, &'v Value)>;

/// The elements of a list of structs.
pub(super) fn keyed<'v>(list: &'v Value, keys: &[Key<'_>], path: &Trail<'_>) -> Result<Elements<'v>, ShapeError> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let element = |(index, item): (usize, &'v Value)| match key_of(item, keys) {
        Ok(own) => Ok((own, item)),
        Err(missing) => Err(ShapeError::MissingKey(path.to_string(), index, missing.to_string())),
    };
    items.iter().enumerate().map(element).collect()
}

/// What tells a struct apart, or the key field that it lacks.
pub(super) fn key_of<'k>(item: &Value, keys: &'k [Key<'_>]) -> Result<Element, &'k str> {
    let mut own = Map::new();
    for key in keys {
        let value = match (item.get(key.name), &key.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => default.as_ref().clone(),
            (None, None) => return Err(key.name),
        };
        own.insert(key.name.to_string(), value);
    }
    Ok(Element::key(own))
}

/// The elements of a set.
pub(super) fn values(list: &Value) -> Elements<'_> {
    list.as_array().into_iter().flatten().map(|item| (Element::value(item), item)).collect()
}

/// The elements by what tells them apart, in that order.
pub(super) fn grouped<'v>(elements: Elements<'v>) -> BTreeMap<Element, Vec<&'v Value>> {
    let mut groups: BTreeMap<Element, Vec<&'v Value>> = BTreeMap::new();
    for (own, item) in elements {
        groups.entry(own).or_default().push(item);
    }
    groups
}
