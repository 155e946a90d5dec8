//! Single fields of security contexts, and the annotations that came before them.

use serde_json::{Value, json};

use super::{allows, forbids, pod};

#[test]
fn app_armor_by_field() {
    let id = "appArmorProfile";
    let context = |kind: &str| json!({ "appArmorProfile": { "type": kind } });
    let good = [("a", context("Localhost")), ("b", context("RuntimeDefault")), ("c", json!({}))];
    allows(id, 0, &pod(json!({ "securityContext": context("RuntimeDefault") }), &good));
    let bad = pod(json!({ "securityContext": context("Unconfined") }), &[("a", context("Unconfined"))]);
    let detail = r#"pod and container "a" must not set AppArmor profile type to "Unconfined""#;
    forbids(id, 0, &bad, "forbidden AppArmor profile", detail);
    let detail = r#"containers "a", "b" must not set AppArmor profile type to "", "Unconfined""#;
    let two = pod(json!({}), &[("a", context("Unconfined")), ("b", context(""))]);
    forbids(id, 35, &two, "forbidden AppArmor profiles", detail);
}

#[test]
fn app_armor_by_annotation() {
    let id = "appArmorProfile";
    let with = |annotations: Value| json!({ "metadata": { "annotations": annotations }, "spec": {} });
    let key = |name: &str| format!("container.apparmor.security.beta.kubernetes.io/{name}");
    allows(
        id,
        0,
        &with(json!({
            key("a"): "runtime/default", key("b"): "localhost/x", key("c"): "", "other": "unconfined",
        })),
    );
    let detail = "annotation must not set AppArmor profile type to \
                  \"container.apparmor.security.beta.kubernetes.io/a=\"unconfined\"\"";
    forbids(id, 0, &with(json!({ key("a"): "unconfined" })), "forbidden AppArmor profile", detail);
    let mut both = with(json!({ key("b"): "x", key("a"): "unconfined" }));
    both["spec"]["securityContext"] = json!({ "appArmorProfile": { "type": "Unconfined" } });
    let detail = "pod and annotations must not set AppArmor profile type to \"Unconfined\", \
                  \"container.apparmor.security.beta.kubernetes.io/a=\"unconfined\"\", \
                  \"container.apparmor.security.beta.kubernetes.io/b=\"x\"\"";
    forbids(id, 0, &both, "forbidden AppArmor profiles", detail);
}

#[test]
fn proc_mounts() {
    let context = |kind: &str| json!({ "procMount": kind });
    let spec = |own: bool| json!({ "hostUsers": !own });
    let good = [("a", context("Default")), ("b", json!({}))];
    let bad = [("a", context("Unmasked")), ("b", context("Other")), ("c", json!({}))];
    let detail = r#"containers "a", "b" must not set securityContext.procMount to "Other", "Unmasked""#;
    for (id, minor) in [("procMount", 0), ("procMount", 35), ("procMount_restricted", 35)] {
        allows(id, minor, &pod(json!({}), &good));
        forbids(id, minor, &pod(spec(false), &bad), "procMount", detail);
    }
    // Whose users are its own sees its own processes only; not so before 1.35, and never where it is restricted.
    allows("procMount", 35, &pod(spec(true), &bad));
    forbids("procMount", 34, &pod(spec(true), &bad), "procMount", detail);
    forbids("procMount_restricted", 35, &pod(spec(true), &bad), "procMount", detail);
}

