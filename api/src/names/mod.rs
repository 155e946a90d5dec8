//! What names must look like, with Kubernetes' texts for those that don't.
//!
//! Every function returns the error details for one value, empty when it is fine
//! (`k8s.io/apimachinery/pkg/util/validation`).

mod domain;
mod fields;
mod generated;

pub use domain::domain_path;
pub use fields::{config_map_key, env_var_name, http_header_name, port_name, port_number};
pub use generated::{SUFFIX_LENGTH, generate, safe_encode};

/// Longest DNS label.
pub const LABEL_MAX_BYTES: usize = 63;
/// Longest DNS subdomain.
pub const SUBDOMAIN_MAX_BYTES: usize = 253;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const SUBDOMAIN_UNDERSCORE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' \
     or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const WILDCARD: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must \
     consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. \
     '*.example.com', regex used for validation is \
     '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
     alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
     validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
     an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const QUALIFIED_SHAPE: &str = "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start \
     and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. \
     'example.com/MyName')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
     and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
     validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// `must be no more than N bytes`
pub fn too_long(limit_bytes: usize) -> String {
    format!("must be no more than {limit_bytes} bytes")
}

/// `must be between LOW and HIGH, inclusive`
pub fn out_of_range(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

fn lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// Non-empty, `inner` characters, with `outer` ones at both ends.
fn shaped(text: &str, outer: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(&a), Some(&z)) if outer(a) && outer(z))
        && bytes.iter().all(|b| inner(*b))
}

fn is_label(text: &str) -> bool {
    shaped(text, lower_or_digit, |b| lower_or_digit(b) || b == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_qualified_part(text: &str) -> bool {
    shaped(text, |b| b.is_ascii_alphanumeric(), |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn length_errors(text: &str, limit_bytes: usize) -> Vec<String> {
    if text.len() > limit_bytes { vec![too_long(limit_bytes)] } else { Vec::new() }
}

/// A DNS label (RFC 1123): names of namespaces and containers.
pub fn dns1123_label(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, LABEL_MAX_BYTES);
    if !is_label(text) {
        errors.push(if is_subdomain(text) { "must not contain dots" } else { LABEL }.to_string());
    }
    errors
}

/// A DNS subdomain (RFC 1123): names of most objects.
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, SUBDOMAIN_MAX_BYTES);
    if !is_subdomain(text) {
        errors.push(SUBDOMAIN.to_string());
    }
    errors
}

/// A DNS subdomain whose labels may have underscores, as names of records have: search domains of pods.
pub fn subdomain_with_underscores(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, SUBDOMAIN_MAX_BYTES);
    let is_label = |label: &str| {
        let label = label.strip_prefix('_').unwrap_or(label);
        shaped(label, lower_or_digit, |b| lower_or_digit(b) || matches!(b, b'-' | b'_'))
    };
    if !text.split('.').all(is_label) {
        errors.push(SUBDOMAIN_UNDERSCORE.to_string());
    }
    errors
}

/// A DNS subdomain below a wildcard, `*.example.com`: hosts of ingresses.
pub fn wildcard_subdomain(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, SUBDOMAIN_MAX_BYTES);
    if !text.strip_prefix("*.").is_some_and(is_subdomain) {
        errors.push(WILDCARD.to_string());
    }
    errors
}

/// A DNS label that starts with a letter (RFC 1035): names of Services.
pub fn dns1035_label(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, LABEL_MAX_BYTES);
    if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        errors.push(LABEL_1035.to_string());
    }
    errors
}

/// A label key, finalizer or resource name: `[prefix/]name`.
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let mut parts = text.split('/');
    let name = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => name,
        (Some(prefix), Some(name), None) => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_string());
            } else {
                errors.extend(dns1123_subdomain(prefix).into_iter().map(|e| format!("prefix part {e}")));
            }
            name
        }
        _ => return vec![QUALIFIED_SHAPE.to_string()],
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_string());
    } else if name.len() > LABEL_MAX_BYTES {
        errors.push(format!("name part {}", too_long(LABEL_MAX_BYTES)));
    }
    if !is_qualified_part(name) {
        errors.push(QUALIFIED.to_string());
    }
    errors
}

/// The value of a label.
pub fn label_value(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, LABEL_MAX_BYTES);
    if !text.is_empty() && !is_qualified_part(text) {
        errors.push(LABEL_VALUE.to_string());
    }
    errors
}

/// An object's name that is one path segment and nothing more.
pub fn path_segment(text: &str) -> Vec<String> {
    match text {
        "." | ".." => return vec![format!("may not be '{text}'")],
        _ => {}
    }
    ["/", "%"].iter().filter(|c| text.contains(*c)).map(|c| format!("may not contain '{c}'")).collect()
}

/// For a name that will get a suffix: the trailing dash or dot that the suffix will follow does not count.
pub fn mask_prefix(text: &str, prefix: bool) -> std::borrow::Cow<'_, str> {
    if prefix && text.len() > 1 && text.ends_with('-') {
        format!("{}a", &text[..text.len() - 1]).into()
    } else {
        text.into()
    }
}

/// `metadata.name` as a subdomain: what most kinds ask for.
pub fn subdomain_name(name: &str, prefix: bool) -> Vec<String> {
    dns1123_subdomain(&mask_prefix(name, prefix))
}

/// `metadata.name` as a label: namespaces.
pub fn label_name(name: &str, prefix: bool) -> Vec<String> {
    dns1123_label(&mask_prefix(name, prefix))
}

/// `metadata.name` as an RFC 1035 label: Services.
pub fn label_1035_name(name: &str, prefix: bool) -> Vec<String> {
    dns1035_label(&mask_prefix(name, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdomains() {
        assert!(dns1123_subdomain("a.b-c.9").is_empty());
        assert_eq!(
            dns1123_subdomain("Bad_Name"),
            ["a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
                 must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                 '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"]
        );
        assert_eq!(dns1123_subdomain(&"a".repeat(254)), ["must be no more than 253 bytes"]);
        assert_eq!(dns1123_subdomain("a..b").len(), 1);
    }

    #[test]
    fn labels() {
        assert_eq!(dns1123_label("a.b"), ["must not contain dots"]);
        assert!(dns1035_label("web-1").is_empty());
        assert_eq!(dns1035_label("1web").len(), 1);
        assert!(label_name("prefix-", true).is_empty());
        assert_eq!(label_name("prefix-", false).len(), 1);
    }

    #[test]
    fn qualified_names() {
        for good in ["app", "app.kubernetes.io/name", "A_b.c", "kubernetes.io/x"] {
            assert!(qualified_name(good).is_empty(), "{good}");
        }
        assert_eq!(qualified_name("/x"), ["prefix part must be non-empty"]);
        assert!(qualified_name("a/b/c")[0].starts_with("a valid label key must consist"));
        assert_eq!(qualified_name("")[0], "name part must be non-empty");
        assert!(qualified_name("Bad/x")[0].starts_with("prefix part a lowercase RFC 1123 subdomain"));
    }

    #[test]
    fn other_names() {
        assert!(label_value("").is_empty());
        assert_eq!(label_value("-a").len(), 1);
    }
}
