//! The `pod-template-hash` label: a short, stable name for a pod template.

use serde::Serialize;
use serde_json::Value;

use crate::names;

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

/// Hashes a template (typed or as JSON) and a collision count into a text fit for names and label values. Fields
/// that are null and the order of fields make no difference.
pub fn template_hash(template: &impl Serialize, collision_count: Option<i32>) -> String {
    let mut canonical = serde_json::to_value(template).unwrap_or_default();
    drop_nulls(&mut canonical);
    let mut hash = fnv1a(FNV_OFFSET, canonical.to_string().as_bytes());
    if let Some(count) = collision_count.filter(|c| *c > 0) {
        hash = fnv1a(hash, &count.to_le_bytes());
    }
    names::safe_encode(&hash.to_string())
}

fn fnv1a(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME))
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
