//! AppArmor profiles other than the runtime's own and those of the node (baseline).

use serde_json::Value;

use super::{Pod, Texts, Violation, containers_named, name, plural, quoted};

/// How profiles were given before there was a field.
const ANNOTATIONS: &str = "container.apparmor.security.beta.kubernetes.io/";

/// `check_appArmorProfile.go`
pub(super) fn profile(pod: Pod<'_>) -> Option<Violation> {
    let (mut who, mut types) = (Vec::new(), Texts::new());
    if let Some(bad) = bad_type(pod.spec) {
        who.push("pod".to_string());
        types.insert(bad);
    }
    let mut containers = Vec::new();
    for container in pod.containers() {
        if let Some(bad) = bad_type(container) {
            containers.push(name(container));
            types.insert(bad);
        }
    }
    if !containers.is_empty() {
        who.push(containers_named(&containers));
    }
    let mut annotations: Vec<String> = bad_annotations(pod);
    annotations.sort();
    if !annotations.is_empty() {
        who.push(plural(annotations.len(), "annotation", "annotations").to_string());
    }
    if who.is_empty() {
        return None;
    }
    let values: Vec<String> = types.into_iter().map(str::to_string).chain(annotations).collect();
    let reason = plural(values.len(), "forbidden AppArmor profile", "forbidden AppArmor profiles");
    let detail = format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted(values));
    Some(Violation::new(reason, detail))
}

/// The type of the profile in a security context, if it is none that everybody may have.
fn bad_type(owner: &Value) -> Option<&str> {
    let profile = owner["securityContext"].get("appArmorProfile").filter(|profile| profile.is_object())?;
    let kind = profile["type"].as_str().unwrap_or_default();
    (!matches!(kind, "RuntimeDefault" | "Localhost")).then_some(kind)
}

/// `KEY="VALUE"` of the annotations that ask for such a profile.
fn bad_annotations(pod: Pod<'_>) -> Vec<String> {
    let allowed = |value: &str| matches!(value, "" | "runtime/default") || value.starts_with("localhost/");
    let bad = pod.annotations().filter(|(key, value)| key.starts_with(ANNOTATIONS) && !allowed(value));
    bad.map(|(key, value)| format!("{key}={value:?}")).collect()
}
