//! Pod Security: what namespaces' labels make of pods and of what pods are made from.

use serde_json::{Value, json};

use crate::support::{Answer, Cluster, deployment, pod};

const NAMESPACES: &str = "/api/v1/namespaces";
pub const PODS: &str = "/api/v1/namespaces/team/pods";

/// What a pod breaks that says nothing about security.
pub const SILENT: &str = "allowPrivilegeEscalation != false (container \"main\" must set \
    securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"main\" must set \
    securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"main\" must set \
    securityContext.runAsNonRoot=true), seccompProfile (pod or container \"main\" must set \
    securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";

fn labels(labels: &[(&str, &str)]) -> Value {
    labels.iter().map(|(key, value)| (format!("pod-security.kubernetes.io/{key}"), json!(value))).collect()
}

fn namespace(name: &str, modes: &[(&str, &str)]) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels(modes) } })
}

/// The labels of the namespace `team` from now on.
async fn label(cluster: &Cluster, modes: &[(&str, &str)]) -> Answer {
    let labels = labels(modes);
    cluster.merge(&format!("{NAMESPACES}/team"), json!({ "metadata": { "labels": labels } })).await
}

async fn cluster(modes: &[(&str, &str)]) -> Cluster {
    let cluster = Cluster::new().await;
    found(&cluster, "team", modes).await.ok();
    cluster
}

/// Makes a namespace with what pods need in it.
pub async fn found(cluster: &Cluster, name: &str, modes: &[(&str, &str)]) -> Answer {
    let founded = cluster.post(NAMESPACES, namespace(name, modes)).await;
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    cluster.post(&format!("{NAMESPACES}/{name}/serviceaccounts"), account).await.ok();
    founded
}

/// A warning as it is in a header.
pub fn header(text: &str) -> String {
    format!("299 - \"{}\"", text.replace('"', "\\\""))
}

/// A pod that meets every standard.
pub fn hardened(name: &str) -> Value {
    let mut pod = pod(name);
    pod["spec"]["securityContext"] = json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } });
    pod["spec"]["containers"][0]["securityContext"] =
        json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
    pod
}

