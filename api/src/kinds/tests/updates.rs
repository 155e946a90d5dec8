use expect_test::expect;
use serde_json::json;

use super::*;

fn changed(object: &Value, pointer: &str, value: Value) -> Value {
    let mut new = object.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    new.pointer_mut(parent).unwrap()[key] = value;
    new
}

#[test]
fn pods_change_little() {
    let old = pod(
        json!({ "containers": [container()], "tolerations": [{ "key": "a", "operator": "Exists" }], "activeDeadlineSeconds": 10 }),
    );
    let update = |pointer: &str, value: Value| update_errors("pods", changed(&old, pointer, value), old.clone());
    assert_eq!(update("/spec/containers/0/image", json!("other:v2")), "");
    assert_eq!(update("/spec/activeDeadlineSeconds", json!(5)), "");
    assert_eq!(
        update(
            "/spec/tolerations",
            json!([{ "key": "a", "operator": "Exists" }, { "key": "b", "operator": "Exists" }])
        ),
        ""
    );
    assert_eq!(update("/metadata/labels", json!({ "a": "b" })), "");
    let refused = [
        update("/spec/containers", json!([container(), { "name": "b", "image": "x" }])),
        update("/spec/activeDeadlineSeconds", json!(11)),
        update("/spec/activeDeadlineSeconds", json!(null)),
        update("/spec/tolerations", json!([])),
        update("/spec/nodeName", json!("n1")),
        update("/spec/containers/0/command", json!(["sh"])),
        update("/spec/schedulingGates", json!([{ "name": "a/b" }])),
    ];
    expect![[r#"
        spec.containers: Forbidden: pod updates may not add or remove containers
        spec.activeDeadlineSeconds: Invalid value: 11: must be less than or equal to previous value
        spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value
        spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds
        spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)
          spec.nodeName:
        -   null
        +   "n1"

        spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)
          spec.containers[0].command:
        -   null
        +   ["sh"]

        spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a/b'
    "#]].assert_eq(&refused.concat());
}

#[test]
fn gates_open_and_selectors_get_stricter_meanwhile() {
    let old = pod(
        json!({ "containers": [container()], "schedulingGates": [{ "name": "a/b" }], "nodeSelector": { "a": "b" } }),
    );
    let opened = changed(&old, "/spec/schedulingGates", json!([]));
    assert_eq!(update_errors("pods", opened, old.clone()), "");
    let stricter = changed(&old, "/spec/nodeSelector", json!({ "a": "b", "c": "d" }));
    assert_eq!(update_errors("pods", stricter, old.clone()), "");
    let looser = changed(&old, "/spec/nodeSelector", json!({}));
    assert!(update_errors("pods", looser, old).contains("only additions to spec.nodeSelector are allowed"));
}

#[test]
fn workloads_keep_their_selector() {
    let deployment = workload("Deployment", json!({}));
    let new = changed(&deployment, "/spec/selector", json!({ "matchLabels": { "app": "new" } }));
    let job = workload("Job", json!({ "manualSelector": true, "completions": 2 }));
    let refused = [
        update_errors("deployments", new.clone(), deployment.clone()),
        update_errors("replicasets", new, deployment),
        update_errors("jobs", changed(&job, "/spec/completions", json!(3)), job.clone()),
        update_errors("jobs", changed(&job, "/spec/completionMode", json!("Indexed")), job.clone()),
        update_errors("jobs", changed(&job, "/spec/template/spec/containers/0/image", json!("y")), job.clone())
            .replace(&pretty(&json!({})), ""),
    ];
    for (text, start) in refused.iter().zip([
        "spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"new\"}}: field is immutable\n",
        "spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"new\"}}: field is immutable\n",
        "spec.completions: Invalid value: 3: field is immutable\n",
        "spec.completionMode: Invalid value: \"Indexed\": field is immutable\n",
        "spec.template: Invalid value: {",
    ]) {
        assert!(text.starts_with(start) && text.ends_with(": field is immutable\n"), "{text}");
    }
    assert_eq!(update_errors("jobs", changed(&job, "/spec/parallelism", json!(5)), job), "");
}

