//! Rules of reviews: questions about who somebody is and what they may do. They are answered and never stored.

use serde_json::{Map, Value};

use super::check::Errors;
use super::json::{has, object, part, sections, text, texts};
use crate::catalog::Rules;
use crate::field::{FieldError, Path};
use crate::meta;

/// `SelfSubjectReview`, `TokenReview` and `SelfSubjectRulesReview`, whose questions have no wrong form.
pub static PLAIN: Rules = Rules { defaults, prepare_create: forget_status, ..Rules::GENERIC };

/// `SelfSubjectAccessReview`
pub static SELF_ACCESS: Rules = Rules { validate: |review| access(review, false).0, ..PLAIN };

/// `SubjectAccessReview`
pub static ACCESS: Rules = Rules { validate: |review| access(review, true).0, ..PLAIN };

/// `LocalSubjectAccessReview`
pub static LOCAL_ACCESS: Rules = Rules { validate: local_access, ..PLAIN };

fn defaults(review: &mut Value) {
    sections(review, &["spec"]);
    let _ = object(review, "status");
}

/// An answer is not for the asker to give.
fn forget_status(review: &mut Value) {
    review["status"] = Value::Object(Map::new());
}

fn access(review: &Value, about_somebody: bool) -> Errors {
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
    if about_somebody && text(&spec, "user").is_empty() && texts(&spec, "groups").is_empty() {
        errors.invalid(&path.child("user"), &"", "at least one of user or group must be specified");
    }
    errors
}

fn local_access(review: &Value) -> Vec<FieldError> {
    let mut errors = access(review, true);
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
