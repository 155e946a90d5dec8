//! One manifest file: what is in it becomes a pod of this node, as kubelet makes one of it.

use std::path::Path;

use coracle_api::{Catalog, meta};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{HASH, SEEN, SOURCE};

/// Characters of a hash: as many as kubelet's have.
const HASH_CHARS: usize = 32;
/// Errors of one file that are told.
const ERRORS_LIMIT: usize = 10;

/// Reads a manifest. The error says what is wrong with it.
pub fn read_pod(bytes: &[u8], path: &Path, node: &str, now: Timestamp) -> Result<Pod, String> {
    let mut pod: Value = serde_yaml::from_slice(bytes).map_err(|error| format!("couldn't parse as pod: {error}"))?;
    let (version, kind) = (text(&pod, "apiVersion").to_owned(), text(&pod, "kind").to_owned());
    if (version.as_str(), kind.as_str()) != ("v1", "Pod") {
        return Err(format!("couldn't parse as pod: it is a {kind:?} of {version:?}, not a Pod of v1"));
    }
    let hash = hash(&pod, path, node);
    take_over(&mut pod, &hash, node, now)?;
    let row = Catalog::builtin().find("", "v1", "pods").ok_or("pods are not known")?;
    row.defaults(&mut pod);
    let mut errors: Vec<String> = (row.rules.name_errors)(meta::name(&pod), false);
    errors.extend(row.create_errors(&pod).iter().take(ERRORS_LIMIT).map(ToString::to_string));
    if !errors.is_empty() {
        return Err(format!("invalid pod: {}", errors.join(", ")));
    }
    if let Some(what) = reference(&pod) {
        return Err(format!("static pods can not reference {what}"));
    }
    serde_json::from_value(pod).map_err(|error| format!("couldn't parse as pod: {error}"))
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// Identifies what is in the file, on this node: it is the pod's UID, and a change makes another pod.
fn hash(pod: &Value, path: &Path, node: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [pod.to_string().as_bytes(), node.as_bytes(), path.as_os_str().as_encoded_bytes()] {
        hasher.update(part);
        hasher.update([0]);
    }
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..HASH_CHARS].to_owned()
}

/// Makes it this node's own.
fn take_over(pod: &mut Value, hash: &str, node: &str, now: Timestamp) -> Result<(), String> {
    let name = meta::name(pod).to_owned();
    if name.is_empty() {
        return Err("invalid pod: metadata.name: Required value: name or generateName is required".to_owned());
    }
    let namespace = Some(meta::namespace(pod)).filter(|it| !it.is_empty()).unwrap_or("default").to_owned();
    if !pod["spec"].is_object() {
        return Err("invalid pod: spec: Required value".to_owned());
    }
    let metadata = meta::metadata_mut(pod);
    for field in ["resourceVersion", "generateName", "managedFields", "ownerReferences", "deletionTimestamp"] {
        metadata.remove(field);
    }
    metadata.insert("name".into(), json!(format!("{name}-{}", node.to_lowercase())));
    metadata.insert("namespace".into(), json!(namespace));
    metadata.insert("uid".into(), json!(hash));
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if !annotations.is_object() {
        *annotations = json!({});
    }
    annotations[HASH] = json!(hash);
    annotations[SOURCE] = json!("file");
    annotations[SEEN] = json!(now);
    pod["spec"]["nodeName"] = json!(node);
    // No taint drives it away.
    let everywhere = json!({"operator": "Exists", "effect": "NoExecute"});
    match pod["spec"]["tolerations"].as_array_mut() {
        Some(tolerations) => tolerations.push(everywhere),
        None => pod["spec"]["tolerations"] = json!([everywhere]),
    }
    if let Some(object) = pod.as_object_mut() {
        object.remove("status");
    }
    Ok(())
}

