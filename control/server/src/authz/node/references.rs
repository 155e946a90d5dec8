//! What the pods of a node need: the objects that they name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use coracle_api::meta;
use coracle_store::{Key, Record, Scope, Store};
use parking_lot::Mutex;
use serde_json::Value;

use crate::value::{items, text};

/// Marks the image of a static pod, which a node makes itself: it would give itself whatever it writes into it.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Where the source of a persistent volume names secrets that a node needs. A CSI driver has others for its controller, which
/// are no business of nodes (`pkg/api/v1/persistentvolume`).
const SECRETS_FOR_NODES: [&str; 4] = ["secretRef", "nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"];

/// Pods whose references are remembered; as many as there are on some full nodes.
const REMEMBERED: usize = 65_536;

/// What can be reached from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Vertex {
    Secret,
    ConfigMap,
    Claim,
    ServiceAccount,
    ResourceClaim,
}

/// Names in the pod's own namespace.
pub(crate) type References = HashSet<(Vertex, String)>;

/// What a pod names, and the revision that was read.
type Known = (u64, Arc<References>);

/// The graph between nodes, their pods and what those name, as it is in the store at each question.
pub(super) struct Graph {
    store: Store,
    /// By the pod's uid.
    known: Mutex<HashMap<Box<str>, Known>>,
}

impl Graph {
    pub(super) fn new(store: Store) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// Whether a pod of the node names the object.
    pub(super) fn reaches(&self, node: &str, vertex: Vertex, namespace: &str, name: &str) -> bool {
        let wanted = (vertex, name.to_string());
        self.pods(node, namespace).any(|pod| self.references(&pod).contains(&wanted))
            || (vertex == Vertex::Secret && self.volume_has_secret(node, namespace, name))
    }

    /// Whether the pod is there and on the node.
    pub(super) fn has_pod(&self, node: &str, namespace: &str, name: &str) -> bool {
        let pod = self.store.get(&Key::new("pods", namespace, name));
        pod.is_some_and(|pod| pod.lifted.field("spec.nodeName") == Some(node))
    }

    /// Whether a pod of the node has the volume by its claim.
    pub(super) fn reaches_volume(&self, node: &str, name: &str) -> bool {
        self.store.get(&Key::new("persistentvolumes", "", name)).is_some_and(|record| self.uses(node, &parse(&record)))
    }

    /// Whether a volume is to be attached to the node by this.
    pub(super) fn has_attachment(&self, node: &str, name: &str) -> bool {
        self.is_of("volumeattachments.storage.k8s.io", name, node)
    }

    /// Whether this says which devices the node has.
    pub(super) fn has_slice(&self, node: &str, name: &str) -> bool {
        self.is_of("resourceslices.resource.k8s.io", name, node)
    }

    /// Whether there is such an object, and its `spec.nodeName` is the node.
    fn is_of(&self, resource: &str, name: &str, node: &str) -> bool {
        let record = self.store.get(&Key::new(resource, "", name));
        record.is_some_and(|record| parse(&record)["spec"]["nodeName"] == node)
    }

    fn uses(&self, node: &str, volume: &Value) -> bool {
        let claim = &volume["spec"]["claimRef"];
        let (namespace, name) = (text(&claim["namespace"]), text(&claim["name"]));
        !name.is_empty() && self.reaches(node, Vertex::Claim, namespace, name)
    }

    /// Whether a volume that the node needs names the secret for nodes, as those of CSI drivers do.
    fn volume_has_secret(&self, node: &str, namespace: &str, name: &str) -> bool {
        let volumes = self.store.list(&Scope::all("persistentvolumes"));
        volumes.iter().map(|record| parse(record)).any(|volume| {
            secrets_of_volume(&volume).any(|secret| secret == (namespace, name)) && self.uses(node, &volume)
        })
    }

    fn pods(&self, node: &str, namespace: &str) -> impl Iterator<Item = Arc<Record>> {
        let all = self.store.list(&Scope::namespaced("pods", namespace));
        let own = all.iter().filter(|pod| pod.lifted.field("spec.nodeName") == Some(node)).cloned();
        own.collect::<Vec<_>>().into_iter()
    }

