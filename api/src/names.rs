//! What names must look like, with Kubernetes' texts for those that don't.
//!
//! Every function returns the error details for one value, empty when it is fine
//! (`k8s.io/apimachinery/pkg/util/validation`).

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
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
     or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENV_NAME: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
const HTTP_HEADER: &str = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', \
     regex used for validation is '[-A-Za-z0-9]+')";

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

/// The name of an environment variable (relaxed since Kubernetes 1.34, KEP-4369).
pub fn env_var_name(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec!["environment variable name must be non-empty".to_string()];
    }
    let allowed = text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=');
    if allowed { Vec::new() } else { vec![ENV_NAME.to_string()] }
}

/// A key of a ConfigMap or Secret, which becomes a file name.
pub fn config_map_key(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, SUBDOMAIN_MAX_BYTES);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(allowed) {
        errors.push(CONFIG_KEY.to_string());
    }
    match text {
        "." => errors.push("must not be '.'".to_string()),
        ".." => errors.push("must not be '..'".to_string()),
        _ if text.starts_with("..") => errors.push("must not start with '..'".to_string()),
        _ => {}
    }
    errors
}

/// The name of a port (IANA service name, RFC 6335, in lower case).
pub fn port_name(text: &str) -> Vec<String> {
    let mut errors = length_errors(text, 15);
    if text.is_empty() || !text.bytes().all(|b| lower_or_digit(b) || b == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_string());
    }
    if !text.bytes().any(|b| b.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_string());
    }
    if text.contains("--") {
        errors.push("must not contain consecutive hyphens".to_string());
    }
    if text.starts_with('-') || text.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_string());
    }
    errors
}

/// A port number.
pub fn port_number(port: i64) -> Vec<String> {
    if (1..=65535).contains(&port) { Vec::new() } else { vec![out_of_range(1, 65535)] }
}

/// The name of an HTTP header.
pub fn http_header_name(text: &str) -> Vec<String> {
    let allowed = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if allowed { Vec::new() } else { vec![HTTP_HEADER.to_string()] }
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

/// Characters that random suffixes and hashes are made of: no vowels (no words), nothing that looks alike.
const SUFFIX_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Length of the suffix that `generateName` gets.
pub const SUFFIX_LENGTH: usize = 5;
/// Longest prefix that is kept before the suffix.
const GENERATED_PREFIX_MAX_BYTES: usize = LABEL_MAX_BYTES - SUFFIX_LENGTH;

/// `generateName` with a suffix made of the caller's random bytes, as Kubernetes' `SimpleNameGenerator` does.
pub fn generate(prefix: &str, random: [u8; SUFFIX_LENGTH]) -> String {
    let mut end = prefix.len().min(GENERATED_PREFIX_MAX_BYTES);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = prefix[..end].to_string();
    name.extend(random.iter().map(|b| char::from(SUFFIX_ALPHABET[usize::from(*b) % SUFFIX_ALPHABET.len()])));
    name
}

/// Makes a text safe for names by mapping each of its bytes into the suffix alphabet (`rand.SafeEncodeString`).
pub fn safe_encode(text: &str) -> String {
    text.bytes().map(|b| char::from(SUFFIX_ALPHABET[usize::from(b) % SUFFIX_ALPHABET.len()])).collect()
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
        assert_eq!(
            port_name("--"),
            [
                "must contain at least one letter (a-z)",
                "must not contain consecutive hyphens",
                "must not begin or end with a hyphen",
            ]
        );
        assert_eq!(config_map_key("..x"), ["must not start with '..'"]);
        assert_eq!(env_var_name("A=B").len(), 1);
        assert!(env_var_name("my.env-name 1").is_empty());
    }

    #[test]
    fn generated_names() {
        assert_eq!(generate("web-", [0, 1, 26, 27, 255]), "web-bc9bq");
        assert_eq!(generate(&"x".repeat(100), [0; 5]).len(), 63);
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }
}