/// What of the API the pod can't do without: it may run where there is none.
fn reference(pod: &Value) -> Option<&'static str> {
    let spec = &pod["spec"];
    if !text(spec, "serviceAccountName").is_empty() {
        return Some("serviceaccounts");
    }
    let list = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    for volume in list(spec, "volumes") {
        for (field, what) in
            [("secret", "secrets"), ("configMap", "configmaps"), ("persistentVolumeClaim", "persistentvolumeclaims")]
        {
            if !volume[field].is_null() {
                return Some(what);
            }
        }
        for source in list(&volume["projected"], "sources") {
            for (field, what) in
                [("secret", "secrets"), ("configMap", "configmaps"), ("serviceAccountToken", "serviceaccounts")]
            {
                if !source[field].is_null() {
                    return Some(what);
                }
            }
        }
    }
    let containers = ["containers", "initContainers"].into_iter().flat_map(|field| list(spec, field));
    let variables = containers.flat_map(|container| [list(&container, "env"), list(&container, "envFrom")].concat());
    for variable in variables {
        let from = if variable["valueFrom"].is_object() { &variable["valueFrom"] } else { &variable };
        if !from["secretKeyRef"].is_null() || !from["secretRef"].is_null() {
            return Some("secrets");
        }
        if !from["configMapKeyRef"].is_null() || !from["configMapRef"].is_null() {
            return Some("configmaps");
        }
    }
    (!list(spec, "resourceClaims").is_empty()).then_some("resourceclaims")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Pod, String> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        read_pod(text.as_bytes(), Path::new("/etc/pods/web.yaml"), "node1", now)
    }

    const WEB: &str =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: 'a/b:1'}]}";

    #[test]
    fn a_manifest_becomes_this_nodes_pod() {
        let pod = read(WEB).unwrap();
        let metadata = &pod.metadata;
        assert_eq!(metadata.name.as_deref(), Some("web-node1"));
        assert_eq!(metadata.namespace.as_deref(), Some("default"));
        let uid = metadata.uid.clone().unwrap();
        assert_eq!(uid.len(), 32);
        let annotations = metadata.annotations.as_ref().unwrap();
        assert_eq!((&annotations[HASH], &*annotations[SOURCE]), (&uid, "file"));
        assert_eq!(annotations[SEEN], "2026-01-01T00:00:00Z");
        let spec = pod.spec.unwrap();
        assert_eq!(spec.node_name.as_deref(), Some("node1"));
        assert_eq!(spec.restart_policy.as_deref(), Some("Always"), "defaults are filled in");
        assert_eq!(read(WEB).unwrap().metadata.uid, Some(uid.clone()));
        assert_ne!(read(&WEB.replace("b:1", "b:2")).unwrap().metadata.uid, Some(uid));
    }

    #[test]
    fn json_is_read_too() {
        let json = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"j","namespace":"kube-system"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#;
        assert_eq!(read(json).unwrap().metadata.namespace.as_deref(), Some("kube-system"));
    }

    #[test]
    fn what_is_no_pod_of_this_kind_is_explained() {
        for (text, wanted) in [
            ("kind: [", "couldn't parse as pod: "),
            ("apiVersion: v1\nkind: Service", "it is a \"Service\" of \"v1\", not a Pod of v1"),
            ("- 1", "it is a \"\" of \"\""),
            ("apiVersion: v1\nkind: Pod\nspec: {containers: []}", "metadata.name: Required value"),
            ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}", "spec: Required value"),
            (
                "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: []}",
                "spec.containers: Required value",
            ),
            (&*format!("{WEB}\n---\n{WEB}"), "more than one document"),
            (
                &*WEB.replace("spec: {", "spec: {serviceAccountName: admin, "),
                "static pods can not reference serviceaccounts",
            ),
            (
                &*WEB.replace("spec: {", "spec: {volumes: [{name: v, configMap: {name: x}}], "),
                "static pods can not reference configmaps",
            ),
            (
                &*WEB.replace("image: 'a/b:1'", "image: i, envFrom: [{secretRef: {name: x}}]"),
                "static pods can not reference secrets",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