    fn references(&self, record: &Record) -> Arc<References> {
        if let Some((revision, known)) = self.known.lock().get(&record.lifted.uid)
            && *revision == record.revision
        {
            return known.clone();
        }
        let pod = parse(record);
        let is_mirror = meta::annotations(&pod).contains_key(MIRROR);
        let found = Arc::new(if is_mirror { References::new() } else { references(&pod) });
        let mut known = self.known.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(record.lifted.uid.clone(), (record.revision, found.clone()));
        found
    }
}

/// The secrets that a persistent volume names for the nodes that mount it, as namespace and name.
fn secrets_of_volume(volume: &Value) -> impl Iterator<Item = (&str, &str)> {
    let sources = volume["spec"].as_object().into_iter().flatten().map(|(_, source)| source);
    let of_sources = sources.flat_map(|source| SECRETS_FOR_NODES.map(|field| &source[field]));
    let named = of_sources.map(|secret| (text(&secret["namespace"]), text(&secret["name"])));
    let share = &volume["spec"]["azureFile"];
    let of_share = (text(&share["secretNamespace"]), text(&share["secretName"]));
    // Volumes of old name no namespace.
    let claim_namespace = text(&volume["spec"]["claimRef"]["namespace"]);
    let named = named.chain([of_share]).filter(|(_, name)| !name.is_empty());
    named.map(move |(at, name)| (if at.is_empty() { claim_namespace } else { at }, name))
}

/// What a pod names.
pub(crate) fn references(pod: &Value) -> References {
    let mut found = References::new();
    let spec = &pod["spec"];
    add(&mut found, Vertex::ServiceAccount, &spec["serviceAccountName"]);
    items(&spec["imagePullSecrets"]).for_each(|secret| add(&mut found, Vertex::Secret, &secret["name"]));
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        items(&spec[list]).for_each(|container| of_container(&mut found, container));
    }
    items(&spec["volumes"]).for_each(|volume| of_volume(&mut found, pod, volume));
    // Claims for devices: those that it names, and those that were made for it.
    let (made, status) = (&pod["status"]["resourceClaimStatuses"], &pod["status"]["extendedResourceClaimStatus"]);
    for claim in items(&spec["resourceClaims"]).chain(items(made)).chain([status]) {
        add(&mut found, Vertex::ResourceClaim, &claim["resourceClaimName"]);
    }
    found
}

fn of_container(found: &mut References, container: &Value) {
    for source in items(&container["envFrom"]) {
        add(found, Vertex::Secret, &source["secretRef"]["name"]);
        add(found, Vertex::ConfigMap, &source["configMapRef"]["name"]);
    }
    for variable in items(&container["env"]) {
        add(found, Vertex::Secret, &variable["valueFrom"]["secretKeyRef"]["name"]);
        add(found, Vertex::ConfigMap, &variable["valueFrom"]["configMapKeyRef"]["name"]);
    }
}

fn of_volume(found: &mut References, pod: &Value, volume: &Value) {
    add(found, Vertex::Secret, &volume["secret"]["secretName"]);
    add(found, Vertex::ConfigMap, &volume["configMap"]["name"]);
    add(found, Vertex::Claim, &volume["persistentVolumeClaim"]["claimName"]);
    if volume["ephemeral"].is_object() {
        let claim = format!("{}-{}", meta::name(pod), text(&volume["name"]));
        found.insert((Vertex::Claim, claim));
    }
    for source in items(&volume["projected"]["sources"]) {
        add(found, Vertex::Secret, &source["secret"]["name"]);
        add(found, Vertex::ConfigMap, &source["configMap"]["name"]);
    }
    // Storage of whatever kind that needs a secret of the pod's namespace.
    for (_, source) in volume.as_object().into_iter().flatten() {
        add(found, Vertex::Secret, &source["secretRef"]["name"]);
        add(found, Vertex::Secret, &source["nodePublishSecretRef"]["name"]);
    }
    add(found, Vertex::Secret, &volume["azureFile"]["secretName"]);
}

fn add(found: &mut References, vertex: Vertex, name: &Value) {
    if let Some(name) = name.as_str().filter(|name| !name.is_empty()) {
        found.insert((vertex, name.to_string()));
    }
}

