//! Owners that an object names twice.

use coracle_api::meta;
use serde_json::Value;

/// Leaves each owner once. Returns the warning for the client when one was there twice; `.metadata.ownerReferences` of a
/// patch are looked at after admission, which the text says.
pub(super) fn dedup(object: &mut Value, is_patch: bool) -> Option<String> {
    let owners = object.get_mut("metadata")?.get_mut("ownerReferences")?.as_array_mut()?;
    let mut twice = Vec::new();
    let mut kept: Vec<Value> = Vec::with_capacity(owners.len());
    for owner in std::mem::take(owners) {
        if kept.contains(&owner) {
            twice.push(owner["uid"].as_str().unwrap_or_default().to_string());
        } else {
            kept.push(owner);
        }
    }
    meta::metadata_mut(object).insert("ownerReferences".into(), kept.into());
    if twice.is_empty() {
        return None;
    }
    let when = if is_patch { " after mutating admission happens" } else { "" };
    Some(format!(
        ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may \
         reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
        twice.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_owner_is_named_once() {
        let owner = |uid: &str| json!({ "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid });
        let mut object = json!({ "metadata": { "ownerReferences": [owner("1"), owner("2"), owner("1")] } });
        let warning = dedup(&mut object, false).unwrap();
        assert!(warning.ends_with("please fix your requests; duplicate UID(s) observed: 1"), "{warning}");
        assert_eq!(object["metadata"]["ownerReferences"], json!([owner("1"), owner("2")]));
        assert_eq!(dedup(&mut object, true), None);
        assert_eq!(dedup(&mut json!({ "metadata": {} }), true), None);
    }
}
