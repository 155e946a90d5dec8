//! Which part of the old object a part of the new one is: fields by name, elements of map lists by their keys. Elements of
//! other lists have no past.

use serde_json::Value;

use super::ByKey;
use crate::cel::ListKind;
use crate::custom::schema::Schema;

/// The old value at some place, if there is one that can be found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Correlation<'v> {
    old: Option<&'v Value>,
}

impl<'v> Correlation<'v> {
    /// At the root.
    pub(crate) fn new(old: Option<&'v Value>) -> Self {
        Self { old }
    }

    /// The old value.
    pub(crate) fn old(self) -> Option<&'v Value> {
        self.old
    }

    /// Whether there is an old value and it is the same.
    pub(crate) fn is_unchanged(self, new: &Value) -> bool {
        self.old == Some(new)
    }

    /// The field of an object.
    pub(crate) fn member(self, name: &str, schema: &Schema) -> Self {
        let is_known = schema.property(name).is_some();
        Self { old: self.old.filter(|_| is_known).and_then(|old| old.get(name)) }
    }

    /// The elements of a list.
    pub(crate) fn elements(self, schema: &'v Schema) -> Elements<'v> {
        let keys = match &schema.list {
            ListKind::Map(keys) => keys.as_ref(),
            ListKind::Set | ListKind::Atomic => &[],
        };
        let old = self.old.and_then(Value::as_array).filter(|_| !keys.is_empty());
        let by_key = old.into_iter().flatten().filter_map(|item| Some((key_of(item, keys)?, item)));
        Elements { keys, by_key: by_key.collect() }
    }
}

/// Old elements of a list.
#[derive(Debug)]
pub(crate) struct Elements<'v> {
    keys: &'v [String],
    by_key: ByKey<'v>,
}

impl<'v> Elements<'v> {
    /// The one that a new element was.
    pub(crate) fn of(&self, item: &Value) -> Correlation<'v> {
        let found = if self.by_key.is_empty() { None } else { key_of(item, self.keys) };
        Correlation { old: found.and_then(|key| self.by_key.get(&key).copied()) }
    }
}

fn key_of(item: &Value, keys: &[String]) -> Option<String> {
    let item = item.as_object()?;
    let own: Vec<&Value> = keys.iter().map(|key| item.get(key).unwrap_or(&Value::Null)).collect();
    serde_json::to_string(&own).ok()
}
