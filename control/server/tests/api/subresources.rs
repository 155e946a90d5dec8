//! What lies below an object: eviction, ephemeral containers, resize, tokens, approval, proxies.

use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Cluster, PODS, config, pod, request, service};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

async fn running(cluster: &Cluster, name: &str) {
    let mut object = pod(name);
    object["metadata"]["labels"] = json!({ "app": "web" });
    cluster.post(PODS, object).await.ok();
    let status = json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
    cluster.merge(&format!("{PODS}/{name}/status"), status).await.ok();
}

async fn budget(cluster: &Cluster, name: &str, allowed: i64) {
    let object = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": name },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "web" } } },
    });
    cluster.post(BUDGETS, object).await.ok();
    let status = json!({ "status": {
        "observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 1 + allowed, "desiredHealthy": 1,
        "expectedPods": 2,
    } });
    cluster.merge(&format!("{BUDGETS}/{name}/status"), status).await.ok();
}

fn eviction(name: &str) -> Value {
    json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name } })
}

#[tokio::test]
async fn an_eviction_takes_what_the_budget_allows_and_then_is_refused() {
    let cluster = Cluster::new().await;
    running(&cluster, "a").await;
    running(&cluster, "b").await;
    budget(&cluster, "pdb", 1).await;
    let dry = cluster.post(&format!("{PODS}/a/eviction?dryRun=All"), eviction("a")).await;
    assert_eq!((dry.code, &dry.body["status"]), (201, &json!("Success")));
    let done = cluster.post(&format!("{PODS}/a/eviction"), eviction("a")).await;
    assert_eq!((done.code, &done.body["status"]), (201, &json!("Success")));
    assert_eq!(cluster.get(&format!("{PODS}/a")).await.code, 404);
    let left = cluster.get(&format!("{BUDGETS}/pdb")).await.ok();
    assert_eq!(left["status"]["disruptionsAllowed"], 0);
    assert!(left["status"]["disruptedPods"]["a"].is_string());
    let refused = cluster.post(&format!("{PODS}/b/eviction"), eviction("b")).await;
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "DisruptionBudget");
    let cause = "The disruption budget pdb needs 1 healthy pods and has 2 currently";
    assert_eq!(refused.body["details"]["causes"][0]["message"], cause);
    refused.fails(429, "Cannot evict pod as it would violate the pod's disruption budget.");
    assert_eq!(cluster.get(&format!("{PODS}/b")).await.code, 200);
}

#[tokio::test]
async fn budgets_not_yet_looked_at_and_pods_with_two_of_them_are_not_evicted() {
    let cluster = Cluster::new().await;
    running(&cluster, "a").await;
    budget(&cluster, "one", 1).await;
    cluster.merge(&format!("{BUDGETS}/one"), json!({ "spec": { "minAvailable": 2 } })).await.ok();
    let busy = cluster.post(&format!("{PODS}/a/eviction"), eviction("a")).await;
    assert_eq!((busy.code, busy.headers["retry-after"].to_str().unwrap()), (429, "10"));
    budget(&cluster, "two", 1).await;
    let text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    cluster.post(&format!("{PODS}/a/eviction"), eviction("a")).await.fails(500, text);
    let wrong = cluster.post(&format!("{PODS}/a/eviction"), eviction("b")).await;
    wrong.fails(400, "name in URL does not match name in Eviction object");
}

#[tokio::test]
async fn a_pod_that_has_not_begun_goes_whatever_its_budget_says() {
    let cluster = Cluster::new().await;
    let mut object = pod("a");
    object["metadata"]["labels"] = json!({ "app": "web" });
    cluster.post(PODS, object).await.ok();
    budget(&cluster, "pdb", 0).await;
    assert_eq!(cluster.post(&format!("{PODS}/a/eviction"), eviction("a")).await.code, 201);
}

