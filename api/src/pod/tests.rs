use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Taint, Toleration};
use serde_json::{Value, json};

use super::*;
use crate::quantity::Quantity;

fn pod(spec: Value, status: Value) -> Pod {
    let metadata = json!({ "name": "p", "namespace": "ns", "uid": "u", "labels": { "app": "web", "b": "c\"d" } });
    serde_json::from_value(json!({ "metadata": metadata, "spec": spec, "status": status })).unwrap()
}

fn container(name: &str, requests: Value, limits: Value) -> Value {
    json!({ "name": name, "resources": { "requests": requests, "limits": limits } })
}

fn amount(list: &ResourceList, name: &str) -> String {
    list.get(name).copied().unwrap_or_default().to_string()
}

#[test]
fn requests_are_the_hungriest_moment_plus_overhead() {
    let mut sidecar = container("s", json!({ "cpu": "100m" }), json!({}));
    sidecar["restartPolicy"] = json!("Always");
    let spec = json!({
        "containers": [container("a", json!({ "cpu": "200m", "memory": "64Mi" }), json!({})), container("b", json!({ "cpu": "100m" }), json!({}))],
        "initContainers": [sidecar, container("i", json!({ "cpu": "1", "memory": "32Mi" }), json!({}))],
        "overhead": { "cpu": "10m" },
    });
    let total = requests(&pod(spec, json!({})));
    // The init container runs beside the sidecar: 1 + 100m > 200m + 100m + 100m.
    assert_eq!(amount(&total, "cpu"), "1110m");
    assert_eq!(amount(&total, "memory"), "64Mi");
}

#[test]
fn requests_of_the_whole_pod_take_precedence() {
    let spec = json!({ "containers": [container("a", json!({ "cpu": "1" }), json!({}))], "resources": { "requests": { "cpu": "2" } } });
    assert_eq!(amount(&requests(&pod(spec, json!({}))), "cpu"), "2");
}

#[test]
fn what_is_kept_free_for_a_pod_follows_its_resize() {
    let spec = json!({ "containers": [container("a", json!({ "cpu": "2", "memory": "1Gi" }), json!({}))] });
    let kept = |status: Value| amount(&reserved(&pod(spec.clone(), status)), "cpu");
    let status = |has: &str, granted: &str| {
        json!([{
            "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "resources": { "requests": { "cpu": has } }, "allocatedResources": { "cpu": granted },
        }])
    };
    assert_eq!(kept(json!({})), "2");
    assert_eq!(kept(json!({ "containerStatuses": status("1", "1") })), "2", "it wants more");
    assert_eq!(kept(json!({ "containerStatuses": status("3", "2") })), "3", "it has not given back what it had");
    assert_eq!(kept(json!({ "containerStatuses": status("1", "4") })), "4", "it was granted more");
    let pending = json!([{ "type": "PodResizePending", "status": "True", "reason": "Infeasible" }]);
    assert_eq!(
        kept(json!({ "containerStatuses": status("1", "1"), "conditions": pending })),
        "1",
        "it can't have more"
    );
    assert_eq!(kept(json!({ "conditions": pending })), "2", "nothing is known of what it has");
}

