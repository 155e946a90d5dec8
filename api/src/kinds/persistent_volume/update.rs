//! What can change in a persistent volume.

use serde_json::{Map, Value, json};

use super::validation::SOURCES;
use crate::field::{FieldError, Path};
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{has, list, part, text};
use crate::kinds::pod::{compare, shown};

/// Labels of nodes that got new names when they left beta.
const RENAMED_LABELS: [(&str, &str); 5] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
];

/// Where a volume comes from stays as it is; its node affinity can be set once.
pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (spec, before) = (part(new, "spec"), part(old, "spec"));
    let origin = |spec: &Value| -> Value {
        let set = SOURCES.iter().filter(|source| has(spec, source));
        set.map(|source| ((*source).to_string(), spec[*source].clone())).collect::<Map<_, _>>().into()
    };
    let mut source = origin(&spec);
    // The secret for growing came later than the rest.
    if has(&source, "csi") && has(&before, "csi") && !has(&before, "csi.controllerExpandSecretRef") {
        source["csi"].as_object_mut().map(|csi| csi.remove("controllerExpandSecretRef"));
    }
    let mut differences = Vec::new();
    compare("spec", &source, &origin(&before), &mut differences);
    if !differences.is_empty() {
        let path = Path::root("spec").child("persistentvolumesource");
        let detail = format!("spec.persistentvolumesource is immutable after creation\n{}\n", shown(&differences));
        errors.forbidden(&path, &detail);
    }
    errors.fixed(&Path::empty(), &spec, &before, &["volumeMode"]);
    let (affinity, had) = (part(&spec, "nodeAffinity"), part(&before, "nodeAffinity"));
    if has(&before, "nodeAffinity") && !same(&affinity, &had) && !only_renamed(&affinity, &had) {
        let detail = "field is immutable, except for updating from beta label to GA";
        errors.invalid(&Path::root("nodeAffinity"), &affinity, detail);
    }
    if has(&before, "volumeAttributesClassName") && !has(&spec, "volumeAttributesClassName") {
        let path = Path::root("spec").child("volumeAttributesClassName");
        errors.forbidden(&path, "update from non-nil value to nil is forbidden");
    }
    errors.0
}

/// Whether nothing changed but names of labels, from those in beta to those that are stable.
fn only_renamed(new: &Value, old: &Value) -> bool {
    let mut renamed = old.clone();
    let terms = |affinity: &Value| list(affinity, "required.nodeSelectorTerms").to_vec();
    for (index, term) in terms(old).iter().enumerate() {
        for (at, requirement) in list(term, "matchExpressions").iter().enumerate() {
            let pointer = format!("/required/nodeSelectorTerms/{index}/matchExpressions/{at}/key");
            let key = new.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
            if RENAMED_LABELS.contains(&(text(requirement, "key"), key))
                && let Some(place) = renamed.pointer_mut(&pointer)
            {
                *place = json!(key);
            }
        }
    }
    same(new, &renamed)
}