fn parse(record: &Record) -> Value {
    serde_json::from_slice(&record.json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_volume_names_secrets_for_nodes_and_others_that_are_not_for_them() {
        let secrets = |source: Value| {
            let mut spec = source;
            spec["claimRef"] = json!({ "namespace": "of-claim", "name": "c" });
            let volume = json!({ "spec": spec });
            let found: Vec<String> = secrets_of_volume(&volume).map(|(at, name)| format!("{at}/{name}")).collect();
            found.join(" ")
        };
        let secret = |name: &str| json!({ "namespace": "ns", "name": name });
        let csi = json!({ "csi": {
            "controllerPublishSecretRef": secret("attach"), "controllerExpandSecretRef": secret("grow"),
            "nodePublishSecretRef": secret("mount"), "nodeStageSecretRef": secret("stage"),
            "nodeExpandSecretRef": secret("resize"),
        } });
        assert_eq!(secrets(csi), "ns/mount ns/stage ns/resize");
        assert_eq!(secrets(json!({ "iscsi": { "secretRef": secret("chap") } })), "ns/chap");
        assert_eq!(secrets(json!({ "rbd": { "secretRef": { "name": "old" } } })), "of-claim/old");
        assert_eq!(secrets(json!({ "azureFile": { "secretName": "share" } })), "of-claim/share");
        let elsewhere = json!({ "azureFile": { "secretName": "share", "secretNamespace": "ns" } });
        assert_eq!(secrets(elsewhere), "ns/share");
        assert_eq!(secrets(json!({ "hostPath": { "path": "/x" }, "capacity": {} })), "");
    }

    #[test]
    fn a_pod_names_what_it_cannot_run_without() {
        let pod = json!({
            "metadata": { "name": "p" },
            "spec": {
                "serviceAccountName": "robot", "imagePullSecrets": [{ "name": "pull" }],
                "initContainers": [{ "envFrom": [{ "secretRef": { "name": "from" } }, { "configMapRef": { "name": "all" } }] }],
                "containers": [{ "env": [
                    { "name": "A", "valueFrom": { "secretKeyRef": { "name": "key", "key": "k" } } },
                    { "name": "B", "valueFrom": { "configMapKeyRef": { "name": "one", "key": "k" } } },
                ] }],
                "resourceClaims": [{ "name": "gpu", "resourceClaimName": "device" }, { "name": "t", "resourceClaimTemplateName": "t" }],
                "ephemeralContainers": [{ "envFrom": [{ "secretRef": { "name": "debug" } }] }],
                "volumes": [
                    { "name": "a", "secret": { "secretName": "files" } },
                    { "name": "b", "configMap": { "name": "map" } },
                    { "name": "c", "persistentVolumeClaim": { "claimName": "claim" } },
                    { "name": "d", "ephemeral": {} },
                    { "name": "e", "projected": { "sources": [{ "secret": { "name": "mixed" } }, { "configMap": { "name": "in" } }] } },
                    { "name": "f", "csi": { "nodePublishSecretRef": { "name": "driver" } } },
                    { "name": "g", "iscsi": { "secretRef": { "name": "chap" } } },
                ],
            },
            "status": {
                "resourceClaimStatuses": [{ "name": "t", "resourceClaimName": "made" }],
                "extendedResourceClaimStatus": { "resourceClaimName": "extended", "requestMappings": [] },
            },
        });
        let found = references(&pod);
        let named = |vertex| {
            let mut names: Vec<_> = found.iter().filter(|(v, _)| *v == vertex).map(|(_, n)| n.as_str()).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(named(Vertex::Secret), ["chap", "debug", "driver", "files", "from", "key", "mixed", "pull"]);
        assert_eq!(named(Vertex::ConfigMap), ["all", "in", "map", "one"]);
        assert_eq!(named(Vertex::Claim), ["claim", "p-d"]);
        assert_eq!(named(Vertex::ServiceAccount), ["robot"]);
        assert_eq!(named(Vertex::ResourceClaim), ["device", "extended", "made"]);
    }
}
