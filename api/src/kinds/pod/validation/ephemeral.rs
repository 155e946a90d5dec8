//! Ephemeral containers: added to a pod that runs, for looking at it (KEP-277).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, PodSpec};
use serde::Deserialize;
use serde_json::Value;

use super::annotations::is_mirror;
use super::containers::{self, Surroundings};
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{json, list, text};
use crate::kinds::pod::update;

const NOT_ALLOWED: &str = "cannot be set for an Ephemeral Container";
/// What needs a place in the pod's lifecycle or resources, which such a container has not.
const FORBIDDEN: &[&str] = &[
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// `ephemeralContainers`
pub(super) fn validate(errors: &mut Errors, spec: &PodSpec, around: &Surroundings<'_>, path: &Path) {
    let others = spec.containers.iter().chain(spec.init_containers.iter().flatten()).map(|c| c.name.as_str());
    let others: BTreeSet<&str> = others.collect();
    let mut seen = others.clone();
    for (index, container) in spec.ephemeral_containers.iter().flatten().enumerate() {
        let path = path.index(index);
        let as_json = json(container);
        // Apart from its target, it is a container like others.
        if let Ok(plain) = Container::deserialize(&as_json) {
            containers::common(errors, &plain, around, &path);
            containers::trimmed_image(errors, &plain, &path);
        }
        if !seen.insert(&container.name) {
            errors.duplicate(&path.child("name"), &container.name);
        }
        target(errors, container, &others, &path);
        disallowed(errors, &as_json, &path);
    }
}

fn target(errors: &mut Errors, container: &EphemeralContainer, others: &BTreeSet<&str>, path: &Path) {
    let target = container.target_container_name.as_deref().unwrap_or_default();
    if !target.is_empty() && !others.contains(target) {
        errors.tell(|| FieldError::not_found(&path.child("targetContainerName"), &json(&target)));
    }
}

fn disallowed(errors: &mut Errors, container: &Value, path: &Path) {
    for field in FORBIDDEN {
        let is_set = match container.get(*field) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            // Defaulting makes an empty one.
            Some(Value::Object(map)) => !map.is_empty(),
            Some(_) => true,
        };
        if is_set {
            errors.forbidden(&path.child(field), NOT_ALLOWED);
        }
    }
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let path = path.child("volumeMounts").index(index);
        for field in ["subPath", "subPathExpr"] {
            if !text(mount, field).is_empty() {
                errors.forbidden(&path.child(field), NOT_ALLOWED);
            }
        }
    }
}

/// All errors in a write to the `ephemeralcontainers` of a pod: they can be added, and stay as they are.
pub fn validate_ephemeral_update(new: &Value, old: &Value) -> Vec<FieldError> {
    if is_mirror(old) {
        return vec![FieldError::forbidden(&Path::unnamed(), "static pods do not support ephemeral containers")];
    }
    let mut errors = Errors(super::validate(new));
    super::annotation_updates(&mut errors, new, old);
    let path = Path::root("spec").child("ephemeralContainers");
    // The first of a name counts.
    let kept = list(new, "spec.ephemeralContainers").iter().rev();
    let kept: BTreeMap<&str, &Value> = kept.map(|container| (text(container, "name"), container)).collect();
    for before in list(old, "spec.ephemeralContainers") {
        let name = text(before, "name");
        match kept.get(name) {
            None => errors.forbidden(&path, &format!("existing ephemeral containers {name:?} may not be removed\n")),
            Some(after) if !same(after, before) => {
                let difference = update::difference(before, after);
                let detail = format!("existing ephemeral containers {name:?} may not be changed\n{difference}");
                errors.forbidden(&path, &detail);
            }
            Some(_) => {}
        }
    }
    errors.0
}
