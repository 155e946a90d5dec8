//! Admission: quotas, ranges, classes.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Cluster, MAPS, PODS, map, pod};

const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const RANGES: &str = "/api/v1/namespaces/default/limitranges";
const CLASSES: &str = "/apis/scheduling.k8s.io/v1/priorityclasses";

/// A quota that somebody has counted already.
async fn quota(cluster: &Cluster, hard: Value, used: Value) {
    let object = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" }, "spec": { "hard": hard.clone() },
    });
    cluster.post(QUOTAS, object).await.ok();
    cluster.merge(&format!("{QUOTAS}/q/status"), json!({ "status": { "hard": hard, "used": used } })).await.ok();
}

async fn used(cluster: &Cluster) -> Value {
    cluster.get(&format!("{QUOTAS}/q")).await.ok()["status"]["used"].clone()
}

#[tokio::test]
async fn a_quota_is_never_exceeded_however_many_ask_at_once() {
    let cluster = Cluster::new().await;
    quota(&cluster, json!({ "pods": "3" }), json!({ "pods": "0" })).await;
    let names: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
    let answers = join_all(names.iter().map(|name| cluster.post(PODS, pod(name)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.code == 201).count(), 3);
    let refused = answers.iter().find(|answer| answer.code == 403).unwrap();
    let text = "is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3";
    assert!(refused.message().ends_with(text), "{}", refused.message());
    assert_eq!(used(&cluster).await, json!({ "pods": "3" }));
}

#[tokio::test]
async fn a_pod_has_the_token_of_its_account_unless_somebody_says_otherwise() {
    const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
    let place = "/var/run/secrets/kubernetes.io/serviceaccount";
    let cluster = Cluster::new().await;
    let created = cluster.post(PODS, pod("a")).await.ok();
    let (mounts, volume) = (&created["spec"]["containers"][0]["volumeMounts"], &created["spec"]["volumes"][0]);
    let name = volume["name"].as_str().unwrap();
    assert!(name.starts_with("kube-api-access-") && name.len() == 21, "{name}");
    assert_eq!(*mounts, json!([{ "name": name, "mountPath": place, "readOnly": true }]));
    let sources = &volume["projected"]["sources"];
    assert_eq!(sources[0]["serviceAccountToken"], json!({ "expirationSeconds": 3607, "path": "token" }));
    assert_eq!(sources[1]["configMap"]["name"], "kube-root-ca.crt");
    let mut own = pod("b");
    own["spec"]["containers"][0]["volumeMounts"] = json!([{ "name": "v", "mountPath": place }]);
    own["spec"]["volumes"] = json!([{ "name": "v", "emptyDir": {} }]);
    assert_eq!(cluster.post(PODS, own).await.ok()["spec"]["volumes"].as_array().unwrap().len(), 1);
    let mut refusing = pod("c");
    refusing["spec"]["automountServiceAccountToken"] = json!(false);
    assert_eq!(cluster.post(PODS, refusing).await.ok()["spec"]["volumes"], Value::Null);
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "shy" }, "automountServiceAccountToken": false,
    });
    cluster.post(ACCOUNTS, account).await.ok();
    let mut shy = pod("d");
    shy["spec"]["serviceAccountName"] = json!("shy");
    assert_eq!(cluster.post(PODS, shy).await.ok()["spec"]["volumes"], Value::Null);
}

#[tokio::test]
async fn a_dry_run_takes_nothing_and_a_refused_write_neither() {
    let cluster = Cluster::new().await;
    quota(&cluster, json!({ "count/configmaps": "1" }), json!({ "count/configmaps": "0" })).await;
    cluster.post(&format!("{MAPS}?dryRun=All"), map("a", json!({}))).await.ok();
    assert_eq!(cluster.post(MAPS, map("Not A Name", json!({}))).await.code, 422);
    assert_eq!(used(&cluster).await, json!({ "count/configmaps": "0" }));
    cluster.post(MAPS, map("a", json!({}))).await.ok();
    assert_eq!(cluster.post(MAPS, map("a", json!({}))).await.code, 409);
    assert_eq!(cluster.post(MAPS, map("b", json!({}))).await.code, 403);
}

