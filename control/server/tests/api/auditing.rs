//! The audit log: what is written about which request.

use std::path::Path;

use coracle_server::{AuditConfig, LogConfig, Policy};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Cluster, MAPS, PATIENCE, config, map, request};

const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- level: None
  verbs: [delete]
- level: RequestResponse
  resources: [{ group: "", resources: [configmaps] }]
  omitStages: [RequestReceived]
- level: Metadata
  resources: [{ group: "", resources: [pods, serviceaccounts/token] }]
- level: Metadata
  nonResourceURLs: ["/api", "/metrics"]
"#;

async fn cluster(directory: &Path) -> Cluster {
    let log = LogConfig { path: directory.join("audit.log"), max_megabytes: 100, max_backups: 0, max_days: 0 };
    let mut config = config();
    config.audit = Some(AuditConfig { policy: Policy::parse(POLICY).unwrap(), log });
    Cluster::with(config, |_| {}).await
}

/// The events so far, once there are `count`.
pub async fn events(directory: &Path, count: usize) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(directory.join("audit.log")).unwrap_or_default();
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if events.len() >= count {
            return events;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} events of {count}", events.len());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_request_is_written_as_much_as_the_policy_says() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(directory.path()).await;
    let mut asked = request(Method::POST, MAPS, map("a", json!({})));
    asked.headers_mut().insert("impersonate-user", "jane".parse().unwrap());
    asked.headers_mut().insert("impersonate-group", "system:masters".parse().unwrap());
    asked.headers_mut().insert("user-agent", "test/1".parse().unwrap());
    asked.headers_mut().insert("audit-id", "mine".parse().unwrap());
    let answer = cluster.send(asked).await;
    assert_eq!(answer.headers["audit-id"], "mine");
    cluster.delete(&format!("{MAPS}/a")).await.ok();
    assert_eq!(cluster.get("/api/v1/namespaces/default/pods/none").await.code, 404);
    let events = events(directory.path(), 3).await;
    let event = &events[0];
    let object = &event["responseObject"];
    assert_eq!((&object["metadata"]["name"], &object["metadata"]["managedFields"]), (&json!("a"), &Value::Null));
    assert_eq!(event["requestObject"], map("a", json!({})));
    let expected = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": "mine",
        "stage": "ResponseComplete", "requestURI": MAPS, "verb": "create", "userAgent": "test/1", "sourceIPs": [],
        "user": { "username": "admin", "groups": ["system:masters", "system:authenticated"] },
        "impersonatedUser": { "username": "jane", "groups": ["system:masters", "system:authenticated"] },
        "objectRef": { "resource": "configmaps", "namespace": "default", "name": "a", "apiVersion": "v1" },
        "responseStatus": { "metadata": {}, "code": 201 },
        "annotations": { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "" },
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(event[field], *value, "{field}");
    }
    let stages: Vec<_> = events.iter().map(|event| (&event["stage"], &event["objectRef"]["resource"])).collect();
    let (received, complete) = (json!("RequestReceived"), json!("ResponseComplete"));
    let (maps, pods) = (json!("configmaps"), json!("pods"));
    assert_eq!(stages, [(&complete, &maps), (&received, &pods), (&complete, &pods)]);
    assert_eq!(events[2]["responseStatus"]["reason"], "NotFound");
    assert_eq!(events[2]["responseObject"], Value::Null);
    // Metadata is no more than that.
    assert_eq!((&events[2]["level"], &events[1]["auditID"]), (&json!("Metadata"), &events[2]["auditID"]));
}

#[tokio::test]
async fn who_may_not_and_who_is_nobody_are_written_too() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(directory.path()).await;
    let mut asked = request(Method::GET, "/metrics", Value::Null);
    asked.extensions_mut().insert(coracle_server::User::new("jane", []));
    assert_eq!(cluster.send(asked).await.code, 403);
    let mut asked = request(Method::GET, "/api", Value::Null);
    asked.extensions_mut().clear();
    assert_eq!(cluster.send(asked).await.code, 401);
    let events = events(directory.path(), 4).await;
    assert_eq!(events[1]["annotations"]["authorization.k8s.io/decision"], "forbid");
    assert_eq!((&events[1]["responseStatus"]["code"], &events[1]["user"]["username"]), (&json!(403), &json!("jane")));
    assert_eq!((&events[3]["responseStatus"]["code"], &events[3]["user"]), (&json!(401), &json!({})));
}