#[test]
fn selinux_options() {
    let id = "seLinuxOptions";
    let context = |options: Value| json!({ "seLinuxOptions": options });
    let kind = |kind: &str| context(json!({ "type": kind, "level": "s0" }));
    let good = [("a", kind("container_t")), ("b", kind("container_init_t")), ("c", kind("container_kvm_t"))];
    allows(id, 0, &pod(json!({ "securityContext": kind("") }), &good));
    let engine = pod(json!({ "securityContext": kind("container_engine_t") }), &good);
    allows(id, 31, &engine);
    let set = "set forbidden securityContext.seLinuxOptions:";
    forbids(id, 30, &engine, id, &format!(r#"pod {set} type "container_engine_t""#));
    let mut all =
        vec![("d", kind("bar")), ("e", context(json!({ "user": "u" }))), ("f", context(json!({ "role": "r" })))];
    let told = format!(r#"containers "d", "e", "f" {set} type "bar"; user may not be set; role may not be set"#);
    forbids(id, 0, &pod(json!({}), &all), id, &told);
    all.extend(good);
    let told = format!(
        r#"pod and containers "d", "e", "f" {set} types "bar", "foo"; user may not be set; role may not be set"#
    );
    forbids(id, 35, &pod(json!({ "securityContext": kind("foo") }), &all), id, &told);
    let user = pod(json!({ "securityContext": context(json!({ "user": "u" })) }), &[]);
    forbids(id, 0, &user, id, &format!("pod {set} user may not be set"));
}

#[test]
fn seccomp_annotations_before_the_field() {
    let (id, reason) = ("seccompProfile_baseline", "seccompProfile");
    let of_pod = "seccomp.security.alpha.kubernetes.io/pod";
    let of = |name: &str| format!("container.seccomp.security.alpha.kubernetes.io/{name}");
    let with = |annotations: Value| {
        let mut pod = pod(json!({}), &[("a", json!({})), ("b", json!({}))]);
        pod["metadata"]["annotations"] = annotations;
        pod
    };
    // Nobody looks at those of containers that are not there, nor at any since there is a field.
    allows(
        id,
        0,
        &with(json!({
            of_pod: "runtime/default", of("a"): "localhost/x", of("b"): "docker/default", of("none"): "unconfined",
        })),
    );
    let bad = with(json!({ of_pod: "unconfined", of("a"): "" }));
    allows(id, 19, &bad);
    let detail = "forbidden annotations container.seccomp.security.alpha.kubernetes.io/a=\"\", \
                  seccomp.security.alpha.kubernetes.io/pod=\"unconfined\"";
    forbids(id, 18, &bad, reason, detail);
    let detail = r#"forbidden annotation container.seccomp.security.alpha.kubernetes.io/b="unconfined""#;
    forbids(id, 0, &with(json!({ of("b"): "unconfined" })), reason, detail);
}

#[test]
fn seccomp_profiles() {
    let (id, reason) = ("seccompProfile_baseline", "seccompProfile");
    let context = |kind: &str| json!({ "seccompProfile": { "type": kind } });
    let good = [("a", context("Localhost")), ("b", context("RuntimeDefault")), ("c", json!({}))];
    allows(id, 19, &pod(json!({}), &good));
    let must = "must not set securityContext.seccompProfile.type to";
    let bad = [("a", context("Unconfined")), ("b", context("RuntimeDefault")), ("c", context("Other"))];
    let both = pod(json!({ "securityContext": context("Unconfined") }), &bad);
    forbids(id, 35, &both, reason, &format!(r#"pod and containers "a", "c" {must} "Other", "Unconfined""#));
    let of_pod = pod(json!({ "securityContext": context("Unconfined") }), &good);
    forbids(id, 19, &of_pod, reason, &format!(r#"pod {must} "Unconfined""#));
}

#[test]
fn sysctls() {
    let (id, reason) = ("sysctls", "forbidden sysctls");
    let with = |names: &[&str]| {
        let sysctls: Value = names.iter().map(|name| json!({ "name": name, "value": "1" })).collect();
        pod(json!({ "securityContext": { "sysctls": sysctls } }), &[])
    };
    allows(id, 0, &with(&[]));
    forbids(id, 35, &with(&["b", "net.ipv4.tcp_rmem", "a"]), reason, "b, a");
    let since: [(u64, &[&str]); 4] = [
        (
            0,
            &[
                "kernel.shm_rmid_forced",
                "net.ipv4.ip_local_port_range",
                "net.ipv4.tcp_syncookies",
                "net.ipv4.ping_group_range",
                "net.ipv4.ip_unprivileged_port_start",
            ],
        ),
        (27, &["net.ipv4.ip_local_reserved_ports"]),
        (
            29,
            &[
                "net.ipv4.tcp_keepalive_time",
                "net.ipv4.tcp_fin_timeout",
                "net.ipv4.tcp_keepalive_intvl",
                "net.ipv4.tcp_keepalive_probes",
            ],
        ),
        (32, &["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]),
    ];
    for (minor, names) in since {
        allows(id, minor, &with(names));
        for name in names.iter().filter(|_| minor > 0) {
            forbids(id, minor - 1, &with(&[name]), reason, name);
        }
    }
}
