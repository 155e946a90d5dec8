//! Field paths and field errors, as `k8s.io/apimachinery/pkg/util/validation/field` words them.

use std::collections::HashSet;
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

    /// One that is only counted.
    fn untold() -> Self {
        Self { kind: ErrorType::Invalid, path: Path::empty(), body: String::new() }
    }

    fn bytes(&self) -> usize {
        self.path.0.len() + self.body.len()
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

/// Errors that an answer tells of. Upstream has no bound, and a body of 3 MiB can have a million mistakes in it.
pub const ERRORS_TOLD: usize = 1_000;
/// Bytes of text that those errors have together, but for the last of them: some show a whole list for each of its
/// elements.
const TOLD_BYTES: usize = 4 << 20;

/// Whether an error after these would still be told of.
pub(crate) fn has_room(errors: &[FieldError]) -> bool {
    errors.len() < ERRORS_TOLD && errors.iter().map(FieldError::bytes).sum::<usize>() < TOLD_BYTES
}

/// Adds an error. One that nobody will be told of is only counted, so that neither making it nor keeping it costs
/// what its text would.
pub(crate) fn tell(errors: &mut Vec<FieldError>, error: impl FnOnce() -> FieldError) {
    let error = if has_room(errors) { error() } else { FieldError::untold() };
    errors.push(error);
}

/// Adds errors that have been made already, without the texts of those that nobody will be told of.
pub(crate) fn take_over(errors: &mut Vec<FieldError>, others: Vec<FieldError>) {
    for error in others {
        let error = if has_room(errors) { error } else { FieldError { kind: error.kind, ..FieldError::untold() } };
        errors.push(error);
    }
}

/// The errors that an answer tells of, which are the first ones.
pub fn told(errors: &[FieldError]) -> &[FieldError] {
    let mut bytes = 0;
    let fits = |error: &&FieldError| {
        let fits = bytes < TOLD_BYTES;
        bytes += error.bytes();
        fits
    };
    &errors[..errors.iter().take(ERRORS_TOLD).take_while(fits).count()]
}

/// The errors as one text: alone as it is, several in brackets, repeated ones once. Of very many the first are told,
/// and how many more were found.
pub fn join(errors: &[FieldError]) -> String {
    let told = told(errors);
    let more = Some(errors.len() - told.len()).filter(|more| *more > 0);
    aggregate(told.iter().map(ToString::to_string).chain(more.map(|more| format!("and {more} more"))))
}

/// Texts as one: alone as it is, several in brackets, repeated ones once (`utilerrors.Aggregate`).
pub fn aggregate(texts: impl IntoIterator<Item = String>) -> String {
    let mut known = HashSet::new();
    let texts: Vec<String> = texts.into_iter().filter(|text| known.insert(text.clone())).collect();
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

    fn errors(count: usize) -> Vec<FieldError> {
        (0..count).map(|index| FieldError::required(&Path::root("a").index(index), "")).collect()
    }

    #[test]
    fn repeated_errors_are_told_once() {
        let twice = [errors(2), errors(2)].concat();
        assert_eq!(join(&twice), "[a[0]: Required value, a[1]: Required value]");
        assert_eq!(join(&[errors(1), errors(1)].concat()), "a[0]: Required value");
    }

    #[test]
    fn very_many_errors_are_counted() {
        // Comparing each with each would be 10^11 steps.
        let many = errors(500_000);
        let text = join(&many);
        assert!(text.starts_with("[a[0]: Required value, a[1]: Required value, "), "{}", &text[..80]);
        assert!(text.ends_with("a[999]: Required value, and 499000 more]"), "{}", &text[text.len() - 80..]);
        assert_eq!(join(&errors(ERRORS_TOLD)).matches("Required").count(), ERRORS_TOLD);
    }

    #[test]
    fn errors_with_much_text_are_fewer() {
        let big = json!("x".repeat(TOLD_BYTES / 2));
        let many = vec![FieldError::invalid(&Path::root("a"), &big, "no"); 5];
        assert_eq!((told(&many).len(), told(&many[..1]).len()), (2, 1));
        assert!(join(&many).ends_with(", and 3 more]"));
    }

    #[test]
    fn what_nobody_is_told_of_is_not_made() {
        let (mut found, mut made) = (Vec::new(), 0);
        for index in 0..ERRORS_TOLD + 5 {
            tell(&mut found, || {
                made += 1;
                FieldError::required(&Path::root("a").index(index), "")
            });
        }
        assert_eq!((found.len(), made), (ERRORS_TOLD + 5, ERRORS_TOLD));
        assert!(join(&found).ends_with("and 5 more]"));
    }
}
