use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn pod(resources: Value) -> Value {
    json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "resources": resources }] } })
}

fn quota(hard: Value, used: Value) -> Value {
    json!({ "metadata": { "name": "q" }, "spec": { "hard": hard.clone() }, "status": { "hard": hard, "used": used } })
}

fn charged(quota: &Value, resource: &str, object: &Value) -> Result<Option<ResourceList>, QuotaError> {
    charge(quota, resource, object, &usage(resource, object, now()), &ResourceList::new())
}

#[test]
fn a_pod_costs_its_requests_and_limits_until_it_has_ended() {
    let mut pod = pod(json!({ "requests": { "cpu": "500m", "example.com/x": "2" }, "limits": { "memory": "1Gi" } }));
    let cost = list(&usage("pods", &pod, now()));
    let expected = json!({
        "count/pods": "1", "pods": "1", "cpu": "500m", "requests.cpu": "500m", "requests.example.com/x": "2",
        "limits.memory": "1Gi",
    });
    assert_eq!(cost, expected);
    pod["status"] = json!({ "phase": "Succeeded" });
    assert_eq!(list(&usage("pods", &pod, now())), json!({ "count/pods": "1" }));
}

#[test]
fn services_and_claims_cost_what_they_take() {
    let service = json!({ "spec": { "type": "LoadBalancer", "ports": [{ "port": 1 }, { "port": 2 }] } });
    let expected =
        json!({ "count/services": "1", "services": "1", "services.nodeports": "2", "services.loadbalancers": "1" });
    assert_eq!(list(&usage("services", &service, now())), expected);
    let claim = json!({ "spec": { "storageClassName": "fast", "resources": { "requests": { "storage": "5Gi" } } } });
    let cost = usage("persistentvolumeclaims", &claim, now());
    assert_eq!(cost["fast.storageclass.storage.k8s.io/requests.storage"].to_string(), "5Gi");
    assert!(cost.keys().all(|name| counts_resource("persistentvolumeclaims", name)));
    assert_eq!(list(&usage("jobs.batch", &json!({}), now())), json!({ "count/jobs.batch": "1" }));
}

#[test]
fn too_much_is_refused_in_kubernetes_words() {
    let q = quota(json!({ "pods": "2", "secrets": "1" }), json!({ "pods": "2", "secrets": "0" }));
    let error = charged(&q, "pods", &pod(json!({}))).unwrap_err().to_string();
    assert_eq!(error, "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2");
    let used = charged(&q, "secrets", &json!({})).unwrap().unwrap();
    assert_eq!(list(&used), json!({ "pods": "2", "secrets": "1" }));
    assert_eq!(charged(&q, "configmaps", &json!({})), Ok(None));
}

#[test]
fn containers_must_say_what_is_limited() {
    let q =
        quota(json!({ "limits.cpu": "2", "limits.memory": "1Gi" }), json!({ "limits.cpu": "0", "limits.memory": "0" }));
    let error = charged(&q, "pods", &pod(json!({}))).unwrap_err().to_string();
    assert_eq!(error, "failed quota: q: must specify limits.cpu for: c; limits.memory for: c");
}

#[test]
fn what_nobody_has_counted_can_not_be_given() {
    let q = quota(json!({ "pods": "2" }), json!({}));
    let error = charged(&q, "pods", &pod(json!({}))).unwrap_err().to_string();
    assert_eq!(error, "status unknown for quota: q, resources: pods");
}

#[test]
fn only_what_grows_is_taken() {
    let q = quota(json!({ "services.nodeports": "2" }), json!({ "services.nodeports": "1" }));
    let service = |kind: &str| json!({ "spec": { "type": kind, "ports": [{ "port": 1 }] } });
    let cost = |kind: &str| usage("services", &service(kind), now());
    let step = |new: &str, old: &str| charge(&q, "services", &service(new), &cost(new), &cost(old)).unwrap();
    assert_eq!(step("ClusterIP", "NodePort"), None);
    assert_eq!(step("NodePort", "NodePort"), None);
    assert_eq!(step("NodePort", "ClusterIP").unwrap()["services.nodeports"].value(), 2);
}

#[test]
fn scopes_choose_pods() {
    let scoped = |spec: Value| json!({ "spec": spec });
    let plain = pod(json!({}));
    let mut short = pod(json!({ "requests": { "cpu": "1" } }));
    short["spec"]["activeDeadlineSeconds"] = json!(5);
    short["spec"]["priorityClassName"] = json!("high");
    for (scope, of_plain, of_short) in [
        ("Terminating", false, true),
        ("NotTerminating", true, false),
        ("BestEffort", true, false),
        ("NotBestEffort", false, true),
        ("PriorityClass", false, true),
        ("CrossNamespacePodAffinity", false, false),
    ] {
        let quota = scoped(json!({ "scopes": [scope] }));
        assert_eq!((covers(&quota, "pods", &plain), covers(&quota, "pods", &short)), (of_plain, of_short), "{scope}");
        assert!(!covers(&quota, "secrets", &plain), "{scope}");
    }
    let selector = |operator: &str| {
        scoped(json!({ "scopeSelector": { "matchExpressions": [
            { "scopeName": "PriorityClass", "operator": operator, "values": ["high"] }] } }))
    };
    for (operator, of_plain, of_short) in [("In", false, true), ("NotIn", true, false), ("DoesNotExist", true, false)] {
        let quota = selector(operator);
        assert_eq!(
            (covers(&quota, "pods", &plain), covers(&quota, "pods", &short)),
            (of_plain, of_short),
            "{operator}"
        );
    }
}
