//! What list elements are and which of them are the same.

use std::collections::HashMap;

use serde_json::Value;

use super::{Result, StrategicError};

/// Checks that all elements are of one JSON type that is no list. Returns whether they are objects; without any
/// element there are none.
pub(super) fn same_kind(lists: &[&[Value]]) -> Result<bool> {
    let mut all = lists.iter().flat_map(|list| list.iter());
    let Some(first) = all.next() else { return Ok(false) };
    if first.is_array() {
        return Err(StrategicError::ListOfLists);
    }
    if all.any(|item| std::mem::discriminant(item) != std::mem::discriminant(first)) {
        let shown = lists.iter().map(|list| Value::Array(list.to_vec())).collect();
        return Err(StrategicError::MixedList(Value::Array(shown)));
    }
    Ok(first.is_object())
}

/// What tells an element apart: its merge key, or itself where there is none.
pub(super) fn identity<'v>(item: &'v Value, key: Option<&'static str>) -> Result<&'v Value> {
    match key {
        Some(key) if item.is_object() => item.get(key).ok_or_else(|| StrategicError::NoMergeKey(item.clone(), key)),
        _ => Ok(item),
    }
}

/// Where elements are in a list, by identity. Lists come from clients: looking each element up by walking the list
/// would be quadratic in what they send.
pub(super) struct Positions(HashMap<String, usize>);

impl Positions {
    /// The first position of each identity. Elements without the merge key match nothing.
    pub(super) fn of(list: &[Value], key: Option<&'static str>) -> Self {
        let mut positions = HashMap::with_capacity(list.len());
        for (index, item) in list.iter().enumerate() {
            if let Ok(own) = identity(item, key) {
                positions.entry(own.to_string()).or_insert(index);
            }
        }
        Self(positions)
    }

    /// Where the element of this identity is.
    pub(super) fn get(&self, wanted: &Value) -> Option<usize> {
        self.0.get(&wanted.to_string()).copied()
    }

    /// Adds an element at an index; returns false when there was one of this identity.
    pub(super) fn insert(&mut self, own: &Value, index: usize) -> bool {
        self.0.insert(own.to_string(), index).is_none()
    }
}
