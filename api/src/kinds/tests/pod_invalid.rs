//! What is wrong with pods, in the parts that are less often seen.

use expect_test::expect;

use super::*;

fn complaints(fields: Value) -> String {
    let mut spec = json!({ "containers": [container()] });
    json_patch::merge(&mut spec, &fields);
    errors("pods", pod(spec))
}

#[test]
fn affinity() {
    let term = json!({ "topologyKey": "", "namespaces": ["A"], "labelSelector": { "matchExpressions": [{ "key": "a", "operator": "Like" }] },
        "matchLabelKeys": ["a", "b c"], "mismatchLabelKeys": ["a"] });
    expect![[r#"
        spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'
        spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'
        spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator: Invalid value: "Exists": not a valid selector operator
        spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key: Invalid value: "spec.x": not a valid field selector key
        spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[1].values[0]: Invalid value: "A_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespace: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys[1]: Invalid value: "b c": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty
        spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100
        spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.matchLabelKeys: Forbidden: must not be specified when labelSelector is not set
    "#]].assert_eq(&complaints(json!({ "affinity": {
        "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
            { "matchFields": [{ "key": "spec.x", "operator": "Exists" }, { "key": "metadata.name", "operator": "In", "values": ["A_"] }],
              "matchExpressions": [{ "key": "a", "operator": "In" }, { "key": "b", "operator": "Gt", "values": ["1", "2"] }] }] } },
        "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] },
        "podAntiAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
            { "weight": 101, "podAffinityTerm": { "topologyKey": "zone", "matchLabelKeys": ["a"] } }] },
    } })));
}

#[test]
fn spread() {
    expect![[r#"
        spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero
        spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty
        spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Maybe": supported values: "DoNotSchedule", "ScheduleAnyway"
        spec.topologySpreadConstraints[0].nodeAffinityPolicy: Unsupported value: "Hope": supported values: "Honor", "Ignore"
        spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, ScheduleAnyway}"
        spec.topologySpreadConstraints[1].minDomains: Invalid value: 0: must be greater than zero
        spec.topologySpreadConstraints[1].minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway
        spec.topologySpreadConstraints[1].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set
    "#]].assert_eq(&complaints(json!({ "topologySpreadConstraints": [
        { "maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "Maybe", "nodeAffinityPolicy": "Hope" },
        { "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 0, "matchLabelKeys": ["a"] },
        { "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway" },
    ] })));
}

#[test]
fn security() {
    expect![[r#"
        spec.containers[0].securityContext.procMount: Unsupported value: "Half": supported values: "Default", "Unmasked"
        spec.containers[0].securityContext.seccompProfile.type: Required value: type is required when seccompProfile is set
        spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"capabilities":{"add":["CAP_SYS_ADMIN"]},"procMount":"Half","seccompProfile":{"type":""}}: cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN
        spec.securityContext.sysctls[0].name: Invalid value: "A b": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$
        spec.securityContext.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"
        spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost
        spec.securityContext.appArmorProfile.localhostProfile: Invalid value: "x": can only be set when AppArmor type is Localhost
        spec.securityContext.supplementalGroupsPolicy: Unsupported value: "All": supported values: "Merge", "Strict"
        spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled
        spec.HostPID: Forbidden: when `hostUsers` is false
    "#]].assert_eq(&complaints(json!({
        "hostPID": true, "shareProcessNamespace": true, "hostUsers": false,
        "securityContext": { "fsGroupChangePolicy": "Never", "supplementalGroupsPolicy": "All", "seccompProfile": { "type": "Localhost" },
            "appArmorProfile": { "type": "Unconfined", "localhostProfile": "x" }, "sysctls": [{ "name": "A b" }, { "name": "net.a" }, { "name": "net/a" }] },
        "containers": [{ "name": "a", "image": "b", "securityContext": { "procMount": "Half", "allowPrivilegeEscalation": false,
            "seccompProfile": { "type": "" }, "capabilities": { "add": ["CAP_SYS_ADMIN"] } } }],
    })));
}

