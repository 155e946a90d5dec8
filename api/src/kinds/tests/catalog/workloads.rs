use expect_test::expect;

use super::*;

pub(super) fn autoscaler() -> Value {
    json!({ "metadata": { "name": "web" }, "spec": { "maxReplicas": 5,
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" } } })
}

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

/// A stateful set with claim templates of these names, whose container has these mounts and devices.
fn with_claims(names: &[&str], mounts: Value, devices: Value) -> Value {
    let claim = |name: &&str| {
        json!({ "metadata": { "name": name },
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } })
    };
    let claims: Vec<Value> = names.iter().map(claim).collect();
    let mut set = workload("StatefulSet", json!({ "volumeClaimTemplates": claims }));
    let container = &mut set["spec"]["template"]["spec"]["containers"][0];
    container["volumeMounts"] = mounts;
    container["volumeDevices"] = devices;
    set
}

#[test]
fn pods_of_stateful_sets_use_the_volumes_of_claim_templates() {
    let both = with_claims(
        &["data", "disk"],
        json!([{ "name": "data", "mountPath": "/data" }]),
        json!([{ "name": "disk", "devicePath": "/dev/disk" }]),
    );
    assert_eq!(complaints("statefulsets", both.clone()), "");
    let change = json!({ "spec": { "replicas": 3 } });
    assert_eq!(refused("statefulsets", both, change), "");
    let mounts = json!([{ "name": "other", "mountPath": "/other" }, { "name": "cache", "mountPath": "/cache" }]);
    let mut unknown =
        with_claims(&["data", "cache"], mounts, json!([{ "name": "nothing", "devicePath": "/dev/nothing" }]));
    unknown["spec"]["template"]["spec"]["volumes"] = json!([{ "name": "cache", "emptyDir": {} }]);
    expect![[r#"
        spec.template.spec.containers[0].volumeMounts[0].name: Not found: "other"
        spec.template.spec.containers[0].volumeDevices[0].name: Not found: "nothing"
    "#]]
    .assert_eq(&complaints("statefulsets", unknown));
    expect![[r#"
        spec.template.spec.volumes[0].name: Invalid value: "a.b": must not contain dots
        spec.template.spec.containers[0].volumeMounts[0].name: Not found: "a.b"
    "#]]
    .assert_eq(&complaints(
        "statefulsets",
        with_claims(&["a.b"], json!([{ "name": "a.b", "mountPath": "/a" }]), json!([])),
    ));
}

#[test]
fn stateful_sets() {
    let minimal = workload(
        "StatefulSet",
        json!({ "serviceName": "web", "volumeClaimTemplates": [
        { "metadata": { "name": "data" }, "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1024Mi" } } } }] }),
    );
    expect![[r#"
        {"kind":"StatefulSet","metadata":{"generation":1,"name":"w","namespace":"default"},"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Retain","whenScaled":"Retain"},"podManagementPolicy":"OrderedReady","replicas":1,"revisionHistoryLimit":10,"selector":{"matchLabels":{"app":"web"}},"serviceName":"web","template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"registry.local/web:v1","imagePullPolicy":"IfNotPresent","name":"web","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}},"updateStrategy":{"rollingUpdate":{"maxUnavailable":1,"partition":0},"type":"RollingUpdate"},"volumeClaimTemplates":[{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}},"volumeMode":"Filesystem"},"status":{"phase":"Pending"}}]},"status":{"availableReplicas":0,"replicas":0}}
        Ready="0/1" Age="5m3s" Containers="web" Images="registry.local/web:v1"
    "#]].assert_eq(&story("statefulsets", minimal));
    let bad = workload(
        "StatefulSet",
        json!({ "podManagementPolicy": "Sometimes", "replicas": -1,
        "updateStrategy": { "type": "OnDelete", "rollingUpdate": { "partition": -1 } }, "ordinals": { "start": -1 },
        "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Keep" } }),
    );
    expect![[r#"
        spec.podManagementPolicy: Invalid value: "Sometimes": must be 'OrderedReady' or 'Parallel'
        spec.updateStrategy.rollingUpdate: Invalid value: {"partition":-1}: only allowed for updateStrategy 'RollingUpdate'
        spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported values: "Retain", "Delete"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0
    "#]].assert_eq(&complaints("statefulsets", bad));
    let new = json!({ "serviceName": "Not.A.Label", "volumeClaimTemplates": [{ "metadata": { "name": "data" },
        "spec": { "accessModes": ["Sometimes"], "resources": { "requests": { "storage": "-1" } } } }] });
    expect![[r#"
        spec.serviceName: Invalid value: "Not.A.Label": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.volumeClaimTemplates[0].spec.accessModes: Unsupported value: "Sometimes": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"
        spec.volumeClaimTemplates[0].spec.resources[storage]: Invalid value: "-1": must be greater than zero
    "#]].assert_eq(&complaints("statefulsets", workload("StatefulSet", new)));
    let change = json!({ "spec": { "serviceName": "other" } });
    expect![[r#"
        spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden
    "#]].assert_eq(&refused("statefulsets", workload("StatefulSet", json!({})), change));
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
fn autoscalers() {
    expect![[r#"
        {"metadata":{"name":"web"},"spec":{"maxReplicas":5,"metrics":[{"resource":{"name":"cpu","target":{"averageUtilization":80,"type":"Utilization"}},"type":"Resource"}],"minReplicas":1,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}},"status":{"currentMetrics":null,"desiredReplicas":0}}
        Reference="Deployment/web" Targets="cpu: <unknown>/80%" MinPods="1" MaxPods=5 Replicas=0 Age="5m3s"
    "#]].assert_eq(&story("horizontalpodautoscalers", autoscaler()));
    let bad = json!({ "spec": { "minReplicas": 0, "maxReplicas": -1, "scaleTargetRef": { "kind": "a/b" }, "metrics": [
        { "type": "Pods", "pods": { "metric": {}, "target": { "type": "Value" } } },
        { "type": "Resource", "pods": { "metric": { "name": "m" }, "target": { "type": "AverageValue", "averageValue": "-1" } } },
        { "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 0, "averageValue": "1" } } },
    ], "behavior": { "scaleUp": { "stabilizationWindowSeconds": 4000, "selectPolicy": "Any", "policies": [{ "type": "Pods", "value": 0, "periodSeconds": 4000 }] } } } });
    expect![[r#"
        spec.minReplicas: Invalid value: 0: must be greater than or equal to 1
        spec.maxReplicas: Invalid value: -1: must be greater than 0
        spec.maxReplicas: Invalid value: -1: must be greater than or equal to `minReplicas`
        spec.scaleTargetRef.kind: Invalid value: "a/b": may not contain '/'
        spec.scaleTargetRef.name: Required value
        spec.metrics[0].pods.metric.name: Required value: must specify a metric name
        spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue
        spec.metrics[1].pods.target.averageValue: Invalid value: "-1": must be positive
        spec.metrics[1].resource: Required value: must populate information for the given metric source
        spec.metrics[2].resource.target.averageUtilization: Invalid value: 0: must be greater than 0
        spec.metrics[2].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization
        spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600
        spec.behavior.scaleUp.selectPolicy: Unsupported value: "Any": supported values: "Disabled", "Max", "Min"
        spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero
        spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 4000: must be less than or equal to 1800
        spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group
    "#]].assert_eq(&complaints("horizontalpodautoscalers", bad));
}

#[test]
fn autoscalers_convert_both_ways() {
    let catalog = Catalog::builtin();
    let v1 = catalog.find("autoscaling", "v1", "horizontalpodautoscalers").unwrap();
    let mut stored = autoscaler();
    stored["spec"]["metrics"] = json!([
        { "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 70 } } },
        { "type": "Pods", "pods": { "metric": { "name": "rps" }, "target": { "type": "AverageValue", "averageValue": "10" } } },
    ]);
    stored["spec"]["behavior"] = json!({ "scaleDown": { "selectPolicy": "Min" } });
    let mut stored = defaulted("horizontalpodautoscalers", stored);
    stored["status"] = json!({ "currentReplicas": 2, "desiredReplicas": 3, "currentMetrics": [
        { "type": "Resource", "resource": { "name": "cpu", "current": { "averageUtilization": 35, "averageValue": "70m" } } }],
        "conditions": [{ "type": "AbleToScale", "status": "True" }] });
    let old = (v1.rules.from_storage.unwrap())(stored.clone());
    expect![[r#"
        {
          "apiVersion": "autoscaling/v1",
          "metadata": {
            "annotations": {
              "autoscaling.alpha.kubernetes.io/behavior": "{\"scaleDown\":{\"policies\":[{\"periodSeconds\":15,\"type\":\"Percent\",\"value\":100}],\"selectPolicy\":\"Min\"},\"scaleUp\":{\"policies\":[{\"periodSeconds\":15,\"type\":\"Pods\",\"value\":4},{\"periodSeconds\":15,\"type\":\"Percent\",\"value\":100}],\"selectPolicy\":\"Max\",\"stabilizationWindowSeconds\":0}}",
              "autoscaling.alpha.kubernetes.io/conditions": "[{\"status\":\"True\",\"type\":\"AbleToScale\"}]",
              "autoscaling.alpha.kubernetes.io/current-metrics": "[{\"resource\":{\"currentAverageUtilization\":35,\"currentAverageValue\":\"70m\",\"name\":\"cpu\"},\"type\":\"Resource\"}]",
              "autoscaling.alpha.kubernetes.io/metrics": "[{\"pods\":{\"metricName\":\"rps\",\"targetAverageValue\":\"10\"},\"type\":\"Pods\"}]"
            },
            "name": "web"
          },
          "spec": {
            "maxReplicas": 5,
            "minReplicas": 1,
            "scaleTargetRef": {
              "apiVersion": "apps/v1",
              "kind": "Deployment",
              "name": "web"
            },
            "targetCPUUtilizationPercentage": 70
          },
          "status": {
            "currentCPUUtilizationPercentage": 35,
            "currentReplicas": 2,
            "desiredReplicas": 3
          }
        }"#]].assert_eq(&pretty(&old));
    let mut back = (v1.rules.to_storage.unwrap())(old);
    let metrics = back["spec"]["metrics"].as_array_mut().unwrap();
    metrics.reverse();
    let mut expected = stored;
    expected["apiVersion"] = json!("autoscaling/v2");
    assert_eq!(back, expected);
    expect![[r#"
        Reference: "Deployment/web"
        Targets: "cpu: 35%/70%, <unknown>/10"
        MinPods: "1"
        MaxPods: 5
        Replicas: 2
        Age: "<unknown>"
    "#]]
    .assert_eq(&table("horizontalpodautoscalers", &back));
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
