use expect_test::expect;

use super::*;

/// A PEM block around an empty sequence.
const CERTIFICATE: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";

#[test]
fn priority_and_runtime_classes() {
    let class = json!({ "metadata": { "name": "high" }, "value": 1000 });
    expect![[r#"
        {"metadata":{"generation":1,"name":"high"},"preemptionPolicy":"PreemptLowerPriority","value":1000}
        Value=1000 Global-Default=false Age="5m3s" PreemptionPolicy="PreemptLowerPriority"
    "#]]
    .assert_eq(&story("priorityclasses", class.clone()));
    let bad = json!({ "metadata": { "name": "x" }, "value": 2_000_000_000, "preemptionPolicy": "Maybe" });
    expect![[r#"
        value: Forbidden: maximum allowed value of a user defined priority is 1000000000
        preemptionPolicy: Unsupported value: "Maybe": supported values: "Never", "PreemptLowerPriority"
    "#]]
    .assert_eq(&complaints("priorityclasses", bad));
    expect![[r#"
        metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class
    "#]].assert_eq(&complaints("priorityclasses", json!({ "metadata": { "name": "system-mine" } })));
    expect![[r#"
        value: Forbidden: may not be changed in an update.
        preemptionPolicy: Invalid value: "Never": field is immutable
    "#]]
    .assert_eq(&refused("priorityclasses", class, json!({ "value": 2, "preemptionPolicy": "Never" })));
    let runtime =
        json!({ "metadata": { "name": "wasm" }, "handler": "wasm", "overhead": { "podFixed": { "cpu": "1000m" } } });
    expect![[r#"
        {"handler":"wasm","metadata":{"name":"wasm"},"overhead":{"podFixed":{"cpu":"1"}}}
        Handler="wasm" Age="5m3s"
    "#]]
    .assert_eq(&story("runtimeclasses", runtime.clone()));
    let overhead =
        json!({ "handler": "a", "overhead": { "podFixed": { "cpu": "-1", "power": "1", "example.com/x": "100m" } } });
    expect![[r#"
        overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0
        overhead.limits[example.com/x]: Invalid value: "100m": must be an integer
        overhead.limits[power]: Invalid value: "power": must be a standard resource type or fully qualified
        overhead.limits[power]: Invalid value: "power": must be a standard resource for containers
    "#]]
    .assert_eq(&complaints("runtimeclasses", overhead));
    expect![[r#"
        handler: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        scheduling.tolerations[0].operator: Invalid value: "Like": operator must be Exists when `key` is empty, which means "match all values and all keys"
        scheduling.tolerations[0].operator: Unsupported value: "Like": supported values: "Equal", "Exists"
    "#]].assert_eq(&complaints("runtimeclasses", json!({ "handler": "A", "scheduling": { "tolerations": [{ "operator": "Like" }] } })));
    expect![[r#"
        handler: Invalid value: "b": field is immutable
    "#]]
    .assert_eq(&refused("runtimeclasses", runtime, json!({ "handler": "b" })));
}

#[test]
fn roles() {
    let rule = json!({ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] });
    assert_eq!(complaints("clusterroles", json!({ "rules": [rule] })), "");
    let rules = json!([{}, { "verbs": ["get"], "nonResourceURLs": ["/healthz"], "resources": ["pods"] }]);
    expect![[r#"
        rules[0].verbs: Required value: verbs must contain at least one value
        rules[0].apiGroups: Required value: resource rules must supply at least one api group
        rules[0].resources: Required value: resource rules must supply at least one resource
        rules[1].nonResourceURLs: Invalid value: ["/healthz"]: namespaced rules cannot apply to non-resource URLs
        rules[1].nonResourceURLs: Invalid value: ["/healthz"]: rules cannot apply to both regular resources and non-resource URLs
    "#]].assert_eq(&complaints("roles", json!({ "rules": rules })));
    expect![[r#"
        rules[0].verbs: Required value: verbs must contain at least one value
        rules[0].apiGroups: Required value: resource rules must supply at least one api group
        rules[0].resources: Required value: resource rules must supply at least one resource
        rules[1].nonResourceURLs: Invalid value: ["/healthz"]: rules cannot apply to both regular resources and non-resource URLs
        aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil
    "#]].assert_eq(&complaints("clusterroles", json!({ "rules": rules, "aggregationRule": {} })));
    assert_eq!((row("clusterroles").rules.name_errors)("system:node", false), Vec::<String>::new());
    assert_eq!((row("roles").rules.name_errors)("a/b%", false), ["may not contain '/'", "may not contain '%'"]);
}

#[test]
fn bindings() {
    let binding = json!({ "metadata": { "name": "b" }, "roleRef": { "kind": "ClusterRole", "name": "view" }, "subjects": [
        { "kind": "User", "name": "jane" }, { "kind": "Group", "name": "dev" }, { "kind": "ServiceAccount", "name": "sa", "namespace": "ns" }] });
    expect![[r#"
        {"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"jane"},{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"dev"},{"kind":"ServiceAccount","name":"sa","namespace":"ns"}]}
        Role="ClusterRole/view" Age="5m3s" Users="jane" Groups="dev" ServiceAccounts="ns/sa"
    "#]].assert_eq(&story("rolebindings", binding.clone()));
    let bad = json!({ "roleRef": { "apiGroup": "x", "kind": "Role", "name": "" }, "subjects": [
        { "kind": "Robot", "name": "r" }, { "kind": "ServiceAccount", "name": "S" }, { "kind": "User", "name": "", "apiGroup": "y" }] });
    expect![[r#"
        roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"
        roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"
        roleRef.name: Required value
        subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"
        subjects[1].name: Invalid value: "S": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        subjects[1].namespace: Required value
        subjects[2].name: Required value
        subjects[2].apiGroup: Unsupported value: "y": supported values: "rbac.authorization.k8s.io"
    "#]].assert_eq(&complaints("clusterrolebindings", bad));
    expect![[r#"
        roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"}: cannot change roleRef
    "#]].assert_eq(&refused("rolebindings", binding, json!({ "roleRef": { "name": "edit" } })));
}

#[test]
fn signing_requests() {
    // PEM of a request with an Ed25519 key, which signed it.
    let pem = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlHTE1EOENBUUF3RERFS01BZ0dBMVVFQXd3QlpEQXFNQVVHQXl0bGNBTWhBTHdrcHliRzhsTDZjc2FvM3JjaHkrTlFkYjEzekpNa2VUblF6RWdwWVlzdG9BQXdCUVlESzJWd0EwRUFnamQrMEhZeGhlZnROcFBuV3Fkd2F2MVlVN0RDOHFlVk5ZWW5zcFdHNXBjMFdoUEtQMzZLR1VDcWZhMDVXUnpNL245L1Z6OEc3ODQyL1pxQjZQenFDQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";
    let request = json!({ "metadata": { "name": "csr" }, "spec": { "request": pem, "signerName": "example.com/signer", "usages": ["client auth"], "expirationSeconds": 3600, "username": "jane" } });
    expect![[r#"
        {"metadata":{"name":"csr"},"spec":{"expirationSeconds":3600,"request":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlHTE1EOENBUUF3RERFS01BZ0dBMVVFQXd3QlpEQXFNQVVHQXl0bGNBTWhBTHdrcHliRzhsTDZjc2FvM3JjaHkrTlFkYjEzekpNa2VUblF6RWdwWVlzdG9BQXdCUVlESzJWd0EwRUFnamQrMEhZeGhlZnROcFBuV3Fkd2F2MVlVN0RDOHFlVk5ZWW5zcFdHNXBjMFdoUEtQMzZLR1VDcWZhMDVXUnpNL245L1Z6OEc3ODQyL1pxQjZQenFDQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=","signerName":"example.com/signer","usages":["client auth"],"username":"jane"},"status":{}}
        Age="5m3s" SignerName="example.com/signer" Requestor="jane" RequestedDuration="60m" Condition="Pending"
    "#]].assert_eq(&story("certificatesigningrequests", request.clone()));
    assert_eq!(complaints("certificatesigningrequests", request.clone()), "");
    let bad = json!({ "spec": { "request": "", "signerName": "kubernetes.io/legacy-unknown", "usages": ["fun", "fun"], "expirationSeconds": 1 },
        "status": { "conditions": [{ "type": "Approved", "status": "True" }, { "type": "Denied", "status": "False" }] } });
    expect![[r#"
        spec.request: Invalid value: "": PEM block type must be CERTIFICATE REQUEST
        spec.usages[0]: Unsupported value: "fun": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"
        spec.usages[1]: Unsupported value: "fun": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"
        spec.usages[1]: Duplicate value: "fun"
        spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version
        spec.expirationSeconds: Invalid value: 1: may not specify a duration less than 600 seconds (10 minutes)
        status.conditions[1].status: Unsupported value: "False": supported values: "True"
        status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive
    "#]].assert_eq(&complaints("certificatesigningrequests", bad));
    let mut approved = request.clone();
    approved["status"] =
        json!({ "conditions": [{ "type": "Approved", "status": "True" }], "certificate": CERTIFICATE });
    expect![[r#"
        status.conditions: Forbidden: updates may not add a condition of type "Approved"
    "#]]
    .assert_eq(&lines(&(row("certificatesigningrequests").rules.validate_status)(&approved, &request)));
    let approval = |new: &Value, old: &Value| lines(&crate::kinds::signing_request::validate_approval(new, old));
    expect![[r#"
        status.certificate: Forbidden: updates may not set certificate content
    "#]]
    .assert_eq(&approval(&approved, &request));
    expect![[r#"
        status.conditions: Forbidden: updates may not remove a condition of type "Approved"
        status.certificate: Forbidden: updates may not set certificate content
    "#]]
    .assert_eq(&approval(&request, &approved));
    approved["status"]["certificate"] = json!(null);
    assert_eq!(approval(&approved, &request), "");
    approved["status"]["certificate"] = json!(CERTIFICATE);
    assert!(table("certificatesigningrequests", &approved).contains("Condition: \"Approved,Issued\""));
}

#[test]
fn flow_control() {
    let schema = json!({ "metadata": { "name": "s" }, "spec": { "priorityLevelConfiguration": { "name": "p" } } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"s"},"spec":{"matchingPrecedence":1000,"priorityLevelConfiguration":{"name":"p"}},"status":{}}
        PriorityLevel="p" MatchingPrecedence=1000 DistinguisherMethod="<none>" Age="5m3s" MissingPL="?"
    "#]].assert_eq(&story("flowschemas", schema));
    let bad = json!({ "spec": { "matchingPrecedence": 1, "distinguisherMethod": { "type": "ByLuck" }, "rules": [{}, { "subjects": [
        { "kind": "User", "group": { "name": "g" } }, { "kind": "Robot" }, { "kind": "ServiceAccount", "serviceAccount": { "name": "*" } }],
        "resourceRules": [{ "verbs": ["get", "*"], "apiGroups": ["*", "a"] }], "nonResourceRules": [{ "verbs": ["eat"], "nonResourceURLs": ["a", "/a*"] }] }] } });
    expect![[r#"
        spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1
        spec.distinguisherMethod.type: Unsupported value: "ByLuck": supported values: "ByNamespace", "ByUser"
        spec.priorityLevelConfiguration.name: Required value: must reference a priority level
        spec.rules[0].subjects: Required value: subjects must contain at least one value
        spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty
        spec.rules[1].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'
        spec.rules[1].subjects[0].user: Required value: user is required when subject kind is 'User'
        spec.rules[1].subjects[1].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"
        spec.rules[1].subjects[2].serviceAccount.namespace: Required value: must specify namespace for service account
        spec.rules[1].resourceRules[0].verbs: Invalid value: ["get","*"]: if '*' is present, must not specify other verbs
        spec.rules[1].resourceRules[0].apiGroups: Invalid value: ["*","a"]: if '*' is present, must not specify other api groups
        spec.rules[1].resourceRules[0].resources: Required value: resource rules must supply at least one resource
        spec.rules[1].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace
        spec.rules[1].nonResourceRules[0].verbs: Unsupported value: ["eat"]: supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"
        spec.rules[1].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "a": must start with slash
        spec.rules[1].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a*": wildcard can only do suffix matching
    "#]].assert_eq(&complaints("flowschemas", bad));
    let level = json!({ "metadata": { "name": "l" }, "spec": { "type": "Limited", "limited": { "limitResponse": { "type": "Queue", "queuing": {} } } } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"l"},"spec":{"limited":{"lendablePercent":0,"limitResponse":{"queuing":{"handSize":8,"queueLengthLimit":50,"queues":64},"type":"Queue"},"nominalConcurrencyShares":30},"type":"Limited"},"status":{}}
        Type="Limited" NominalConcurrencyShares=30 Queues=64 HandSize=8 QueueLengthLimit=50 Age="5m3s"
    "#]].assert_eq(&story("prioritylevelconfigurations", level));
    let bad = json!({ "spec": { "type": "Limited", "limited": { "lendablePercent": 101, "limitResponse": { "type": "Queue",
        "queuing": { "queues": 512, "handSize": 40, "queueLengthLimit": -1 } } } } });
    expect![[r#"
        spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive
        spec.limited.limitResponse.queuing.queueLengthLimit: Invalid value: -1: must be positive
        spec.limited.limitResponse.queuing.handSize: Invalid value: 40: required entropy bits of deckSize 512 and handSize 40 should not be greater than 60
    "#]].assert_eq(&complaints("prioritylevelconfigurations", bad));
    expect![[r#"
        spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if name is 'exempt'
        spec.limited: Forbidden: must be nil if the type is not Limited
    "#]]
    .assert_eq(&complaints("prioritylevelconfigurations", json!({ "spec": { "type": "Exempt", "limited": {} } })));
}

#[test]
fn devices() {
    let claim = json!({ "metadata": { "name": "c" }, "spec": { "devices": { "requests": [{ "name": "gpu", "exactly": { "deviceClassName": "gpu.example.com" } }] } } });
    expect![[r#"
        {"metadata":{"name":"c"},"spec":{"devices":{"requests":[{"exactly":{"allocationMode":"ExactCount","count":1,"deviceClassName":"gpu.example.com"},"name":"gpu"}]}},"status":{}}
        State="pending" Age="5m3s"
    "#]].assert_eq(&story("resourceclaims", claim.clone()));
    let bad = json!({ "spec": { "devices": { "requests": [{ "name": "A" }, { "name": "b", "exactly": { "allocationMode": "All", "count": 2, "selectors": [{}] } }],
        "constraints": [{ "requests": ["none"] }], "config": [{ "opaque": { "driver": "", "parameters": [] } }] } } });
    expect![[r#"
        spec.devices.requests[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required
        spec.devices.requests[1].exactly.deviceClassName: Required value
        spec.devices.requests[1].exactly.selectors[0].cel: Required value
        spec.devices.requests[1].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'
        spec.devices.constraints[0].requests[0]: Invalid value: "none": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'
        spec.devices.constraints[0].matchAttribute: Required value
        spec.devices.config[0].opaque.driver: Required value
        spec.devices.config[0].opaque.parameters: Invalid value: []: error parsing data as JSON object
    "#]].assert_eq(&complaints("resourceclaims", bad));
    assert!(
        refused("resourceclaims", claim, json!({ "spec": { "devices": { "requests": [] } } }))
            .contains("field is immutable")
    );
    let slice = json!({ "metadata": { "name": "s" }, "spec": { "driver": "gpu.example.com", "nodeName": "n1", "pool": { "name": "n1", "generation": 1, "resourceSliceCount": 1 } } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"s"},"spec":{"driver":"gpu.example.com","nodeName":"n1","pool":{"generation":1,"name":"n1","resourceSliceCount":1}}}
        Node="n1" Driver="gpu.example.com" Pool="n1" Age="5m3s"
    "#]].assert_eq(&story("resourceslices", slice.clone()));
    expect![[r#"
        spec.driver: Required value
        spec.pool.name: Required value
        spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero
        spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required
        spec.devices[1].name: Duplicate value: "a"
    "#]].assert_eq(&complaints("resourceslices", json!({ "spec": { "devices": [{ "name": "a" }, { "name": "a" }] } })));
    expect![[r#"
        spec.nodeName: Invalid value: "n2": field is immutable
        spec.pool.name: Invalid value: "x": field is immutable
    "#]]
    .assert_eq(&refused("resourceslices", slice, json!({ "spec": { "nodeName": "n2", "pool": { "name": "x" } } })));
    expect![[r#"
        {"metadata":{"generation":1,"name":"d"},"spec":{}}
        Age="5m3s"
    "#]]
    .assert_eq(&story("deviceclasses", json!({ "metadata": { "name": "d" } })));
}
