//! Rules of reviews: questions about who somebody is and what they may do. They are answered and never stored.

use serde_json::{Map, Value};

use super::check::Errors;
use super::json::{has, list, object, part, sections, text, texts};
use crate::catalog::Rules;
use crate::field::{FieldError, Path};
use crate::{meta, names};

/// `SelfSubjectReview`, `TokenReview` and `SelfSubjectRulesReview`, whose questions have no wrong form.
pub static PLAIN: Rules = Rules { defaults, prepare_create: forget_status, ..Rules::GENERIC };

/// `SelfSubjectAccessReview`
pub static SELF_ACCESS: Rules = Rules { validate: |review| access(review, false, false).0, ..PLAIN };

/// `SubjectAccessReview`
pub static ACCESS: Rules = Rules { validate: |review| access(review, true, false).0, ..PLAIN };

/// `LocalSubjectAccessReview`
pub static LOCAL_ACCESS: Rules = Rules { validate: local_access, ..PLAIN };

fn defaults(review: &mut Value) {
    // Who asks who he is says nothing else.
    if text(review, "kind") != "SelfSubjectReview" {
        sections(review, &["spec"]);
    }
    let _ = object(review, "status");
}

/// An answer is not for the asker to give.
fn forget_status(review: &mut Value) {
    review["status"] = Value::Object(Map::new());
}

/// Checks one requirement of a selector.
type Requirement = fn(&mut Errors, &Value, &Path);

/// A question has no metadata but these.
fn about_itself(review: &Value, allowed: &[&str]) -> bool {
    let fields = review.get("metadata").and_then(Value::as_object).into_iter().flatten();
    fields
        .filter(|(_, value)| !value.is_null() && value.as_str() != Some(""))
        .all(|(field, _)| field == "managedFields" || allowed.contains(&field.as_str()))
}

/// A selector that the right is limited to (KEP-4601), parsed or as text.
fn selector(errors: &mut Errors, selector: &Value, rule: Requirement, path: &Path) {
    let (raw, requirements) = (text(selector, "rawSelector"), list(selector, "requirements"));
    if !raw.is_empty() && !requirements.is_empty() {
        errors.invalid(&path.child("rawSelector"), &raw, "may not specified at the same time as requirements");
    }
    if raw.is_empty() && requirements.is_empty() {
        let detail = format!("when {path} is specified, requirements or rawSelector is required");
        errors.required(&path.child("requirements"), &detail);
    }
    for (index, requirement) in requirements.iter().enumerate() {
        rule(errors, requirement, &path.child("requirements").index(index));
    }
}

fn operator_and_values(errors: &mut Errors, requirement: &Value, path: &Path) {
    let none = list(requirement, "values").is_empty();
    match text(requirement, "operator") {
        "In" | "NotIn" if none => {
            errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !none => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.forbidden(&path.child("values"), detail);
        }
        // Newer clients may know operators that are unknown here.
        _ => {}
    }
}

fn field_requirement(errors: &mut Errors, requirement: &Value, path: &Path) {
    operator_and_values(errors, requirement, path);
    if text(requirement, "key").is_empty() {
        errors.required(&path.child("key"), "must be specified");
    }
}

fn label_requirement(errors: &mut Errors, requirement: &Value, path: &Path) {
    operator_and_values(errors, requirement, path);
    errors.named(&path.child("key"), text(requirement, "key"), names::qualified_name);
    for (index, value) in texts(requirement, "values").into_iter().enumerate() {
        errors.named(&path.child("values").index(index), value, names::label_value);
    }
}

fn access(review: &Value, about_somebody: bool, local: bool) -> Errors {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(review, "spec"));
    match (has(&spec, "resourceAttributes"), has(&spec, "nonResourceAttributes")) {
        (true, true) => {
            let detail = "cannot be specified in combination with resourceAttributes";
            errors.invalid(&path.child("nonResourceAttributes"), &part(&spec, "nonResourceAttributes"), detail);
        }
        (false, false) => {
            let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.invalid(&path.child("resourceAttributes"), &Value::Null, detail);
        }
        _ => {}
    }
    let attributes = part(&spec, "resourceAttributes");
    for (field, rule) in [("fieldSelector", field_requirement as Requirement), ("labelSelector", label_requirement)] {
        if has(&attributes, field) {
            let path = path.child("resourceAttributes").child(field);
            selector(&mut errors, &part(&attributes, field), rule, &path);
        }
    }
    if about_somebody && text(&spec, "user").is_empty() && texts(&spec, "groups").is_empty() {
        errors.invalid(&path.child("user"), &"", "at least one of user or group must be specified");
    }
    if !about_itself(review, &["namespace"]) || (!local && !meta::namespace(review).is_empty()) {
        let detail = if local { "must be empty except for namespace" } else { "must be empty" };
        errors.invalid(&Path::root("metadata"), &part(review, "metadata"), detail);
    }
    errors
}

fn local_access(review: &Value) -> Vec<FieldError> {
    let mut errors = access(review, true, true);
    let path = Path::root("spec");
    let namespace = text(review, "spec.resourceAttributes.namespace");
    if has(review, "spec.resourceAttributes") && namespace != meta::namespace(review) {
        let path = path.child("resourceAttributes").child("namespace");
        errors.invalid(&path, &namespace, "must match metadata.namespace");
    }
    if has(review, "spec.nonResourceAttributes") {
        let value = part(review, "spec.nonResourceAttributes");
        errors.invalid(&path.child("nonResourceAttributes"), &value, "disallowed on this kind of request");
    }
    errors.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reviews_have_the_sections_of_their_kind() {
        let defaulted = |kind: &str| {
            let mut review = json!({ "kind": kind, "metadata": {} });
            defaults(&mut review);
            review
        };
        let plain = json!({ "kind": "SelfSubjectReview", "metadata": {}, "status": {} });
        assert_eq!(defaulted("SelfSubjectReview"), plain);
        assert_eq!(defaulted("TokenReview")["spec"], json!({}));
    }
}
