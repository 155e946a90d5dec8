//! What the store lifts out of an object when it applies one: labels, selectable fields, owners, uid.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use coracle_api::{Catalog, Resource};
use coracle_store::{Lift, Lifted};
use serde::Deserialize;
use serde_json::Value;

/// The lift for the built-in catalogue: give it to [`coracle_store::Store::open`].
pub fn lift() -> Arc<dyn Lift> {
    Arc::new(CatalogLift::new(&Catalog::builtin()))
}

/// Rows by storage key. The selectable fields are those of the row that owns the storage.
struct CatalogLift {
    rows: HashMap<String, Arc<Resource>>,
    /// The field labels, shared by all objects that have them.
    labels: HashMap<&'static str, Arc<str>>,
}

impl CatalogLift {
    fn new(catalog: &Catalog) -> Self {
        let rows: HashMap<String, Arc<Resource>> =
            catalog.rows().iter().filter(|r| r.stored_as.is_none()).map(|r| (r.storage_key(), r.clone())).collect();
        let labels =
            rows.values().flat_map(|r| r.rules.selectable).map(|(label, _)| (*label, Arc::from(*label))).collect();
        Self { rows, labels }
    }
}

/// The part of an object that every kind has.
#[derive(Deserialize, Default)]
struct Head {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(default)]
    uid: Box<str>,
}

impl CatalogLift {
    /// The fields that objects of the resource can be selected by. This is what parses the whole object; kinds that
    /// offer none are spared it.
    fn fields(&self, resource: &str, json: &[u8]) -> Vec<(Arc<str>, Arc<str>)> {
        let selectable = self.rows.get(resource).map(|r| r.rules.selectable).unwrap_or_default();
        if selectable.is_empty() {
            return Vec::new();
        }
        let object: Value = serde_json::from_slice(json).unwrap_or_default();
        let read = selectable.iter().filter_map(|(label, read)| {
            let value = read(&object);
            // A missing field and an empty one are the same to a selector.
            (!value.is_empty()).then(|| (self.labels[label].clone(), Arc::from(value)))
        });
        read.collect()
    }
}

impl Lift for CatalogLift {
    fn lift(&self, resource: &str, json: &[u8]) -> Lifted {
        // Whoever stores an object has made it from a checked one; what does not read as one has no facts.
        let Head { metadata } = serde_json::from_slice(json).unwrap_or_default();
        let labels = metadata.labels.into_iter().map(|(k, v)| (Arc::from(k), Arc::from(v)));
        let owners = metadata.owner_references.into_iter().map(|o| o.uid);
        Lifted::new(labels, self.fields(resource, json), owners, &metadata.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_owners_and_uid_are_lifted() {
        let json = br#"{"metadata":{"uid":"u","labels":{"app":"a"},"ownerReferences":[{"uid":"o"}]}}"#;
        let lifted = lift().lift("configmaps", json);
        assert_eq!(lifted.label("app"), Some("a"));
        assert_eq!((&*lifted.uid, &*lifted.owners[0]), ("u", "o"));
    }

    #[test]
    fn what_is_no_object_has_no_facts() {
        assert_eq!(lift().lift("configmaps", b"nonsense"), Lifted::default());
    }
}
