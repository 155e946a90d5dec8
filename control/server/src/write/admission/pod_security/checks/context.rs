//! Single fields of security contexts: privilege, `/proc`, SELinux, sysctls.

use serde_json::Value;

use super::{Pod, Texts, Violation, containers_named, culprits, name, plural, quoted};
use crate::value::items;

/// `check_privileged.go`
pub(super) fn privileged(pod: Pod<'_>) -> Option<Violation> {
    let names = pod.containers_where(|container| container["securityContext"]["privileged"] == true);
    (!names.is_empty()).then(|| {
        let detail = format!("{} must not set securityContext.privileged=true", containers_named(&names));
        Violation::new("privileged", detail)
    })
}

/// `check_allowPrivilegeEscalation.go`
pub(super) fn escalation(pod: Pod<'_>) -> Option<Violation> {
    let names = pod.containers_where(|container| container["securityContext"]["allowPrivilegeEscalation"] != false);
    (!names.is_empty()).then(|| {
        let detail = format!("{} must set securityContext.allowPrivilegeEscalation=false", containers_named(&names));
        Violation::new("allowPrivilegeEscalation != false", detail)
    })
}

/// `check_procMount_restricted.go`, and `check_procMount_baseline.go` up to v1.34
pub(super) fn proc_mount(pod: Pod<'_>) -> Option<Violation> {
    let (mut containers, mut kinds) = (Vec::new(), Texts::new());
    for container in pod.containers() {
        if let Some(kind) = container["securityContext"]["procMount"].as_str().filter(|kind| *kind != "Default") {
            containers.push(name(container));
            kinds.insert(kind);
        }
    }
    (!containers.is_empty()).then(|| {
        let who = containers_named(&containers);
        let detail = format!("{who} must not set securityContext.procMount to {}", quoted(kinds));
        Violation::new("procMount", detail)
    })
}

/// `check_procMount_baseline.go` since v1.35: a pod with users of its own sees nothing of others in `/proc`.
pub(super) fn proc_mount_of_host_users(pod: Pod<'_>) -> Option<Violation> {
    if pod.has_own_users() { None } else { proc_mount(pod) }
}

/// `check_seLinuxOptions.go` up to v1.30
pub(super) fn selinux(pod: Pod<'_>) -> Option<Violation> {
    selinux_beyond(pod, &["", "container_t", "container_init_t", "container_kvm_t"])
}

/// `check_seLinuxOptions.go` since v1.31
pub(super) fn selinux_since_31(pod: Pod<'_>) -> Option<Violation> {
    selinux_beyond(pod, &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
}

/// The SELinux options that somebody may not set.
#[derive(Default)]
struct BadOptions<'a> {
    types: Texts<'a>,
    user: bool,
    role: bool,
}

impl<'a> BadOptions<'a> {
    /// Adds those of a security context's owner, and says whether there are any.
    fn add(&mut self, owner: &'a Value, types: &[&str]) -> bool {
        let options = &owner["securityContext"]["seLinuxOptions"];
        let text = |field: &str| options[field].as_str().unwrap_or_default();
        let (kind, user, role) = (text("type"), !text("user").is_empty(), !text("role").is_empty());
        let bad_type = !types.contains(&kind);
        if bad_type {
            self.types.insert(kind);
        }
        self.user |= user;
        self.role |= role;
        bad_type || user || role
    }

    fn text(&self) -> String {
        let count = self.types.len();
        let types = (count > 0).then(|| format!("{} {}", plural(count, "type", "types"), quoted(&self.types)));
        let user = self.user.then(|| "user may not be set".to_string());
        let role = self.role.then(|| "role may not be set".to_string());
        [types, user, role].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

fn selinux_beyond(pod: Pod<'_>, types: &[&str]) -> Option<Violation> {
    let mut bad = BadOptions::default();
    let of_pod = bad.add(pod.spec, types);
    let mut containers = Vec::new();
    for container in pod.containers() {
        if bad.add(container, types) {
            containers.push(name(container));
        }
    }
    let who = culprits(of_pod, &containers)?;
    let detail = format!("{who} set forbidden securityContext.seLinuxOptions: {}", bad.text());
    Some(Violation::new("seLinuxOptions", detail))
}

/// The sysctls that concern a pod and nobody else, in the order in which they became safe.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// `check_sysctls.go` up to v1.26
pub(super) fn sysctls(pod: Pod<'_>) -> Option<Violation> {
    sysctls_beyond(pod, 5)
}

/// `check_sysctls.go` since v1.27
pub(super) fn sysctls_since_27(pod: Pod<'_>) -> Option<Violation> {
    sysctls_beyond(pod, 6)
}

/// `check_sysctls.go` since v1.29
pub(super) fn sysctls_since_29(pod: Pod<'_>) -> Option<Violation> {
    sysctls_beyond(pod, 10)
}

/// `check_sysctls.go` since v1.32
pub(super) fn sysctls_since_32(pod: Pod<'_>) -> Option<Violation> {
    sysctls_beyond(pod, 12)
}

/// All but the first `safe` ones are forbidden.
fn sysctls_beyond(pod: Pod<'_>, safe: usize) -> Option<Violation> {
    let set = items(&pod.spec["securityContext"]["sysctls"]).map(name);
    let bad: Vec<&str> = set.filter(|set| !SAFE_SYSCTLS.iter().take(safe).any(|known| known == set)).collect();
    (!bad.is_empty()).then(|| Violation::new("forbidden sysctls", bad.join(", ")))
}
