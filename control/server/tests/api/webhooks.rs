//! Admission webhooks: real servers with TLS that are asked about writes.

mod failing;
mod matching;
mod mutating;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_server::{AuditConfig, LogConfig, Policy};
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::remote::Remote;
use crate::support::{Answer, Cluster, MAPS, PATIENCE, config, map, request};

const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

/// What a webhook says to a request: the fields of its response besides the uid.
type Says = fn(&Value) -> Value;

/// A server with one webhook, which remembers what it was asked.
struct Hook {
    remote: Remote,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    async fn start(cluster: &Cluster, says: Says) -> Self {
        Self::start_at(cluster, "hook", says).await
    }

    /// Behind another Service than `hook`.
    async fn start_at(cluster: &Cluster, service: &str, says: Says) -> Self {
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let seen = asked.clone();
        let answer = move |axum::Json(review): axum::Json<Value>| async move {
            let mut response = says(&review["request"]);
            response["uid"] = review["request"]["uid"].clone();
            seen.lock().push(review["request"].clone());
            axum::Json(json!({ "apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response }))
        };
        let host = format!("{service}.default.svc");
        let remote = Remote::start(&host, None, Router::new().route("/ask", post(answer))).await;
        remote.behind(cluster, service).await;
        Self { remote, asked }
    }

    /// The requests so far, which are forgotten.
    fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut self.asked.lock())
    }

    /// A webhook that is called `NAME.example.com`, for config maps unless `more` says otherwise.
    fn named(&self, name: &str, more: Value) -> Value {
        webhook(name, &self.remote.bundle, more)
    }
}

fn webhook(name: &str, bundle: &str, more: Value) -> Value {
    let rule = json!({ "operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"] });
    let mut webhook = json!({
        "name": format!("{name}.example.com"), "rules": [rule], "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": { "namespace": "default", "name": "hook", "path": "/ask" }, "caBundle": bundle,
        },
    });
    webhook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    webhook
}

async fn configure(cluster: &Cluster, path: &str, name: &str, webhooks: Value) {
    let kind = if path == MUTATING { "MutatingWebhookConfiguration" } else { "ValidatingWebhookConfiguration" };
    let object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": { "name": name },
        "webhooks": webhooks,
    });
    cluster.post(path, object).await.ok();
}

fn rules(operations: &[&str], group: &str, resources: &[&str]) -> Value {
    let rule = json!({
        "operations": operations, "apiGroups": [group], "apiVersions": ["*"], "resources": resources,
    });
    json!({ "rules": [rule] })
}

