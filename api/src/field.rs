//! Field paths and field errors, as `k8s.io/apimachinery/pkg/util/validation/field` words them.

use std::fmt;

use serde_json::{Value, json};

/// A place in an object: `spec.containers[0].name`, `metadata.labels[app]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(String);

impl Path {
    /// A path that starts at a top-level field.
    pub fn root(name: &str) -> Self {
        Self(name.to_string())
    }

    /// The object itself.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A field whose name is empty, which is how Kubernetes means the whole object in some complaints: `[]`.
    pub fn unnamed() -> Self {
        Self("[]".to_string())
    }

    /// A named field below this one.
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_string()) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// An element of this list.
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// An entry of this map.
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "<nil>" } else { &self.0 })
    }
}

/// `field.ErrorType`: what is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// A reference leads nowhere.
    NotFound,
    /// Must be given.
    Required,
    /// Must be unique.
    Duplicate,
    /// Breaks a rule that the detail explains.
    Invalid,
    /// Not one of a closed set.
    NotSupported,
    /// Allowed in general, not here or not now.
    Forbidden,
    /// Longer than it may be.
    TooLong,
    /// More elements than there may be.
    TooMany,
    /// Of the wrong JSON type.
    TypeInvalid,
}

impl ErrorType {
    fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

/// One broken rule at one field. The body is the text after `path: `.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// What is wrong.
    pub kind: ErrorType,
    /// Where.
    pub path: Path,
    /// The text after the path, in Kubernetes' words.
    pub body: String,
}

impl FieldError {
    fn with(kind: ErrorType, path: &Path, mut head: String, detail: &str) -> Self {
        if !detail.is_empty() {
            head.push_str(": ");
            head.push_str(detail);
        }
        Self { kind, path: path.clone(), body: head }
    }

    /// `Required value[: detail]`
    pub fn required(path: &Path, detail: &str) -> Self {
        Self::with(ErrorType::Required, path, "Required value".into(), detail)
    }

    /// `Invalid value: VALUE: detail`
    pub fn invalid(path: &Path, value: &Value, detail: &str) -> Self {
        Self::with(ErrorType::Invalid, path, format!("Invalid value: {value}"), detail)
    }

    /// `Invalid value: VALUE: detail`, for a value of the wrong JSON type.
    pub fn type_invalid(path: &Path, value: &Value, detail: &str) -> Self {
        Self::with(ErrorType::TypeInvalid, path, format!("Invalid value: {value}"), detail)
    }

    /// `Duplicate value: VALUE`
    pub fn duplicate(path: &Path, value: &Value) -> Self {
        Self::with(ErrorType::Duplicate, path, format!("Duplicate value: {value}"), "")
    }

    /// `Unsupported value: VALUE: supported values: "A", "B"`
    pub fn not_supported(path: &Path, value: &Value, supported: &[&str]) -> Self {
        let quoted: Vec<String> = supported.iter().map(|s| format!("\"{s}\"")).collect();
        let detail = if quoted.is_empty() { String::new() } else { format!("supported values: {}", quoted.join(", ")) };
        Self::with(ErrorType::NotSupported, path, format!("Unsupported value: {value}"), &detail)
    }

    /// `Forbidden: detail`
    pub fn forbidden(path: &Path, detail: &str) -> Self {
        Self::with(ErrorType::Forbidden, path, "Forbidden".into(), detail)
    }

    /// `Too long: may not be more than N bytes`
    pub fn too_long(path: &Path, limit_bytes: usize) -> Self {
        Self::with(ErrorType::TooLong, path, "Too long".into(), &format!("may not be more than {limit_bytes} bytes"))
    }

    /// `Too many: ACTUAL: must have at most LIMIT items`
    pub fn too_many(path: &Path, actual: usize, limit: usize) -> Self {
        let noun = if limit == 1 { "item" } else { "items" };
        Self::with(
            ErrorType::TooMany,
            path,
            format!("Too many: {actual}"),
            &format!("must have at most {limit} {noun}"),
        )
    }

    /// `Not found: VALUE`
    pub fn not_found(path: &Path, value: &Value) -> Self {
        Self::with(ErrorType::NotFound, path, format!("Not found: {value}"), "")
    }

    /// The entry in `status.details.causes`.
    pub fn cause(&self) -> Value {
        json!({ "reason": self.kind.reason(), "message": self.body, "field": self.path.to_string() })
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body)
    }
}

/// The errors as one text: alone as it is, several in brackets, repeated ones once.
pub fn join(errors: &[FieldError]) -> String {
    let mut texts: Vec<String> = Vec::with_capacity(errors.len());
    for error in errors {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_kubernetes_prints_them() {
        let path = Path::root("spec").child("containers").index(2).child("env").key("A");
        assert_eq!(path.to_string(), "spec.containers[2].env[A]");
    }

    #[test]
    fn unsupported_values_list_what_is_supported() {
        let error = FieldError::not_supported(&Path::root("type"), &json!("x"), &["a", "b"]);
        assert_eq!(error.to_string(), "type: Unsupported value: \"x\": supported values: \"a\", \"b\"");
    }
}
