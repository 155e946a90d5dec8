use expect_test::expect;

use super::*;

fn template() -> Value {
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [container()] } })
}

#[test]
fn replication_controllers() {
    let minimal = json!({ "metadata": { "name": "web" }, "spec": { "template": template() } });
    expect![[r#"
        {"metadata":{"generation":1,"labels":{"app":"web"},"name":"web"},"spec":{"replicas":1,"selector":{"app":"web"},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"registry.local/web:v1","imagePullPolicy":"IfNotPresent","name":"web","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}},"status":{"replicas":0}}
        Desired=1 Current=0 Ready=0 Age="5m3s" Containers="web" Images="registry.local/web:v1" Selector="app=web"
    "#]].assert_eq(&story("replicationcontrollers", minimal));
    let bad = json!({ "spec": { "replicas": -1, "selector": { "app": "other" }, "template": template() } });
    expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`
    "#]]
    .assert_eq(&complaints("replicationcontrollers", bad));
    expect![[r#"
        spec.selector: Required value
        spec.template: Required value
    "#]]
    .assert_eq(&complaints("replicationcontrollers", json!({ "spec": {} })));
}

#[test]
fn daemon_sets() {
    let minimal = json!({ "metadata": { "name": "agent" }, "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": template() } });
    expect![[r#"
        {"metadata":{"annotations":{"deprecated.daemonset.template.generation":"1"},"generation":1,"name":"agent"},"spec":{"revisionHistoryLimit":10,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"registry.local/web:v1","imagePullPolicy":"IfNotPresent","name":"web","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}},"updateStrategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1},"type":"RollingUpdate"}},"status":{"currentNumberScheduled":0,"desiredNumberScheduled":0,"numberMisscheduled":0,"numberReady":0}}
        Desired=0 Current=0 Ready=0 Up-to-date=0 Available=0 Node Selector="<none>" Age="5m3s" Containers="web" Images="registry.local/web:v1" Selector="app=web"
    "#]].assert_eq(&story("daemonsets", minimal));
    let bad = workload(
        "DaemonSet",
        json!({ "minReadySeconds": -1, "selector": null,
        "updateStrategy": { "rollingUpdate": { "maxUnavailable": "110%", "maxSurge": 1 } } }),
    );
    expect![[r#"
        spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`
        spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0
        spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "110%": must not be greater than 100%
        spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero
    "#]]
    .assert_eq(&complaints("daemonsets", bad));
    let change = json!({ "spec": { "selector": { "matchLabels": { "app": "other" } } } });
    expect![[r#"
        spec.selector: Invalid value: {"matchLabels":{"app":"other"}}: field is immutable
    "#]]
    .assert_eq(&refused("daemonsets", workload("DaemonSet", json!({})), change));
}

#[test]
fn a_new_template_of_a_daemon_set_is_counted() {
    let row = row("daemonsets");
    let mut old = defaulted("daemonsets", workload("DaemonSet", json!({})));
    (row.rules.prepare_create)(&mut old);
    let annotation = "deprecated.daemonset.template.generation";
    assert_eq!(old["metadata"]["annotations"][annotation], "1");
    let mut new = old.clone();
    new["metadata"].as_object_mut().unwrap().remove("annotations");
    (row.rules.prepare_update)(&mut new, &old);
    assert_eq!(new["metadata"]["annotations"][annotation], "1");
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other");
    (row.rules.prepare_update)(&mut new, &old);
    assert_eq!(new["metadata"]["annotations"][annotation], "2");
}

#[test]
fn revisions_and_templates() {
    let revision = json!({ "metadata": { "name": "web-1", "ownerReferences": [
        { "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "controller": true }] }, "data": {}, "revision": 3 });
    expect![[r#"
        {"data":{},"metadata":{"name":"web-1","ownerReferences":[{"apiVersion":"apps/v1","controller":true,"kind":"StatefulSet","name":"web"}]},"revision":3}
        Controller="statefulset.apps/web" Revision=3 Age="5m3s"
    "#]].assert_eq(&story("controllerrevisions", revision.clone()));
    expect![[r#"
        data: Required value: data is mandatory
        revision: Invalid value: -1: must be greater than or equal to 0
    "#]]
    .assert_eq(&complaints("controllerrevisions", json!({ "revision": -1 })));
    expect![[r#"
        data: Invalid value: {"a":1}: field is immutable
    "#]]
    .assert_eq(&refused("controllerrevisions", revision, json!({ "data": { "a": 1 } })));
    let object = json!({ "metadata": { "name": "t" }, "template": template() });
    expect![[r#"
        {"metadata":{"generation":1,"name":"t"},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"registry.local/web:v1","imagePullPolicy":"IfNotPresent","name":"web","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}}
        Containers="web" Images="registry.local/web:v1" Pod Labels="app=web"
    "#]].assert_eq(&story("podtemplates", object));
    expect![[r#"
        template.spec.containers: Required value
    "#]]
    .assert_eq(&complaints("podtemplates", json!({ "template": { "spec": {} } })));
}

#[test]
fn cron_jobs() {
    let job = json!({ "template": { "spec": { "restartPolicy": "OnFailure", "containers": [container()] } } });
    let minimal =
        json!({ "metadata": { "name": "c" }, "spec": { "schedule": "*/5 * * * *", "jobTemplate": { "spec": job } } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"c"},"spec":{"concurrencyPolicy":"Allow","failedJobsHistoryLimit":1,"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"image":"registry.local/web:v1","imagePullPolicy":"IfNotPresent","name":"web","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"OnFailure","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}}},"schedule":"*/5 * * * *","successfulJobsHistoryLimit":3,"suspend":false},"status":{}}
        Schedule="*/5 * * * *" Timezone="<none>" Suspend="False" Active=0 Last Schedule="<none>" Age="5m3s" Containers="web" Images="registry.local/web:v1" Selector="<none>"
    "#]].assert_eq(&story("cronjobs", minimal));
    let bad = json!({ "metadata": { "name": "n".repeat(53) }, "spec": { "schedule": "* * *", "timeZone": "Mars/Olympus",
        "concurrencyPolicy": "Maybe", "successfulJobsHistoryLimit": -1, "startingDeadlineSeconds": -1,
        "jobTemplate": { "spec": { "manualSelector": true, "template": { "spec": { "containers": [container()] } } } } } });
    expect![[r#"
        spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]
        spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0
        spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus
        spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"
        spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
        spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"
        spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0
        metadata.name: Invalid value: "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn": must be no more than 52 characters
    "#]].assert_eq(&complaints("cronjobs", bad));
}

#[test]
fn failure_and_success_policies_of_jobs() {
    let bad = workload(
        "Job",
        json!({ "manualSelector": true, "completionMode": "Indexed", "completions": 3, "template": { "spec": { "restartPolicy": "Never" } },
        "podFailurePolicy": { "rules": [
            { "action": "Explode" },
            { "action": "FailIndex", "onExitCodes": { "operator": "In", "containerName": "none", "values": [2, 0, 2] } },
            { "action": "Ignore", "onExitCodes": { "operator": "", "values": [] }, "onPodConditions": [{ "type": "", "status": "Maybe" }] },
        ] },
        "successPolicy": { "rules": [{}, { "succeededCount": 4, "succeededIndexes": "2,1" }, { "succeededIndexes": "0-7" }] },
        "maxFailedIndexes": 4, "managedBy": "me" }),
    );
    expect![[r#"
        spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified
        spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")
        spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions
        spec.podFailurePolicy.rules[0].action: Unsupported value: "Explode": supported values: "Count", "FailIndex", "FailJob", "Ignore"
        spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required
        spec.podFailurePolicy.rules[1].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set
        spec.podFailurePolicy.rules[1].onExitCodes.containerName: Invalid value: "none": must be one of the container or initContainer names in the pod template
        spec.podFailurePolicy.rules[1].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator
        spec.podFailurePolicy.rules[1].onExitCodes.values[2]: Duplicate value: 2
        spec.podFailurePolicy.rules[1].onExitCodes.values: Invalid value: [2,0,2]: must be ordered
        spec.podFailurePolicy.rules[2].onExitCodes.operator: Required value: valid values: ["In" "NotIn"]
        spec.podFailurePolicy.rules[2].onExitCodes.values: Invalid value: []: at least one value is required
        spec.podFailurePolicy.rules[2].onPodConditions[0].type: Invalid value: "": name part must be non-empty
        spec.podFailurePolicy.rules[2].onPodConditions[0].type: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.podFailurePolicy.rules[2].onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"
        spec.podFailurePolicy.rules[2]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported
        spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified
        spec.successPolicy.rules[1].succeededIndexes: Invalid value: "2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1
        spec.successPolicy.rules[1].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of specified completions)
        spec.successPolicy.rules[1].succeededCount: Invalid value: 4: must be less than or equal to 0 (the number of indexes in the specified succeededIndexes field)
        spec.successPolicy.rules[2].succeededIndexes: Invalid value: "0-7": error parsing succeededIndexes: too large index: "7"
    "#]].assert_eq(&complaints("jobs", bad));
}

#[test]
fn disruption_budgets() {
    let minimal = json!({ "metadata": { "name": "b" }, "spec": { "minAvailable": "50%", "selector": { "matchLabels": { "app": "web" } } } });
    expect![[r#"
        {"metadata":{"generation":1,"name":"b"},"spec":{"minAvailable":"50%","selector":{"matchLabels":{"app":"web"}}},"status":{"currentHealthy":0,"desiredHealthy":0,"disruptionsAllowed":0,"expectedPods":0}}
        Min Available="50%" Max Unavailable="N/A" Allowed Disruptions=0 Age="5m3s"
    "#]].assert_eq(&story("poddisruptionbudgets", minimal));
    let bad = json!({ "spec": { "minAvailable": "110%", "maxUnavailable": -1, "unhealthyPodEvictionPolicy": "Never",
        "selector": { "matchLabels": { "a b": "c" } } } });
    expect![[r#"
        spec: Invalid value: {"maxUnavailable":-1,"minAvailable":"110%","selector":{"matchLabels":{"a b":"c"}},"unhealthyPodEvictionPolicy":"Never"}: minAvailable and maxUnavailable cannot be both set
        spec.minAvailable: Invalid value: "110%": must not be greater than 100%
        spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0
        spec.selector.matchLabels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"
    "#]].assert_eq(&complaints("poddisruptionbudgets", bad));
}
