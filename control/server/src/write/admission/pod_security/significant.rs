//! Which changes of a pod the standards have anything to say about: only what can change after its creation.

use coracle_api::meta;
use serde_json::Value;

/// How seccomp profiles of containers were given before v1.19.
const SECCOMP: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Whether the pod has to be looked at again: other containers, another image, a new debug container.
pub(super) fn is_significant(new: &Value, old: &Value) -> bool {
    ["containers", "initContainers"].into_iter().any(|list| {
        let (now, before) = (list_of(new, list), list_of(old, list));
        now.len() != before.len() || now.iter().zip(before).any(|(now, before)| differs((new, now), (old, before)))
    }) || list_of(new, "ephemeralContainers").iter().any(|now| {
        let before = list_of(old, "ephemeralContainers").iter().find(|before| before["name"] == now["name"]);
        before.is_none_or(|before| differs((new, now), (old, before)))
    })
}

fn list_of<'a>(pod: &'a Value, list: &str) -> &'a [Value] {
    pod["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Whether a container has another image or, by its pod's annotations, another profile.
fn differs((new, now): (&Value, &Value), (old, before): (&Value, &Value)) -> bool {
    let text = |container: &Value, field: &str| container[field].as_str().unwrap_or_default().to_string();
    let key = format!("{SECCOMP}{}", text(now, "name"));
    let profile = |pod: &Value| meta::annotations(pod).get(key.as_str()).copied().unwrap_or_default().to_string();
    text(now, "image") != text(before, "image") || profile(new) != profile(old)
}
