//! `APIVersions`, `APIGroupList`, `APIGroup`, `APIResourceList`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::catalog::{Catalog, Resource, Subresource};

/// Bytes of the hash that discovery shows, as in Kubernetes.
const STORAGE_HASH_BYTES: usize = 8;

/// `/api`. `server_address` is `HOST:PORT`, what clients of any network should use.
pub fn api_versions(server_address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": server_address }],
    })
}

/// `/apis`
pub fn api_group_list(catalog: &Catalog) -> Value {
    let groups: Vec<Value> = catalog.groups().iter().map(|(name, versions)| group(name, versions)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`; `None` when there is no such group.
pub fn api_group(catalog: &Catalog, name: &str) -> Option<Value> {
    let groups = catalog.groups();
    let (name, versions) = groups.iter().find(|(group, _)| group == name)?;
    let mut document = group(name, versions);
    document["kind"] = json!("APIGroup");
    document["apiVersion"] = json!("v1");
    Some(document)
}

fn group(name: &str, versions: &[String]) -> Value {
    let entry = |version: &String| json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    let versions: Vec<Value> = versions.iter().map(entry).collect();
    json!({ "name": name, "preferredVersion": versions.first(), "versions": versions })
}

/// `/api/v1` (with an empty group) and `/apis/GROUP/VERSION`; `None` when nothing is served there.
pub fn api_resource_list(catalog: &Catalog, group: &str, version: &str) -> Option<Value> {
    let served = catalog.rows().iter().filter(|row| row.group == group && row.version == version);
    let mut resources: Vec<Value> = served.flat_map(|row| entries(catalog, row)).collect();
    if resources.is_empty() {
        return None;
    }
    resources.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    let mut document = json!({ "kind": "APIResourceList", "resources": resources });
    if group.is_empty() {
        document["groupVersion"] = json!(version);
    } else {
        // The core group's list has no apiVersion, for reasons of age.
        document["apiVersion"] = json!("v1");
        document["groupVersion"] = json!(format!("{group}/{version}"));
    }
    Some(document)
}

fn entries(catalog: &Catalog, row: &Resource) -> Vec<Value> {
    let mut entry = Map::new();
    entry.insert("name".into(), json!(row.plural));
    entry.insert("singularName".into(), json!(row.singular));
    entry.insert("namespaced".into(), json!(row.namespaced));
    entry.insert("kind".into(), json!(row.kind));
    entry.insert("verbs".into(), json!(super::verbs(row)));
    if !row.short_names.is_empty() {
        entry.insert("shortNames".into(), json!(row.short_names));
    }
    if !row.categories.is_empty() {
        entry.insert("categories".into(), json!(row.categories));
    }
    if let Some(hash) = storage_version_hash(catalog, row) {
        entry.insert("storageVersionHash".into(), json!(hash));
    }
    let mut all = vec![Value::Object(entry)];
    all.extend(row.subresources.iter().map(|subresource| subresource_entry(row, *subresource)));
    all
}

fn subresource_entry(row: &Resource, subresource: Subresource) -> Value {
    let [group, version, kind] = subresource.kind(row);
    let mut entry = json!({
        "name": format!("{}/{}", row.plural, subresource.name()),
        "singularName": "",
        "namespaced": row.namespaced,
        "kind": kind,
        "verbs": subresource.verbs(),
    });
    if group != row.group || version != row.version {
        entry["group"] = json!(group);
        entry["version"] = json!(version);
    }
    entry
}

/// A short hash of the group, version and kind that objects are stored as; none for what is not stored, nor for custom kinds whose
/// storage version is not served.
fn storage_version_hash(catalog: &Catalog, row: &Resource) -> Option<String> {
    if row.review {
        return None;
    }
    let owner = catalog.find_stored(&row.storage_key());
    let stored = owner.as_deref().unwrap_or(row);
    let version = match &row.custom {
        Some(custom) => {
            let version = custom.storage_version.rsplit('/').next().unwrap_or_default();
            let is_same = |other: &Resource| other.group == row.group && other.plural == row.plural;
            catalog.rows().iter().find(|other| is_same(other) && other.version == version)?;
            version
        }
        None => stored.version.as_ref(),
    };
    let hash = Sha256::digest(format!("{}/{version}/{}", stored.group, stored.kind));
    Some(STANDARD.encode(&hash[..STORAGE_HASH_BYTES]))
}