#[tokio::test]
async fn containers_must_say_what_a_quota_limits() {
    let cluster = Cluster::new().await;
    let hard = json!({ "limits.cpu": "1", "limits.memory": "1Gi" });
    quota(&cluster, hard, json!({ "limits.cpu": "0", "limits.memory": "0" })).await;
    cluster.post(PODS, pod("p")).await.fails(
        403,
        "pods \"p\" is forbidden: failed quota: q: must specify limits.cpu for: main; limits.memory for: main",
    );
}

#[tokio::test]
async fn ranges_fill_in_and_refuse() {
    let cluster = Cluster::new().await;
    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "r" },
        "spec": { "limits": [{
            "type": "Container", "default": { "cpu": "500m" }, "defaultRequest": { "cpu": "100m" }, "max": { "cpu": "1" },
        }] },
    });
    cluster.post(RANGES, range).await.ok();
    let created = cluster.post(PODS, pod("p")).await.ok();
    let resources = &created["spec"]["containers"][0]["resources"];
    assert_eq!(*resources, json!({ "limits": { "cpu": "500m" }, "requests": { "cpu": "100m" } }));
    assert_eq!(created["status"]["qosClass"], "Burstable");
    let mut large = pod("large");
    large["spec"]["containers"][0]["resources"] = json!({ "limits": { "cpu": "2" } });
    cluster
        .post(PODS, large)
        .await
        .fails(403, "pods \"large\" is forbidden: maximum cpu usage per Container is 1, but limit is 2");
}

fn class(name: &str, value: i64, default: bool) -> Value {
    json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name },
        "value": value, "globalDefault": default, "preemptionPolicy": "Never",
    })
}

#[tokio::test]
async fn priorities_come_from_classes() {
    let cluster = Cluster::new().await;
    assert_eq!(cluster.get(&format!("{CLASSES}/system-node-critical")).await.ok()["value"], 2_000_001_000);
    cluster.post(CLASSES, class("usual", 7, true)).await.ok();
    let plain = cluster.post(PODS, pod("plain")).await.ok();
    assert_eq!((&plain["spec"]["priority"], &plain["spec"]["priorityClassName"]), (&json!(7), &json!("usual")));
    assert_eq!(plain["spec"]["preemptionPolicy"], "Never");
    cluster.post(CLASSES, class("other", 8, true)).await.fails(
        403,
        "priorityclasses.scheduling.k8s.io \"other\" is forbidden: PriorityClass usual is already marked as default. Only one default can exist",
    );
    let mut missing = pod("missing");
    missing["spec"]["priorityClassName"] = json!("none");
    cluster
        .post(PODS, missing)
        .await
        .fails(403, "pods \"missing\" is forbidden: no PriorityClass with name none was found");
}

#[tokio::test]
async fn runtimes_cost_what_their_class_says() {
    let cluster = Cluster::new().await;
    let runtime = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": { "name": "r" }, "handler": "h",
        "overhead": { "podFixed": { "memory": "10Mi" } }, "scheduling": { "nodeSelector": { "runtime": "r" } },
    });
    cluster.post("/apis/node.k8s.io/v1/runtimeclasses", runtime).await.ok();
    let mut object = pod("p");
    object["spec"]["runtimeClassName"] = json!("r");
    let created = cluster.post(PODS, object.clone()).await.ok();
    assert_eq!(created["spec"]["overhead"], json!({ "memory": "10Mi" }));
    assert_eq!(created["spec"]["nodeSelector"], json!({ "runtime": "r" }));
    object["metadata"]["name"] = json!("q");
    object["spec"]["runtimeClassName"] = json!("none");
    cluster
        .post(PODS, object)
        .await
        .fails(403, "pods \"q\" is forbidden: pod rejected: RuntimeClass \"none\" not found");
}

#[tokio::test]
async fn claims_and_ingresses_without_a_class_get_the_default_one() {
    let cluster = Cluster::new().await;
    let marked = |name: &str, mark: &str| json!({ "name": name, "annotations": { mark: "true" } });
    let storage = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "example.com/p",
        "metadata": marked("fast", "storageclass.kubernetes.io/is-default-class"),
    });
    cluster.post("/apis/storage.k8s.io/v1/storageclasses", storage).await.ok();
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "c" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    });
    assert_eq!(cluster.post(claims, claim).await.ok()["spec"]["storageClassName"], "fast");
    let more = json!({ "spec": { "resources": { "requests": { "storage": "2Gi" } } } });
    let refused = cluster.merge(&format!("{claims}/c"), more).await;
    assert!(matches!(refused.code, 403 | 422), "{}", refused.message());
    let class = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "spec": { "controller": "example.com/c" },
        "metadata": marked("front", "ingressclass.kubernetes.io/is-default-class"),
    });
    cluster.post("/apis/networking.k8s.io/v1/ingressclasses", class).await.ok();
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "i" },
        "spec": { "defaultBackend": { "service": { "name": "s", "port": { "number": 80 } } } },
    });
    let created = cluster.post("/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress).await.ok();
    assert_eq!(created["spec"]["ingressClassName"], "front");
}