#[test]
fn limits_in_force_follow_a_resize() {
    let spec = json!({ "containers": [container("a", json!({}), json!({ "cpu": "2" }))], "overhead": { "cpu": "1" } });
    let most = |status: Value| amount(&limits_in_force(&pod(spec.clone(), status)), "cpu");
    let status = |has: Value| json!([{ "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0, "resources": { "limits": has } }]);
    assert_eq!(most(json!({})), "3");
    assert_eq!(most(json!({ "containerStatuses": status(json!({ "cpu": "1" })) })), "3", "it wants more");
    assert_eq!(most(json!({ "containerStatuses": status(json!({ "cpu": "4" })) })), "5", "it has not given it back");
    assert_eq!(most(json!({ "containerStatuses": status(json!({ "memory": "1Gi" })) })), "3");
    let pending = json!([{ "type": "PodResizePending", "status": "True", "reason": "Infeasible" }]);
    let stuck = json!({ "containerStatuses": status(json!({ "cpu": "1" })), "conditions": pending });
    assert_eq!(most(stuck), "2", "it can't have more");
}

#[test]
fn qos_classes() {
    let class = |containers: Value| qos_class(&pod(json!({ "containers": containers }), json!({})));
    let both = json!({ "cpu": "1", "memory": "1Gi" });
    assert_eq!(class(json!([container("a", json!({}), json!({}))])), QosClass::BestEffort);
    assert_eq!(class(json!([container("a", both.clone(), both.clone())])), QosClass::Guaranteed);
    assert_eq!(class(json!([container("a", both.clone(), both.clone()), { "name": "b" }])), QosClass::Burstable);
    assert_eq!(class(json!([container("a", json!({ "cpu": "1" }), both)])), QosClass::Burstable);
    assert_eq!(class(json!([container("a", json!({ "example.com/x": "1" }), json!({}))])), QosClass::BestEffort);
}

#[test]
fn tolerations_cover_taints() {
    let taint: Taint = serde_json::from_value(json!({ "key": "k", "value": "v", "effect": "NoSchedule" })).unwrap();
    let covers = |t: Value| tolerates(&serde_json::from_value::<Toleration>(t).unwrap(), &taint);
    assert!(covers(json!({ "key": "k", "value": "v" })));
    assert!(covers(json!({ "operator": "Exists" })));
    assert!(covers(json!({ "key": "k", "operator": "Exists", "effect": "NoSchedule" })));
    assert!(!covers(json!({ "key": "k", "value": "w" })));
    assert!(!covers(json!({ "key": "k", "operator": "Exists", "effect": "NoExecute" })));
    let taints = [taint];
    assert!(untolerated(&taints, &[], &["NoSchedule"]).is_some());
    assert!(untolerated(&taints, &[], &["NoExecute"]).is_none());
}

#[test]
fn availability_needs_time() {
    let since = "2026-01-01T00:00:00Z";
    let status = json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": since }] });
    let ready = pod(json!({ "containers": [] }), status);
    let at = |text: &str| text.parse().unwrap();
    assert!(is_ready(&ready) && is_active(&ready) && !is_terminal(&ready));
    assert!(is_available(&ready, Duration::ZERO, at(since)));
    assert!(!is_available(&ready, Duration::from_secs(10), at("2026-01-01T00:00:09Z")));
    assert!(is_available(&ready, Duration::from_secs(10), at("2026-01-01T00:00:10Z")));
    assert!(!is_available(&ready, Duration::from_secs(10), at("2025-12-31T00:00:00Z")));
    assert_eq!(phase(&Pod::default()), "Pending");
}

#[test]
fn expansion() {
    let lookup = |name: &str| (name == "A").then(|| "1".to_string());
    for (text, expected) in [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(A", "$(A"),
        ("$A $", "$A $"),
        ("$($(A))", "$($(A))"),
        ("é$(A)é", "é1é"),
    ] {
        assert_eq!(expand(text, lookup), expected, "{text}");
    }
}

#[test]
fn field_references() {
    let status =
        json!({ "podIP": "127.1.0.2", "podIPs": [{ "ip": "127.1.0.2" }, { "ip": "::1" }], "hostIP": "10.0.0.1" });
    let pod = pod(json!({ "containers": [], "nodeName": "n1", "serviceAccountName": "default" }), status);
    for (path, value) in [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['none']", ""),
        ("metadata.labels", "app=\"web\"\nb=\"c\\\"d\""),
        ("spec.nodeName", "n1"),
        ("status.podIPs", "127.1.0.2,::1"),
        ("status.hostIP", "10.0.0.1"),
    ] {
        assert_eq!(field_value(&pod, path).as_deref(), Ok(value), "{path}");
    }
    assert_eq!(field_value(&pod, "spec.x").unwrap_err().to_string(), "unsupported fieldPath: spec.x");
}

#[test]
fn resource_references_round_up() {
    let c = serde_json::from_value(container("a", json!({ "cpu": "250m" }), json!({ "memory": "100Mi" }))).unwrap();
    let node = ResourceList::from([("cpu".to_string(), Quantity::from_millis(4000))]);
    assert_eq!(resource_value(&c, "requests.cpu", "", &node).as_deref(), Ok("1"));
    assert_eq!(resource_value(&c, "requests.cpu", "1m", &node).as_deref(), Ok("250"));
    assert_eq!(resource_value(&c, "limits.cpu", "1", &node).as_deref(), Ok("4"));
    assert_eq!(resource_value(&c, "limits.memory", "1Mi", &node).as_deref(), Ok("100"));
    assert!(resource_value(&c, "limits.gpu", "", &node).is_err());
}

#[test]
fn template_hashes_are_stable() {
    let template = json!({ "spec": { "containers": [{ "name": "a", "image": "x" }] } });
    let hash = template_hash(&template, None);
    assert_eq!(hash, template_hash(&json!({ "metadata": null, "spec": template["spec"] }), Some(0)));
    assert_ne!(hash, template_hash(&template, Some(1)));
    assert!(hash.bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b)) && hash.len() <= 10, "{hash}");
}
