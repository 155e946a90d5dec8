//! Tokens that a node asks for: whom they may be for.

use http::Method;
use serde_json::{Value, json};

use super::{CORE, claim, object, own, two_nodes};
use crate::support::{Answer, Cluster};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const OWN: &str = "https://kubernetes.default.svc.cluster.local";

/// A pod on n1 that has no token unless a volume asks for one.
async fn pod(cluster: &Cluster, name: &str, volumes: Value) -> Value {
    let mut pod = object("Pod", name);
    pod["spec"] = json!({
        "nodeName": "n1", "automountServiceAccountToken": false, "containers": [{ "name": "main", "image": "i" }],
        "volumes": volumes,
    });
    cluster.post(&format!("{CORE}/pods"), pod).await.ok()
}

/// The node asks for a token for the pod.
async fn ask(cluster: &Cluster, pod: &Value, audiences: &[&str]) -> Answer {
    let (name, uid) = (&pod["metadata"]["name"], &pod["metadata"]["uid"]);
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {
            "audiences": audiences,
            "boundObjectRef": { "apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid },
        },
    });
    own(cluster, Method::POST, &format!("{CORE}/serviceaccounts/default/token"), request).await
}

fn refused(why: &str) -> String {
    format!("serviceaccounts \"default\" is forbidden: {why}")
}

fn unnamed(audience: &str) -> String {
    refused(&format!(
        "audience {audience:?} not found in pod spec volume, system:node:n1 is not authorized to request tokens for this \
         audience"
    ))
}

fn projected(source: Value) -> Value {
    json!([{ "name": "t", "projected": { "sources": [{ "serviceAccountToken": source }] } }])
}

#[tokio::test]
async fn a_node_asks_for_no_more_than_the_pod_projects() {
    let cluster = two_nodes().await;
    let none = pod(&cluster, "none", json!([])).await;
    ask(&cluster, &none, &[]).await.fails(403, &unnamed(""));
    ask(&cluster, &none, &[OWN]).await.fails(403, &unnamed(OWN));
    let plain = pod(&cluster, "plain", projected(json!({ "path": "t" }))).await;
    ask(&cluster, &plain, &[]).await.ok();
    ask(&cluster, &plain, &[OWN]).await.fails(403, &unnamed(OWN));
    let vault = pod(&cluster, "vault", projected(json!({ "path": "t", "audience": "vault" }))).await;
    ask(&cluster, &vault, &["vault"]).await.ok();
    ask(&cluster, &vault, &[]).await.fails(403, &unnamed(""));
    ask(&cluster, &vault, &["vault", "bank"]).await.fails(403, &refused("node may only request 0 or 1 audiences"));
}

fn driver(name: &str, audience: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": { "name": name },
        "spec": { "tokenRequests": [{ "audience": audience }] },
    })
}

fn volume(name: &str, source: (&str, Value)) -> Value {
    let mut volume = object("PersistentVolume", name);
    volume["spec"] = json!({ "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"] });
    volume["spec"][source.0] = source.1;
    volume
}

#[tokio::test]
async fn a_node_asks_for_what_the_drivers_of_the_pods_volumes_need() {
    let cluster = two_nodes().await;
    let inline = pod(&cluster, "inline", json!([{ "name": "v", "csi": { "driver": "csi.example.com" } }])).await;
    ask(&cluster, &inline, &["store"]).await.fails(
        403,
        &refused("error validating audience \"store\": csidriver.storage.k8s.io \"csi.example.com\" not found"),
    );
    let drivers = "/apis/storage.k8s.io/v1/csidrivers";
    cluster.post(drivers, driver("csi.example.com", "store")).await.ok();
    cluster.post(drivers, driver("file.csi.azure.com", "share")).await.ok();
    ask(&cluster, &inline, &["store"]).await.ok();
    ask(&cluster, &inline, &["share"]).await.fails(403, &unnamed("share"));
    let csi = json!({ "driver": "csi.example.com", "volumeHandle": "1" });
    let share = json!({ "secretName": "s", "shareName": "s" });
    for (name, source) in [("csi", ("csi", csi)), ("built-in", ("azureFile", share))] {
        cluster.post("/api/v1/persistentvolumes", volume(name, source)).await.ok();
    }
    // A claim of one's own, and the one that a pod has for itself.
    for (claim_name, volume_name) in [("claim", "csi"), ("ephemeral-v", "csi"), ("share", "built-in"), ("lost", "none")]
    {
        let mut claim = claim(claim_name);
        claim["spec"]["volumeName"] = json!(volume_name);
        cluster.post(&format!("{CORE}/persistentvolumeclaims"), claim).await.ok();
    }
    let of_claim = |name: &str| json!([{ "name": "v", "persistentVolumeClaim": { "claimName": name } }]);
    let template = json!({ "spec": claim("x")["spec"] });
    let ephemeral = json!([{ "name": "v", "ephemeral": { "volumeClaimTemplate": template } }]);
    for (name, volumes, audience) in [
        ("claimed", of_claim("claim"), "store"),
        ("ephemeral", ephemeral, "store"),
        ("shared", of_claim("share"), "share"),
    ] {
        let pod = pod(&cluster, name, volumes).await;
        ask(&cluster, &pod, &[audience]).await.ok();
        ask(&cluster, &pod, &["vault"]).await.fails(403, &unnamed("vault"));
    }
    for (name, claim, why) in [
        ("early", "missing", "persistentvolumeclaim \"missing\" not found"),
        ("unbound", "lost", "persistentvolume \"none\" not found"),
    ] {
        let pod = pod(&cluster, name, of_claim(claim)).await;
        let why = refused(&format!("error validating audience \"store\": {why}"));
        ask(&cluster, &pod, &["store"]).await.fails(403, &why);
    }
    // What is missing does no harm to what is there.
    let mut both = of_claim("missing");
    both.as_array_mut().unwrap().push(json!({ "name": "w", "csi": { "driver": "csi.example.com" } }));
    let both = pod(&cluster, "both", both).await;
    ask(&cluster, &both, &["store"]).await.ok();
}

#[tokio::test]
async fn a_node_asks_for_what_it_is_allowed() {
    let cluster = two_nodes().await;
    let none = pod(&cluster, "none", json!([])).await;
    let audience = "https://registry.example.com/pull";
    ask(&cluster, &none, &[audience]).await.fails(403, &unnamed(audience));
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "pull" },
        "rules": [{
            "apiGroups": [""], "resources": [audience], "verbs": ["request-serviceaccounts-token-audience"],
            "resourceNames": ["default"],
        }],
    });
    cluster.post(&format!("{RBAC}/clusterroles"), role).await.ok();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "pull" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "pull" },
        "subjects": [{ "kind": "Group", "name": "system:nodes" }],
    });
    cluster.post(&format!("{RBAC}/namespaces/default/rolebindings"), binding).await.ok();
    ask(&cluster, &none, &[audience]).await.ok();
    ask(&cluster, &none, &[]).await.fails(403, &unnamed(""));
}