#[tokio::test]
async fn ephemeral_containers_are_added_and_nothing_else_is_changed_by_the_way() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("a")).await.ok();
    let path = format!("{PODS}/a/ephemeralcontainers");
    let debugger = json!({ "name": "debugger", "image": "example.com/d:1", "targetContainerName": "main" });
    let patch = json!({ "metadata": { "labels": { "x": "y" } }, "spec": { "ephemeralContainers": [debugger] } });
    let patched = cluster.patch(&path, "strategic-merge-patch+json", patch).await.ok();
    let container = &patched["spec"]["ephemeralContainers"][0];
    assert_eq!((&container["name"], &container["imagePullPolicy"]), (&json!("debugger"), &json!("IfNotPresent")));
    assert!(patched["metadata"]["labels"].is_null());
    assert_eq!(patched["metadata"]["generation"], 2);
    let mut gone = patched;
    gone["spec"]["ephemeralContainers"] = json!([]);
    let refused = cluster.put(&path, gone).await;
    assert_eq!(refused.code, 422);
    assert!(refused.message().contains("existing ephemeral containers \"debugger\" may not be removed"));
}

#[tokio::test]
async fn a_resize_changes_resources_within_the_qos_class() {
    let cluster = Cluster::new().await;
    let mut object = pod("a");
    object["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "100m" } });
    cluster.post(PODS, object).await.ok();
    let path = format!("{PODS}/a/resize");
    let to = |resources: Value| json!({ "spec": { "containers": [{ "name": "main", "resources": resources }] } });
    let patch = |body: Value| cluster.patch(&path, "strategic-merge-patch+json", body);
    let resized = patch(to(json!({ "requests": { "cpu": "200m" } }))).await.ok();
    assert_eq!(resized["spec"]["containers"][0]["resources"]["requests"]["cpu"], "200m");
    assert_eq!(resized["metadata"]["generation"], 2);
    let extended = patch(to(json!({ "requests": { "example.com/x": "1" }, "limits": { "example.com/x": "1" } }))).await;
    assert!(extended.message().contains("only cpu and memory resources are mutable"), "{}", extended.message());
    let none = patch(to(json!({ "requests": { "cpu": null } }))).await;
    assert!(none.message().contains("Pod QOS Class may not change as a result of resizing"), "{}", none.message());
}

async fn token(cluster: &Cluster, spec: Value) -> crate::support::Answer {
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec });
    cluster.post(&format!("{ACCOUNTS}/default/token"), body).await
}

async fn review(cluster: &Cluster, token: &str) -> Value {
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": token },
    });
    cluster.post("/apis/authentication.k8s.io/v1/tokenreviews", body).await.ok()["status"].clone()
}

#[tokio::test]
async fn a_token_names_its_account_until_what_it_is_bound_to_is_gone() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let bound = json!({ "boundObjectRef": { "kind": "Pod", "apiVersion": "v1", "name": "p" } });
    let issued = token(&cluster, bound).await;
    assert_eq!((issued.code, &issued.body["spec"]["expirationSeconds"]), (201, &json!(3600)));
    let text = issued.body["status"]["token"].as_str().unwrap().to_string();
    let status = review(&cluster, &text).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["user"]["username"], "system:serviceaccount:default:default");
    assert_eq!(status["user"]["extra"]["authentication.kubernetes.io/pod-name"], json!(["p"]));
    let mut whoami = Request::builder().method(Method::POST).uri("/apis/authentication.k8s.io/v1/selfsubjectreviews");
    whoami = whoami.header("authorization", format!("Bearer {text}"));
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let me = cluster.send(whoami.body(body.to_string().into()).unwrap()).await.ok();
    assert_eq!(me["status"]["userInfo"]["username"], "system:serviceaccount:default:default");
    cluster.delete(&format!("{PODS}/p")).await.ok();
    let after = review(&cluster, &text).await;
    assert_eq!(
        (after.get("authenticated"), &after["error"]),
        (None, &json!("service account token has been invalidated"))
    );
    assert_eq!(review(&cluster, "nonsense").await["error"], "invalid bearer token");
}

#[tokio::test]
async fn token_requests_are_checked() {
    let cluster = Cluster::new().await;
    let short = token(&cluster, json!({ "expirationSeconds": 60 })).await;
    let text = "TokenRequest.authentication.k8s.io \"default\" is invalid: spec.expirationSeconds: Invalid value: 60: \
                may not specify a duration less than 10 minutes";
    short.fails(422, text);
    let missing = json!({ "boundObjectRef": { "kind": "Pod", "apiVersion": "v1", "name": "p" } });
    token(&cluster, missing).await.fails(404, "pods \"p\" not found");
    let other = token(&cluster, json!({ "audiences": ["vault"] })).await.ok();
    let status = review(&cluster, other["status"]["token"].as_str().unwrap()).await;
    assert!(status["error"].as_str().unwrap().contains("is invalid for the target audiences"));
    let keys = cluster.get("/openid/v1/jwks").await.ok();
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["alg"]), (&json!("EC"), &json!("ES256")));
    let found = cluster.get("/.well-known/openid-configuration").await.ok();
    assert_eq!(found["issuer"], "https://kubernetes.default.svc.cluster.local");
}

