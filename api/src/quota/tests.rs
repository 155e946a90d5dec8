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
    let cost = usage(resource, object, now());
    charge(quota, &Wish { resource, new: Costing { object, cost: &cost }, old: None, is_fact: false })
}

fn replaced(quota: &Value, resource: &str, new: &Value, old: &Value) -> Result<Option<ResourceList>, QuotaError> {
    let (cost, before) = (usage(resource, new, now()), usage(resource, old, now()));
    let (new, old) = (Costing { object: new, cost: &cost }, Costing { object: old, cost: &before });
    charge(quota, &Wish { resource, new, old: Some(old), is_fact: false })
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
fn only_a_pod_that_says_something_as_a_whole_speaks_for_its_containers() {
    let q = quota(json!({ "requests.cpu": "2" }), json!({ "requests.cpu": "0" }));
    let whole = |resources: Value| {
        let mut pod = pod(json!({}));
        pod["spec"]["resources"] = resources;
        charged(&q, "pods", &pod)
    };
    for nothing in [json!({}), json!({ "requests": {} }), json!({ "limits": { "example.com/x": "1" } })] {
        let error = whole(nothing).unwrap_err().to_string();
        assert_eq!(error, "failed quota: q: must specify requests.cpu for: c");
    }
    assert_eq!(whole(json!({ "limits": { "hugepages-2Mi": "2Mi" } })), Ok(None));
    assert_eq!(list(&whole(json!({ "requests": { "cpu": "1" } })).unwrap().unwrap()), json!({ "requests.cpu": "1" }));
}

/// What a node has not given back yet is nobody else's.
#[test]
fn a_pod_that_shrinks_costs_what_it_has() {
    let resized = |wants: &str, has: &str| {
        let both = |cpu: &str| json!({ "requests": { "cpu": cpu }, "limits": { "cpu": cpu } });
        let mut pod = pod(both(wants));
        pod["status"] = json!({ "containerStatuses": [{
            "name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 0, "resources": both(has),
            "allocatedResources": { "cpu": has },
        }] });
        pod
    };
    let cost = |wants: &str, has: &str| {
        let cost = usage("pods", &resized(wants, has), now());
        ["requests.cpu", "limits.cpu"].map(|name| cost[name].to_string())
    };
    assert_eq!(cost("1", "2"), ["2", "2"]);
    assert_eq!(cost("1", "1"), ["1", "1"]);
    assert_eq!(cost("3", "2"), ["3", "3"]);
    let q = quota(json!({ "limits.cpu": "2" }), json!({ "limits.cpu": "2" }));
    assert_eq!(replaced(&q, "pods", &resized("2", "2"), &resized("1", "2")), Ok(None), "it had it all the time");
}

#[test]
fn claims_for_devices_cost_the_most_that_they_may_get() {
    let resource = "resourceclaims.resource.k8s.io";
    let way = |class: &str, mode: &str, count: i64| json!({ "deviceClassName": class, "allocationMode": mode, "count": count });
    let claim = json!({ "spec": { "devices": { "requests": [
        { "name": "a", "exactly": way("gpu", "ExactCount", 2) },
        { "name": "b", "exactly": way("nic", "All", 0) },
        { "name": "c", "firstAvailable": [way("gpu", "ExactCount", 3), way("gpu", "ExactCount", 1), way("tpu", "Odd", 9)] },
        { "name": "d" },
    ] } } });
    let cost = usage(resource, &claim, now());
    let expected = json!({
        "count/resourceclaims.resource.k8s.io": "1", "gpu.deviceclass.resource.k8s.io/devices": "5",
        "nic.deviceclass.resource.k8s.io/devices": "32", "tpu.deviceclass.resource.k8s.io/devices": "0",
    });
    assert_eq!(list(&cost), expected);
    assert!(cost.keys().all(|name| counts_resource(resource, name)));
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
    let step = |new: &str, old: &str| replaced(&q, "services", &service(new), &service(old)).unwrap();
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

#[test]
fn claims_are_of_every_class_that_they_have_to_do_with() {
    let scoped = |operator: &str, values: Value| {
        json!({ "spec": { "scopeSelector": { "matchExpressions": [
            { "scopeName": "VolumeAttributesClass", "operator": operator, "values": values }] } } })
    };
    let plain = json!({ "spec": {} });
    let wanted = json!({ "spec": { "volumeAttributesClassName": "gold" }, "status": { "currentVolumeAttributesClassName": "silver" } });
    let target = json!({ "spec": {}, "status": { "modifyVolumeStatus": { "targetVolumeAttributesClassName": "gold", "status": "Pending" } } });
    for (operator, values, of_plain, of_wanted, of_target) in [
        ("Exists", json!([]), false, true, true),
        ("DoesNotExist", json!([]), true, false, false),
        ("In", json!(["gold"]), false, true, true),
        ("In", json!(["silver"]), false, true, false),
        ("NotIn", json!(["gold"]), true, true, false),
    ] {
        let quota = scoped(operator, values);
        let found = [&plain, &wanted, &target].map(|claim| covers(&quota, "persistentvolumeclaims", claim));
        assert_eq!(found, [of_plain, of_wanted, of_target], "{quota}");
        assert!(!covers(&quota, "pods", &pod(json!({}))), "{quota}");
    }
}

/// Whoever changes the class of a claim pays where it comes to, not only what grows.
#[test]
fn a_claim_that_comes_into_a_scope_costs_all_of_it() {
    let mut q = quota(json!({ "requests.storage": "5Gi" }), json!({ "requests.storage": "1Gi" }));
    q["spec"]["scopeSelector"] = json!({ "matchExpressions": [
        { "scopeName": "VolumeAttributesClass", "operator": "In", "values": ["gold"] }] });
    let claim = |class: &str, size: &str| json!({ "spec": { "volumeAttributesClassName": class, "resources": { "requests": { "storage": size } } } });
    let step = |new: Value, old: Value| replaced(&q, "persistentvolumeclaims", &new, &old);
    assert_eq!(
        step(claim("gold", "3Gi"), claim("silver", "3Gi")).unwrap().unwrap()["requests.storage"].to_string(),
        "4Gi"
    );
    assert_eq!(
        step(claim("gold", "4Gi"), claim("gold", "3Gi")).unwrap().unwrap()["requests.storage"].to_string(),
        "2Gi"
    );
    assert_eq!(step(claim("silver", "9Gi"), claim("gold", "1Gi")), Ok(None));
    assert_eq!(
        step(claim("gold", "5Gi"), claim("silver", "5Gi")).unwrap_err().to_string(),
        "exceeded quota: q, requested: requests.storage=5Gi, used: requests.storage=1Gi, limited: requests.storage=5Gi"
    );
}

#[test]
fn a_claim_costs_what_it_has_been_given_and_whole_bytes() {
    let claim = |asked: &str, given: &str| {
        let claim = json!({
            "spec": { "resources": { "requests": { "storage": asked } } },
            "status": { "allocatedResources": { "storage": given } },
        });
        usage("persistentvolumeclaims", &claim, now())["requests.storage"].to_string()
    };
    assert_eq!(claim("1Gi", "2Gi"), "2Gi");
    assert_eq!(claim("3Gi", "2Gi"), "3Gi");
    assert_eq!(claim("1.5", "0"), "2");
}

#[test]
fn what_is_so_already_is_counted_and_not_refused() {
    let q = quota(json!({ "requests.storage": "1Gi" }), json!({ "requests.storage": "1Gi" }));
    let claim = |given: &str| {
        json!({
            "spec": { "resources": { "requests": { "storage": "1Gi" } } },
            "status": { "allocatedResources": { "storage": given } },
        })
    };
    let (new, old) = (claim("3Gi"), claim("1Gi"));
    let resource = "persistentvolumeclaims";
    let (cost, before) = (usage(resource, &new, now()), usage(resource, &old, now()));
    let (new, old) = (Costing { object: &new, cost: &cost }, Costing { object: &old, cost: &before });
    let used = charge(&q, &Wish { resource, new, old: Some(old), is_fact: true }).unwrap().unwrap();
    assert_eq!(used["requests.storage"].to_string(), "3Gi");
}
