//! Discovery documents with what remotes serve in them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Remote, priorities};

/// `APIGroupList` with the groups of remotes.
pub(crate) fn merge_groups(mut document: Value, remotes: &[Arc<Remote>]) -> Value {
    let Some(groups) = document["groups"].as_array_mut() else { return document };
    for remote in remotes {
        match groups.iter_mut().find(|group| group["name"] == remote.group.as_str()) {
            Some(group) => add_version(group, remote),
            None => groups.push(group_of(remote)),
        }
    }
    sort(groups, remotes, |group| group["name"].as_str().unwrap_or_default().to_string());
    document
}

/// `APIGroup` for a group that remotes alone serve, or serve versions of.
pub(crate) fn remote_group(local: Option<Value>, name: &str, remotes: &[Arc<Remote>]) -> Option<Value> {
    let mut group = local;
    for remote in remotes.iter().filter(|remote| remote.group == name) {
        match &mut group {
            Some(group) => add_version(group, remote),
            None => {
                let mut made = group_of(remote);
                made["kind"] = json!("APIGroup");
                made["apiVersion"] = json!("v1");
                group = Some(made);
            }
        }
    }
    group
}

fn version_of(remote: &Remote) -> Value {
    json!({ "groupVersion": format!("{}/{}", remote.group, remote.version), "version": remote.version })
}

fn group_of(remote: &Remote) -> Value {
    let version = version_of(remote);
    json!({ "name": remote.group, "preferredVersion": version, "versions": [version] })
}

fn add_version(group: &mut Value, remote: &Remote) {
    let Some(versions) = group["versions"].as_array_mut() else { return };
    if versions.iter().all(|known| known["version"] != remote.version.as_str()) {
        versions.push(version_of(remote));
        versions.sort_by(compare);
        group["preferredVersion"] = group["versions"][0].clone();
    }
}

fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    let text = |value: &Value| value["version"].as_str().unwrap_or_default().to_string();
    coracle_api::versions::compare(&text(a), &text(b))
}

/// Groups by rank, those of one rank as they came.
fn sort(groups: &mut [Value], remotes: &[Arc<Remote>], name: impl Fn(&Value) -> String) {
    groups.sort_by_cached_key(|group| {
        let name = name(group);
        let remote = remotes.iter().filter(|remote| remote.group == name).map(|remote| remote.group_priority).max();
        std::cmp::Reverse(remote.unwrap_or(0).max(priorities::group(&name)))
    });
}

/// `APIGroupDiscoveryList` of `/apis` with the groups of remotes.
pub(crate) fn merge_aggregated(mut document: Value, remotes: &[Arc<Remote>]) -> Value {
    let Some(items) = document["items"].as_array_mut() else { return document };
    for remote in remotes {
        let version = aggregated_version(remote);
        match items.iter_mut().find(|item| item["metadata"]["name"] == remote.group.as_str()) {
            Some(item) => {
                if let Some(versions) = item["versions"].as_array_mut() {
                    versions.push(version);
                    versions.sort_by(compare);
                }
            }
            None => items.push(json!({ "metadata": { "name": remote.group }, "versions": [version] })),
        }
    }
    sort(items, remotes, |item| item["metadata"]["name"].as_str().unwrap_or_default().to_string());
    document
}

/// A version in aggregated form, made of the `APIResourceList` that the remote has answered with.
fn aggregated_version(remote: &Remote) -> Value {
    let freshness = if remote.state.available { "Current" } else { "Stale" };
    let all = &remote.state.resources;
    let plain = all.iter().filter(|resource| !name_of(resource).contains('/'));
    let resources: Vec<Value> = plain.map(|resource| aggregated_resource(remote, resource, all)).collect();
    json!({ "version": remote.version, "freshness": freshness, "resources": resources })
}

fn name_of(resource: &Value) -> &str {
    resource["name"].as_str().unwrap_or_default()
}

fn response_kind(remote: &Remote, resource: &Value) -> Value {
    let text = |field: &str, default: &str| {
        let given = resource[field].as_str().filter(|text| !text.is_empty());
        given.unwrap_or(default).to_string()
    };
    json!({
        "group": text("group", &remote.group), "version": text("version", &remote.version), "kind": text("kind", ""),
    })
}

fn aggregated_resource(remote: &Remote, resource: &Value, all: &[Value]) -> Value {
    let mut entry = Map::new();
    entry.insert("resource".into(), json!(name_of(resource)));
    entry.insert("responseKind".into(), response_kind(remote, resource));
    entry.insert("scope".into(), json!(if resource["namespaced"] == true { "Namespaced" } else { "Cluster" }));
    entry.insert("singularResource".into(), resource["singularName"].clone());
    entry.insert("verbs".into(), resource["verbs"].clone());
    for field in ["shortNames", "categories"] {
        if resource[field].as_array().is_some_and(|list| !list.is_empty()) {
            entry.insert(field.into(), resource[field].clone());
        }
    }
    let prefix = format!("{}/", name_of(resource));
    let below: Vec<Value> = all
        .iter()
        .filter_map(|sub| {
            let name = name_of(sub).strip_prefix(&prefix)?;
            Some(json!({
                "subresource": name, "responseKind": response_kind(remote, sub), "verbs": sub["verbs"],
            }))
        })
        .collect();
    if !below.is_empty() {
        entry.insert("subresources".into(), Value::Array(below));
    }
    Value::Object(entry)
}

/// The index of `/openapi/v3` with the documents of remotes, which are asked for them when somebody wants one.
pub(crate) fn merge_openapi_index(mut index: Value, remotes: &[Arc<Remote>]) -> Value {
    for remote in remotes.iter().filter(|remote| remote.state.available) {
        let path = format!("apis/{}/{}", remote.group, remote.version);
        if index["paths"].get(&path).is_none() {
            index["paths"][&path] = json!({ "serverRelativeURL": format!("/openapi/v3/{path}") });
        }
    }
    index
}