#[tokio::test]
async fn pods_that_do_not_meet_what_is_enforced_are_refused_with_every_reason() {
    let cluster = cluster(&[("enforce", "restricted")]).await;
    let refused = cluster.post(PODS, pod("p")).await;
    assert_eq!(refused.warnings(), Vec::<String>::new());
    assert_eq!(refused.body["reason"], "Forbidden");
    assert_eq!(refused.body["details"], json!({ "name": "p", "kind": "pods" }));
    refused.fails(403, &format!("pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": {SILENT}"));
    let dry = cluster.post(&format!("{PODS}?dryRun=All"), pod("p")).await;
    assert_eq!(dry.code, 403);
    let admitted = cluster.post(PODS, hardened("p")).await;
    assert_eq!(admitted.warnings(), Vec::<String>::new());
    admitted.ok();
    // Other namespaces allow everything.
    let mut privileged = pod("p");
    privileged["spec"]["containers"][0]["securityContext"] = json!({ "privileged": true });
    cluster.post("/api/v1/namespaces/default/pods", privileged).await.ok();
}

#[tokio::test]
async fn a_pinned_version_knows_what_was_known_then() {
    let cluster = cluster(&[("enforce", "restricted"), ("enforce-version", "v1.7")]).await;
    let why = "runAsNonRoot != true (pod or container \"main\" must set securityContext.runAsNonRoot=true)";
    let text = format!("pods \"p\" is forbidden: violates PodSecurity \"restricted:v1.7\": {why}");
    cluster.post(PODS, pod("p")).await.fails(403, &text);
    label(&cluster, &[("enforce", "baseline"), ("enforce-version", "v1.33")]).await.ok();
    let mut probed = pod("p");
    probed["spec"]["containers"][0]["livenessProbe"] = json!({ "tcpSocket": { "port": 1, "host": "192.0.2.1" } });
    cluster.post(PODS, probed.clone()).await.ok();
    label(&cluster, &[("enforce-version", "v1.99")]).await.ok();
    probed["metadata"]["name"] = json!("q");
    let why = "probe or lifecycle host (container \"main\" uses probe or lifecycle host \"192.0.2.1\")";
    let text = format!("pods \"q\" is forbidden: violates PodSecurity \"baseline:v1.99\": {why}");
    cluster.post(PODS, probed).await.fails(403, &text);
}

#[tokio::test]
async fn labels_that_make_no_sense_are_refused() {
    let cluster = cluster(&[("enforce", "baseline")]).await;
    let level = "metadata.labels[pod-security.kubernetes.io/warn]: Invalid value: \"strict\": \
                 must be one of privileged, baseline, restricted";
    let created = cluster.post(NAMESPACES, namespace("other", &[("warn", "strict")])).await;
    assert_eq!(created.body["details"]["causes"][0]["field"], "metadata.labels[pod-security.kubernetes.io/warn]");
    created.fails(422, &format!("Namespace \"other\" is invalid: {level}"));
    let version = "metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: \"1.2\": \
                   must be \"latest\" or \"v1.x\"";
    let changed = label(&cluster, &[("enforce-version", "1.2"), ("warn", "strict")]).await;
    changed.fails(422, &format!("Namespace \"team\" is invalid: [{version}, {level}]"));
}

#[tokio::test]
async fn authors_of_templates_are_warned_and_never_refused() {
    let cluster = cluster(&[("enforce", "restricted"), ("warn", "restricted")]).await;
    let warning = header(&format!("would violate PodSecurity \"restricted:latest\": {SILENT}"));
    let template = json!({ "metadata": { "labels": { "app": "x" } }, "spec": pod("x")["spec"].clone() });
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = json!("Never");
    let selected = json!({ "selector": { "matchLabels": { "app": "x" } }, "template": template });
    let of = |version: &str, kind: &str, spec: Value| {
        let metadata = json!({ "name": "x" });
        json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec })
    };
    let plain = json!({ "apiVersion": "v1", "kind": "PodTemplate", "metadata": { "name": "x" }, "template": template });
    let job = json!({ "template": once });
    let all = [
        ("apis/apps/v1", "deployments", of("apps/v1", "Deployment", selected.clone())),
        ("apis/apps/v1", "replicasets", of("apps/v1", "ReplicaSet", selected.clone())),
        ("apis/apps/v1", "daemonsets", of("apps/v1", "DaemonSet", selected.clone())),
        ("apis/apps/v1", "statefulsets", of("apps/v1", "StatefulSet", selected)),
        ("apis/batch/v1", "jobs", of("batch/v1", "Job", job.clone())),
        (
            "apis/batch/v1",
            "cronjobs",
            of("batch/v1", "CronJob", json!({ "schedule": "* * * * *", "jobTemplate": { "spec": job } })),
        ),
        (
            "api/v1",
            "replicationcontrollers",
            of("v1", "ReplicationController", json!({ "selector": { "app": "x" }, "template": template })),
        ),
        ("api/v1", "podtemplates", plain),
    ];
    for (group, plural, object) in all {
        let created = cluster.post(&format!("/{group}/namespaces/team/{plural}"), object).await;
        assert_eq!((created.code, created.warnings()), (201, vec![warning.clone()]), "{plural}");
    }
    let path = "/apis/apps/v1/namespaces/team/deployments/x";
    let changed = cluster.merge(path, json!({ "spec": { "replicas": 3 } })).await;
    assert_eq!(changed.warnings(), [warning]);
    changed.ok();
    let status = cluster.merge(&format!("{path}/status"), json!({ "status": { "replicas": 3 } })).await;
    assert_eq!((status.code, status.warnings()), (200, vec![]));
    // A pod that is refused is not warned about.
    assert_eq!(cluster.post(PODS, pod("p")).await.warnings(), Vec::<String>::new());
}

