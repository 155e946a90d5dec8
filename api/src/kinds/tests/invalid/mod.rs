//! What is refused, and in which words.

mod pods;

use expect_test::expect;
use serde_json::json;

use super::*;

#[test]
fn good_objects_have_no_errors() {
    assert_eq!(errors("pods", pod(json!({ "containers": [container()] }))), "");
    assert_eq!(errors("deployments", workload("Deployment", json!({}))), "");
    assert_eq!(errors("replicasets", workload("ReplicaSet", json!({}))), "");
    let service = json!({ "spec": { "ports": [{ "port": 80 }], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"] } });
    assert_eq!(errors("services", service), "");
    let mut job = defaulted(
        "jobs",
        workload("Job", json!({ "selector": null, "template": { "spec": { "restartPolicy": "Never" } } })),
    );
    (row("jobs").rules.prepare_create)(&mut job);
    assert_eq!(errors("jobs", job), "");
}

#[test]
fn deployments() {
    let spec = json!({
        "replicas": -1,
        "minReadySeconds": 700,
        "selector": { "matchLabels": { "app": "other" }, "matchExpressions": [{ "key": "k", "operator": "Near" }] },
        "strategy": { "rollingUpdate": { "maxSurge": 0, "maxUnavailable": "0%" } },
        "template": { "spec": { "restartPolicy": "Never", "activeDeadlineSeconds": 5, "containers": [] } },
    });
    expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator
        spec.template.spec.containers: Required value
        spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
        spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported
        spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0
        spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds
    "#]]
    .assert_eq(&errors("deployments", workload("Deployment", spec)));
    let rolling =
        |u: Value, s: Value| json!({ "strategy": { "rollingUpdate": { "maxUnavailable": u, "maxSurge": s } } });
    expect![[r#"
        spec.strategy.rollingUpdate.maxSurge: Invalid value: "many": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')
        spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%
    "#]].assert_eq(&errors("deployments", workload("Deployment", rolling(json!("101%"), json!("many")))));
    let recreate = json!({ "strategy": { "type": "Recreate", "rollingUpdate": { "maxSurge": 1 } } });
    expect![[r#"
        spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'
    "#]]
    .assert_eq(&errors("deployments", workload("Deployment", recreate)));
    expect![[r#"
        spec.selector: Invalid value: {}: empty selector is invalid for deployment
    "#]]
    .assert_eq(&errors("deployments", {
        let mut anything = workload("Deployment", json!({}));
        anything["spec"]["selector"] = json!({});
        anything
    }));
    let mismatch = json!({ "selector": { "matchLabels": { "app": "other" } } });
    expect![[r#"
        spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`
    "#]]
    .assert_eq(&errors("deployments", workload("Deployment", mismatch)));
    expect![[r#"
        spec.selector: Required value
        spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`
        spec.template.spec.containers: Required value
    "#]]
    .assert_eq(&errors("deployments", json!({ "metadata": { "name": "w" } })));
    expect![[r#"
        spec.selector: Required value
        spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`
        spec.template.spec.containers: Required value
    "#]]
    .assert_eq(&errors("deployments", json!({ "metadata": { "name": "w" }, "spec": {} })));
}

#[test]
fn jobs() {
    expect![[r#"
        spec.template.metadata.labels[controller-uid]: Required value: must be 'u1'
        spec.template.metadata.labels[job-name]: Required value: must be 'w'
        spec.template.metadata.labels[batch.kubernetes.io/controller-uid]: Required value: must be 'u1'
        spec.template.metadata.labels[batch.kubernetes.io/job-name]: Required value: must be 'w'
        spec.selector: Invalid value: {"matchLabels":{"app":"web"}}: `selector` not auto-generated
        spec.completions: Invalid value: -1: must be greater than or equal to 0
        spec.completionMode: Unsupported value: "Odd": supported values: "NonIndexed", "Indexed"
        spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
    "#]]
    .assert_eq(&errors("jobs", workload("Job", json!({ "completions": -1, "completionMode": "Odd" }))));
    let indexed = json!({ "completions": null, "parallelism": 2, "completionMode": "Indexed", "manualSelector": true,
        "template": { "spec": { "restartPolicy": "OnFailure" } } });
    expect![[r#"
        spec.completions: Required value: when completion mode is Indexed
    "#]]
    .assert_eq(&errors("jobs", workload("Job", indexed)));
}

#[test]
fn services() {
    let found = errors(
        "services",
        json!({ "spec": { "type": "Magic", "sessionAffinity": "Sticky", "externalIPs": ["x"],
        "clusterIP": "300.0.0.1", "clusterIPs": ["300.0.0.1"], "selector": { "a": "b c" }, "internalTrafficPolicy": "Near",
        "ports": [{ "port": 0 }, { "name": "B", "port": 80, "targetPort": "bad_name", "protocol": "ICMP" }] } }),
    );
    expect![[r#"
        spec.ports[0].name: Required value
        spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
        spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive
        spec.ports[1].name: Invalid value: "B": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.ports[1].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"
        spec.ports[1].targetPort: Invalid value: "bad_name": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
        spec.selector: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')
        spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"
        spec.clusterIPs[0]: Invalid value: "300.0.0.1": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.externalIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"
        spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"
    "#]].assert_eq(&found);
    let found = errors(
        "services",
        json!({ "spec": { "ports": [
        { "name": "a", "port": 80, "nodePort": 30000 }, { "name": "a", "port": 80 }] } }),
    );
    expect![[r#"
        spec.ports[1].name: Duplicate value: "a"
        spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'
        spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}
    "#]]
    .assert_eq(&found);
    expect![[r#"
        spec.ports: Required value
    "#]]
    .assert_eq(&errors("services", json!({ "spec": {} })));
    expect![[r#"
        spec.externalName: Required value
    "#]]
    .assert_eq(&errors("services", json!({ "spec": { "type": "ExternalName", "clusterIP": "10.0.0.1" } })));
    expect![[r#"
        spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services
    "#]]
    .assert_eq(&errors(
        "services",
        json!({ "spec": { "type": "NodePort", "clusterIP": "None",
        "clusterIPs": ["None"], "ports": [{ "port": 1 }] } }),
    ));
}

#[test]
fn small_kinds() {
    let found = [
        errors("configmaps", json!({ "data": { "a/b": "", "k": "x", "..": "" }, "binaryData": { "k": "eA==" } })),
        errors("configmaps", json!({ "data": { "k": "x".repeat((1 << 20) + 1) } })),
        errors("secrets", json!({ "type": "kubernetes.io/tls", "data": { "tls.crt": "" } })),
        errors("secrets", json!({ "type": "kubernetes.io/dockerconfigjson", "data": { ".dockerconfigjson": "eA==" } })),
        errors("secrets", json!({ "type": "kubernetes.io/basic-auth" })),
        errors("secrets", json!({ "type": "kubernetes.io/service-account-token" })),
        errors(
            "leases",
            json!({ "spec": { "leaseDurationSeconds": 0, "leaseTransitions": -1, "holderIdentity": "" } }),
        ),
        errors(
            "nodes",
            json!({ "spec": { "taints": [{ "key": "a", "effect": "Never" }, { "key": "a", "effect": "Never" }],
            "podCIDRs": ["10.0.0.0"] } }),
        ),
        errors("namespaces", json!({ "spec": { "finalizers": ["a b"] } })),
        errors("endpoints", json!({ "subsets": [{ "addresses": [{ "ip": "x" }], "ports": [{ "port": 0 }] }, {}] })),
        errors(
            "endpointslices",
            json!({ "addressType": "IPv4", "endpoints": [{ "addresses": [] }, { "addresses": ["::1", "0.0.0.0"] }],
            "ports": [{ "port": 0 }, { "port": 1 }] }),
        ),
        errors("endpointslices", json!({})),
        errors("events", json!({ "metadata": { "namespace": "a" }, "involvedObject": { "namespace": "b" } })),
    ];
    expect![[r#"
        data[..]: Invalid value: "..": must not be '..'
        data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
        data[k]: Invalid value: "k": duplicate of key present in binaryData
        []: Too long: may not be more than 1048576 bytes
        data[tls.key]: Required value
        data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": expected value at line 1 column 1
        data[username]: Required value
        data[password]: Required value
        metadata.annotations[kubernetes.io/service-account.name]: Required value
        spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0
        spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0
        spec.holderIdentity: Invalid value: "": must not be empty
        metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"
        metadata.taints[1].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"
        metadata.taints[1]: Duplicate value: {"effect":"Never","key":"a"}: taints must be unique by key and effect pair
        spec.podCIDRs[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)
        spec.finalizers: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
        subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`
        endpoints[0].addresses: Required value: must contain at least 1 address
        endpoints[1].addresses[0]: Invalid value: "::1": must be an IPv4 address
        endpoints[1].addresses[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)
        ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive
        ports[1].name: Duplicate value: ""
        addressType: Required value
        involvedObject.namespace: Invalid value: "b": does not match event.namespace
    "#]].assert_eq(&found.concat());
}

#[test]
fn events_of_the_newer_group() {
    let rules = crate::kinds::event::EVENTS_V1;
    let found = (rules.validate)(
        &json!({ "metadata": { "namespace": "a" }, "regarding": { "namespace": "a" }, "eventTime": "x", "type": "Odd" }),
    );
    expect![[r#"
        reportingController: Required value
        reportingController: Invalid value: "": name part must be non-empty
        reportingController: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        reportingInstance: Required value
        action: Required value
        reason: Required value
    "#]]
    .assert_eq(&lines(&found));
}