#[test]
fn a_suspended_job_can_be_sent_elsewhere() {
    let job = workload("Job", json!({ "manualSelector": true, "suspend": true }));
    let new = changed(&job, "/spec/template/spec/nodeSelector", json!({ "zone": "a" }));
    assert_eq!(update_errors("jobs", new.clone(), job.clone()), "");
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "zone", "operator": "Exists" }] }] } } });
    let elsewhere = changed(&new, "/spec/template/spec/affinity", affinity);
    assert_eq!(update_errors("jobs", elsewhere, job.clone()), "");
    let larger = changed(&job, "/spec/template/spec/containers/0/resources", json!({ "limits": { "cpu": "2" } }));
    assert_eq!(update_errors("jobs", larger.clone(), job.clone()), "");
    // Once its pods are gone it can again be changed, but not before.
    let status = |active: u32| json!({ "startTime": "2026-01-01T00:00:00Z", "active": active });
    assert_eq!(update_errors("jobs", larger.clone(), changed(&job, "/status", status(0))), "");
    assert_ne!(update_errors("jobs", larger.clone(), changed(&job, "/status", status(1))), "");
    assert_ne!(update_errors("jobs", new, changed(&job, "/spec/suspend", json!(false))), "");
    let image = changed(&larger, "/spec/template/spec/containers/0/image", json!("other"));
    assert_ne!(update_errors("jobs", image, job), "");
}

#[test]
fn other_kinds() {
    let service = json!({ "spec": { "type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{ "port": 1 }] } });
    let secret = json!({ "type": "Opaque", "immutable": true, "data": { "a": "eA==" } });
    let map = json!({ "immutable": true, "data": { "a": "x" } });
    let slice = json!({ "metadata": {}, "addressType": "IPv4" });
    let node = json!({ "metadata": { "name": "n" }, "spec": { "podCIDRs": ["10.0.0.0/24"], "providerID": "a" } });
    let refused = [
        update_errors("services", changed(&service, "/spec/clusterIP", json!("10.0.0.2")), service.clone()),
        update_errors("secrets", changed(&secret, "/type", json!("kubernetes.io/tls")), secret.clone()),
        update_errors("secrets", changed(&secret, "/data", json!({})), secret.clone()),
        update_errors("configmaps", changed(&map, "/data/a", json!("y")), map.clone()),
        update_errors("configmaps", changed(&map, "/immutable", json!(false)), map.clone()),
        update_errors("endpointslices", changed(&slice, "/addressType", json!("IPv6")), slice.clone()),
        update_errors("nodes", changed(&node, "/spec/podCIDRs", json!(["10.0.0.0/24", "fd00::/64"])), node.clone()),
        update_errors("nodes", changed(&node, "/spec/podCIDR", json!("10.0.2.0/24")), node.clone()),
        update_errors("nodes", changed(&node, "/spec/providerID", json!("b")), node.clone()),
    ];
    expect![[r#"
        spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set
        type: Invalid value: "kubernetes.io/tls": field is immutable
        data: Forbidden: field is immutable when `immutable` is set
        data: Forbidden: field is immutable when `immutable` is set
        immutable: Forbidden: field is immutable when `immutable` is set
        addressType: Invalid value: "IPv6": field is immutable
        spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid
        spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid
        spec.providerID: Forbidden: node updates may not change providerID except from "" to valid
    "#]]
    .assert_eq(&refused.concat());
}

#[test]
fn statuses_add_up() {
    let status = |status: Value| {
        lines(&(row("deployments").rules.validate_status)(
            &json!({ "status": status }),
            &json!({ "status": { "collisionCount": 2 } }),
        ))
    };
    assert_eq!(status(json!({ "replicas": 2, "readyReplicas": 2, "availableReplicas": 1, "collisionCount": 2 })), "");
    expect![[r#"
        status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas
        status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas
        status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas
        status.collisionCount: Invalid value: 0: cannot be decremented
    "#]]
    .assert_eq(&status(json!({ "replicas": 1, "readyReplicas": 2, "availableReplicas": 3 })));
}
