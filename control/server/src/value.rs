//! Parts of JSON that may be missing, as Go reads them: what is not there is empty.

use serde_json::Value;

/// The elements of a list.
pub(crate) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A text.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
