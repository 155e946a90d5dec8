//! Seccomp profiles: which system calls a container may make.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Pod, Texts, Violation, containers_named, culprits, name, plural, quoted};

/// How profiles were given before v1.19.
const OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

const REASON: &str = "seccompProfile";

/// `check_seccompProfile_baseline.go` up to v1.18
pub(super) fn annotations(pod: Pod<'_>) -> Option<Violation> {
    let of_containers: BTreeSet<String> = pod.containers().map(|c| format!("{OF_CONTAINER}{}", name(c))).collect();
    let allowed =
        |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let bad = pod.annotations().filter(|(key, _)| *key == OF_POD || of_containers.contains(*key));
    let bad = bad.filter(|(_, value)| !allowed(value)).map(|(key, value)| format!("{key}={value:?}"));
    let bad: BTreeSet<String> = bad.collect();
    (!bad.is_empty()).then(|| {
        let noun = plural(bad.len(), "annotation", "annotations");
        let bad = bad.into_iter().collect::<Vec<_>>().join(", ");
        Violation::new(REASON, format!("forbidden {noun} {bad}"))
    })
}

/// `check_seccompProfile_baseline.go` since v1.19
pub(super) fn baseline(pod: Pod<'_>) -> Option<Violation> {
    let of_pod = Profile::of(pod.spec).bad();
    let containers = pod.containers_where(|container| Profile::of(container).bad().is_some());
    let types: Texts<'_> = pod.containers().filter_map(|c| Profile::of(c).bad()).chain(of_pod).collect();
    let who = culprits(of_pod.is_some(), &containers)?;
    let detail = format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(types));
    Some(Violation::new(REASON, detail))
}

/// `check_seccompProfile_restricted.go`
pub(super) fn restricted(pod: Pod<'_>) -> Option<Violation> {
    if let Some(violation) = baseline(pod) {
        return Some(violation);
    }
    let none = |owner: &Value| matches!(Profile::of(owner), Profile::None);
    let silent = pod.containers_where(|container| none(container) && none(pod.spec));
    (!silent.is_empty()).then(|| {
        let detail = format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            containers_named(&silent)
        );
        Violation::new(REASON, detail)
    })
}

/// What a security context says.
enum Profile<'a> {
    None,
    Good,
    /// Of a type that lets everything pass.
    Bad(&'a str),
}

impl<'a> Profile<'a> {
    fn of(owner: &'a Value) -> Self {
        let profile = &owner["securityContext"]["seccompProfile"];
        match profile["type"].as_str().unwrap_or_default() {
            _ if !profile.is_object() => Self::None,
            "RuntimeDefault" | "Localhost" => Self::Good,
            kind => Self::Bad(kind),
        }
    }

    fn bad(self) -> Option<&'a str> {
        if let Self::Bad(kind) = self { Some(kind) } else { None }
    }
}
