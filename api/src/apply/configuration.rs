//! Merging what an admission policy wants into an object, without anybody owning it afterwards (KEP-3962,
//! `k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch/smd.go`).

use serde_json::{Value, json};

use super::path::Element;
use super::shape::{Shape, Shaped};
use super::{merge, normalized_as, root_of, typed};
use crate::catalog::Resource;

/// The object with the fields of the configuration in it. `resource` is what the object is one of; none for what is no
/// object of a resource (a Scale).
///
/// # Errors
/// When the configuration is not of the object's shape, or names a list, map or struct that can only be replaced as a
/// whole: its author means to add to it, and would take away what is there.
pub fn merge_configuration(resource: Option<&Resource>, object: &Value, mut config: Value) -> Result<Value, String> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    if let Some(fields) = config.as_object_mut() {
        fields.insert("apiVersion".into(), json!(text("apiVersion")));
        fields.insert("kind".into(), json!(text("kind")));
    }
    let root = root_of(resource, text("apiVersion"), text("kind"));
    let root = root.ok_or_else(|| format!("no schema for {}, Kind={}", text("apiVersion"), text("kind")))?;
    if let Some(errors) = typed::errors(&root, &config) {
        return Err(format!("failed to convert patch object to typed object: {errors}"));
    }
    let mut atomics = Vec::new();
    find_atomics(&root, &config, "", &mut atomics);
    if !atomics.is_empty() {
        let atomics = atomics.join(", ");
        return Err(format!("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {atomics}"));
    }
    let merged = merge::merge(&root, object, &config).map_err(|error| format!("failed to merge patch: {error}"))?;
    normalized_as(resource, (text("apiVersion"), text("kind")), merged)
        .map_err(|error| format!("failed to convert typed object to object: {error}"))
}

fn find_atomics(shaped: &Shaped<'_>, value: &Value, path: &str, found: &mut Vec<String>) {
    if matches!(shaped.shape(), Shape::Atom) && shaped.atomic_container().is_some() && is_container(value) {
        found.push(path.to_string());
    }
    match value {
        Value::Object(fields) if !matches!(shaped.shape(), Shape::Map) => {
            for (name, value) in fields {
                if let Some(below) = shaped.field(name) {
                    find_atomics(&below, value, &format!("{path}{}", Element::field(name).display()), found);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                find_atomics(&shaped.element(), value, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn is_container(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    fn merged(object: &Value, config: Value) -> Result<Value, String> {
        let (group, version) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
        let plural = if group.is_empty() { "pods" } else { "deployments" };
        let row = Catalog::builtin().find(group, version, plural).unwrap();
        merge_configuration(Some(&row), object, config)
    }

    #[test]
    fn elements_are_found_by_their_keys() {
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "labels": { "a": "b" } },
            "spec": { "containers": [{ "name": "main", "image": "x" }, { "name": "other", "image": "y" }] } });
        let config = json!({
            "metadata": { "labels": { "c": "d" } },
            "spec": {
                "containers": [{ "name": "main", "env": [{ "name": "E", "value": "1" }] }],
                "initContainers": [{ "name": "first", "image": "z" }],
            },
        });
        let merged = merged(&pod, config).unwrap();
        assert_eq!(merged["metadata"], json!({ "name": "p", "labels": { "a": "b", "c": "d" } }));
        assert_eq!(
            merged["spec"],
            json!({
                "containers": [
                    { "name": "main", "image": "x", "env": [{ "name": "E", "value": "1" }] },
                    { "name": "other", "image": "y" },
                ],
                "initContainers": [{ "name": "first", "image": "z" }],
            })
        );
    }

    #[test]
    fn what_is_replaced_as_a_whole_is_not_for_configurations() {
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "spec": { "containers": [] } });
        let config = json!({ "spec": {
            "containers": [{ "name": "a", "command": ["x"] }], "nodeSelector": { "a": "b" },
        } });
        let text = "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: \
                    .spec.containers[0].command, .spec.nodeSelector";
        assert_eq!(merged(&pod, config), Err(text.to_string()));
    }

    #[test]
    fn fields_have_to_be_known_and_of_their_type() {
        let deployment = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": 1 } });
        let wrong = |config: Value| merged(&deployment, config).unwrap_err();
        assert_eq!(
            wrong(json!({ "spec": { "nothing": 1 } })),
            "failed to convert patch object to typed object: .spec.nothing: field not declared in schema"
        );
        assert_eq!(
            wrong(json!({ "spec": { "replicas": "x" } })),
            "failed to convert patch object to typed object: .spec.replicas: expected numeric (int or float), got string"
        );
        let fine = merged(&deployment, json!({ "spec": { "replicas": 3 } })).unwrap();
        assert_eq!(fine, json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": 3 } }));
    }
}
