//! The directives by themselves: names, `$retainKeys`, and taking them out of what is stored.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Result, StrategicError};

/// Replace or delete the map or list element that it stands in.
pub(super) const PATCH: &str = "$patch";
/// The only fields of a union that stay.
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
/// The order of a list's elements.
pub(super) const ELEMENT_ORDER: &str = "$setElementOrder";
/// Scalars to take out of a list.
pub(super) const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";

/// The field that `PREFIX/FIELD` is about, `None` when the key is no such directive.
pub(super) fn target<'k>(key: &'k str, prefix: &str, malformed: StrategicError) -> Result<Option<&'k str>> {
    let Some(rest) = key.strip_prefix(prefix) else { return Ok(None) };
    rest.strip_prefix('/').map(Some).ok_or(malformed)
}

/// `$retainKeys`: takes the directive out of the patch and all other fields out of the original.
pub(super) fn retain_keys(original: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<()> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(keys) = directive else { return Err(StrategicError::RetainKeysFormat) };
    let keys: HashSet<&str> = keys.iter().filter_map(Value::as_str).collect();
    let retained = |name: &str| keys.contains(name);
    let is_list_directive = |name: &str| name.starts_with(DELETE_FROM_LIST) || name.starts_with(ELEMENT_ORDER);
    let stray = patch.iter().any(|(name, value)| !value.is_null() && !is_list_directive(name) && !retained(name));
    if stray {
        return Err(StrategicError::RetainKeysFormat);
    }
    original.retain(|name, _| retained(name));
    Ok(())
}

/// What a patch value becomes where there is nothing to merge it with: nulls and directives have nothing to act on.
/// `None` when it says to delete itself.
pub(super) fn settle(value: Value) -> Option<Value> {
    match value {
        Value::Object(mut fields) => {
            if fields.remove(PATCH).is_some_and(|directive| directive == "delete") {
                return None;
            }
            let kept = fields.into_iter().filter(|(name, value)| !value.is_null() && !is_directive(name));
            Some(Value::Object(kept.filter_map(|(name, value)| Some((name, settle(value)?))).collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(settle_element).collect())),
        scalar => Some(scalar),
    }
}

/// A list element whose only content was `$patch: replace` is no element.
fn settle_element(value: Value) -> Option<Value> {
    let only_directive = value.as_object().is_some_and(|fields| fields.len() == 1 && fields.contains_key(PATCH));
    if only_directive { None } else { settle(value) }
}

fn is_directive(name: &str) -> bool {
    let has_target = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    name == RETAIN_KEYS || has_target(ELEMENT_ORDER) || has_target(DELETE_FROM_LIST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn many_keys_are_retained_at_once() {
        let fields = || -> Map<String, Value> { (0..100_000).map(|index| (format!("k{index}"), json!(1))).collect() };
        let (mut original, mut patch) = (fields(), fields());
        original.insert("other".into(), json!(1));
        patch.insert(RETAIN_KEYS.into(), fields().keys().rev().cloned().collect());
        assert_eq!(retain_keys(&mut original, &mut patch), Ok(()));
        assert_eq!((original.len(), patch.len()), (100_000, 100_000));
    }
}
