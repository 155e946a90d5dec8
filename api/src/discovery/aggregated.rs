//! `APIGroupDiscoveryList`: all groups, versions and resources in one document.

use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, Resource, Subresource};

/// Versions of `apidiscovery.k8s.io`, which differ in name only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregatedVersion {
    /// `v2`
    V2,
    /// `v2beta1`, for clients of Kubernetes 1.26 to 1.29
    V2Beta1,
}

impl AggregatedVersion {
    fn api_version(self) -> &'static str {
        match self {
            Self::V2 => "apidiscovery.k8s.io/v2",
            Self::V2Beta1 => "apidiscovery.k8s.io/v2beta1",
        }
    }

    /// The media type clients ask for, which is also that of the answer.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Self::V2Beta1 => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        }
    }
}

/// `/api` in aggregated form.
pub fn aggregated_core(catalog: &Catalog, version: AggregatedVersion) -> Value {
    list(vec![group(catalog, "", &["v1".to_string()])], version)
}

/// `/apis` in aggregated form.
pub fn aggregated_groups(catalog: &Catalog, version: AggregatedVersion) -> Value {
    let groups = catalog.groups();
    list(groups.iter().map(|(name, versions)| group(catalog, name, versions)).collect(), version)
}

fn list(items: Vec<Value>, version: AggregatedVersion) -> Value {
    json!({ "kind": "APIGroupDiscoveryList", "apiVersion": version.api_version(), "metadata": {}, "items": items })
}

fn group(catalog: &Catalog, name: &str, versions: &[String]) -> Value {
    let mut metadata = Map::new();
    if !name.is_empty() {
        metadata.insert("name".into(), json!(name));
    }
    let entry = |version: &String| {
        let served = catalog.rows().iter().filter(|row| row.group == name && row.version == *version);
        let mut rows: Vec<&Resource> = served.map(AsRef::as_ref).collect();
        rows.sort_by(|a, b| a.plural.cmp(&b.plural));
        let resources: Vec<Value> = rows.into_iter().map(resource).collect();
        json!({ "version": version, "freshness": "Current", "resources": resources })
    };
    let versions: Vec<Value> = versions.iter().map(entry).collect();
    json!({ "metadata": metadata, "versions": versions })
}

fn resource(row: &Resource) -> Value {
    let mut entry = json!({
        "resource": row.plural,
        "responseKind": { "group": row.group, "version": row.version, "kind": row.kind },
        "scope": if row.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": row.singular,
        "verbs": super::verbs(row),
    });
    if !row.short_names.is_empty() {
        entry["shortNames"] = json!(row.short_names);
    }
    if !row.categories.is_empty() {
        entry["categories"] = json!(row.categories);
    }
    if !row.subresources.is_empty() {
        let mut subresources = row.subresources.clone();
        subresources.sort_by_key(|subresource| subresource.name());
        entry["subresources"] = subresources.into_iter().map(|sub| subresource(row, sub)).collect();
    }
    entry
}

fn subresource(row: &Resource, subresource: Subresource) -> Value {
    let [group, version, kind] = subresource.kind(row);
    json!({
        "subresource": subresource.name(),
        "responseKind": { "group": group, "version": version, "kind": kind },
        "verbs": subresource.verbs(),
    })
}
