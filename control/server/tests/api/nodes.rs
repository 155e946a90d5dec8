//! What a node may do with its own credentials: a test for each rule of the Node authorizer and of NodeRestriction.

mod audiences;
mod devices;
mod volumes;

use http::Method;
use serde_json::{Value, json};

use crate::authorizing::by;
use crate::support::{Answer, Cluster};

const CORE: &str = "/api/v1/namespaces/default";
const NODES: &str = "/api/v1/nodes";

/// As the node sends it, by a certificate of its own.
async fn node(cluster: &Cluster, name: &str, method: Method, path: &str, body: Value) -> Answer {
    let user = coracle_server::User::new(format!("system:node:{name}"), ["system:nodes".to_string()]);
    by(cluster, user, method, path, body).await
}

async fn own(cluster: &Cluster, method: Method, path: &str, body: Value) -> Answer {
    node(cluster, "n1", method, path, body).await
}

async fn get(cluster: &Cluster, path: &str) -> Answer {
    own(cluster, Method::GET, path, Value::Null).await
}

fn object(kind: &str, name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } })
}

fn pod(name: &str, node: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": {
            "nodeName": node, "containers": [{ "name": "main", "image": "i",
                "envFrom": [{ "secretRef": { "name": format!("of-{name}") } }, { "configMapRef": { "name": format!("of-{name}") } }],
            }],
            "volumes": [{ "name": "v", "persistentVolumeClaim": { "claimName": format!("of-{name}") } }],
        },
    })
}

fn claim(name: &str) -> Value {
    let mut claim = object("PersistentVolumeClaim", name);
    claim["spec"] = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    claim
}

/// Two nodes with a pod each, and what the pods need.
async fn two_nodes() -> Cluster {
    let cluster = Cluster::new().await;
    for (name, pod_name) in [("n1", "mine"), ("n2", "theirs")] {
        cluster.post(NODES, object("Node", name)).await.ok();
        let needed = format!("of-{pod_name}");
        cluster.post(&format!("{CORE}/secrets"), object("Secret", &needed)).await.ok();
        cluster.post(&format!("{CORE}/configmaps"), object("ConfigMap", &needed)).await.ok();
        cluster.post(&format!("{CORE}/persistentvolumeclaims"), claim(&needed)).await.ok();
        cluster.post(&format!("{CORE}/pods"), pod(pod_name, name)).await.ok();
    }
    cluster
}

const UNRELATED: &str = "no relationship found between node 'n1' and this object";

#[tokio::test]
async fn a_node_reads_what_its_pods_need_and_nothing_of_others() {
    let cluster = two_nodes().await;
    for plural in ["secrets", "configmaps", "persistentvolumeclaims"] {
        get(&cluster, &format!("{CORE}/{plural}/of-mine")).await.ok();
        let refused = get(&cluster, &format!("{CORE}/{plural}/of-theirs")).await;
        let text = format!(
            "{plural} \"of-theirs\" is forbidden: User \"system:node:n1\" cannot get resource \"{plural}\" in API group \"\" in the \
             namespace \"default\": {UNRELATED}"
        );
        refused.fails(403, &text);
    }
    for (path, why) in [
        (format!("{CORE}/secrets"), "No Object name found"),
        ("/api/v1/secrets".to_string(), "can only read namespaced object of this type"),
        (format!("{CORE}/persistentvolumeclaims"), "can only get individual resources of this type"),
        (format!("{CORE}/secrets/nowhere"), UNRELATED),
    ] {
        let refused = get(&cluster, &path).await;
        assert!(refused.code == 403 && refused.message().ends_with(why), "{path}: {}", refused.message());
    }
    let one = "fieldSelector=metadata.name%3Dof-mine";
    get(&cluster, &format!("{CORE}/secrets?{one}")).await.ok();
    let written = own(&cluster, Method::DELETE, &format!("{CORE}/secrets/of-mine"), Value::Null).await;
    assert!(written.message().ends_with("can only read resources of this type"), "{}", written.message());
    // When the pod has gone, so has the right.
    cluster.delete_with(&format!("{CORE}/pods/mine"), json!({ "gracePeriodSeconds": 0 })).await.ok();
    assert_eq!(get(&cluster, &format!("{CORE}/secrets/of-mine")).await.code, 403);
}

