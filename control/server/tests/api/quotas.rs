//! Quotas: scopes, counts of anything, what Services and claims take, and what grows later.

use serde_json::{Value, json};

use crate::crontabs;
use crate::support::{Answer, Cluster, MAPS, PODS, SERVICES, map, pod, service};

const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

fn object(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": name }, "spec": spec })
}

/// A quota of which nothing is used yet, as its controller would say.
async fn quota(cluster: &Cluster, name: &str, spec: Value) {
    let hard = spec["hard"].clone();
    let none: serde_json::Map<_, _> = hard.as_object().unwrap().keys().map(|name| (name.clone(), json!("0"))).collect();
    cluster.post(QUOTAS, object(name, spec)).await.ok();
    let status = json!({ "status": { "hard": hard, "used": none } });
    cluster.merge(&format!("{QUOTAS}/{name}/status"), status).await.ok();
}

async fn used(cluster: &Cluster, name: &str, what: &str) -> Value {
    cluster.get(&format!("{QUOTAS}/{name}")).await.ok()["status"]["used"][what].clone()
}

fn exists(scope: &str) -> Value {
    json!({ "matchExpressions": [{ "scopeName": scope, "operator": "Exists" }] })
}

#[tokio::test]
async fn a_pod_takes_from_the_quotas_that_it_is_in_the_scope_of() {
    let cluster = Cluster::new().await;
    let scopes =
        ["Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"];
    for scope in scopes {
        let spec = json!({ "hard": { "pods": "1" }, "scopeSelector": exists(scope) });
        quota(&cluster, &scope.to_lowercase(), spec).await;
    }
    let mut busy = pod("busy");
    busy["spec"]["activeDeadlineSeconds"] = json!(5);
    busy["spec"]["priorityClassName"] = json!("system-node-critical");
    busy["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "1" } });
    let term = json!({
        "topologyKey": "zone", "namespaces": ["other"], "labelSelector": { "matchLabels": { "a": "b" } },
    });
    busy["spec"]["affinity"] = json!({ "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } });
    cluster.post(PODS, busy.clone()).await.ok();
    cluster.post(PODS, pod("plain")).await.ok();
    for scope in scopes {
        assert_eq!(used(&cluster, &scope.to_lowercase(), "pods").await, "1", "{scope}");
    }
    let refused = cluster.post(PODS, pod("plain2")).await;
    let text =
        "pods \"plain2\" is forbidden: exceeded quota: besteffort, requested: pods=1, used: pods=1, limited: pods=1";
    refused.fails(403, text);
    busy["metadata"]["name"] = json!("busy2");
    let refused = cluster.post(PODS, busy).await;
    assert!(refused.code == 403 && refused.message().contains("exceeded quota: "), "{}", refused.message());
}

#[tokio::test]
async fn classes_are_chosen_by_name() {
    let cluster = Cluster::new().await;
    let of = |operator: &str| json!({ "matchExpressions": [{ "scopeName": "PriorityClass", "operator": operator, "values": ["system-node-critical"] }] });
    quota(&cluster, "in", json!({ "hard": { "pods": "5" }, "scopeSelector": of("In") })).await;
    quota(&cluster, "notin", json!({ "hard": { "pods": "5" }, "scopeSelector": of("NotIn") })).await;
    let none = json!({ "matchExpressions": [{ "scopeName": "PriorityClass", "operator": "DoesNotExist" }] });
    quota(&cluster, "none", json!({ "hard": { "pods": "5" }, "scopeSelector": none })).await;
    for (name, class) in [("a", "system-node-critical"), ("b", "system-cluster-critical"), ("c", "")] {
        let mut pod = pod(name);
        if !class.is_empty() {
            pod["spec"]["priorityClassName"] = json!(class);
        }
        cluster.post(PODS, pod).await.ok();
    }
    for (name, count) in [("in", "1"), ("notin", "2"), ("none", "1")] {
        assert_eq!(used(&cluster, name, "pods").await, count, "{name}");
    }
}

#[tokio::test]
async fn scopes_must_fit_what_is_limited() {
    let cluster = Cluster::new().await;
    let refused = async |spec: Value| -> Answer { cluster.post(QUOTAS, object("q", spec)).await };
    let ephemeral =
        refused(json!({ "hard": { "requests.ephemeral-storage": "1Gi" }, "scopes": ["NotBestEffort"] })).await;
    ephemeral.fails(
        422,
        "ResourceQuota \"q\" is invalid: spec.scopes: Invalid value: [\"NotBestEffort\"]: unsupported scope applied to resource",
    );
    let cpu = refused(json!({ "hard": { "requests.cpu": "1" }, "scopes": ["BestEffort"] })).await;
    assert!(cpu.code == 422 && cpu.message().ends_with("unsupported scope applied to resource"), "{}", cpu.message());
    let both = refused(json!({ "hard": { "pods": "1" }, "scopes": ["BestEffort", "NotBestEffort"] })).await;
    assert!(both.code == 422 && both.message().ends_with("conflicting scopes"), "{}", both.message());
    let operator = json!({ "matchExpressions": [{ "scopeName": "Terminating", "operator": "In", "values": ["x"] }] });
    let operator = refused(json!({ "hard": { "pods": "1" }, "scopeSelector": operator })).await;
    assert!(
        operator.code == 422 && operator.message().contains("must be 'Exist' only operator"),
        "{}",
        operator.message()
    );
    let fine =
        json!({ "hard": { "pods": "1", "requests.cpu": "1", "limits.memory": "1Gi" }, "scopes": ["NotBestEffort"] });
    refused(fine).await.ok();
}

#[tokio::test]
async fn objects_of_any_kind_are_counted() {
    let cluster = crontabs::cluster().await;
    let tab = |name: &str| crontabs::crontab("v1", name, json!({ "cronSpec": "* * * * *" }));
    let hard =
        json!({ "count/crontabs.stable.example.com": "1", "count/configmaps": "1", "count/deployments.apps": "0" });
    quota(&cluster, "q", json!({ "hard": hard })).await;
    cluster.post(crontabs::V1, tab("a")).await.ok();
    cluster.post(crontabs::V1, tab("b")).await.fails(
        403,
        "crontabs.stable.example.com \"b\" is forbidden: exceeded quota: q, requested: count/crontabs.stable.example.com=1, used: \
         count/crontabs.stable.example.com=1, limited: count/crontabs.stable.example.com=1",
    );
    let refused = cluster.post(crate::support::DEPLOYMENTS, crate::support::deployment("d")).await;
    assert!(refused.message().contains("requested: count/deployments.apps=1"), "{}", refused.message());
    cluster.post(MAPS, map("m", json!({}))).await.ok();
    assert_eq!(cluster.post(MAPS, map("n", json!({}))).await.code, 403);
    assert_eq!(used(&cluster, "q", "count/configmaps").await, "1");
}

#[tokio::test]
async fn services_take_ports_and_balancers_also_when_they_change() {
    let cluster = Cluster::new().await;
    let hard = json!({ "services": "3", "services.nodeports": "2", "services.loadbalancers": "1" });
    quota(&cluster, "q", json!({ "hard": hard })).await;
    let ports = json!([{ "name": "a", "port": 80 }, { "name": "b", "port": 81 }]);
    cluster.post(SERVICES, service("plain", json!({ "ports": ports }))).await.ok();
    cluster.post(SERVICES, service("one", json!({ "type": "NodePort", "ports": [{ "port": 80 }] }))).await.ok();
    let refused = cluster.merge(&format!("{SERVICES}/plain"), json!({ "spec": { "type": "NodePort" } })).await;
    refused.fails(
        403,
        "services \"plain\" is forbidden: exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=1, limited: \
         services.nodeports=2",
    );
    let balancer = json!({ "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": [{ "port": 80 }] });
    cluster.post(SERVICES, service("lb", balancer.clone())).await.ok();
    assert_eq!(used(&cluster, "q", "services.nodeports").await, "1");
    let refused = cluster.post(SERVICES, service("lb2", balancer)).await;
    assert!(refused.code == 403 && refused.message().contains("services.loadbalancers=1"), "{}", refused.message());
    assert_eq!(used(&cluster, "q", "services").await, "3");
}

#[tokio::test]
async fn a_resize_takes_what_it_adds() {
    let cluster = Cluster::new().await;
    quota(&cluster, "q", json!({ "hard": { "requests.cpu": "1" } })).await;
    let mut object = pod("a");
    object["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "400m" } });
    cluster.post(PODS, object).await.ok();
    let resize = async |cpu: &str| {
        let body =
            json!({ "spec": { "containers": [{ "name": "main", "resources": { "requests": { "cpu": cpu } } }] } });
        cluster.patch(&format!("{PODS}/a/resize"), "strategic-merge-patch+json", body).await
    };
    resize("900m").await.ok();
    assert_eq!(used(&cluster, "q", "requests.cpu").await, "900m");
    resize("1100m").await.fails(
        403,
        "pods \"a\" is forbidden: exceeded quota: q, requested: requests.cpu=200m, used: requests.cpu=900m, limited: requests.cpu=1",
    );
}

#[tokio::test]
async fn a_deadline_takes_a_pod_to_another_quota() {
    let cluster = Cluster::new().await;
    quota(&cluster, "q", json!({ "hard": { "pods": "1" }, "scopes": ["Terminating"] })).await;
    for name in ["a", "b"] {
        cluster.post(PODS, pod(name)).await.ok();
    }
    let end = async |name: &str| {
        cluster.merge(&format!("{PODS}/{name}"), json!({ "spec": { "activeDeadlineSeconds": 60 } })).await
    };
    end("a").await.ok();
    assert_eq!(used(&cluster, "q", "pods").await, "1");
    end("b")
        .await
        .fails(403, "pods \"b\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1");
    // Whoever stays in the scope takes nothing more.
    cluster.merge(&format!("{PODS}/a"), json!({ "spec": { "activeDeadlineSeconds": 30 } })).await.ok();
}

#[tokio::test]
async fn claims_take_devices_of_their_class() {
    let cluster = Cluster::new().await;
    let gpus = "gpu.example.com.deviceclass.resource.k8s.io/devices";
    quota(&cluster, "q", json!({ "hard": { gpus: "3" } })).await;
    let claims = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
    let claim = |name: &str, count: i64| {
        let request = json!({ "name": "r", "exactly": { "deviceClassName": "gpu.example.com", "count": count } });
        json!({
            "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": { "name": name },
            "spec": { "devices": { "requests": [request] } },
        })
    };
    cluster.post(claims, claim("a", 2)).await.ok();
    assert_eq!(used(&cluster, "q", gpus).await, "2");
    cluster.post(claims, claim("b", 2)).await.fails(
        403,
        &format!(
            "resourceclaims.resource.k8s.io \"b\" is forbidden: exceeded quota: q, requested: {gpus}=2, used: {gpus}=2, \
             limited: {gpus}=3"
        ),
    );
    cluster.post(claims, claim("c", 1)).await.ok();
}

#[tokio::test]
async fn claims_take_storage_of_their_class() {
    let cluster = Cluster::new().await;
    let gold = "gold.storageclass.storage.k8s.io/requests.storage";
    quota(&cluster, "q", json!({ "hard": { "requests.storage": "10Gi", gold: "3Gi", "persistentvolumeclaims": "5" } }))
        .await;
    let claim = |name: &str, class: &str, size: &str| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
            "spec": {
                "storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } },
            },
        })
    };
    cluster.post(CLAIMS, claim("a", "gold", "2Gi")).await.ok();
    cluster.post(CLAIMS, claim("b", "silver", "4Gi")).await.ok();
    cluster.post(CLAIMS, claim("c", "gold", "2Gi")).await.fails(
        403,
        "persistentvolumeclaims \"c\" is forbidden: exceeded quota: q, requested: \
         gold.storageclass.storage.k8s.io/requests.storage=2Gi, used: gold.storageclass.storage.k8s.io/requests.storage=2Gi, \
         limited: gold.storageclass.storage.k8s.io/requests.storage=3Gi",
    );
    assert_eq!(used(&cluster, "q", "requests.storage").await, "6Gi");
    // What a claim has been given is counted, whatever the quota says to it.
    let given = json!({ "status": { "phase": "Bound", "allocatedResources": { "storage": "4Gi" } } });
    cluster.merge(&format!("{CLAIMS}/a/status"), given).await.ok();
    assert_eq!(
        (used(&cluster, "q", gold).await, used(&cluster, "q", "requests.storage").await),
        (json!("4Gi"), json!("8Gi"))
    );
}
