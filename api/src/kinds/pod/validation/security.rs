//! Security contexts of pods and containers, and which of their fields an operating system has.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext};
use serde_json::Value;

use super::valid_id;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{boolean, has, json, list};

const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const SYSCTL_LIMIT_BYTES: usize = 253;
const SYSCTL: &str = "must have at most 253 characters and match regex \
     ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// The context of a pod.
pub(super) fn of_pod(errors: &mut Errors, context: &PodSecurityContext, spec: &PodSpec, path: &Path) {
    for (field, id) in
        [("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group), ("fsGroup", context.fs_group)]
    {
        valid_id(errors, &path.child(field), id);
    }
    let groups = path.child("supplementalGroups");
    for (index, group) in context.supplemental_groups.iter().flatten().enumerate() {
        valid_id(errors, &groups.index(index), Some(*group));
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(&path.child("shareProcessNamespace"), &true, detail);
    }
    let policy = context.fs_group_change_policy.as_deref();
    errors.one_of_if_set(&path.child("fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]);
    let policy = context.supplemental_groups_policy.as_deref();
    errors.one_of_if_set(&path.child("supplementalGroupsPolicy"), policy, &["Merge", "Strict"]);
    let policy = context.se_linux_change_policy.as_deref();
    errors.one_of_if_set(&path.child("seLinuxChangePolicy"), policy, &["MountOption", "Recursive"]);
    sysctls(errors, context, &path.child("sysctls"));
    seccomp(errors, context.seccomp_profile.as_ref(), &path.child("seccompProfile"));
    app_armor(errors, context.app_armor_profile.as_ref(), &path.child("appArmorProfile"));
}

fn sysctls(errors: &mut Errors, context: &PodSecurityContext, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, sysctl) in context.sysctls.iter().flatten().enumerate() {
        let path = path.index(index).child("name");
        if sysctl.name.is_empty() {
            errors.required(&path, "");
        } else if !is_sysctl(&sysctl.name) {
            errors.invalid(&path, &sysctl.name, SYSCTL);
        } else if !seen.insert(sysctl.name.replace('/', ".")) {
            errors.duplicate(&path, &sysctl.name);
        }
    }
}

fn is_sysctl(name: &str) -> bool {
    let outer = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        matches!((bytes.first(), bytes.last()), (Some(&a), Some(&z)) if outer(a) && outer(z))
            && bytes.iter().all(|b| outer(*b) || matches!(b, b'-' | b'_'))
    };
    name.len() <= SYSCTL_LIMIT_BYTES && name.split(['.', '/']).all(is_part)
}

/// The context of a container.
pub(super) fn of_container(errors: &mut Errors, context: &SecurityContext, path: &Path) {
    valid_id(errors, &path.child("runAsUser"), context.run_as_user);
    valid_id(errors, &path.child("runAsGroup"), context.run_as_group);
    errors.one_of_if_set(&path.child("procMount"), context.proc_mount.as_deref(), &["Default", "Unmasked"]);
    seccomp(errors, context.seccomp_profile.as_ref(), &path.child("seccompProfile"));
    app_armor(errors, context.app_armor_profile.as_ref(), &path.child("appArmorProfile"));
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid(path, context, detail);
        }
        let added = context.capabilities.iter().flat_map(|c| c.add.iter().flatten());
        if added.into_iter().any(|capability| capability == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.invalid(path, context, detail);
        }
    }
}

fn seccomp(errors: &mut Errors, profile: Option<&SeccompProfile>, path: &Path) {
    let Some(profile) = profile else { return };
    self::profile(errors, &profile.type_, profile.localhost_profile.as_ref(), "seccomp", "seccompProfile", path);
}

fn app_armor(errors: &mut Errors, profile: Option<&AppArmorProfile>, path: &Path) {
    let Some(profile) = profile else { return };
    self::profile(errors, &profile.type_, profile.localhost_profile.as_ref(), "AppArmor", "appArmorProfile", path);
}

/// A profile of the node's own has a name, and only such a profile.
fn profile(errors: &mut Errors, kind: &str, local: Option<&String>, what: &str, field: &str, path: &Path) {
    match kind {
        "" => errors.required(&path.child("type"), &format!("type is required when {field} is set")),
        kind => errors.one_of_if_set(&path.child("type"), Some(kind), PROFILES),
    }
    let local_path = path.child("localhostProfile");
    match (kind == "Localhost", local) {
        (true, None) => errors.required(&local_path, &format!("must be set when {what} type is Localhost")),
        (false, Some(local)) => {
            let detail = format!("can only be set when {what} type is Localhost");
            errors.invalid(&local_path, local, &detail);
        }
        _ => {}
    }
}

const LINUX_OF_POD: &[&str] = &[
    "appArmorProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "runAsGroup",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "sysctls",
];
const LINUX_OF_CONTAINER: &[&str] = &[
    "allowPrivilegeEscalation",
    "appArmorProfile",
    "capabilities",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
];

/// What the pod's operating system does not have (KEP-2802).
pub(super) fn of_system(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let pod = json(spec);
    match spec.os.as_ref().map(|os| os.name.as_str()) {
        Some("windows") => windows(errors, &pod, path),
        Some("linux") => {
            let mut check = |context: Path, holder: &Value| {
                if has(holder, "securityContext.windowsOptions") {
                    let detail = "windows options cannot be set for a linux pod";
                    errors.forbidden(&context.child("windowsOptions"), detail);
                }
            };
            check(path.child("securityContext"), &pod);
            each_container(&pod, path, |container, path| check(path.child("securityContext"), container));
        }
        _ => {}
    }
}

fn windows(errors: &mut Errors, pod: &Value, path: &Path) {
    const NOT_THERE: &str = "cannot be set for a windows pod";
    let mut absent = |context: &Path, holder: &Value, fields: &[&str]| {
        for field in fields.iter().filter(|field| has(holder, field)) {
            errors.forbidden(&context.child(field), NOT_THERE);
        }
    };
    let empty = Value::Null;
    let context = |holder: &Value| holder.get("securityContext").unwrap_or(&empty).clone();
    absent(&path.child("securityContext"), &context(pod), LINUX_OF_POD);
    for field in ["hostPID", "hostIPC", "shareProcessNamespace"] {
        if boolean(pod, field) {
            absent(&path.child("securityContext"), pod, &[field]);
        }
    }
    each_container(pod, path, |container, path| {
        absent(&path.child("securityContext"), &context(container), LINUX_OF_CONTAINER);
    });
}

fn each_container(pod: &Value, path: &Path, mut visit: impl FnMut(&Value, Path)) {
    for key in ["containers", "initContainers", "ephemeralContainers"] {
        for (index, container) in list(pod, key).iter().enumerate() {
            visit(container, path.child(key).index(index));
        }
    }
}

/// A user namespace of its own does not go with the host's namespaces (KEP-127).
pub(super) fn host_users(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    if spec.host_users != Some(false) {
        return;
    }
    for (field, set) in [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)] {
        if set == Some(true) {
            errors.0.push(FieldError::forbidden(&path.child(field), "when `hostUsers` is false"));
        }
    }
}