#[tokio::test]
async fn a_node_sees_its_own_pods() {
    let cluster = two_nodes().await;
    get(&cluster, &format!("{CORE}/pods/mine")).await.ok();
    assert_eq!(get(&cluster, &format!("{CORE}/pods/theirs")).await.code, 403);
    get(&cluster, "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").await.ok();
    for path in ["/api/v1/pods", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2"] {
        let refused = get(&cluster, path).await;
        let why = "can only list/watch pods with spec.nodeName field selector";
        assert!(refused.code == 403 && refused.message().ends_with(why), "{path}: {}", refused.message());
    }
}

#[tokio::test]
async fn a_node_reads_and_writes_its_own_node() {
    let cluster = two_nodes().await;
    get(&cluster, &format!("{NODES}/n1")).await.ok();
    for (path, why) in [
        (format!("{NODES}/n2"), "node 'n1' cannot read 'n2', only its own Node object"),
        (NODES.to_string(), "node 'n1' cannot read all nodes, only its own Node object"),
    ] {
        let refused = get(&cluster, &path).await;
        assert!(refused.code == 403 && refused.message().ends_with(why), "{path}: {}", refused.message());
    }
    let patch = async |path: &str, body: Value| {
        let user = coracle_server::User::new("system:node:n1", ["system:nodes".to_string()]);
        let mut asked = crate::support::request(Method::PATCH, path, body);
        asked.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
        asked.extensions_mut().insert(user);
        cluster.send(asked).await
    };
    let own = format!("{NODES}/n1");
    patch(&own, json!({ "metadata": { "labels": { "example.com/a": "b", "kubernetes.io/os": "linux" } } })).await.ok();
    patch(&format!("{own}/status"), json!({ "status": { "phase": "Running" } })).await.ok();
    for (body, why) in [
        (
            json!({ "metadata": { "labels": { "node-restriction.kubernetes.io/x": "y", "kubernetes.io/role": "z" } } }),
            "is not allowed to modify labels: kubernetes.io/role, node-restriction.kubernetes.io/x",
        ),
        (json!({ "spec": { "taints": [{ "key": "a", "effect": "NoSchedule" }] } }), "is not allowed to modify taints"),
        (
            json!({ "metadata": { "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": "n2", "uid": "u" }] } }),
            "is not allowed to modify ownerReferences",
        ),
    ] {
        let text = format!("nodes \"n1\" is forbidden: node \"n1\" {why}");
        patch(&own, body).await.fails(403, &text);
    }
    let other = patch(&format!("{NODES}/n2"), json!({ "metadata": { "labels": { "a": "b" } } })).await;
    other.fails(403, "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
    assert_eq!(node(&cluster, "n1", Method::DELETE, &own, Value::Null).await.code, 403);
}

#[tokio::test]
async fn a_node_registers_itself_without_saying_what_it_may_run() {
    let cluster = Cluster::new().await;
    let mut marked = object("Node", "n1");
    marked["metadata"]["labels"] = json!({ "node-role.kubernetes.io/control-plane": "" });
    own(&cluster, Method::POST, NODES, marked).await.fails(
        403,
        "nodes \"n1\" is forbidden: node \"n1\" is not allowed to set the following labels: node-role.kubernetes.io/control-plane",
    );
    let refused = own(&cluster, Method::POST, NODES, object("Node", "n2")).await;
    refused.fails(403, "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
    own(&cluster, Method::POST, NODES, object("Node", "n1")).await.ok();
}

fn mirror(name: &str, uid: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "annotations": { "kubernetes.io/config.mirror": "x" } },
        "spec": { "nodeName": "n1", "containers": [{ "name": "main", "image": "i" }] },
    });
    pod["metadata"]["ownerReferences"] =
        json!([{ "apiVersion": "v1", "kind": "Node", "name": "n1", "uid": uid, "controller": true }]);
    pod
}

