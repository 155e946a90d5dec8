//! From a policy and a server that describes its kinds to the status that is written.

use super::*;
use http_body_util::BodyExt as _;
use kube::client::Body;
use parking_lot::Mutex;

/// A server of one group with two kinds.
fn answer(path: &str) -> Option<Value> {
    let resource = |name: &str, kind: &str| json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["list"] });
    let schema = |kind: &str, field: &str| {
        json!({
            "type": "object", "properties": { field: { "type": "integer" } },
            "x-kubernetes-group-version-kind": [{ "group": "a.example", "kind": kind, "version": "v1" }],
        })
    };
    Some(match path {
        "/api" => json!({ "kind": "APIVersions", "versions": [], "serverAddressByClientCIDRs": [] }),
        "/apis" => json!({ "kind": "APIGroupList", "groups": [{
            "name": "a.example", "versions": [{ "groupVersion": "a.example/v1", "version": "v1" }],
            "preferredVersion": { "groupVersion": "a.example/v1", "version": "v1" },
        }] }),
        "/apis/a.example/v1" => json!({
            "kind": "APIResourceList", "groupVersion": "a.example/v1",
            "resources": [resource("boats", "Boat"), resource("oars", "Oar"), resource("rules", "Rule")],
        }),
        "/openapi/v3/apis/a.example/v1" => json!({ "components": { "schemas": {
            "boat": schema("Boat", "seats"), "oar": schema("Oar", "length"), "rule": schema("Rule", "limit"),
        } } }),
        _ => return None,
    })
}

/// Where patches went, and what they said.
type Patches = Arc<Mutex<Vec<(String, Value)>>>;

fn client(patches: &Patches) -> Client {
    let patches = Arc::clone(patches);
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let patches = Arc::clone(&patches);
        async move {
            let (parts, body) = request.into_parts();
            let (code, body) = if parts.method == http::Method::PATCH {
                let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let patch: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                patches.lock().push((parts.uri.to_string(), patch.clone()));
                (200, patch)
            } else {
                let none = json!({ "kind": "Status", "code": 404, "reason": "NotFound", "message": "none" });
                answer(parts.uri.path()).map_or((404, none), |body| (200, body))
            };
            let response = http::Response::builder().status(code).header("content-type", "application/json");
            response.body(Body::from(body.to_string().into_bytes()))
        }
    });
    Client::new(service, "default")
}

fn policy(resources: &[&str], groups: &[&str]) -> ValidatingAdmissionPolicy {
    serde_json::from_value(json!({
        "metadata": { "name": "p", "generation": 3 },
        "spec": {
            "paramKind": { "apiVersion": "a.example/v1", "kind": "Rule" },
            "matchConstraints": { "resourceRules": [{
                "operations": ["*"], "apiGroups": groups, "apiVersions": ["v1"], "resources": resources,
            }] },
            "validations": [{ "expression": "object.seats < params.limit" }, { "expression": "params.seats == 1" }],
        },
    }))
    .unwrap()
}

#[tokio::test]
async fn what_a_kind_does_not_have_is_written_to_the_status() {
    let policy = policy(&["boats", "oars", "oars/status", "rules"], &["a.example"]);
    let patches = Patches::default();
    publish(&client(&patches), &policy).await.unwrap();
    let (uri, patch) = patches.lock().pop().unwrap();
    let (path, query) = uri.split_once('?').unwrap();
    assert!(path.ends_with("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/p/status"), "{uri}");
    assert!(query.contains("fieldManager=validatingadmissionpolicy-status") && query.contains("force=true"), "{uri}");
    let status = &patch["status"];
    assert_eq!(status["observedGeneration"], 3);
    let warnings = status["typeChecking"]["expressionWarnings"].as_array().unwrap();
    let texts: Vec<(&str, &str)> = warnings
        .iter()
        .map(|warning| (warning["fieldRef"].as_str().unwrap(), warning["warning"].as_str().unwrap()))
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert_eq!(texts[0].0, "spec.validations[0].expression");
    assert!(texts[0].1.starts_with("a.example/v1, Kind=Oar: "), "only an oar has no seats: {}", texts[0].1);
    assert!(texts[0].1.contains("undefined field 'seats'"));
    assert_eq!(texts[1].1.matches("undefined field 'seats'").count(), 2, "said of each kind: {}", texts[1].1);
}

#[tokio::test]
async fn stars_and_unknown_kinds_are_not_checked() {
    for (resources, groups) in [(["*"], ["a.example"]), (["boats"], ["*"]), (["sails"], ["a.example"])] {
        let policy = policy(&resources, &groups);
        let warnings = check(&client(&Patches::default()), &policy).await.unwrap();
        assert_eq!(status(&policy, &warnings)["status"]["typeChecking"], json!({}), "{warnings:?}");
    }
}

#[test]
fn a_generation_is_checked_once() {
    let mut policy = policy(&[], &[]);
    assert!(!is_checked(&policy));
    policy.status = serde_json::from_value(json!({ "observedGeneration": 3 })).ok();
    assert!(is_checked(&policy));
}
