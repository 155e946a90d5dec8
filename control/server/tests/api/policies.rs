//! Admission policies written in CEL.

mod mutating;
mod params;
mod validating;

use serde_json::{Value, json};

use crate::support::Cluster;

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

/// What config maps are matched by, for creations and updates.
fn of_maps() -> Value {
    let rule = json!({
        "operations": ["CREATE", "UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
    });
    json!({ "resourceRules": [rule] })
}

fn with(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

async fn store(cluster: &Cluster, plural: &str, kind: &str, name: &str, spec: Value) {
    let metadata = json!({ "name": name });
    let object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec,
    });
    cluster.post(&format!("{GROUP}/{plural}"), object).await.ok();
}

/// A validating policy about config maps, unless it says otherwise.
async fn validating(cluster: &Cluster, name: &str, spec: Value) {
    let spec = with(json!({ "matchConstraints": of_maps() }), spec);
    store(cluster, "validatingadmissionpolicies", "ValidatingAdmissionPolicy", name, spec).await;
}

/// Binds it, to refuse what it does not like unless `spec` says otherwise.
async fn bind(cluster: &Cluster, name: &str, policy: &str, spec: Value) {
    let spec = with(json!({ "policyName": policy, "validationActions": ["Deny"] }), spec);
    store(cluster, "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", name, spec).await;
}

/// A mutating policy about config maps, and its binding.
async fn mutating(cluster: &Cluster, name: &str, spec: Value) {
    let spec = with(json!({ "matchConstraints": of_maps(), "reinvocationPolicy": "Never" }), spec);
    store(cluster, "mutatingadmissionpolicies", "MutatingAdmissionPolicy", name, spec).await;
    let binding = json!({ "policyName": name });
    store(cluster, "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", name, binding).await;
}