fn patch(steps: Value) -> Value {
    json!({ "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(steps.to_string()) })
}

/// The text of the refusal, which is another when the webhook is not the reason.
fn refused(answer: &Answer) -> (u16, &str) {
    (answer.code, answer.message())
}

#[tokio::test]
async fn a_webhook_is_told_all_about_every_operation() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |_| json!({ "allowed": true })).await;
    configure(&cluster, VALIDATING, "v", json!([hook.named("v", json!({}))])).await;
    cluster.post(&format!("{MAPS}?fieldManager=me"), map("a", json!({}))).await.ok();
    cluster.merge(&format!("{MAPS}/a?dryRun=All"), json!({ "data": { "k": "w" } })).await.ok();
    cluster.delete_with(&format!("{MAPS}/a"), json!({ "gracePeriodSeconds": 0 })).await.ok();
    let asked = hook.asked();
    let told: Vec<_> = asked.iter().map(|r| (r["operation"].as_str().unwrap(), r["dryRun"].clone())).collect();
    assert_eq!(told, [("CREATE", json!(false)), ("UPDATE", json!(true)), ("DELETE", json!(false))]);
    let [create, update, delete] = asked.as_slice() else { panic!("three") };
    assert_eq!(create["kind"], json!({ "group": "", "version": "v1", "kind": "ConfigMap" }));
    assert_eq!(create["requestResource"], json!({ "group": "", "version": "v1", "resource": "configmaps" }));
    assert_eq!((&create["name"], &create["namespace"]), (&json!("a"), &json!("default")));
    let groups = json!({ "username": "admin", "groups": ["system:masters", "system:authenticated"] });
    assert_eq!(create["userInfo"], groups);
    assert_eq!((&create["object"]["data"]["k"], &create["oldObject"]), (&json!("v"), &Value::Null));
    let options = json!({ "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me" });
    assert_eq!(create["options"], options);
    assert_eq!((&update["object"]["data"]["k"], &update["oldObject"]["data"]["k"]), (&json!("w"), &json!("v")));
    assert_eq!(update["options"]["kind"], "UpdateOptions");
    assert_eq!((&delete["object"], &delete["oldObject"]["data"]["k"]), (&Value::Null, &json!("v")));
    let options = json!({ "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "gracePeriodSeconds": 0 });
    assert_eq!(delete["options"], options);
}

#[tokio::test]
async fn refusals_carry_the_words_of_the_webhook() {
    let cluster = Cluster::new().await;
    let hook = Hook::start(&cluster, |request| match request["name"].as_str().unwrap() {
        "plain" => json!({ "allowed": false }),
        "told" => json!({ "allowed": false, "status": { "message": "no", "code": 403, "reason": "Forbidden" } }),
        "gone" => json!({ "allowed": false, "status": { "message": "no", "code": 409, "reason": "AlreadyExists" } }),
        _ => json!({ "allowed": true, "warnings": ["careful"] }),
    })
    .await;
    configure(&cluster, VALIDATING, "v", json!([hook.named("v", json!({}))])).await;
    let denied = "admission webhook \"v.example.com\" denied the request";
    let plain = cluster.post(MAPS, map("plain", json!({}))).await;
    assert_eq!(refused(&plain), (400, format!("{denied} without explanation").as_str()));
    assert_eq!(plain.body.get("reason"), None);
    let told = cluster.post(MAPS, map("told", json!({}))).await;
    assert_eq!(refused(&told), (403, format!("{denied}: no").as_str()));
    assert_eq!(told.body["reason"], "Forbidden");
    // Whatever a webhook calls it, it is asked once.
    hook.asked();
    let gone = cluster.post(MAPS, map("gone", json!({}))).await;
    assert_eq!((gone.code, &gone.body["reason"], hook.asked().len()), (409, &json!("AlreadyExists"), 1));
    let fine = cluster.post(MAPS, map("fine", json!({}))).await;
    assert_eq!((fine.code, fine.warnings()), (201, vec!["299 - \"careful\"".to_string()]));
}

#[tokio::test]
async fn what_webhooks_have_done_is_in_the_audit_log() {
    let directory = tempfile::tempdir().unwrap();
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Request\n  \
                  resources: [{ group: \"\", resources: [configmaps] }]\n";
    let path = directory.path().join("audit.log");
    let log = LogConfig { path: path.clone(), max_megabytes: 100, max_backups: 0, max_days: 0 };
    let mut config = config();
    config.audit = Some(AuditConfig { policy: Policy::parse(policy).unwrap(), log });
    let cluster = Cluster::with(config, |_| {}).await;
    let hook = Hook::start(&cluster, |_| {
        let mut says = patch(json!([{ "op": "add", "path": "/data/x", "value": "y" }]));
        says["auditAnnotations"] = json!({ "ticket": "42", "not a key": "x" });
        says
    })
    .await;
    configure(&cluster, MUTATING, "m", json!([hook.named("m", json!({}))])).await;
    let nowhere = json!({ "clientConfig": { "url": "https://127.0.0.1:1/" }, "failurePolicy": "Ignore" });
    configure(&cluster, VALIDATING, "v", json!([hook.named("v", nowhere)])).await;
    let answer = cluster.send(request(Method::POST, MAPS, map("a", json!({})))).await.ok();
    assert_eq!(answer["data"]["x"], "y");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let event = loop {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some(line) = text.lines().find(|line| line.ends_with('}')) {
            break serde_json::from_str::<Value>(line).unwrap();
        }
        assert!(tokio::time::Instant::now() < deadline, "no event");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let expected = json!({
        "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "",
        "m.example.com/ticket": "42",
        "mutation.webhook.admission.k8s.io/round_0_index_0":
            "{\"configuration\":\"m\",\"webhook\":\"m.example.com\",\"mutated\":true}",
        "patch.webhook.admission.k8s.io/round_0_index_0":
            "{\"configuration\":\"m\",\"webhook\":\"m.example.com\",\"patch\":[{\"op\":\"add\",\"path\":\"/data/x\",\
             \"value\":\"y\"}],\"patchType\":\"JSONPatch\"}",
        "failed-open.validating.webhook.admission.k8s.io/round_0_index_0": "v.example.com",
    });
    assert_eq!(event["annotations"], expected);
}
