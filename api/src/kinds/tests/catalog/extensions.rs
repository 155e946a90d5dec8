use expect_test::expect;

use super::*;

fn hook() -> Value {
    json!({ "name": "check.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": { "service": { "name": "hook", "namespace": "default" } },
        "rules": [{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }] })
}

#[test]
fn webhooks() {
    expect![[r#"
        {"metadata":{"generation":1,"name":"w"},"webhooks":[{"admissionReviewVersions":["v1"],"clientConfig":{"service":{"name":"hook","namespace":"default","port":443}},"failurePolicy":"Fail","matchPolicy":"Equivalent","name":"check.example.com","namespaceSelector":{},"objectSelector":{},"reinvocationPolicy":"Never","rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"],"scope":"*"}],"sideEffects":"None","timeoutSeconds":10}]}
        Webhooks=1 Age="5m3s"
    "#]].assert_eq(&story("mutatingwebhookconfigurations", json!({ "metadata": { "name": "w" }, "webhooks": [hook()] })));
    assert_eq!(complaints("validatingwebhookconfigurations", json!({ "webhooks": [hook()] })), "");
    let mut other = hook();
    json_patch::merge(
        &mut other,
        &json!({ "failurePolicy": "Retry", "matchPolicy": "Any", "timeoutSeconds": 31, "sideEffects": "Some",
        "admissionReviewVersions": ["v2", "v2"], "clientConfig": { "service": null, "url": "http://u@h/p?q#f" }, "reinvocationPolicy": "Often",
        "rules": [{ "operations": ["*", "EAT"], "apiVersions": [""], "resources": ["*/*", "pods", "pods/*", "pods/log"], "scope": "World" }],
        "matchConditions": [{ "name": "", "expression": "" }, { "name": "a", "expression": "true" }, { "name": "a", "expression": "true" }] }),
    );
    expect![[r#"
        webhooks[1].rules[0].operations: Invalid value: ["*","EAT"]: if '*' is present, must not specify other operations
        webhooks[1].rules[0].operations[1]: Unsupported value: "EAT": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"
        webhooks[1].rules[0].apiGroups: Required value
        webhooks[1].rules[0].apiVersions[0]: Required value
        webhooks[1].rules[0].resources[2]: Invalid value: "pods/*": if '*/*' is present, must not specify pods/*
        webhooks[1].rules[0].resources[3]: Invalid value: "pods/log": if 'pods/*' is present, must not specify pods/log
        webhooks[1].rules[0].resources: Invalid value: ["*/*","pods","pods/*","pods/log"]: if '*/*' is present, must not specify other resources
        webhooks[1].rules[0].scope: Unsupported value: "World": supported values: "*", "Cluster", "Namespaced"
        webhooks[1].failurePolicy: Unsupported value: "Retry": supported values: "Fail", "Ignore"
        webhooks[1].matchPolicy: Unsupported value: "Any": supported values: "Equivalent", "Exact"
        webhooks[1].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"
        webhooks[1].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds
        webhooks[1].reinvocationPolicy: Unsupported value: "Often": supported values: "IfNeeded", "Never"
        webhooks[1].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]
        webhooks[1].clientConfig.url: Invalid value: "u": user information is not permitted in the URL
        webhooks[1].clientConfig.url: Invalid value: "f": fragments are not permitted in the URL
        webhooks[1].clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL
        webhooks[1].matchConditions[0].expression: Required value
        webhooks[1].matchConditions[0].name: Required value
        webhooks[1].matchConditions[2].name: Duplicate value: "a"
        webhooks[1].admissionReviewVersions[1]: Invalid value: "v2": duplicate version
        webhooks[1].admissionReviewVersions: Invalid value: ["v2","v2"]: must include at least one of v1, v1beta1
        webhooks[1].name: Duplicate value: "check.example.com"
    "#]].assert_eq(&complaints("mutatingwebhookconfigurations", json!({ "webhooks": [hook(), other] })));
    let short =
        json!({ "webhooks": [{ "name": "short", "clientConfig": { "service": { "port": 70000, "path": "a" } } }] });
    expect![[r#"
        webhooks[0].name: Invalid value: "short": should be a domain with at least three segments separated by dots
        webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun
        webhooks[0].clientConfig.service.name: Required value: service name is required
        webhooks[0].clientConfig.service.namespace: Required value: service namespace is required
        webhooks[0].clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive
        webhooks[0].clientConfig.service.path: Invalid value: "a": must start with a '/'
        webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1
    "#]].assert_eq(&complaints("validatingwebhookconfigurations", short));
}

#[test]
fn admission_policies() {
    let constraints = json!({ "resourceRules": [{ "operations": ["*"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"] }] });
    let policy = json!({ "kind": "ValidatingAdmissionPolicy", "metadata": { "name": "p" }, "spec": { "matchConstraints": constraints, "validations": [{ "expression": "true" }] } });
    expect![[r#"
        {"kind":"ValidatingAdmissionPolicy","metadata":{"generation":1,"name":"p"},"spec":{"failurePolicy":"Fail","matchConstraints":{"matchPolicy":"Equivalent","namespaceSelector":{},"objectSelector":{},"resourceRules":[{"apiGroups":["apps"],"apiVersions":["v1"],"operations":["*"],"resources":["deployments"],"scope":"*"}]},"validations":[{"expression":"true"}]},"status":{}}
        Validations=1 ParamKind="<unset>" Age="5m3s"
    "#]].assert_eq(&story("validatingadmissionpolicies", policy.clone()));
    assert_eq!(complaints("validatingadmissionpolicies", policy), "");
    let bad = json!({ "metadata": { "name": "p" }, "spec": { "failurePolicy": "Retry", "paramKind": { "apiVersion": "a/b/c", "kind": "A_b" }, "matchConstraints": {},
        "variables": [{ "name": "a-b", "expression": "" }], "validations": [{ "expression": "", "message": "a\nb", "reason": "Because", "messageExpression": " " }],
        "auditAnnotations": [{ "key": "a b", "valueExpression": "" }] } });
    expect![[r#"
        spec.failurePolicy: Unsupported value: "Retry": supported values: "Fail", "Ignore"
        spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c
        spec.paramKind.kind: Invalid value: "A_b": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
        spec.matchConstraints.resourceRules: Required value
        spec.variables[0].name: Invalid value: "a-b": name is not a valid CEL identifier
        spec.variables[0].expression: Required value: expression is not specified
        spec.validations[0].expression: Required value: expression is not specified
        spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified
        spec.validations[0].message: Invalid value: "a\nb": message must not contain line breaks
        spec.validations[0].reason: Unsupported value: "Because": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"
        spec.auditAnnotations[0].key: Invalid value: "p/a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified
    "#]].assert_eq(&complaints("validatingadmissionpolicies", bad));
    expect![[r#"
        spec.matchConstraints: Required value
        spec.validations: Required value: validations or auditAnnotations must contain at least one item
        spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item
    "#]]
    .assert_eq(&complaints("validatingadmissionpolicies", json!({ "spec": {} })));
    let mutating = json!({ "metadata": { "name": "m" }, "spec": { "matchConstraints": constraints, "mutations": [{ "patchType": "JSONPatch", "applyConfiguration": {} }] } });
    expect![[r#"
        spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch
        spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch
        spec.reinvocationPolicy: Required value
    "#]].assert_eq(&complaints("mutatingadmissionpolicies", mutating));
    let patch = |kind: &str, field: &str, source: &str| json!({ "patchType": kind, field: { "expression": source } });
    let mutating = json!({ "metadata": { "name": "m" }, "spec": { "matchConstraints": constraints, "reinvocationPolicy": "Never",
        "variables": [{ "name": "more", "expression": "object.spec.replicas + 1" }], "mutations": [
            patch("ApplyConfiguration", "applyConfiguration", "Object{spec: Object.spec{replicas: variables.more}}"),
            patch("JSONPatch", "jsonPatch", "[JSONPatch{op: 'add', path: '/spec/replicas', value: variables.more}]"),
            patch("ApplyConfiguration", "applyConfiguration", "variables.less"),
            patch("JSONPatch", "jsonPatch", "true"),
        ] } });
    expect![[r#"
        spec.mutations[2].applyConfiguration.expression: Invalid value: "variables.less": compilation failed: ERROR: <input>:1:10: undefined field 'less'
         | variables.less
         | .........^
        spec.mutations[3].jsonPatch.expression: Invalid value: "true": must evaluate to list(JSONPatch)
    "#]].assert_eq(&complaints("mutatingadmissionpolicies", mutating));
}

#[test]
fn policy_bindings() {
    let binding = json!({ "metadata": { "name": "b" }, "spec": { "policyName": "p", "validationActions": ["Deny"],
        "paramRef": { "name": "c", "namespace": "ns", "parameterNotFoundAction": "Deny" }, "matchResources": {} } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"b"},"spec":{"matchResources":{"matchPolicy":"Equivalent","namespaceSelector":{},"objectSelector":{}},"paramRef":{"name":"c","namespace":"ns","parameterNotFoundAction":"Deny"},"policyName":"p","validationActions":["Deny"]}}
        PolicyName="p" ParamRef="ns/c" Age="5m3s"
    "#]].assert_eq(&story("validatingadmissionpolicybindings", binding));
    let bad =
        json!({ "spec": { "policyName": "", "validationActions": ["Deny", "Warn", "Warn", "Cry"], "paramRef": {} } });
    expect![[r#"
        spec.policyName: Required value
        spec.paramRef: Required value: one of name or selector must be specified
        spec.paramRef.parameterNotFoundAction: Required value
        spec.validationActions[2]: Duplicate value: "Warn"
        spec.validationActions[3]: Unsupported value: "Cry": supported values: "Audit", "Deny", "Warn"
        spec.validationActions: Invalid value: ["Deny","Warn","Warn","Cry"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)
    "#]].assert_eq(&complaints("validatingadmissionpolicybindings", bad));
}

#[test]
fn custom_definitions() {
    let definition = json!({ "metadata": { "name": "things.example.com" }, "spec": { "group": "example.com", "scope": "Namespaced",
        "names": { "plural": "things", "kind": "Thing" }, "versions": [{ "name": "v1", "served": true, "storage": true }] } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"things.example.com"},"spec":{"conversion":{"strategy":"None"},"group":"example.com","names":{"kind":"Thing","listKind":"ThingList","plural":"things","singular":"thing"},"scope":"Namespaced","versions":[{"name":"v1","served":true,"storage":true}]},"status":{"acceptedNames":{"kind":"","plural":""},"conditions":[],"storedVersions":["v1"]}}

    "#]].assert_eq(&story("customresourcedefinitions", definition));
}

#[test]
fn api_services() {
    let local = json!({ "metadata": { "name": "v1.apps" }, "spec": { "group": "apps", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10 } });
    expect![[r#"
        {"metadata":{"name":"v1.apps"},"spec":{"group":"apps","groupPriorityMinimum":100,"version":"v1","versionPriority":10},"status":{"conditions":[{"lastTransitionTime":"2025-12-31T23:54:57Z","message":"Local APIServices are always available","reason":"Local","status":"True","type":"Available"}]}}
        Service="Local" Available="True" Age="5m3s"
    "#]].assert_eq(&story("apiservices", local));
    let bad = json!({ "metadata": { "name": "x" }, "spec": { "group": "A", "version": "V1", "groupPriorityMinimum": 0, "versionPriority": 2000,
        "caBundle": "eA==", "insecureSkipTLSVerify": true, "service": { "port": 0 } } });
    expect![[r#"
        metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "V1.A"
        spec.group: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.version: Invalid value: "V1": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
        spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000
        spec.versionPriority: Invalid value: 2000: must be positive and less than 1000
        spec.service.namespace: Required value
        spec.service.name: Required value
        spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive
        spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present
    "#]].assert_eq(&complaints("apiservices", bad));
}

#[test]
fn reviews() {
    expect![[r#"
        spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified
        spec.user: Invalid value: "": at least one of user or group must be specified
    "#]].assert_eq(&complaints("subjectaccessreviews", json!({ "metadata": {}, "spec": {} })));
    let both = json!({ "metadata": { "namespace": "a" }, "spec": { "user": "jane", "resourceAttributes": { "namespace": "b" }, "nonResourceAttributes": { "path": "/" } } });
    expect![[r#"
        spec.nonResourceAttributes: Invalid value: {"path":"/"}: cannot be specified in combination with resourceAttributes
        spec.resourceAttributes.namespace: Invalid value: "b": must match metadata.namespace
        spec.nonResourceAttributes: Invalid value: {"path":"/"}: disallowed on this kind of request
    "#]].assert_eq(&complaints("localsubjectaccessreviews", both));
    let reviews: Vec<String> = Catalog::builtin().rows().iter().filter(|r| r.review).map(|r| r.qualified()).collect();
    assert_eq!(reviews.len(), 6);
    assert!(Catalog::builtin().rows().iter().filter(|r| r.review).all(|r| r.verbs == ["create"]));
}

#[test]
fn component_statuses() {
    let healthy = json!({ "metadata": { "name": "etcd-0" }, "conditions": [{ "type": "Healthy", "status": "True", "message": "ok" }] });
    expect![[r#"
        Status: "Healthy"
        Message: "ok"
        Error: ""
    "#]]
    .assert_eq(&table("componentstatuses", &healthy));
}
