//! Rules that only some writes meet: how a job ends, which events are new, what a condition must say.

use expect_test::expect;

use super::*;

/// What is wrong with a status written over an empty one.
fn status_complaints(plural: &str, object: &Value, before: Value, after: Value) -> String {
    let with = |status: Value| {
        let mut object = defaulted(plural, object.clone());
        object["status"] = status;
        object
    };
    lines(&row(plural).status_errors(&with(after), &with(before)))
}

#[test]
fn a_job_ends_once_and_counts_up() {
    let job = workload("Job", json!({ "completionMode": "Indexed", "completions": 5, "backoffLimitPerIndex": 1 }));
    let is = |kinds: &[&str]| kinds.iter().map(|kind| json!({ "type": kind, "status": "True" })).collect::<Value>();
    let check = |before: Value, after: Value| status_complaints("jobs", &job, before, after);
    let start = "2026-01-01T00:00:00Z";
    let done = json!({ "startTime": start, "completionTime": "2026-01-01T00:01:00Z", "succeeded": 5, "completedIndexes": "0-4",
        "conditions": is(&["SuccessCriteriaMet", "Complete"]) });
    assert_eq!(check(json!({ "startTime": start }), done.clone()), "");
    let both = json!({ "active": 1, "ready": 2, "completedIndexes": "0-2", "failedIndexes": "2,4",
        "conditions": is(&["Complete", "Failed"]), "uncountedTerminatedPods": { "succeeded": ["a"], "failed": ["a"] } });
    expect![[r#"
        status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"
        status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions
        status.completionTime: Required value: completionTime is required for Complete jobs
        status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition
        status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition
        status.active: Invalid value: 1: active>0 is invalid for finished job
        status.startTime: Required value: startTime is required for finished job
        status.uncountedTerminatedPods: Invalid value: {"failed":["a"],"succeeded":["a"]}: uncountedTerminatedPods needs to be empty for finished job
        status.failedIndexes: Invalid value: "2,4": failedIndexes and completedIndexes overlap at index: 2
        status.ready: Invalid value: 2: cannot set more ready pods than active
    "#]].assert_eq(&check(json!({}), both));
    expect![[r#"
        status.conditions: Invalid value: cannot disable the terminal Complete=True condition
        status.succeeded: Invalid value: 4: cannot decrease the succeeded counter
        status.startTime: Required value: startTime cannot be removed for unsuspended job
        status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition
    "#]]
    .assert_eq(&check(done, json!({ "startTime": "2026-01-02T00:00:00Z", "succeeded": 4 })));
    let late = json!({ "completionTime": start, "completedIndexes": "3,1", "terminating": -1 });
    expect![[r#"
        status.terminating: Invalid value: -1: must be greater than or equal to 0
        status.completionTime: Invalid value: "2026-01-01T00:00:00Z": cannot set completionTime when there is no Complete=True condition
        status.completedIndexes: Invalid value: "3,1": error parsing completedIndexes: non-increasing order, previous: 3, current: 1
    "#]].assert_eq(&check(json!({}), late));
}

#[test]
fn jobs_with_many_indexes_have_limits() {
    let many = json!({ "completionMode": "Indexed", "completions": 100_001, "parallelism": 10_001, "backoffLimitPerIndex": 1,
        "manualSelector": true, "template": { "spec": { "restartPolicy": "Never" } } });
    let job = workload("Job", many);
    expect![[r#"
        spec.maxFailedIndexes: Required value: must be specified when completions is above 100000
        spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index
    "#]].assert_eq(&complaints("jobs", job.clone()));
    assert!((row("jobs").rules.warnings)(&job)[0].starts_with("In Indexed Jobs"));
    let mut dotted = workload(
        "Job",
        json!({ "completionMode": "Indexed", "completions": 2, "manualSelector": true,
        "template": { "spec": { "restartPolicy": "Never" } } }),
    );
    dotted["metadata"]["name"] = json!("a.b");
    expect![[r#"
        metadata.name: Invalid value: "a.b": will not able to create pod with invalid DNS label: a.b-1
    "#]]
    .assert_eq(&complaints("jobs", dotted));
    let own = json!({ "metadata": { "name": "c" }, "spec": { "schedule": "* * * * *", "timeZone": "UTC", "jobTemplate": { "spec": {
        "selector": { "matchLabels": { "a": "b" } }, "template": { "spec": { "restartPolicy": "Never", "containers": [container()] } } } } } });
    expect![[r#"
        spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated
    "#]]
    .assert_eq(&complaints("cronjobs", own));
}

#[test]
fn stateful_sets_are_host_names_and_may_keep_all_revisions() {
    let set = workload("StatefulSet", json!({ "revisionHistoryLimit": -1 }));
    assert_eq!(complaints("statefulsets", set.clone()), "");
    assert!((row("statefulsets").rules.warnings)(&set)[0].starts_with("spec.revisionHistoryLimit: a negative value"));
    let details = (row("statefulsets").rules.name_errors)("a.b", false);
    assert_eq!(details, ["must not contain dots"]);
}

#[test]
fn new_events_leave_out_what_is_deprecated() {
    let event = json!({ "metadata": { "name": "e", "namespace": "default" }, "eventTime": "2026-01-01T00:00:00.000000Z", "action": "a",
        "reason": "r", "type": "Normal", "reportingController": "a.b/c", "reportingInstance": "i", "regarding": { "namespace": "x" } });
    let events_v1 = Catalog::builtin().find("events.k8s.io", "v1", "events").unwrap();
    assert_eq!(lines(&events_v1.create_errors(&event)), "");
    let mut old_style = event.clone();
    json_patch::merge(
        &mut old_style,
        &json!({ "deprecatedCount": 2, "deprecatedSource": { "host": "h" }, "series": { "count": 1 },
        "deprecatedFirstTimestamp": "2026-01-01T00:00:00Z", "note": "n".repeat(1025), "type": "Odd" }),
    );
    expect![[r#"
        message: Invalid value: "": can have at most 1024 characters
        series.count: Invalid value: "": should be at least 2
        series.lastObservedTime: Required value
        type: Invalid value: "": has invalid value: Odd
        firstTimestamp: Invalid value: "": needs to be unset
        count: Invalid value: "": needs to be unset
        source: Invalid value: "": needs to be unset
    "#]]
    .assert_eq(&lines(&events_v1.create_errors(&old_style)));
    let mut next = event.clone();
    json_patch::merge(&mut next, &json!({ "series": { "count": 1 }, "note": "other", "reason": "Other" }));
    expect![[r#"
        series.count: Invalid value: "": should be at least 2
        series.lastObservedTime: Required value
        reason: Invalid value: "Other": field is immutable
        reason: Invalid value: "Other": field is immutable
    "#]]
    .assert_eq(&lines(&events_v1.update_errors(&next, &event)));
    let core =
        json!({ "metadata": { "namespace": "a" }, "involvedObject": {}, "eventTime": "2026-01-01T00:00:00.000000Z" });
    expect![[r#"
        involvedObject.namespace: Invalid value: "": does not match event.namespace
        reportingComponent: Required value
        reportingComponent: Invalid value: "": name part must be non-empty
        reportingComponent: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        reportingInstance: Required value
        action: Required value
        reason: Required value
    "#]].assert_eq(&lines(&row("events").create_errors(&core)));
}

#[test]
fn questions_may_be_about_selected_objects() {
    let review = |selectors: Value| {
        let mut attributes = json!({ "verb": "list", "resource": "pods" });
        json_patch::merge(&mut attributes, &selectors);
        complaints("selfsubjectaccessreviews", json!({ "metadata": {}, "spec": { "resourceAttributes": attributes } }))
    };
    let good = json!({ "fieldSelector": { "rawSelector": "spec.nodeName=a" },
        "labelSelector": { "requirements": [{ "key": "a", "operator": "Newer" }] } });
    assert_eq!(review(good), "");
    expect![[r#"
        spec.resourceAttributes.fieldSelector.rawSelector: Invalid value: "a=b": may not specified at the same time as requirements
        spec.resourceAttributes.fieldSelector.requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'
        spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified
        spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector is specified, requirements or rawSelector is required
    "#]].assert_eq(&review(json!({
        "fieldSelector": { "rawSelector": "a=b", "requirements": [{ "key": "", "operator": "In" }] },
        "labelSelector": { "requirements": [] } })));
}

#[test]
fn slices_hint_at_whom_they_serve() {
    let many: Vec<Value> = (0..9).map(|n| json!({ "name": format!("z{n}") })).collect();
    let slice = json!({ "addressType": "FQDN", "ports": [{ "appProtocol": "a b" }], "endpoints": [
        { "addresses": ["example.com.", "host"], "hostname": "A", "nodeName": "N", "hints": {
            "forZones": [{ "name": "a" }, { "name": "a" }], "forNodes": many } }] });
    expect![[r#"
        endpoints[0].addresses[1]: Invalid value: "host": should be a domain with at least two segments separated by dots
        endpoints[0].nodeName: Invalid value: "N": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        endpoints[0].hostname: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        endpoints[0].hints.forZones[1].name: Duplicate value: "a"
        endpoints[0].hints.forNodes: Too many: 9: must have at most 8 items
        ports[0].appProtocol: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
    "#]].assert_eq(&complaints("endpointslices", slice));
}

#[test]
fn what_autoscalers_measure_is_normalised() {
    let mut autoscaler = autoscaling::autoscaler();
    autoscaler["spec"]["metrics"] = json!([{ "type": "Pods", "pods": { "metric": { "name": "a/b" }, "target": { "type": "AverageValue", "averageValue": "1000m" } } }]);
    autoscaler["spec"]["behavior"] = json!({ "scaleUp": { "tolerance": "0.10" }, "scaleDown": { "tolerance": "-1" } });
    let stored = defaulted("horizontalpodautoscalers", autoscaler.clone());
    assert_eq!(stored["spec"]["metrics"][0]["pods"]["target"]["averageValue"], "1");
    assert_eq!(stored["spec"]["behavior"]["scaleUp"]["tolerance"], "100m");
    expect![[r#"
        spec.metrics[0].pods.metric.name: Invalid value: "a/b": may not contain '/'
        spec.behavior.scaleDown.tolerance: Invalid value: "-1": must be greater than or equal to 0
    "#]]
    .assert_eq(&complaints("horizontalpodautoscalers", autoscaler));
}

#[test]
fn what_scales_is_named_with_its_group() {
    let named = |kind: &str, version: &str| {
        let mut autoscaler = autoscaling::autoscaler();
        autoscaler["spec"]["scaleTargetRef"] = json!({ "kind": kind, "name": "web", "apiVersion": version });
        autoscaler
    };
    let wrong = "spec.scaleTargetRef.apiVersion: Invalid value: \"v1\": apiVersion must specify API group\n";
    assert_eq!(complaints("horizontalpodautoscalers", named("Deployment", "v1")), wrong);
    assert_eq!(complaints("horizontalpodautoscalers", named("ReplicationController", "v1")), "");
    let (old, other) = (named("Deployment", "v1"), json!({ "spec": { "scaleTargetRef": { "kind": "StatefulSet" } } }));
    assert_eq!(refused("horizontalpodautoscalers", old.clone(), json!({ "spec": { "maxReplicas": 9 } })), "");
    assert_eq!(refused("horizontalpodautoscalers", old, other), wrong);
}

#[test]
fn policies_with_expressions_that_do_not_compile() {
    let spec = json!({ "paramKind": { "apiVersion": "v1", "kind": "ConfigMap" },
        "matchConstraints": { "resourceRules": [{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }] },
        "matchConditions": [{ "name": "a", "expression": "request.name" }],
        "variables": [{ "name": "count", "expression": "size(params.data)" }, { "name": "bad", "expression": "1 +" }],
        "validations": [{ "expression": "variables.count > 1", "messageExpression": "variables.count" }, { "expression": "unknown" }],
        "auditAnnotations": [{ "key": "k", "valueExpression": "true" }] });
    expect![[r#"
        spec.matchConditions[0].expression: Invalid value: "request.name": must evaluate to bool
        spec.variables[1].expression: Invalid value: "1 +": compilation failed: ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting an expression
         | 1 +
         | ...^
        spec.validations[0].messageExpression: Invalid value: "variables.count": must evaluate to string
        spec.validations[1].expression: Invalid value: "unknown": compilation failed: ERROR: <input>:1:1: undeclared reference to 'unknown' (in container '')
         | unknown
         | ^
        spec.auditAnnotations[0].valueExpression: Invalid value: "true": must evaluate to one of [string null_type]
    "#]]
        .assert_eq(&complaints("validatingadmissionpolicies", json!({ "metadata": { "name": "p" }, "spec": spec })));
}

#[test]
fn a_budget_has_whole_conditions() {
    let budget = json!({ "metadata": { "name": "b" }, "spec": {} });
    let status =
        json!({ "disruptionsAllowed": -1, "expectedPods": -1, "conditions": [{ "type": "", "status": "Yes" }] });
    expect![[r#"
        status.conditions[0].type: Invalid value: "": name part must be non-empty
        status.conditions[0].type: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        status.conditions[0].status: Unsupported value: "Yes": supported values: "False", "True", "Unknown"
        status.conditions[0].lastTransitionTime: Required value: must be set
        status.conditions[0].reason: Required value: must be set
        status.disruptionsAllowed: Invalid value: -1: must be greater than or equal to 0
        status.expectedPods: Invalid value: -1: must be greater than or equal to 0
    "#]].assert_eq(&status_complaints("poddisruptionbudgets", &budget, json!({}), status));
}

#[test]
fn attachments_and_drivers_say_no_more_than_they_may() {
    let attachment = json!({ "spec": { "attacher": "a", "nodeName": "n", "source": { "persistentVolumeName": "v" } } });
    let status = json!({ "attached": false, "attachError": { "message": "m".repeat(1025), "errorCode": -1 } });
    expect![[r#"
        status.attachError.message: Too long: may not be more than 1024 bytes
        status.attachError.errorCode: Invalid value: -1: must be greater than or equal to 0
    "#]]
    .assert_eq(&status_complaints("volumeattachments", &attachment, json!({}), status));
    let driver = json!({ "metadata": { "name": "d" }, "spec": { "serviceAccountTokenInSecrets": true } });
    expect![[r#"
        spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified
    "#]].assert_eq(&complaints("csidrivers", driver));
}
