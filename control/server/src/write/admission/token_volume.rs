//! The token of a pod's service account, as a volume that every container sees.

use coracle_api::names;
use serde_json::{Value, json};

/// Where client libraries look.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What the volume is called, before a random end.
const NAME_PREFIX: &str = "kube-api-access-";
/// How long a token is good for: an hour, and a little so that it can be told from one that somebody asked for.
const TOKEN_SECONDS: i64 = 3607;

/// Mounts the token into every container that has nothing at its place.
pub(super) fn mount(spec: &mut Value) {
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let mut names = volumes.filter_map(|volume| volume["name"].as_str());
    let present = names.find(|name| name.starts_with(NAME_PREFIX)).map(str::to_owned);
    let name = present.clone().unwrap_or_else(|| names::generate(NAME_PREFIX, rand::random()));
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        // Not by index, which would leave a null where there is no list.
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            mounted |= mount_into(container, &name);
        }
    }
    if mounted && present.is_none() {
        push(&mut spec["volumes"], volume(&name));
    }
}

fn mount_into(container: &mut Value, volume: &str) -> bool {
    let mut mounts = container["volumeMounts"].as_array().into_iter().flatten();
    if !container.is_object() || mounts.any(|mount| mount["mountPath"] == MOUNT_PATH) {
        return false;
    }
    push(&mut container["volumeMounts"], json!({"name": volume, "readOnly": true, "mountPath": MOUNT_PATH}));
    true
}

fn push(list: &mut Value, item: Value) {
    match list.as_array_mut() {
        Some(list) => list.push(item),
        None => *list = json!([item]),
    }
}

fn volume(name: &str) -> Value {
    let field = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
    json!({"name": name, "projected": {"defaultMode": 0o644, "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]}})
}