#[test]
fn operating_systems() {
    expect![[r#"
        spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod
        spec.hostPID: Forbidden: cannot be set for a windows pod
        spec.containers[0].securityContext.readOnlyRootFilesystem: Forbidden: cannot be set for a windows pod
        spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod
    "#]].assert_eq(&complaints(json!({ "os": { "name": "windows" }, "hostPID": true, "securityContext": { "runAsUser": 1 },
        "containers": [{ "name": "a", "image": "b", "securityContext": { "privileged": true, "readOnlyRootFilesystem": true } }] })));
    expect![[r#"
        spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod
        spec.containers[0].securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod
    "#]]
    .assert_eq(&complaints(json!({ "os": { "name": "linux" }, "securityContext": { "windowsOptions": {} },
        "containers": [{ "name": "a", "image": "b", "securityContext": { "windowsOptions": {} } }] })));
    expect![[r#"
        spec.os: Unsupported value: "plan9": supported values: "linux", "windows"
    "#]]
    .assert_eq(&complaints(json!({ "os": { "name": "plan9" } })));
}

#[test]
fn restarts_and_resizes() {
    expect![[r#"
        spec.containers[0].resizePolicy: Unsupported value: "gpu": supported values: "cpu", "memory"
        spec.containers[0].resizePolicy: Invalid value: "RestartContainer": must be 'NotRequired' when pod `restartPolicy` is 'Never'
        spec.containers[0].resizePolicy[1]: Duplicate value: "gpu"
        spec.containers[0].resizePolicy: Unsupported value: "gpu": supported values: "cpu", "memory"
        spec.containers[0].resizePolicy: Required value
        spec.containers[0].resizePolicy: Invalid value: "": must be 'NotRequired' when pod `restartPolicy` is 'Never'
        spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used
        spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Explode": supported values: "Restart", "RestartAllContainers"
        spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified
        spec.containers[0].restartPolicyRules[1].exitCodes.operator: Unsupported value: "Like": supported values: "In", "NotIn"
    "#]].assert_eq(&complaints(json!({ "restartPolicy": "Never", "containers": [{ "name": "a", "image": "b",
        "resizePolicy": [{ "resourceName": "gpu", "restartPolicy": "RestartContainer" }, { "resourceName": "gpu", "restartPolicy": "" }],
        "restartPolicyRules": [{ "action": "Explode" }, { "action": "Restart", "exitCodes": { "operator": "Like" } }] }] })));
}

#[test]
fn name_resolution() {
    expect![[r#"
        spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","x","2.2.2.2","3.3.3.3"]: must not have more than 3 nameservers
        spec.dnsConfig.nameservers[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
        spec.dnsConfig.searches[1]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')
        spec.dnsConfig.options[0]: Required value: must not be empty
    "#]].assert_eq(&complaints(json!({ "dnsConfig": { "nameservers": ["1.1.1.1", "x", "2.2.2.2", "3.3.3.3"], "searches": ["a_b.c.", "A"], "options": [{}] } })));
}

#[test]
fn mounts_and_devices() {
    expect![[r#"
        spec.containers[0].volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices
        spec.containers[0].volumeMounts[0].mountPath: Invalid value: "/a": must not already exist as a path in volumeDevices
        spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers
        spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true
        spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified
        spec.containers[0].volumeMounts[1].name: Invalid value: "v": must not already exist in volumeDevices
        spec.containers[0].volumeMounts.mountPropagation: Unsupported value: "Up": supported values: "Bidirectional", "HostToContainer", "None"
        spec.containers[0].volumeDevices[0].name: Not found: "none"
        spec.containers[0].volumeDevices[0].devicePath: Invalid value: "/a": must not already exist as a path in volumeMounts
        spec.containers[0].volumeDevices[1].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode
        spec.containers[0].volumeDevices[1].devicePath: Required value
        spec.containers[0].volumeDevices[1].name: Invalid value: "v": must not already exist in volumeMounts
        spec.containers[0].volumeDevices[2].name: Invalid value: "v": must be unique
        spec.containers[0].volumeDevices[2].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode
        spec.containers[0].volumeDevices[2].devicePath: Invalid value: "/../x": can not contain backsteps ('..')
        spec.containers[0].volumeDevices[2].name: Invalid value: "v": must not already exist in volumeMounts
    "#]].assert_eq(&complaints(json!({ "volumes": [{ "name": "v" }], "containers": [{ "name": "a", "image": "b",
        "volumeMounts": [{ "name": "v", "mountPath": "/a", "mountPropagation": "Bidirectional", "recursiveReadOnly": "Enabled" },
                         { "name": "v", "mountPath": "/b", "mountPropagation": "Up" }],
        "volumeDevices": [{ "name": "none", "devicePath": "/a" }, { "name": "v", "devicePath": "" }, { "name": "v", "devicePath": "/../x" }] }] })));
}

