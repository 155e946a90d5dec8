//! What lists show.

mod pods;

use expect_test::expect;
use serde_json::json;

use super::*;

const CREATED: &str = "2025-12-31T23:54:57Z";

fn with_status(mut object: Value, status: Value) -> Value {
    object["metadata"]["creationTimestamp"] = json!(CREATED);
    object["status"] = status;
    object
}

#[test]
fn workloads() {
    let counts = json!({ "replicas": 3, "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1, "succeeded": 1,
        "startTime": "2025-12-31T23:00:00Z", "completionTime": "2025-12-31T23:00:30Z", "conditions": [{ "type": "Complete", "status": "True" }] });
    let shown = [
        table("deployments", &with_status(workload("Deployment", json!({ "replicas": 3 })), counts.clone())),
        table("replicasets", &with_status(workload("ReplicaSet", json!({ "replicas": 3 })), counts.clone())),
        table("jobs", &with_status(workload("Job", json!({ "completions": 2 })), counts)),
        table(
            "jobs",
            &with_status(
                workload("Job", json!({ "parallelism": 4, "selector": null })),
                json!({ "startTime": "2025-12-31T23:59:00Z" }),
            ),
        ),
    ];
    expect![[r#"
        Ready: "2/3"
        Up-to-date: 3
        Available: 1
        Age: "5m3s"
          Containers: "web"
          Images: "registry.local/web:v1"
          Selector: "app=web"
        --
        Desired: 3
        Current: 3
        Ready: 2
        Age: "5m3s"
          Containers: "web"
          Images: "registry.local/web:v1"
          Selector: "app=web"
        --
        Status: "Complete"
        Completions: "1/2"
        Duration: "30s"
        Age: "5m3s"
          Containers: "web"
          Images: "registry.local/web:v1"
          Selector: "app=web"
        --
        Status: "Running"
        Completions: "0/1 of 4"
        Duration: "60s"
        Age: "5m3s"
          Containers: "web"
          Images: "registry.local/web:v1"
          Selector: "<none>"
    "#]]
    .assert_eq(&shown.join("--\n"));
}

#[test]
fn network() {
    let service = |spec: Value| table("services", &with_status(json!({ "metadata": {}, "spec": spec }), json!({})));
    let addresses = |n: usize| (1..=n).map(|i| json!({ "ip": format!("10.0.0.{i}") })).collect::<Vec<_>>();
    let shown = [
        service(
            json!({ "type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": [{ "port": 80, "protocol": "TCP" }], "selector": { "a": "b", "c": "d" } }),
        ),
        service(
            json!({ "type": "NodePort", "clusterIP": "10.96.0.1", "ports": [{ "port": 80, "protocol": "TCP", "nodePort": 30080 }, { "port": 53, "protocol": "UDP" }] }),
        ),
        service(json!({ "type": "LoadBalancer", "clusterIP": "10.96.0.2" })),
        service(json!({ "type": "ExternalName", "externalName": "example.com" })),
        table(
            "endpoints",
            &json!({ "subsets": [{ "addresses": addresses(4), "ports": [{ "port": 80 }, { "port": 81 }] }] }),
        ),
        table("endpoints", &json!({})),
        table(
            "endpointslices",
            &json!({ "addressType": "IPv4", "ports": [{ "port": 80 }, { "name": "x" }, {}],
            "endpoints": [{ "addresses": ["10.0.0.1"] }, { "addresses": ["10.0.0.2"] }] }),
        ),
        table("endpointslices", &json!({ "addressType": "IPv6" })),
    ];
    expect![[r#"
        Type: "ClusterIP"
        Cluster-IP: "10.96.0.1"
        External-IP: "<none>"
        Port(s): "80/TCP"
        Age: "5m3s"
          Selector: "a=b,c=d"
        --
        Type: "NodePort"
        Cluster-IP: "10.96.0.1"
        External-IP: "<none>"
        Port(s): "80:30080/TCP,53/UDP"
        Age: "5m3s"
          Selector: "<none>"
        --
        Type: "LoadBalancer"
        Cluster-IP: "10.96.0.2"
        External-IP: "<pending>"
        Port(s): "<none>"
        Age: "5m3s"
          Selector: "<none>"
        --
        Type: "ExternalName"
        Cluster-IP: "<none>"
        External-IP: "example.com"
        Port(s): "<none>"
        Age: "5m3s"
          Selector: "<none>"
        --
        Endpoints: "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 5 more..."
        Age: "<unknown>"
        --
        Endpoints: "<none>"
        Age: "<unknown>"
        --
        AddressType: "IPv4"
        Ports: "80,x,*"
        Endpoints: "10.0.0.1,10.0.0.2"
        Age: "<unknown>"
        --
        AddressType: "IPv6"
        Ports: "<unset>"
        Endpoints: "<unset>"
        Age: "<unknown>"
    "#]]
    .assert_eq(&shown.join("--\n"));
}

#[test]
fn nodes() {
    let node = json!({ "metadata": { "labels": { "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "edge" } },
        "spec": { "unschedulable": true } });
    let status = json!({ "conditions": [{ "type": "Ready", "status": "True" }], "addresses": [{ "type": "InternalIP", "address": "192.0.2.1" }],
        "nodeInfo": { "kubeletVersion": "v1.36.0", "osImage": "Debian", "kernelVersion": "6.1", "containerRuntimeVersion": "wasmtime://48.0.8" } });
    let shown = [table("nodes", &with_status(node, status)), table("nodes", &json!({}))];
    expect![[r#"
        Status: "Ready,SchedulingDisabled"
        Roles: "control-plane,edge,worker"
        Age: "5m3s"
        Version: "v1.36.0"
          Internal-IP: "192.0.2.1"
          External-IP: "<none>"
          OS-Image: "Debian"
          Kernel-Version: "6.1"
          Container-Runtime: "wasmtime://48.0.8"
        --
        Status: "Unknown"
        Roles: "<none>"
        Age: "<unknown>"
        Version: ""
          Internal-IP: "<none>"
          External-IP: "<none>"
          OS-Image: "<unknown>"
          Kernel-Version: "<unknown>"
          Container-Runtime: "<unknown>"
    "#]]
    .assert_eq(&shown.join("--\n"));
}

#[test]
fn everything_else() {
    let event = json!({ "metadata": { "name": "p.1" }, "type": "Warning", "reason": "Failed", "message": " it failed\n", "count": 3,
        "involvedObject": { "kind": "Pod", "name": "p", "fieldPath": "spec.containers{web}" }, "source": { "component": "kubelet", "host": "n1" },
        "firstTimestamp": "2025-12-31T23:00:00Z", "lastTimestamp": "2025-12-31T23:59:50Z" });
    let single = json!({ "metadata": { "name": "n.1" }, "involvedObject": { "kind": "Node" }, "eventTime": "2025-12-31T23:59:00.000000Z",
        "reportingComponent": "scheduler", "reportingInstance": "s1" });
    let shown = [
        table("events", &event),
        table("events", &single),
        table("namespaces", &with_status(json!({ "metadata": {} }), json!({ "phase": "Active" }))),
        table("configmaps", &json!({ "data": { "a": "" }, "binaryData": { "b": "", "c": "" } })),
        table("secrets", &json!({ "type": "Opaque", "data": { "a": "" } })),
        table("serviceaccounts", &json!({ "secrets": [{}] })),
        table("leases", &json!({ "spec": { "holderIdentity": "n1" } })),
    ];
    expect![[r#"
        Last Seen: "10s"
        Type: "Warning"
        Reason: "Failed"
        Object: "pod/p"
          Subobject: "spec.containers{web}"
          Source: "kubelet, n1"
        Message: "it failed"
          First Seen: "60m"
          Count: 3
          Name: "p.1"
        --
        Last Seen: "60s"
        Type: ""
        Reason: ""
        Object: "node"
          Subobject: ""
          Source: "scheduler, s1"
        Message: ""
          First Seen: "60s"
          Count: 1
          Name: "n.1"
        --
        Status: "Active"
        Age: "5m3s"
        --
        Data: 3
        Age: "<unknown>"
        --
        Type: "Opaque"
        Data: 1
        Age: "<unknown>"
        --
        Secrets: 1
        Age: "<unknown>"
        --
        Holder: "n1"
        Age: "<unknown>"
    "#]]
    .assert_eq(&shown.join("--\n"));
}
