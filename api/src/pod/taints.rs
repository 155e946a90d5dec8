//! Taints of nodes against tolerations of pods.

use k8s_openapi::api::core::v1::{Taint, Toleration};

/// Whether the toleration covers the taint.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let unset_or = |field: &Option<String>, value: &str| field.as_deref().is_none_or(|f| f.is_empty() || f == value);
    if !unset_or(&toleration.effect, &taint.effect) || !unset_or(&toleration.key, &taint.key) {
        return false;
    }
    match toleration.operator.as_deref().unwrap_or_default() {
        "" | "Equal" => toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default(),
        "Exists" => true,
        _ => false,
    }
}

/// The first taint with one of these effects that no toleration covers.
pub fn untolerated<'t>(taints: &'t [Taint], tolerations: &[Toleration], effects: &[&str]) -> Option<&'t Taint> {
    let relevant = |taint: &&Taint| effects.contains(&taint.effect.as_str());
    taints.iter().filter(relevant).find(|taint| !tolerations.iter().any(|t| tolerates(t, taint)))
}