/// Whoever still uses a token that was marked as too old is to be found.
#[tokio::test]
async fn the_use_of_a_token_that_is_marked_invalid_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let log = LogConfig { path: directory.path().join("audit.log"), max_megabytes: 100, max_backups: 0, max_days: 0 };
    let (mut config, pem) = (config(), rcgen::KeyPair::generate().unwrap().serialize_pem());
    config.audit = Some(AuditConfig { policy: Policy::parse(POLICY).unwrap(), log });
    config.token_key_pem = Some(pem.clone());
    let cluster = Cluster::with(config, |_| {}).await;
    let account = cluster.get("/api/v1/namespaces/default/serviceaccounts/default").await.ok();
    let uid = account["metadata"]["uid"].as_str().unwrap();
    let of = coracle_server::AccountSecret { namespace: "default", account: "default", uid, secret: "s" };
    let token = coracle_server::AccountTokens::from_pem(&pem).unwrap().sign(of).unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "s", "annotations": { "kubernetes.io/service-account.name": "default" },
            "labels": { "kubernetes.io/legacy-token-invalid-since": "2026-01-01" },
        },
        "stringData": { "token": token },
    });
    cluster.post("/api/v1/namespaces/default/secrets", secret).await.ok();
    let mut asked = request(Method::GET, "/api", Value::Null);
    asked.extensions_mut().clear();
    asked.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(cluster.send(asked).await.code, 401);
    let events = events(directory.path(), 2).await;
    assert_eq!(events[1]["annotations"]["authentication.k8s.io/legacy-token-invalidated"], "s/default");
}

#[tokio::test]
async fn a_watch_is_written_when_it_begins_and_when_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(directory.path()).await;
    let watch = cluster.watch("/api/v1/namespaces/default/pods?watch=1").await;
    assert_eq!(events(directory.path(), 2).await[1]["stage"], "ResponseStarted");
    drop(watch);
    assert_eq!(events(directory.path(), 3).await[2]["stage"], "ResponseComplete");
}

#[tokio::test]
async fn who_acts_as_another_is_written_with_the_right_that_lets_him() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(directory.path()).await;
    let as_jane = |sender: coracle_server::User| {
        let mut asked = request(Method::GET, MAPS, Value::Null);
        asked.headers_mut().insert("impersonate-user", "jane".parse().unwrap());
        asked.extensions_mut().insert(sender);
        asked
    };
    assert_eq!(cluster.send(as_jane(crate::support::admin())).await.code, 403);
    assert_eq!(cluster.send(as_jane(coracle_server::User::new("joe", []))).await.code, 403);
    let events = events(directory.path(), 2).await;
    let (by_admin, by_joe) = (&events[0], &events[1]);
    assert_eq!(by_admin["user"]["username"], "admin");
    assert_eq!(by_admin["impersonatedUser"]["username"], "jane");
    assert_eq!(by_admin["authenticationMetadata"], json!({ "impersonationConstraint": "impersonate:user-info" }));
    // Who may not is written as himself.
    assert_eq!((&by_joe["user"]["username"], &by_joe["responseStatus"]["code"]), (&json!("joe"), &json!(403)));
    assert_eq!((by_joe.get("impersonatedUser"), by_joe.get("authenticationMetadata")), (None, None));
}

#[tokio::test]
async fn a_token_that_is_issued_can_be_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = cluster(directory.path()).await;
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    cluster.post("/api/v1/namespaces/default/serviceaccounts/default/token", body).await.ok();
    let events = events(directory.path(), 2).await;
    let id = events[1]["annotations"]["authentication.kubernetes.io/issued-credential-id"].as_str().unwrap();
    assert!(id.starts_with("JTI=") && id.len() == 40, "{id}");
    assert_eq!(events[1]["objectRef"]["subresource"], "token");
}
