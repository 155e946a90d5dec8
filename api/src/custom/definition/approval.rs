//! Groups of the Kubernetes community: a definition in one of them says where its API was approved (KEP-1111).

use serde_json::{Value, json};

use super::text;
use crate::cel::Url;
use crate::field::{FieldError, Path};
use crate::meta;

const ANNOTATION: &str = "api-approved.kubernetes.io";

/// Errors about the approval.
pub(super) fn errors(definition: &Value) -> Vec<FieldError> {
    let group = text(&definition["spec"], "group");
    let is_protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group == *domain || group.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')));
    if !is_protected {
        return Vec::new();
    }
    let path = Path::root("metadata").child("annotations").key(ANNOTATION);
    let value = meta::annotations(definition).get(ANNOTATION).copied().unwrap_or_default();
    match state(value) {
        State::Missing => {
            let detail = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111";
            vec![FieldError::required(&path, detail)]
        }
        State::Invalid => {
            let detail = "protected groups must have approval annotation \"api-approved.kubernetes.io\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111";
            vec![FieldError::invalid(&path, &json!(value), detail)]
        }
        State::Approved | State::Bypassed => Vec::new(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    Invalid,
    Approved,
    Bypassed,
}

fn state(annotation: &str) -> State {
    let is_address = |url: Url| !url.scheme().is_empty() && !url.host().is_empty();
    match annotation {
        "" => State::Missing,
        text if text.starts_with("unapproved") => State::Bypassed,
        text if Url::parse(text).is_some_and(is_address) => State::Approved,
        _ => State::Invalid,
    }
}
