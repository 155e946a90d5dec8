//! Priority and fairness: a user with too many requests is in nobody's way but his own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use coracle_server::{ServerConfig, User};
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::remote::Remote;
use crate::support::{Answer, Cluster, MAPS, PATIENCE, config, map, request};

const FLOWS: &str = "/apis/flowcontrol.apiserver.k8s.io/v1";
const CROWDED: &str = "Too many requests, please try again later.\n";

/// A request of a user who may do everything, and is nobody special.
fn by(user: &str, method: Method, path: &str, body: Value) -> Request<Body> {
    let mut request = request(method, path, body);
    request.extensions_mut().insert(User::new(user, ["team".to_string()]));
    request
}

/// A cluster with a webhook that keeps config maps waiting until it is told.
struct Held {
    cluster: Arc<Cluster>,
    gate: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    _remote: Remote,
}

impl Held {
    async fn start(config: ServerConfig) -> Self {
        let cluster = Arc::new(Cluster::with(config, |_| {}).await);
        let (gate, waiting) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (open, come) = (gate.clone(), waiting.clone());
        let answer = move |axum::Json(review): axum::Json<Value>| async move {
            come.add_permits(1);
            open.acquire().await.unwrap().forget();
            let response = json!({ "uid": review["request"]["uid"], "allowed": true });
            axum::Json(json!({ "apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response }))
        };
        let remote = Remote::start("hook.default.svc", None, Router::new().route("/ask", post(answer))).await;
        remote.behind(&cluster, "hook").await;
        let rule =
            json!({ "operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"] });
        let webhook = json!({
            "name": "v.example.com", "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 30,
            "clientConfig": {
                "service": { "namespace": "default", "name": "hook", "path": "/ask" }, "caBundle": remote.bundle,
            },
        });
        let hooks = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": "v" }, "webhooks": [webhook],
        });
        cluster.post("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", hooks).await.ok();
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "team" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "team" }],
        });
        cluster.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", role).await.ok();
        Self { cluster, gate, waiting, _remote: remote }
    }

    /// Has a user create a config map, which is kept waiting.
    fn create(&self, user: &str, name: &str) -> JoinHandle<Answer> {
        let (cluster, request) = (self.cluster.clone(), by(user, Method::POST, MAPS, map(name, json!({}))));
        tokio::spawn(async move { cluster.send(request).await })
    }

    /// Waits until so many requests are in the webhook's hands.
    async fn until_held(&self, count: u32) {
        let held = tokio::time::timeout(PATIENCE, self.waiting.acquire_many(count)).await;
        held.expect("requests that are kept waiting").unwrap().forget();
    }

    async fn until_metric(&self, line: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let page = self.cluster.get("/metrics").await.text();
            if page.lines().any(|own| own == format!("apiserver_flowcontrol_{line}")) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "no {line}\n{page}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn let_go(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

/// A priority level, and a schema that leads the users of a group to it.
async fn level(cluster: &Cluster, name: &str, limited: Value) {
    let object = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "PriorityLevelConfiguration",
        "metadata": { "name": name }, "spec": { "type": "Limited", "limited": limited },
    });
    cluster.post(&format!("{FLOWS}/prioritylevelconfigurations"), object).await.ok();
}

async fn schema(cluster: &Cluster, name: &str, level: &str, subject: Value) -> Value {
    let everything = json!({
        "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true,
    });
    let object = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": { "name": name },
        "spec": {
            "priorityLevelConfiguration": { "name": level }, "matchingPrecedence": 500,
            "distinguisherMethod": { "type": "ByUser" },
            "rules": [{ "subjects": [subject], "resourceRules": [everything] }],
        },
    });
    cluster.post(&format!("{FLOWS}/flowschemas"), object).await.ok()
}

fn group(name: &str) -> Value {
    json!({ "kind": "Group", "group": { "name": name } })
}

fn queues(length: u32) -> Value {
    json!({ "type": "Queue", "queuing": { "queues": 16, "handSize": 2, "queueLengthLimit": length } })
}

