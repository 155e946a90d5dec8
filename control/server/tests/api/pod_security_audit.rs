//! Pod Security: what the audit log says, and what an operator sets for the whole cluster.

use coracle_server::{AuditConfig, LogConfig, PodSecurityConfig, Policy};
use coracle_store::{Expect, Key, Object, Txn};
use http::Method;
use serde_json::{Value, json};

use crate::pod_security::{PODS, SILENT, found, hardened, header};
use crate::support::{Cluster, PATIENCE, config, deployment, pod, request};

/// A cluster with an audit log of what is done to pods and Deployments.
async fn audited(directory: &std::path::Path, settings: &str) -> Cluster {
    let policy = "{ apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], rules: [{ \
                  level: Metadata, verbs: [create], resources: [{ group: '', resources: [pods] }, { group: apps }] }] }";
    let log = LogConfig { path: directory.join("audit.log"), max_megabytes: 100, max_backups: 0, max_days: 0 };
    let mut config = config();
    config.audit = Some(AuditConfig { policy: Policy::parse(policy).unwrap(), log });
    config.pod_security = PodSecurityConfig::parse(&format!(
        "{{ apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration, {settings} }}"
    ))
    .unwrap();
    Cluster::with(config, |_| {}).await
}

/// What Pod Security noted in the audit log, once there are `count` events.
async fn noted(directory: &std::path::Path, count: usize) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(directory.join("audit.log")).unwrap_or_default();
        let lines: Vec<&str> = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
        if lines.len() >= count {
            let notes = lines.into_iter().map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                let all = event["annotations"].as_object().cloned().unwrap_or_default();
                let ours = all.into_iter().filter_map(|(key, value)| {
                    Some((key.strip_prefix("pod-security.kubernetes.io/")?.to_string(), value))
                });
                ours.collect()
            });
            return notes.collect();
        }
        assert!(tokio::time::Instant::now() < deadline, "{} events of {count}", lines.len());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_audit_log_says_what_was_enforced_and_what_would_have_been() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = audited(directory.path(), "").await;
    found(&cluster, "team", &[("enforce", "baseline"), ("audit", "restricted")]).await.ok();
    let created = cluster.post(PODS, pod("p")).await;
    assert_eq!((created.code, created.warnings()), (201, vec![]));
    let mut host = hardened("q");
    host["spec"]["hostPID"] = json!(true);
    assert_eq!(cluster.post(PODS, host).await.code, 403);
    cluster.post("/apis/apps/v1/namespaces/team/deployments", deployment("d")).await.ok();
    cluster.post("/api/v1/namespaces/default/pods", pod("p")).await.ok();
    let would = |why: &str| format!("would violate PodSecurity \"restricted:latest\": {why}");
    assert_eq!(
        noted(directory.path(), 4).await,
        [
            json!({ "enforce-policy": "baseline:latest", "audit-violations": would(SILENT) }),
            json!({ "enforce-policy": "baseline:latest", "audit-violations": would("host namespaces (hostPID=true)") }),
            json!({ "audit-violations": would(SILENT) }),
            json!({ "enforce-policy": "privileged:latest" }),
        ]
    );
}

#[tokio::test]
async fn an_operator_can_choose_defaults_and_exempt_some() {
    let directory = tempfile::tempdir().unwrap();
    let settings = "defaults: { enforce: restricted }, exemptions: { usernames: [trusted], namespaces: [free], \
                    runtimeClasses: [wasm-isolated] }";
    let cluster = audited(directory.path(), settings).await;
    found(&cluster, "team", &[]).await.ok();
    let vain = found(&cluster, "free", &[("enforce", "baseline")]).await;
    let text =
        "namespace \"free\" is exempt from Pod Security, and the policy (enforce=baseline:latest) will be ignored";
    assert_eq!((vain.code, vain.warnings()), (201, vec![header(text)]));
    assert_eq!(cluster.post(PODS, pod("a")).await.code, 403);
    cluster.post("/api/v1/namespaces/free/pods", pod("a")).await.ok();
    let mut asked = request(Method::POST, PODS, pod("a"));
    asked.extensions_mut().insert(coracle_server::User::new("trusted", ["system:masters".to_string()]));
    cluster.send(asked).await.ok();
    let mut isolated = pod("b");
    isolated["spec"]["runtimeClassName"] = json!("wasm-isolated");
    cluster.post(PODS, isolated).await.ok();
    assert_eq!(
        noted(directory.path(), 4).await,
        [
            json!({ "enforce-policy": "restricted:latest" }),
            json!({ "exempt": "namespace" }),
            json!({ "exempt": "user" }),
            json!({ "exempt": "runtimeClass" }),
        ]
    );
}

#[tokio::test]
async fn labels_that_were_bad_before_anybody_looked_are_enforced_as_restricted() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = audited(directory.path(), "").await;
    let mut old = found(&cluster, "team", &[]).await.ok();
    old["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("strict");
    let object = Object::from_json(old.to_string().into_bytes()).unwrap();
    cluster.store.commit(Txn::put(Key::new("namespaces", "", "team"), object, Expect::Any)).await.unwrap();
    // Something else can be changed, and other labels can't become bad.
    let path = "/api/v1/namespaces/team";
    cluster.merge(path, json!({ "metadata": { "labels": { "a": "b" } } })).await.ok();
    let worse = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/warn": "strict" } } });
    assert_eq!(cluster.merge(path, worse).await.code, 422);
    assert_eq!(cluster.post(PODS, pod("p")).await.code, 403);
    let why = "Failed to parse policy: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": \
               must be one of privileged, baseline, restricted";
    assert_eq!(noted(directory.path(), 1).await, [json!({ "enforce-policy": "restricted:latest", "error": why })]);
    let mended = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "baseline" } } });
    cluster.merge(path, mended).await.ok();
    cluster.post(PODS, pod("p")).await.ok();
}
