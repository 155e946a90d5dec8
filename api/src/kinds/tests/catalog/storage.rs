use expect_test::expect;

use super::*;

pub(super) fn claim() -> Value {
    json!({ "metadata": { "name": "data" }, "spec": { "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
        "resources": { "requests": { "storage": "1024Mi" } } } })
}

pub(super) fn volume() -> Value {
    json!({ "metadata": { "name": "v" }, "spec": { "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
        "capacity": { "storage": "5Gi" }, "hostPath": { "path": "/data" } } })
}

#[test]
fn claims() {
    expect![[r#"
        {"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}},"storageClassName":"fast","volumeMode":"Filesystem"},"status":{"phase":"Pending"}}
        Status="Pending" Volume="" Capacity="" Access Modes="" StorageClass="fast" VolumeAttributesClass="<unset>" Age="5m3s" VolumeMode="Filesystem"
    "#]].assert_eq(&story("persistentvolumeclaims", claim()));
    let bad = json!({ "spec": { "accessModes": ["ReadWriteOncePod", "Often"], "volumeMode": "Tape",
        "resources": { "requests": { "storage": "0" } }, "storageClassName": "A_b", "dataSource": { "kind": "Pod", "name": "" } } });
    expect![[r#"
        spec.accessModes: Unsupported value: "Often": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"
        spec.resources[storage]: Invalid value: "0": must be greater than zero
        spec.storageClassName: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"
        spec.dataSource.name: Required value
        spec.dataSource: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup
    "#]].assert_eq(&complaints("persistentvolumeclaims", bad));
    expect![[r#"
        spec.accessModes: Required value: at least 1 access mode is required
        spec.resources[storage]: Required value
    "#]]
    .assert_eq(&complaints("persistentvolumeclaims", json!({ "spec": {} })));
}

#[test]
fn what_can_change_in_a_claim() {
    let larger = json!({ "spec": { "resources": { "requests": { "storage": "2Gi" } } } });
    assert!(refused("persistentvolumeclaims", claim(), larger.clone()).contains("spec is immutable after creation"));
    let mut bound = claim();
    bound["spec"]["volumeName"] = json!("v");
    bound["status"] = json!({ "phase": "Bound", "capacity": { "storage": "1Gi" } });
    assert_eq!(refused("persistentvolumeclaims", claim(), json!({ "spec": { "volumeName": "v" } })), "");
    assert_eq!(refused("persistentvolumeclaims", bound.clone(), larger), "");
    let smaller = json!({ "spec": { "resources": { "requests": { "storage": "1Mi" } } } });
    expect![[r#"
        spec.resources.requests.storage: Forbidden: field can not be less than status.capacity
    "#]]
    .assert_eq(&refused("persistentvolumeclaims", bound.clone(), smaller));
    let mode = json!({ "spec": { "accessModes": ["ReadWriteMany"] } });
    assert!(refused("persistentvolumeclaims", bound, mode).contains("Forbidden: spec is immutable"));
}

#[test]
fn volumes() {
    expect![[r#"
        {"metadata":{"name":"v"},"spec":{"accessModes":["ReadWriteOnce","ReadOnlyMany"],"capacity":{"storage":"5Gi"},"hostPath":{"path":"/data","type":""},"persistentVolumeReclaimPolicy":"Retain","volumeMode":"Filesystem"},"status":{"lastPhaseTransitionTime":"2025-12-31T23:54:57Z","phase":"Pending"}}
        Capacity="5Gi" Access Modes="RWO,ROX" Reclaim Policy="Retain" Status="Pending" Claim="" StorageClass="" VolumeAttributesClass="<unset>" Reason="" Age="5m3s" VolumeMode="Filesystem"
    "#]].assert_eq(&story("persistentvolumes", volume()));
    let bad = json!({ "spec": { "capacity": { "cpu": "1" }, "hostPath": { "path": "/" }, "nfs": {}, "persistentVolumeReclaimPolicy": "Recycle",
        "volumeAttributesClassName": "", "nodeAffinity": { "required": { "nodeSelectorTerms": [] } } } });
    expect![[r#"
        spec.accessModes: Required value
        spec.capacity: Unsupported value: {"cpu":"1"}: supported values: "storage"
        spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term
        spec.nfs: Forbidden: may not specify more than 1 volume type
        spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'
        spec.volumeAttributesClassName: Required value: an empty string is disallowed
        spec.csi: Required value: has to be specified when using volumeAttributesClassName
    "#]]
    .assert_eq(&complaints("persistentvolumes", bad));
    let sources = json!({ "spec": { "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1" }, "fc": {}, "iscsi": { "lun": 300, "iqn": "x" },
        "csi": {}, "rbd": { "image": "i" } } });
    expect![[r#"
        spec.rbd.monitors: Required value
        spec.iscsi: Forbidden: may not specify more than 1 volume type
        spec.fc: Forbidden: may not specify more than 1 volume type
        spec.csi: Forbidden: may not specify more than 1 volume type
    "#]]
    .assert_eq(&complaints("persistentvolumes", sources));
    let change = json!({ "spec": { "hostPath": { "path": "/other" }, "volumeMode": "Block" } });
    expect![[r#"
        spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation
          spec.hostPath.path:
        -   "/data"
        +   "/other"

        volumeMode: Invalid value: "Block": field is immutable
    "#]]
    .assert_eq(&refused("persistentvolumes", volume(), change));
}

#[test]
fn classes() {
    let class = json!({ "metadata": { "name": "fast", "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } },
        "provisioner": "example.com/disk", "parameters": { "type": "ssd" } });
    expect![[r#"
        {"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"true"},"name":"fast"},"parameters":{"type":"ssd"},"provisioner":"example.com/disk","reclaimPolicy":"Delete","volumeBindingMode":"Immediate"}
        Name="fast (default)" Provisioner="example.com/disk" ReclaimPolicy="Delete" VolumeBindingMode="Immediate" AllowVolumeExpansion=false Age="5m3s"
    "#]].assert_eq(&story("storageclasses", class.clone()));
    let bad =
        json!({ "provisioner": "", "reclaimPolicy": "Keep", "volumeBindingMode": "Later", "parameters": { "": "x" } });
    expect![[r#"
        provisioner: Required value
        parameters: Invalid value: "": field can not be empty.
        reclaimPolicy: Unsupported value: "Keep": supported values: "Delete", "Retain"
        volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"
    "#]]
    .assert_eq(&complaints("storageclasses", bad));
    let change = json!({ "provisioner": "other", "parameters": { "type": "hdd" }, "reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer" });
    expect![[r#"
        parameters: Forbidden: updates to parameters are forbidden.
        provisioner: Forbidden: updates to provisioner are forbidden.
        reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.
        volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable
    "#]]
    .assert_eq(&refused("storageclasses", class, change));
    let attributes =
        json!({ "metadata": { "name": "gold" }, "driverName": "disk.example.com", "parameters": { "iops": "1000" } });
    expect![[r#"
        {"driverName":"disk.example.com","metadata":{"name":"gold"},"parameters":{"iops":"1000"}}
        Name="gold" DriverName="disk.example.com" Age="5m3s"
    "#]]
    .assert_eq(&story("volumeattributesclasses", attributes.clone()));
    expect![[r#"
        driverName: Required value
        parameters: Required value: must contain at least one key/value pair
    "#]]
    .assert_eq(&complaints("volumeattributesclasses", json!({})));
    expect![[r#"
        driverName: Forbidden: updates to driverName are forbidden.
    "#]]
    .assert_eq(&refused("volumeattributesclasses", attributes, json!({ "driverName": "b" })));
}

#[test]
fn drivers() {
    let driver =
        json!({ "metadata": { "name": "disk.example.com" }, "spec": { "tokenRequests": [{ "audience": "a" }] } });
    expect![[r#"
        {"metadata":{"name":"disk.example.com"},"spec":{"attachRequired":true,"fsGroupPolicy":"ReadWriteOnceWithFSType","podInfoOnMount":false,"requiresRepublish":false,"seLinuxMount":false,"storageCapacity":false,"tokenRequests":[{"audience":"a"}],"volumeLifecycleModes":["Persistent"]}}
        AttachRequired=true PodInfoOnMount=false StorageCapacity=false TokenRequests="a" RequiresRepublish=false Modes="Persistent" Age="5m3s"
    "#]].assert_eq(&story("csidrivers", driver.clone()));
    let bad = json!({ "spec": { "fsGroupPolicy": "Any", "volumeLifecycleModes": ["Eternal"], "nodeAllocatableUpdatePeriodSeconds": 1,
        "tokenRequests": [{ "audience": "a", "expirationSeconds": 1 }, { "audience": "a" }] } });
    expect![[r#"
        spec.fsGroupPolicy: Unsupported value: "Any": supported values: "File", "None", "ReadWriteOnceWithFSType"
        spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes
        spec.tokenRequests[1].audience: Duplicate value: "a"
        spec.volumeLifecycleModes: Unsupported value: "Eternal": supported values: "Persistent", "Ephemeral"
        spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 1: must be greater than or equal to 10 seconds
    "#]]
    .assert_eq(&complaints("csidrivers", bad));
    expect![[r#"
        spec.attachedRequired: Invalid value: false: field is immutable
    "#]]
    .assert_eq(&refused("csidrivers", driver, json!({ "spec": { "attachRequired": false } })));
    let node = json!({ "metadata": { "name": "n1" }, "spec": { "drivers": [{ "name": "disk.example.com", "nodeID": "i-1" }] } });
    expect![[r#"
        {"metadata":{"name":"n1"},"spec":{"drivers":[{"name":"disk.example.com","nodeID":"i-1"}]}}
        Drivers=1 Age="5m3s"
    "#]]
    .assert_eq(&story("csinodes", node.clone()));
    let bad = json!({ "spec": { "drivers": [{ "name": "d", "nodeID": "" }, { "name": "d", "nodeID": "i", "topologyKeys": ["a", "a"] }] } });
    expect![[r#"
        spec.drivers[0].nodeID: Required value
        spec.drivers[1].name: Duplicate value: "d"
        spec.drivers[1]: Duplicate value: "a"
    "#]]
    .assert_eq(&complaints("csinodes", bad));
    let change = json!({ "spec": { "drivers": [{ "name": "disk.example.com", "nodeID": "i-2" }] } });
    expect![[r#"
        spec.drivers: Invalid value: {"name":"disk.example.com","nodeID":"i-2"}: field is immutable
    "#]]
    .assert_eq(&refused("csinodes", node, change));
}

#[test]
fn attachments_and_capacities() {
    let attachment = json!({ "metadata": { "name": "a" }, "spec": { "attacher": "disk.example.com", "nodeName": "n1", "source": { "persistentVolumeName": "v" } } });
    expect![[r#"
        {"metadata":{"name":"a"},"spec":{"attacher":"disk.example.com","nodeName":"n1","source":{"persistentVolumeName":"v"}},"status":{"attached":false}}
        Name="a" Attacher="disk.example.com" PV="v" Node="n1" Attached=false Age="5m3s"
    "#]].assert_eq(&story("volumeattachments", attachment.clone()));
    expect![[r#"
        spec.attacher: Required value
        spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName
        spec.nodeName: Invalid value: "N": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
    "#]].assert_eq(&complaints("volumeattachments", json!({ "spec": { "nodeName": "N", "source": {} } })));
    let inline = json!({ "spec": { "attacher": "disk.example.com", "nodeName": "n1", "source": { "inlineVolumeSpec": {
        "capacity": { "storage": "1Gi" }, "claimRef": { "name": "c" }, "hostPath": { "path": "/" }, "volumeMode": "Block",
        "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "fast", "nodeAffinity": {} } } } });
    expect![[r#"
        spec.source.inlineVolumeSpec.claimRef: Forbidden: may not be specified in the context of inline volumes
        spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of inline volumes
        spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes
        spec.source.inlineVolumeSpec.accessModes: Required value
        spec.source.inlineVolumeSpec.persistentVolumeReclaimPolicy: Forbidden: may only be Retain in the context of inline volumes
        spec.source.inlineVolumeSpec.nodeAffinity: Forbidden: may not be specified in the context of inline volumes
        spec.source.inlineVolumeSpec.storageClassName: Forbidden: may not be specified in the context of inline volumes
        spec.source.inlineVolumeSpec.volumeMode: Forbidden: may not specify volumeMode other than Filesystem in the context of inline volumes
    "#]].assert_eq(&complaints("volumeattachments", inline));
    let csi = json!({ "spec": { "attacher": "disk.example.com", "nodeName": "n1", "source": { "inlineVolumeSpec": {
        "accessModes": ["ReadWriteOnce"], "csi": { "driver": "disk.example.com", "volumeHandle": "v" } } } } });
    assert_eq!(complaints("volumeattachments", csi), "");
    expect![[r#"
        spec: Invalid value: {"attacher":"disk.example.com","nodeName":"n2","source":{"persistentVolumeName":"v"}}: field is immutable
    "#]].assert_eq(&refused("volumeattachments", attachment, json!({ "spec": { "nodeName": "n2" } })));
    let capacity = json!({ "metadata": { "name": "c" }, "storageClassName": "fast", "capacity": "1024Mi" });
    expect![[r#"
        {"capacity":"1Gi","metadata":{"name":"c"},"storageClassName":"fast"}
        StorageClassName="fast" Capacity="1Gi"
    "#]]
    .assert_eq(&story("csistoragecapacities", capacity.clone()));
    expect![[r#"
        storageClassName: Required value
        capacity: Invalid value: "-1": must be greater than or equal to 0
    "#]]
    .assert_eq(&complaints("csistoragecapacities", json!({ "capacity": "-1" })));
    expect![[r#"
        storageClassName: Invalid value: "slow": field is immutable
    "#]]
    .assert_eq(&refused("csistoragecapacities", capacity, json!({ "storageClassName": "slow" })));
}
