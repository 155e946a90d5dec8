use serde_json::json;

use super::*;

fn created(plural: &str, object: Value) -> Value {
    let mut object = defaulted(plural, object);
    (row(plural).rules.prepare_create)(&mut object);
    object
}

fn updated(plural: &str, new: Value, old: &Value) -> Value {
    let mut new = defaulted(plural, new);
    (row(plural).rules.prepare_update)(&mut new, old);
    new
}

#[test]
fn a_new_pod_is_pending() {
    let mut author = pod(json!({ "containers": [container()] }));
    author["status"] = json!({ "phase": "Running" });
    assert_eq!(created("pods", author)["status"], json!({ "phase": "Pending", "qosClass": "BestEffort" }));
    let gated = created("pods", pod(json!({ "containers": [container()], "schedulingGates": [{ "name": "x" }] })));
    assert_eq!(gated["status"]["conditions"][0]["reason"], "SchedulingGated");
}

#[test]
fn status_is_not_the_authors() {
    for plural in ["pods", "deployments", "replicasets", "jobs", "services", "nodes", "namespaces"] {
        let old = json!({ "metadata": {}, "spec": {}, "status": { "mark": 1 } });
        let new = updated(plural, json!({ "metadata": {}, "spec": {}, "status": { "mark": 2 } }), &old);
        assert_eq!(new["status"], json!({ "mark": 1 }), "{plural}");
    }
}

#[test]
fn annotations_of_a_deployment_are_a_generation() {
    let old = defaulted("deployments", workload("Deployment", json!({})));
    let mut new = old.clone();
    assert_eq!(updated("deployments", new.clone(), &old)["metadata"]["generation"], 3);
    new["metadata"]["annotations"] = json!({ "a": "b" });
    assert_eq!(updated("deployments", new, &old)["metadata"]["generation"], 4);
}

#[test]
fn endpoint_slices_count_generations() {
    let old = created("endpointslices", json!({ "metadata": { "name": "s" }, "addressType": "IPv4", "endpoints": [] }));
    assert_eq!(old["metadata"]["generation"], 1);
    let mut new = old.clone();
    new["endpoints"] = json!([{ "addresses": ["10.0.0.1"] }]);
    assert_eq!(updated("endpointslices", new, &old)["metadata"]["generation"], 2);
}

#[test]
fn replacing_a_service_keeps_what_was_allocated() {
    let spec = json!({ "type": "NodePort", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{ "name": "a", "port": 80, "nodePort": 30080 }] });
    let old = defaulted("services", json!({ "spec": spec }));
    let plain =
        json!({ "spec": { "type": "NodePort", "ports": [{ "name": "a", "port": 82 }, { "name": "b", "port": 80 }] } });
    let new = updated("services", plain, &old);
    assert_eq!(new["spec"]["clusterIP"], "10.0.0.1");
    assert_eq!(new["spec"]["clusterIPs"], json!(["10.0.0.1"]));
    assert_eq!(new["spec"]["ports"][0]["nodePort"], 30080);
    assert!(new["spec"]["ports"][1].get("nodePort").is_none());

    let mut inner = old.clone();
    inner["spec"]["type"] = json!("ClusterIP");
    let new = updated("services", inner, &old);
    assert!(new["spec"]["ports"][0].get("nodePort").is_none());
    assert!(new["spec"].get("externalTrafficPolicy").is_none());

    let mut outside = old.clone();
    outside["spec"]["type"] = json!("ExternalName");
    outside["spec"]["externalName"] = json!("example.com");
    let new = updated("services", outside, &old);
    assert!(new["spec"].get("clusterIP").is_none() && new["spec"].get("ipFamilies").is_none());
}

#[test]
fn a_job_with_a_selector_of_its_own_is_left_alone() {
    let job = created("jobs", workload("Job", json!({ "manualSelector": true })));
    assert_eq!(job["spec"]["selector"], json!({ "matchLabels": { "app": "web" } }));
    assert_eq!(job["spec"]["template"]["metadata"]["labels"], json!({ "app": "web" }));
}

#[test]
fn events_convert_both_ways() {
    let core = json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e" }, "involvedObject": { "kind": "Pod" },
        "message": "m", "source": { "component": "c" }, "count": 3, "firstTimestamp": "t", "reason": "r" });
    let newer = crate::kinds::event::from_core(core.clone());
    assert_eq!(newer["regarding"], core["involvedObject"]);
    assert_eq!((&newer["note"], &newer["deprecatedCount"]), (&core["message"], &core["count"]));
    assert_eq!(newer["apiVersion"], "events.k8s.io/v1");
    assert_eq!(crate::kinds::event::to_core(newer), core);
}

#[test]
fn selectable_fields_are_read() {
    let mut pod = defaulted("pods", pod(json!({ "containers": [container()], "nodeName": "n1" })));
    pod["status"] = json!({ "phase": "Running", "podIP": "10.0.0.1" });
    let fields: Vec<String> =
        row("pods").rules.selectable.iter().map(|(name, read)| format!("{name}={}", read(&pod))).collect();
    assert_eq!(
        fields,
        [
            "spec.nodeName=n1",
            "spec.restartPolicy=Always",
            "spec.schedulerName=default-scheduler",
            "spec.serviceAccountName=",
            "spec.hostNetwork=false",
            "status.phase=Running",
            "status.podIP=10.0.0.1",
            "status.podIPs=10.0.0.1",
            "status.nominatedNodeName=",
        ]
    );
    let event = json!({ "involvedObject": { "name": "p" }, "reportingComponent": "kubelet" });
    let read = |name: &str| row("events").rules.selectable.iter().find(|(n, _)| *n == name).unwrap().1(&event);
    assert_eq!(
        (read("involvedObject.name"), read("source"), read("reportingComponent")),
        ("p".into(), "kubelet".into(), "kubelet".into())
    );
}

#[test]
fn labels_mean_fields_and_each_kind_has_its_own_words_for_those_that_do_not() {
    let field = |api_version: &str, kind: &str, label: &str| {
        let row = Catalog::builtin().find_kind(api_version, kind).unwrap();
        row.field_of_label(label).unwrap_or_else(|error| error.to_string())
    };
    assert_eq!(field("v1", "Pod", "spec.host"), "spec.nodeName");
    assert_eq!(field("events.k8s.io/v1", "Event", "regarding.name"), "involvedObject.name");
    assert_eq!(field("events.k8s.io/v1", "Event", "source"), "field label not supported: source");
    assert_eq!(field("v1", "Event", "regarding.name"), "field label not supported: regarding.name");
    assert_eq!(field("v1", "Node", "metadata.namespace"), "field label not supported: metadata.namespace");
    assert_eq!(field("v1", "PersistentVolume", "metadata.namespace"), "metadata.namespace");
    assert_eq!(field("batch/v1", "Job", "x"), "field label \"x\" not supported for batchv1.Job");
    assert_eq!(
        field("resource.k8s.io/v1", "ResourceSlice", "x"),
        "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: x"
    );
    let unknown = "\"data.k\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    assert_eq!(field("v1", "ConfigMap", "data.k"), unknown);
}
