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
fn pods() {
    let found = errors(
        "pods",
        pod(json!({
            "restartPolicy": "Maybe",
            "dnsPolicy": "None",
            "activeDeadlineSeconds": 0,
            "nodeName": "Bad_Node",
            "nodeSelector": { "a b": "c" },
            "tolerations": [{ "key": "", "operator": "Equal" }, { "key": "k", "operator": "Exists", "tolerationSeconds": 3 }],
            "imagePullSecrets": [{}],
            "securityContext": { "runAsUser": -1 },
            "containers": [],
        })),
    );
    expect![[r#"
        spec.containers: Required value
        spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"
        spec.nodeSelector: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive
        spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None
        spec.nodeName: Invalid value: "Bad_Node": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive
        spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"
        spec.tolerations[1].effect: Invalid value: "": effect must be 'NoExecute' when `tolerationSeconds` is set
    "#]].assert_eq(&found);
}

#[test]
fn affinity_and_spread() {
    let term = |key: &str| json!({ "topologyKey": key, "labelSelector": { "matchLabels": { "a b": "c" } } });
    let found = errors(
        "pods",
        pod(json!({
            "containers": [container()],
            "affinity": {
                "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term("zone")] },
                "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
                    { "weight": 101, "podAffinityTerm": { "topologyKey": "a b", "namespaces": ["No"] } }] },
            },
            "topologySpreadConstraints": [
                { "maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2 },
                { "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "nodeTaintsPolicy": "Foo" },
            ],
        })),
    );
    let lines: Vec<&str> = found.lines().map(|line| line.split(" must consist of").next().unwrap()).collect();
    expect![[r#"
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabels: Invalid value: "a b": name part
        spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100
        spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.namespace: Invalid value: "No": a lowercase RFC 1123 label
        spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: Invalid value: "a b": name part
        spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero
        spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, ScheduleAnyway}"
        spec.topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway
        spec.topologySpreadConstraints[1].nodeTaintsPolicy: Unsupported value: "Foo": supported values: "Honor", "Ignore"
    "#]]
    .assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn containers() {
    let found = errors(
        "pods",
        pod(json!({
            "containers": [
                { "name": "Web", "image": "", "imagePullPolicy": "Sometimes", "terminationMessagePolicy": "Console" },
                { "name": "dup", "image": " x" },
                { "name": "dup", "image": "x", "ports": [
                    { "containerPort": 80, "name": "http", "hostPort": 1 },
                    { "containerPort": 70000, "name": "http", "protocol": "ICMP" },
                    { "containerPort": 0, "name": "Bad--Name" },
                    { "containerPort": 81, "hostPort": 1 },
                ] },
                { "name": "mounts", "image": "x", "volumeMounts": [
                    { "name": "none", "mountPath": "/a" },
                    { "name": "v", "mountPath": "/a" },
                    { "name": "v", "mountPath": "", "subPath": "/abs" },
                    { "name": "v", "mountPath": "/b", "subPath": "../up" },
                ] },
                { "name": "escalation", "image": "x", "securityContext": { "privileged": true, "allowPrivilegeEscalation": false } },
            ],
            "initContainers": [{ "name": "i", "image": "x", "livenessProbe": { "tcpSocket": { "port": 1 } } }],
            "volumes": [{ "name": "v" }],
        })),
    );
    expect![[r#"
        spec.containers[0].name: Invalid value: "Web": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.containers[0].image: Required value
        spec.containers[0].terminationMessagePolicy: Unsupported value: "Console": supported values: "File", "FallbackToLogsOnError"
        spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"
        spec.containers[2].ports[1].name: Duplicate value: "http"
        spec.containers[2].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive
        spec.containers[2].ports[1].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"
        spec.containers[2].ports[2].name: Invalid value: "Bad--Name": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)
        spec.containers[2].ports[2].name: Invalid value: "Bad--Name": must not contain consecutive hyphens
        spec.containers[2].ports[2].containerPort: Required value
        spec.containers[2].name: Duplicate value: "dup"
        spec.containers[3].volumeMounts[0].name: Not found: "none"
        spec.containers[3].volumeMounts[1].mountPath: Invalid value: "/a": must be unique
        spec.containers[3].volumeMounts[2].mountPath: Required value
        spec.containers[3].volumeMounts.subPath: Invalid value: "/abs": must be a relative path
        spec.containers[3].volumeMounts.subPath: Invalid value: "../up": must not contain '..'
        spec.containers[4].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true
        spec.containers[2].ports[3].hostPort: Duplicate value: "TCP//1"
        spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always
        spec.containers[1].image: Invalid value: " x": must not have leading or trailing whitespace
    "#]].assert_eq(&found);
}

#[test]
fn environment() {
    let found = errors(
        "pods",
        pod(json!({ "containers": [{ "name": "a", "image": "x", "env": [
        { "name": "" },
        { "name": "A=B" },
        { "name": "A", "value": "x", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
        { "name": "B", "valueFrom": {} },
        { "name": "C", "valueFrom": { "fieldRef": { "fieldPath": "spec.unknown" } } },
        { "name": "D", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['a b']" } } },
        { "name": "E", "valueFrom": { "configMapKeyRef": { "name": "", "key": "a/b" } } },
        { "name": "F", "valueFrom": { "resourceFieldRef": { "resource": "limits.gpu" } } },
        { "name": "G", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu", "divisor": "2" } } },
    ], "envFrom": [{}, { "configMapRef": { "name": "a" }, "secretRef": { "name": "b" } }] }] })),
    );
    expect![[r#"
        spec.containers[0].env[0].name: Required value
        spec.containers[0].env[1].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '='
        spec.containers[0].env[2].valueFrom: Invalid value: "": may not be specified when `value` is not empty
        spec.containers[0].env[3].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`
        spec.containers[0].env[4].valueFrom.fieldRef.fieldPath: Invalid value: "spec.unknown": error converting fieldPath: field label not supported: spec.unknown
        spec.containers[0].env[5].valueFrom.fieldRef: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.containers[0].env[6].valueFrom.configMapKeyRef.name: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.containers[0].env[6].valueFrom.configMapKeyRef.key: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
        spec.containers[0].env[7].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"
        spec.containers[0].env[8].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource
        spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`
        spec.containers[0].envFrom: Invalid value: "": may not have more than one field specified at a time
    "#]].assert_eq(&found);
}

#[test]
fn probes_and_hooks() {
    let found = errors(
        "pods",
        pod(json!({ "containers": [{ "name": "a", "image": "x",
        "livenessProbe": { "httpGet": { "port": 0 }, "tcpSocket": { "port": "bad_name" }, "successThreshold": 2 },
        "readinessProbe": { "periodSeconds": -1, "terminationGracePeriodSeconds": 5 },
        "startupProbe": { "exec": {} },
        "lifecycle": { "preStop": {} },
    }] })),
    );
    expect![[r#"
        spec.containers[0].lifecycle.preStop: Required value: must specify a handler type
        spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive
        spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type
        spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1
        spec.containers[0].readinessProbe: Required value: must specify a handler type
        spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0
        spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes
        spec.containers[0].startupProbe.exec.command: Required value
    "#]].assert_eq(&found);
}

#[test]
fn resources() {
    let found = errors(
        "pods",
        pod(json!({ "containers": [{ "name": "a", "image": "x", "resources": {
        "requests": { "cpu": "2", "memory": "-1", "disk": "1", "example.com/gpu": "1", "example.com/fraction": "500m" },
        "limits": { "cpu": "1", "memory": "1Gx", "example.com/fraction": "500m" },
    } }] })),
    );
    expect![[r#"
        spec.containers[0].resources.limits[example.com/fraction]: Invalid value: "500m": must be an integer
        spec.containers[0].resources.limits[memory]: Invalid value: "1Gx": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
        spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1
        spec.containers[0].resources.requests[disk]: Invalid value: "disk": must be a standard resource type or fully qualified
        spec.containers[0].resources.requests[disk]: Invalid value: "disk": must be a standard resource for containers
        spec.containers[0].resources.requests[example.com/fraction]: Invalid value: "500m": must be an integer
        spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources
        spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0
    "#]].assert_eq(&found);
}

#[test]
fn volumes() {
    let found = errors(
        "pods",
        pod(json!({ "containers": [container()], "volumes": [
        { "name": "Bad" },
        { "name": "v", "emptyDir": {}, "hostPath": { "path": "/x" } },
        { "name": "v", "configMap": {} },
        { "name": "m", "secret": { "secretName": "s", "defaultMode": 1000, "items": [{ "key": "", "path": "/abs" }] } },
        { "name": "h", "hostPath": { "path": "/a/../b", "type": "Pipe" } },
        { "name": "d", "downwardAPI": { "items": [{ "path": "x" }, { "path": "y", "fieldRef": { "fieldPath": "spec.nodeName" } }] } },
        { "name": "t", "projected": { "sources": [{ "serviceAccountToken": { "path": "t", "expirationSeconds": 5 } }] } },
    ] })),
    );
    expect![[r#"
        spec.volumes[0].name: Invalid value: "Bad": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.volumes[1].hostPath: Forbidden: may not specify more than 1 volume type
        spec.volumes[2].configMap.name: Required value
        spec.volumes[3].secret.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive
        spec.volumes[3].secret.items[0].key: Required value
        spec.volumes[3].secret.items[0].path: Invalid value: "/abs": must be a relative path
        spec.volumes[4].hostPath.path: Invalid value: "/a/../b": must not contain '..'
        spec.volumes[4].hostPath.type: Unsupported value: "Pipe": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"
        spec.volumes[5].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required
        spec.volumes[5].downwardAPI.fieldRef.fieldPath: Unsupported value: "spec.nodeName": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"
        spec.volumes[6].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes
        spec.volumes[6].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set
    "#]].assert_eq(&found);
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