fn signing_request(organization: &str) -> Value {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "jane");
    parameters.distinguished_name.push(rcgen::DnType::OrganizationName, organization);
    let pem = parameters.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": { "name": "jane" },
        "spec": {
            "request": STANDARD.encode(pem), "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"], "username": "somebody else",
        },
    })
}

#[tokio::test]
async fn a_signing_request_says_who_asked_and_a_decision_stays() {
    let cluster = Cluster::new().await;
    let created = cluster.post(REQUESTS, signing_request("team")).await.ok();
    assert_eq!(created["spec"]["username"], "admin");
    let decide = |kind: &str| json!({ "status": { "conditions": [{ "type": kind, "status": "True", "reason": "R", "message": "m" }] } });
    let path = format!("{REQUESTS}/jane/approval");
    let approved = cluster.merge(&path, decide("Approved")).await.ok();
    assert!(approved["status"]["conditions"][0]["lastUpdateTime"].is_string());
    let changed = cluster.merge(&path, decide("Denied")).await;
    assert!(
        changed.message().contains("updates may not remove a condition of type \"Approved\""),
        "{}",
        changed.message()
    );
    assert_eq!(cluster.get(&path).await.ok()["metadata"]["name"], "jane");
    cluster.delete(&format!("{REQUESTS}/jane")).await.ok();
    cluster.post(REQUESTS, signing_request("system:masters")).await.fails(
        403,
        "certificatesigningrequests.certificates.k8s.io \"jane\" is forbidden: use of kubernetes.io/kube-apiserver-client \
         signer with system:masters group is not allowed",
    );
}

#[tokio::test]
async fn proxies_lead_to_pods_with_an_address_and_nowhere_else() {
    let mut config = config();
    config.pod_cidr = Some("127.9.0.0/17".parse().unwrap());
    let cluster = Cluster::with(config, |_| {}).await;
    let listener = tokio::net::TcpListener::bind("127.9.9.9:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let echo = axum::Router::new().fallback(any(|request: axum::extract::Request| async move {
        let secret = request.headers().contains_key("authorization");
        format!("{} {} {secret}", request.method(), request.uri())
    }));
    tokio::spawn(async move { axum::serve(listener, echo).await });
    cluster.post(PODS, pod("p")).await.ok();
    let address = |ip: &str| json!({ "status": { "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }] } });
    cluster.merge(&format!("{PODS}/p/status"), address("127.9.9.9")).await.ok();
    let mut asked = request(Method::PUT, &format!("{PODS}/p:{port}/proxy/a/b%2Fc?x=1"), Value::Null);
    asked.headers_mut().insert("authorization", "Basic secret".parse().unwrap());
    assert_eq!(cluster.send(asked).await.text(), "PUT /a/b%2Fc?x=1 false");
    let bare = cluster.get(&format!("{PODS}/p:{port}/proxy?y=2")).await;
    assert_eq!(bare.headers["location"].to_str().unwrap(), format!("{PODS}/p:{port}/proxy/?y=2"));
    cluster.merge(&format!("{PODS}/p/status"), address("169.254.169.254")).await.ok();
    cluster.get(&format!("{PODS}/p:80/proxy/")).await.fails(400, "address not allowed");
    cluster.merge(&format!("{PODS}/p/status"), address("127.0.0.1")).await.ok();
    cluster.get(&format!("{PODS}/p:80/proxy/")).await.fails(400, "address not allowed");
    let services = "/api/v1/namespaces/default/services";
    cluster.post(services, service("s", json!({ "ports": [{ "port": 80 }] }))).await.ok();
    cluster.get(&format!("{services}/s:80/proxy/")).await.fails(503, "no endpoints available for service \"s\"");
    cluster.get(&format!("{services}/s:81/proxy/")).await.fails(503, "no service port 81 found for service \"s\"");
}