/// One seat for the whole team.
fn one_seat(response: Value) -> Value {
    json!({ "nominalConcurrencyShares": 1, "borrowingLimitPercent": 0, "limitResponse": response })
}

#[tokio::test]
async fn a_user_who_floods_the_server_is_not_in_the_way_of_another() {
    let held = Held::start(config()).await;
    level(&held.cluster, "team", one_seat(queues(50))).await;
    schema(&held.cluster, "team", "team", group("team")).await;
    // The level has ceil(600 / 246) seats: three are taken, and forty wait for them.
    let flood: Vec<_> = (0..43).map(|i| held.create("elephant", &format!("e{i}"))).collect();
    held.until_held(3).await;
    held.until_metric("current_inqueue_requests{priority_level=\"team\",flow_schema=\"team\"} 40").await;
    held.until_metric("current_executing_requests{priority_level=\"team\",flow_schema=\"team\"} 3").await;
    held.until_metric("nominal_limit_seats{priority_level=\"team\"} 3").await;
    // Others have levels of their own.
    let mut other = request(Method::GET, MAPS, Value::Null);
    other.extensions_mut().insert(User::new("system:node:n", ["system:nodes".to_string()]));
    let other = held.cluster.send(other).await;
    assert_eq!((other.code, other.headers.contains_key("x-kubernetes-pf-flowschema-uid")), (403, true));
    held.cluster.get(MAPS).await.ok();
    // And a mouse of the same level has its turn before the elephant's forty.
    let cluster = held.cluster.clone();
    let mouse = tokio::spawn(async move { cluster.send(by("mouse", Method::GET, MAPS, Value::Null)).await });
    held.until_metric("current_inqueue_requests{priority_level=\"team\",flow_schema=\"team\"} 41").await;
    held.gate.add_permits(1);
    let answer = tokio::time::timeout(PATIENCE, mouse).await.expect("the mouse's answer").unwrap();
    assert_eq!(answer.code, 200);
    held.let_go();
    for one in flood {
        assert_eq!(one.await.unwrap().code, 201);
    }
}

#[tokio::test]
async fn refusals_say_when_to_come_back() {
    let held = Held::start(config()).await;
    level(&held.cluster, "team", one_seat(json!({ "type": "Reject" }))).await;
    let schema = schema(&held.cluster, "team", "team", group("team")).await;
    let slow: Vec<_> = (0..3).map(|i| held.create("jane", &format!("s{i}"))).collect();
    held.until_held(3).await;
    let refused = held.cluster.send(by("jane", Method::GET, MAPS, Value::Null)).await;
    assert_eq!((refused.code, refused.text().as_str()), (429, CROWDED));
    let header = |name: &str| refused.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((header("retry-after"), header("content-type")), ("1", "text/plain; charset=utf-8"));
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("x-kubernetes-pf-flowschema-uid"), schema["metadata"]["uid"].as_str().unwrap());
    let level = held.cluster.get(&format!("{FLOWS}/prioritylevelconfigurations/team")).await.ok();
    assert_eq!(header("x-kubernetes-pf-prioritylevel-uid"), level["metadata"]["uid"].as_str().unwrap());
    held.until_metric(
        "rejected_requests_total{priority_level=\"team\",flow_schema=\"team\",reason=\"concurrency-limit\"} 1",
    )
    .await;
    // The seats of who has left are taken until the work is done.
    let mut slow = slow;
    slow.remove(0).abort();
    assert_eq!(held.cluster.send(by("jane", Method::GET, MAPS, Value::Null)).await.code, 429);
    held.let_go();
    for one in slow {
        one.await.unwrap().ok();
    }
    let dump = held.cluster.get("/debug/api_priority_and_fairness/dump_priority_levels").await.text();
    let row = dump.lines().find(|row| row.starts_with("team,")).unwrap_or_default();
    assert_eq!(dump.lines().next().unwrap_or_default().split(',').count(), 6, "{dump}");
    assert_eq!(row.split_whitespace().nth(3), Some("false,"), "{dump}");
}

