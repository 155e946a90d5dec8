//! Who containers run as (restricted).

use serde_json::Value;

use super::{Pod, Violation, containers_named, culprits};

const NOT_ENSURED: &str = "runAsNonRoot != true";

/// `check_runAsNonRoot.go`
pub(super) fn non_root(pod: Pod<'_>) -> Option<Violation> {
    let flag = |owner: &Value| owner["securityContext"]["runAsNonRoot"].as_bool();
    let of_pod = flag(pod.spec);
    let refusing = pod.containers_where(|container| flag(container) == Some(false));
    if let Some(who) = culprits(of_pod == Some(false), &refusing) {
        return Some(Violation::new(NOT_ENSURED, format!("{who} must not set securityContext.runAsNonRoot=false")));
    }
    let silent = pod.containers_where(|container| flag(container).is_none() && of_pod != Some(true));
    (!silent.is_empty()).then(|| {
        let detail = format!("pod or {} must set securityContext.runAsNonRoot=true", containers_named(&silent));
        Violation::new(NOT_ENSURED, detail)
    })
}

/// `check_runAsUser.go`
pub(super) fn user(pod: Pod<'_>) -> Option<Violation> {
    let is_root = |owner: &Value| owner["securityContext"]["runAsUser"] == 0;
    let who = culprits(is_root(pod.spec), &pod.containers_where(is_root))?;
    Some(Violation::new("runAsUser=0", format!("{who} must not set runAsUser=0")))
}