#[test]
fn volume_sources() {
    expect![[r#"
        spec.volumes[0].nfs.server: Required value
        spec.volumes[0].nfs.path: Invalid value: "x": must be an absolute path
        spec.volumes[1].iscsi.targetPortal: Required value
        spec.volumes[1].iscsi.iqn: Required value
        spec.volumes[1].iscsi.secretRef: Required value
        spec.volumes[2].csi.driver: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.volumes[3].ephemeral.volumeClaimTemplate: Required value
        spec.volumes[4].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required
        spec.volumes[4].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value
        spec.volumes[5].image.reference: Required value
        spec.volumes[5].image.pullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"
        spec.volumes[7].fc.lun: Required value: lun is required if targetWWNs is specified
        spec.volumes[8].rbd.monitors: Required value
        spec.volumes[8].rbd.image: Required value
        spec.volumes[9].persistentDisk.pdName: Required value
        spec.volumes[9].persistentDisk.partition: Invalid value: 300: must be between 1 and 255, inclusive
        spec.volumes[10].azureDisk.diskName: Required value
        spec.volumes[10].azureDisk.diskURI: Required value
        spec.volumes[10].azureDisk.diskURI: Unsupported value: "": supported values: "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
        spec.volumes[11].persistentVolumeClaim.claimName: Required value
    "#]].assert_eq(&complaints(json!({ "volumes": [
        { "name": "a", "nfs": { "path": "x" } }, { "name": "b", "iscsi": { "chapAuthSession": true } }, { "name": "c", "csi": { "driver": "A_b" } },
        { "name": "d", "ephemeral": {} }, { "name": "e", "ephemeral": { "volumeClaimTemplate": { "spec": {} } } }, { "name": "f", "image": { "pullPolicy": "Sometimes" } },
        { "name": "g", "projected": { "sources": [{}, { "clusterTrustBundle": { "path": "/x" } }] } }, { "name": "h", "fc": { "targetWWNs": ["a"] } },
        { "name": "i", "rbd": {} }, { "name": "j", "gcePersistentDisk": { "partition": 300 } }, { "name": "k", "azureDisk": {} }, { "name": "l", "persistentVolumeClaim": {} },
    ] })));
}

#[test]
fn claims_and_references() {
    expect![[r#"
        spec.resourceClaims[0]: Invalid value: {"name":"a"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`
        spec.resourceClaims[1].name: Duplicate value: "a"
        spec.resourceClaims[1]: Invalid value: {"name":"a","resourceClaimName":"c","resourceClaimTemplateName":"B_"}: at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified
        spec.resourceClaims[1].resourceClaimTemplateName: Invalid value: "B_": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
        spec.containers[0].env[0].valueFrom.fileKeyRef.key: Required value
        spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Required value
        spec.containers[0].env[0].valueFrom.fileKeyRef.path: Required value
        spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: ""
    "#]].assert_eq(&complaints(json!({ "resourceClaims": [{ "name": "a" }, { "name": "a", "resourceClaimName": "c", "resourceClaimTemplateName": "B_" }],
        "containers": [{ "name": "a", "image": "b", "env": [{ "name": "X", "valueFrom": { "fileKeyRef": { "key": "", "volumeName": "", "path": "" } } }] }] })));
}

#[test]
fn ephemeral_containers() {
    let debugger = json!({ "name": "web", "image": "busybox", "targetContainerName": "none", "ports": [{ "containerPort": 1 }], "lifecycle": { "preStop": { "sleep": { "seconds": 1 } } } });
    let with = json!({ "containers": [container()], "ephemeralContainers": [debugger] });
    assert!(errors("pods", pod(with.clone())).contains("spec.ephemeralContainers: Forbidden: cannot be set on create"));
    let mut stored = defaulted("pods", pod(with));
    stored["metadata"]["resourceVersion"] = json!("1");
    expect![[r#"
        spec.ephemeralContainers[0].name: Duplicate value: "web"
        spec.ephemeralContainers[0].targetContainerName: Not found: "none"
        spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container
        spec.ephemeralContainers[0].lifecycle: Forbidden: cannot be set for an Ephemeral Container
    "#]]
    .assert_eq(&lines(&(row("pods").rules.validate)(&stored)));
    let good = json!({ "name": "debug", "image": "busybox" });
    let mut old = defaulted("pods", pod(json!({ "containers": [container()], "ephemeralContainers": [good] })));
    old["metadata"]["resourceVersion"] = json!("1");
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"][0]["image"] = json!("other");
    expect![[r#"
        spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed
          spec.image:
        -   "busybox"
        +   "other"

    "#]]
    .assert_eq(&lines(&crate::kinds::pod::validate_ephemeral_update(&new, &old)));
    new["spec"]["ephemeralContainers"] = json!([]);
    expect![[r#"
        spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed

    "#]]
    .assert_eq(&lines(&crate::kinds::pod::validate_ephemeral_update(&new, &old)));
}

#[test]
fn resizing() {
    let limits = |cpu: &str, disk: &str| {
        let resources = json!({ "requests": { "cpu": cpu, "memory": "1Gi" }, "limits": { "ephemeral-storage": disk } });
        let mut container = container();
        container["resources"] = resources;
        defaulted("pods", pod(json!({ "containers": [container] })))
    };
    let resize = |new: &Value, old: &Value| lines(&crate::kinds::pod::validate_resize(new, old));
    assert_eq!(resize(&limits("2", "1Gi"), &limits("1", "1Gi")), "");
    expect![[r#"
        spec: Forbidden: only cpu and memory resources are mutable
    "#]]
    .assert_eq(&resize(&limits("2", "2Gi"), &limits("1", "1Gi")));
    let plain = defaulted("pods", pod(json!({ "containers": [container()] })));
    assert!(resize(&plain, &limits("1", "1Gi")).contains("Pod QOS Class may not change as a result of resizing"));
}