#[tokio::test]
async fn a_node_makes_mirror_pods_of_its_own_only() {
    let cluster = two_nodes().await;
    let uid = cluster.get(&format!("{NODES}/n1")).await.ok()["metadata"]["uid"].clone();
    let pods = format!("{CORE}/pods");
    own(&cluster, Method::POST, &pods, mirror("good", &uid)).await.ok();
    let changed = |pointer: &str, value: Value| {
        let mut pod = mirror("bad", &uid);
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        pod.pointer_mut(parent).unwrap()[field] = value;
        pod
    };
    let secret = json!([{ "name": "v", "secret": { "secretName": "of-theirs" } }]);
    let map = json!([{ "name": "v", "configMap": { "name": "of-theirs" } }]);
    let claim = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": "of-theirs" } }]);
    for (pod, why) in [
        (
            changed("/metadata/annotations", json!({})),
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"n1\" can only create mirror pods",
        ),
        (changed("/spec/nodeName", json!("n2")), "node \"n1\" can only create pods with spec.nodeName set to itself"),
        (
            changed("/metadata/ownerReferences", json!([])),
            "node \"n1\" can only create pods with an owner reference set to itself",
        ),
        (changed("/spec/volumes", secret), "a mirror pod may not reference secrets"),
        (changed("/spec/volumes", map), "node \"n1\" can not create pods that reference configmaps"),
        (changed("/spec/volumes", claim), "node \"n1\" can not create pods that reference persistentvolumeclaims"),
    ] {
        own(&cluster, Method::POST, &pods, pod).await.fails(403, &format!("pods \"bad\" is forbidden: {why}"));
    }
}

/// Whoever makes a mirror pod in the node's name can't have the node read for it.
#[tokio::test]
async fn a_mirror_pod_gives_its_node_nothing() {
    let cluster = two_nodes().await;
    let fake = |what: Value| {
        let mut pod = pod("fake", "n1");
        pod["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "x" });
        pod["spec"]["volumes"] = json!([]);
        pod["spec"]["containers"][0]["envFrom"] = what;
        pod
    };
    let pods = format!("{CORE}/pods");
    let secret = fake(json!([{ "secretRef": { "name": "of-theirs" } }]));
    let refused = "pods \"fake\" is forbidden: a mirror pod may not reference secrets";
    cluster.post(&pods, secret).await.fails(403, refused);
    let mut account = fake(json!([]));
    account["spec"]["serviceAccountName"] = json!("default");
    let refused = "pods \"fake\" is forbidden: a mirror pod may not reference service accounts";
    cluster.post(&pods, account).await.fails(403, refused);
    let mut token = fake(json!([]));
    let source = json!({ "serviceAccountToken": { "path": "token" } });
    token["spec"]["volumes"] = json!([{ "name": "v", "projected": { "sources": [source] } }]);
    let refused = "pods \"fake\" is forbidden: a mirror pod may not use ServiceAccountToken volume projections";
    cluster.post(&pods, token).await.fails(403, refused);
    cluster.post(&format!("{CORE}/configmaps"), object("ConfigMap", "of-fake")).await.ok();
    cluster.post(&pods, fake(json!([{ "configMapRef": { "name": "of-fake" } }]))).await.ok();
    assert_eq!(get(&cluster, &format!("{CORE}/configmaps/of-fake")).await.code, 403);
}

#[tokio::test]
async fn a_node_tells_how_its_own_pods_are_and_ends_them() {
    let cluster = two_nodes().await;
    let status = async |name: &str, change: Value| {
        let path = format!("{CORE}/pods/{name}/status");
        let mut asked = crate::support::request(Method::PATCH, &path, change);
        asked.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
        asked.extensions_mut().insert(coracle_server::User::new("system:node:n1", ["system:nodes".to_string()]));
        cluster.send(asked).await
    };
    status("mine", json!({ "status": { "phase": "Running" } })).await.ok();
    status("theirs", json!({ "status": { "phase": "Running" } })).await.fails(
        403,
        "pods \"theirs\" is forbidden: node \"n1\" can only update pod status for pods with spec.nodeName set to itself",
    );
    status("mine", json!({ "metadata": { "labels": { "a": "b" } } }))
        .await
        .fails(403, "pods \"mine\" is forbidden: node \"n1\" cannot update labels through pod status");
    let theirs = own(&cluster, Method::DELETE, &format!("{CORE}/pods/theirs"), Value::Null).await;
    theirs
        .fails(403, "pods \"theirs\" is forbidden: node \"n1\" can only delete pods with spec.nodeName set to itself");
    let eviction = |name: &str| json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name, "namespace": "default" } });
    let theirs = own(&cluster, Method::POST, &format!("{CORE}/pods/theirs/eviction"), eviction("theirs")).await;
    theirs.fails(403, "pods \"theirs\" is forbidden: node n1 can only evict pods with spec.nodeName set to itself");
    own(&cluster, Method::POST, &format!("{CORE}/pods/mine/eviction"), eviction("mine")).await.ok();
    own(&cluster, Method::DELETE, &format!("{CORE}/pods/mine"), Value::Null).await.ok();
}

