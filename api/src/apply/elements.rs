//! Elements of lists by what tells them apart.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::ShapeError;
use super::path::Element;
use super::shape::Key;

/// The elements of a list of structs, in order.
pub(super) fn keyed<'v>(
    list: &'v Value,
    keys: &[Key<'_>],
    path: &str,
) -> Result<Vec<(Element, &'v Value)>, ShapeError> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let mut own = Map::new();
        for key in keys {
            let value = match (item.get(key.name), &key.default) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => default.as_ref().clone(),
                (None, None) => return Err(ShapeError::MissingKey(path.to_string(), index, key.name.to_string())),
            };
            own.insert(key.name.to_string(), value);
        }
        found.push((Element::Key(own), item));
    }
    unique(found, path)
}

/// The elements of a set, in order; values that come twice count once.
pub(super) fn values(list: &Value) -> Vec<(Element, &Value)> {
    let mut seen = BTreeMap::new();
    let items = list.as_array().into_iter().flatten();
    let elements = items.map(|item| (Element::Value(item.clone()), item));
    elements.filter(|(element, _)| seen.insert(element.clone(), ()).is_none()).collect()
}

fn unique<'v>(found: Vec<(Element, &'v Value)>, path: &str) -> Result<Vec<(Element, &'v Value)>, ShapeError> {
    let mut seen = BTreeMap::new();
    for (element, _) in &found {
        if seen.insert(element, ()).is_some() {
            return Err(ShapeError::Duplicate(path.to_string(), element.display()));
        }
    }
    Ok(found)
}
