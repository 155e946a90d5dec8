//! What a pod's operating system has not (KEP-2802), and what a user namespace of its own does not go with (KEP-127).

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{boolean, has, json, list};

const NOT_THERE: &str = "cannot be set for a windows pod";
const LINUX_OF_POD: &[&str] = &[
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];
const LINUX_OF_CONTAINER: &[&str] = &[
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// `os`, and the fields that another system has.
pub(super) fn validate(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let Some(os) = &spec.os else { return };
    let pod = json(spec);
    match os.name.as_str() {
        "" => errors.required(&path.child("os").child("name"), "cannot be empty"),
        "windows" => windows(errors, &pod, path),
        "linux" => {
            let mut check = |context: Path, holder: &Value| {
                if has(holder, "securityContext.windowsOptions") {
                    let detail = "windows options cannot be set for a linux pod";
                    errors.forbidden(&context.child("windowsOptions"), detail);
                }
            };
            check(path.child("securityContext"), &pod);
            each_container(&pod, path, |container, path| check(path.child("securityContext"), container));
        }
        other => errors.not_supported(&path.child("os"), other, &["linux", "windows"]),
    }
}

fn windows(errors: &mut Errors, pod: &Value, path: &Path) {
    absent(errors, pod, LINUX_OF_POD, path);
    for field in ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"] {
        let set = if matches!(field, "hostPID" | "hostIPC") { boolean(pod, field) } else { has(pod, field) };
        if set {
            errors.forbidden(&path.child(field), NOT_THERE);
        }
    }
    each_container(pod, path, |container, path| absent(errors, container, LINUX_OF_CONTAINER, &path));
}

/// The security context has none of these fields.
fn absent(errors: &mut Errors, holder: &Value, fields: &[&str], path: &Path) {
    for field in fields.iter().filter(|field| has(holder, &format!("securityContext.{field}"))) {
        errors.forbidden(&path.child("securityContext").child(field), NOT_THERE);
    }
}

/// All containers in the order in which Kubernetes visits them.
pub(super) fn each_container(pod: &Value, path: &Path, mut visit: impl FnMut(&Value, Path)) {
    for key in ["initContainers", "containers", "ephemeralContainers"] {
        for (index, container) in list(pod, key).iter().enumerate() {
            visit(container, path.child(key).index(index));
        }
    }
}

/// A user namespace of its own does not go with the host's namespaces.
pub(super) fn host_users(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    const DETAIL: &str = "when `hostUsers` is false";
    if spec.host_users != Some(false) {
        return;
    }
    for (field, set) in [("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)] {
        if set == Some(true) {
            errors.forbidden(&path.child(field), DETAIL);
        }
    }
    each_container(&json(spec), path, |container, path| {
        if !list(container, "volumeDevices").is_empty() {
            errors.forbidden(&path.child("volumeDevices"), DETAIL);
        }
    });
}
