//! Merging lists.

use std::collections::HashSet;

use serde_json::Value;

use super::directives::{PATCH, settle};
use super::elements::{Positions, identity, same_kind};
use super::{Known, Merger, Result, StrategicError, order};
use crate::schema::Type;

impl<'s> Merger<'s> {
    /// Merges a patch into a list, or replaces it where the schema does not say to merge.
    pub(super) fn list(&self, original: Vec<Value>, patch: Vec<Value>, known: &Known<'s>) -> Result<Vec<Value>> {
        if !known.rule.merge {
            return Ok(into_items(settle(Value::Array(patch))));
        }
        if !same_kind(&[&original, &patch])? {
            return merge_scalars(original, patch);
        }
        let Type::List(element) = known.ty else { return Ok(patch) };
        let Some(key) = known.rule.merge_key else {
            return Err(StrategicError::NoDeclaredKey(self.schemas.go_name(element)));
        };
        let Special { original, patch, replaced } = special_elements(original, patch, key)?;
        if replaced {
            return Ok(into_items(settle(Value::Array(patch))));
        }
        let before = original.clone();
        let wanted: Vec<Value> = patch.iter().filter_map(|item| stub(item, key)).collect();
        let merged = self.structs(original, patch, element, key)?;
        order::arrange(merged, &wanted, &before, Some(key))
    }

    /// Merges elements that have counterparts, appends those that have none.
    fn structs(
        &self,
        mut original: Vec<Value>,
        patch: Vec<Value>,
        element: &'s Type,
        key: &'static str,
    ) -> Result<Vec<Value>> {
        let mut positions = Positions::of(&original, Some(key));
        for item in patch {
            let own = identity(&item, Some(key))?.clone();
            match (positions.get(&own), item) {
                (Some(index), Value::Object(changes)) => {
                    if let Value::Object(old) = original[index].take() {
                        original[index] = Value::Object(self.map(old, changes, element)?);
                    }
                }
                (_, item) => {
                    positions.insert(&own, original.len());
                    original.extend(settle(item));
                }
            }
        }
        Ok(original)
    }
}

/// An element reduced to its merge key: enough to say where it belongs.
fn stub(item: &Value, key: &'static str) -> Option<Value> {
    Some(serde_json::json!({ key: item.get(key)? }))
}

fn into_items(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// What is left when elements that are directives have been carried out.
struct Special {
    original: Vec<Value>,
    patch: Vec<Value>,
    /// The list is the patch and nothing else.
    replaced: bool,
}

/// Carries out elements with `$patch`.
fn special_elements(mut original: Vec<Value>, patch: Vec<Value>, key: &'static str) -> Result<Special> {
    let mut rest = Vec::with_capacity(patch.len());
    let mut replaced = false;
    let mut gone = HashSet::new();
    for item in patch {
        match item.get(PATCH) {
            None => rest.push(item),
            Some(directive) => match directive.as_str() {
                Some("delete") => {
                    gone.insert(identity(&item, Some(key))?.to_string());
                }
                Some("replace") => replaced = true,
                Some("merge") => return Err(StrategicError::MergeDirectiveInList),
                _ => return Err(StrategicError::UnknownDirective(directive.clone(), item)),
            },
        }
    }
    if !gone.is_empty() {
        original.retain(|old| old.get(key).is_none_or(|own| !gone.contains(&own.to_string())));
    }
    Ok(Special { original, patch: rest, replaced })
}

/// The union, each once, in the order of the patch where it has a say.
fn merge_scalars(original: Vec<Value>, patch: Vec<Value>) -> Result<Vec<Value>> {
    let mut merged: Vec<Value> = Vec::with_capacity(original.len() + patch.len());
    let mut seen = Positions::of(&[], None);
    for item in original.iter().chain(&patch) {
        if seen.insert(item, merged.len()) {
            merged.push(item.clone());
        }
    }
    order::arrange(merged, &patch, &original, None)
}

/// Takes scalars out of a list.
pub(super) fn delete_scalars(items: &mut Vec<Value>, gone: &[Value]) {
    let gone = Positions::of(gone, None);
    items.retain(|item| gone.get(item).is_none());
}