#[tokio::test]
async fn a_changed_level_takes_effect_at_once() {
    let held = Held::start(config()).await;
    level(&held.cluster, "team", one_seat(json!({ "type": "Reject" }))).await;
    schema(&held.cluster, "team", "team", group("team")).await;
    let mut slow: Vec<_> = (0..3).map(|i| held.create("jane", &format!("s{i}"))).collect();
    held.until_held(3).await;
    assert_eq!(held.cluster.send(by("jane", Method::GET, MAPS, Value::Null)).await.code, 429);
    let path = format!("{FLOWS}/prioritylevelconfigurations/team");
    held.cluster.merge(&path, json!({ "spec": { "limited": { "nominalConcurrencyShares": 2 } } })).await.ok();
    held.cluster.send(by("jane", Method::GET, MAPS, Value::Null)).await.ok();
    // Requests that wait are turned away when their time is over: a quarter of what they ask for.
    let short = one_seat(queues(1));
    held.cluster.merge(&path, json!({ "spec": { "limited": short } })).await.ok();
    let waits = by("jane", Method::GET, &format!("{MAPS}?timeout=20ms"), Value::Null);
    let late = held.cluster.send(waits).await;
    assert_eq!((late.code, late.text().as_str()), (429, CROWDED));
    held.until_metric("rejected_requests_total{priority_level=\"team\",flow_schema=\"team\",reason=\"time-out\"} 1")
        .await;
    // Without its level the schema is about nothing, and says so.
    held.cluster.delete(&path).await.ok();
    held.cluster.send(by("jane", Method::GET, MAPS, Value::Null)).await.ok();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let schema = held.cluster.get(&format!("{FLOWS}/flowschemas/team")).await.ok();
        let condition = &schema["status"]["conditions"][0];
        if condition["reason"] == "NotFound" {
            assert_eq!((&condition["type"], &condition["status"]), (&json!("Dangling"), &json!("True")));
            let text = "This FlowSchema references the PriorityLevelConfiguration object named \"team\" but there is no \
                        such object";
            assert_eq!(condition["message"], text);
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{schema}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    held.let_go();
    for one in slow.drain(..) {
        one.await.unwrap().ok();
    }
}

#[tokio::test]
async fn without_fairness_there_are_two_numbers() {
    let mut config = config();
    (config.limits.priority_and_fairness, config.limits.mutating_in_flight) = (false, 1);
    let held = Held::start(config).await;
    let slow = held.create("jane", "slow");
    held.until_held(1).await;
    let refused = held.cluster.send(by("joe", Method::POST, MAPS, map("b", json!({})))).await;
    assert_eq!((refused.code, refused.text().as_str()), (429, CROWDED));
    assert!(!refused.headers.contains_key("x-kubernetes-pf-flowschema-uid"));
    // Reads have a number of their own, and who may do everything is never refused.
    held.cluster.send(by("joe", Method::GET, MAPS, Value::Null)).await.ok();
    held.let_go();
    held.cluster.post(MAPS, map("c", json!({}))).await.ok();
    slow.await.unwrap().ok();
}

#[tokio::test]
async fn nobody_has_all_watches() {
    let mut config = config();
    config.limits.long_running = 8;
    let held = Held::start(config).await;
    let watch = |user: &str| by(user, Method::GET, &format!("{MAPS}?watch=1"), Value::Null);
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(held.cluster.open(watch("jane")).await);
    }
    assert!(open.iter().all(|watch| watch.status() == 200));
    assert_eq!(held.cluster.open(watch("jane")).await.status(), 429);
    assert_eq!(held.cluster.open(watch("joe")).await.status(), 200);
    // A watch has had its seat only while it began.
    held.until_metric("current_executing_requests{priority_level=\"global-default\",flow_schema=\"global-default\"} 0")
        .await;
    drop(open);
    assert_eq!(held.cluster.open(watch("jane")).await.status(), 200);
}
