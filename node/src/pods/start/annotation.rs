//! Annotations of a pod that say what Kubernetes has no fields for.

use std::collections::BTreeMap;

/// An annotation says what can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("annotation {name}: {value:?} is not {wanted}")]
pub struct AnnotationError {
    name: &'static str,
    value: String,
    wanted: String,
}

/// An annotation's name and value, if the pod has it.
pub fn annotation<'a>(
    annotations: Option<&'a BTreeMap<String, String>>,
    name: &'static str,
) -> Option<(&'static str, &'a str)> {
    annotations?.get(name).map(|value| (name, value.as_str()))
}

/// The error of an annotation whose value is not what is wanted.
pub fn error(name: &'static str, value: &str, wanted: String) -> AnnotationError {
    AnnotationError { name, value: value.to_owned(), wanted }
}