#[tokio::test]
async fn a_pod_stays_five_minutes_on_a_node_that_is_lost_unless_it_says_otherwise() {
    let cluster = Cluster::new().await;
    let lost =
        |taint: &str| json!({ "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 });
    let (not_ready, unreachable) = (lost("node.kubernetes.io/not-ready"), lost("node.kubernetes.io/unreachable"));
    let created = cluster.post(PODS, pod("a")).await.ok();
    assert_eq!(created["spec"]["tolerations"], json!([not_ready, unreachable]));
    let mut own = pod("b");
    let mine = json!({ "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 5, "effect": "NoExecute" });
    own["spec"]["tolerations"] = json!([mine]);
    assert_eq!(cluster.post(PODS, own).await.ok()["spec"]["tolerations"], json!([mine, unreachable]));
    let mut anything = pod("c");
    anything["spec"]["tolerations"] = json!([{ "operator": "Exists" }]);
    assert_eq!(cluster.post(PODS, anything).await.ok()["spec"]["tolerations"], json!([{ "operator": "Exists" }]));
}

#[tokio::test]
async fn what_is_wrong_with_several_containers_is_said_once() {
    let cluster = Cluster::new().await;
    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "r" },
        "spec": { "limits": [
            { "type": "Container", "max": { "cpu": "1" } },
            { "type": "Pod", "max": { "cpu": "3" } },
            { "type": "PersistentVolumeClaim", "max": { "storage": "1Gi" } },
        ] },
    });
    cluster.post(RANGES, range).await.ok();
    let mut large = pod("large");
    let container = |name: &str| json!({ "name": name, "image": "x", "resources": { "limits": { "cpu": "2" } } });
    large["spec"]["containers"] = json!([container("a"), container("b")]);
    cluster.post(PODS, large).await.fails(
        403,
        "pods \"large\" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, maximum cpu usage per Pod is 3, but \
         limit is 4]",
    );
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "c" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "2Gi" } } },
    });
    cluster.post("/api/v1/namespaces/default/persistentvolumeclaims", claim).await.fails(
        403,
        "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi",
    );
}

#[tokio::test]
async fn a_new_node_takes_no_pods_before_it_is_known_to_be_ready() {
    const NODES: &str = "/api/v1/nodes";
    let cluster = Cluster::new().await;
    let node = |name: &str, spec: Value| json!({ "kind": "Node", "apiVersion": "v1", "metadata": { "name": name }, "spec": spec });
    let taint = json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" });
    let created = cluster.post(NODES, node("a", Value::Null)).await.ok();
    assert_eq!(created["spec"]["taints"], json!([taint]));
    let own = json!({ "key": "own", "effect": "NoExecute" });
    let created = cluster.post(NODES, node("b", json!({ "taints": [own] }))).await.ok();
    assert_eq!(created["spec"]["taints"], json!([own, taint]));
    // Who says so himself says it once, and who takes it away later may.
    let created = cluster.post(NODES, node("c", json!({ "taints": [taint] }))).await.ok();
    assert_eq!(created["spec"]["taints"], json!([taint]));
    let free = cluster.merge(&format!("{NODES}/c"), json!({ "spec": { "taints": null } })).await.ok();
    assert_eq!(free["spec"].get("taints"), None);
    assert_eq!(cluster.post(NODES, node("d", json!({ "taints": "none" }))).await.code, 400);
}