#[tokio::test]
async fn pods_are_warned_about_by_another_standard_than_they_are_refused_by() {
    let cluster = cluster(&[("enforce", "baseline"), ("warn", "restricted"), ("warn-version", "v1.0")]).await;
    let created = cluster.post(PODS, pod("p")).await;
    let why = "runAsNonRoot != true (pod or container \"main\" must set securityContext.runAsNonRoot=true)";
    assert_eq!(created.warnings(), [header(&format!("would violate PodSecurity \"restricted:v1.0\": {why}"))]);
    created.ok();
    let quiet = cluster.post("/apis/apps/v1/namespaces/default/deployments", deployment("d")).await;
    assert_eq!((quiet.code, quiet.warnings()), (201, vec![]));
}

#[tokio::test]
async fn changes_of_pods_count_when_they_can_make_a_difference() {
    let cluster = cluster(&[]).await;
    let mut running = pod("p");
    running["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "2m" } });
    cluster.post(PODS, running).await.ok();
    let path = format!("{PODS}/p");
    let told = label(&cluster, &[("enforce", "restricted")]).await;
    let reasons = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile";
    assert_eq!(
        told.warnings(),
        [
            header(
                "existing pods in namespace \"team\" violate the new PodSecurity enforce level \"restricted:latest\""
            ),
            header(&format!("p: {reasons}")),
        ]
    );
    told.ok();
    // It stays, and what is written about it does not matter.
    cluster.merge(&path, json!({ "metadata": { "labels": { "a": "b" } } })).await.ok();
    cluster.merge(&format!("{path}/status"), json!({ "status": { "phase": "Running" } })).await.ok();
    let resources = json!([{ "name": "main", "resources": { "requests": { "cpu": "1m" } } }]);
    let resized = json!({ "spec": { "containers": resources } });
    cluster.patch(&format!("{path}/resize"), "strategic-merge-patch+json", resized).await.ok();
    let target = json!({ "apiVersion": "v1", "kind": "Node", "name": "n" });
    let binding = json!({ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "p" }, "target": target });
    cluster.post(&format!("{path}/binding"), binding).await.ok();
    let forbidden = "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": ";
    let image = json!({ "spec": { "containers": [{ "name": "main", "image": "example.com/x:2" }] } });
    let changed = cluster.patch(&path, "strategic-merge-patch+json", image).await;
    changed.fails(403, &format!("{forbidden}{SILENT}"));
    let debug = json!({ "spec": { "ephemeralContainers": [{
        "name": "debug", "image": "example.com/x:1", "terminationMessagePolicy": "File", "imagePullPolicy": "Always",
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    }] } });
    let debugged = cluster.patch(&format!("{path}/ephemeralcontainers"), "strategic-merge-patch+json", debug).await;
    assert_eq!(debugged.code, 403);
    assert!(debugged.message().contains("pod or containers \"main\", \"debug\" must set"), "{}", debugged.message());
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": "p" } });
    cluster.post(&format!("{path}/eviction"), eviction).await.ok();
}

#[tokio::test]
async fn a_policy_that_is_no_stricter_is_no_news_for_pods() {
    let cluster = cluster(&[]).await;
    let mut host = pod("p");
    host["spec"]["hostPID"] = json!(true);
    cluster.post(PODS, host).await.ok();
    let quietly = async |modes: &[(&str, &str)]| {
        let told = label(&cluster, modes).await;
        assert_eq!((told.code, told.warnings()), (200, vec![]), "{modes:?}");
    };
    quietly(&[("warn", "restricted"), ("audit", "restricted")]).await;
    assert_eq!(label(&cluster, &[("enforce", "restricted")]).await.warnings().len(), 2);
    quietly(&[("enforce", "restricted"), ("warn", "privileged")]).await;
    quietly(&[("enforce", "baseline")]).await;
    // Another version may be another matter, whichever is newer.
    let told = label(&cluster, &[("enforce-version", "v1.20")]).await;
    assert_eq!(told.warnings()[1], header("p: host namespaces"));
    quietly(&[("enforce", "privileged"), ("enforce-version", "latest")]).await;
}
