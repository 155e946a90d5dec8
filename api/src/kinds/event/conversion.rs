//! Between `v1` and `events.k8s.io/v1` Events (KEP-383): the same fields under other names.

use serde_json::{Value, json};

/// `v1` name and `events.k8s.io/v1` name of each field that is called differently.
const RENAMED: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// From the stored form, `v1`, to `events.k8s.io/v1`.
pub fn from_core(event: Value) -> Value {
    rename(event, "events.k8s.io/v1", RENAMED.iter().copied())
}

/// From `events.k8s.io/v1` to the stored form, `v1`.
pub fn to_core(event: Value) -> Value {
    rename(event, "v1", RENAMED.iter().map(|(core, new)| (*new, *core)))
}

fn rename<'a>(mut event: Value, api_version: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let Some(map) = event.as_object_mut() else { return event };
    for (from, to) in names {
        if let Some(value) = map.remove(from) {
            map.insert(to.to_string(), value);
        }
    }
    map.insert("apiVersion".into(), json!(api_version));
    event
}