#[tokio::test]
async fn a_pod_has_the_zone_and_the_region_of_its_node() {
    let cluster = Cluster::new().await;
    let labels = json!({
        "topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "kubernetes.io/hostname": "h",
    });
    let node = json!({ "kind": "Node", "apiVersion": "v1", "metadata": { "name": "here", "labels": labels } });
    cluster.post("/api/v1/nodes", node).await.ok();
    let mut labelled = pod("bound");
    labelled["metadata"]["labels"] = json!({ "app": "a", "topology.kubernetes.io/zone": "elsewhere" });
    cluster.post(PODS, labelled).await.ok();
    let binding =
        |node: &str| json!({ "kind": "Binding", "apiVersion": "v1", "target": { "kind": "Node", "name": node } });
    cluster.post(&format!("{PODS}/bound/binding"), binding("here")).await.ok();
    let wanted = json!({
        "app": "a", "topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r",
    });
    assert_eq!(cluster.get(&format!("{PODS}/bound")).await.ok()["metadata"]["labels"], wanted);
    // What is bound to who knows what has no zone.
    cluster.post(PODS, pod("kindless")).await.ok();
    let kindless = json!({ "kind": "Binding", "apiVersion": "v1", "target": { "name": "here" } });
    cluster.post(&format!("{PODS}/kindless/binding"), kindless).await.ok();
    let bound = cluster.get(&format!("{PODS}/kindless")).await.ok();
    assert_eq!((&bound["spec"]["nodeName"], bound["metadata"].get("labels")), (&json!("here"), None));
    let mut direct = pod("direct");
    direct["spec"]["nodeName"] = json!("here");
    let labels = &cluster.post(PODS, direct).await.ok()["metadata"]["labels"];
    assert_eq!(*labels, json!({ "topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r" }));
    // A node that is not known has nothing to say.
    cluster.post(PODS, pod("lost")).await.ok();
    cluster.post(&format!("{PODS}/lost/binding"), binding("nowhere")).await.ok();
    assert_eq!(cluster.get(&format!("{PODS}/lost")).await.ok()["metadata"].get("labels"), None);
}

#[tokio::test]
async fn a_strict_account_lets_its_pods_have_its_own_secrets_only() {
    let cluster = Cluster::new().await;
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "secrets": [{ "name": "own" }],
        "metadata": { "name": "app", "annotations": { "kubernetes.io/enforce-mountable-secrets": "true" } },
    });
    cluster.post("/api/v1/namespaces/default/serviceaccounts", account).await.ok();
    let with = |name: &str, secret: &str| {
        let mut pod = pod(name);
        pod["spec"]["serviceAccountName"] = json!("app");
        pod["spec"]["volumes"] = json!([{ "name": "v", "secret": { "secretName": secret } }]);
        pod
    };
    cluster.post(PODS, with("a", "own")).await.ok();
    let end = "is not allowed because service account app does not reference that secret";
    cluster
        .post(PODS, with("b", "other"))
        .await
        .fails(403, &format!("pods \"b\" is forbidden: volume with secret.secretName=\"other\" {end}"));
    let debug = async |name: &str, secret: &str| {
        let from = json!([{ "secretRef": { "name": secret } }]);
        let container = json!({ "name": name, "image": "example.com/d:1", "envFrom": from });
        let body = json!({ "spec": { "ephemeralContainers": [container] } });
        cluster.patch(&format!("{PODS}/a/ephemeralcontainers"), "strategic-merge-patch+json", body).await
    };
    debug("d", "own").await.ok();
    debug("e", "other").await.fails(
        403,
        &format!(
            "pods \"a\" is forbidden: ephemeral container e with envFrom referencing secret.secretName=\"other\" {end}"
        ),
    );
}

#[tokio::test]
async fn what_goes_is_not_measured_any_more() {
    let cluster = Cluster::new().await;
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": { "name": "c", "finalizers": ["example.com/hold"] },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "2Gi" } } },
    });
    cluster.post(claims, claim).await.ok();
    let range = |name: &str, most: &str| {
        json!({
            "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": name },
            "spec": { "limits": [{ "type": "PersistentVolumeClaim", "max": { "storage": most } }] },
        })
    };
    cluster.post(RANGES, range("a", "1Gi")).await.ok();
    cluster.post(RANGES, range("b", "500Mi")).await.ok();
    let path = format!("{claims}/c");
    // The first range that is broken has the word.
    cluster.merge(&path, json!({ "metadata": { "labels": { "a": "b" } } })).await.fails(
        403,
        "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi",
    );
    cluster.delete(&path).await.ok();
    cluster.merge(&path, json!({ "metadata": { "finalizers": null } })).await.ok();
    assert_eq!(cluster.get(&path).await.code, 404);
}
