//! `optional updates should be reflected in volume` of every kind of volume, and tokens in volumes

use serde_json::{Value, json};

use super::site::{Site, pod};
use crate::harness::eventually;

/// The part of a volume that names an object which need not be there.
fn optional(kind: &str, name: &str) -> Value {
    if kind == "Secret" {
        json!({"secret": {"name": name, "secretName": name, "optional": true}})
    } else {
        json!({"configMap": {"name": name, "optional": true}})
    }
}

fn volume(kind: &str, projected: bool, name: &str) -> Value {
    let mut source = optional(kind, name);
    if kind == "Secret" {
        source["secret"].as_object_mut().unwrap().remove(if projected { "secretName" } else { "name" });
    }
    let mut volume = if projected { json!({"projected": {"sources": [source]}}) } else { source };
    volume["name"] = json!(name);
    volume
}

/// Waits until exec reads this from the file, or finds none.
fn reads(site: &Site, file: &str, wanted: Option<&str>) {
    eventually(&format!("{file} reads {wanted:?}"), || {
        let found = site.kubectl(&format!("exec reader -- cat {file}")).result();
        match (&found, wanted) {
            (Ok(text), Some(wanted)) if text == wanted => Ok(()),
            (Err(error), None) if error.contains("No such file") => Ok(()),
            _ => Err(format!("{found:?}")),
        }
    });
}

/// A volume each of an object that goes, one that changes and one that comes, while the pod runs.
fn followed(kind: &str, projected: bool) {
    let site = Site::new();
    site.data(kind, "goes", &json!({"data-1": "value-1"}));
    site.data(kind, "changes", &json!({"data-1": "value-1"}));
    let names = ["goes", "changes", "comes"];
    let mounts = names.map(|name| json!({"name": name, "mountPath": format!("/mnt/{name}")}));
    let mut pod = pod("reader", &["sleep", "600"], &json!({"volumeMounts": mounts}));
    pod["spec"]["volumes"] = json!(names.map(|name| volume(kind, projected, name)));
    site.apply(&pod);
    site.phase("reader", "Running");
    reads(&site, "/mnt/goes/data-1", Some("value-1"));
    reads(&site, "/mnt/changes/data-1", Some("value-1"));
    reads(&site, "/mnt/comes/data-1", None);
    site.kubectl(&format!("delete {kind} goes")).ok();
    site.data(kind, "changes", &json!({"data-3": "value-3"}));
    // What `stringData` once gave, it does not take back.
    site.kubectl(&format!("patch {kind} changes --type=merge -p {{\"data\":{{\"data-1\":null}}}}")).ok();
    site.data(kind, "comes", &json!({"data-1": "value-1"}));
    reads(&site, "/mnt/comes/data-1", Some("value-1"));
    reads(&site, "/mnt/changes/data-3", Some("value-3"));
    reads(&site, "/mnt/changes/data-1", None);
    reads(&site, "/mnt/goes/data-1", None);
}

/// `[sig-storage] ConfigMap optional updates should be reflected in volume [NodeConformance] [Conformance]`
#[test]
fn config_map() {
    followed("ConfigMap", false);
}

/// `[sig-storage] Secrets optional updates should be reflected in volume [NodeConformance] [Conformance]`
#[test]
fn secret() {
    followed("Secret", false);
}

/// `[sig-storage] Projected configMap optional updates should be reflected in volume [NodeConformance] [Conformance]`
#[test]
fn projected_config_map() {
    followed("ConfigMap", true);
}

/// `[sig-storage] Projected secret optional updates should be reflected in volume [NodeConformance] [Conformance]`
#[test]
fn projected_secret() {
    followed("Secret", true);
}

/// `[sig-auth] ServiceAccounts should mount projected service account token [Conformance]`
///
/// And the API server takes it for what it is.
#[test]
fn projected_token() {
    let site = Site::new();
    let source = json!({"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}});
    let mount = json!({"volumeMounts": [{"name": "v", "mountPath": "/test-volume", "readOnly": true}]});
    let mut pod = pod("token", &["cat", "/test-volume/token"], &mount);
    pod["spec"]["volumes"] = json!([{"name": "v", "projected": {"sources": [source]}}]);
    let token = site.output(&pod);
    assert_eq!(token.split('.').filter(|part| !part.is_empty()).count(), 3, "{token}");
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token},
    });
    let path = "{.status.user.username} {.status.user.extra.authentication\\.kubernetes\\.io/pod-name}";
    let told = site.kubectl_with_input(&format!("create -f - -o 'jsonpath={path}'"), &review.to_string()).ok();
    assert_eq!(told, format!("system:serviceaccount:{}:default [\"token\"]", site.namespace));
}

/// `[sig-auth] ServiceAccounts should mount an API token into pods [Conformance]`
#[test]
fn api_token() {
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    let site = Site::new();
    site.apply(&pod("mounted", &["sleep", "600"], &json!({})));
    site.phase("mounted", "Running");
    let file = |name: &str| site.kubectl(&format!("exec mounted -- cat {account}/{name}")).ok();
    assert_eq!(file("namespace"), site.namespace);
    assert!(file("ca.crt").starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(file("token").split('.').count(), 3);
}
