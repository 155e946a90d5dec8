use expect_test::expect;

use super::*;

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
