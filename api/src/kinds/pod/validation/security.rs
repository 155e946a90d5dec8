//! Security contexts of pods and containers.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext};

use super::{valid_id, windows};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::pod::volume_sources::local_path;

const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
/// Longest path on Linux.
const PROFILE_LIMIT_BYTES: usize = 4095;
const SYSCTL_LIMIT_BYTES: usize = 253;
const SYSCTL: &str = "must have at most 253 characters and match regex \
     ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
/// Kernel parameters that belong to the namespace for inter-process communication.
const IPC: &[&str] = &["kernel.msg", "kernel.shm", "fs.mqueue."];

/// The context of a pod, and the namespaces that it shares.
pub(super) fn of_pod(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    if let Some(context) = &spec.security_context {
        pod_context(errors, context, spec, &path.child("securityContext"));
    }
    if spec.share_process_namespace == Some(true) && spec.host_pid == Some(true) {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(&path.child("shareProcessNamespace"), &true, detail);
    }
}

fn pod_context(errors: &mut Errors, context: &PodSecurityContext, spec: &PodSpec, path: &Path) {
    for (field, id) in
        [("fsGroup", context.fs_group), ("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)]
    {
        valid_id(errors, &path.child(field), id);
    }
    let groups = path.child("supplementalGroups");
    for (index, group) in context.supplemental_groups.iter().flatten().enumerate() {
        valid_id(errors, &groups.index(index), Some(*group));
    }
    sysctls(errors, context, spec, &path.child("sysctls"));
    let policy = context.fs_group_change_policy.as_deref();
    errors.one_of_if_set(&path.child("fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]);
    seccomp(errors, context.seccomp_profile.as_ref(), &path.child("seccompProfile"));
    windows::options(errors, context.windows_options.as_ref(), &path.child("windowsOptions"));
    app_armor(errors, context.app_armor_profile.as_ref(), &path.child("appArmorProfile"));
    let policy = context.supplemental_groups_policy.as_deref();
    errors.one_of_if_set(&path.child("supplementalGroupsPolicy"), policy, &["Merge", "Strict"]);
    let policy = context.se_linux_change_policy.as_deref();
    errors.one_of_if_set(&path.child("seLinuxChangePolicy"), policy, &["MountOption", "Recursive"]);
}

fn sysctls(errors: &mut Errors, context: &PodSecurityContext, spec: &PodSpec, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, sysctl) in context.sysctls.iter().flatten().enumerate() {
        let path = path.index(index).child("name");
        if sysctl.name.is_empty() {
            errors.required(&path, "");
        } else if !is_sysctl(&sysctl.name) {
            errors.invalid(&path, &sysctl.name, SYSCTL);
        } else if seen.contains(&sysctl.name) {
            errors.duplicate(&path, &sysctl.name);
        }
        let dotted = with_dots(&sysctl.name);
        if spec.host_network == Some(true) && dotted.starts_with("net.") {
            errors.invalid(&path, &sysctl.name, "may not be specified when 'hostNetwork' is true");
        } else if spec.host_ipc == Some(true) && (dotted == "kernel.sem" || IPC.iter().any(|p| dotted.starts_with(p))) {
            errors.invalid(&path, &sysctl.name, "may not be specified when 'hostIPC' is true");
        }
        seen.insert(&sysctl.name);
    }
}

/// A name whose first separator is a slash has slashes for dots, and dots for slashes.
fn with_dots(name: &str) -> String {
    if name.find(['.', '/']).is_none_or(|at| name.as_bytes()[at] == b'.') {
        return name.to_string();
    }
    let swapped = name.chars().map(|c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    });
    swapped.collect()
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

/// The context of a container, in a pod whose users are the host's or not.
pub(super) fn of_container(errors: &mut Errors, context: &SecurityContext, host_users: bool, path: &Path) {
    valid_id(errors, &path.child("runAsUser"), context.run_as_user);
    valid_id(errors, &path.child("runAsGroup"), context.run_as_group);
    let proc_mount = context.proc_mount.as_deref();
    errors.one_of_if_set(&path.child("procMount"), proc_mount, &["Default", "Unmasked"]);
    if host_users && proc_mount == Some("Unmasked") {
        let detail = "`hostUsers` must be false to use `Unmasked`";
        errors.invalid(&path.child("procMount"), &proc_mount, detail);
    }
    seccomp(errors, context.seccomp_profile.as_ref(), &path.child("seccompProfile"));
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid(path, context, detail);
        }
        let added = context.capabilities.iter().flat_map(|c| c.add.iter().flatten());
        for _ in added.into_iter().filter(|capability| *capability == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.invalid(path, context, detail);
        }
    }
    windows::options(errors, context.windows_options.as_ref(), &path.child("windowsOptions"));
    app_armor(errors, context.app_armor_profile.as_ref(), &path.child("appArmorProfile"));
}

fn seccomp(errors: &mut Errors, profile: Option<&SeccompProfile>, path: &Path) {
    let Some(profile) = profile else { return };
    match profile.type_.as_str() {
        "" => errors.required(&path.child("type"), "type is required when seccompProfile is set"),
        kind => errors.one_of_if_set(&path.child("type"), Some(kind), PROFILES),
    }
    let path = path.child("localhostProfile");
    match (profile.type_ == "Localhost", profile.localhost_profile.as_deref()) {
        (true, None) => errors.required(&path, "must be set when seccomp type is Localhost"),
        (true, Some(file)) => local_path(errors, &path, file),
        (false, Some(_)) => errors.invalid(&path, profile, "can only be set when seccomp type is Localhost"),
        (false, None) => {}
    }
}

fn app_armor(errors: &mut Errors, profile: Option<&AppArmorProfile>, path: &Path) {
    let Some(profile) = profile else { return };
    let (file_path, file) = (path.child("localhostProfile"), profile.localhost_profile.as_deref());
    const MISSING: &str = "must be set when AppArmor type is Localhost";
    match (profile.type_.as_str(), file) {
        ("", _) => errors.required(&path.child("type"), "type is required when appArmorProfile is set"),
        ("Localhost", None) => errors.required(&file_path, MISSING),
        ("Localhost", Some(file)) => {
            if file.trim() != file {
                errors.invalid(&file_path, &file, "must not be padded with whitespace");
            } else if file.is_empty() {
                errors.required(&file_path, MISSING);
            }
            if file.len() > PROFILE_LIMIT_BYTES {
                errors.0.push(FieldError::too_long(&file_path, PROFILE_LIMIT_BYTES));
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(file)) => {
            errors.invalid(&file_path, &file, "can only be set when AppArmor type is Localhost");
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        (other, _) => errors.not_supported(&path.child("type"), other, PROFILES),
    }
}
