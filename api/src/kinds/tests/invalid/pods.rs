use expect_test::expect;
use serde_json::json;

use super::*;

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