#[tokio::test]
async fn a_node_gets_tokens_for_its_own_pods() {
    let cluster = two_nodes().await;
    let uid = |pod: &str| {
        let path = format!("{CORE}/pods/{pod}");
        let cluster = &cluster;
        async move { cluster.get(&path).await.ok()["metadata"]["uid"].clone() }
    };
    let request = |bound: Value, audiences: Value| {
        let mut spec = json!({ "audiences": audiences });
        if !bound.is_null() {
            spec["boundObjectRef"] = bound;
        }
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec })
    };
    let bound = |pod: &str, uid: &Value| json!({ "apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid });
    let path = format!("{CORE}/serviceaccounts/default/token");
    let mine = bound("mine", &uid("mine").await);
    own(&cluster, Method::POST, &path, request(mine.clone(), json!([]))).await.ok();
    let refused = |why: &str| format!("serviceaccounts \"default\" is forbidden: {why}");
    let theirs = bound("theirs", &uid("theirs").await);
    for (bound, audiences, why) in [
        (Value::Null, json!([]), "node requested token not bound to a pod"),
        (bound("mine", &Value::Null), json!([]), "node requested token with a pod binding without a uid"),
        (theirs, json!([]), "node requested token bound to a pod scheduled on a different node"),
        // Its claim has no volume yet: whether a driver needs such a token is not known.
        (mine, json!(["vault"]), "error validating audience \"vault\": persistentvolume \"\" not found"),
    ] {
        own(&cluster, Method::POST, &path, request(bound, audiences)).await.fails(403, &refused(why));
    }
    cluster.post(&format!("{CORE}/serviceaccounts"), object("ServiceAccount", "other")).await.ok();
    let other = format!("{CORE}/serviceaccounts/other/token");
    let refused = own(&cluster, Method::POST, &other, request(Value::Null, json!([]))).await;
    assert!(refused.code == 403 && refused.message().ends_with(UNRELATED), "{}", refused.message());
}

#[tokio::test]
async fn a_node_has_one_lease() {
    let cluster = two_nodes().await;
    let lease =
        |name: &str| json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": name } });
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    own(&cluster, Method::POST, leases, lease("n1")).await.ok();
    get(&cluster, &format!("{leases}/n1")).await.ok();
    let why = "can only access node lease with the same name as the requesting node";
    let other = own(&cluster, Method::POST, leases, lease("n2")).await;
    other.fails(403, &format!("leases.coordination.k8s.io \"n2\" is forbidden: {why}"));
    assert!(get(&cluster, &format!("{leases}/n2")).await.message().ends_with(why));
    let elsewhere = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let refused = own(&cluster, Method::POST, elsewhere, lease("n1")).await;
    assert!(refused.message().ends_with("can only access leases in the \"kube-node-lease\" system namespace"));
}

#[tokio::test]
async fn a_user_of_the_group_without_a_nodes_name_is_no_node() {
    let cluster = two_nodes().await;
    let odd = coracle_server::User::new("jane", ["system:nodes".to_string()]);
    let refused = by(&cluster, odd, Method::GET, &format!("{NODES}/n1"), Value::Null).await;
    assert!(
        refused.code == 403 && refused.message().ends_with("unknown node for user \"jane\""),
        "{}",
        refused.message()
    );
}
