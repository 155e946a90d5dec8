//! What a hardened pod must say.

use serde_json::{Value, json};

use super::{allows, forbids, of_all_lists, pod};

#[test]
fn privilege_escalation() {
    let (id, reason) = ("allowPrivilegeEscalation", "allowPrivilegeEscalation != false");
    let context = |flag: bool| json!({ "allowPrivilegeEscalation": flag });
    allows(id, 8, &pod(json!({}), &[("a", context(false)), ("b", context(false))]));
    let bad = [("a", json!({})), ("b", Value::Null), ("c", context(true)), ("d", context(false))];
    let detail = r#"containers "a", "b", "c" must set securityContext.allowPrivilegeEscalation=false"#;
    forbids(id, 35, &pod(json!({ "hostUsers": false, "os": { "name": "linux" } }), &bad), reason, detail);
    let windows = pod(json!({ "os": { "name": "windows" } }), &bad);
    forbids(id, 24, &windows, reason, detail);
    allows(id, 25, &windows);
    let detail = r#"containers "init", "main", "debug" must set securityContext.allowPrivilegeEscalation=false"#;
    forbids(id, 8, &of_all_lists(json!({})), reason, detail);
}

#[test]
fn capabilities() {
    let (id, reason) = ("capabilities_restricted", "unrestricted capabilities");
    let context = |add: Value, drop: Value| json!({ "capabilities": { "add": add, "drop": drop } });
    let good = [("a", context(json!(["NET_BIND_SERVICE"]), json!(["KILL", "ALL"])))];
    allows(id, 22, &pod(json!({}), &good));
    let silent = pod(json!({}), &[("a", json!({}))]);
    let detail = r#"container "a" must set securityContext.capabilities.drop=["ALL"]"#;
    forbids(id, 35, &silent, reason, detail);
    let bad = [
        ("a", context(json!(["FOO", "BAR"]), json!(["all"]))),
        ("b", context(json!(["CHOWN"]), json!(["ALL"]))),
        ("c", Value::Null),
    ];
    let detail = "containers \"a\", \"c\" must set securityContext.capabilities.drop=[\"ALL\"]; \
                  containers \"a\", \"b\" must not include \"BAR\", \"CHOWN\", \"FOO\" in \
                  securityContext.capabilities.add";
    forbids(id, 22, &pod(json!({}), &bad), reason, detail);
    let windows = pod(json!({ "os": { "name": "windows" } }), &bad);
    forbids(id, 24, &windows, reason, detail);
    allows(id, 25, &windows);
}

#[test]
fn volumes() {
    let (id, reason) = ("restrictedVolumes", "restricted volume types");
    let with = |volumes: Vec<Value>| pod(json!({ "volumes": volumes }), &[]);
    let volume = |kind: &str| json!({ "name": format!("v-{kind}"), kind: {} });
    let allowed = [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    allows(id, 0, &with(allowed.map(volume).to_vec()));
    let forbidden = [
        "hostPath",
        "gcePersistentDisk",
        "awsElasticBlockStore",
        "gitRepo",
        "nfs",
        "iscsi",
        "glusterfs",
        "rbd",
        "flexVolume",
        "cinder",
        "cephfs",
        "flocker",
        "fc",
        "azureFile",
        "vsphereVolume",
        "quobyte",
        "azureDisk",
        "photonPersistentDisk",
        "portworxVolume",
        "scaleIO",
        "storageos",
    ];
    for kind in forbidden {
        let detail = format!(r#"volume "v-{kind}" uses restricted volume type "{kind}""#);
        forbids(id, 0, &with(vec![volume(kind), volume("secret")]), reason, &detail);
    }
    let several = with(vec![volume("nfs"), volume("future"), json!({ "name": "host", "hostPath": {} }), volume("nfs")]);
    let detail =
        r#"volumes "v-nfs", "v-future", "host", "v-nfs" use restricted volume types "hostPath", "nfs", "unknown""#;
    forbids(id, 35, &several, reason, detail);
}

#[test]
fn running_as_somebody_else_than_root() {
    let (id, reason) = ("runAsNonRoot", "runAsNonRoot != true");
    let context = |flag: bool| json!({ "runAsNonRoot": flag });
    allows(id, 0, &pod(json!({}), &[("a", context(true)), ("b", context(true))]));
    allows(id, 0, &pod(json!({ "securityContext": context(true) }), &[("a", json!({})), ("b", context(true))]));
    // Who says no is told first.
    let refusing = pod(json!({ "securityContext": context(false) }), &[("a", context(false)), ("b", json!({}))]);
    let detail = r#"pod and container "a" must not set securityContext.runAsNonRoot=false"#;
    forbids(id, 0, &refusing, reason, detail);
    let one = pod(json!({ "securityContext": context(true) }), &[("a", context(false)), ("b", json!({}))]);
    forbids(id, 35, &one, reason, r#"container "a" must not set securityContext.runAsNonRoot=false"#);
    // The pod's refusal counts although each container has its own word.
    let pod_only = pod(json!({ "securityContext": context(false) }), &[("a", context(true))]);
    forbids(id, 0, &pod_only, reason, "pod must not set securityContext.runAsNonRoot=false");
    let silent = pod(json!({ "hostUsers": false }), &[("a", json!({})), ("b", Value::Null), ("c", context(true))]);
    let detail = r#"pod or containers "a", "b" must set securityContext.runAsNonRoot=true"#;
    forbids(id, 34, &silent, reason, detail);
    allows(id, 35, &silent);
    let windows = pod(json!({ "os": { "name": "windows" } }), &[("a", json!({}))]);
    forbids(id, 35, &windows, reason, r#"pod or container "a" must set securityContext.runAsNonRoot=true"#);
}

#[test]
fn running_as_user_0() {
    let (id, reason) = ("runAsUser", "runAsUser=0");
    let context = |user: i64| json!({ "runAsUser": user });
    allows(id, 23, &pod(json!({ "securityContext": context(1) }), &[("a", context(1000)), ("b", json!({}))]));
    let root = pod(json!({ "securityContext": context(0) }), &[("a", json!({})), ("b", context(1))]);
    forbids(id, 23, &root, reason, "pod must not set runAsUser=0");
    let some =
        pod(json!({ "securityContext": context(0), "hostUsers": false }), &[("a", context(0)), ("b", context(0))]);
    let detail = r#"pod and containers "a", "b" must not set runAsUser=0"#;
    forbids(id, 34, &some, reason, detail);
    allows(id, 35, &some);
}

#[test]
fn seccomp_profiles() {
    let (id, reason) = ("seccompProfile_restricted", "seccompProfile");
    let context = |kind: &str| json!({ "seccompProfile": { "type": kind } });
    allows(id, 19, &pod(json!({}), &[("a", context("Localhost")), ("b", context("RuntimeDefault"))]));
    allows(id, 19, &pod(json!({ "securityContext": context("RuntimeDefault") }), &[("a", json!({}))]));
    let silent = pod(json!({ "os": { "name": "windows" } }), &[("a", json!({})), ("b", context("Localhost"))]);
    let detail =
        r#"pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost""#;
    forbids(id, 24, &silent, reason, detail);
    allows(id, 25, &silent);
    let bad =
        pod(json!({ "securityContext": context("Unconfined") }), &[("a", json!({})), ("b", context("Unconfined"))]);
    let detail = r#"pod and container "b" must not set securityContext.seccompProfile.type to "Unconfined""#;
    forbids(id, 35, &bad, reason, detail);
}
