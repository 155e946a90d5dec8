//! Merging objects.

use serde_json::{Map, Value};

use super::directives::{DELETE_FROM_LIST, ELEMENT_ORDER, PATCH, retain_keys, settle, target};
use super::elements::same_kind;
use super::list::delete_scalars;
use super::{Merger, Result, StrategicError, order, whole};
use crate::decode::json_type;
use crate::schema::Type;

impl<'s> Merger<'s> {
    /// Merges a patch into an object of the type.
    pub(super) fn map(
        &self,
        mut original: Map<String, Value>,
        mut patch: Map<String, Value>,
        ty: &'s Type,
    ) -> Result<Map<String, Value>> {
        if let Some(directive) = patch.remove(PATCH) {
            return match directive.as_str() {
                Some("replace") => Ok(settle(Value::Object(patch)).and_then(into_map).unwrap_or_default()),
                Some("delete") => Ok(Map::new()),
                _ => {
                    patch.insert(PATCH.into(), directive.clone());
                    Err(StrategicError::UnknownDirective(directive, whole(&patch)))
                }
            };
        }
        retain_keys(&mut original, &mut patch)?;
        self.ordered_lists(&mut original, &mut patch, ty)?;
        for (key, value) in patch {
            if let Some(list) = target(&key, DELETE_FROM_LIST, StrategicError::PrimitiveListFormat)? {
                delete_from(&mut original, list, &value)?;
            } else {
                self.entry(&mut original, key, value, ty)?;
            }
        }
        Ok(original)
    }

    /// Merges one field that has no directive of its own.
    fn entry(&self, original: &mut Map<String, Value>, key: String, value: Value, ty: &'s Type) -> Result<()> {
        if value.is_null() {
            original.remove(&key);
            return Ok(());
        }
        let merged = match (original.remove(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let known = self.field(ty, &key)?;
                Some(Value::Object(self.map(old, new, known.ty)?))
            }
            (Some(Value::Array(old)), Value::Array(new)) => {
                let known = self.field(ty, &key)?;
                Some(Value::Array(self.list(old, new, &known)?))
            }
            (_, new) => settle(new),
        };
        if let Some(merged) = merged {
            original.insert(key, merged);
        }
        Ok(())
    }

    /// Merges the lists that come with `$setElementOrder`, and takes both from the patch.
    fn ordered_lists(
        &self,
        original: &mut Map<String, Value>,
        patch: &mut Map<String, Value>,
        ty: &'s Type,
    ) -> Result<()> {
        let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ELEMENT_ORDER)).cloned().collect();
        for directive in directives {
            let Some(Value::Array(wanted)) = patch.remove(&directive) else {
                return Err(StrategicError::ElementOrderFormat);
            };
            let Some(name) = target(&directive, ELEMENT_ORDER, StrategicError::ElementOrderFormat)? else { continue };
            let known = self.field(ty, name)?;
            let changes = patch.remove(name).map(into_list).transpose()?;
            let old = original.remove(name).map(into_list).transpose()?;
            let key = known.rule.merge_key;
            order::check(changes.as_deref().unwrap_or_default(), &wanted, key)?;
            let before = old.clone().unwrap_or_default();
            let merged = match (old, changes) {
                (None, None) => continue,
                (Some(old), None) => old,
                (None, Some(new)) => settle(Value::Array(new)).map(into_list).transpose()?.unwrap_or_default(),
                (Some(old), Some(new)) => self.list(old, new, &known)?,
            };
            same_kind(&[&before, &merged])?;
            original.insert(name.to_string(), Value::Array(order::arrange(merged, &wanted, &before, key)?));
        }
        Ok(())
    }
}

/// `$deleteFromPrimitiveList`: nothing happens when the list is not there.
fn delete_from(original: &mut Map<String, Value>, list: &str, gone: &Value) -> Result<()> {
    if let (Some(Value::Array(items)), Value::Array(gone)) = (original.get_mut(list), gone) {
        same_kind(&[items, gone])?;
        delete_scalars(items, gone);
    }
    Ok(())
}

fn into_map(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

fn into_list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(StrategicError::NotAList(json_type(&other))),
    }
}
