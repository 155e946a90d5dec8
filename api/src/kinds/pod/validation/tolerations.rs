//! Tolerations of taints.

use k8s_openapi::api::core::v1::Toleration;
use serde::Deserialize;
use serde_json::Value;

use super::placement::EFFECTS;
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::names;

/// Comparing numbers is still an experiment of Kubernetes' (KEP-5471), and its error text says otherwise.
const WITH_NUMBERS: &[&str] = &["Equal", "Exists", "Lt", "Gt"];
const EMPTY_KEY: &str = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";

/// `tolerations`
pub(in crate::kinds::pod) fn validate(errors: &mut Errors, tolerations: &[Toleration], path: &Path) {
    for (index, toleration) in tolerations.iter().enumerate() {
        one(errors, toleration, &path.index(index));
    }
}

/// A list of tolerations held as JSON.
pub(in crate::kinds) fn of_json(errors: &mut Errors, list: &Value, path: &Path) {
    match Option::<Vec<Toleration>>::deserialize(list) {
        Ok(tolerations) => validate(errors, tolerations.as_deref().unwrap_or_default(), path),
        Err(error) => errors.invalid(path, list, &error.to_string()),
    }
}

fn one(errors: &mut Errors, toleration: &Toleration, path: &Path) {
    let part = |field: &Option<String>| field.clone().unwrap_or_default();
    let (key, operator) = (part(&toleration.key), part(&toleration.operator));
    let (value, effect) = (part(&toleration.value), part(&toleration.effect));
    let operator_path = path.child("operator");
    if !key.is_empty() {
        errors.named(&path.child("key"), &key, names::qualified_name);
    } else if operator != "Exists" {
        errors.invalid(&operator_path, &operator, EMPTY_KEY);
    }
    if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.invalid(&path.child("effect"), &effect, detail);
    }
    match operator.as_str() {
        "" | "Equal" => {
            let details = names::label_value(&value);
            if !details.is_empty() {
                errors.invalid(&operator_path, &value, &details.join(";"));
            }
        }
        "Exists" if value.is_empty() => {}
        "Exists" => errors.invalid(&operator_path, &value, "value must be empty when `operator` is 'Exists'"),
        "Lt" | "Gt" => errors.not_supported(&operator_path, &operator, WITH_NUMBERS),
        _ => errors.not_supported(&operator_path, &operator, &["Equal", "Exists"]),
    }
    errors.one_of_if_set(&path.child("effect"), Some(effect.as_str()).filter(|e| !e.is_empty()), EFFECTS);
}
